// Lowering: grammar nodes, which are Python objects, to the flat program that `load` reads.
#pragma once

#include <nanobind/nanobind.h>

#include "program.h"

namespace constrained {

// Numbers the nodes that `start` reaches in post-order and writes them down. `kinds` are the classes
// of nodes in the order of the operations (see program.h). `body(name)` is the node of a rule and
// raises for a name that is none. `key(name, enough)` is the number by which other programs name it, -1
// where it has to be written here; `enough` says that `at_once` nodes are there already. Without `key`
// (None) all rules are written. Throws CoreError for more than `most` nodes.
OwnedProgram written(nanobind::handle start, nanobind::tuple kinds, nanobind::callable body, nanobind::object key,
                     uint64_t most, uint64_t at_once);

}  // namespace constrained
