"""What sub-schemas mean: their shapes, worked out when first needed, and whether they are alive.

A shape is the shape of the schema's own limits, changed by each of its parts (`allOf`, `$ref`,
`oneOf`, ...). Nothing here recurses over the schema: dependencies are worked off a stack, so
depth costs memory, not Python frames.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import combinations
from typing import Any

from constrained.errors import InvalidSpec, LimitExceeded
from constrained.limits import Limits
from constrained.spec.json_schema.array_records import dead_array
from constrained.spec.json_schema.document import Document
from constrained.spec.json_schema.evaluated import shape_with_unevaluated
from constrained.spec.json_schema.finite_values import finite_values, identity
from constrained.spec.json_schema.keywords import plain_shape, read_schema
from constrained.spec.json_schema.object_records import dead_object
from constrained.spec.json_schema.operations import OPERATIONS
from constrained.spec.json_schema.reading import Reading
from constrained.spec.json_schema.records import NOTHING, Demand, conjoin
from constrained.spec.json_schema.shapes import ANY, NEVER, Shape, meet, minus, unite

__all__ = ["Meaning"]

DEEPEST_PARTS = 40
"""How deep complements are built from parts; below, from finished shapes."""

RECORD_COST = 16
"""Grammar nodes that one constraint record stands for when counted against `max_nodes`."""

PARTS_PER_STEP = 2
"""Parts of one step that may be as hard as the limit allows."""

LOOKAHEAD = 6
"""How many required members deep a contradiction is looked for while shapes are combined."""


class Meaning:
    """Shapes of the nodes of one document."""

    def __init__(self, document: Document, exact_formats: bool, any_order: bool = False) -> None:
        self.document = document
        self.exact_formats = exact_formats
        self.any_order = any_order
        self.readings: dict[int, Reading] = {}
        self.conjunctions: dict[int, Demand] = {}
        self.records = 0
        self.step_records = 0
        self._shapes: dict[int, Shape] = {1: ANY, -1: NEVER}
        self._demands: dict[Demand, Shape] = {frozenset(): ANY, NOTHING: NEVER}
        self._dead: dict[Demand, bool] = {NOTHING: True, frozenset(): False}
        self._negations: dict[Demand, Demand] = {frozenset(): NOTHING, NOTHING: frozenset()}
        self._constants: dict[Hashable, Demand] = {}
        self._running: set[int] = set()
        self._depth = 0

    # -------------------------------------------------------------- reading

    def reading(self, node: int) -> Reading:
        """The keywords of a positive node, read on first use."""
        found = self.readings.get(node)
        if found is None:
            found = read_schema(self.document, node, self.exact_formats)
            self.readings[node] = found
        return found

    def read_all(self) -> bool:
        """Read every schema that can be reached, so that what is wrong anywhere is found now.

        Schemas that combine others are worked out, too. Returns whether writing the rules may
        still find something that must be refused.
        """
        combining, limited, may_refuse = [], False, False
        for node, schema in enumerate(self.document.schemas):  # which grow meanwhile
            if node < 2:
                continue
            plain = plain_shape(schema)
            if plain is not None:
                self._shapes[node] = plain
                continue
            read = self.reading(node)
            may_refuse = may_refuse or read.may_refuse
            limited = limited or read.most_members is not None
            if read.combines:
                combining.append(node)
        self._check_ends()
        for node in combining:
            self.begin_part()
            try:
                self.shape_of(node)
            except LimitExceeded as error:
                raise error.placed(self.document.pointer(node)) from None
        self.document.read_whole = True
        return may_refuse or (limited and bool(combining))

    def _check_ends(self) -> None:
        """Refuse schemas that only refer to one another, which no later step could work out."""
        done: set[int] = set()
        for start in [node for node, read in self.readings.items() if read.parts]:
            stack = [(start, iter(self._uses(start)))]
            open_ = {start}
            while stack and start not in done:
                node, rest = stack[-1]
                below = next(rest, None)
                if below is None:
                    stack.pop()
                    open_.discard(node)
                    done.add(node)
                elif below in open_:
                    raise self._endless(below)
                elif below > 1 and below not in done and self._uses_others(below):
                    stack.append((below, iter(self._uses(below))))
                    open_.add(below)

    def _uses_others(self, node: int) -> bool:
        read = self.readings.get(node)
        return read is not None and bool(read.parts)

    # -------------------------------------------------------------- shapes

    def shape(self, demand: Demand) -> Shape:
        """The values that satisfy a demand."""
        found = self._demands.get(demand)
        if found is None:
            found = ANY
            if len(demand) == 1:
                (node,) = demand
                if node > 0:  # most demands
                    found = self._demands[demand] = self.shape_of(node)
                    return found
            for node in sorted(demand, key=_complements_last):
                if node > 0:
                    found = meet(found, self.shape_of(node), self)
                else:
                    self.shape_of(-node)
                    found = self.without(found, -node)
            self._demands[demand] = found
        return found

    def shape_of(self, node: int) -> Shape:
        """The values that a positive node's schema allows, with everything it refers to."""
        found = self._shapes.get(node)
        if found is not None:
            return found
        if node not in self.conjunctions:
            read = self.reading(node)
            if not (read.parts or read.values or read.unevaluated):
                found = self._shapes[node] = read.shape()
                return found
        opened: set[int] = set()
        try:
            self._work_off(node, opened)
        finally:
            self._running -= opened
        return self._shapes[node]

    def _work_off(self, node: int, opened: set[int]) -> None:
        """Find the shape of a node after those it uses; `opened`: what was running meanwhile."""
        stack = [node]
        while stack:
            top = stack[-1]
            if top in self._shapes:
                stack.pop()
                continue
            missing = [n for n in self._uses(top) if n not in self._shapes]
            if missing and top not in opened:
                opened.add(top)
                self._running.add(top)
                circular = next((n for n in missing if n in self._running), None)
                if circular is not None:
                    raise self._endless(circular)
                stack += missing
                continue
            opened.add(top)
            self._running.add(top)
            self._shapes[top] = self._combine(top)
            self._running.discard(top)
            stack.pop()

    def without(self, shape: Shape, node: int) -> Shape:
        """The values of a shape that a node, whose shape is known, does not allow."""
        if node > 1 and node not in self.conjunctions and self.reading(node).by_parts:
            return meet(shape, self.outside(node), self)
        return minus(shape, self.signed(node), self)

    def outside(self, node: int, depth: int = 0) -> Shape:
        """The complement of a node whose shape is known, built from the complements of its parts.

        Complementing the finished shape of a `oneOf` would undo what its branches exclude of each
        other, one way at a time; what a `oneOf` refuses is none of its branches, or two of them.
        """
        found = self._shapes.get(-node)
        if found is not None:
            return found
        simple = node < 0 or node in self.conjunctions or depth > DEEPEST_PARTS
        if simple or not self.reading(node).by_parts:
            found = minus(ANY, self.signed(node), self)
        else:
            read = self.reading(node)
            limits = read.shape()
            for values in read.values:
                limits = meet(values, limits, self)
            found = minus(ANY, limits, self)
            for operation, nodes, name in read.parts:
                found = unite(found, self._part_outside(operation, nodes, name, depth + 1))
        self._shapes[-node] = found
        return found

    def _part_outside(self, operation: str, nodes: tuple[int, ...], name: str, depth: int) -> Shape:
        out = [self.outside(node, depth) for node in nodes]
        if operation == "all":
            return out[0]
        if operation == "not":
            return self.signed(nodes[0])
        if operation == "if":
            inside = meet(self.signed(nodes[0]), out[1], self)
            return unite(inside, meet(out[0], out[2], self))
        if operation not in ("any", "one"):
            return minus(ANY, OPERATIONS[operation](self, ANY, nodes, name, False), self)
        found = out[0]
        for other in out[1:]:
            found = meet(found, other, self)
        if operation == "one":
            for first, second in combinations(nodes, 2):
                found = unite(found, meet(self.signed(first), self.signed(second), self))
        return found

    def _uses(self, node: int) -> list[int]:
        """The positive nodes whose shapes a node's shape is made of."""
        if node in self.conjunctions:
            return [abs(n) for n in self.conjunctions[node]]
        return [abs(n) for _, nodes, _ in self.reading(node).parts for n in nodes]

    def signed(self, node: int) -> Shape:
        """The shape of a node, or of the complement of a negative one, whose shape is known."""
        return self._shapes[node] if node in self._shapes else self.outside(-node)

    def _combine(self, node: int) -> Shape:
        if node in self.conjunctions:
            return self.shape(self.conjunctions[node])
        read = self.reading(node)
        if read.unevaluated:
            return shape_with_unevaluated(self, node)
        shape = read.shape()
        for values in read.values:
            shape = meet(values, shape, self)
        for operation, nodes, name in read.parts:
            shape = OPERATIONS[operation](self, shape, nodes, name, read.parts_first)
        return shape

    def apply(self, operation: str, shape: Shape, nodes: tuple[int, ...], name: str) -> Shape:
        """A shape changed by one part of a schema, whose nodes' shapes are known."""
        return OPERATIONS[operation](self, shape, nodes, name, False)

    def _endless(self, node: int) -> InvalidSpec:
        return InvalidSpec(
            "the schema refers to itself without describing any value",
            where=self.document.pointer(node),
            hint="a recursive $ref must stand below properties or items",
        )

    # -------------------------------------------------------------- what the algebra asks

    @property
    def limits(self) -> Limits:
        """The limits of the document."""
        return self.document.limits

    def begin_step(self) -> None:
        """Count anew: reading a document is one step, and so is each rule built later."""
        self.records = self.step_records = 0

    def begin_part(self) -> None:
        """Count anew for one part of a step, so that one hard part does not use up the others."""
        self.records = 0

    def charge(self, records: int) -> None:
        """Count records; raises `LimitExceeded` when combinations explode."""
        self.records += records
        self.step_records += records
        limit = self.document.limits.max_nodes
        if max(self.records, self.step_records // PARTS_PER_STEP) * RECORD_COST > limit:
            raise LimitExceeded("max_nodes", limit, "combining the branches of a JSON Schema")

    def negation(self, demand: Demand) -> Demand:
        """The complement of a demand, as a demand."""
        found = self._negations.get(demand)
        if found is None:
            if len(demand) == 1:
                found = frozenset((-next(iter(demand)),))
            else:
                node = self.document.reserve(min(abs(n) for n in demand))
                self.conjunctions[node] = demand
                found = frozenset((-node,))
            self._negations[demand] = found
            self._negations[found] = demand
        return found

    def constant(self, value: Any, home: int) -> Demand:
        """The demand of exactly one value; `home` is a node to name it after."""
        key = identity(value)
        found = self._constants.get(key)
        if found is None:
            node = self.document.node({"const": value}, home, ("const",))
            found = self._constants[key] = frozenset((node,))
        return found

    def constants(self, demand: Demand, most: int) -> list[Demand] | None:
        """The values that satisfy a demand, one demand each; None when there may be more."""
        values = finite_values(self, demand, most)
        home = min((abs(n) for n in demand), default=1)
        return None if values is None else [self.constant(value, home) for value in values]

    def place_of(self, keyword: str, demand: Demand) -> str:
        """The pointer of a keyword that a demand's shape has from its schemas."""
        stack = sorted((abs(node) for node in demand), reverse=True)
        seen = set(stack)
        while stack:
            node = stack.pop()
            if node not in self.conjunctions and keyword in self.document.schemas[node]:
                return f"{self.document.pointer(node)}/{keyword}"
            fresh = [n for n in self._uses(node) if n > 1 and n not in seen]
            seen.update(fresh)
            stack += reversed(fresh)
        return self.document.pointer(min((abs(node) for node in demand), default=1))

    def either(self, a: Demand, b: Demand) -> Demand:
        """The union of two demands, as a demand."""
        neither = conjoin(self.negation(a), self.negation(b))
        return self.negation(neither)

    def dead(self, demand: Demand) -> bool:
        """Whether nothing satisfies the demand, as far as a short look tells.

        Only contradictions between schemas are looked for: a schema that is empty on its own is
        found later, exactly.
        """
        found = self._dead.get(demand)
        if found is not None:
            return found
        if len(demand) == 1 and next(iter(demand)) > 0:
            return False
        if self._contradicts(demand):
            self._dead[demand] = True
            return True
        if self._depth >= LOOKAHEAD or any(abs(node) in self._running for node in demand):
            return False
        self._depth += 1
        try:
            found = self._empty(self.shape(demand))
        except InvalidSpec:
            return False  # a schema in the middle of being worked out needs this answer
        finally:
            self._depth -= 1
        self._dead[demand] = found
        return found

    def _contradicts(self, demand: Demand) -> bool:
        """Whether a schema and the complement of an equal one are both demanded."""
        schemas = self.document.schemas
        refused = [schemas[-node] for node in demand if node < 0 and -node not in self.conjunctions]
        try:
            return bool(refused) and any(
                schemas[n] == other and repr(schemas[n]) == repr(other)  # 1 == True, but not here
                for n in demand
                if n > 0
                for other in refused
            )
        except RecursionError:  # comparing schemas nested very deeply
            return False

    def _empty(self, shape: Shape) -> bool:
        return not (
            shape.atoms
            or shape.numbers
            or shape.strings
            or any(not dead_array(record, self) for record in shape.arrays)
            or any(not dead_object(record, self) for record in shape.objects)
        )


def _complements_last(node: int) -> tuple[bool, int]:
    return node < 0, abs(node)
