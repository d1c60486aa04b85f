// Loops: bytes that a state takes again and again, so that parts of the trie need no walk.
#include <algorithm>

#include "walk.h"

namespace constrained {

namespace {

// A byte set as groups: those of whose bytes all are in the set.
template <class Has>
Groups ascii_groups(Has has) {
  Groups groups = kAscii;
  for (unsigned b = 0; b < 0x80; ++b)
    if (!has(b)) groups &= ~(Groups{1} << group_of(static_cast<uint8_t>(b)));
  return groups;
}

}  // namespace

// Whether a counter stands in front, without which nothing is taken again and again.
bool Masks::may_loop(TermId t) const {
  const Term& term = store[t];
  switch (term.kind) {
    case Kind::Repeat:
      return true;
    case Kind::Cat:
    case Kind::Lexeme:
      return may_loop(term.a);
    case Kind::And:
      for (TermId i = 0; i < term.b; ++i)
        if (!may_loop(term.parts[i])) return false;
      return true;
    case Kind::Alt:
      for (TermId i = 0; i < term.b && i < kLoopParts; ++i)
        if (may_loop(term.parts[i])) return true;
      return false;
    default:
      return false;
  }
}

// Whether every text of the term `character` leads from `from` to `to`.
bool Masks::returns(TermId from, TermId character, TermId to, Call& call) {
  std::vector<std::pair<TermId, TermId>> pairs{{from, character}};
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto [s, c] = pairs[i];
    const Partition *given = store.edges(s, call)->partition, *wanted = store.edges(c, call)->partition;
    std::vector<bool> tried(given->classes * wanted->classes, false);
    for (unsigned b = 0; b < 256; ++b) {
      const size_t both = given->class_of[b] * wanted->classes + wanted->class_of[b];
      if (tried[both]) continue;
      tried[both] = true;
      const TermId c_next = store.step(c, static_cast<uint8_t>(b), call);
      if (c_next == kNothing) continue;
      const TermId s_next = store.step(s, static_cast<uint8_t>(b), call);
      call.spend();
      if (s_next == kNothing || (c_next == kEmpty && s_next != to)) return false;
      const auto pair = std::make_pair(s_next, c_next);
      if (c_next != kEmpty && std::find(pairs.begin(), pairs.end(), pair) == pairs.end()) pairs.push_back(pair);
    }
  }
  return true;
}

// The characters that lead from one state to another.
Groups Masks::characters_between(TermId from, TermId to, Call& call) {
  const Partition* p = store.edges(from, call)->partition;
  std::array<bool, 256> leads{};  // by class
  for (unsigned c = 0; c < p->classes; ++c) leads[c] = store.step(from, p->first[c], call) == to;
  Groups groups = ascii_groups([&](unsigned b) { return leads[p->class_of[b]]; });
  if (store.step(from, 0xC3, call) != kNothing && returns(from, beyond_, to, call)) {
    groups |= kCharacters;
    if (returns(from, separator_, to, call)) groups |= kSeparators;
  }
  return groups;
}

// A counter x{n,k} takes the characters of x up to k times; a union does what one of its parts does.
Masks::Loop Masks::counted_loop(TermId t, Call& call) {
  Deeper guard(call);
  call.spend();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = counters_.find(t);
    if (found != counters_.end()) return found->second;
  }
  const Term& term = store[t];
  Loop best;
  auto consider = [&](Loop other) {
    const int more = __builtin_popcountll(other.groups), had = __builtin_popcountll(best.groups);
    if (more > had || (more == had && other.most > best.most)) best = other;
  };
  switch (term.kind) {
    case Kind::Cat:
    case Kind::Lexeme:
      return counted_loop(term.a, call);
    case Kind::Alt:
      for (TermId i = 0; i < term.b && i < kLoopParts; ++i) consider(counted_loop(term.parts[i], call));
      return best;
    case Kind::Repeat:
      if (store[term.a].kind != Kind::Repeat) best = {characters_between(term.a, kEmpty, call), term.high, false};
      if (!best.groups) best = counted_loop(term.a, call);
      break;
    case Kind::And:
      best = common_loop(term, call);
      break;
    default:
      return best;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  bytes_ += 64;
  return counters_.emplace(t, best).first->second;
}

// A term whose texts may all follow `t`, and still after any text of the groups of at most `most`
// bytes: kNothing when none is found.
TermId Masks::remains(TermId t, Groups groups, uint32_t most, Call& call) {
  Deeper guard(call);
  call.spend();
  if (!(groups & ~characters_between(t, t, call))) return t;
  const Term& term = store[t];
  std::lock_guard<std::recursive_mutex> lock(store.mutex);
  switch (term.kind) {
    case Kind::Cat:
      return store.cat(remains(term.a, groups, most, call), term.b, call);
    case Kind::Lexeme:
      return remains(term.a, groups, most, call);
    case Kind::Alt:
      for (TermId i = 0; i < term.b && i < kLoopParts; ++i)
        if (const TermId found = remains(term.parts[i], groups, most, call)) return found;
      return kNothing;
    case Kind::Repeat:
      if (term.low == 0 && term.high > most && !(groups & ~characters_between(term.a, kEmpty, call)))
        return store.repeat(term.a, 0, term.high == kInfinite ? kInfinite : term.high - most, call);
      return kNothing;
    default:
      return kNothing;
  }
}

// An intersection takes what all its parts take, as long as one text completes all of them.
Masks::Loop Masks::common_loop(const Term& conjunction, Call& call) {
  constexpr uint32_t kLongest = 64;  // bytes: tokens are seldom longer
  Loop result{kAscii | kCharacters | kSeparators, kLongest, false};
  for (TermId i = 0; i < conjunction.b; ++i) {
    const Loop part = loop(conjunction.parts[i], call);
    result.groups &= part.groups;
    result.most = std::min(result.most, part.most);
  }
  if (!result.groups || result.most < 2) return {};
  if (result.most < kLongest) result.most /= 2;  // leave room for the end
  std::vector<TermId> after;
  for (TermId i = 0; i < conjunction.b; ++i) {
    after.push_back(remains(conjunction.parts[i], result.groups, result.most, call));
    if (after.back() == kNothing) return {};
  }
  for (const TermId t : after) {
    const std::string end = store.completion(t, call);
    if (std::all_of(after.begin(), after.end(), [&](TermId other) {
          return store[advance_bytes(store, other, end, call)].nullable;
        }))
      return result;
  }
  return {};
}

// Whether every text of the term holds a byte outside the groups: read off the term, so a "no" may
// be a "yes". Such a term cannot end within a text of the groups.
bool Masks::leaves(TermId start, Groups groups, std::unordered_map<TermId, bool>& known, Call& call) {
  Deeper guard(call);
  bool found = false;
  TermId t = start;
  for (bool more = true; more;) {
    more = false;
    call.spend();
    if (const auto before = known.find(t); before != known.end()) {
      found = before->second;
      break;
    }
    const Term& term = store[t];
    switch (term.kind) {
      case Kind::Bytes: {
        const ByteSet& set = store.byte_set(term);
        found = !(set.words[2] | set.words[3]) || !(groups & (kCharacters | kMalformed));
        for (unsigned b = 0; b < 0x80; ++b)
          if (set.has(b) && groups >> group_of(static_cast<uint8_t>(b)) & 1) found = false;
        break;
      }
      case Kind::Cat:
        // The end of a long concatenation is where closing quotes are.
        found = leaves(term.a, groups, known, call);
        more = !found;
        t = term.b;
        break;
      case Kind::Alt:
        found = std::all_of(term.parts, term.parts + term.b,
                            [&](TermId p) { return leaves(p, groups, known, call); });
        break;
      case Kind::Repeat:
        more = term.low > 0;
        t = term.a;
        break;
      case Kind::Lexeme:
        more = true;
        t = term.a;
        break;
      case Kind::And:
        found = std::any_of(term.parts, term.parts + term.b,
                            [&](TermId p) { return leaves(p, groups, known, call); });
        break;
      default:
        break;
    }
  }
  return known[start] = found;
}

// The characters that lead a state back to itself, or those that a counter in it takes.
Masks::Loop Masks::loop(TermId state, Call& call) {
  if (!may_loop(state)) return {};
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = loops_.find(state);
    if (found != loops_.end()) return found->second;
  }
  Loop result{characters_between(state, state, call), kInfinite, false};
  if (const Loop counted = counted_loop(state, call);
      __builtin_popcountll(counted.groups) > __builtin_popcountll(result.groups))
    result = counted;
  std::unordered_map<TermId, bool> known;
  result.quiet = result.groups && leaves(state, result.groups, known, call);
  std::lock_guard<std::mutex> lock(mutex_);
  bytes_ += 64;
  return loops_.emplace(state, result).first->second;
}

}  // namespace constrained
