// One text, of which an output may be any piece between two cuts that is not empty.
//
// What may follow a piece is told by where in the text it stands: its occurrences are neighbours among
// the sorted suffixes, and one more byte leaves a part of them. So a state is a range of suffixes and how
// many bytes of them have been read, found when it is met; a piece that stands at one place is
// the place alone. Nothing is built but the order of the suffixes, in time linear in the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace constrained {

// Pieces that go on alike.
struct Occurrences {
  static constexpr uint32_t kOne = UINT32_MAX;

  uint32_t begin = 0, end = 0;  // in the order of the suffixes; one place: itself, and kOne
  uint32_t depth = 0;           // bytes that have been read; 0 for one place

  bool none() const { return begin == end; }
  bool one() const { return end == kOne; }
};

class Substrings {
 public:
  // `cuts`: where pieces may begin and end, besides the ends of the text; empty: before every character.
  Substrings(std::string_view text, const std::vector<uint32_t>& cuts);

  size_t size() const { return text_.size(); }
  size_t memory() const { return text_.size() * 14 + 256; }
  uint32_t longest() const { return longest_; }  // bytes between two cuts, at the most

  Occurrences start() const { return {0, static_cast<uint32_t>(starts_.size()), 0}; }
  Occurrences after(const Occurrences& found, uint8_t byte);
  bool may_end(const Occurrences& found) const;
  bool must_end(const Occurrences& found) const { return found.one() && found.begin == size(); }
  uint32_t distance(const Occurrences& found) const;  // bytes to the next place where it may end
  std::vector<uint8_t> next(const Occurrences& found) const;  // bytes that may follow, in order

 private:
  int byte_at(uint32_t suffix, uint32_t depth) const;  // -1 at the end of the text
  uint32_t first_from(const Occurrences& found, int byte) const;
  Occurrences same(const Occurrences& found);

  std::string text_;
  std::vector<uint32_t> until_;   // by position: bytes to the next cut behind it
  std::vector<bool> cut_;         // by position, the end included
  std::vector<uint32_t> starts_;  // cuts where pieces may begin, in the order of their suffixes
  std::unordered_map<std::string, Occurrences> few_;  // by the places where they go on
  uint32_t longest_ = 0;
};

}  // namespace constrained
