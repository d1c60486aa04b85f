"""What is left of a grammar when a vocabulary cannot spell every character."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import islice, pairwise
from unicodedata import category

from constrained.errors import VocabularyError
from constrained.grammar.build import (
    NOTHING,
    byte_class,
    char_class,
    literals,
    ranges_in_both,
    ranges_minus,
    ranges_of,
    repeat,
    substrings,
)
from constrained.grammar.nodes import (
    And,
    Bytes,
    Chars,
    Literal,
    Literals,
    Node,
    Not,
    Nothing,
    Ranges,
    Substrings,
)
from constrained.grammar.passes.analysis import without_dead_parts
from constrained.grammar.passes.references import reachable_rules
from constrained.grammar.passes.walk import Memo, fold, rebuilt, union
from constrained.grammar.printing import print_node
from constrained.grammar.rules import Grammar
from constrained.grammar.spelling import Spelling

__all__ = ["Loss", "restrict"]

SHOWN = 8
SHOWN_PARTS = 4

PLANES = (range(0x40000), range(0xE0000, 0xF0000))
"""Where characters are: no version of Unicode has any elsewhere."""

NO_CHARACTERS = frozenset(["Cn", "Co", "Cs"])
"""Categories of code points: not assigned, for private use, surrogates."""

CONTROLS = ((0, 8), (11, 12), (14, 31), (0x7F, 0x9F))
"""The control characters that are no white space."""

STRAY = re.compile("([\udc80-\udcff]+)")
"""Bytes that are no text on their own, as `surrogateescape` writes them."""


@dataclass
class Loss:
    """What of a grammar cannot be spelled.

    `parts`: texts and classes of which nothing is left. `characters`: those that other classes
    lost. Classes that take code points without a character as well (`.`, the inside of a JSON
    string) lose only what people write: no such code points, no control characters but tab, line
    feed and carriage return. `example`: instead, where it is known, a text that is lost.
    """

    parts: dict[Node, None] = field(default_factory=dict)
    characters: Ranges = ()
    example: str | None = None

    def __str__(self) -> str:
        if self.example is not None:
            return f"some outputs, such as {self.example!r}"
        parts = ", ".join(print_node(node) for node in islice(self.parts, SHOWN_PARTS))
        if len(self.parts) > SHOWN_PARTS:
            parts += f" and {len(self.parts) - SHOWN_PARTS} more"
        if not self.characters:
            return parts
        points = (point for low, high in self.characters for point in range(low, high + 1))
        names = ", ".join(repr(chr(point)) for point in islice(points, SHOWN))
        count = sum(high - low + 1 for low, high in self.characters)
        if count > SHOWN:
            names = f"{count:,} characters ({names}, ...)"
        return f"{parts}, and in other classes {names}" if parts else names

    def __bool__(self) -> bool:
        return bool(self.parts or self.characters) or self.example is not None


def restrict(grammar: Grammar, spelling: Spelling | None, loss: Loss | None = None) -> Grammar:
    """The part of the language that can be written with the characters of `spelling`.

    None means that everything can (every byte is a token): the same object comes back, and no
    rule is looked at. A literal stays when pieces can be joined to it. Bytes that are no text on
    their own stay when some piece has them; a complement on its own stands for whole texts of the
    characters. What goes is added to `loss`.

    Raises `VocabularyError`, naming some of the characters that are missing, when nothing is left.

    >>> from constrained.grammar import char_class
    >>> some = Spelling([b"a", b"b"])
    >>> restrict(Grammar(char_class("aé€")), some).start == char_class("a")
    True
    """
    if spelling is None:
        return grammar
    restriction = _Restriction(spelling, Loss() if loss is None else loss)
    memo: Memo[Node] = {}
    start = fold(grammar.start, restriction.of, memo)
    rules = {n: fold(grammar.rules[n], restriction.of, memo) for n in reachable_rules(grammar)}
    if start is grammar.start and all(rules[name] is grammar.rules[name] for name in rules):
        return grammar
    left = without_dead_parts(Grammar(start, rules))
    if isinstance(left.start, Nothing):
        missing = ", ".join(f"{char!r}" for char in sorted(restriction.missing)[:SHOWN])
        raise VocabularyError(
            f"the tokenizer cannot spell the spec: it has no tokens for {missing}"
            " (use a tokenizer that has them, or ask for other characters)"
        )
    return left


class _Restriction:
    def __init__(self, spelling: Spelling, loss: Loss) -> None:
        self.spelling = spelling
        self.ranges = spelling.characters.ranges
        self.texts = repeat(char_class(*self.ranges))
        spelled = byte_class(*((byte, byte) for byte in spelling.bytes))
        self.bytes: Ranges = spelled.ranges if isinstance(spelled, Bytes) else ()
        self.missing: set[str] = set()
        self.classes: dict[Ranges, Node] = {}
        self.loss = loss

    def of(self, node: Node, below: list[Node]) -> Node:
        match node:
            case Literal(data):
                return node if self.keeps(node, data) else NOTHING
            case Literals(options):
                kept = [option for option in options if self.keeps(Literal(option), option)]
                return node if len(kept) == len(options) else literals(kept)
            case Substrings(data, cuts):
                return self.substrings(node, data, cuts)
            case Chars(ranges):
                return self.chars(node, ranges)
            case Bytes(ranges):
                both = ranges_in_both(ranges, self.bytes)
                return node if both == ranges else byte_class(*both)
            case Not():
                return And((node, self.texts))
            case And(parts):
                # A complement beside a part that is restricted already needs no bound of its own.
                bounded = any(not isinstance(part, Not) for part in parts)
                pairs = zip(parts, below, strict=True)
                return rebuilt(
                    node, [p if bounded and isinstance(p, Not) else new for p, new in pairs]
                )
        return rebuilt(node, below)

    def substrings(self, node: Node, data: bytes, cuts: tuple[int, ...] | None) -> Node:
        """Pieces of what lies between units that cannot be spelled."""
        if self.spells(data):
            return node
        kept: list[Node] = []
        begin, inner = 0, list[int]()
        if cuts is None:
            cuts = tuple(i for i, byte in enumerate(data) if i and byte & 0xC0 != 0x80)
        for low, high in pairwise((0, *cuts, len(data))):
            if not self.keeps(Literal(data[low:high]), data[low:high]):
                kept.append(substrings(data[begin:low], [cut - begin for cut in inner]))
                begin, inner = high, []
            else:
                inner.append(high)
        kept.append(substrings(data[begin:], [cut - begin for cut in inner]))
        return union(kept)

    def keeps(self, node: Node, data: bytes) -> bool:
        spelled = self.spells(data)
        if not spelled:
            self.loss.parts[node] = None
        return spelled

    def spells(self, data: bytes) -> bool:
        if self.spelling.joins(data):
            return True
        # Bytes that are no text of their own may be a part of a character: judged by the byte.
        spelled = True
        for part in STRAY.split(data.decode("utf-8", "surrogateescape")):
            if STRAY.match(part):
                spelled &= self.spelling.bytes.issuperset(part.encode("utf-8", "surrogateescape"))
            elif not self.spelling.joins(part.encode("utf-8")):
                spelled = False
                lost = (char for char in part if char not in self.spelling.characters)
                self.missing.update(islice(lost, SHOWN))
        return spelled

    def chars(self, node: Node, ranges: Ranges) -> Node:
        if ranges not in self.classes:
            both = ranges_in_both(ranges, self.ranges)
            self.classes[ranges] = node if both == ranges else char_class(*both)
            if both != ranges:
                lost = ranges_minus(ranges, self.ranges)
                points = (point for low, high in lost for point in range(low, high + 1))
                self.missing.update(map(chr, islice(points, SHOWN)))
                if not both:
                    self.loss.parts[node] = None
                else:
                    noticed = _noticed(lost, ranges)
                    self.loss.characters = ranges_of((*self.loss.characters, *noticed))
        return self.classes[ranges]


@cache
def _characters() -> Ranges:
    """The code points that are characters, of every use."""
    found: list[tuple[int, int]] = []
    for plane in PLANES:
        marks = "".join(" " if category(chr(p)) in NO_CHARACTERS else "." for p in plane)
        found += [
            (plane[0] + run.start(), plane[0] + run.end() - 1) for run in re.finditer(r"\.+", marks)
        ]
    return ranges_of(found)


def _noticed(lost: Ranges, ranges: Ranges) -> Ranges:
    """The characters of `lost`, a part of `ranges`, that a `Loss` speaks of."""
    beyond = ranges_of((plane[0], plane[-1]) for plane in PLANES)
    written = ranges_minus(ranges_in_both(lost, beyond), CONTROLS)
    if ranges_minus(lost, beyond):  # known without the table of all characters
        return ranges_in_both(written, _characters()) if written else ()
    if ranges_minus(ranges, _characters()):
        return ranges_in_both(written, _characters())
    return lost
