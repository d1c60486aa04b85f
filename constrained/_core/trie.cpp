#include "trie.h"

#include <algorithm>
#include <cstring>

namespace constrained {

Trie::Trie(std::vector<Entry> entries) {
  entries.erase(std::remove_if(entries.begin(), entries.end(), [](const Entry& e) { return e.first.empty(); }),
                entries.end());
  std::sort(entries.begin(), entries.end());
  tokens_.reserve(entries.size());
  for (const Entry& e : entries) tokens_.push_back(e.second);
  nodes_.push_back({});
  bytes_.push_back(0);
  struct Group {
    uint32_t node, begin, end, depth;  // tokens_[begin, end) share a prefix of `depth` bytes
  };
  std::vector<Group> todo{{0, 0, static_cast<uint32_t>(tokens_.size()), 0}}, children;
  while (!todo.empty()) {
    Group g = todo.back();
    todo.pop_back();
    height_ = std::max(height_, g.depth);
    uint32_t i = g.begin;
    while (i < g.end && entries[i].first.size() == g.depth) ++i;
    nodes_[g.node].first = g.begin;
    nodes_[g.node].tokens = static_cast<uint16_t>(std::min<uint32_t>(i - g.begin, UINT16_MAX));
    nodes_[g.node].children = static_cast<uint32_t>(nodes_.size());
    children.clear();
    while (i < g.end) {
      const char byte = entries[i].first[g.depth];
      uint32_t j = i + 1;
      while (j < g.end && entries[j].first[g.depth] == byte) ++j;
      children.push_back({static_cast<uint32_t>(nodes_.size()), i, j, g.depth + 1});
      nodes_.push_back({});
      bytes_.push_back(static_cast<uint8_t>(byte));
      i = j;
    }
    nodes_[g.node].degree = static_cast<uint16_t>(children.size());
    todo.insert(todo.end(), children.rbegin(), children.rend());
  }
}

uint32_t Trie::fewest_tokens(std::string_view text) const {
  // best[i]: fewest tokens for text.substr(i), from the end backwards.
  std::vector<uint32_t> best(text.size() + 1, UINT32_MAX);
  best[text.size()] = 0;
  for (size_t i = text.size(); i-- > 0;) {
    uint32_t at = 0;
    for (size_t j = i; j < text.size(); ++j) {
      const TrieNode& node = nodes_[at];
      const uint8_t* begin = bytes_.data() + node.children;
      const void* hit = std::memchr(begin, static_cast<uint8_t>(text[j]), node.degree);
      if (!hit) break;
      at = node.children + static_cast<uint32_t>(static_cast<const uint8_t*>(hit) - begin);
      if (nodes_[at].tokens && best[j + 1] != UINT32_MAX) best[i] = std::min(best[i], best[j + 1] + 1);
    }
  }
  return best[0];
}

bool Trie::holds_every_byte() const {
  unsigned found = 0;
  for (uint32_t k = 0; k < nodes_[0].degree; ++k) found += nodes_[nodes_[0].children + k].tokens > 0;
  return found == 256;
}

}  // namespace constrained
