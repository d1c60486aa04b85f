"""Functions that build normalised nodes; front ends use these, never the classes directly.

Normal form: no `Cat` inside `Cat` (but see `followed`), no `Alt` inside `Alt`, no `Nothing` or
`Empty` where it can be absorbed, adjacent `Literal` parts joined, ranges sorted and merged. All
functions are pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import lru_cache
from operator import lt

from constrained.grammar.nodes import (
    Alt,
    And,
    Bytes,
    Cat,
    Chars,
    Empty,
    Lexeme,
    Literal,
    Literals,
    Node,
    Not,
    Nothing,
    Ranges,
    Repeat,
    Substrings,
)

__all__ = [
    "ANY_BYTE",
    "ANY_CHAR",
    "EMPTY",
    "MAX_CODE_POINT",
    "NOTHING",
    "SURROGATES",
    "alt",
    "byte_class",
    "cat",
    "char_class",
    "complement",
    "followed",
    "intersect",
    "lexeme",
    "literal",
    "literals",
    "minus",
    "optional",
    "ranges_in_both",
    "ranges_minus",
    "ranges_of",
    "repeat",
    "substrings",
]

NOTHING = Nothing()
EMPTY = Empty()
MAX_CODE_POINT = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)


def ranges_of(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """Sort, drop the empty ones and merge overlapping or adjacent ranges."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if high < low:
            continue
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def ranges_minus(ranges: Ranges, removed: Ranges) -> Ranges:
    """The values in `ranges` that are not in `removed`; both normalised."""
    kept: list[tuple[int, int]] = []
    first = 0  # the first cut that can still matter; Unicode classes have hundreds of ranges
    for low, high in ranges:
        while first < len(removed) and removed[first][1] < low:
            first += 1
        for i in range(first, len(removed)):
            cut_low, cut_high = removed[i]
            if cut_low > high:
                break
            if cut_low > low:
                kept.append((low, cut_low - 1))
            low = cut_high + 1
            if low > high:
                break
        if low <= high:
            kept.append((low, high))
    return tuple(kept)


def ranges_in_both(left: Ranges, right: Ranges) -> Ranges:
    """The values in both; both normalised."""
    both: list[tuple[int, int]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low <= high:
            both.append((low, high))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(both)


def literal(text: str | bytes) -> Node:
    """Exactly this text (UTF-8) or these bytes; the empty text is `Empty`."""
    data = text.encode("utf-8") if isinstance(text, str) else bytes(text)
    return Literal(data) if data else EMPTY


def literals(texts: Iterable[str | bytes]) -> Node:
    """Exactly one of these texts."""
    options = sorted({t.encode("utf-8") if isinstance(t, str) else bytes(t) for t in texts})
    if not options:
        return NOTHING
    return Literals(tuple(options)) if len(options) > 1 else literal(options[0])


def substrings(text: str | bytes, cuts: Iterable[int] | None = None) -> Node:
    """A piece of the text that is not empty, between any two of its ends and cuts.

    Cuts are byte offsets; None is before every character.
    """
    data = text.encode("utf-8") if isinstance(text, str) else bytes(text)
    if not data:
        return NOTHING
    if cuts is None:
        whole = all(byte & 0xC0 == 0x80 for byte in data[1:])
        return Literal(data) if whole else Substrings(data, None)
    places = list(cuts)
    if not all(map(lt, places, places[1:])):
        places = sorted(set(places))
    inner = tuple(places[bisect_right(places, 0) : bisect_left(places, len(data))])
    return Substrings(data, inner) if inner else Literal(data)


@lru_cache(maxsize=4096)
def _chars(ranges: Ranges) -> Node:
    return Chars(ranges) if ranges else NOTHING


def char_class(*pairs: tuple[int, int] | str) -> Node:
    """One character from code point ranges, or from the characters of a text.

    Surrogates are left out: UTF-8 cannot encode them.
    """
    flat: list[tuple[int, int]] = []
    for pair in pairs:
        if isinstance(pair, str):
            flat.extend((ord(c), ord(c)) for c in pair)
        else:
            flat.append(pair)
    return _chars(ranges_minus(ranges_of(flat), (SURROGATES,)))


def byte_class(*pairs: tuple[int, int]) -> Node:
    """One byte from the ranges."""
    ranges = ranges_of(pairs)
    return Bytes(ranges) if ranges else NOTHING


ANY_CHAR = char_class((0, MAX_CODE_POINT))
ANY_BYTE = byte_class((0, 255))


def cat(*parts: Node) -> Node:
    """Concatenation."""
    flat: list[Node] = []
    for part in parts:
        kind = type(part)
        if kind is Cat:
            pieces = part.parts  # type: ignore[attr-defined]
            if type(pieces[0]) is Literal and flat and type(flat[-1]) is Literal:
                flat[-1] = Literal(flat[-1].data + pieces[0].data)
                flat += pieces[1:]
            else:
                flat += pieces
        elif kind is Literal and flat and type(last := flat[-1]) is Literal:
            flat[-1] = Literal(last.data + part.data)  # type: ignore[attr-defined]
        elif kind is Nothing:
            return NOTHING
        elif kind is not Empty:
            flat.append(part)
    if len(flat) == 1:
        return flat[0]
    return Cat(tuple(flat)) if flat else EMPTY


def followed(*parts: Node, by: Node) -> Node:
    """The parts, then `by`, which stays a node of its own: for rests that many places share."""
    first = cat(*parts)
    if isinstance(by, (Nothing, Empty)) or isinstance(first, (Nothing, Empty)):
        return cat(first, by)
    return Cat((*(first.parts if isinstance(first, Cat) else (first,)), by))


_INNER = frozenset((Alt, And, Cat, Lexeme, Not, Repeat))


def _distinct(parts: list[Node]) -> tuple[Node, ...]:
    """The parts in order, once each: leaves by value, inner nodes by identity.

    Comparing inner nodes by value would walk whole trees again at every level.
    """
    kept: dict[object, Node] = {}
    for part in parts:
        kept.setdefault(id(part) if type(part) in _INNER else part, part)
    return tuple(kept.values())


def alt(*parts: Node) -> Node:
    """Union; duplicates go, order is kept."""
    if len(parts) == 1:
        return parts[0]
    flat: list[Node] = []
    for part in parts:
        kind = type(part)
        if kind is Alt:
            flat += part.parts  # type: ignore[attr-defined]
        elif kind is not Nothing:
            flat.append(part)
    if len(flat) > 1:
        distinct = _distinct(flat)
        return distinct[0] if len(distinct) == 1 else Alt(distinct)
    return flat[0] if flat else NOTHING


def repeat(body: Node, least: int = 0, most: int | None = None) -> Node:
    """`least` to `most` copies of `body`; no upper bound when `most` is None."""
    if least < 0 or (most is not None and most < least):
        raise ValueError(f"repeat needs 0 <= least <= most, got {least} and {most}")
    if most == 0 or isinstance(body, Empty):
        return EMPTY
    if isinstance(body, Nothing):
        return EMPTY if least == 0 else NOTHING
    return body if (least, most) == (1, 1) else Repeat(body, least, most)


def optional(body: Node) -> Node:
    """`body` or the empty string."""
    return repeat(body, 0, 1)


def intersect(*parts: Node) -> Node:
    """Intersection of regular nodes."""
    flat: list[Node] = []
    for part in parts:
        if isinstance(part, Nothing):
            return NOTHING
        flat.extend(part.parts if isinstance(part, And) else (part,))
    distinct = _distinct(flat)
    if not distinct:
        raise ValueError("intersect needs at least one node")
    return distinct[0] if len(distinct) == 1 else And(distinct)


def complement(body: Node) -> Node:
    """All byte strings (valid UTF-8 or not) that `body` does not match; body must be regular."""
    return body.body if isinstance(body, Not) else Not(body)


def minus(body: Node, *removed: Node) -> Node:
    """What `body` matches and none of `removed` does; all regular."""
    gone = alt(*removed)
    return body if isinstance(gone, Nothing) else intersect(body, complement(gone))


def lexeme(body: Node) -> Node:
    """Mark a piece (string, number) whose masks are shared between places and grammars."""
    trivial = isinstance(body, (Nothing, Empty, Literal, Chars, Bytes, Lexeme))
    return body if trivial else Lexeme(body)
