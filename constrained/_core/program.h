// Programs: a grammar as a flat list of instructions, the only thing that crosses from Python.
//
// Every instruction makes one node from earlier ones; operands are node numbers. The list is in
// post-order, so loading is one loop; a `Ref` may name a rule whose body comes later.
//
//   0 Nothing | 1 Empty | 2 Bytes n (low high)*n | 3 Literal offset length
//   4 Literals n (offset length)*n, sorted | 5 Cat n node*n | 6 Alt n node*n
//   7 Repeat node low high(-1: none) | 8 Ref rule | 9 And n node*n | 10 Not node | 11 Lexeme node
//   12 Chars n (low high)*n
//
// `pool` holds the literals' bytes; `bodies[r]` is the node of rule r.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "terms.h"

namespace constrained {

struct Program {
  const int32_t* code;
  size_t length;
  std::string_view pool;
  const int32_t* bodies;
  size_t rules;
  int32_t start;
};

// Adds the program's terms to the store and returns the start; kNothing when nothing matches.
TermId load(Store& store, const Program& program, Call& call);

}  // namespace constrained
