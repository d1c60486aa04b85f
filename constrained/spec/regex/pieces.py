"""`Piece`: a part of a pattern that is a plain language, and how pieces join."""

from __future__ import annotations

from functools import reduce
from typing import Final

from constrained.grammar import (
    EMPTY,
    NOTHING,
    Chars,
    Literal,
    Node,
    Nothing,
    alt,
    cat,
    char_class,
    literal,
    literals,
    optional,
)
from constrained.grammar.nodes import Ranges
from constrained.spec.regex.languages import character_set
from constrained.spec.regex.syntax import Choice, Quantified, Sequence, Syntax
from constrained.spec.regex.width import NO_WIDTH, Width, either_width, sum_width, times_width

__all__ = [
    "FALSE",
    "TRUE",
    "Piece",
    "character_node",
    "concatenated",
    "joined",
    "reduced_width",
    "text_piece",
    "union",
]


class Piece(Syntax):
    """A part of the pattern whose matches depend on nothing around it; widths in characters."""

    __match_args__ = ("node", "width")

    def __init__(self, node: Node, width: Width) -> None:
        self.node: Final = node
        self.width: Final = width


TRUE = Piece(EMPTY, NO_WIDTH)
FALSE = Piece(NOTHING, NO_WIDTH)


def reduced_width(tree: Syntax) -> Width:
    """Fewest and most characters that a reduced tree takes."""
    match tree:
        case Piece(width=width):
            return width
        case Sequence(parts):
            return reduce(sum_width, map(reduced_width, parts), NO_WIDTH)
        case Choice(options):
            return reduce(either_width, map(reduced_width, options))
        case Quantified(body, least, most):
            return times_width(reduced_width(body), least, most)
    return NO_WIDTH


def text_piece(text: str) -> Piece:
    """Exactly this text."""
    return Piece(literal(text), (len(text), len(text)))


def character_node(ranges: Ranges) -> Node:
    """One character from the ranges; a text where there is just one."""
    node = char_class(*ranges)
    if isinstance(node, Chars) and len(node.ranges) == 1 and node.ranges[0][0] == node.ranges[0][1]:
        return literal(chr(node.ranges[0][0]))
    return node


def union(nodes: list[Node]) -> Node:
    """The union: texts in one trie, single characters in one class."""
    texts: list[bytes] = []
    singles: list[tuple[int, int]] = []
    others: list[Node] = []
    empty = False
    for node in nodes:
        ranges = character_set(node)
        if ranges is not None:
            singles.extend(ranges)
        elif isinstance(node, Literal):
            texts.append(node.data)
        elif node is EMPTY:
            empty = True
        else:
            others.append(node)
    union = alt(character_node(tuple(singles)), literals(texts), *others)
    if not empty:
        return union
    return EMPTY if isinstance(union, Nothing) else optional(union)


def concatenated(pieces: list[Piece]) -> Piece:
    """One piece after the other; at least one."""
    if len(pieces) == 1:
        return pieces[0]
    width = reduce(sum_width, (piece.width for piece in pieces))
    nodes: list[Node] = []
    text: list[bytes] = []
    for piece in pieces:  # texts are joined at once: one by one would take quadratic time
        if isinstance(piece.node, Literal):
            text.append(piece.node.data)
            continue
        nodes.extend((literal(b"".join(text)), piece.node))
        text.clear()
    return Piece(cat(*nodes, literal(b"".join(text))), width)


def joined(items: list[Syntax]) -> list[Syntax]:
    """Neighbouring pieces as one."""
    out: list[Syntax] = []
    run: list[Piece] = []
    for item in [*items, None]:
        if isinstance(item, Piece):
            run.append(item)
            continue
        if run:
            out.append(concatenated(run))
            run = []
        if item is not None:
            out.append(item)
    return [item for item in out if not (isinstance(item, Piece) and item.node is EMPTY)]
