"""Get and load models: any local folder, any hub name, and `smollm2`, which needs no model hub.

>>> from constrained.models import load_model
>>> model, tokenizer = load_model("smollm2")             # doctest: +SKIP
>>> model, tokenizer = load_model("./my-model", adapter="./my-lora")   # doctest: +SKIP
>>> variants = load_variants("./my-model", {"strict": "./strict"})  # doctest: +SKIP
"""

from __future__ import annotations

from constrained.models.loading import DEFAULT_MODEL, load_model, load_tokenizer
from constrained.models.quantization import QUANTIZATIONS
from constrained.models.smollm2 import cache_folder
from constrained.models.variants import Variants, load_variants

__all__ = [
    "DEFAULT_MODEL",
    "QUANTIZATIONS",
    "Variants",
    "cache_folder",
    "load_model",
    "load_tokenizer",
    "load_variants",
]
