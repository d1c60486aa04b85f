"""`Hole`: what follows a repeat that is being solved, as a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal as OneOf

from constrained.grammar.nodes import Node, Ranges

__all__ = ["Hole", "Share"]

Share = Ranges | OneOf["all", "empty", "newline"]
"""Which strings of a set: those that start in the ranges, all, the empty one, or just a newline."""


@dataclass(frozen=True, slots=True)
class Hole(Node):
    """A share of what follows the repeat number `loop`, from a place in `context`."""

    loop: int
    context: int
    share: Share
