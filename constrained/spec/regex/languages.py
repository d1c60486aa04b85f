"""What one can ask of a node without running it: its part that is empty, starts or ends somehow.

Each function denotes an exact intersection: `empty_part(n)` is n with the set of the empty string,
`edge_in(n, r)` is n with the strings whose first character is in r, and so on. They work on the
structure and fall back on `And` where the structure does not tell.

`Hole` stands for what follows a repeat that is being solved (`loops`); it only occurs at the end
of a `Cat`, and its share is known exactly as far as these functions ask.
"""

from __future__ import annotations

from constrained.errors import LimitExceeded
from constrained.grammar import (
    ANY_CHAR,
    EMPTY,
    NOTHING,
    Alt,
    And,
    Cat,
    Chars,
    Empty,
    Literal,
    Literals,
    Node,
    Not,
    Nothing,
    Repeat,
    alt,
    cat,
    char_class,
    complement,
    intersect,
    literal,
    literals,
    repeat,
)
from constrained.grammar.build import ranges_minus, ranges_of
from constrained.grammar.nodes import Ranges
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.regex.classes import ALL, NEWLINE, disjoint, holds, one_of, within
from constrained.spec.regex.holes import Hole, Share

__all__ = [
    "ANY_TEXT",
    "Languages",
    "NotLinear",
    "alphabet",
    "character_set",
]

ANY_TEXT = repeat(ANY_CHAR)


class NotLinear(Exception):
    """A repeat's body asks of what follows it more than its holes can tell."""


def character_set(node: Node) -> Ranges | None:
    """The ranges of a node that matches single characters only; None for any other node."""
    match node:
        case Chars(ranges):
            return ranges
        case Literal(data) if len(data) <= 4 and len(data.decode("utf-8")) == 1:
            return one_of(data.decode("utf-8"))
        case Literals(options) if all(len(o) <= 4 and len(o.decode("utf-8")) == 1 for o in options):
            return one_of(b"".join(options).decode("utf-8"))
        case Alt(parts):
            sets = [character_set(part) for part in parts]
            known = [pair for ranges in sets if ranges is not None for pair in ranges]
            return None if None in sets else ranges_of(known)
    return None


def alphabet(node: Node) -> Ranges:
    """A set that holds every character of every string of the node."""
    match node:
        case Chars(ranges):
            return ranges
        case Literal(data):
            return one_of(data.decode("utf-8"))
        case Literals(options):
            return one_of(b"".join(options).decode("utf-8"))
        case Cat(parts) | Alt(parts):
            return ranges_of(pair for part in parts for pair in alphabet(part))
        case Repeat(body):
            return alphabet(body)
        case Empty() | Nothing():
            return ()
    return ALL


def _edge(data: bytes, last: bool) -> int:
    """The first or last code point of some UTF-8."""
    text = (data[-4:] if last else data[:4]).decode("utf-8", "ignore")
    return ord(text[-1] if last else text[0])


class Languages:
    """The functions, with one bound on the work of them all.

    Raises `LimitExceeded` when one pattern asks for more than `Limits.max_nodes` node visits.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.visits = 0
        self._most_visits = limits.max_nodes
        self._sizes: dict[int, tuple[Node, int, int]] = {}

    def spend(self, visits: int) -> None:
        """Count work; too much raises `LimitExceeded`."""
        self.visits += visits
        if self.visits > self._most_visits:
            raise LimitExceeded("max_nodes", self._most_visits, "compiling a regular expression")

    def size(self, node: Node) -> tuple[int, int]:
        """How many nodes there are when written out, and how deep they nest."""
        known = self._sizes.get(id(node))
        if known is not None:
            return known[1:]
        count, depth = 1, 1
        for child in _children(node):
            child_count, child_depth = self.size(child)
            count += child_count
            depth = max(depth, child_depth + 1)
        self._sizes[id(node)] = (node, count, depth)  # holding the node keeps its id its own
        return count, depth

    def either(self, *parts: Node) -> Node:
        """Union, of nodes that may be large: comparing them counts as work."""
        kept = list({id(part): part for part in parts if not isinstance(part, Nothing)}.values())
        if len(kept) > 1:
            self.spend(sum(self.size(part)[0] for part in kept))
        if any(isinstance(part, Empty) for part in kept):
            others = [part for part in kept if not isinstance(part, Empty)]
            return repeat(alt(*others), 0, 1) if self._plain(others) else alt(*kept)
        return alt(*kept)

    def _plain(self, nodes: list[Node]) -> bool:
        return bool(nodes) and not any(self.has_hole(node) for node in nodes)

    def has_hole(self, node: Node) -> bool:
        """Whether a hole stands at the end of the node."""
        self.spend(1)
        match node:
            case Hole():
                return True
            case Cat(parts):
                return self.has_hole(parts[-1])
            case Alt(parts):
                return any(self.has_hole(part) for part in parts)
        return False

    def both(self, *parts: Node) -> Node:
        """Intersection; `NotLinear` for holes."""
        kept = [part for part in parts if part is not ANY_TEXT]
        if any(self.has_hole(part) for part in kept):
            raise NotLinear
        self.spend(sum(self.size(part)[0] for part in kept))
        return intersect(*kept) if kept else ANY_TEXT

    def without(self, node: Node, removed: Node) -> Node:
        """What `node` matches and `removed` does not."""
        if isinstance(removed, Nothing) or isinstance(node, Nothing):
            return node
        if isinstance(removed, Empty):
            return self.edge_in(node, ALL)
        if removed is ANY_TEXT:
            return NOTHING
        if self.has_hole(node) or self.has_hole(removed):
            raise NotLinear
        self.spend(self.size(node)[0] + self.size(removed)[0])
        return intersect(node, complement(removed))

    # Parts.

    def nullable(self, node: Node) -> bool:
        """Whether the node (without holes) matches the empty string."""
        return isinstance(self.empty_part(node), Empty)

    def empty_part(self, node: Node) -> Node:
        """The node, if it matches the empty string, cut down to that."""
        self.spend(1)
        match node:
            case Empty():
                return EMPTY
            case Literals(options):
                return EMPTY if b"" in options else NOTHING
            case Cat(parts):
                found: Node = EMPTY
                for part in parts:
                    found = cat(found, self.empty_part(part))
                    if isinstance(found, Nothing):
                        break
                return found
            case Alt(parts):
                return alt(*(self.empty_part(part) for part in parts))
            case Repeat(body, least, _):
                return EMPTY if least == 0 else self.empty_part(body)
            case And(parts):
                return EMPTY if all(self.nullable(part) for part in parts) else NOTHING
            case Not(body):
                return NOTHING if self.nullable(body) else EMPTY
            case Hole(share="all"):
                raise NotLinear
            case Hole(share=share):
                return node if share == "empty" else NOTHING
        return NOTHING

    def newline_part(self, node: Node) -> Node:
        """The node, if it matches the string of one newline, cut down to that."""
        self.spend(1)
        newline = literal("\n")
        match node:
            case Literal(data):
                return newline if data == b"\n" else NOTHING
            case Literals(options):
                return newline if b"\n" in options else NOTHING
            case Chars(ranges):
                return newline if holds(ranges, ord("\n")) else NOTHING
            case Cat(parts):
                return self._newline_in(parts)
            case Alt(parts):
                return alt(*(self.newline_part(part) for part in parts))
            case Repeat(body, least, _):
                return self.newline_part(body) if least <= 1 or self.nullable(body) else NOTHING
            case And(parts):
                found = [self.newline_part(part) for part in parts]
                return NOTHING if any(isinstance(part, Nothing) for part in found) else newline
            case Not(body):
                return newline if isinstance(self.newline_part(body), Nothing) else NOTHING
            case Hole(share="all"):
                raise NotLinear
            case Hole(share=share):
                return node if share == "newline" else NOTHING
        return NOTHING

    def _newline_in(self, parts: tuple[Node, ...]) -> Node:
        """One part is the newline and all others are empty; only the last can have a hole."""
        empties = [self.empty_part(part) for part in parts]
        filled = [i for i, part in enumerate(empties) if isinstance(part, Nothing)]
        if len(filled) > 1:
            return NOTHING
        last = len(parts) - 1
        tail = empties[last]
        return alt(
            *(
                self.newline_part(parts[i]) if i == last else cat(self.newline_part(parts[i]), tail)
                for i in filled or range(len(parts))
            )
        )

    def edge_in(self, node: Node, ranges: Ranges, *, last: bool = False) -> Node:
        """What starts (or, with `last`, ends) with a character of the ranges; never empty.

        The node itself where nothing is lost. `last` is for nodes without holes.
        """
        self.spend(1)
        match node:
            case Empty() | Nothing():
                return NOTHING
            case Literal(data):
                return node if holds(ranges, _edge(data, last)) else NOTHING
            case Literals(options):
                kept = [o for o in options if o and holds(ranges, _edge(o, last))]
                self.spend(len(options))
                return node if len(kept) == len(options) else literals(kept)
            case Chars(own):
                return node if within(own, ranges) else _common(own, ranges)
            case Cat(parts):
                return self._edge_of_parts(node, parts, ranges, last)
            case Alt(parts):
                cut = [self.edge_in(part, ranges, last=last) for part in parts]
                return node if all(c is p for c, p in zip(cut, parts, strict=True)) else alt(*cut)
            case Repeat(body, least, most):
                return self._edge_of_repeat(node, body, least, most, ranges, last)
            case And(parts):
                return intersect(self.edge_in(parts[0], ranges, last=last), *parts[1:])
            case Hole(share=share):
                return self._edge_of_hole(node, share, ranges)
        edge = char_class(*ranges)
        return self.both(node, cat(ANY_TEXT, edge) if last else cat(edge, ANY_TEXT))

    def _edge_of_hole(self, node: Node, share: Share, ranges: Ranges) -> Node:
        if share == "empty":
            return NOTHING
        if share == "all":
            raise NotLinear
        own = NEWLINE if share == "newline" else share
        if not isinstance(own, tuple) or not (within(own, ranges) or disjoint(own, ranges)):
            raise NotLinear
        return node if within(own, ranges) else NOTHING

    def _edge_of_parts(
        self, node: Node, parts: tuple[Node, ...], ranges: Ranges, last: bool
    ) -> Node:
        ordered = parts[::-1] if last else parts
        options: list[Node] = []
        for i, part in enumerate(ordered):
            cut = self.edge_in(part, ranges, last=last)
            if cut is part and not options:
                return node
            rest = ordered[i + 1 :]
            self.spend(len(rest))
            options.append(cat(*rest[::-1], cut) if last else cat(cut, *rest))
            if not self.nullable(part):
                break
        return self.either(*options)

    def _edge_of_repeat(
        self, node: Node, body: Node, least: int, most: int | None, ranges: Ranges, last: bool
    ) -> Node:
        cut = self.edge_in(body, ranges, last=last)
        if cut is body:  # the body is not empty then
            return node if least else repeat(body, 1, most)
        fewer = 0 if self.nullable(body) else max(least - 1, 0)
        others = repeat(body, fewer, None if most is None else most - 1)
        return cat(others, cut) if last else cat(cut, others)


def _common(ranges: Ranges, other: Ranges) -> Node:
    kept = ranges_minus(ranges, ranges_minus(ranges, other))
    if len(kept) == 1 and kept[0][0] == kept[0][1]:
        return literal(chr(kept[0][0]))
    return char_class(*kept)


def _children(node: Node) -> tuple[Node, ...]:
    match node:
        case Cat(parts) | Alt(parts) | And(parts):
            return parts
        case Repeat(body) | Not(body):
            return (body,)
    return ()
