"""`Session`: one call of ``generate``, told from others by the tokens of its rows alone.

The state of a row is found from the prompt it starts with, then the longest prefix already known,
then one step. Beams that reorder rows, drafts that are taken back and several calls are then all
the same. A call runs in one thread, so threads never see each other's calls.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from threading import local

import numpy as np
import torch
from numpy.typing import NDArray

from constrained.errors import TokenRejected
from constrained.generation.guide import ENDED, Guide
from constrained.vocabulary import Vocabulary

__all__ = ["DEAD", "FREE", "Calls", "Session", "Tokens"]

Tokens = NDArray[np.int64]

FREE = -2
"""The node of a row without a spec."""
DEAD = -3
"""The node of a row whose tokens no output has: a rejected draft, or a beam without candidates."""

PREFIXES_KEPT = 65_536


class Session:
    """One call of ``generate``: the prompts it began with and the prefixes seen since."""

    def __init__(self, prompts: Tokens, guides: list[Guide | None], vocabulary: Vocabulary) -> None:
        self.prompts = prompts
        self.guides = guides
        self.dead: torch.Tensor | None = None
        """Rows with nothing left to choose, known when the next tokens are; bool, on the CPU."""
        self._ends, self._quiet = vocabulary.end_ids, vocabulary.quiet_ends
        self._known: OrderedDict[tuple[int, bytes], int] = OrderedDict()

    def begins(self, rows: Tokens) -> bool:
        """Whether the rows begin with the prompts."""
        same = rows.shape[0] == self.prompts.shape[0]
        return same and np.array_equal(rows[:, : self.prompts.shape[1]], self.prompts)

    def nodes(self, rows: Tokens) -> list[int] | None:
        """The node of every row; None when the rows are not of this call.

        They are when they begin with its prompts and at least one of them is still being written,
        or has just ended in a way that ``generate`` does not know to be one.
        """
        if not self.begins(rows):
            return None
        start = self.prompts.shape[1]
        nodes = [self._node(i, row[start:]) for i, row in enumerate(rows)]
        if any(node not in (ENDED, DEAD) for node in nodes):
            return nodes
        ended = [int(row[-1]) for row, node in zip(rows, nodes, strict=True) if node == ENDED]
        return None if self._quiet.isdisjoint(ended) else nodes

    def _node(self, row: int, tokens: Tokens) -> int:
        guide = self.guides[row]
        if not len(tokens):
            return FREE if guide is None else guide.start
        key = self._key(guide, tokens)
        node = self._known.get(key)
        if node is None:
            before = self._before(guide, tokens[:-1])
            node = DEAD if before == DEAD else self._step(guide, before, int(tokens[-1]))
            if node != DEAD:
                self._known[key] = node
                while len(self._known) > PREFIXES_KEPT:
                    self._known.popitem(last=False)
        return node

    def _before(self, guide: Guide | None, tokens: Tokens) -> int:
        if not len(tokens):
            return FREE if guide is None else guide.start
        return self._known.get(self._key(guide, tokens), DEAD)

    def _step(self, guide: Guide | None, node: int, token: int) -> int:
        if node == ENDED:
            return ENDED
        if guide is None:
            return ENDED if token in self._ends else FREE
        try:
            return guide.advance(node, token)
        except TokenRejected:
            return DEAD

    @staticmethod
    def _key(guide: Guide | None, tokens: Tokens) -> tuple[int, bytes]:
        digest = blake2b(np.ascontiguousarray(tokens).tobytes(), digest_size=16).digest()
        return (0 if guide is None else id(guide), digest)


class Calls(local):
    """The calls of ``generate`` that one thread has made, the latest first."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
