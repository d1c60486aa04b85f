"""Masks applied in place on the device of the logits: a Triton kernel, and torch code elsewhere."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Literal

import torch

__all__ = ["Backend", "block_", "default_backend"]

Backend = Literal["torch", "triton"]


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def default_backend(device: torch.device) -> Backend:
    """``"triton"`` for CUDA devices where it is installed (with torch's CUDA builds it is)."""
    return "triton" if device.type == "cuda" and _has_triton() else "torch"


def block_(
    logits: torch.Tensor,
    words: torch.Tensor,
    places: torch.Tensor,
    *,
    backend: Backend | None = None,
) -> torch.Tensor:
    """Write ``-inf`` into `logits`, in place, wherever the mask of a row has a 0; gives `logits`.

    `logits`: float32, float16 or bfloat16, shape (rows, width), any strides. `words`: int32, shape
    (masks, words per mask), contiguous: bit ``i % 32`` of word ``i // 32`` stands for id i.
    `places`: int32, shape (rows,): which mask each row has; a negative place leaves the row as it
    is. Columns beyond the bits of a mask are blocked too. All three on one device. Nothing waits
    for that device. `backend` is `default_backend` unless given; both give the same bits.

    >>> words = torch.tensor([[0b101]], dtype=torch.int32)
    >>> block_(torch.ones(2, 4), words, torch.tensor([0, -1], dtype=torch.int32)).tolist()
    [[1.0, -inf, 1.0, -inf], [1.0, 1.0, 1.0, 1.0]]
    """
    if backend is None:
        backend = default_backend(logits.device)
    if not logits.numel():
        return logits
    with torch.inference_mode():
        if backend == "triton":
            from constrained.generation.triton_kernels import launch_block

            launch_block(logits, words, places)
        else:
            _block_torch(logits, words, places)
    return logits


def _block_torch(logits: torch.Tensor, words: torch.Tensor, places: torch.Tensor) -> None:
    width = logits.shape[1]
    masked = places >= 0
    own = words[places.clamp(min=0).long()] if len(words) else words.new_zeros((len(places), 0))
    shifts = torch.arange(8, dtype=torch.uint8, device=logits.device)
    bits = (own.view(torch.uint8)[:, :, None] >> shifts) & 1  # words are little-endian
    blocked = bits.flatten(1)[:, :width] == 0
    blocked = torch.nn.functional.pad(blocked, (0, width - blocked.shape[1]), value=True)
    logits.masked_fill_(blocked & masked[:, None], float("-inf"))
