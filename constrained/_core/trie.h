// The vocabulary as a trie, laid out flat: the children of a node are neighbours, and blocks of
// children follow each other in the order of a depth-first walk. Dead children are passed over by
// reading one byte each, without touching their nodes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace constrained {

struct TrieNode {
  uint32_t children = 0;  // index of the first child
  uint32_t first = 0;     // tokens()[first, first + tokens) spell exactly this node's prefix
  uint32_t last = 0;      // tokens()[first, last) begin with it
  uint16_t degree = 0;    // number of children
  uint16_t tokens = 0;
};

// Sets of bytes, coarsely: one bit for each group of bytes. ASCII is split into 54 groups; bytes of
// other characters are one group where tokens are UTF-8 (cut short at the end or not), and another
// where they are not. Two more mark what lies inside a character, and where a separator ends: patterns
// like . and \S take all characters beyond ASCII but these.
using Groups = uint64_t;
constexpr Groups kCharacters = Groups{1} << 54, kMalformed = Groups{1} << 55, kInside = Groups{1} << 56,
                 kSeparators = Groups{1} << 57;
constexpr Groups kAscii = kCharacters - 1;
constexpr unsigned kTallest = 63;  // heights from here on are not told apart
constexpr unsigned kTallestChain = 255;
uint8_t group_of(uint8_t ascii);

// White space and line ends beyond ASCII, as ranges of code points.
const std::vector<std::pair<uint32_t, uint32_t>>& separators();

// What lies below a node: the groups of all bytes, and how many bytes at most.
struct Below {
  Groups groups : 58;
  uint64_t height : 6;
};

class Trie {
 public:
  using Entry = std::pair<std::string_view, uint32_t>;  // the bytes of a token, its id

  // Entries with no bytes are left out. The texts are read now and not kept.
  explicit Trie(std::vector<Entry> entries);

  const TrieNode& operator[](uint32_t node) const { return nodes_[node]; }
  const uint8_t* bytes() const { return bytes_.data(); }  // bytes()[n]: the last byte of node n's prefix
  const uint32_t* tokens(const TrieNode& node) const { return tokens_.data() + node.first; }
  const std::vector<uint32_t>& tokens() const { return tokens_; }
  unsigned height() const { return height_; }
  // The child that a byte leads to; 0 (the root) for none.
  uint32_t child(uint32_t node, uint8_t byte) const;
  Below below(uint32_t node) const { return below_[node]; }
  // How many bytes the longest token below a node has beyond the node's; at most kTallestChain.
  unsigned height(uint32_t node) const { return heights_[node]; }

  // How many tokens, at the least, spell `text`; UINT32_MAX when none do.
  uint32_t fewest_tokens(std::string_view text) const;
  bool holds_every_byte() const;

 private:
  std::vector<TrieNode> nodes_;  // 0 is the root
  std::vector<uint8_t> bytes_;
  std::vector<uint32_t> tokens_;
  std::vector<Below> below_;
  std::vector<uint8_t> heights_;
  unsigned height_ = 0;
};

}  // namespace constrained
