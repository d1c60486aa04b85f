"""`Hole`: what follows a repeat that is being solved, as a node."""

from __future__ import annotations

from typing import Final
from typing import Literal as OneOf

from constrained.grammar.nodes import Node, Ranges

__all__ = ["Hole", "Share"]

Share = Ranges | OneOf["all", "empty", "newline"]
"""Which strings of a set: those that start in the ranges, all, the empty one, or just a newline."""


class Hole(Node):
    """A share of what follows the repeat number `loop`, from a place in `context`."""

    __match_args__ = ("loop", "context", "share")

    def __init__(self, loop: int, context: int, share: Share) -> None:
        self.loop: Final = loop
        self.context: Final = context
        self.share: Final = share
