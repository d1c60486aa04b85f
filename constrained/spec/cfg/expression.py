"""Building nodes from the parts of an EBNF expression, with a stack instead of recursion."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from constrained.errors import InvalidSpec
from constrained.grammar import ANY_CHAR, Node, alt, cat, intersect, minus, repeat
from constrained.grammar.text import line_and_column

__all__ = ["Builder", "Group", "Token", "characters", "fail", "known_names"]

LARGEST = 10**6
DEEPEST = 25_000
"""Brackets in brackets, or repetitions of repetitions: each is walked over many times."""

ESCAPE = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<other>.))",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a grammar's text: its kind, the piece, where it begins in the whole text."""

    kind: str
    text: str
    offset: int
    first: bool = False
    """Whether it is the first on its line."""
    value: object = None


def fail(text: str, offset: int, problem: str, hint: str = "") -> InvalidSpec:
    """The error for a mistake at `offset` of the grammar's text."""
    return InvalidSpec(problem, where=line_and_column(text, offset), hint=hint)


def known_names(names: Iterable[str], most: int = 12) -> str:
    """Names for an error's hint, the first ones of a long list."""
    known = sorted(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return (", ".join(known[:most]) or "none") + more


def characters(
    text: str, token: Token, body: str, escapes: Mapping[str, str]
) -> Iterator[tuple[str, bool]]:
    """The characters that `body`, a part of `token`, writes, and whether each was escaped."""
    offset = 0
    while offset < len(body):
        if body[offset] != "\\":
            yield body[offset], False
            offset += 1
            continue
        match = ESCAPE.match(body, offset)
        if match is None or (match["other"] and match["other"] not in escapes):
            raise fail(
                text,
                token.offset,
                f"unknown escape {body[offset : offset + 2]} in {token.text}",
                r"write \\ for a backslash",
            )
        offset = match.end()
        if match["other"]:
            yield escapes[match["other"]], True
            continue
        point = int(match["x"] or match["u"] or match["U"], 16)
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            raise fail(text, token.offset, f"{match[0]} is no character")
        yield chr(point), True


@dataclass(slots=True)
class Group:
    """What has been read since an opening bracket (or of a whole definition)."""

    opened: Token
    arguments: list[Node] = field(default_factory=list)
    alternatives: list[Node] = field(default_factory=list)
    sequence: list[Node] = field(default_factory=list)
    conjuncts: list[Node] = field(default_factory=list)
    complement: Token | None = None
    """The ``~`` that the next part belongs to."""
    last: Node | None = None
    repeats: int = 0
    """How often the last part is repeated: ``a*`` once, ``a*?+`` three times."""
    complemented: bool = False
    """Whether the last part is a complement, which must be in brackets to be repeated."""

    def end_part(self) -> None:
        """The last part is complete: nothing repeats it any more."""
        if self.last is not None:
            self.sequence.append(self.last)
            self.last = None

    def end_conjunct(self) -> None:
        """What has been read since the last ``&`` is a part of an intersection."""
        self.end_part()
        self.conjuncts.append(cat(*self.sequence))
        self.sequence = []

    def end_alternative(self) -> None:
        """What has been read since the last ``|`` is an alternative; it may be empty."""
        self.end_conjunct()
        self.alternatives.append(intersect(*self.conjuncts))
        self.conjuncts = []

    def node(self) -> Node:
        """The union of the alternatives."""
        self.end_alternative()
        node = alt(*self.alternatives)
        self.alternatives = []
        return node


class Builder:
    """The open groups of one definition, innermost last."""

    def __init__(self, text: str, first: Token) -> None:
        self.text = text
        self.groups = [Group(first)]

    @property
    def group(self) -> Group:
        """The innermost open group."""
        return self.groups[-1]

    @property
    def nested(self) -> bool:
        """Whether a bracket is open."""
        return len(self.groups) > 1

    def part(self, node: Node) -> None:
        """The next part of the sequence."""
        self.group.end_part()
        if self.group.complement is not None:
            node = minus(repeat(ANY_CHAR), node)
            self.group.complement = None
            self.group.complemented = True
        else:
            self.group.complemented = False
        self.group.last = node
        self.group.repeats = 0

    def complement(self, token: Token) -> None:
        """The next part is what it does not match, of all texts."""
        self.check_complement()
        self.group.end_part()
        self.group.complement = token

    def check_complement(self) -> None:
        """Raise if a ``~`` waits for its part."""
        if self.group.complement is not None:
            raise fail(self.text, self.group.complement.offset, "nothing after ~ to complement")

    def open(self, token: Token) -> None:
        """A bracket opens."""
        self.group.end_part()
        if len(self.groups) > DEEPEST:
            raise fail(self.text, token.offset, f"brackets nested more than {DEEPEST:,} deep")
        self.groups.append(Group(token))

    def close(self, token: Token, opening: str) -> Group:
        """The innermost group, which `token` must close."""
        if not self.nested or self.group.opened.text != opening:
            raise fail(self.text, token.offset, f"{token.text} closes nothing")
        self.check_complement()
        return self.groups.pop()

    def repeat(self, token: Token, least: int, most: int | None) -> None:
        """Repeat the last part; `token` is what says so."""
        if self.group.last is None:
            raise fail(self.text, token.offset, f"nothing before {token.text} to repeat")
        if self.group.complemented:
            raise fail(
                self.text,
                token.offset,
                f"{token.text} after a complement could mean two things",
                "write (~x)* or ~(x*)",
            )
        if most is not None and most < least:
            raise fail(self.text, token.offset, f"the repetition {least} to {most} counts down")
        self.group.repeats += 1
        if self.group.repeats > DEEPEST:
            raise fail(self.text, token.offset, f"more than {DEEPEST:,} repetitions of one another")
        if max(least, most or 0) > LARGEST:
            raise fail(self.text, token.offset, f"a repetition of more than {LARGEST:,}")
        self.group.last = repeat(self.group.last, least, most)

    def finish(self) -> Node:
        """The whole expression."""
        if self.nested:
            opened = self.group.opened
            raise fail(self.text, opened.offset, f"this {opened.text} is never closed")
        self.check_complement()
        return self.group.node()
