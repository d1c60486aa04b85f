"""The node kinds of the grammar, as frozen values. Meanings: see the package docstring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = [
    "Alt",
    "And",
    "Bytes",
    "Cat",
    "Chars",
    "Empty",
    "Grammar",
    "LaterRules",
    "Lexeme",
    "Literal",
    "Literals",
    "Node",
    "Not",
    "Nothing",
    "Ranges",
    "Ref",
    "Repeat",
]

Ranges = tuple[tuple[int, int], ...]
"""Inclusive ranges: sorted, disjoint, never adjacent (`build.ranges_of` makes them so)."""


class Node:
    """Any node of a grammar."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Nothing(Node):
    """The empty set."""


@dataclass(frozen=True, slots=True)
class Empty(Node):
    """The empty string."""


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """One non-empty byte string."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Literals(Node):
    """A finite set of at least two byte strings, sorted and distinct."""

    options: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Chars(Node):
    """One Unicode scalar value (never a surrogate) from the ranges, encoded in UTF-8."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Bytes(Node):
    """One byte from the ranges."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Cat(Node):
    """Concatenation of at least two parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alt(Node):
    """Union of at least two parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat(Node):
    """`least` to `most` copies of `body`; `most` None means no upper bound."""

    body: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Ref(Node):
    """The rule of that name."""

    name: str


@dataclass(frozen=True, slots=True)
class And(Node):
    """Intersection of at least two regular parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    """All byte strings that the regular body does not match."""

    body: Node


@dataclass(frozen=True, slots=True)
class Lexeme(Node):
    """The same set as `body`, marked as a piece whose masks are shared."""

    body: Node


class LaterRules(Mapping[str, Node]):
    """Rules whose bodies are made when they are first looked up.

    An engine looks those that `may_wait` up when it needs them. That is a promise: their bodies
    match something, and never the empty text.
    """

    def may_wait(self, name: str) -> bool:  # noqa: ARG002 - what a rule is called may decide
        """Whether the promise holds for this rule."""
        return True

    def must_wait(self, name: str) -> bool:  # noqa: ARG002 - as `may_wait`
        """Whether to make the body only when a state needs it, however near it is.

        For rules that may wait and whose bodies take long to make.
        """
        return False


@dataclass(frozen=True)
class Grammar:
    """A start node and the rules that its `Ref` nodes name.

    >>> from constrained.grammar import Grammar, literal
    >>> Grammar(literal("yes")).start
    Literal(data=b'yes')
    """

    start: Node
    rules: Mapping[str, Node] = field(default_factory=lambda: MappingProxyType({}))
