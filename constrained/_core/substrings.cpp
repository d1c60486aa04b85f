#include "substrings.h"

#include <algorithm>
#include <array>

#include "suffixes.h"

namespace constrained {

namespace {

constexpr uint32_t kFew = 8;  // occurrences whose places are compared, so that equal futures are one

}  // namespace

Substrings::Substrings(std::string_view text, const std::vector<uint32_t>& cuts)
    : text_(text), until_(text.size()), cut_(text.size() + 1, false) {
  if (cuts.empty())
    for (size_t i = 0; i < size(); ++i) cut_[i] = (static_cast<uint8_t>(text_[i]) & 0xC0) != 0x80;
  for (const uint32_t cut : cuts) cut_[cut] = true;
  cut_[0] = cut_[size()] = true;
  for (size_t i = size(); i-- > 0;) {
    until_[i] = cut_[i + 1] ? 1 : until_[i + 1] + 1;
    longest_ = std::max(longest_, until_[i]);
  }
  for (const int32_t suffix : sorted_suffixes(text_))
    if (cut_[suffix]) starts_.push_back(static_cast<uint32_t>(suffix));
}

int Substrings::byte_at(uint32_t suffix, uint32_t depth) const {
  const size_t at = size_t{starts_[suffix]} + depth;
  return at < size() ? static_cast<uint8_t>(text_[at]) : -1;
}

// The first of the suffixes whose next byte is not below `byte`.
uint32_t Substrings::first_from(const Occurrences& found, int byte) const {
  uint32_t low = found.begin, high = found.end;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (byte_at(middle, found.depth) < byte)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

Occurrences Substrings::after(const Occurrences& found, uint8_t byte) {
  if (found.one()) {
    const bool follows = found.begin < size() && static_cast<uint8_t>(text_[found.begin]) == byte;
    return follows ? Occurrences{found.begin + 1, Occurrences::kOne, 0} : Occurrences{};
  }
  const uint32_t begin = first_from(found, byte);
  const uint32_t end = first_from({begin, found.end, found.depth}, byte + 1);
  return begin == end ? Occurrences{} : same({begin, end, found.depth + 1});
}

// The same for all pieces that go on at the same places, where these are few.
Occurrences Substrings::same(const Occurrences& found) {
  const uint32_t count = found.end - found.begin;
  if (count == 1) return {starts_[found.begin] + found.depth, Occurrences::kOne, 0};
  if (count > kFew) return found;
  std::array<uint32_t, kFew> places;
  for (uint32_t i = 0; i < count; ++i) places[i] = starts_[found.begin + i] + found.depth;
  std::sort(places.begin(), places.begin() + count);
  return few_.emplace(std::string(reinterpret_cast<const char*>(places.data()), count * sizeof(uint32_t)), found).first->second;
}

bool Substrings::may_end(const Occurrences& found) const {
  if (found.one()) return cut_[found.begin];
  if (!found.depth) return false;
  for (uint32_t i = found.begin; i < found.end; ++i)
    if (cut_[starts_[i] + found.depth]) return true;
  return false;
}

uint32_t Substrings::distance(const Occurrences& found) const {
  if (may_end(found)) return 0;
  if (found.one()) return until_[found.begin];
  uint32_t least = UINT32_MAX;
  for (uint32_t i = found.begin; i < found.end; ++i) least = std::min(least, until_[starts_[i] + found.depth]);
  return least;
}

std::vector<uint8_t> Substrings::next(const Occurrences& found) const {
  std::vector<uint8_t> bytes;
  if (found.one()) {
    if (found.begin < size()) bytes.push_back(static_cast<uint8_t>(text_[found.begin]));
    return bytes;
  }
  for (uint32_t i = first_from(found, 0); i < found.end;) {
    const int byte = byte_at(i, found.depth);
    bytes.push_back(static_cast<uint8_t>(byte));
    i = first_from({i, found.end, found.depth}, byte + 1);
  }
  return bytes;
}

}  // namespace constrained
