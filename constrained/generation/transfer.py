"""Numbers on their way to a device, and nobody waiting for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

__all__ = ["host_rows", "send", "upload"]


def host_rows(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Zeros on the CPU that `device` can fetch or fill in its own time: pinned for CUDA."""
    return torch.zeros(tuple(shape), dtype=dtype, pin_memory=device.type == "cuda")


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the CPU on `device`; work queued there after this call sees it.

    The tensor may be dropped at once: torch keeps pinned memory until the copies from it are over.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def upload(values: Sequence[Any], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A list of numbers, or of rows of numbers, as a tensor on `device`, like `send`.

    >>> upload([3, 1], torch.int32, torch.device("cpu")).tolist()
    [3, 1]
    """
    return send(torch.tensor(values, dtype=dtype), device)
