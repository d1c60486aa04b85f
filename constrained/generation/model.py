"""`LanguageModel` and `ModelRows`: a transformers model as batched passes over rows of tokens.

Rows of one batch grow by different lengths in one pass. New tokens are padded on the right of the
pass, and the padding is masked from then on; models that count positions by slots of the cache
(sliding windows, ALiBi) get the padding squeezed out of the cache instead. Decoders behind an
encoder take no position ids at all, so their rows have to grow in step.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from constrained.errors import GenerationError

__all__ = ["LanguageModel", "ModelRows"]


def _setting(model: Any, name: str) -> Any:
    """A setting of the generation config, else of the model config."""
    value = getattr(getattr(model, "generation_config", None), name, None)
    return getattr(model.config, name, None) if value is None else value


def _ids(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    return tuple(int(i) for i in value) if isinstance(value, (list, tuple)) else (int(value),)


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """What generation needs to know of a transformers model; adapters of PEFT included.

    Raises `GenerationError` for models whose passes cannot be steered from outside: recurrent
    ones, and adapters that add virtual tokens (`LogitsMask` in ``model.generate`` serves those).
    """

    model: Any

    def __post_init__(self) -> None:
        reason = ""
        adapter = getattr(self.model, "active_peft_config", None)
        if adapter is not None and getattr(adapter, "is_prompt_learning", False):
            reason = "its adapter adds virtual tokens to the prompt"
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
        return int(limit) if limit and not self.encoder_decoder else None

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


PATHS_AT_ONCE = 64
"""Rows that one pass over a tree of continuations copies the cache for."""


class ModelRows:
    """The rows of one batch inside a model: their cache, what of it is padding, their lengths."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self._cache: Any = None
        self._mask = torch.zeros((0, 0), dtype=torch.long)
        self._encoded: Any = None
        self._encoder_mask: torch.Tensor | None = None

    def begin(
        self, prompts: Sequence[Sequence[int]], heads: Sequence[Sequence[int]]
    ) -> list[torch.Tensor]:
        """The first pass: prompts, and output that is certain from the start.

        Gives for each row the logits after its prompt and after each token of its head: floating,
        shape (len(head) + 1, width).
        """
        if self.model.encoder_decoder:
            self._encode(prompts)
            start = self.model.decoder_start
            logits = self._pass([[*start, *head] for head in heads], right=True)
            first = len(start) - 1
            return [row[first : first + len(h) + 1] for row, h in zip(logits, heads, strict=True)]
        rows = [[*prompt, *head] for prompt, head in zip(prompts, heads, strict=True)]
        keep = max(len(head) for head in heads) + 1
        logits = self._pass(rows, right=False, keep=keep)
        return [row[len(row) - len(h) - 1 :] for row, h in zip(logits, heads, strict=True)]

    def extend(self, chunks: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """Append at least one token to each row; the logits after each: (len(chunk), width)."""
        logits = self._pass(chunks, right=True)
        return [row[: len(chunk)] for row, chunk in zip(logits, chunks, strict=True)]

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row named twice is copied."""
        if list(rows) == list(range(self._mask.shape[0])):
            return
        index = torch.tensor(rows, dtype=torch.long, device=self.model.device)
        self._cache.batch_select_indices(index)
        self._mask = self._mask[index]
        if self._encoded is not None:
            self._encoded.last_hidden_state = self._encoded.last_hidden_state[index]
        if self._encoder_mask is not None:
            self._encoder_mask = self._encoder_mask[index]

    def branch(self, tokens: Sequence[int], parents: Sequence[int]) -> list[torch.Tensor]:
        """Score a tree of continuations of the only row; the batch itself does not grow.

        `parents[i]` is the place of the token before ``tokens[i]``, -1 for the end of the row;
        parents come before children. Gives the logits after each token: shape (width,).
        """
        if self.model.takes_trees:
            return self._branch_masked(tokens, parents)
        ends = sorted(set(range(len(tokens))) - set(parents))
        found: dict[int, torch.Tensor] = {}
        for first in range(0, len(ends), PATHS_AT_ONCE):
            paths = [_path(parents, end) for end in ends[first : first + PATHS_AT_ONCE]]
            batch = self._fork()
            batch.select([0] * len(paths))
            passed = batch.extend([[tokens[i] for i in path] for path in paths])
            for path, row in zip(paths, passed, strict=True):
                for place, logits in zip(path, row, strict=True):
                    found.setdefault(place, logits)
        return [found[i] for i in range(len(tokens))]

    def _branch_masked(self, tokens: Sequence[int], parents: Sequence[int]) -> list[torch.Tensor]:
        """All branches side by side in one row, each token seeing only its own ancestors."""
        size = len(tokens)
        sees = torch.zeros((size, size), dtype=torch.bool)
        depths = torch.zeros(size, dtype=torch.long)
        for i, parent in enumerate(parents):
            if parent >= 0:
                sees[i] = sees[parent]
                depths[i] = depths[parent] + 1
            sees[i, i] = True
        device = self.model.device
        past = self._mask.bool().expand(size, -1)
        visible = torch.cat([past, sees.to(device)], dim=1)
        dtype = self.model.dtype
        mask = torch.zeros(visible.shape, dtype=dtype, device=device)
        mask.masked_fill_(~visible, torch.finfo(dtype).min)
        with torch.inference_mode():
            output = self.model.model(
                input_ids=torch.tensor([list(tokens)], device=device),
                attention_mask=mask[None, None],
                position_ids=(self._mask.sum() + depths.to(device))[None],
                past_key_values=_shallow(self._cache),
                use_cache=True,
                return_dict=True,
            )
        return list(output.logits[0])

    def _fork(self) -> ModelRows:
        """The same rows, growing on their own from here."""
        other = ModelRows(self.model)
        other._cache = _shallow(self._cache)
        other._mask = self._mask
        other._encoded = copy.copy(self._encoded)
        other._encoder_mask = self._encoder_mask
        return other

    def _encode(self, prompts: Sequence[Sequence[int]]) -> None:
        device = self.model.device
        longest = max(len(prompt) for prompt in prompts)
        tokens = torch.zeros((len(prompts), longest), dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for i, prompt in enumerate(prompts):
            tokens[i, : len(prompt)] = torch.tensor(prompt)
            mask[i, : len(prompt)] = 1
        self._encoder_mask = mask.to(device)
        encoder = self.model.model.get_encoder()
        self._encoded = encoder(input_ids=tokens.to(device), attention_mask=self._encoder_mask)

    def _pass(self, rows: Sequence[Sequence[int]], *, right: bool, keep: int = 0) -> torch.Tensor:
        """One forward pass over new tokens of every row, padded on one side; the logits."""
        device = self.model.device
        longest = max(len(row) for row in rows)
        tokens = torch.zeros((len(rows), longest), dtype=torch.long)
        fresh = torch.zeros_like(tokens)
        for i, row in enumerate(rows):
            at = slice(0, len(row)) if right else slice(longest - len(row), longest)
            tokens[i, at] = torch.tensor(row, dtype=torch.long)
            fresh[i, at] = 1
        fresh = fresh.to(device)
        past = self._mask if self._cache is not None else fresh[:, :0]
        mask = torch.cat([past, fresh], dim=1)
        inputs: dict[str, Any] = {"past_key_values": self._cache, "use_cache": True}
        if self.model.encoder_decoder:
            inputs |= {
                "decoder_input_ids": tokens.to(device),
                "decoder_attention_mask": mask,
                "encoder_outputs": self._encoded,
                "attention_mask": self._encoder_mask,
            }
        else:
            inputs |= {"input_ids": tokens.to(device), "attention_mask": mask}
            if self._cache is None and self.model.counts_slots:
                from transformers import DynamicCache

                # Without a config every layer keeps the whole past, so padding can be squeezed out.
                inputs["past_key_values"] = DynamicCache()
        if self.model.takes_positions:
            positions = past.sum(dim=1, keepdim=True) + fresh.cumsum(dim=1) - 1
            inputs["position_ids"] = positions.clamp(min=0)
        if keep and self.model.takes_keep:
            inputs["logits_to_keep"] = keep
        with torch.inference_mode():
            output = self.model.model(**inputs, return_dict=True)
        self._cache = output.past_key_values
        self._mask = mask
        if self.model.counts_slots and right and any(len(row) < longest for row in rows):
            self._squeeze()
        logits: torch.Tensor = output.logits
        return logits

    def _squeeze(self) -> None:
        """Move the padding of every row to the left of the cache and cut what all rows have."""
        kept = int(self._mask.sum(dim=1).max())
        order = torch.argsort(self._mask, dim=1, stable=True)[:, -kept:]
        for layer in self._cache.layers:
            index = order[:, None, :, None]
            layer.keys = torch.take_along_dim(layer.keys, index, dim=2)
            layer.values = torch.take_along_dim(layer.values, index, dim=2)
        self._mask = torch.take_along_dim(self._mask, order, dim=1)


def _shallow(cache: Any) -> Any:
    """A cache with layer objects of its own over the same tensors."""
    other = copy.copy(cache)
    if hasattr(cache, "layers"):
        other.layers = [copy.copy(layer) for layer in cache.layers]
    else:
        other.self_attention_cache = _shallow(cache.self_attention_cache)
        other.cross_attention_cache = _shallow(cache.cross_attention_cache)
        other.is_updated = dict(cache.is_updated)
    return other


def _path(parents: Sequence[int], end: int) -> list[int]:
    """The places from the top of a tree down to `end`."""
    path = []
    while end >= 0:
        path.append(end)
        end = parents[end]
    return path[::-1]
