// Lexemes: masks of "a lexeme, then a rest" from what is known of the lexeme alone.
#include <algorithm>

#include "walk.h"

namespace constrained {

namespace {

constexpr size_t kCrossings = 8192;   // inner ends up to which a lexeme's walk is worth sharing
constexpr unsigned kMergeAfter = 12;   // uses after which a lexeme's crossings are merged

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

std::shared_ptr<Masks::LexemeWalk> Masks::lexeme_walk(TermId lexeme, Call& call) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = lexemes_.find(lexeme);
    if (found != lexemes_.end()) return found->second;
  }
  auto result = walk_with_exceptions(lexeme, call);
  if (!result) result = plain_lexeme_walk(lexeme, call);
  std::lock_guard<std::mutex> lock(mutex_);
  bytes_ += result->inside.bytes() + result->crossings.size() * 8 + 64;
  return lexemes_.emplace(lexeme, result).first->second;
}

// "b, but none of the finite set k" keeps all that b keeps, except along the strings of k: there it
// may not end where k ends, and is dead where k takes all that b has left. One more byte after both
// (a closing quote) makes no difference: what comes before it is still known.
std::shared_ptr<Masks::LexemeWalk> Masks::walk_with_exceptions(TermId lexeme, Call& call) {
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
  auto whole = lexeme_walk(base, call);
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
  auto follow = [&](const Trie& trie, auto dead, auto open_ended) {
    std::vector<Frame> todo{{0, base, names}};
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
        bool alive = store.extent(b, call) == Store::Extent::Infinite;
        if (!alive) {
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
  result->inside = Mask::pack(words.data(), words.size(), whole->inside.like);
  std::vector<uint32_t> gone;
  follow(
      *result->trie, [&](uint32_t i) { nodes_below(*result->trie, i, gone); },
      [&](uint32_t i) { gone.push_back(i); });
  if (store[names].nullable) gone.push_back(0);
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

// x{n,k} y takes what x{n,} y takes when no token is longer than k, and the same for a large n.
TermId Masks::without_far_bounds(TermId lexeme, Call& call) {
  std::lock_guard<std::recursive_mutex> lock(store.mutex);
  const TermId body = store.normal(store[lexeme].a, call);
  const Term& term = store[body];
  const bool is_cat = term.kind == Kind::Cat;
  const Term& head = store[is_cat ? term.a : body];
  const uint32_t far = vocabulary_.trie().height() + 1;
  if (head.kind != Kind::Repeat || store[head.a].nullable || head.high <= far) return lexeme;
  const uint32_t low = std::min(head.low, far);
  if (low == head.low && head.high == kInfinite) return lexeme;
  const TermId near = store.repeat(head.a, low, kInfinite, call);
  return store.lexeme(is_cat ? store.cat(near, term.b, call) : near, call);
}

std::shared_ptr<Masks::LexemeWalk> Masks::plain_lexeme_walk(TermId lexeme, Call& call) {
  if (const TermId other = without_far_bounds(lexeme, call); other != lexeme) return lexeme_walk(other, call);
  auto result = std::make_shared<LexemeWalk>();
  Words& words = empty_row(vocabulary_.words());
  Like like;
  result->trie = &vocabulary_.trie();
  // Where the lexeme cannot end within plain text, no plain token leaves it.
  if (const Room known = room(lexeme, call); !known.may_end) {
    like = vocabulary_.plain().add(words.data(), known.most);
    result->trie = known.others;
  }
  if (store[lexeme].nullable) result->crossings.push_back({0, 0});
  walk(*result->trie, 0, lexeme, call, words.data(), true, [&](uint32_t i, const TrieNode& node, TermId next, size_t depth) {
    set(words.data(), *result->trie, node);
    if (store[next].nullable && node.degree) result->crossings.push_back({i, static_cast<uint32_t>(depth)});
    return result->crossings.size() <= kCrossings;
  });
  result->useless = result->crossings.size() > kCrossings;
  if (result->useless) result->crossings.clear();
  result->inside = Mask::pack(words.data(), words.size(), like);
  return result;
}

std::shared_ptr<const Trie> Masks::merge_crossings(const LexemeWalk& walk) {
  std::vector<Trie::Entry> entries;
  std::vector<uint32_t> nodes;
  for (const Crossing& crossing : walk.crossings) {
    nodes.clear();
    nodes_below(*walk.trie, crossing.node, nodes);
    for (uint32_t n : nodes) {
      const TrieNode& node = (*walk.trie)[n];
      for (unsigned k = 0; k < node.tokens; ++k) {
        const uint32_t id = walk.trie->tokens(node)[k];
        entries.push_back({std::string_view(vocabulary_.text(id)).substr(crossing.depth), id});
      }
    }
  }
  return std::make_shared<const Trie>(std::move(entries));
}

Masks::Like Masks::add_after_lexeme(TermId lexeme, TermId rest, uint32_t* row, Call& call) {
  auto inside = lexeme_walk(lexeme, call);
  inside->inside.merge(row, vocabulary_.words());
  auto add_below = [&](const Trie& trie, uint32_t from) {
    walk(trie, from, rest, call, row, false, [&](uint32_t, const TrieNode& node, TermId, size_t) {
      set(row, trie, node);
      return true;
    });
  };
  // Merging costs about as much as a few walks: only for lexemes that are met again.
  const bool from_root = !inside->crossings.empty() && inside->crossings[0].depth == 0;
  std::shared_ptr<const Trie> after;
  bool merge = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    after = inside->after;
    merge = !after && !from_root && ++inside->uses == kMergeAfter;
  }
  if (merge) {
    after = merge_crossings(*inside);
    std::lock_guard<std::mutex> lock(mutex_);
    inside->after = after;
  }
  if (after)
    add_below(*after, 0);
  else
    for (const Crossing& crossing : inside->crossings) add_below(*inside->trie, crossing.node);
  return inside->inside.like;
}

// Takes the state apart into a union, as far as that brings lexemes and texts to the front; what has
// neither in front is put together again and walked at once.
void Masks::split(TermId state, Parts& parts, Call& call) {
  Deeper guard(call);
  call.spend();
  state = store.normal(state, call);
  const Term& term = store[state];
  const bool is_cat = term.kind == Kind::Cat;
  const TermId head_id = is_cat ? term.a : state, rest = is_cat ? term.b : kEmpty;
  const Term& head = store[head_id];
  const size_t found = parts.lexemes.size() + parts.texts.size();
  auto nothing_found = [&] { return parts.lexemes.size() + parts.texts.size() == found; };
  if (head.kind == Kind::Lexeme && !lexeme_walk(head_id, call)->useless) {
    parts.lexemes.push_back(state);
  } else if (head.kind == Kind::Bytes && is_cat) {
    parts.texts.push_back({state, kEmpty});
  } else if (head.kind == Kind::Call) {
    split(store.cat(store.normal(store.body(head.a, call), call), rest, call), parts, call);
  } else if (head.kind == Kind::Alt) {
    std::vector<TermId> others;
    others.swap(parts.others);
    for (TermId i = 0; i < head.b; ++i) {
      const TermId part = head.parts[i];
      const Term& p = store[part];
      if (p.kind == Kind::Cat && store[p.a].kind == Kind::Bytes)
        parts.texts.push_back({part, rest});
      else
        split(store.cat(part, rest, call), parts, call);
    }
    others.swap(parts.others);
    if (nothing_found())
      parts.others.push_back(state);
    else
      parts.others.insert(parts.others.end(), others.begin(), others.end());
  } else if (is_cat && head.kind == Kind::Repeat && head.low == 0) {
    std::vector<TermId> others;
    others.swap(parts.others);
    split(rest, parts, call);  // no copy
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
void Masks::add_text(const Text& text, uint32_t* row, Call& call) {
  const Trie& trie = vocabulary_.trie();
  uint32_t node = 0;
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
    if (byte < 0 && at != kEmpty) break;
    if (byte >= 0) {
      call.spend();
      node = trie.child(node, static_cast<uint8_t>(byte));
      if (!node) return;
      set(row, trie, trie[node]);
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
  walk(trie, node, at, call, row, false, [&](uint32_t, const TrieNode& below, TermId, size_t) {
    set(row, trie, below);
    return true;
  });
}

Masks::Like Masks::add(TermId state, uint32_t* row, Call& call) {
  Parts parts;
  TermId plain;
  {
    std::lock_guard<std::recursive_mutex> lock(store.mutex);
    split(state, parts, call);
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
    Like found = add_after_lexeme(lexeme, rest, row, call);
    if (!like) like = std::move(found);
  }
  if (plain > kEmpty) {
    Like found = add_plainly(plain, row, call);
    if (!like) like = std::move(found);
  }
  for (const Text& text : parts.texts) add_text(text, row, call);
  return like;
}

}  // namespace constrained
