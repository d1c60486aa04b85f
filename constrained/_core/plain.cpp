// Plain text: how many plain characters a state takes, read off a counter or found by a search.
#include <algorithm>

#include "walk.h"

namespace constrained {

namespace {

constexpr size_t kStates = 256;       // states that a search looks at

}  // namespace

std::shared_ptr<const Masks::PlainStep> Masks::plain_step(TermId state, Call& call) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto known = plain_steps_.find(state);
    if (known != plain_steps_.end()) return known->second;
  }
  PlainStep result;
  // Byte by byte beside the plain character, one byte for every pair of classes that occurs.
  std::vector<std::pair<TermId, TermId>> pairs{{state, plain_}};
  std::vector<bool> tried;  // by pair of classes
  for (size_t i = 0; i < pairs.size() && result.alive; ++i) {
    const auto [s, p] = pairs[i];
    const Edges* given = store.edges(s, call);
    const Edges* wanted = store.edges(p, call);
    tried.assign(wanted->partition->classes * given->partition->classes, false);
    for (unsigned b = 0; b < 256 && result.alive; ++b) {
      const size_t both = wanted->partition->class_of[b] * given->partition->classes + given->partition->class_of[b];
      if (tried[both]) continue;
      tried[both] = true;
      const TermId p_next = store.step(p, static_cast<uint8_t>(b), call);
      if (p_next == kNothing) continue;
      const TermId s_next = store.step(s, static_cast<uint8_t>(b), call);
      call.spend();
      result.alive = s_next != kNothing;
      result.may_end |= store[s_next].nullable;
      if (p_next == kEmpty) {
        if (std::find(result.next.begin(), result.next.end(), s_next) == result.next.end())
          result.next.push_back(s_next);
      } else if (std::find(pairs.begin(), pairs.end(), std::make_pair(s_next, p_next)) == pairs.end()) {
        pairs.push_back({s_next, p_next});
      }
    }
  }
  std::lock_guard<std::mutex> lock(mutex_);
  bytes_ += 128 + result.next.size() * 4;
  return plain_steps_.emplace(state, std::make_shared<const PlainStep>(std::move(result))).first->second;
}

Masks::Room Masks::room(TermId state, Call& call) {
  // Most states take few characters: known by a dead letter, without a memo.
  if (const Edges* e = store.edges(state, call); e->partition->classes > 1)
    for (const uint8_t letter : {'a', 'Z', '5', ' '})
      if (store.step(plain_, letter, call) != kNothing && store.step(state, letter, call) == kNothing)
        return {&vocabulary_.trie()};
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = rooms_.find(state);
    if (found != rooms_.end()) return found->second;
  }
  Room result = counted_room(state, call);
  if (!result.most) result = search_room(state, call);
  std::lock_guard<std::mutex> lock(mutex_);
  bytes_ += 64;
  rooms_.emplace(state, result);
  return result;
}

// x{n,k} rest, where one plain character brings x to its end and rest begins with none: exactly the
// plain tokens of at most k characters.
Masks::Room Masks::counted_room(TermId state, Call& call) {
  const Room unknown{&vocabulary_.trie()};
  std::lock_guard<std::recursive_mutex> lock(store.mutex);
  const TermId t = store.normal(store[state].kind == Kind::Lexeme ? store[state].a : state, call);
  const Term& term = store[t];
  const bool is_cat = term.kind == Kind::Cat;
  const Term& head = store[is_cat ? term.a : t];
  if (head.kind != Kind::Repeat) return unknown;
  const auto step = plain_step(head.a, call);
  if (!step->alive || step->next != std::vector<TermId>{kEmpty}) return unknown;
  const TermId rest = is_cat ? store.normal(term.b, call) : kEmpty;
  for (unsigned b = 0; b < 256 && head.high != kInfinite; ++b)
    if (store.step(plain_, static_cast<uint8_t>(b), call) != kNothing &&
        store.step(rest, static_cast<uint8_t>(b), call) != kNothing)
      return unknown;
  return {vocabulary_.plain().others.get(), head.high, store[rest].nullable};
}

// Breadth first, a character at a time: when nothing new is reached any length is taken, and when
// nothing has died within kShort characters, at least those are.
Masks::Room Masks::search_room(TermId state, Call& call) {
  Room result{vocabulary_.plain().others.get(), kInfinite, store[state].nullable};
  std::unordered_set<TermId> seen{state};
  std::vector<TermId> layer{state}, next;
  for (uint32_t length = 0; !layer.empty(); ++length) {
    if (length == kShort) return {vocabulary_.plain().others_and_long.get(), kShort, result.may_end};
    next.clear();
    for (TermId s : layer) {
      const auto step = plain_step(s, call);
      if (!step->alive || seen.size() > kStates) return {&vocabulary_.trie()};
      result.may_end |= step->may_end;
      for (TermId n : step->next)
        if (seen.insert(n).second) next.push_back(n);
    }
    layer.swap(next);
  }
  return result;
}

Masks::Like Masks::add_plainly(const Place& place, TermId state, uint32_t* row, Call& call) {
  if (place.node || !shares(place)) {
    walk_all(place, state, row, call);
    return nullptr;
  }
  const Room known = room(state, call);
  Like like = vocabulary_.plain().add(row, known.most);
  walk_all({*known.others, 0}, state, row, call);
  return like;
}

}  // namespace constrained
