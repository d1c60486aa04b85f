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
  uint16_t degree = 0;    // number of children
  uint16_t tokens = 0;
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

  // How many tokens, at the least, spell `text`; UINT32_MAX when none do.
  uint32_t fewest_tokens(std::string_view text) const;
  bool holds_every_byte() const;

 private:
  std::vector<TrieNode> nodes_;  // 0 is the root
  std::vector<uint8_t> bytes_;
  std::vector<uint32_t> tokens_;
  unsigned height_ = 0;
};

}  // namespace constrained
