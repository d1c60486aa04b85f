// Distances: the fewest bytes to the end of an output, a text that takes so many, certain bytes.
#include <algorithm>
#include <queue>
#include <tuple>

#include "program.h"

namespace constrained {

namespace {

constexpr uint64_t kLooks = 4;  // looks at a term that are one unit of work

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

// What is known of the terms near one whose distance is asked for: `value` is never more than the
// distance, and is it where `exact` says so.
struct Store::Near {
  struct Guess {
    uint32_t value = kInfinite;
    bool explored = false, exact = false;
  };
  std::unordered_map<TermId, Guess> guesses;
  std::vector<TermId> order;  // the explored ones, parts before wholes
  struct Unfetched {
    uint32_t through, rest, rule;  // bytes to the end through the rule, and from it on, at the least
    bool operator<(const Unfetched& other) const {
      return std::tie(through, rest, rule) < std::tie(other.through, other.rest, other.rule);
    }
  };
  std::vector<Unfetched> frontier;
  bool cyclic = false;
  uint64_t looked = 0;
};

// Looks at what lies within `radius` bytes of `t`. Rules that were not fetched are left so.
void Store::explore(TermId t, uint32_t radius, Near& near, Call& call) {
  std::map<uint32_t, std::vector<TermId>> waiting{{0, {t}}};  // by the bytes that lead there, at the least
  near.guesses.emplace(t, Near::Guess{});
  while (!waiting.empty()) {
    const uint32_t spent = waiting.begin()->first;
    std::vector<TermId> layer = std::move(waiting.begin()->second);
    waiting.erase(waiting.begin());
    for (size_t k = 0; k < layer.size(); ++k) {  // which grows meanwhile
      const TermId id = layer[k];
      const Term& term = (*this)[id];
      if (near.guesses[id].explored) continue;
      if (term.distance.load(std::memory_order_relaxed) == kUnknown && (term.kind == Kind::And || term.kind == Kind::Not))
        search_distance(id, call);
      if (term.distance.load(std::memory_order_relaxed) != kUnknown) continue;
      if (term.kind == Kind::Call && !fetched(term.a)) {
        near.frontier.push_back({plus(spent, at_least(id)), at_least(id), term.a});
        continue;
      }
      near.guesses[id].explored = true;
      if (++near.looked % kLooks == 0) call.spend();
      auto reach = [&](TermId part, uint32_t bytes) {
        near.guesses.emplace(part, Near::Guess{});
        if (bytes > radius) return;
        if (bytes == spent)
          layer.push_back(part);
        else
          waiting[bytes].push_back(part);
      };
      if (term.kind == Kind::Cat) {
        reach(term.a, spent);
        reach(term.b, plus(spent, at_least(term.a)));
      } else if (term.kind == Kind::Alt) {
        for (TermId i = 0; i < term.b; ++i) reach(term.parts[i], spent);
      } else if (term.kind == Kind::Repeat || term.kind == Kind::Lexeme) {
        reach(term.a, spent);
      } else if (term.kind == Kind::Call) {
        near.cyclic = true;
        reach(rules[term.a].body, spent);
      }
    }
  }
}

// The explored terms, parts before wholes as far as rules do not make cycles.
void Store::put_in_order(TermId t, Near& near) const {
  std::unordered_map<TermId, bool> seen;
  std::vector<std::pair<TermId, bool>> stack{{t, false}};
  while (!stack.empty()) {
    const auto [id, leaving] = stack.back();
    stack.pop_back();
    if (leaving) {
      near.order.push_back(id);
      continue;
    }
    if (!near.guesses[id].explored || !seen.emplace(id, true).second) continue;
    const Term& term = (*this)[id];
    stack.push_back({id, true});
    if (term.kind == Kind::Alt) {
      for (TermId i = 0; i < term.b; ++i) stack.push_back({term.parts[i], false});
    } else if (term.kind == Kind::Call) {
      stack.push_back({rules[term.a].body, false});
    } else if (term.kind == Kind::Cat || term.kind == Kind::Repeat || term.kind == Kind::Lexeme) {
      stack.push_back({term.a, false});
      if (term.kind == Kind::Cat) stack.push_back({term.b, false});
    }
  }
}

// A number of bytes that no completion of `t` has fewer of, without a look into it.
uint32_t Store::at_least(TermId t) {
  const Term& term = (*this)[t];
  const uint32_t known = term.distance.load(std::memory_order_relaxed);
  if (known != kUnknown) return known;
  if (term.kind != Kind::Call) return !term.nullable;
  Rule& rule = rules[term.a];
  if (!rule.least && fetched(term.a)) return !term.nullable;
  if (!rule.least) {
    const std::shared_ptr<LaterRules> later = rule.later.lock();
    rule.least = std::max(later ? later->least(rule.key) : 1, 1u);
  }
  return rule.least;
}

bool Store::fetched(uint32_t index) const { return rules[index].body != kNothing || rules[index].key < 0; }

// The least solution of the equations between the explored terms: in rounds where rules make cycles.
void Store::solve(Near& near, Call& call) {
  auto guess = [&](TermId id) {
    const auto found = near.guesses.find(id);
    if (found != near.guesses.end() && found->second.explored) return found->second;
    const bool known = (*this)[id].distance.load(std::memory_order_relaxed) != kUnknown;
    return Near::Guess{at_least(id), false, known};
  };
  bool changed;
  do {
    changed = false;
    for (TermId id : near.order) {
      const Term& term = (*this)[id];
      if (++near.looked % kLooks == 0) call.spend();
      if (term.kind == Kind::Alt) call.spend(term.b / 16);
      Near::Guess found;
      switch (term.kind) {
        case Kind::Empty: found = {0, true, true}; break;
        case Kind::Bytes: found = {1, true, true}; break;
        case Kind::Cat: {
          const Near::Guess a = guess(term.a), b = guess(term.b);
          found = {plus(a.value, b.value), true, a.exact && b.exact};
          break;
        }
        case Kind::Repeat: {
          const Near::Guess a = guess(term.a);
          found = {times(a.value, term.low), true, a.exact || !term.low};
          break;
        }
        case Kind::Call: found = guess(rules[term.a].body); break;
        case Kind::Lexeme: found = guess(term.a); break;
        default:
          for (TermId i = 0; i < term.b; ++i) {
            const Near::Guess part = guess(term.parts[i]);
            if (part.value < found.value || (part.value == found.value && part.exact)) found = part;
          }
      }
      Near::Guess& had = near.guesses[id];
      if (found.value < had.value || (found.value == had.value && found.exact && !had.exact)) {
        had = {found.value, true, found.exact};
        changed = true;
      }
    }
  } while (changed && near.cyclic);
}

// The rules that were not fetched on one shortest way to the end of `t`.
std::vector<uint32_t> Store::wanted(TermId t, Near& near) {
  std::vector<uint32_t> found;
  std::vector<TermId> stack{t};
  std::unordered_map<TermId, bool> seen;
  while (!stack.empty()) {
    const TermId id = stack.back();
    stack.pop_back();
    const Term& term = (*this)[id];
    const Near::Guess& guess = near.guesses[id];
    if (term.distance.load(std::memory_order_relaxed) != kUnknown || guess.exact || !seen.emplace(id, true).second) continue;
    if (term.kind == Kind::Call && !fetched(term.a)) found.push_back(term.a);
    if (!guess.explored) continue;
    if (term.kind == Kind::Alt) {
      auto value = [&](TermId part) {
        const auto found = near.guesses.find(part);
        return found != near.guesses.end() && found->second.explored ? found->second.value : at_least(part);
      };
      stack.push_back(*std::min_element(term.parts, term.parts + term.b,
                                        [&](TermId x, TermId y) { return value(x) < value(y); }));
    } else if (term.kind == Kind::Call) {
      stack.push_back(rules[term.a].body);
    } else if (term.kind == Kind::Cat || term.kind == Kind::Repeat || term.kind == Kind::Lexeme) {
      stack.push_back(term.a);
      if (term.kind == Kind::Cat) stack.push_back(term.b);
    }
  }
  return found;
}

// Within a radius that grows until a way to the end is found that nothing beyond can beat. Rules are
// fetched on such ways only: a large schema has thousands that no shortest output needs.
uint32_t Store::distance(TermId t, Call& call, uint32_t most) {
  const uint32_t known = (*this)[t].distance.load(std::memory_order_acquire);
  if (known != kUnknown) return known;
  std::lock_guard<std::recursive_mutex> lock(mutex);
  const Term& term = (*this)[t];
  const Kind head = term.kind == Kind::Cat ? (*this)[term.a].kind : term.kind;
  if (most != kInfinite && (head == Kind::And || head == Kind::Not))
    if (const uint32_t bound = lower_bound(t, call); bound > most) return bound;
  uint32_t radius = 8;
  for (uint32_t round = 0;; ++round) {
    Near near;
    explore(t, radius, near, call);
    put_in_order(t, near);
    solve(near, call);
    for (TermId id : near.order)
      if (const Near::Guess& guess = near.guesses[id]; guess.exact) at(id).distance.store(guess.value, std::memory_order_release);
    const uint32_t found = (*this)[t].distance.load(std::memory_order_relaxed);
    if (found != kUnknown) return found;
    if (const uint32_t least = near.guesses[t].explored ? near.guesses[t].value : at_least(t); least > most) return least;
    std::vector<uint32_t> missing = wanted(t, near);
    if (missing.empty()) {
      radius = radius > kInfinite / 4 ? kInfinite : radius * 4;
      continue;
    }
    // More of the best ones with every few rounds, so that a long search has few rounds.
    const size_t more = std::min<size_t>((size_t{1} << std::min(round / 4, 20u)) - 1, near.frontier.size());
    std::partial_sort(near.frontier.begin(), near.frontier.begin() + more, near.frontier.end());
    for (size_t k = 0; k < more; ++k) missing.push_back(near.frontier[k].rule);
    for (uint32_t rule : missing) body(rule, call);
  }
}

// A lower bound of the distance that needs no search: an intersection takes at least what each part
// takes by itself, a complement at least nothing. Counters are read, not unfolded. `kInfinite`: it
// shows that nothing matches.
uint32_t Store::lower_bound(TermId t, Call& call) {
  Deeper guard(call);
  uint32_t before = 0;
  for (;; t = (*this)[t].b) {  // along the spine of a concatenation
    call.spend();
    const Term& term = (*this)[t];
    const uint32_t exact = term.distance.load(std::memory_order_acquire);
    if (exact != kUnknown) return plus(before, exact);
    if (term.kind == Kind::Cat) {
      before = plus(before, lower_bound(term.a, call));
      continue;
    }
    std::lock_guard<std::recursive_mutex> lock(mutex);
    if (const auto found = bounds_.find(t); found != bounds_.end()) return plus(before, found->second);
    uint32_t bound = 0;
    switch (term.kind) {
      case Kind::And:
        bound = bound_of_all(term, call);
        break;
      case Kind::Not: bound = !term.nullable; break;
      case Kind::Alt:
        bound = kInfinite;
        for (TermId i = 0; i < term.b; ++i) bound = std::min(bound, lower_bound(term.parts[i], call));
        break;
      case Kind::Repeat: bound = times(lower_bound(term.a, call), term.low); break;
      case Kind::Lexeme: bound = lower_bound(term.a, call); break;
      default: bound = at_least(t);
    }
    bounds_.emplace(t, bound);
    return plus(before, bound);
  }
}

// An intersection takes what each part takes by itself at the least, of its strings with as many
// letters as the other parts ask for.
uint32_t Store::bound_of_all(const Term& all, Call& call) {
  const Measured shared = measured(all.parts, all.b, call);
  if (shared.least > shared.most) return kInfinite;
  uint32_t bound = 0;
  Bounded known;
  for (TermId i = 0; i < all.b; ++i) {
    const TermId part = normal(all.parts[i], call);
    const uint32_t own =
        shared.from == kNothing ? lower_bound(part, call) : bound_from(part, shared.from, shared.least, known, call);
    bound = std::max(bound, own);
  }
  return bound;
}

namespace {

// Where a search goes on: the fewest bytes in all by way of this term, of which so many are taken.
struct Open {
  uint32_t least, taken;
  TermId term;
  unsigned tried;  // classes of bytes that were followed before
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
// nullable one, led by `lower_bound`: where counters overlap, a search in all directions meets their
// subsets. The distances along the way found are exact, too.
uint32_t Store::search_distance(TermId start, Call& call) {
  std::unordered_map<TermId, Visit> visits{{start, {start, 0}}};
  std::priority_queue<Open> open;
  open.push({lower_bound(start, call), 0, start, 0});
  while (!open.empty()) {
    const auto [least, taken, id, tried] = open.top();
    open.pop();
    if (taken != visits[id].taken) continue;  // a shorter way to it was found since
    const uint32_t known = (*this)[id].nullable ? 0 : (*this)[id].distance.load(std::memory_order_relaxed);
    if (known != kUnknown && plus(taken, known) > least) {
      if (known != kInfinite) open.push({taken + known, taken, id, 0});  // known only by now
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
    for (unsigned c = tried; c < e->partition->classes; ++c) {
      const TermId next = step(id, e->partition->first[c], call);
      call.spend();
      if (next == kNothing) continue;
      auto [visit, fresh] = visits.try_emplace(next, Visit{id, taken + 1});
      if (!fresh && visit->second.taken <= taken + 1) continue;
      visit->second = {id, taken + 1};
      const uint32_t left = (*this)[next].nullable ? 0 : lower_bound(next, call);
      if (left == kInfinite) continue;
      open.push({plus(taken + 1, left), taken + 1, next, 0});
      if (taken + 1 + left > least) continue;
      open.push({least, taken, id, c + 1});  // nothing is nearer: its other classes can wait
      break;
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
    } else if (term.kind == Kind::Substrings) {
      here = substrings_of(term).longest();
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
      if (next == kNothing || distance(next, call, left - 1) != left - 1) continue;
      out.push_back(static_cast<char>(byte));
      t = next;
      break;
    }
  }
  return out;
}

Store::Extent Store::extent(TermId start, Call& call) {
  if (const uint8_t known = (*this)[start].extent.load(std::memory_order_relaxed)) return static_cast<Extent>(known);
  Deeper guard(call);
  Extent result = Extent::Finite;
  for (TermId t = start; result != Extent::Infinite; t = (*this)[t].b) {  // along the spine
    const Term& term = (*this)[t];
    const uint8_t known = term.extent.load(std::memory_order_relaxed);
    Extent here = Extent::Finite;
    call.spend();
    switch (known ? Kind::Nothing : term.kind) {
      case Kind::Nothing:
      case Kind::Empty:
      case Kind::Bytes:
      case Kind::Substrings:
        if (known) here = static_cast<Extent>(known);
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
    if (here != Extent::Finite) result = here;
    if (known || term.kind != Kind::Cat) break;
  }
  at(start).extent.store(static_cast<uint8_t>(result), std::memory_order_relaxed);
  return result;
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
