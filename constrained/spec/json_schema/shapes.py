"""The canonical form of a schema: for each JSON type, a union of constraint records.

A *shape* is the set of values a schema allows, sorted by type: three bits for null, false and
true, and for numbers, strings, arrays and objects a tuple of records whose union is meant. A
record is a conjunction of constraints on one type, with demands on sub-schemas (see `records`).

Shapes are closed under intersection (`meet`) and difference (`minus`); every applicator of JSON
Schema is one of these. The idea of pushing negation down by type is from Habib et al., "Finding
Data Compatibility Bugs with JSON Subschema Checking" (2021), and Attouche et al., "Witness
Generation for JSON Schema" (2022).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from constrained.spec.json_schema.array_records import meet_arrays, without_array
from constrained.spec.json_schema.key_sets import met_plainly
from constrained.spec.json_schema.number_records import meet_numbers, without_number
from constrained.spec.json_schema.object_records import is_fact, meet_objects, without_object
from constrained.spec.json_schema.records import (
    ANY_ARRAY,
    ANY_NUMBER,
    ANY_OBJECT,
    ANY_STRING,
    Array,
    Judge,
    Number,
    Object,
    String,
)
from constrained.spec.json_schema.string_records import without_string

__all__ = [
    "ANY",
    "FALSE",
    "NEVER",
    "NULL",
    "TRUE",
    "Shape",
    "join",
    "meet",
    "minus",
    "unite",
]

R = TypeVar("R")

NULL, FALSE, TRUE = 1, 2, 4


class Shape(NamedTuple):
    """A set of JSON values."""

    atoms: int
    numbers: tuple[Number, ...]
    strings: tuple[String, ...]
    arrays: tuple[Array, ...]
    objects: tuple[Object, ...]


NUMBERS, STRINGS, ARRAYS, OBJECTS = (ANY_NUMBER,), (ANY_STRING,), (ANY_ARRAY,), (ANY_OBJECT,)
ANY = Shape(NULL | FALSE | TRUE, NUMBERS, STRINGS, ARRAYS, OBJECTS)
NEVER = Shape(0, (), (), (), ())


def join(shapes: list[Shape]) -> Shape:
    """The union."""
    if len(shapes) == 1:
        return shapes[0]
    atoms = 0
    numbers: list[Number] = []
    strings: list[String] = []
    arrays: list[Array] = []
    objects: list[Object] = []
    for shape in shapes:
        atoms |= shape.atoms
        numbers += shape.numbers
        strings += shape.strings
        arrays += shape.arrays
        objects += shape.objects
    return Shape(
        atoms,
        NUMBERS if ANY_NUMBER in numbers else _numbers(numbers),
        STRINGS if ANY_STRING in strings else _strings(strings),
        ARRAYS if ANY_ARRAY in arrays else tuple(dict.fromkeys(arrays)),
        OBJECTS if ANY_OBJECT in objects else tuple(objects),
    )


def _numbers(records: list[Number]) -> tuple[Number, ...]:
    """Each record once, and finite sets as one: a hundred constants are no hundred records."""
    values = [record.values for record in records if record.values is not None]
    if len(values) < 2:
        return tuple(dict.fromkeys(records))
    rest = dict.fromkeys(record for record in records if record.values is None)
    return (Number(values=frozenset().union(*values)), *rest)


def _strings(records: list[String]) -> tuple[String, ...]:
    """As `_numbers`."""
    values = [record.values for record in records if record.values is not None]
    if len(values) < 2:
        return tuple(dict.fromkeys(records))
    rest = dict.fromkeys(record for record in records if record.values is None)
    return (String(values=frozenset().union(*values)), *rest)


def unite(a: Shape, b: Shape) -> Shape:
    """The union, where choices of single facts about objects become one choice."""
    both = join([a, b])
    choices = [r.either[0] for r in both.objects if _is_choice(r)]
    if len(choices) < 2:
        return both
    rest = tuple(record for record in both.objects if not _is_choice(record))
    united = tuple(option for choice in choices for option in choice)
    return both._replace(objects=(*rest, Object(either=(united,))))


def _is_choice(record: Object) -> bool:
    return (
        len(record.either) == 1
        and record == Object(either=record.either)
        and all(is_fact(option) for option in record.either[0])
    )


def meet(a: Shape, b: Shape, judge: Judge) -> Shape:
    """The intersection."""
    if a is ANY or a is b:
        return b
    if b is ANY:
        return a
    return Shape(
        a.atoms & b.atoms,
        _product(a.numbers, b.numbers, ANY_NUMBER, meet_numbers, judge),
        _product(a.strings, b.strings, ANY_STRING, lambda x, y: met_plainly(x, y, judge), judge),
        _product(a.arrays, b.arrays, ANY_ARRAY, lambda x, y: meet_arrays(x, y, judge), judge),
        _product(a.objects, b.objects, ANY_OBJECT, lambda x, y: meet_objects(x, y, judge), judge),
    )


def _product(
    a: tuple[R, ...], b: tuple[R, ...], whole: R, both: Callable[[R, R], R | None], judge: Judge
) -> tuple[R, ...]:
    if not a or not b or a is b:
        return a and b
    if a[0] is whole:
        return b
    if b[0] is whole:
        return a
    judge.charge(len(a) * len(b))
    return tuple(met for x in a for y in b if (met := both(x, y)) is not None)


def minus(a: Shape, b: Shape, judge: Judge) -> Shape:
    """The values of `a` that are not in `b`."""
    return Shape(
        a.atoms & ~b.atoms,
        _difference(a.numbers, b.numbers, ANY_NUMBER, meet_numbers, without_number, judge),
        _difference(
            a.strings,
            b.strings,
            ANY_STRING,
            lambda x, y: met_plainly(x, y, judge),
            without_string,
            judge,
        ),
        _difference(
            a.arrays,
            b.arrays,
            ANY_ARRAY,
            lambda x, y: meet_arrays(x, y, judge),
            lambda x: without_array(x, judge),
            judge,
        ),
        _difference(
            a.objects,
            b.objects,
            ANY_OBJECT,
            lambda x, y: meet_objects(x, y, judge),
            lambda x: without_object(x, judge),
            judge,
        ),
    )


def _difference(
    a: tuple[R, ...],
    b: tuple[R, ...],
    whole: R,
    both: Callable[[R, R], R | None],
    complement: Callable[[R], list[R]],
    judge: Judge,
) -> tuple[R, ...]:
    if not a or not b:
        return a
    if b[0] is whole:
        return ()
    kept = list(a)
    for gone in b:
        rest: list[R] = []
        pieces: list[R] | None = None
        for record in kept:
            if record is not whole and both(record, gone) is None:
                rest.append(record)
                continue
            if pieces is None:
                pieces = complement(gone)
            judge.charge(len(pieces) + 1)
            for piece in pieces:
                met = piece if record is whole else both(record, piece)
                if met is not None:
                    rest.append(met)
        kept = rest
    return tuple(kept)
