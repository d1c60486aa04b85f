"""Masks applied to logits: packed rows of bits in, ``-inf`` at everything they leave out."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from constrained.errors import VocabularyError

__all__ = ["check_width", "mask_rows"]


def check_width(logits: int, width: int) -> None:
    """Refuse logits that are narrower than the vocabulary says: some tokens would be missing."""
    if logits < width:
        raise VocabularyError(
            f"the model gives {logits:,} logits, but the vocabulary was built for {width:,}; pass "
            "the model's own width: width=model.config.get_text_config().vocab_size"
        )


def mask_rows(scores: torch.Tensor, words: NDArray[np.int32], rows: list[int]) -> torch.Tensor:
    """A copy of `scores` with ``-inf`` where the masks have a 0; other rows stay as they are.

    `scores`: floating, shape (batch, logits). `words`: int32, shape (len(rows), words per row),
    the mask of each row named in `rows`; columns beyond its bits are masked as well.
    """
    width = scores.shape[-1]
    bits = np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little")
    allowed = np.zeros((len(rows), width), dtype=bool)
    shared = min(width, bits.shape[-1])
    allowed[:, :shared] = bits[:, :shared]
    masked = scores.clone()
    blocked = ~torch.from_numpy(allowed).to(scores.device)
    if len(rows) == scores.shape[0]:
        return masked.masked_fill_(blocked, float("-inf"))
    index = torch.tensor(rows, device=scores.device)
    masked[index] = scores[index].masked_fill(blocked, float("-inf"))
    return masked
