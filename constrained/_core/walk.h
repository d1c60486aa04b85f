// The walk over a trie that all masks are made of, for the files that make them.
#pragma once

#include "masks.h"

namespace constrained {

inline void set(Words& words, uint32_t id) { words[id >> 5] |= 1u << (id & 31); }

inline void set(Words& words, const Trie& trie, const TrieNode& node) {
  const uint32_t* ids = trie.tokens(node);
  for (unsigned k = 0; k < node.tokens; ++k) set(words, ids[k]);
}

// Depth first below node `from`, whose prefix has led to `state`. `visit(index, node, state,
// depth)` is called for every live node, `depth` levels below, and says whether to go below it.
template <class Visit>
void Masks::walk(const Trie& trie, uint32_t from, TermId state, Call& call, Visit visit) {
  struct Frame {
    uint32_t child, end;
    TermId state;
    const Edges* edges;
  };
  if (!trie[from].degree) return;
  const uint8_t* bytes = trie.bytes();
  std::vector<Frame> stack;
  stack.reserve(trie.height() + 1);
  auto enter = [&](const TrieNode& node, TermId s) {
    stack.push_back({node.children, node.children + node.degree, s, store.edges(s, call)});
  };
  enter(trie[from], state);
  uint64_t steps = 0;
  while (!stack.empty()) {
    Frame& frame = stack.back();
    if (frame.child == frame.end) {
      stack.pop_back();
      continue;
    }
    const uint32_t i = frame.child++;
    ++steps;
    TermId next = frame.edges->next[frame.edges->partition->class_of[bytes[i]]].load(std::memory_order_acquire);
    if (next == Edges::kUnset) next = store.step_slow(frame.state, bytes[i], call);
    if (next == kNothing) continue;
    const TrieNode& node = trie[i];
    if (visit(i, node, next, stack.size()) && node.degree) enter(node, next);
  }
  call.spend(steps / 64);
}

}  // namespace constrained
