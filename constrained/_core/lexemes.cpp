// Lexemes: masks of "a lexeme, then a rest" from what is known of the lexeme alone, at the root of the
// vocabulary's trie or below a node where many tokens are.
#include <algorithm>

#include "walk.h"

namespace constrained {

namespace {

constexpr size_t kCrossings = 8192;   // inner ends up to which a lexeme's walk is worth sharing
constexpr uint32_t kWide = 512;       // tokens below a crossing that are not copied for a merge
constexpr unsigned kMergeAfter = 48;   // uses after which a lexeme's crossings are merged
constexpr size_t kDiffering = 64;      // words in which what stays inside a lexeme differs from another row
constexpr uint32_t kMany = 16;         // tokens below a node that make it worth taking a state apart there

void nodes_below(const Trie& trie, uint32_t node, std::vector<uint32_t>& out) {
  const size_t begin = out.size();
  out.push_back(node);
  for (size_t i = begin; i < out.size(); ++i)
    for (uint32_t k = 0; k < trie[out[i]].degree; ++k) out.push_back(trie[out[i]].children + k);
}

void clear_below(uint32_t* words, const Trie& trie, uint32_t node) {
  std::vector<uint32_t> nodes;
  nodes_below(trie, node, nodes);
  for (uint32_t n : nodes)
    for (unsigned k = 0; k < trie[n].tokens; ++k) {
      const uint32_t id = trie.tokens(trie[n])[k];
      words[id >> 5] &= ~(1u << (id & 31));
    }
}

}  // namespace

std::shared_ptr<Masks::LexemeWalk> Masks::lexeme_walk(uint32_t node, TermId lexeme, Call& call) {
  const uint64_t key = uint64_t{node} << 32 | lexeme;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = lexemes_.find(key);
    if (found != lexemes_.end()) return found->second;
  }
  auto result = walk_with_exceptions(node, lexeme, call);
  if (!result) result = plain_lexeme_walk(node, lexeme, call);
  std::lock_guard<std::mutex> lock(mutex_);
  bytes_ += result->inside.bytes() + result->crossings.size() * 8 + 64;
  return lexemes_.emplace(key, result).first->second;
}

// "b, but none of the finite set k" keeps all that b keeps, except along the strings of k: there it
// may not end where k ends, and is dead where k takes all that b has left. One more byte after both
// (a closing quote) makes no difference: what comes before it is still known.
std::shared_ptr<Masks::LexemeWalk> Masks::walk_with_exceptions(uint32_t from, TermId lexeme, Call& call) {
  TermId base, names;
  {
    std::lock_guard<std::recursive_mutex> lock(store.mutex);
    const Term& whole_body = store[store[lexeme].a];
    const bool is_cat = whole_body.kind == Kind::Cat && store[whole_body.b].kind == Kind::Bytes;
    const Term& body = is_cat ? store[whole_body.a] : whole_body;
    if (body.kind != Kind::And) return nullptr;
    std::vector<TermId> kept, removed;
    for (TermId i = 0; i < body.b; ++i) {
      const Term& part = store[body.parts[i]];
      if (part.kind == Kind::Not && store.extent(part.a, call) == Store::Extent::Finite)
        removed.push_back(part.a);
      else
        kept.push_back(body.parts[i]);
    }
    if (removed.empty() || kept.empty()) return nullptr;
    const TermId tail = is_cat ? whole_body.b : kEmpty;
    base = store.cat(store.pruned(store.conjunction(std::move(kept), call), call), tail, call);
    base = store.lexeme(store.normal(base, call), call);
    names = store.normal(store.cat(store.alt(std::move(removed), call), tail, call), call);
  }
  if (store[base].kind != Kind::Lexeme) return nullptr;
  auto whole = lexeme_walk(from, base, call);
  if (whole->useless) return nullptr;
  std::shared_ptr<LexemeWalk> result;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    result = std::make_shared<LexemeWalk>(*whole);
  }

  struct Frame {
    uint32_t node;
    TermId base, names;
  };
  // Calls dead(node) and open_ended(node) for the nodes along the names where that holds.
  TermId endless = kNothing;  // the last that was found to be infinite; mostly they are the same
  auto follow = [&](const Trie& trie, auto dead, auto open_ended) {
    std::vector<Frame> todo{{from, base, names}};
    while (!todo.empty()) {
      const Frame frame = todo.back();
      todo.pop_back();
      const TrieNode& node = trie[frame.node];
      for (uint32_t i = node.children; i < node.children + node.degree; ++i) {
        const TermId k = store.step(frame.names, trie.bytes()[i], call);
        if (k == kNothing) continue;
        const TermId b = store.step(frame.base, trie.bytes()[i], call);
        if (b == kNothing) continue;
        call.spend();
        bool alive = b == endless || store.extent(b, call) == Store::Extent::Infinite;
        if (alive) {
          endless = b;
        } else {
          std::lock_guard<std::recursive_mutex> lock(store.mutex);
          alive = store.pruned(store.conjunction({b, store.pruned(store.negation(k, call), call)}, call), call) != kNothing;
        }
        if (!alive) {
          dead(i);
          continue;
        }
        if (store[k].nullable && store[b].nullable) open_ended(i);
        if (trie[i].degree) todo.push_back({i, b, k});
      }
    }
  };
  const Trie& trie = vocabulary_.trie();
  Words& words = empty_row(vocabulary_.words());
  result->inside.write(words.data(), words.size());
  follow(
      trie, [&](uint32_t i) { clear_below(words.data(), trie, i); }, [](uint32_t) {});
  result->inside = Mask::pack(words.data(), words.size(), whole->inside.like, kDiffering);
  std::vector<uint32_t> gone;
  follow(
      *result->trie, [&](uint32_t i) { nodes_below(*result->trie, i, gone); },
      [&](uint32_t i) { gone.push_back(i); });
  if (store[names].nullable) gone.push_back(from);
  if (!gone.empty()) {
    std::sort(gone.begin(), gone.end());
    auto& c = result->crossings;
    c.erase(std::remove_if(c.begin(), c.end(),
                           [&](const Crossing& x) { return std::binary_search(gone.begin(), gone.end(), x.node); }),
            c.end());
    result->after = nullptr;
  }
  return result;
}

// x{n,k} y takes the same texts of at most k bytes as x{n,} y, and of no more than some shorter length
// as one with a smaller n. No lexeme when there are no such bounds.
Masks::Unbounded Masks::without_bounds(TermId lexeme, Call& call) {
  std::lock_guard<std::recursive_mutex> lock(store.mutex);
  const TermId body = store.normal(store[lexeme].a, call);
  const Term& term = store[body];
  const bool is_cat = term.kind == Kind::Cat;
  const Term& head = store[is_cat ? term.a : body];
  Unbounded result;
  if (head.kind == Kind::And) {
    result = without_counter(head, call);
  } else if (head.kind == Kind::Repeat && !store[head.a].nullable) {
    // Lower bounds become few, so that counters of many lengths share one mask.
    result.near = usable(head.high);
    for (const uint32_t few : {6u, 12u, 24u})
      if (head.low > few) result.near = std::min(few, usable(head.high));
    const uint32_t low = head.low <= result.near ? head.low : result.near + 1;
    if (result.near && (low < head.low || head.high < kInfinite))
      result.lexeme = store.repeat(head.a, low, kInfinite, call);
  }
  if (result.lexeme != kNothing)
    result.lexeme = store.lexeme(store.normal(is_cat ? store.cat(result.lexeme, term.b, call) : result.lexeme, call), call);
  return result;
}

// x{0,k} & y takes the same texts of at most `near` bytes as y when all of y is made of x, and y is never
// further from its end than the k - near bytes that are left.
Masks::Unbounded Masks::without_counter(const Term& conjunction, Call& call) {
  if (conjunction.b != 2) return {};
  for (TermId i = 0; i < 2; ++i) {
    const Term& counter = store[conjunction.parts[i]];
    const TermId y = conjunction.parts[1 - i];
    if (counter.kind != Kind::Repeat || counter.low || store[counter.a].nullable) continue;
    const uint32_t far = store.farthest(y, call);
    if (far > counter.high || counter.high - far < kLengths[0]) continue;
    const TermId others = store.pruned(store.negation(store.repeat(counter.a, 0, kInfinite, call), call), call);
    if (store.pruned(store.conjunction({y, others}, call), call) == kNothing) return {y, usable(counter.high - far)};
  }
  return {};
}

bool Masks::begins_with_counter(TermId lexeme) const {
  const Term& body = store[store[lexeme].a];
  return store[body.kind == Kind::Cat ? body.a : store[lexeme].a].kind == Kind::Repeat;
}

// A counter that begins or ends within reach: as without its bounds, but long tokens are looked for
// again.
std::shared_ptr<Masks::LexemeWalk> Masks::counted_lexeme_walk(uint32_t from, TermId lexeme, Call& call) {
  const auto [base, reach] = without_bounds(lexeme, call);
  if (base == kNothing) return nullptr;
  if (reach >= vocabulary_.trie().height()) return lexeme_walk(from, base, call);
  const uint32_t depth_from = depth(vocabulary_.trie(), from);
  if (reach <= depth_from) return nullptr;
  const auto whole = lexeme_walk(from, base, call);
  if (whole->useless) return nullptr;
  // Which plain tokens a counter takes is known by their length; others are looked for one by one.
  Room known{&vocabulary_.trie()};
  if (whole->trie != known.others && begins_with_counter(lexeme)) known = room(lexeme, call);
  if (known.may_end) known = {&vocabulary_.trie()};
  auto result = std::make_shared<LexemeWalk>();
  result->trie = whole->trie;
  Words& words = empty_row(vocabulary_.words());
  whole->inside.write(words.data(), words.size());
  vocabulary_.drop_longer(words.data(), reach);
  vocabulary_.plain().add(words.data(), known.most);
  const uint32_t near = reach - depth_from;
  for (const Crossing& c : whole->crossings)
    if (c.depth <= near) result->crossings.push_back(c);
  const size_t kept = result->crossings.size();
  uint32_t* loops = near > kLengths.back() ? nullptr : words.data();  // few tokens are that long
  walk(*known.others, from, lexeme, call, loops, true, [&](uint32_t i, const TrieNode& node, TermId next, size_t depth) {
    set(words.data(), *known.others, node);
    if (depth > near && store[next].nullable && node.degree) result->crossings.push_back({i, static_cast<uint32_t>(depth)});
    return true;
  }, near);
  if (kept < result->crossings.size() && known.others != result->trie) return nullptr;
  if (kept == whole->crossings.size() && kept == result->crossings.size()) result->twin = whole;
  result->inside = Mask::pack(words.data(), words.size(), whole->inside.like, kDiffering);
  return result;
}

std::shared_ptr<Masks::LexemeWalk> Masks::plain_lexeme_walk(uint32_t from, TermId lexeme, Call& call) {
  if (auto counted = counted_lexeme_walk(from, lexeme, call)) return counted;
  auto result = std::make_shared<LexemeWalk>();
  Words& words = empty_row(vocabulary_.words());
  Like like;
  result->trie = &vocabulary_.trie();
  // Where the lexeme cannot end within plain text, no plain token leaves it.
  if (!from) {
    if (const Room known = room(lexeme, call); !known.may_end) {
      like = vocabulary_.plain().add(words.data(), known.most);
      result->trie = known.others;
    }
  }
  if (store[lexeme].nullable) result->crossings.push_back({from, 0});
  walk(*result->trie, from, lexeme, call, words.data(), true, [&](uint32_t i, const TrieNode& node, TermId next, size_t depth) {
    set(words.data(), *result->trie, node);
    if (store[next].nullable && node.degree) result->crossings.push_back({i, static_cast<uint32_t>(depth)});
    return result->crossings.size() <= kCrossings;
  });
  result->useless = result->crossings.size() > kCrossings;
  if (result->useless) result->crossings.clear();
  result->inside = Mask::pack(words.data(), words.size(), like, kDiffering);
  return result;
}

// The longest length of at most `most` bytes at which Vocabulary::drop_longer can cut; 0 for none.
uint32_t Masks::usable(uint32_t most) {
  if (most > kLengths.back()) return most;
  const auto beyond = std::upper_bound(kLengths.begin(), kLengths.end(), most);
  return beyond == kLengths.begin() ? 0 : *(beyond - 1);
}

bool Masks::is_wide(const Trie& trie, const Crossing& crossing) {
  return trie[crossing.node].last - trie[crossing.node].first >= kWide;
}

// The length of the prefix that leads to a node.
uint32_t Masks::depth(const Trie& trie, uint32_t node) const {
  uint32_t length = 0;
  for (uint32_t n = 0; n != node; ++length)
    n = trie.child(n, static_cast<uint8_t>(vocabulary_.text(trie.tokens(trie[node])[0])[length]));
  return length;
}

std::shared_ptr<const Trie> Masks::merge_crossings(const LexemeWalk& walk) {
  std::vector<Trie::Entry> entries;
  std::vector<uint32_t> nodes;
  for (const Crossing& crossing : walk.crossings) {
    if (!crossing.depth || is_wide(*walk.trie, crossing)) continue;
    const uint32_t length = depth(*walk.trie, crossing.node);
    nodes.clear();
    nodes_below(*walk.trie, crossing.node, nodes);
    for (uint32_t n : nodes) {
      const TrieNode& node = (*walk.trie)[n];
      for (unsigned k = 0; k < node.tokens; ++k) {
        const uint32_t id = walk.trie->tokens(node)[k];
        entries.push_back({std::string_view(vocabulary_.text(id)).substr(length), id});
      }
    }
  }
  return std::make_shared<const Trie>(std::move(entries));
}

Masks::Like Masks::add_after_lexeme(const Place& place, TermId lexeme, TermId rest, uint32_t* row, Call& call) {
  auto inside = lexeme_walk(place.node, lexeme, call);
  inside->inside.merge(row, vocabulary_.words());
  const bool may_be_empty = !inside->crossings.empty() && inside->crossings[0].depth == 0;
  if (may_be_empty) add(place, rest, row, call);
  if (inside->crossings.size() == may_be_empty) return inside->inside.like;
  for (const Crossing& c : inside->crossings)
    if (c.depth && is_wide(*inside->trie, c)) add_below({*inside->trie, c.node}, rest, row, call);
  // Merging costs about as much as a few walks: only for lexemes that are met again.
  LexemeWalk& shared = inside->twin ? *inside->twin : *inside;
  std::shared_ptr<const Trie> after;
  bool merge = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    after = shared.after;
    merge = !after && ++shared.uses == kMergeAfter;
  }
  if (merge) {
    after = merge_crossings(shared);
    std::lock_guard<std::mutex> lock(mutex_);
    shared.after = after;
  }
  if (after)
    walk_all({*after, 0}, rest, row, call);
  else
    for (const Crossing& c : inside->crossings)
      if (c.depth && !is_wide(*inside->trie, c)) add_below({*inside->trie, c.node}, rest, row, call);
  return inside->inside.like;
}

// The byte that every text of a lexeme begins with; -1 when it does not show.
int Masks::first_byte(const Term& lexeme) const {
  const Term& body = store[lexeme.a];
  if (body.kind != Kind::Cat || store[body.a].kind != Kind::Bytes) return -1;
  return store.byte_set(store[body.a]).only();
}

// Takes the state apart into a union, as far as that brings lexemes and texts to the front; what has
// neither in front is put together again and walked at once.
void Masks::split(const Place& place, TermId state, Parts& parts, Call& call) {
  Deeper guard(call);
  call.spend();
  state = store.normal(state, call);
  if (!parts.split.insert(state).second) return;  // in the union already
  const Term& term = store[state];
  const bool is_cat = term.kind == Kind::Cat;
  const TermId head_id = is_cat ? term.a : state, rest = is_cat ? term.b : kEmpty;
  const Term& head = store[head_id];
  const size_t found = parts.lexemes.size() + parts.texts.size();
  auto nothing_found = [&] { return parts.lexemes.size() + parts.texts.size() == found; };
  if (head.kind == Kind::Lexeme && first_byte(head) >= 0) {
    parts.texts.push_back({head_id, rest});
  } else if (head.kind == Kind::Lexeme && shares(place) && !lexeme_walk(place.node, head_id, call)->useless) {
    parts.lexemes.push_back(state);
  } else if (head.kind == Kind::Bytes && is_cat) {
    parts.texts.push_back({state, kEmpty});
  } else if (head.kind == Kind::Call) {
    split(place, store.cat(store.normal(store.body(head.a, call), call), rest, call), parts, call);
  } else if (head.kind == Kind::Alt) {
    std::vector<TermId> others;
    others.swap(parts.others);
    for (TermId i = 0; i < head.b; ++i) {
      const TermId part = head.parts[i];
      const Term& p = store[part];
      if (p.kind == Kind::Cat && store[p.a].kind == Kind::Bytes)
        parts.texts.push_back({part, rest});
      else
        split(place, store.cat(part, rest, call), parts, call);
    }
    others.swap(parts.others);
    if (nothing_found())
      parts.others.push_back(state);
    else
      parts.others.insert(parts.others.end(), others.begin(), others.end());
  } else if (is_cat && head.kind == Kind::Repeat && head.low == 0) {
    std::vector<TermId> others;
    others.swap(parts.others);
    split(place, rest, parts, call);  // no copy
    others.swap(parts.others);
    if (nothing_found()) {
      parts.others.push_back(state);
    } else {
      const TermId more = store.repeat(head.a, 0, head.high == kInfinite ? kInfinite : head.high - 1, call);
      parts.others.push_back(store.cat(head.a, store.cat(more, rest, call), call));  // at least one
      parts.others.insert(parts.others.end(), others.begin(), others.end());
    }
  } else if (state > kEmpty) {
    parts.others.push_back(state);
  }
}

// A text leads straight down the trie; only what follows it is walked, where tokens reach that far.
void Masks::add_text(const Place& place, const Text& text, uint32_t* row, Call& call) {
  const Trie& trie = place.trie;
  uint32_t node = place.node;
  TermId at = text.part;
  std::vector<TermId> rests{text.rest};
  for (;;) {
    const Term& term = store[at];
    if (term.kind == Kind::Cat) {
      rests.push_back(term.b);
      at = term.a;
      continue;
    }
    int byte = -1;
    if (term.kind == Kind::Bytes) byte = store.byte_set(term).only();
    if (term.kind == Kind::Lexeme) byte = first_byte(term);
    if (byte < 0 && at != kEmpty) break;
    if (byte >= 0) {
      call.spend();
      node = trie.child(node, static_cast<uint8_t>(byte));
      if (!node) return;
      set(row, trie, trie[node]);
      if (term.kind == Kind::Lexeme) rests.push_back(store.step(at, static_cast<uint8_t>(byte), call));
    }
    if (rests.empty() || !trie[node].degree) return;
    at = rests.back();
    rests.pop_back();
  }
  {
    std::lock_guard<std::recursive_mutex> lock(store.mutex);
    while (!rests.empty()) {
      at = store.cat(at, rests.back(), call);
      rests.pop_back();
    }
    at = store.normal(at, call);
  }
  add_below({trie, node}, at, row, call);
}

void Masks::add_below(const Place& place, TermId state, uint32_t* row, Call& call) {
  if (splits(place, state))
    add(place, state, row, call);
  else
    walk_all(place, state, row, call);
}

// Whether there is much below the place that the state's parts may know already.
bool Masks::splits(const Place& place, TermId state) const {
  const TrieNode& node = place.trie[place.node];
  if (node.last - node.first < kMany) return false;
  const Term* term = &store[state];
  if (term->kind == Kind::Cat) term = &store[term->a];
  if (term->kind == Kind::Lexeme) return shares(place);
  return term->kind == Kind::Alt || term->kind == Kind::Call;
}

void Masks::walk_all(const Place& place, TermId state, uint32_t* row, Call& call) {
  const Trie& trie = place.trie;
  walk(trie, place.node, state, call, row, false, [&](uint32_t i, const TrieNode& node, TermId next, size_t) {
    set(row, trie, node);
    if (!node.degree || !splits({trie, i}, next)) return true;
    add({trie, i}, next, row, call);
    return false;
  });
}

Masks::Like Masks::add(const Place& place, TermId state, uint32_t* row, Call& call) {
  Deeper guard(call);
  Parts parts;
  TermId plain;
  {
    std::lock_guard<std::recursive_mutex> lock(store.mutex);
    split(place, state, parts, call);
    plain = store.alt(std::move(parts.others), call);
  }
  Like like;
  for (TermId t : parts.lexemes) {
    const Term& term = store[t];
    TermId lexeme = t, rest = kEmpty;
    if (term.kind == Kind::Cat) {
      std::lock_guard<std::recursive_mutex> lock(store.mutex);
      lexeme = term.a;
      rest = store.normal(term.b, call);
    }
    Like found = add_after_lexeme(place, lexeme, rest, row, call);
    if (!like) like = std::move(found);
  }
  if (plain > kEmpty) {
    Like found = add_plainly(place, plain, row, call);
    if (!like) like = std::move(found);
  }
  for (const Text& text : parts.texts) add_text(place, text, row, call);
  return like;
}

}  // namespace constrained
