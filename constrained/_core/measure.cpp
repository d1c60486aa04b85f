// Distances: the fewest bytes to the end of an output, a text that takes so many, certain bytes.
#include <algorithm>

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

// And, Not: breadth first over derivatives to the nearest nullable one, then along the way back.
uint32_t Store::search_distance(TermId start, Call& call) {
  std::unordered_map<TermId, TermId> parent{{start, start}};
  std::vector<TermId> layer{start}, next_layer;
  auto finish = [&](TermId id, uint32_t d) {
    for (;; ++d) {
      if ((*this)[id].distance.load(std::memory_order_relaxed) == kUnknown) at(id).distance.store(d, std::memory_order_release);
      if (id == start) return d;
      id = parent[id];
    }
  };
  if ((*this)[start].nullable) return finish(start, 0);
  while (!layer.empty()) {
    for (TermId id : layer) {
      const Edges* e = edges(id, call);
      for (unsigned c = 0; c < e->partition->classes; ++c) {
        TermId next = step(id, e->partition->first[c], call);
        call.spend();
        if (next == kNothing || !parent.emplace(next, id).second) continue;
        if ((*this)[next].nullable) return finish(next, 0);
        next_layer.push_back(next);
      }
    }
    layer.swap(next_layer);
    next_layer.clear();
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
      if (next == kNothing || distance(next, call) != left - 1) continue;
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
