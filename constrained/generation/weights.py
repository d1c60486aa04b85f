"""`weights_state`: notices when a model would answer differently than it did before."""

from __future__ import annotations

from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from constrained.generation.virtual_tokens import count_virtual_tokens

__all__ = ["weights_state"]


def weights_state(model: Any) -> object:
    """Something that changes with the weights of a model, and with the adapters in use.

    Weights count by the memory they lie in and how often they were written to: a change in place
    by way of ``parameter.data``, or of weights made in inference mode, is not noticed. The memory
    is told apart by references that do not keep it, as other weights may come to lie at an address
    that was freed.
    """
    adapters = [
        (
            tuple(module.active_adapters),
            bool(module.disable_adapters),
            tuple(merged),
            tuple(getattr(module, "scaling", {}).items()),
        )
        for module in model.modules()
        if (merged := getattr(module, "merged_adapters", None)) is not None
    ]
    tensors = [_state(one) for one in (*model.parameters(), *model.buffers())]
    prompt = (getattr(model, "active_adapter", None), count_virtual_tokens(model))
    return (*prompt, adapters, tensors)


def _state(tensor: torch.Tensor) -> tuple[object, int, int]:
    try:
        place: object = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
    except RuntimeError:  # a wrapper without memory of its own
        return id(tensor), 0, _writes(tensor)
    return place, int(tensor.storage_offset()), _writes(tensor)


def _writes(tensor: torch.Tensor) -> int:
    # torch counts writes in this attribute, and documents it without a public name
    return 0 if tensor.is_inference() else tensor._version  # noqa: SLF001
