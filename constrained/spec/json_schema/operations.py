"""What each applicator does to a shape: `allOf`, `anyOf`, `oneOf`, `not`, `if`, dependencies.

An operation takes the shape so far and the nodes it uses, whose shapes are known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from constrained.spec.json_schema.object_records import demand_for, is_fact
from constrained.spec.json_schema.records import NOTHING, Member, Object
from constrained.spec.json_schema.shapes import ANY, Shape, join, meet, minus

if TYPE_CHECKING:
    from constrained.spec.json_schema.meaning import Meaning

__all__ = ["OPERATIONS", "Operation"]

Operation = Callable[["Meaning", Shape, tuple[int, ...], str, bool], Shape]


def _every(meaning: Meaning, shape: Shape, nodes: tuple[int, ...], _: str, first: bool) -> Shape:
    other = meaning.signed(nodes[0])
    return meet(other, shape, meaning) if first else meet(shape, other, meaning)


def _some(meaning: Meaning, shape: Shape, nodes: tuple[int, ...], _: str, first: bool) -> Shape:
    choice = _facts([meaning.signed(node) for node in nodes])
    if choice:
        return meet(shape, ANY._replace(objects=(Object(either=(choice,)),)), meaning)
    return join([_every(meaning, shape, (node,), "", first) for node in dict.fromkeys(nodes)])


def _facts(shapes: list[Shape]) -> tuple[Object, ...]:
    """The choice that a union of shapes is, if each says one fact about objects only."""
    facts = []
    for shape in shapes:
        if len(shape.objects) != 1 or shape._replace(objects=ANY.objects) != ANY:
            return ()
        if not is_fact(shape.objects[0]):
            return ()
        facts.append(shape.objects[0])
    return tuple(facts) if len(facts) > 1 else ()


def _exactly_one(
    meaning: Meaning, shape: Shape, nodes: tuple[int, ...], _: str, first: bool
) -> Shape:
    branches = [_every(meaning, shape, (node,), "", first) for node in nodes]
    told_apart = _discriminated(meaning, branches)
    kept = []
    for index, branch in enumerate(branches):
        for other, node in enumerate(nodes):
            if other != index and any(branches[other]):
                if told_apart and not told_apart[index] & told_apart[other]:
                    continue
                branch = meaning.without(branch, node)
        kept.append(branch)
    return join(kept)


def _discriminated(meaning: Meaning, branches: list[Shape]) -> list[frozenset[object]]:
    """For object branches that all require one property: its possible values in each branch.

    Empty when there is no such property. Branches without a common value exclude each other.
    """
    records = [branch.objects[0] for branch in branches if len(branch.objects) == 1]
    if len(records) < len(branches) or any(any(b._replace(objects=())) for b in branches):
        return []
    common = [n for n in records[0].required if all(n in r.required for r in records)]
    for name in common:
        found = [_scalar_values(meaning.shape(demand_for(record, name))) for record in records]
        if all(found):
            return [values for values in found if values is not None]
    return []


def _scalar_values(shape: Shape) -> frozenset[object] | None:
    """The values of a shape of finitely many scalars; None for other shapes."""
    if shape.arrays or shape.objects:
        return None
    values: set[object] = {("atom", bit) for bit in (1, 2, 4) if shape.atoms & bit}
    for number in shape.numbers:
        if number.values is None:
            return None
        values |= number.values
    for record in shape.strings:
        if record.values is None:
            return None
        values |= record.values
    return frozenset(values)


def _none(meaning: Meaning, shape: Shape, nodes: tuple[int, ...], _: str, __: bool) -> Shape:
    return meaning.without(shape, nodes[0])


def _conditional(
    meaning: Meaning, shape: Shape, nodes: tuple[int, ...], _: str, first: bool
) -> Shape:
    condition, then, otherwise = nodes
    holds = _every(meaning, shape, (condition,), "", first)
    fails = meaning.without(shape, condition)
    return join(
        [
            _every(meaning, holds, (then,), "", first),
            _every(meaning, fails, (otherwise,), "", first),
        ]
    )


def _when_present(
    meaning: Meaning, shape: Shape, nodes: tuple[int, ...], name: str, _: bool
) -> Shape:
    """The node's schema where the object has the property; anything where it has not."""
    if not shape.objects:
        return shape
    absent = Object(named={name: NOTHING})
    needed = meaning.signed(nodes[0]).objects
    choices: tuple[tuple[Object, ...], ...] = ((absent, *needed),)
    if len(needed) == 1 and needed[0] == Object(required=needed[0].required):
        choices = tuple((absent, Object(required={n: None})) for n in needed[0].required)
    return meet(shape, ANY._replace(objects=(Object(either=choices),)), meaning)


def _names(meaning: Meaning, shape: Shape, nodes: tuple[int, ...], _: str, __: bool) -> Shape:
    """Objects whose every key is a string of the node's shape."""
    allowed = meaning.signed(nodes[0])
    wrong = minus(ANY, allowed, meaning).strings
    if not wrong:
        return shape
    record = Object(clauses=tuple(Member(keys, NOTHING) for keys in wrong))
    return meet(shape, ANY._replace(objects=(record,)), meaning)


OPERATIONS: dict[str, Operation] = {
    "all": _every,
    "any": _some,
    "one": _exactly_one,
    "not": _none,
    "if": _conditional,
    "when": _when_present,
    "names": _names,
}
