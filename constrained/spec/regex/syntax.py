"""The syntax tree of a regular expression: what both dialects parse to.

Flags and group names are gone (neither changes which whole strings match), and classes are
resolved to code point ranges. Every kind that may have to be refused keeps the position where it
stands in the pattern.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar, Final, TypeVar

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
    "changed",
    "invalid",
    "unsupported",
]


class Syntax:
    """Any part of a parsed pattern; it never changes, and is equal to itself alone."""

    __match_args__: ClassVar[tuple[str, ...]] = ()
    """The names of what it holds, in order."""

    def held(self) -> tuple[Any, ...]:
        """What it holds, in order."""
        return tuple([getattr(self, name) for name in self.__match_args__])

    def __repr__(self) -> str:
        named = zip(self.__match_args__, self.held(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in named)})"


S = TypeVar("S", bound=Syntax)


def changed(tree: S, **changes: Any) -> S:
    """A part like `tree` but for what is named."""
    named = zip(tree.__match_args__, tree.held(), strict=True)
    return type(tree)(*[changes.get(name, value) for name, value in named])


class Text(Syntax):
    """Exactly these characters (at least one, no surrogates)."""

    __match_args__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text: Final = text


class CharSet(Syntax):
    """One character from the ranges."""

    __match_args__ = ("ranges",)

    def __init__(self, ranges: Ranges) -> None:
        self.ranges: Final = ranges


class Sequence(Syntax):
    """One part after the other; no parts: the empty string."""

    __match_args__ = ("parts",)

    def __init__(self, parts: tuple[Syntax, ...]) -> None:
        self.parts: Final = parts


class Choice(Syntax):
    """One of at least two options; where they are `ordered`, an `Atomic` tries them in turn."""

    __match_args__ = ("options", "ordered")

    def __init__(self, options: tuple[Syntax, ...], ordered: bool = True) -> None:
        self.options: Final = options
        self.ordered: Final = ordered


class Quantified(Syntax):
    """`least` to `most` times the body.

    Lazy: as few as possible, which matters only inside an `Atomic`. Possessive: never giving back
    what it took.
    """

    __match_args__ = ("body", "least", "most", "position", "lazy", "possessive")

    def __init__(
        self,
        body: Syntax,
        least: int,
        most: int | None,
        position: int,
        lazy: bool = False,
        possessive: bool = False,
    ) -> None:
        self.body: Final = body
        self.least: Final = least
        self.most: Final = most
        self.position: Final = position
        self.lazy: Final = lazy
        self.possessive: Final = possessive


class Atomic(Syntax):
    """The first way in which the body matches, and no other."""

    __match_args__ = ("body", "position")

    def __init__(self, body: Syntax, position: int) -> None:
        self.body: Final = body
        self.position: Final = position


class Side(Enum):
    """Where an `Anchor` holds."""

    START = "the start of the text"
    LINE_START = "the start of a line"
    END = "the end of the text"
    LAST_END = "the end of the text, or before the newline that ends it"
    LINE_END = "the end of a line"


class Anchor(Syntax):
    """Holds at a side; `negative`: holds everywhere else."""

    __match_args__ = ("side", "position", "negative")

    def __init__(self, side: Side, position: int, negative: bool = False) -> None:
        self.side: Final = side
        self.position: Final = position
        self.negative: Final = negative


class Boundary(Syntax):
    """Holds between a character of `word` and something else; `negative`: everywhere else.

    `other` is every character not in `word`. `on_empty` is what holds in the empty text, where
    Python (before 3.14) and ECMA-262 differ.
    """

    __match_args__ = ("word", "other", "position", "negative", "on_empty")

    def __init__(
        self, word: Ranges, other: Ranges, position: int, negative: bool, on_empty: bool
    ) -> None:
        self.word: Final = word
        self.other: Final = other
        self.position: Final = position
        self.negative: Final = negative
        self.on_empty: Final = on_empty


class Look(Syntax):
    """Holds where the body matches from here on (`ahead`) or up to here; `negative`: elsewhere."""

    __match_args__ = ("body", "position", "ahead", "negative")

    def __init__(self, body: Syntax, position: int, ahead: bool, negative: bool) -> None:
        self.body: Final = body
        self.position: Final = position
        self.ahead: Final = ahead
        self.negative: Final = negative


class Group(Syntax):
    """A capturing group; the name is None where it has none."""

    __match_args__ = ("body", "position", "number", "name")

    def __init__(self, body: Syntax, position: int, number: int, name: str | None) -> None:
        self.body: Final = body
        self.position: Final = position
        self.number: Final = number
        self.name: Final = name


class BackReference(Syntax):
    """The text that the group of that number or name matched; `body` is the group's, if known.

    `same`: what each code point of that text may be, where case is ignored. `reason`: why the
    reference could not be written out.
    """

    __match_args__ = ("key", "body", "position", "same", "reason")

    def __init__(
        self,
        key: int | str,
        body: Syntax | None,
        position: int,
        same: Callable[[int], Ranges] | None = None,
        reason: str = "",
    ) -> None:
        self.key: Final = key
        self.body: Final = body
        self.position: Final = position
        self.same: Final = same
        self.reason: Final = reason


class Conditional(Syntax):
    """One of two options (a `Choice`), by whether the group `key` took part in the match."""

    __match_args__ = ("body", "key", "position", "reason")

    def __init__(self, body: Syntax, key: int, position: int, reason: str = "") -> None:
        self.body: Final = body
        self.key: Final = key
        self.position: Final = position
        self.reason: Final = reason


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
