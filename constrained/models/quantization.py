"""Bases in 4 or 8 bits: which library packs the weights, by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from constrained.errors import MissingPackage, ModelError

__all__ = ["QUANTIZATIONS", "quantization_config"]


def _torchao(name: str) -> Any:
    from transformers import TorchAoConfig

    return TorchAoConfig(getattr(import_module("torchao.quantization"), name)())


def _bitsandbytes(**settings: Any) -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(**settings)  # type: ignore[no-untyped-call]


def _quanto(weights: str) -> Any:
    from transformers import QuantoConfig

    return QuantoConfig(weights=weights)


_FOUR_BITS = (
    "bitsandbytes",
    "bitsandbytes",
    lambda: _bitsandbytes(load_in_4bit=True, bnb_4bit_quant_type="nf4"),
)
_EIGHT_BITS = ("bitsandbytes", "bitsandbytes", lambda: _bitsandbytes(load_in_8bit=True))

QUANTIZATIONS: dict[str, tuple[str, str, Callable[[], Any]]] = {
    "4bit": _FOUR_BITS,
    "8bit": _EIGHT_BITS,
    "bitsandbytes-4bit": _FOUR_BITS,
    "bitsandbytes-8bit": _EIGHT_BITS,
    "quanto-4bit": ("optimum.quanto", "optimum-quanto", lambda: _quanto("int4")),
    "quanto-8bit": ("optimum.quanto", "optimum-quanto", lambda: _quanto("int8")),
    "torchao-4bit": ("torchao", "torchao", lambda: _torchao("Int4WeightOnlyConfig")),
    "torchao-8bit": ("torchao", "torchao", lambda: _torchao("Int8WeightOnlyConfig")),
}
"""Name: the module that has to be there, the package it comes in, what transformers is told."""


def quantization_config(model: str, name: str) -> Any:
    """What transformers is told so that it packs the weights of `model` as `name` says.

    Raises `ModelError` for a name that is not in `QUANTIZATIONS` and `MissingPackage` when the
    library is not installed.
    """
    if name not in QUANTIZATIONS:
        hint = f"known are {', '.join(QUANTIZATIONS)}"
        raise ModelError(model, f"there is no quantization {name!r}", hint=hint)
    module, package, make = QUANTIZATIONS[name]
    if not _installed(module):
        doing = f"loading a model in {name.rpartition('-')[2]}"
        raise MissingPackage(package, doing, install=f"pip install {package}")
    return make()


def _installed(module: str) -> bool:
    """Whether a module can be imported; its parents are looked for first."""
    parent, _, _ = module.rpartition(".")
    return (not parent or find_spec(parent) is not None) and find_spec(module) is not None
