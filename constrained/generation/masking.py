"""Masks as packed rows of bits: which one a row needs, how it is made, how logits get it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from constrained.errors import VocabularyError
from constrained.generation.bits import pack
from constrained.generation.guide import ENDED, Guide
from constrained.vocabulary import Vocabulary

__all__ = ["MaskKey", "check_width", "fill_masks", "mask_key", "mask_rows", "mask_words"]


class MaskKey(NamedTuple):
    """What decides a mask. Without a guide, only ends are allowed, and no quiet ones."""

    guide: Guide | None
    node: int
    budget: int | None = None


def mask_key(guide: Guide, node: int, left: int | None) -> MaskKey:
    """The mask of a node; with `left` tokens to go, of those that can be completed in time.

    Where that is too late anyway, every token that the spec allows.
    """
    if node == ENDED:
        return MaskKey(None, ENDED)
    in_time = left is not None and guide.cost(node) <= left
    return MaskKey(guide, node, left if in_time else None)


def mask_words(vocabulary: Vocabulary) -> int:
    """int32 words of a mask."""
    return (vocabulary.width + 31) // 32


def fill_masks(vocabulary: Vocabulary, keys: Sequence[MaskKey], rows: NDArray[np.int32]) -> None:
    """Make the mask of every key: `rows` is int32, shape (keys, `mask_words`), overwritten."""
    alike: dict[Guide, list[int]] = {}
    for place, (guide, node, budget) in enumerate(keys):
        if guide is None:
            # The output has ended; were it at a quiet end, this has to stop the caller.
            ends = vocabulary.end_ids - vocabulary.quiet_ends or vocabulary.end_ids
            pack(np.array(sorted(ends), dtype=np.int32), rows[place])
        elif budget is not None:
            guide.fill(node, rows[place], budget)
        else:
            alike.setdefault(guide, []).append(place)
    for guide, places in alike.items():
        masks = np.zeros((len(places), rows.shape[1]), dtype=np.int32)
        guide.fill_many([keys[place].node for place in places], masks)
        rows[places] = masks


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
