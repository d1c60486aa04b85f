"""Adapters that put virtual tokens before every prompt (PEFT's prompt learning), as a cache.

Prefix tuning learns keys and values, prompt tuning and P-tuning learn embeddings. Either way a row
begins with a cache of so many tokens, and the base model does the rest: their positions come first
and are never padding.
"""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["can_begin", "count_virtual_tokens", "is_prompt_learning", "virtual_cache"]

KEYS_AND_VALUES = frozenset({"PREFIX_TUNING", "CARTRIDGE"})
EMBEDDINGS = frozenset({"PROMPT_TUNING", "P_TUNING", "CPT"})


def is_prompt_learning(model: Any) -> bool:
    """Whether the adapter of a PEFT model adds virtual tokens, switched on or not."""
    return bool(getattr(_config(model), "is_prompt_learning", False))


def can_begin(model: Any) -> bool:
    """Whether the loop can begin rows with the virtual tokens of this model, if it has any.

    Not behind an encoder, and not where the tokens depend on a task's number.
    """
    if not is_prompt_learning(model):
        return True
    known = _config(model).peft_type.value in KEYS_AND_VALUES | EMBEDDINGS
    return known and not getattr(model.config, "is_encoder_decoder", False)


def count_virtual_tokens(model: Any) -> int:
    """How many virtual tokens stand before every prompt now; 0 while the adapter is disabled."""
    if not is_prompt_learning(model) or getattr(model, "_adapters_disabled", False):
        return 0
    return int(_config(model).num_virtual_tokens)


def virtual_cache(model: Any, rows: int) -> Any:
    """A cache of the model's virtual tokens for so many rows; every layer keeps all of it."""
    from transformers import DynamicCache

    cache = DynamicCache()
    with torch.inference_mode():
        prompt = model.get_prompt(batch_size=rows)
        if _config(model).peft_type.value in KEYS_AND_VALUES:
            for index, layer in enumerate(prompt.layers):
                cache.update(layer.keys, layer.values, index)
            return cache
        inputs = {"inputs_embeds": prompt.to(model.dtype), "past_key_values": cache}
        return model.get_base_model()(**inputs, use_cache=True, return_dict=True).past_key_values


def _config(model: Any) -> Any:
    return getattr(model, "active_peft_config", None)
