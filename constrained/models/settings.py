"""`load_settings`: what a model says of itself without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from constrained.errors import ModelError
from constrained.models.loading import (
    DEFAULT_MODEL,
    Notify,
    model_folder,
    model_name,
    quiet_libraries,
    read_tokenizer,
    require,
    silence,
)

__all__ = ["ModelSettings", "load_settings"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A model's tokenizer, the width of its logits (None: not known), and its own end ids."""

    name: str
    tokenizer: Any
    width: int | None = None
    end_ids: tuple[int, ...] = ()


def load_settings(
    name_or_path: str | PathLike[str] = DEFAULT_MODEL,
    *,
    trust_remote_code: bool = False,
    notify: Notify = silence,
) -> ModelSettings:
    """Load tokenizer, config and generation config of a model; arguments as for `load_model`.

    A folder with a tokenizer alone will do; nothing is known of the model then. Raises what
    `load_tokenizer` raises.

    >>> load_settings("smollm2").width  # doctest: +SKIP
    49152
    """
    require("transformers", "loading a tokenizer")
    name = model_name(name_or_path, "the model")
    alone = Path(name).expanduser()
    with quiet_libraries():
        if (alone / "tokenizer_config.json").is_file() and not (alone / "config.json").is_file():
            return ModelSettings(name, read_tokenizer(name, str(alone), trust_remote_code))
        folder = model_folder(name, notify)
        tokenizer = read_tokenizer(name, folder, trust_remote_code)
        config = _config(name, folder, trust_remote_code)
        ends = _end_ids(folder, config)
    width = getattr(config.get_text_config(decoder=True), "vocab_size", None)
    return ModelSettings(name, tokenizer, width, ends)


def _config(name: str, folder: str, trust: bool) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=trust)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ModelError(name, f"its config cannot be read: {error}") from error


def _end_ids(folder: str, config: Any) -> tuple[int, ...]:
    """The end ids of the generation config, else of the config."""
    from transformers import GenerationConfig

    try:
        found = GenerationConfig.from_pretrained(folder).eos_token_id
    except (OSError, ValueError):
        found = None
    if found is None:
        found = getattr(config, "eos_token_id", None)
    if found is None:
        return ()
    return tuple(int(i) for i in found) if isinstance(found, (list, tuple)) else (int(found),)
