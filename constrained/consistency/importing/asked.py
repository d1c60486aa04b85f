"""Whether two judgements asked the same: what makes them draws of one cell, or refuses them.

Two scores are draws of one cell only when everything that was asked is equal. What differs is a
level of a facet (another prompt, variant, temperature) or an error that names it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from constrained.consistency.importing.fields import shown
from constrained.consistency.importing.judgements import UNKNOWN
from constrained.errors import RecordError

__all__ = ["Asked", "agree", "check_one_measure"]


class Asked:
    """What was asked in each of some groups (rooms, cells), by name, with the place it stands.

    `remedy` says how to tell groups apart; names in `ignore` may differ.
    """

    def __init__(self, remedy: str, ignore: Collection[str] = ()) -> None:
        self.remedy = remedy
        self.ignore = frozenset(ignore)
        self.seen: set[str] = set()
        self._known: dict[Any, tuple[int, Mapping[str, Any], str]] = {}
        self._merged: dict[Any, dict[str, tuple[Any, str]]] = {}

    def add(self, group: Any, asked: Mapping[str, Any], where: str) -> None:
        """Note what was asked; `RecordError` when another judgement of the group asked else."""
        known = self._known.get(group)
        if known is None:
            self._known[group] = (id(asked), asked, where)
            self.seen |= asked.keys()
        elif known[0] != id(asked):  # whole logs share one mapping: nothing to compare
            self._compare(group, asked, where)

    def _compare(self, group: Any, asked: Mapping[str, Any], where: str) -> None:
        _, first, place = self._known[group]
        merged = self._merged.setdefault(group, {k: (v, place) for k, v in first.items()})
        self.seen |= asked.keys()
        for name in [*merged, *(name for name in asked if name not in merged)]:
            value = asked.get(name)
            known, at = merged.get(name, (None, place))
            if known is UNKNOWN and value is not UNKNOWN:
                merged[name] = (value, where)
            elif name not in self.ignore:
                agree(name, value, where, known, at, self.remedy)


def check_one_measure(
    option: str, used: Iterable[tuple[str, str]], ignore: Collection[str] = ()
) -> None:
    """`RecordError` when files are scored by different measures, each the only one of its file.

    `used` holds (file, measure); `option` is the reader's option that chooses one.

    >>> check_one_measure("metric", [("a.json", "grade"), ("b.json", "grade")])
    """
    known = [(path, name) for path, name in used if name]
    for path, name in known[1:]:
        first, other = known[0]
        if name != other and option not in ignore:
            raise RecordError(
                f"{path}: holds scores by {name!r}, {first} by {other!r}; choose one with "
                f"{option}=..., or say that it may differ with ignore=[{option!r}]"
            )


def agree(name: str, value: Any, where: str, known: Any, at: str, remedy: str) -> None:
    """`RecordError` unless two judgements asked the same under one name."""
    if value is UNKNOWN or known is UNKNOWN or _same(value, known):
        return
    raise RecordError(
        f"{where}: asks in another way than in {at}: {name} is {shown(value)} here and "
        f"{shown(known)} there; {remedy}"
    )


def _same(one: Any, other: Any) -> bool:
    """Equal, and of one kind: True is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
