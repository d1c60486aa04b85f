"""`Levels`: the levels of one facet, numbered in the order of the file, each known by its name.

Names are compared as they are written. Two that differ only in their kind (``1`` and ``"1"``), in
blanks around them, or in that one is left out, would become one level without a word: an error
names both places instead.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from constrained.consistency.importing.fields import text_of, written
from constrained.errors import RecordError

__all__ = ["Levels"]


class Levels:
    """The levels of the facet `facet`; `where` says where a row of the file stands.

    `named` makes the name of a level of what a file holds (and raises `RecordError`, without a
    place, for what is none).
    """

    def __init__(
        self, facet: str, named: Callable[[Any], Any], where: Callable[[int], str]
    ) -> None:
        self.facet = facet
        self.named = named
        self.where = where
        self.names: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._codes: dict[Hashable, int] = {}
        self._written: list[Any] = []
        self._rows = array("q")

    def codes(self, values: Sequence[Any], first_row: int) -> list[int]:
        """The numbers of what stands in some rows one after another."""
        plain = all(value.__class__ is str for value in values)
        keys = values if plain else [_key(value) for value in values]
        known = self._codes
        if not known.keys() >= set(keys):
            for place, key in enumerate(keys):
                if key not in known:
                    known[key] = self._enter(values[place], first_row + place)
        return [known[key] for key in keys]

    def code(self, name: Any, value: Any, row: int) -> int:
        """The number of the level `name`, which stands as `value` in a row."""
        key = (name, _key(value))
        known = self._codes.get(key)
        if known is None:
            known = self._codes[key] = self._number(name, value, row)
        return known

    def _enter(self, value: Any, row: int) -> int:
        try:
            name = self.named(value)
        except RecordError as error:
            raise RecordError(f"{self.where(row)}: {error}") from error
        return self._number(name, value, row)

    def _number(self, name: Any, value: Any, row: int) -> int:
        if value.__class__ is float and not math.isfinite(value):  # what was left out, mostly
            raise RecordError(f"{self.where(row)}: {value} names no {self.facet}")
        known = self._numbers.get(name)
        if known is None:
            known = self._numbers[name] = len(self.names)
            self.names.append(name)
            self._written.append(value)
            self._rows.append(row)
            return known
        first = self._written[known]
        if _kind(value) != _kind(first) if isinstance(name, float) else _differ(value, first):
            raise RecordError(
                f"{self.where(row)}: the {self.facet} {name!r} is {written(value)} here and "
                f"{written(first)} at {self.where(self._rows[known])}; write it in one way, or "
                "in ways that stay apart"
            )
        return known


def _kind(value: Any) -> bool:
    """Whether a number is given at all: 1, 1.0 and "1.0" are one temperature."""
    return _key(value) == _key(None)


def _differ(one: Any, other: Any) -> bool:
    return _key(one) != _key(other)


def _key(value: Any) -> Hashable:
    """What tells two values of a file apart: 1, 1.0, true and "1" are four."""
    if value.__class__ is str and value.strip():
        return str(value)
    if value.__class__ is str:
        value = None
    if value is None or isinstance(value, (bool, int)):
        return (value.__class__, value)
    return (value.__class__, text_of(value) if not isinstance(value, float) else repr(value))
