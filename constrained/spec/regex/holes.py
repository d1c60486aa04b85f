"""`Hole`: what follows a repeat that is being solved, as a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from typing import Literal as OneOf

from constrained.grammar import EMPTY, NOTHING, Alt, Cat, Node, alt, cat
from constrained.grammar.nodes import Ranges

if TYPE_CHECKING:
    from constrained.spec.regex.futures import Watch

__all__ = ["Future", "Hole", "Share", "divided"]

Share = Ranges | OneOf["all", "empty", "newline"]
"""Which strings of a set: those that start in the ranges, all, the empty one, or just a newline."""

Future = frozenset[int]
"""The states of a look-ahead's automaton that accept a text."""


class Hole(Node):
    """A share of what follows the repeat number `loop`, from a place in `context`.

    All its strings have the same `futures`, one for each look-ahead of the repeat.
    """

    __match_args__ = ("loop", "context", "share", "futures")

    def __init__(
        self,
        loop: int,
        context: int,
        share: Share,
        futures: tuple[tuple[Watch, Future], ...] = (),
    ) -> None:
        self.loop: Final = loop
        self.context: Final = context
        self.share: Final = share
        self.futures: Final = futures


def divided(node: Node) -> tuple[Node, list[tuple[Node, Hole]]]:
    """The node as a part without holes, and what stands before each hole."""
    match node:
        case Hole():
            return NOTHING, [(EMPTY, node)]
        case Alt(parts):
            constants, factors = [], []
            for part in parts:
                constant, more = divided(part)
                constants.append(constant)
                factors += more
            return alt(*constants), factors
        case Cat(parts):
            constant, factors = divided(parts[-1])
            front = parts[:-1]
            return cat(*front, constant), [(cat(*front, factor), hole) for factor, hole in factors]
    return node, []
