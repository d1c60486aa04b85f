"""The values that satisfy a demand, written out, where they are few."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

from constrained.spec.json_schema.array_records import item_demand
from constrained.spec.json_schema.number_records import whole_values
from constrained.spec.json_schema.records import Array, Demand, Object
from constrained.spec.json_schema.regions import unnamed_regions
from constrained.spec.json_schema.scalars import few_texts

if TYPE_CHECKING:
    from constrained.spec.json_schema.meaning import Meaning

__all__ = ["finite_values", "identity"]

DEEPEST = 4
"""Arrays and objects nested deeper are not written out."""

ABSENT = object()
"""In place of the value of an optional member that is left out."""


class _Many(Exception):
    """There are more values than asked for, or they were not counted."""


def identity(value: Any) -> Hashable:
    """Equal for values that JSON Schema calls equal: numbers by value, members in any order.

    >>> identity([1, {"a": True}]) == identity([1.0, {"a": 1}])
    False
    >>> identity({"a": 0.5, "b": []}) == identity({"b": [], "a": Fraction(1, 2)})
    True
    """
    if isinstance(value, list):
        return ("array", tuple(identity(item) for item in value))
    if isinstance(value, dict):
        return ("object", frozenset((key, identity(item)) for key, item in value.items()))
    if isinstance(value, (bool, str)) or value is None:
        return (type(value).__name__, value)
    return ("number", Fraction(repr(value)) if isinstance(value, float) else Fraction(value))


def finite_values(meaning: Meaning, demand: Demand, most: int) -> list[Any] | None:
    """The values of a demand, each once; None when there are more than `most`, or may be.

    Numbers that are not whole are fractions.
    """
    try:
        return _Lister(meaning, most).values(demand, DEEPEST)
    except _Many:
        return None


class _Lister:
    def __init__(self, meaning: Meaning, most: int) -> None:
        self.meaning = meaning
        self.most = most

    def values(self, demand: Demand, depth: int) -> list[Any]:
        shape = self.meaning.shape(demand)
        if depth == 0 and (shape.arrays or shape.objects):
            raise _Many
        found: list[Any] = [v for b, v in ((1, None), (2, False), (4, True)) if shape.atoms & b]
        for number in shape.numbers:
            found += self._known(whole_values(number, self.most))
        for text in shape.strings:
            found += self._known(few_texts(text, self.most))
        for array in shape.arrays:
            found += self._arrays(array, depth - 1)
        for record in shape.objects:
            found += self._objects(record, depth - 1)
        return self._few(found)

    def _known(self, values: Any) -> list[Any]:
        if values is None:
            raise _Many
        return list(values)

    def _few(self, values: list[Any]) -> list[Any]:
        kept = list({identity(value): value for value in values}.values())
        if len(kept) > self.most:
            raise _Many
        return kept

    def _arrays(self, record: Array, depth: int) -> list[Any]:
        if record.contains:
            raise _Many
        rows: list[list[Any]] = [[]]
        found = rows if record.least == 0 else []
        while rows and (record.most is None or len(rows[0]) < record.most):
            length = len(rows[0])
            items = self.values(item_demand(record, length), depth)
            if len(rows) * len(items) > 4 * self.most:
                raise _Many
            rows = [[*row, item] for row in rows for item in items]
            if length + 1 >= record.least:
                found = [*found, *rows]
            if length > self.most:
                raise _Many
        return list(filter(_kept(record), found))

    def _objects(self, record: Object, depth: int) -> list[Any]:
        open_ = unnamed_regions(record, lambda demand: not self.meaning.dead(demand), self.meaning)
        if record.some or record.either or open_ or record.required.keys() - record.named.keys():
            raise _Many
        choices = []
        size = 1
        for name, demand in record.named.items():
            values = [] if self.meaning.dead(demand) else self.values(demand, depth)
            choices.append(values if name in record.required else [ABSENT, *values])
            size *= len(choices[-1])
            if size > 4 * self.most:
                raise _Many
        return list(self._members(record, choices))

    def _members(self, record: Object, choices: list[list[Any]]) -> Iterator[Any]:
        for row in product(*choices):
            value = {n: v for n, v in zip(record.named, row, strict=True) if v is not ABSENT}
            if len(value) >= record.least and (record.most is None or len(value) <= record.most):
                yield value


def _kept(record: Array) -> Callable[[list[Any]], bool]:
    def kept(items: list[Any]) -> bool:
        different = len({identity(item) for item in items}) == len(items)
        return not (record.unique and not different) and not (record.repeating and different)

    return kept
