// Masks as callers see them: memoised, in batches, within budgets.
#include <algorithm>
#include <cstring>
#include <exception>
#include <thread>

#include "walk.h"

namespace constrained {

namespace {

constexpr uint64_t kSearches = 4;  // times the work of another call for a mask within a budget

constexpr size_t kSparse = 1024;      // ids up to which a mask is stored as a list

}  // namespace

Masks::Masks(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
  Account account;
  account.bounds = unbounded();
  Call call(account);
  plain_ = load(store, vocabulary.plain().character.view(), call);
  std::vector<std::pair<uint32_t, uint32_t>> others{{0x80, 0x10FFFF}};  // all but separators and surrogates
  auto leave_out = [&](uint32_t low, uint32_t high) {
    const uint32_t last = others.back().second;
    others.back().second = low - 1;
    others.push_back({high + 1, last});
  };
  for (auto [low, high] : separators()) {
    if (low > 0xDFFF && others.back().first <= 0xD7FF) leave_out(0xD800, 0xDFFF);
    leave_out(low, high);
  }
  beyond_ = store.chars(others, call);
  separator_ = store.chars(separators(), call);
}


TermId Masks::advance(TermId state, uint32_t token, Call& call) {
  if (token >= vocabulary_.size() || token >= vocabulary_.width() || vocabulary_.text(token).empty()) return kNothing;
  const std::string& text = vocabulary_.text(token);
  if (vocabulary_.is_mark(token) && !writes(state, text, call)) return kNothing;
  return advance_bytes(store, state, text, call);
}

Masks::Mask Masks::Mask::pack(const uint32_t* row, size_t words, std::shared_ptr<const Words> like, size_t most) {
  Mask mask;
  constexpr size_t kBlock = 32;
  // Looks at the blocks where a word differs from the other row (null: from 0), as long as each look says so.
  auto each_block = [&](const uint32_t* other, auto look) {
    static const std::array<uint32_t, kBlock> none{};
    size_t begin = 0;
    for (; begin + kBlock <= words; begin += kBlock) {
      const uint32_t *x = row + begin, *y = other ? other + begin : none.data();
      uint32_t any = 0;
      for (size_t k = 0; k < kBlock; ++k) any |= x[k] ^ y[k];
      if (any && !look(begin, begin + kBlock)) return false;
    }
    return begin == words || look(begin, words);
  };
  if (like) {
    const uint32_t* other = like->data();
    const bool near = each_block(other, [&](size_t begin, size_t end) {
      for (size_t w = begin; w < end; ++w)
        if (row[w] != other[w]) mask.differing.push_back({static_cast<uint32_t>(w), row[w]});
      return mask.differing.size() <= most;
    });
    if (near) {
      mask.differing.shrink_to_fit();
      mask.like = std::move(like);
      return mask;
    }
    mask.differing = {};
  }
  const bool sparse = each_block(nullptr, [&](size_t begin, size_t end) {
    for (size_t w = begin; w < end; ++w)
      for (uint32_t bits = row[w]; bits; bits &= bits - 1)
        mask.ids.push_back(static_cast<uint32_t>(w * 32 + __builtin_ctz(bits)));
    return mask.ids.size() <= kSparse;
  });
  if (sparse) {
    mask.ids.shrink_to_fit();
  } else {
    mask.ids = {};
    mask.like = std::make_shared<const Words>(row, row + words);
  }
  return mask;
}

void Masks::Mask::write(uint32_t* row, size_t words) const {
  if (like) {
    std::memcpy(row, like->data(), words * 4);
    for (auto [w, word] : differing) row[w] = word;
  } else {
    std::memset(row, 0, words * 4);
    for (uint32_t id : ids) set(row, id);
  }
}

void Masks::Mask::merge(uint32_t* row, size_t words) const {
  for (uint32_t id : ids) set(row, id);
  if (!like) return;
  const uint32_t* from = like->data();
  size_t at = 0;
  auto merge_until = [&](size_t end) {
    for (; at < end; ++at) row[at] |= from[at];
  };
  for (auto [w, word] : differing) {
    merge_until(w);
    row[w] |= word;
    at = w + 1;
  }
  merge_until(words);
}

size_t Masks::Mask::bytes() const {
  const bool own = like.use_count() == 1;
  return (ids.size() + 2 * differing.size() + (own ? like->size() : 0)) * 4 + 128;
}

void Masks::remember(TermId state, Mask mask, uint64_t most_bytes) {
  const size_t size = mask.bytes();
  std::lock_guard<std::mutex> lock(mutex_);
  if (bytes_ + size > most_bytes) {
    masks_.clear();
    lexemes_.clear();
    rooms_.clear();
    loops_.clear();
    counters_.clear();
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
  found->second.write(row, vocabulary_.words());
  return true;
}

void Masks::fill(TermId state, uint32_t* row, Account& account) {
  if (recall(state, row)) return;
  Call call(account);
  const size_t words = vocabulary_.words();
  std::memset(row, 0, words * 4);
  try {
    const Like like = add({vocabulary_.trie(), 0}, state, row, call);
    for (uint32_t id : marks(state, call)) set(row, id);
    if (store[state].nullable)
      for (uint32_t id : vocabulary_.end_ids()) set(row, id);
    remember(state, Mask::pack(row, words, like, words / 4), account.bounds.mask_bytes);
  } catch (...) {
    std::memset(row, 0, words * 4);  // half a mask must not be taken for one
    throw;
  }
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
  // The end is searched from every state that a token leads to; most searches meet where one went.
  if (call.most < UINT64_MAX / kSearches) call.most *= kSearches;
  Words& words = empty_row(vocabulary_.words());
  const Trie& trie = vocabulary_.trie();
  // Bytes bound tokens from above where every byte is a token.
  auto fits = [&](TermId next) {
    return (vocabulary_.every_byte() && store.distance(next, call, budget - 1) <= budget - 1) ||
           cost(next, call) <= budget - 1;
  };
  if (budget > 0) {
    walk(trie, 0, state, call, nullptr, false, [&](uint32_t, const TrieNode& node, TermId next, size_t) {
      if (!node.tokens) return true;
      if (fits(next)) set(words.data(), trie, node);
      return true;
    });
    for (uint32_t id : marks(state, call))
      if (fits(advance_bytes(store, state, vocabulary_.text(id), call))) set(words.data(), id);
  }
  if (store[state].nullable)
    for (uint32_t id : vocabulary_.end_ids()) set(words.data(), id);
  std::memcpy(row, words.data(), words.size() * 4);
}

}  // namespace constrained
