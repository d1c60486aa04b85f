"""How many characters a part of a pattern can match: fewest and most."""

from __future__ import annotations

from functools import reduce

from constrained.spec.regex.syntax import (
    Anchor,
    Atomic,
    BackReference,
    Boundary,
    CharSet,
    Choice,
    Conditional,
    Group,
    Look,
    Quantified,
    Sequence,
    Syntax,
    Text,
)

__all__ = ["NO_WIDTH", "Width", "either_width", "sum_width", "times_width", "width"]

Width = tuple[int, int | None]
"""Fewest and most characters; most None: no bound."""

NO_WIDTH: Width = (0, 0)


def sum_width(one: Width, other: Width) -> Width:
    """The width of one part after the other."""
    unbounded = one[1] is None or other[1] is None
    return one[0] + other[0], None if unbounded else (one[1] or 0) + (other[1] or 0)


def either_width(one: Width, other: Width) -> Width:
    """The width of one part or the other."""
    unbounded = one[1] is None or other[1] is None
    return min(one[0], other[0]), None if unbounded else max(one[1] or 0, other[1] or 0)


def times_width(body: Width, least: int, most: int | None) -> Width:
    """The width of `least` to `most` copies."""
    if body[1] == 0 or most == 0:
        return 0, 0
    return body[0] * least, None if body[1] is None or most is None else body[1] * most


def width(tree: Syntax, known: dict[int, Width] | None = None) -> Width:
    """Fewest and most characters that the tree matches.

    >>> from constrained.spec.regex.syntax import Quantified, Text
    >>> width(Quantified(Text("ab"), 1, 3, 0))
    (2, 6)
    """
    known = {} if known is None else known  # back-references share their groups' trees
    if id(tree) not in known:
        known[id(tree)] = _width(tree, known)
    return known[id(tree)]


def _width(tree: Syntax, known: dict[int, Width]) -> Width:
    match tree:
        case Text(text):
            return len(text), len(text)
        case CharSet():
            return 1, 1
        case Sequence(parts):
            return reduce(sum_width, (width(part, known) for part in parts), NO_WIDTH)
        case Choice(options):
            return reduce(either_width, (width(option, known) for option in options))
        case Quantified(body, least, most):
            return times_width(width(body, known), least, most)
        case BackReference(body=None):
            return 0, None
        case Atomic(body) | Group(body) | Conditional(body) | BackReference(body=Syntax() as body):
            return width(body, known)
        case Look() | Anchor() | Boundary():
            return NO_WIDTH
    raise TypeError(f"no width for {tree!r}")
