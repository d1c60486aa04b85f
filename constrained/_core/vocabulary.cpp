// The vocabulary's tries and its plain tokens.
#include <algorithm>

#include "walk.h"

namespace constrained {

namespace {

constexpr size_t kPlainLengths = 33;  // lengths for which plain tokens are kept as a ready mask

std::vector<bool> flags(const std::vector<uint32_t>& ids, size_t size) {
  std::vector<bool> flags(size, false);
  for (uint32_t id : ids)
    if (id < size) flags[id] = true;
  return flags;
}

// The tokens of the width that are marks, or those that are not.
std::vector<Trie::Entry> entries_of(const std::vector<std::string>& texts, uint32_t width,
                                    const std::vector<bool>& is_mark, bool marks) {
  std::vector<Trie::Entry> entries;
  for (uint32_t id = 0; id < texts.size() && id < width; ++id)
    if (is_mark[id] == marks) entries.push_back({texts[id], id});
  return entries;
}

}  // namespace

Vocabulary::Vocabulary(std::vector<std::string> texts, std::vector<uint32_t> end_ids, uint32_t width,
                       OwnedProgram plain, uint64_t store_bytes, const std::vector<uint32_t>& marks)
    : texts_(std::move(texts)),
      end_ids_(std::move(end_ids)),
      width_(width),
      is_mark_(flags(marks, texts_.size())),
      trie_(entries_of(texts_, width, is_mark_, false)),
      marks_(entries_of(texts_, width, is_mark_, true)),
      every_byte_(trie_.holds_every_byte()),
      store_bytes_(store_bytes) {
  Account account;
  account.bounds = unbounded();
  Call call(account);
  Store store;
  const TermId character = load(store, plain.view(), call);
  plain_.character = std::move(plain);
  std::vector<Words> up_to(kPlainLengths, Words(words(), 0));
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
      set(up_to[length].data(), id);
    else
      plain_.longer.push_back({length, id});
  }
  for (Words& known : up_to_length_) known.assign(words(), 0);
  for (uint32_t id : trie_.tokens()) {
    const uint32_t length = static_cast<uint32_t>(texts_[id].size());
    for (size_t k = 0; k < kLengths.size(); ++k)
      if (length <= kLengths[k]) set(up_to_length_[k].data(), id);
    if (length > kLengths.back()) long_.push_back({length, id});
  }
  std::sort(long_.rbegin(), long_.rend());
  for (size_t k = 1; k < kPlainLengths; ++k)
    for (size_t w = 0; w < words(); ++w) up_to[k][w] |= up_to[k - 1][w];
  for (Words& known : up_to) plain_.up_to.push_back(std::make_shared<const Words>(std::move(known)));
  plain_.others = std::make_unique<Trie>(std::move(others));
  plain_.others_and_long = std::make_unique<Trie>(std::move(others_and_long));
}

std::shared_ptr<const Words> PlainTokens::add(uint32_t* row, uint32_t most) const {
  if (!most) return nullptr;
  const auto& known = up_to[std::min<size_t>(most, up_to.size() - 1)];
  for (size_t w = 0; w < known->size(); ++w) row[w] |= (*known)[w];
  if (most >= up_to.size())
    for (auto [length, id] : longer)
      if (length <= most) set(row, id);
  return known;
}

void Vocabulary::drop_longer(uint32_t* row, uint32_t length) const {
  for (size_t k = 0; k < kLengths.size(); ++k)
    if (length == kLengths[k])
      for (size_t w = 0; w < words(); ++w) row[w] &= up_to_length_[k][w];
  for (auto [size, id] : long_) {
    if (size <= length) break;
    row[id >> 5] &= ~(1u << (id & 31));
  }
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

}  // namespace constrained
