"""`LanguageModel`: what generation needs to know of a transformers model."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from constrained.errors import GenerationError
from constrained.generation.heads import Heads
from constrained.generation.virtual_tokens import (
    can_begin,
    count_virtual_tokens,
    is_prompt_learning,
    virtual_cache,
)
from constrained.generation.weights import weights_state

__all__ = ["LanguageModel"]


def _setting(model: Any, name: str) -> Any:
    """A setting of the generation config, else of the model config."""
    value = getattr(getattr(model, "generation_config", None), name, None)
    return getattr(model.config, name, None) if value is None else value


def _ids(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    return tuple(int(i) for i in value) if isinstance(value, (list, tuple)) else (int(value),)


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


DRAFTING_ROWS = 8
"""Rows of a batch on an accelerator up to which likely tokens are tried."""

MASK_ENTRIES = 2**26
"""Entries of the masks of one pass that are written out (256 MiB in float32)."""


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """What generation needs to know of a transformers model; adapters of PEFT included.

    `heads` are the beginnings of prompts whose passes are kept.

    Raises `GenerationError` for models whose passes cannot be steered from outside: recurrent
    ones, and encoder-decoders whose adapter adds virtual tokens (`LogitsMask` in
    ``model.generate`` serves those).
    """

    model: Any
    heads: Heads = field(default_factory=Heads)

    def __post_init__(self) -> None:
        if not (hasattr(self.model, "get_output_embeddings") and hasattr(self.model, "config")):
            raise GenerationError(
                f"this is no transformers model but {self.model!r:.60}; load one, for example with "
                "constrained.models.load_model, and pass the model before its tokenizer"
            )
        reason = ""
        if not can_begin(self.model):
            reason = "its adapter adds virtual tokens that the loop cannot place"
        elif getattr(self._base, "_is_stateful", False):
            reason = "it carries a recurrent state instead of a cache of tokens"
        if reason:
            raise GenerationError(
                f"{type(self._base).__name__} cannot run in the generator's own loop: {reason}; "
                "use model.generate(..., logits_processor=[LogitsMask(...)])"
            )

    @property
    def _base(self) -> Any:
        unwrap = getattr(self.model, "get_base_model", None)
        return unwrap() if unwrap is not None else self.model

    @cached_property
    def _parameters(self) -> frozenset[str]:
        return frozenset(inspect.signature(self._base.forward).parameters)

    @cached_property
    def width(self) -> int:
        """The width of the logits."""
        head = self._base.get_output_embeddings()
        weight = getattr(head, "weight", None)
        if weight is not None and weight.dim() == 2:
            return int(weight.shape[0])
        return int(self.model.config.get_text_config(decoder=True).vocab_size)

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The ids at which the model's own settings end an output."""
        return _ids(_setting(self.model, "eos_token_id"))

    @property
    def adapted(self) -> bool:
        """There is an adapter of PEFT on it."""
        return bool(getattr(self.model, "peft_config", None))

    @property
    def encoder_decoder(self) -> bool:
        """The prompt goes to an encoder, the output comes from a decoder."""
        return bool(getattr(self.model.config, "is_encoder_decoder", False))

    @property
    def decoder_start(self) -> list[int]:
        """The tokens with which every output of an encoder-decoder begins."""
        start = _setting(self.model, "decoder_start_token_id")
        first = start if start is not None else _setting(self.model, "bos_token_id")
        if first is None:
            raise GenerationError(
                f"{type(self._base).__name__} does not say how its outputs start; set "
                "model.generation_config.decoder_start_token_id"
            )
        return [*_ids(first)[:1], *_ids(_setting(self.model, "forced_bos_token_id"))[:1]]

    @property
    def context(self) -> int | None:
        """The most tokens that the model can hold; None where it sets no limit."""
        limit = getattr(
            self.model.config.get_text_config(decoder=True), "max_position_embeddings", None
        )
        return int(limit) - self.virtual_tokens if limit and not self.encoder_decoder else None

    @property
    def virtual_tokens(self) -> int:
        """How many tokens of the active adapter stand before every prompt."""
        return count_virtual_tokens(self.model)

    def virtual_cache(self, rows: int) -> Any:
        """A cache with which so many rows begin; only where there are virtual tokens."""
        return virtual_cache(self.model, rows)

    @property
    def module(self) -> Any:
        """What a pass goes through: the model, or its base where the cache holds what it adds."""
        return self._base if is_prompt_learning(self.model) else self.model

    @property
    def device(self) -> torch.device:
        """Where new tokens go."""
        return torch.device(self.model.device)

    @cached_property
    def takes_positions(self) -> bool:
        """Positions can be given, so padding need not count."""
        return "position_ids" in self._parameters and not self.encoder_decoder

    @cached_property
    def takes_trees(self) -> bool:
        """A mask of one's own reaches the attention unchanged: trees fit into one row."""
        attention = getattr(
            self.model.config.get_text_config(decoder=True), "_attn_implementation", ""
        )
        known = type(self._base).__module__.startswith("transformers.models.")
        plain = self.takes_positions and not self.counts_slots
        return known and plain and attention in ("eager", "sdpa")

    def check_settled(self) -> None:
        """Raise `GenerationError` for a model in training mode that drops activations at random."""
        if not getattr(self.model, "training", False):
            return
        settings = self.model.config.to_dict().items()
        named = [name for name, share in settings if "drop" in name and _positive(share)]
        layers = any(isinstance(m, torch.nn.Dropout) and m.p > 0 for m in self.model.modules())
        if named or layers:
            raise GenerationError(
                f"{type(self._base).__name__} is in training mode and drops activations at random "
                f"({', '.join(named) or 'Dropout'}), so its answers would be noise; call "
                "model.eval() first"
            )

    def fits_trees(self, prompts: Sequence[Sequence[int]], most: int) -> bool:
        """Trees of up to `most` tokens can be scored in the first pass, masks within memory."""
        longest = max(map(len, prompts)) + most
        return self.takes_trees and len(prompts) * longest**2 <= MASK_ENTRIES

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights."""
        found: torch.dtype = self.model.dtype
        return found

    @cached_property
    def takes_keep(self) -> bool:
        """Logits can be asked for at the last positions only."""
        return "logits_to_keep" in self._parameters

    @property
    def shares_heads(self) -> bool:
        """Prompts that begin alike can be given that beginning once."""
        return self.takes_positions and not self.counts_slots

    @property
    def keeps_heads(self) -> bool:
        """Passes over the beginnings of prompts can be kept: it shows when weights change."""
        return self.shares_heads and isinstance(self.model, torch.nn.Module)

    def kept_head(self, prompts: Sequence[Sequence[int]]) -> int:
        """How many tokens of these prompts need no pass, because all begin with a kept head."""
        return self.heads.shared(prompts) if self.keeps_heads else 0

    @property
    def weights(self) -> object:
        """Differs between calls when the model's answers may."""
        return weights_state(self.model)

    def takes_drafts(self, rows: int) -> bool:
        """Tokens of so many rows can be tried and taken back, and a pass costs enough to try it.

        To guess takes 25 to 160 microseconds a row: nothing beside a pass on a CPU, but on an
        accelerator only where few rows wait for it.
        """
        few = self.device.type == "cpu" or rows <= DRAFTING_ROWS
        return few and isinstance(self.model, torch.nn.Module) and not self.in_step

    @property
    def in_step(self) -> bool:
        """All rows of a batch have to be equally long at all times."""
        return self.encoder_decoder

    @cached_property
    def counts_slots(self) -> bool:
        """Positions are counted by slots of the cache, so the cache may not have gaps."""
        config = self.model.config.get_text_config(decoder=True)
        layers = getattr(config, "layer_types", None) or getattr(config, "attention_layers", None)
        whole = {"full_attention", "global"}.issuperset(layers or ())
        sliding = bool(getattr(config, "sliding_window", None)) or not whole
        return not self.encoder_decoder and (sliding or not self.takes_positions)
