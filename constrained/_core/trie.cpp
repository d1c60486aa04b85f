#include "trie.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace constrained {

namespace {

// Whether the text is UTF-8 that may break off within its last character.
bool well_formed(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const unsigned length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (!length) return false;
    for (unsigned k = 1; k < length && i + k < text.size(); ++k) {
      const auto byte = static_cast<uint8_t>(text[i + k]);
      unsigned low = 0x80, high = 0xBF;  // narrower after some leads: no long forms, no surrogates
      if (k == 1) {
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
      }
      if (byte < low || byte > high) return false;
    }
    i += length;
  }
  return true;
}

}  // namespace

uint8_t group_of(uint8_t ascii) {
  static const std::array<uint8_t, 128> table = [] {
    std::array<uint8_t, 128> group{};
    uint8_t next = 1;  // 0: control characters
    for (unsigned b = 0x20; b < 0x7F; ++b) {
      const char c = static_cast<char>(b);
      // These share the group of the character before them.
      const bool joined = std::strchr("3456789bcefhiklnoqrtuwyzBCEFHIKLNOQRSUVXYZ", c) != nullptr;
      group[b] = joined ? static_cast<uint8_t>(next - 1) : next++;
    }
    return group;
  }();
  return table[ascii];
}

const std::vector<std::pair<uint32_t, uint32_t>>& separators() {
  static const std::vector<std::pair<uint32_t, uint32_t>> ranges{
      {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029},
      {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
  return ranges;
}

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
    nodes_[g.node].last = g.end;
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
  // Children come after their parents: forwards to know where characters end, backwards to know
  // what lies below each node.
  std::vector<uint8_t> missing(nodes_.size(), 0);  // bytes that end the character begun above
  std::vector<uint32_t> code(nodes_.size(), 0);    // what is known of its code point
  for (size_t n = 0; n < nodes_.size(); ++n)
    for (uint32_t c = nodes_[n].children; c < nodes_[n].children + nodes_[n].degree; ++c) {
      const uint8_t b = bytes_[c];
      missing[c] = b < 0x80 ? 0 : b >= 0xF0 ? 3 : b >= 0xE0 ? 2 : b >= 0xC0 ? 1 : std::max(missing[n], uint8_t{1}) - 1;
      code[c] = b < 0xC0 ? code[n] << 6 | (b & 0x3F) : b & (0x3F >> missing[c]);
    }
  auto separates = [&](size_t n) {
    if (bytes_[n] < 0x80 || missing[n]) return false;
    for (auto [low, high] : separators())
      if (low <= code[n] && code[n] <= high) return true;
    return false;
  };
  below_.assign(nodes_.size(), Below{0, 0});
  heights_.assign(nodes_.size(), 0);
  std::vector<bool> broken(nodes_.size(), false);
  for (size_t n = nodes_.size(); n-- > 0;) {
    const TrieNode& node = nodes_[n];
    for (unsigned k = 0; k < node.tokens; ++k)
      if (!well_formed(entries[node.first + k].first)) broken[n] = true;
    Groups groups = 0;
    unsigned height = 0;
    for (uint32_t c = node.children; c < node.children + node.degree; ++c) {
      groups |= (below_[c].groups & ~kInside) | (bytes_[c] < 0x80 ? Groups{1} << group_of(bytes_[c]) : kCharacters);
      if (separates(c)) groups |= kSeparators;
      height = std::max(height, heights_[c] + 1u);
      if (broken[c]) broken[n] = true;
    }
    if (broken[n]) groups |= kMalformed;
    if (missing[n]) groups |= kInside;
    heights_[n] = static_cast<uint8_t>(std::min(height, kTallestChain));
    below_[n] = Below{groups, std::min(height, kTallest)};
  }
}

uint32_t Trie::child(uint32_t node, uint8_t byte) const {
  const uint8_t* begin = bytes_.data() + nodes_[node].children;
  const void* hit = std::memchr(begin, byte, nodes_[node].degree);
  return hit ? nodes_[node].children + static_cast<uint32_t>(static_cast<const uint8_t*>(hit) - begin) : 0;
}

uint32_t Trie::fewest_tokens(std::string_view text) const {
  // best[i]: fewest tokens for text.substr(i), from the end backwards.
  std::vector<uint32_t> best(text.size() + 1, UINT32_MAX);
  best[text.size()] = 0;
  for (size_t i = text.size(); i-- > 0;) {
    uint32_t at = 0;
    for (size_t j = i; j < text.size(); ++j) {
      at = child(at, static_cast<uint8_t>(text[j]));
      if (!at) break;
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
