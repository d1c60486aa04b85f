// Sets of bytes, and partitions of the 256 bytes into classes that a term cannot tell apart.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

namespace constrained {

struct ByteSet {
  std::array<uint64_t, 4> words{};

  static ByteSet all() {
    ByteSet s;
    s.words.fill(~uint64_t{0});
    return s;
  }
  void add(unsigned low, unsigned high) {
    for (unsigned b = low; b <= high; ++b) words[b >> 6] |= uint64_t{1} << (b & 63);
  }
  bool has(unsigned b) const { return words[b >> 6] >> (b & 63) & 1; }
  bool empty() const { return !(words[0] | words[1] | words[2] | words[3]); }
  // The byte of a set of one, else -1.
  int only() const {
    int found = -1;
    for (int i = 0; i < 4; ++i) {
      if (!words[i]) continue;
      if (found >= 0 || (words[i] & (words[i] - 1))) return -1;
      found = i * 64 + __builtin_ctzll(words[i]);
    }
    return found;
  }
  bool operator==(const ByteSet& o) const { return words == o.words; }
  ByteSet operator|(const ByteSet& o) const {
    ByteSet s;
    for (int i = 0; i < 4; ++i) s.words[i] = words[i] | o.words[i];
    return s;
  }
  ByteSet operator&(const ByteSet& o) const {
    ByteSet s;
    for (int i = 0; i < 4; ++i) s.words[i] = words[i] & o.words[i];
    return s;
  }
};

// class_of[b] is the class of byte b; classes are numbered by first occurrence, so equal
// partitions are equal byte by byte.
struct Partition {
  std::array<uint8_t, 256> class_of{};
  uint16_t classes = 1;
  // Derived when the partition is interned:
  std::array<uint8_t, 256> first{};     // the smallest byte of each class
  std::array<uint16_t, 256> size{};     // how many bytes each class holds
  std::array<uint8_t, 256> favourite{}; // the byte of each class that completions use
  std::array<uint8_t, 256> by_rank{};   // classes ordered by the rank of their favourite
};

}  // namespace constrained
