"""Masks applied to logits: packed rows of bits in, ``-inf`` at everything they leave out."""

from __future__ import annotations

from collections.abc import Sequence

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


def mask_rows(
    scores: torch.Tensor, words: NDArray[np.int32], masks: Sequence[int | None]
) -> torch.Tensor:
    """A copy of `scores` with ``-inf`` where the masks have a 0.

    `scores`: floating, shape (rows, logits). `words`: int32, shape (masks, words per mask).
    `masks`: which mask each row has, None for a row that stays as it is. Columns beyond the bits of
    a mask are masked as well.
    """
    width = scores.shape[-1]
    bits = np.unpackbits(words.view(np.uint8), axis=-1, bitorder="little")
    blocked = np.ones((len(words) + 1, width), dtype=bool)
    shared = min(width, bits.shape[-1])
    blocked[:-1, :shared] = bits[:, :shared] == 0
    blocked[-1] = False
    places = torch.tensor([len(words) if mask is None else mask for mask in masks])
    chosen = torch.from_numpy(blocked).to(scores.device)[places.to(scores.device)]
    return scores.masked_fill(chosen, float("-inf"))
