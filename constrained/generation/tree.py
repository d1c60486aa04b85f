"""`Tree`: continuations of a row, scored side by side."""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["Tree"]


@dataclass(frozen=True)
class Tree:
    """Continuations of a row that share their beginnings.

    `parents[i]` is the place of the token before ``tokens[i]``, -1 for the end of the row; parents
    come before children.
    """

    tokens: tuple[int, ...] = ()
    parents: tuple[int, ...] = ()

    @property
    def is_chain(self) -> bool:
        """No token has a sibling, so an ordinary causal pass can score it."""
        return self.parents == tuple(range(-1, len(self.parents) - 1))

    def ancestors(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What each token sees (bool, shape (n, n)) and how far below the row it is (from 0)."""
        size = len(self.tokens)
        sees = torch.zeros((size, size), dtype=torch.bool)
        depths = torch.zeros(size, dtype=torch.long)
        for i, parent in enumerate(self.parents):
            if parent >= 0:
                sees[i] = sees[parent]
                depths[i] = depths[parent] + 1
            sees[i, i] = True
        return sees, depths

    def path(self, end: int) -> list[int]:
        """The places from the top of a tree down to `end`."""
        path = []
        while end >= 0:
            path.append(end)
            end = self.parents[end]
        return path[::-1]
