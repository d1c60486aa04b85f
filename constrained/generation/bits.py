"""Token ids and the packed rows of bits that masks are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack", "unpack"]


def pack(ids: NDArray[np.int32], row: NDArray[np.int32]) -> None:
    """Write token ids as bits into `row`: int32, shape (ceil(width / 32),)."""
    bits = np.zeros(row.size * 32, dtype=np.uint8)
    bits[ids] = 1
    row[:] = np.packbits(bits, bitorder="little").view(np.int32)


def unpack(row: NDArray[np.int32]) -> NDArray[np.int32]:
    """The token ids whose bits are set in `row`, ascending: int32."""
    bits = np.unpackbits(row.view(np.uint8), bitorder="little")
    return np.flatnonzero(bits).astype(np.int32)
