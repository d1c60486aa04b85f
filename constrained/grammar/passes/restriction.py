"""What is left of a grammar when a vocabulary cannot spell every character."""

from __future__ import annotations

from collections.abc import Iterator

from constrained.errors import VocabularyError
from constrained.grammar.build import NOTHING, byte_class, char_class, literals, repeat
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
)
from constrained.grammar.passes.analysis import without_dead_parts
from constrained.grammar.passes.references import reachable_rules
from constrained.grammar.passes.walk import Memo, fold, rebuilt
from constrained.grammar.rules import Grammar

__all__ = ["restrict"]

SHOWN = 8


def restrict(
    grammar: Grammar, spellable: frozenset[str] | None, lost: list[Node] | None = None
) -> Grammar:
    """The part of the language that can be written with the characters of `spellable`.

    None means that everything can (every byte is a token): the same object comes back, and no
    rule is looked at. Bytes that are no text on their own stay when they begin or continue some
    character of `spellable`; a complement on its own stands for whole texts of its characters.
    Texts and classes of which nothing is left are appended to `lost`, each once.

    Raises `VocabularyError`, naming some of the characters that are missing, when nothing is left.

    >>> from constrained.grammar import char_class
    >>> restrict(Grammar(char_class("aé€")), frozenset("ab")).start == char_class("a")
    True
    """
    if spellable is None:
        return grammar
    restriction = _Restriction(spellable)
    memo: Memo[Node] = {}
    start = fold(grammar.start, restriction.of, memo)
    rules = {n: fold(grammar.rules[n], restriction.of, memo) for n in reachable_rules(grammar)}
    if lost is not None:
        lost += dict.fromkeys(restriction.lost)
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
    def __init__(self, spellable: frozenset[str]) -> None:
        self.spellable = spellable
        chars = char_class("".join(spellable))
        self.ranges: Ranges = chars.ranges if isinstance(chars, Chars) else ()
        self.texts = repeat(chars)
        used = {byte for char in spellable for byte in char.encode("utf-8", "surrogatepass")}
        spelled = byte_class(*((byte, byte) for byte in used))
        self.bytes: Ranges = spelled.ranges if isinstance(spelled, Bytes) else ()
        self.missing: set[str] = set()
        self.classes: dict[Ranges, Node] = {}
        self.lost: list[Node] = []

    def of(self, node: Node, below: list[Node]) -> Node:
        match node:
            case Literal(data):
                return node if self.keeps(node, data) else NOTHING
            case Literals(options):
                kept = [option for option in options if self.keeps(Literal(option), option)]
                return node if len(kept) == len(options) else literals(kept)
            case Chars(ranges):
                return self.chars(node, ranges)
            case Bytes(ranges):
                both = tuple(_common(ranges, self.bytes))
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

    def keeps(self, node: Node, data: bytes) -> bool:
        spelled = self.spells(data)
        if not spelled:
            self.lost.append(node)
        return spelled

    def spells(self, data: bytes) -> bool:
        # Bytes that are no text of their own may be a part of a character: judged by the byte.
        text = data.decode("utf-8", "surrogateescape")
        lost = {
            char
            for char in text
            if char not in self.spellable
            and not ("\udc80" <= char <= "\udcff" and self.has_byte(ord(char) - 0xDC00))
        }
        if len(self.missing) < SHOWN:
            self.missing |= {char for char in lost if not "\udc80" <= char <= "\udcff"}
        return not lost

    def has_byte(self, byte: int) -> bool:
        return any(low <= byte <= high for low, high in self.bytes)

    def chars(self, node: Node, ranges: Ranges) -> Node:
        if ranges not in self.classes:
            both = tuple(_common(ranges, self.ranges))
            self.classes[ranges] = node if both == ranges else char_class(*both)
            if not both and ranges:
                self.lost.append(node)
            if both != ranges and len(self.missing) < SHOWN:
                firsts = (chr(point) for low, high in ranges for point in range(low, high + 1))
                lost = (char for char in firsts if char not in self.spellable)
                self.missing.update(char for _, char in zip(range(SHOWN), lost, strict=False))
        return self.classes[ranges]


def _common(left: Ranges, right: Ranges) -> Iterator[tuple[int, int]]:
    """The values in both; both sorted and disjoint."""
    i = j = 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low <= high:
            yield low, high
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
