// Programs: a grammar as a flat list of instructions, the only thing that crosses from Python.
//
// Every instruction makes one node from earlier ones; operands are node numbers. The list is in
// post-order, so loading is one loop; a `Ref` may name a rule whose body comes later.
//
//   0 Nothing | 1 Empty | 2 Bytes n (low high)*n | 3 Literal offset length
//   4 Literals n (offset length)*n, sorted | 5 Cat n node*n | 6 Alt n node*n
//   7 Repeat node low high(-1: none) | 8 Ref rule | 9 And n node*n | 10 Not node | 11 Lexeme node
//   12 Chars n (low high)*n | 13 Substrings n offset length cut*n | 14 Later key
//
// `pool` holds the literals' bytes; `bodies[r]` is the node of rule r. A `Later` is a rule whose body
// is fetched when it is first needed; `keys[r]` is the key by which later programs name rule r (-1:
// none does). A `Substrings` without cuts is cut before every character.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "terms.h"

namespace constrained {

struct Program {
  const int32_t* code;
  size_t length;
  std::string_view pool;
  const int32_t* bodies;
  const int32_t* keys;  // null: no rule has a key
  size_t rules;
  int32_t start;
};

// A program that owns its arrays.
struct OwnedProgram {
  std::vector<int32_t> code, bodies, keys;
  std::string pool;
  int32_t start = 0;
  Program view() const {
    return {code.data(), code.size(), pool, bodies.data(), keys.empty() ? nullptr : keys.data(), bodies.size(), start};
  }
};

// The rules of one engine that are fetched when they are needed. Every body matches something, and
// never the empty text. Guarded by the store's mutex.
struct LaterRules {
  std::function<OwnedProgram(int32_t key)> fetch;
  std::function<uint32_t(int32_t key)> least;  // bytes that no text of the rule has fewer of
  std::vector<TermId> terms;  // by key: the body, kNothing while it is not known
  std::vector<int64_t> calls; // by key: the index of its Call in Store::rules, -1 for none yet

  void reach(int32_t key) {
    if (static_cast<size_t>(key) < terms.size()) return;
    terms.resize(key + 1, kNothing);
    calls.resize(key + 1, -1);
  }
};

// Adds the program's terms to the store and returns the start; kNothing when nothing matches.
TermId load(Store& store, const Program& program, Call& call, const std::shared_ptr<LaterRules>& later = nullptr);

// Throws unless the program is one that was written whole, with no more nodes; makes no terms.
void check_stored(const Program& program, uint64_t most_nodes);

}  // namespace constrained
