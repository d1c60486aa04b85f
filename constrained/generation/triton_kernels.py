# mypy: allow-untyped-calls, allow-untyped-decorators
# mypy: disable-error-code="import-not-found,no-untyped-def,unused-ignore"
"""The Triton kernel behind `kernels.block_`; imported only where Triton is installed."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

__all__ = ["launch_block"]

COLUMNS = 1024
"""Columns per program: enough of them to fill a card at batch 1 and a vocabulary of 32,000."""


@triton.jit
def _block(
    logits,
    words,
    places,
    width,
    bits,
    row_stride,
    column_stride,
    words_stride,
    COLUMNS: tl.constexpr,  # noqa: N803 - Triton's constants are written so
):
    row = tl.program_id(0)
    place = tl.load(places + row)
    if place >= 0:
        column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
        mask = words + place.to(tl.int64) * words_stride
        word = tl.load(mask + (column >> 5), mask=column < bits, other=0)
        blocked = ((word >> (column & 31)) & 1) == 0
        target = logits + row.to(tl.int64) * row_stride + column.to(tl.int64) * column_stride
        # Blocked logits are written without being read, the others are not touched at all.
        tl.store(target, float("-inf"), mask=(column < width) & blocked)


def launch_block(logits: torch.Tensor, words: torch.Tensor, places: torch.Tensor) -> None:
    """`kernels.block_` on the current stream of the logits' device."""
    rows, width = logits.shape
    grid = (rows, triton.cdiv(width, COLUMNS))
    with torch.cuda.device_of(logits):  # nothing on the CPU, where Triton's interpreter runs
        _block[grid](
            logits,
            words,
            places,
            width,
            words.shape[1] * 32,
            logits.stride(0),
            logits.stride(1),
            words.stride(0),
            COLUMNS=COLUMNS,
        )
