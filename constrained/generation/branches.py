"""`BranchRows`: rows after one prompt, side by side in one row of the model.

Copying the prompt's cache for every sample makes each pass move all the copies. Here the cache
keeps the prompt once; every token of a row attends to the prompt and to its own row, by mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from constrained.generation.pass_cost import worthwhile
from constrained.generation.rows import ModelRows

__all__ = ["BranchRows"]

SHARED = -1
"""A slot of the cache that all rows see."""

NOBODYS = -2
"""A slot that no row sees."""


class BranchRows(ModelRows):
    """`rows` rows that go on from the only row of a batch; only for models that take trees."""

    def __init__(self, batch: ModelRows, rows: int) -> None:
        super().__init__(batch.model)
        self._cache, mask = batch.held
        kept = mask[0].cpu().bool()
        self._owners = torch.where(kept, SHARED, NOBODYS)
        self._lengths = [int(kept.sum())] * rows

    def stride(self, chances: Sequence[Sequence[float]]) -> int:
        """How many tokens of each row the next pass should take; rows need no padding here."""
        return worthwhile(chances, self.model.device.type, padded=False)

    def extend(self, chunks: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """Append at least one token to each row; the logits after each: (len(chunk), width)."""
        sizes = [len(chunk) for chunk in chunks]
        tokens = torch.tensor([token for chunk in chunks for token in chunk])
        owners = torch.repeat_interleave(torch.arange(len(chunks)), torch.tensor(sizes))
        positions = torch.cat(
            [torch.arange(n, n + size) for n, size in zip(self._lengths, sizes, strict=True)]
        )
        past = (self._owners == SHARED) | (self._owners == owners[:, None])
        fresh = (owners == owners[:, None]).tril()
        output = self._forward_masked(
            tokens[None],
            positions[None],
            torch.cat([past, fresh], dim=1)[None],
            self._cache,
            0,
        )
        self._cache = output.past_key_values
        self._owners = torch.cat([self._owners, owners])
        self._lengths = [n + size for n, size in zip(self._lengths, sizes, strict=True)]
        return list(output.logits[0].split(sizes))

    def retract(self, tokens: Sequence[int]) -> None:
        """Take back so many of the tokens that the last `extend` gave to each row."""
        for row, back in enumerate(tokens):
            if back:
                self._owners[(self._owners == row).nonzero()[-back:]] = NOBODYS
        self._lengths = [n - back for n, back in zip(self._lengths, tokens, strict=True)]

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, each once, in this order."""
        places = torch.full((len(self._lengths),), NOBODYS)
        places[list(rows)] = torch.arange(len(rows))
        owned = self._owners >= 0
        self._owners[owned] = places[self._owners[owned]]
        self._lengths = [self._lengths[row] for row in rows]
