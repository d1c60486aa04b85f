#include "masks.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <thread>

namespace constrained {

namespace {

constexpr size_t kSparse = 1024;      // ids up to which a mask is stored as a list
constexpr unsigned kMergeAfter = 3;   // uses after which a lexeme's crossings are merged
constexpr size_t kPlainLengths = 33;  // lengths for which plain tokens are kept as a ready mask
constexpr uint32_t kShort = 16;        // characters of the tokens that a search speaks for
constexpr size_t kStates = 256;       // states that a search looks at
constexpr size_t kCrossings = 8192;   // inner ends up to which a lexeme's walk is worth sharing

void set(Words& words, uint32_t id) { words[id >> 5] |= 1u << (id & 31); }
void set(Words& words, const Trie& trie, const TrieNode& node) {
  const uint32_t* ids = trie.tokens(node);
  for (unsigned k = 0; k < node.tokens; ++k) set(words, ids[k]);
}

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

Bounds unbounded() { return {UINT64_MAX, UINT64_MAX, UINT64_MAX, 100000, UINT64_MAX}; }

std::vector<Trie::Entry> entries_below(const std::vector<std::string>& texts, uint32_t width) {
  std::vector<Trie::Entry> entries;
  for (uint32_t id = 0; id < texts.size() && id < width; ++id) entries.push_back({texts[id], id});
  return entries;
}

}  // namespace

Vocabulary::Vocabulary(std::vector<std::string> texts, std::vector<uint32_t> end_ids, uint32_t width,
                       OwnedProgram plain, uint64_t store_bytes)
    : texts_(std::move(texts)),
      end_ids_(std::move(end_ids)),
      width_(width),
      trie_(entries_below(texts_, width)),
      every_byte_(trie_.holds_every_byte()),
      store_bytes_(store_bytes) {
  Account account;
  account.bounds = unbounded();
  Call call(account);
  Store store;
  const TermId character = load(store, plain.view(), call);
  plain_.character = std::move(plain);
  plain_.up_to.assign(kPlainLengths, Words(words(), 0));
  std::vector<Trie::Entry> others, others_and_long;
  for (uint32_t id : trie_.tokens()) {
    TermId t = kEmpty;
    uint32_t length = 0;
    for (char byte : texts_[id]) {
      if (t == kEmpty) {
        t = character;
        ++length;
      }
      t = store.step(t, static_cast<uint8_t>(byte), call);
      if (t == kNothing) break;
    }
    if (t == kNothing)
      others.push_back({texts_[id], id});
    if (t == kNothing || length > kShort) others_and_long.push_back({texts_[id], id});
    if (t == kNothing) continue;
    if (length < kPlainLengths)
      set(plain_.up_to[length], id);
    else
      plain_.longer.push_back({length, id});
  }
  for (size_t k = 1; k < kPlainLengths; ++k)
    for (size_t w = 0; w < words(); ++w) plain_.up_to[k][w] |= plain_.up_to[k - 1][w];
  plain_.others = std::make_unique<Trie>(std::move(others));
  plain_.others_and_long = std::make_unique<Trie>(std::move(others_and_long));
}

void PlainTokens::add(Words& words, uint32_t most) const {
  const Words& known = up_to[std::min<size_t>(most, up_to.size() - 1)];
  for (size_t w = 0; w < words.size(); ++w) words[w] |= known[w];
  if (most >= up_to.size())
    for (auto [length, id] : longer)
      if (length <= most) set(words, id);
}

bool Vocabulary::is_end(uint32_t token) const {
  return std::find(end_ids_.begin(), end_ids_.end(), token) != end_ids_.end();
}

std::shared_ptr<Masks> Vocabulary::masks() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!current_ || current_->store.memory() + current_->memory() > store_bytes_)
    current_ = std::make_shared<Masks>(*this);
  return current_;
}

Masks::Masks(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
  own_account_.bounds = unbounded();
  Call call(own_account_);
  plain_ = load(store, vocabulary.plain().character.view(), call);
}


TermId Masks::advance(TermId state, uint32_t token, Call& call) {
  if (token >= vocabulary_.size() || token >= vocabulary_.width() || vocabulary_.text(token).empty()) return kNothing;
  return advance_bytes(store, state, vocabulary_.text(token), call);
}

// Depth first below node `from`, whose prefix has led to `state`. `visit(index, node, state,
// depth)` is // called for every live node, `depth` levels below, and says whether to go below it.
template <class Visit>
void Masks::walk(const Trie& trie, uint32_t from, TermId state, Call& call, Visit visit) {
  struct Frame {
    uint32_t child, end;
    TermId state;
    const Edges* edges;
  };
  if (!trie[from].degree) return;
  const uint8_t* bytes = trie.bytes();
  std::vector<Frame> stack;
  stack.reserve(trie.height() + 1);
  auto enter = [&](const TrieNode& node, TermId s) {
    stack.push_back({node.children, node.children + node.degree, s, store.edges(s, call)});
  };
  enter(trie[from], state);
  uint64_t steps = 0;
  while (!stack.empty()) {
    Frame& frame = stack.back();
    if (frame.child == frame.end) {
      stack.pop_back();
      continue;
    }
    const uint32_t i = frame.child++;
    ++steps;
    TermId next = frame.edges->next[frame.edges->partition->class_of[bytes[i]]].load(std::memory_order_acquire);
    if (next == Edges::kUnset) next = store.step_slow(frame.state, bytes[i], call);
    if (next == kNothing) continue;
    const TrieNode& node = trie[i];
    if (visit(i, node, next, stack.size()) && node.degree) enter(node, next);
  }
  call.spend(steps / 64);
}

std::shared_ptr<const Masks::PlainStep> Masks::plain_step(TermId state, Call& call) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto known = plain_steps_.find(state);
    if (known != plain_steps_.end()) return known->second;
  }
  PlainStep result;
  // Byte by byte beside the plain character, one byte for every pair of classes that occurs.
  std::vector<std::pair<TermId, TermId>> pairs{{state, plain_}};
  std::vector<uint16_t> tried;
  for (size_t i = 0; i < pairs.size() && result.alive; ++i) {
    const auto [s, p] = pairs[i];
    const Edges* given = store.edges(s, call);
    const Edges* wanted = store.edges(p, call);
    tried.clear();
    for (unsigned b = 0; b < 256 && result.alive; ++b) {
      const auto classes =
          static_cast<uint16_t>(wanted->partition->class_of[b] << 8 | given->partition->class_of[b]);
      if (std::find(tried.begin(), tried.end(), classes) != tried.end()) continue;
      tried.push_back(classes);
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

void Masks::add_plainly(TermId state, Words& words, Call& call) {
  const Room known = room(state, call);
  vocabulary_.plain().add(words, known.most);
  walk(*known.others, 0, state, call, [&](uint32_t, const TrieNode& node, TermId, size_t) {
    set(words, *known.others, node);
    return true;
  });
}

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

void Masks::remember(TermId state, const Words& words, uint64_t most_bytes) {
  Mask mask;
  size_t count = 0;
  for (uint32_t w : words) count += __builtin_popcount(w);
  if (count <= kSparse) {
    for (size_t w = 0; w < words.size(); ++w)
      for (uint32_t bits = words[w]; bits; bits &= bits - 1)
        mask.ids.push_back(static_cast<uint32_t>(w * 32 + __builtin_ctz(bits)));
  } else {
    mask.words = words;
  }
  const size_t size = (mask.ids.size() + mask.words.size()) * 4 + 96;
  std::lock_guard<std::mutex> lock(mutex_);
  if (bytes_ + size > most_bytes) {
    masks_.clear();
    lexemes_.clear();
    rooms_.clear();
    plain_steps_.clear();
    costs_.clear();
    bytes_ = 0;
  }
  bytes_ += size;
  masks_.emplace(state, std::move(mask));
}

bool Masks::recall(TermId state, uint32_t* row) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = masks_.find(state);
  if (found == masks_.end()) return false;
  const Mask& mask = found->second;
  if (!mask.words.empty()) {
    std::memcpy(row, mask.words.data(), mask.words.size() * 4);
  } else {
    std::memset(row, 0, vocabulary_.words() * 4);
    for (uint32_t id : mask.ids) row[id >> 5] |= 1u << (id & 31);
  }
  return true;
}

void Masks::fill(TermId state, uint32_t* row, Account& account) {
  if (recall(state, row)) return;
  Call call(account);
  Words words(vocabulary_.words(), 0);
  add(state, words, call);
  if (store[state].nullable)
    for (uint32_t id : vocabulary_.end_ids()) set(words, id);
  remember(state, words, account.bounds.mask_bytes);
  std::memcpy(row, words.data(), words.size() * 4);
}

void Masks::fill_all(const std::vector<TermId>& states, uint32_t* rows, size_t stride, unsigned threads,
                     Account& account) {
  std::vector<size_t> missing;
  std::unordered_map<TermId, size_t> first;  // rows of one state wait for the first of them
  std::vector<std::pair<size_t, size_t>> copies;
  for (size_t i = 0; i < states.size(); ++i) {
    if (recall(states[i], rows + i * stride)) continue;
    auto [it, fresh] = first.emplace(states[i], i);
    if (fresh)
      missing.push_back(i);
    else
      copies.push_back({it->second, i});
  }
  std::atomic<size_t> next{0};
  std::exception_ptr error;
  std::mutex error_mutex;
  auto work = [&] {
    for (size_t k; (k = next.fetch_add(1)) < missing.size();) {
      try {
        fill(states[missing[k]], rows + missing[k] * stride, account);
      } catch (...) {
        std::lock_guard<std::mutex> lock(error_mutex);
        if (!error) error = std::current_exception();
      }
    }
  };
  std::vector<std::thread> helpers;
  for (size_t t = 1; t < std::min<size_t>(threads, missing.size()); ++t) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
  if (error) std::rethrow_exception(error);
  for (auto [from, to] : copies) std::memcpy(rows + to * stride, rows + from * stride, vocabulary_.words() * 4);
}

uint32_t Masks::cost(TermId state, Call& call) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = costs_.find(state);
    if (found != costs_.end()) return found->second;
  }
  const uint32_t tokens = vocabulary_.trie().fewest_tokens(store.completion(state, call));
  std::lock_guard<std::mutex> lock(mutex_);
  bytes_ += 48;
  costs_.emplace(state, tokens);
  return tokens;
}

void Masks::fill_within(TermId state, uint32_t* row, uint32_t budget, Call& call) {
  Words words(vocabulary_.words(), 0);
  const Trie& trie = vocabulary_.trie();
  if (budget > 0)
    walk(trie, 0, state, call, [&](uint32_t, const TrieNode& node, TermId next, size_t) {
      if (!node.tokens) return true;
      // Bytes bound tokens from above where every byte is a token.
      bool fits = (vocabulary_.every_byte() && store.distance(next, call) <= budget - 1) ||
                  cost(next, call) <= budget - 1;
      if (fits) set(words, trie, node);
      return true;
    });
  if (store[state].nullable)
    for (uint32_t id : vocabulary_.end_ids()) set(words, id);
  std::memcpy(row, words.data(), words.size() * 4);
}

}  // namespace constrained
