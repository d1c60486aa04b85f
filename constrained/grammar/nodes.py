"""The node kinds of the grammar, as values that never change. Meanings: see the package docstring.

Specs are made of hundreds of them, so they are plain classes: compiled, their attributes are fixed
and read-only, and one is made in a few dozen nanoseconds.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

__all__ = [
    "Alt",
    "And",
    "Bytes",
    "Cat",
    "Chars",
    "Empty",
    "Lexeme",
    "Literal",
    "Literals",
    "Node",
    "Not",
    "Nothing",
    "Ranges",
    "Ref",
    "Repeat",
    "Substrings",
]

Ranges = tuple[tuple[int, int], ...]
"""Inclusive ranges: sorted, disjoint, never adjacent (`build.ranges_of` makes them so)."""


class Node:
    """Any node of a grammar: a value, equal to nodes of its kind that hold equal things."""

    __match_args__: ClassVar[tuple[str, ...]] = ()
    """The names of what it holds, in order."""

    def held(self) -> tuple[Any, ...]:
        """What it holds, in order."""
        return tuple([getattr(self, name) for name in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Node) and type(self) is type(other) and self.held() == other.held()

    def __hash__(self) -> int:
        # Of parts only the kinds count: they may nest more deeply than a stack of calls.
        return hash((type(self), tuple(map(_without_parts, self.held()))))

    def __repr__(self) -> str:
        named = zip(self.__match_args__, self.held(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in named)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.held()


def _without_parts(value: object) -> object:
    if isinstance(value, Node):
        return type(value)
    if isinstance(value, tuple) and value and isinstance(value[0], Node):
        return tuple(map(type, value))
    return value


class Nothing(Node):
    """The empty set."""


class Empty(Node):
    """The empty string."""


class Literal(Node):
    """One non-empty byte string."""

    __match_args__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data: Final = data


class Literals(Node):
    """A finite set of at least two byte strings, sorted and distinct."""

    __match_args__ = ("options",)

    def __init__(self, options: tuple[bytes, ...]) -> None:
        self.options: Final = options


class Chars(Node):
    """One Unicode scalar value (never a surrogate) from the ranges, encoded in UTF-8."""

    __match_args__ = ("ranges",)

    def __init__(self, ranges: Ranges) -> None:
        self.ranges: Final = ranges


class Bytes(Node):
    """One byte from the ranges."""

    __match_args__ = ("ranges",)

    def __init__(self, ranges: Ranges) -> None:
        self.ranges: Final = ranges


class Substrings(Node):
    """A piece of one text that is not empty, between any two of its cuts.

    `cuts` are places in the text, in order and without its ends, which are cuts as well; None is
    before every character. At least one cut, or the node is a `Literal`.
    """

    __match_args__ = ("data", "cuts")

    def __init__(self, data: bytes, cuts: tuple[int, ...] | None) -> None:
        self.data: Final = data
        self.cuts: Final = cuts


class Cat(Node):
    """Concatenation of at least two parts."""

    __match_args__ = ("parts",)

    def __init__(self, parts: tuple[Node, ...]) -> None:
        self.parts: Final = parts


class Alt(Node):
    """Union of at least two parts."""

    __match_args__ = ("parts",)

    def __init__(self, parts: tuple[Node, ...]) -> None:
        self.parts: Final = parts


class Repeat(Node):
    """`least` to `most` copies of `body`; `most` None means no upper bound."""

    __match_args__ = ("body", "least", "most")

    def __init__(self, body: Node, least: int, most: int | None) -> None:
        self.body: Final = body
        self.least: Final = least
        self.most: Final = most


class Ref(Node):
    """The rule of that name."""

    __match_args__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name: Final = name


class And(Node):
    """Intersection of at least two regular parts."""

    __match_args__ = ("parts",)

    def __init__(self, parts: tuple[Node, ...]) -> None:
        self.parts: Final = parts


class Not(Node):
    """All byte strings that the regular body does not match."""

    __match_args__ = ("body",)

    def __init__(self, body: Node) -> None:
        self.body: Final = body


class Lexeme(Node):
    """The same set as `body`, marked as a piece whose masks are shared."""

    __match_args__ = ("body",)

    def __init__(self, body: Node) -> None:
        self.body: Final = body
