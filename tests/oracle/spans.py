"""Where a grammar matches inside a text, straight from the meaning of each node."""

from __future__ import annotations

from constrained.grammar import (
    Alt,
    And,
    Bytes,
    Cat,
    Chars,
    Empty,
    Grammar,
    Lexeme,
    Literal,
    Literals,
    Node,
    Not,
    Nothing,
    Ref,
    Repeat,
    Substrings,
)

__all__ = ["OracleError", "matches", "pieces", "spans"]

Ends = frozenset[int]


class OracleError(Exception):
    """The grammar has no meaning, or names a rule that it does not have."""


def matches(grammar: Grammar, data: bytes) -> bool:
    """Whether the whole of `data` is in the grammar's language."""
    return len(data) in spans(grammar, data)


def spans(grammar: Grammar, data: bytes, start: int = 0) -> Ends:
    """The positions at which a match that begins at `start` can end."""
    return _Spans(grammar, data).solve(grammar.start, start)


def pieces(text: bytes, cuts: tuple[int, ...] | None) -> set[bytes]:
    """What lies between two cuts of `text`: every pair of them."""
    if cuts is None:
        cuts = tuple(i for i, byte in enumerate(text) if byte & 0xC0 != 0x80)
    places = sorted({0, *cuts, len(text)})
    return {text[begin:end] for begin in places for end in places if begin < end}


def char_at(data: bytes, position: int) -> tuple[int, int] | None:
    """The code point that begins at `position` and the position after it; None if none does."""
    for length in range(1, 5):
        piece = data[position : position + length]
        if len(piece) == length:
            try:
                text = piece.decode("utf-8")
            except UnicodeDecodeError:
                continue
            return ord(text), position + length
    return None


class _Spans:
    """The table (node, position) -> ends found so far; it only grows, until nothing changes."""

    def __init__(self, grammar: Grammar, data: bytes) -> None:
        self.rules = grammar.rules
        self.data = data
        self.found: dict[tuple[int, int], Ends] = {}
        self.alive: dict[int, Node] = {}  # ids stay valid while the nodes are held
        self.complements: dict[tuple[int, int], Ends | None] = {}

    def solve(self, node: Node, position: int) -> Ends:
        while True:
            self.changed = False
            ends = self.ends(node, position, set())
            if not self.changed:
                return ends

    def ends(self, node: Node, position: int, seen: set[tuple[int, int]]) -> Ends:
        key = (id(node), position)
        self.alive[id(node)] = node
        if key in seen:
            return self.found.get(key, frozenset())
        seen.add(key)
        before = self.found.get(key, frozenset())
        after = before | self.look(node, position, seen)
        if after != before:
            self.changed = True
            self.found[key] = after
        return after

    def look(self, node: Node, position: int, seen: set[tuple[int, int]]) -> Ends:
        data = self.data
        match node:
            case Nothing():
                return frozenset()
            case Empty():
                return frozenset([position])
            case Literal(text):
                return self.look(Literals((text,)), position, seen)
            case Literals(options):
                return frozenset(
                    position + len(o) for o in options if data[position : position + len(o)] == o
                )
            case Substrings(text, cuts):
                return self.look(Literals(tuple(pieces(text, cuts))), position, seen)
            case Chars(ranges):
                char = char_at(data, position)
                hit = char is not None and any(low <= char[0] <= high for low, high in ranges)
                return frozenset([char[1]]) if char is not None and hit else frozenset()
            case Bytes(ranges):
                byte = data[position] if position < len(data) else -1
                hit = any(low <= byte <= high for low, high in ranges)
                return frozenset([position + 1]) if hit else frozenset()
            case Cat(parts):
                here = frozenset([position])
                for part in parts:
                    here = self.step(part, here, seen)
                return here
            case Alt(parts):
                return frozenset().union(*(self.ends(part, position, seen) for part in parts))
            case And(parts):
                return frozenset.intersection(*(self.ends(p, position, seen) for p in parts))
            case Not(body):
                return self.complement(body, position)
            case Lexeme(body):
                return self.ends(body, position, seen)
            case Ref(name):
                if name not in self.rules:
                    raise OracleError(f"no rule {name!r}")
                return self.ends(self.rules[name], position, seen)
            case Repeat(body, least, most):
                return self.copies(body, least, most, position, seen)
        raise OracleError(f"unknown node {node!r}")

    def step(self, node: Node, here: Ends, seen: set[tuple[int, int]]) -> Ends:
        return frozenset().union(*(self.ends(node, position, seen) for position in here))

    def copies(
        self, body: Node, least: int, most: int | None, position: int, seen: set[tuple[int, int]]
    ) -> Ends:
        here = frozenset([position])
        for _ in range(least):
            after = self.step(body, here, seen)
            if after == here:  # nothing changes any more, however many copies are left
                break
            here = after
        reached, count = here, least
        while most is None or count < most:
            here = self.step(body, here, seen)
            if here <= reached:  # and so is every later step
                break
            reached |= here
            count += 1
        return reached

    def complement(self, body: Node, position: int) -> Ends:
        key = (id(body), position)
        self.alive[id(body)] = body
        if key in self.complements:
            known = self.complements[key]
            if known is None:
                raise OracleError("a rule needs its own complement")
            return known
        self.complements[key] = None
        inside = self.solve(body, position)  # complete, before it is turned round
        self.changed = True  # it may have filled the table behind the caller's back
        outside = frozenset(range(position, len(self.data) + 1)) - inside
        self.complements[key] = outside
        return outside
