// The walk over a trie that all masks are made of, for the files that make them.
#pragma once

#include <array>

#include "masks.h"

namespace constrained {

inline void set(uint32_t* row, uint32_t id) { row[id >> 5] |= 1u << (id & 31); }

inline void set(uint32_t* row, const Trie& trie, const TrieNode& node) {
  const uint32_t* ids = trie.tokens(node);
  for (unsigned k = 0; k < node.tokens; ++k) set(row, ids[k]);
}

// A row of zeros that stays with the thread, for what is computed before it is stored.
inline Words& empty_row(size_t words) {
  static thread_local Words row;
  row.assign(words, 0);
  return row;
}

// Depth first below node `from`, whose prefix has led to `state`. `visit(index, node, state,
// depth)` is called for every live node, `depth` levels below, and says whether to go below it.
// With a `row`, nodes below which a loop of the state takes every token are not walked: their
// tokens are set in the row; `quiet` asks for loops without a state where the output may end. A visit
// may walk in its turn. With `longer`, only tokens of more bytes than that are looked for.
template <class Visit>
void Masks::walk(const Trie& trie, uint32_t from, TermId state, Call& call, uint32_t* row, bool quiet, Visit visit,
                 uint32_t longer) {
  constexpr uint32_t kWorthwhile = 16;  // tokens below a node that make it worth finding a loop
  struct Known {
    TermId state = kNothing;
    Loop loop;
  };
  std::array<Known, 16> recent;
  auto covers = [&](const Loop& loop, Groups groups, unsigned height) {
    return !(groups & ~loop.groups) && (loop.quiet || !quiet) &&
           (loop.most == kInfinite || (height < kTallest && height <= loop.most));
  };
  auto take = [&](const TrieNode& node) {
    const uint32_t* ids = trie.tokens(node);
    for (uint32_t k = 0; k < node.last - node.first; ++k) set(row, ids[k]);
  };
  // Below node i, which has led to `next`.
  auto taken_whole = [&](uint32_t i, const TrieNode& node, TermId next) {
    if (!row) return false;
    Known& known = recent[next % recent.size()];
    if (known.state != next) {
      if (node.last - node.first < kWorthwhile) return false;
      known = {next, loop(next, call)};
    }
    const Below below = trie.below(i);
    if (!covers(known.loop, below.groups, below.height)) return false;
    take(node);
    return true;
  };
  // Node i itself, which begins a character beyond ASCII in `state`.
  auto character_taken = [&](uint32_t i, TermId state) {
    const Known& known = recent[state % recent.size()];
    if (known.state != state || !(known.loop.groups & kCharacters)) return false;
    const Below below = trie.below(i);
    if (!covers(known.loop, below.groups & ~kInside, below.height + 1)) return false;
    take(trie[i]);
    return true;
  };
  struct Frame {
    uint32_t child, end;
    TermId state;
    const Edges* edges;
  };
  if (!trie[from].degree) return;
  const uint8_t* bytes = trie.bytes();
  static thread_local std::vector<Frame> stack;  // walks are many and short; one within another is above it
  struct Own {
    const size_t begin = stack.size();
    ~Own() { stack.resize(begin); }
  } own;
  auto enter = [&](const TrieNode& node, TermId s) {
    stack.push_back({node.children, node.children + node.degree, s, store.edges(s, call)});
  };
  enter(trie[from], state);
  if (row && trie[from].last - trie[from].first >= kWorthwhile)
    recent[state % recent.size()] = {state, loop(state, call)};
  uint64_t steps = 0;
  while (stack.size() > own.begin) {
    Frame& frame = stack.back();
    if (frame.child == frame.end) {
      stack.pop_back();
      continue;
    }
    const uint32_t i = frame.child++;
    if (longer)
      if (const unsigned height = trie.height(i); height < kTallestChain && stack.size() - own.begin + height <= longer)
        continue;
    ++steps;
    if (row && bytes[i] >= 0xC2 && character_taken(i, frame.state)) continue;
    TermId next = frame.edges->next[frame.edges->partition->class_of[bytes[i]]].load(std::memory_order_acquire);
    if (next == Edges::kUnset) next = store.step_slow(frame.state, bytes[i], call);
    if (next == kNothing) continue;
    const TrieNode& node = trie[i];
    if (visit(i, node, next, stack.size() - own.begin) && node.degree && !taken_whole(i, node, next)) enter(node, next);
  }
  call.spend(steps / 64);
}

}  // namespace constrained
