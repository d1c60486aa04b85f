"""`Hole`: what follows a repeat that is being solved, as a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from typing import Literal as OneOf

from constrained.grammar.nodes import Node, Ranges

if TYPE_CHECKING:
    from constrained.spec.regex.futures import Watch

__all__ = ["Future", "Hole", "Share"]

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
