"""The syntax tree of a regular expression: what both dialects parse to.

Flags and group names are gone (neither changes which whole strings match), and classes are
resolved to code point ranges. Every kind that may have to be refused keeps the position where it
stands in the pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from constrained.errors import InvalidSpec, UnsupportedSpec
from constrained.grammar.nodes import Ranges

__all__ = [
    "Anchor",
    "Atomic",
    "BackReference",
    "Boundary",
    "CharSet",
    "Choice",
    "Conditional",
    "Group",
    "Look",
    "Quantified",
    "Sequence",
    "Side",
    "Syntax",
    "Text",
    "invalid",
    "unsupported",
]


class Syntax:
    """Any part of a parsed pattern."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Text(Syntax):
    """Exactly these characters (at least one, no surrogates)."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class CharSet(Syntax):
    """One character from the ranges."""

    ranges: Ranges


@dataclass(frozen=True, slots=True, eq=False)
class Sequence(Syntax):
    """One part after the other; no parts: the empty string."""

    parts: tuple[Syntax, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Choice(Syntax):
    """One of at least two options."""

    options: tuple[Syntax, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Quantified(Syntax):
    """`least` to `most` times the body.

    Lazy: as few as possible, which matters only inside an `Atomic`. Possessive: never giving back
    what it took.
    """

    body: Syntax
    least: int
    most: int | None
    position: int
    lazy: bool = False
    possessive: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Atomic(Syntax):
    """The first way in which the body matches, and no other."""

    body: Syntax
    position: int


class Side(Enum):
    """Where an `Anchor` holds."""

    START = "the start of the text"
    LINE_START = "the start of a line"
    END = "the end of the text"
    LAST_END = "the end of the text, or before the newline that ends it"
    LINE_END = "the end of a line"


@dataclass(frozen=True, slots=True, eq=False)
class Anchor(Syntax):
    """Holds at a side; `negative`: holds everywhere else."""

    side: Side
    position: int
    negative: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Boundary(Syntax):
    """Holds between a character of `word` and something else; `negative`: everywhere else.

    `other` is every character not in `word`. `on_empty` is what holds in the empty text, where
    Python (before 3.14) and ECMA-262 differ.
    """

    word: Ranges
    other: Ranges
    position: int
    negative: bool
    on_empty: bool


@dataclass(frozen=True, slots=True, eq=False)
class Look(Syntax):
    """Holds where the body matches from here on (`ahead`) or up to here; `negative`: elsewhere."""

    body: Syntax
    position: int
    ahead: bool
    negative: bool


@dataclass(frozen=True, slots=True, eq=False)
class Group(Syntax):
    """A capturing group; the name is None where it has none."""

    body: Syntax
    position: int
    number: int
    name: str | None


@dataclass(frozen=True, slots=True, eq=False)
class BackReference(Syntax):
    """The text that the group of that number or name matched; `body` is the group's, if known."""

    key: int | str
    body: Syntax | None
    position: int
    ignoring_case: bool


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Syntax):
    """One of two options (a `Choice`), by whether a group took part in the match."""

    body: Syntax
    position: int


def _place(where: str, position: int) -> str:
    return f"{where}, position {position}" if where else f"position {position}"


def invalid(where: str, position: int, problem: str, hint: str = "") -> InvalidSpec:
    """The error for a malformed pattern; `position` counts characters from 0."""
    return InvalidSpec(problem, where=_place(where, position), hint=hint)


def unsupported(
    where: str, position: int, feature: str, problem: str, hint: str
) -> UnsupportedSpec:
    """The error for a pattern that is well formed but cannot be compiled exactly."""
    return UnsupportedSpec(feature, problem, where=_place(where, position), hint=hint)
