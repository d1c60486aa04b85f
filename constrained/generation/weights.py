"""`weights_state`: notices when a model would answer differently than it did before."""

from __future__ import annotations

from typing import Any

import torch

from constrained.generation.virtual_tokens import count_virtual_tokens

__all__ = ["weights_state"]


def weights_state(model: Any) -> object:
    """Something that changes with the weights of a model, and with the adapters in use.

    Weights count by where they lie and how often they were written to: a change by way of
    ``parameter.data`` that stays in place is not noticed.
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


def _state(tensor: torch.Tensor) -> tuple[int, int]:
    try:
        place = tensor.data_ptr()
    except RuntimeError:  # a wrapper without memory of its own
        place = id(tensor)
    # torch counts writes in this attribute, and documents it without a public name
    return place, 0 if tensor.is_inference() else tensor._version  # noqa: SLF001
