// Lowering: grammar nodes, which are Python objects, to the flat program that `load` reads.
#pragma once

#include <nanobind/nanobind.h>

#include "program.h"

namespace constrained {

// Numbers the nodes that `start` reaches in post-order and writes them down. `kinds` are the classes
// of nodes in the order of the operations (see program.h). `body(name)` is the node of a rule and
// raises for a name that is none; `key(name)` is the number by which other programs name it, -1 for
// a rule that may not wait. Rules beyond `at_once` nodes that may wait are named by their keys; none
// is when `key` is None. Throws CoreError for more than `most` nodes.
OwnedProgram written(nanobind::handle start, nanobind::tuple kinds, nanobind::callable body, nanobind::object key,
                     uint64_t most, uint64_t at_once);

}  // namespace constrained
