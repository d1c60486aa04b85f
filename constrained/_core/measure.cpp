// Distances: the fewest bytes to the end of an output, a text that takes so many, certain bytes.
#include <algorithm>
#include <queue>

#include "terms.h"

namespace constrained {

namespace {

uint32_t plus(uint32_t x, uint32_t y) {
  uint64_t sum = uint64_t{x} + y;
  return x == kInfinite || y == kInfinite || sum >= kUnknown ? kInfinite : static_cast<uint32_t>(sum);
}

uint32_t times(uint32_t x, uint32_t y) {
  if (x == 0 || y == 0) return 0;
  uint64_t product = uint64_t{x} * y;
  return x == kInfinite || product >= kUnknown ? kInfinite : static_cast<uint32_t>(product);
}

}  // namespace

// The least solution of the equations below `t`: children first, in rounds where rules make cycles.
uint32_t Store::distance(TermId t, Call& call) {
  uint32_t known = (*this)[t].distance.load(std::memory_order_acquire);
  if (known != kUnknown) return known;
  std::lock_guard<std::recursive_mutex> lock(mutex);
  std::vector<TermId> order;
  std::unordered_map<TermId, uint32_t> value;
  std::vector<std::pair<TermId, bool>> stack{{t, false}};
  bool cyclic = false;
  while (!stack.empty()) {
    auto [id, leaving] = stack.back();
    stack.pop_back();
    if (leaving) {
      order.push_back(id);
      continue;
    }
    const Term& term = (*this)[id];
    if (term.distance.load(std::memory_order_relaxed) != kUnknown) continue;
    if (term.kind == Kind::And || term.kind == Kind::Not) {
      search_distance(id, call);
      continue;
    }
    if (!value.emplace(id, kInfinite).second) continue;
    call.spend();
    stack.push_back({id, true});
    if (term.kind == Kind::Cat) {
      stack.push_back({term.a, false});
      stack.push_back({term.b, false});
    } else if (term.kind == Kind::Alt) {
      for (TermId i = 0; i < term.b; ++i) stack.push_back({term.parts[i], false});
    } else if (term.kind == Kind::Repeat || term.kind == Kind::Lexeme) {
      stack.push_back({term.a, false});
    } else if (term.kind == Kind::Call) {
      cyclic = true;
      stack.push_back({body(term.a, call), false});
    }
  }
  auto of = [&](TermId id) {
    auto it = value.find(id);
    return it == value.end() ? (*this)[id].distance.load(std::memory_order_relaxed) : it->second;
  };
  bool changed;
  do {
    changed = false;
    for (TermId id : order) {
      const Term& term = (*this)[id];
      call.spend(1 + (term.kind == Kind::Alt ? term.b / 8 : 0));
      uint32_t d = kInfinite;
      switch (term.kind) {
        case Kind::Empty: d = 0; break;
        case Kind::Bytes: d = 1; break;
        case Kind::Cat: d = plus(of(term.a), of(term.b)); break;
        case Kind::Repeat: d = times(of(term.a), term.low); break;
        case Kind::Call: d = of(rules[term.a].body); break;
        case Kind::Lexeme: d = of(term.a); break;
        case Kind::Alt:
          for (TermId i = 0; i < term.b; ++i) d = std::min(d, of(term.parts[i]));
          break;
        default: break;
      }
      uint32_t& v = value[id];
      if (d < v) {
        v = d;
        changed = true;
      }
    }
  } while (changed && cyclic);
  for (TermId id : order) at(id).distance.store(value[id], std::memory_order_release);
  return (*this)[t].distance.load(std::memory_order_relaxed);
}

// A lower bound of the distance that needs no search: an intersection takes at least what each part
// takes by itself, a complement at least nothing. Counters are read, not unfolded.
uint32_t Store::at_least(TermId t, Call& call) {
  Deeper guard(call);
  uint32_t before = 0;
  for (;; t = (*this)[t].b) {  // along the spine of a concatenation
    call.spend();
    const Term& term = (*this)[t];
    const uint32_t exact = term.distance.load(std::memory_order_acquire);
    if (exact != kUnknown) return plus(before, exact);
    if (term.kind == Kind::Cat) {
      before = plus(before, at_least(term.a, call));
      continue;
    }
    std::lock_guard<std::recursive_mutex> lock(mutex);
    if (const auto found = at_least_.find(t); found != at_least_.end()) return plus(before, found->second);
    uint32_t bound = 0;
    switch (term.kind) {
      case Kind::And:
        for (TermId i = 0; i < term.b; ++i) bound = std::max(bound, at_least(term.parts[i], call));
        break;
      case Kind::Not: bound = !term.nullable; break;
      case Kind::Alt:
        bound = kInfinite;
        for (TermId i = 0; i < term.b; ++i) bound = std::min(bound, at_least(term.parts[i], call));
        break;
      case Kind::Repeat: bound = times(at_least(term.a, call), term.low); break;
      case Kind::Lexeme: bound = at_least(term.a, call); break;
      default: bound = distance(t, call);
    }
    at_least_.emplace(t, bound);
    return plus(before, bound);
  }
}

namespace {

// Where a search goes on: the fewest bytes in all by way of this term, of which so many are taken.
struct Open {
  uint32_t least, taken;
  TermId term;
  bool operator<(const Open& other) const {  // whether it comes after the other
    return least != other.least ? least > other.least : taken < other.taken;
  }
};

struct Visit {
  TermId from;
  uint32_t taken;
};

}  // namespace

// And, Not: a best-first search (A*, Hart, Nilsson, Raphael 1968) over derivatives for the nearest
// nullable one, led by `at_least`: where counters overlap, a search in all directions meets their
// subsets. The distances along the way found are exact, too.
uint32_t Store::search_distance(TermId start, Call& call) {
  std::unordered_map<TermId, Visit> visits{{start, {start, 0}}};
  std::priority_queue<Open> open;
  open.push({at_least(start, call), 0, start});
  while (!open.empty()) {
    const auto [least, taken, id] = open.top();
    open.pop();
    if (taken != visits[id].taken) continue;  // a shorter way to it was found since
    const uint32_t known = (*this)[id].nullable ? 0 : (*this)[id].distance.load(std::memory_order_relaxed);
    if (known != kUnknown && plus(taken, known) > least) {
      if (known != kInfinite) open.push({taken + known, taken, id});  // known only by now
      continue;
    }
    if (known != kUnknown) {
      for (TermId way = id, d = known;; way = visits[way].from, ++d) {
        if ((*this)[way].distance.load(std::memory_order_relaxed) == kUnknown)
          at(way).distance.store(d, std::memory_order_release);
        if (way == start) return d;
      }
    }
    const Edges* e = edges(id, call);
    for (unsigned c = 0; c < e->partition->classes; ++c) {
      const TermId next = step(id, e->partition->first[c], call);
      call.spend();
      if (next == kNothing) continue;
      auto [visit, fresh] = visits.try_emplace(next, Visit{id, taken + 1});
      if (!fresh && visit->second.taken <= taken + 1) continue;
      visit->second = {id, taken + 1};
      const uint32_t left = (*this)[next].nullable ? 0 : at_least(next, call);
      if (left != kInfinite) open.push({plus(taken + 1, left), taken + 1, next});
    }
  }
  at(start).distance.store(kInfinite, std::memory_order_release);
  return kInfinite;
}

uint32_t Store::farthest(TermId t, Call& call) {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  std::unordered_map<TermId, uint32_t> known;
  return farthest(t, known, call);
}

uint32_t Store::farthest(TermId start, std::unordered_map<TermId, uint32_t>& known, Call& call) {
  Deeper guard(call);
  uint32_t far = 0;
  for (TermId t = start;; t = (*this)[t].b) {  // along the spine of a concatenation
    call.spend();
    const Term& term = (*this)[t];
    uint32_t here = kInfinite;
    if (const auto found = known.find(t); found != known.end()) {
      here = found->second;
    } else if (term.kind == Kind::Cat) {
      far = std::max(far, plus(farthest(term.a, known, call), distance(term.b, call)));
      if (far < kInfinite) continue;
    } else if (term.kind == Kind::Empty || term.kind == Kind::Bytes) {
      here = term.kind == Kind::Bytes;
    } else if (term.kind == Kind::Lexeme) {
      here = farthest(term.a, known, call);
    } else if (term.kind == Kind::Repeat) {
      here = plus(farthest(term.a, known, call), times(distance(term.a, call), std::max(term.low, 1u) - 1));
    } else if (term.kind == Kind::Alt) {
      here = 0;
      for (TermId i = 0; i < term.b; ++i) here = std::max(here, farthest(term.parts[i], known, call));
    }
    return known[start] = std::max(far, here);
  }
}

std::string Store::completion(TermId t, Call& call) {
  std::string out;
  for (uint32_t left = distance(t, call); left > 0; --left) {
    const Edges* e = edges(t, call);
    for (unsigned i = 0; i < e->partition->classes; ++i) {
      uint8_t byte = e->partition->favourite[e->partition->by_rank[i]];
      TermId next = step(t, byte, call);
      call.spend();
      if (next == kNothing || at_least(next, call) >= left || distance(next, call) >= left) continue;
      out.push_back(static_cast<char>(byte));
      t = next;
      break;
    }
  }
  return out;
}

Store::Extent Store::extent(TermId t, Call& call) {
  Deeper guard(call);
  Extent result = Extent::Finite;
  for (;; t = (*this)[t].b) {
    const Term& term = (*this)[t];
    Extent here = Extent::Finite;
    call.spend();
    switch (term.kind) {
      case Kind::Nothing:
      case Kind::Empty:
      case Kind::Bytes:
        break;
      case Kind::Cat:
      case Kind::Lexeme:
        here = extent(term.a, call);
        break;
      case Kind::Repeat:
        here = term.high == kInfinite ? Extent::Infinite : extent(term.a, call);
        break;
      case Kind::Alt:
        for (TermId i = 0; i < term.b && here != Extent::Infinite; ++i) {
          Extent part = extent(term.parts[i], call);
          if (part != Extent::Finite) here = part;
        }
        break;
      default:
        here = Extent::Unknown;
    }
    if (here == Extent::Infinite) return here;
    if (here == Extent::Unknown) result = here;
    if (term.kind != Kind::Cat) return result;
  }
}

std::string Store::forced(TermId t, Call& call) {
  std::string out;
  while (!(*this)[t].nullable) {
    const Edges* e = edges(t, call);
    TermId only = kNothing;
    uint8_t byte = 0;
    unsigned choices = 0;
    for (unsigned c = 0; c < e->partition->classes && choices < 2; ++c) {
      TermId next = step(t, e->partition->first[c], call);
      call.spend();
      if (next == kNothing) continue;
      choices += e->partition->size[c];
      only = next;
      byte = e->partition->first[c];
    }
    if (choices != 1) break;
    out.push_back(static_cast<char>(byte));
    t = only;
  }
  return out;
}

bool Store::is_final(TermId t, Call& call) {
  if (!(*this)[t].nullable) return false;
  const Edges* e = edges(t, call);
  for (unsigned c = 0; c < e->partition->classes; ++c)
    if (step(t, e->partition->first[c], call) != kNothing) return false;
  return true;
}

}  // namespace constrained
