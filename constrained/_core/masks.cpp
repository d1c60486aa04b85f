// Masks as callers see them: memoised, in batches, within budgets.
#include <algorithm>
#include <cstring>
#include <exception>
#include <thread>

#include "walk.h"

namespace constrained {

namespace {

constexpr size_t kSparse = 1024;      // ids up to which a mask is stored as a list

}  // namespace

Masks::Masks(const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
  Account account;
  account.bounds = unbounded();
  Call call(account);
  plain_ = load(store, vocabulary.plain().character.view(), call);
}


TermId Masks::advance(TermId state, uint32_t token, Call& call) {
  if (token >= vocabulary_.size() || token >= vocabulary_.width() || vocabulary_.text(token).empty()) return kNothing;
  return advance_bytes(store, state, vocabulary_.text(token), call);
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
