"""`arithmetic_of`: with which arithmetic a model computes a cell, as it is stored with the cell."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from constrained.consistency.plan import Variant
from constrained.consistency.records import Arithmetic

__all__ = ["arithmetic_of", "device_name", "dtype_name"]

DECIDING = ("numpy", "peft", "torch", "transformers")
"""Packages whose versions can move a probability."""


def arithmetic_of(model: Any, variant: Variant, batch: int) -> Arithmetic:
    """What is known of the arithmetic of a model that answers for a variant.

    `batch` is how many prompts share the pass. Read from the model itself where it says so: a dtype
    of "auto" is stored as what it came to.
    """
    state: Literal["merged", "apart", ""] = ""
    if variant.adapter is not None:
        state = "merged" if variant.merge else "apart"
    return Arithmetic(
        dtype=dtype_name(model),
        batch=batch,
        attention=_attention_of(model),
        adapter=state,
        device=device_name(model),
        versions=_versions(),
    )


def dtype_name(model: Any) -> str:
    """The dtype of a model's weights; "unknown" without one."""
    return str(getattr(model, "dtype", "unknown")).removeprefix("torch.")


def device_name(model: Any) -> str:
    """Where a model computes, with the card's name."""
    device = str(getattr(model, "device", "unknown"))
    if device.startswith("cuda"):
        import torch

        return f"{device} ({torch.cuda.get_device_name(device)})"
    return device


def _attention_of(model: Any) -> str:
    config: Any = getattr(model, "config", None)
    if not hasattr(config, "get_text_config"):
        return ""
    return str(getattr(config.get_text_config(decoder=True), "_attn_implementation", None) or "")


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = []
    for package in DECIDING:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return tuple(found)
