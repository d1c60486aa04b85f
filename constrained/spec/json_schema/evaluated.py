"""`unevaluatedProperties` and `unevaluatedItems`: which members the other keywords look at.

What counts as evaluated depends on which branches hold. So a schema is divided into *cases*: a
shape, and the members that are evaluated for every value in it. An `anyOf` has a case for each
set of branches that may hold together, a `oneOf` one for each branch, an `if` two. In each case
the keyword is an ordinary clause about all other members.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from constrained.spec.json_schema.languages import Language, pattern_language
from constrained.spec.json_schema.reading import Reading
from constrained.spec.json_schema.records import (
    EVERYTHING,
    NOTHING,
    Array,
    Demand,
    Member,
    Object,
    String,
)
from constrained.spec.json_schema.shapes import ANY, NEVER, Shape, join, meet

if TYPE_CHECKING:
    from constrained.spec.json_schema.meaning import Meaning

__all__ = ["shape_with_unevaluated"]


class _Seen(NamedTuple):
    """The members that are evaluated."""

    names: frozenset[str] = frozenset()
    patterns: tuple[Language, ...] = ()
    every_member: bool = False
    items: int = 0
    every_item: bool = False
    matching: frozenset[Demand] = frozenset()
    """Items that satisfy one of these are evaluated, too (`contains`)."""

    def with_(self, other: _Seen) -> _Seen:
        return _Seen(
            self.names | other.names,
            tuple(dict.fromkeys((*self.patterns, *other.patterns))),
            self.every_member or other.every_member,
            max(self.items, other.items),
            self.every_item or other.every_item,
            self.matching | other.matching,
        )


_Case = tuple[Shape, _Seen]


def shape_with_unevaluated(meaning: Meaning, node: int) -> Shape:
    """The shape of a schema that has one of the two keywords."""
    return join([shape for shape, _ in _cases(meaning, node, 0)] or [NEVER])


def _cases(meaning: Meaning, node: int, depth: int) -> list[_Case]:
    if node < 2 or depth > DEEPEST or node in meaning.conjunctions:
        return [(meaning.signed(node), _Seen())]
    read = meaning.reading(node)
    shape = read.shape()
    for values in read.values:
        shape = meet(values, shape, meaning)
    cases = [(shape, _own(read))]
    for operation, nodes, name in read.parts:
        cases = _after(meaning, cases, operation, nodes, name, depth + 1)
    for keyword, demand in read.unevaluated.items():
        close = _close_members if keyword == "unevaluatedProperties" else _close_items
        cases = [close(meaning, case, demand) for case in cases]
    return [(shape, seen) for shape, seen in cases if any(shape)]


def _own(read: Reading) -> _Seen:
    """What the keywords of one schema evaluate themselves."""
    schema = read.schema
    patterns = schema.get("patternProperties", {})
    return _Seen(
        frozenset(read.named),
        tuple(pattern_language(pattern, read.document.limits) for pattern in patterns),
        "additionalProperties" in schema,
        len(read.prefix),
        "items" in schema
        and (not isinstance(schema["items"], list) or "additionalItems" in schema),
        frozenset(wanted.demand for wanted in read.contains),
    )


def _after(
    meaning: Meaning,
    cases: list[_Case],
    operation: str,
    nodes: tuple[int, ...],
    name: str,
    depth: int,
) -> list[_Case]:
    """The cases once a part of the schema is taken into account."""

    def both(left: list[_Case], node: int) -> list[_Case]:
        right = _cases(meaning, node, depth)
        meaning.charge(len(left) * len(right))
        return [(meet(a, b, meaning), x.with_(y)) for a, x in left for b, y in right]

    def without(left: list[_Case], node: int) -> list[_Case]:
        return [(meaning.without(shape, node), seen) for shape, seen in left]

    if operation == "all":
        return both(cases, nodes[0])
    if operation == "not":
        return without(cases, nodes[0])
    if operation == "if":
        condition, then, otherwise = nodes
        return both(both(cases, condition), then) + both(without(cases, condition), otherwise)
    if operation == "when":
        absent = ANY._replace(objects=(Object(named={name: NOTHING}),))
        present = NEVER._replace(objects=(Object(required={name: None}),))
        held = [(meet(shape, present, meaning), seen) for shape, seen in cases]
        missing = [(meet(shape, absent, meaning), seen) for shape, seen in cases]
        return both(held, nodes[0]) + missing
    if operation == "names":
        return [(meaning.apply("names", shape, nodes, name), seen) for shape, seen in cases]
    found: list[_Case] = []
    for size in range(1, 2 if operation == "one" else len(nodes) + 1):
        for chosen in combinations(range(len(nodes)), size):
            held = cases
            for index, node in enumerate(nodes):
                held = both(held, node) if index in chosen else without(held, node)
            found += [case for case in held if any(case[0])]
    return found


def _close_members(meaning: Meaning, case: _Case, demand: Demand) -> _Case:
    shape, seen = case
    if not seen.every_member and demand:
        keys = String(outside=seen.patterns, excluded=seen.names)
        record = Object(clauses=(Member(keys, demand),))
        shape = meet(shape, ANY._replace(objects=(record,)), meaning)
    return shape, seen._replace(every_member=True)


def _close_items(meaning: Meaning, case: _Case, demand: Demand) -> _Case:
    shape, seen = case
    if not seen.every_item and demand:
        for matching in seen.matching:
            demand = meaning.either(demand, matching)
        record = Array(prefix=(EVERYTHING,) * seen.items, rest=demand)
        shape = meet(shape, ANY._replace(arrays=(record,)), meaning)
    return shape, seen._replace(every_item=True)


DEEPEST = 40
"""Schemas applied in place deeper than this are taken to evaluate nothing more."""
