// Lexemes: masks of "a lexeme, then a rest" from what is known of the lexeme alone.
#include <algorithm>

#include "walk.h"

namespace constrained {

namespace {

constexpr size_t kCrossings = 8192;   // inner ends up to which a lexeme's walk is worth sharing
constexpr unsigned kMergeAfter = 3;   // uses after which a lexeme's crossings are merged

void nodes_below(const Trie& trie, uint32_t node, std::vector<uint32_t>& out) {
  const size_t begin = out.size();
  out.push_back(node);
  for (size_t i = begin; i < out.size(); ++i)
    for (uint32_t k = 0; k < trie[out[i]].degree; ++k) out.push_back(trie[out[i]].children + k);
}

void clear_below(Words& words, const Trie& trie, uint32_t node) {
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
  bytes_ += result->words.size() * 4 + result->crossings.size() * 4 + 64;
  return lexemes_.emplace(lexeme, result).first->second;
}

// "b, but none of the finite set k" keeps all that b keeps, except along the strings of k: there it
// may not end where k ends, and is dead where k takes all that b has left.
std::shared_ptr<Masks::LexemeWalk> Masks::walk_with_exceptions(TermId lexeme, Call& call) {
  TermId base, names;
  {
    std::lock_guard<std::recursive_mutex> lock(store.mutex);
    const Term& body = store[store[lexeme].a];
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
    base = store.lexeme(store.pruned(store.conjunction(std::move(kept), call), call), call);
    names = store.alt(std::move(removed), call);
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
  follow(
      trie, [&](uint32_t i) { clear_below(result->words, trie, i); }, [](uint32_t) {});
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

std::shared_ptr<Masks::LexemeWalk> Masks::plain_lexeme_walk(TermId lexeme, Call& call) {
  auto result = std::make_shared<LexemeWalk>();
  result->words.assign(vocabulary_.words(), 0);
  result->trie = &vocabulary_.trie();
  // Where the lexeme cannot end within plain text, no plain token leaves it.
  if (const Room known = room(lexeme, call); !known.may_end) {
    vocabulary_.plain().add(result->words, known.most);
    result->trie = known.others;
  }
  if (store[lexeme].nullable) result->crossings.push_back({0, 0});
  walk(*result->trie, 0, lexeme, call, [&](uint32_t i, const TrieNode& node, TermId next, size_t depth) {
    set(result->words, *result->trie, node);
    if (store[next].nullable && node.degree) result->crossings.push_back({i, static_cast<uint32_t>(depth)});
    return result->crossings.size() <= kCrossings;
  });
  result->useless = result->crossings.size() > kCrossings;
  if (result->useless) result->crossings.clear();
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

void Masks::add_after_lexeme(TermId lexeme, TermId rest, Words& words, Call& call) {
  auto inside = lexeme_walk(lexeme, call);
  for (size_t w = 0; w < words.size(); ++w) words[w] |= inside->words[w];
  auto add_below = [&](const Trie& trie, uint32_t from) {
    walk(trie, from, rest, call, [&](uint32_t, const TrieNode& node, TermId, size_t) {
      set(words, trie, node);
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
}

// Takes the state apart into a union, as far as that brings lexemes to the front; what has no
// lexeme in front is put together again and walked at once.
void Masks::split(TermId state, std::vector<TermId>& lexemes, std::vector<TermId>& others, Call& call) {
  Deeper guard(call);
  call.spend();
  state = store.normal(state, call);
  const Term& term = store[state];
  const bool is_cat = term.kind == Kind::Cat;
  const TermId head_id = is_cat ? term.a : state, rest = is_cat ? term.b : kEmpty;
  const Term& head = store[head_id];
  if (head.kind == Kind::Lexeme && !lexeme_walk(head_id, call)->useless) {
    lexemes.push_back(state);
  } else if (head.kind == Kind::Call) {
    split(store.cat(store.normal(store.rules[head.a].body, call), rest, call), lexemes, others, call);
  } else if (head.kind == Kind::Alt) {
    const size_t before = lexemes.size();
    std::vector<TermId> plain, bytes;
    for (TermId i = 0; i < head.b; ++i) {
      const TermId part = head.parts[i];
      const Term& p = store[part];
      if (p.kind == Kind::Bytes || (p.kind == Kind::Cat && store[p.a].kind == Kind::Bytes))
        bytes.push_back(part);  // texts: no lexeme in front, and there may be many
      else
        split(store.cat(part, rest, call), lexemes, plain, call);
    }
    if (lexemes.size() == before) {
      others.push_back(state);
      return;
    }
    others.push_back(store.cat(store.alt(std::move(bytes), call), rest, call));
    others.insert(others.end(), plain.begin(), plain.end());
  } else if (is_cat && head.kind == Kind::Repeat && head.low == 0) {
    const size_t before = lexemes.size();
    std::vector<TermId> plain;
    split(rest, lexemes, plain, call);  // no copy
    if (lexemes.size() == before) {
      others.push_back(state);
      return;
    }
    const TermId more = store.repeat(head.a, 0, head.high == kInfinite ? kInfinite : head.high - 1, call);
    others.push_back(store.cat(head.a, store.cat(more, rest, call), call));  // at least one
    others.insert(others.end(), plain.begin(), plain.end());
  } else if (state > kEmpty) {
    others.push_back(state);
  }
}

void Masks::add(TermId state, Words& words, Call& call) {
  std::vector<TermId> lexemes, others;
  TermId plain;
  {
    std::lock_guard<std::recursive_mutex> lock(store.mutex);
    split(state, lexemes, others, call);
    plain = store.alt(std::move(others), call);
  }
  for (TermId t : lexemes) {
    const Term& term = store[t];
    if (term.kind == Kind::Cat) {
      TermId rest;
      {
        std::lock_guard<std::recursive_mutex> lock(store.mutex);
        rest = store.normal(term.b, call);
      }
      add_after_lexeme(term.a, rest, words, call);
    } else {
      const Words& inside = lexeme_walk(t, call)->words;
      for (size_t w = 0; w < words.size(); ++w) words[w] |= inside[w];
    }
  }
  if (plain > kEmpty) add_plainly(plain, words, call);
}

}  // namespace constrained
