"""`ModelRows`: a transformers model as batched passes over rows of tokens.

Rows of one batch grow by different lengths in one pass. New tokens are padded on the right of the
pass, and the padding is masked from then on; models that count positions by slots of the cache
(sliding windows, ALiBi) get the padding squeezed out of the cache instead. Decoders behind an
encoder take no position ids at all, so their rows have to grow in step.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch

from constrained.generation.heads import SHARE_FROM, common_head
from constrained.generation.model import LanguageModel
from constrained.generation.pass_cost import worthwhile
from constrained.generation.transfer import send, upload
from constrained.generation.tree import Tree

__all__ = ["ModelRows"]

PATHS_AT_ONCE = 64
"""Rows that one pass over a tree of continuations copies the cache for."""


class ModelRows:
    """The rows of one batch inside a model: their cache, what of it is padding, their lengths."""

    def __init__(self, model: LanguageModel) -> None:
        model.check_settled()
        self.model = model
        self._cache: Any = None
        self._mask = torch.zeros((0, 0), dtype=torch.long)
        self._ends: list[int] = []
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
        prompts = self._after_common_head(prompts)
        rows = [[*prompt, *head] for prompt, head in zip(prompts, heads, strict=True)]
        keep = max(len(head) for head in heads) + 1
        if self._cache is not None and self.model.counts_slots:
            passed = self.extend(rows)  # no padding between virtual tokens and prompts
        else:
            passed = list(self._pass(rows, right=False, keep=keep))
        return [row[len(row) - len(h) - 1 :] for row, h in zip(passed, heads, strict=True)]

    def begin_with_trees(
        self,
        prompts: Sequence[Sequence[int]],
        heads: Sequence[Sequence[int]],
        trees: Sequence[Tree],
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """`begin`, with a tree of possible continuations of each row scored in the same pass.

        Gives for each row what `begin` gives, and the logits after each token of its tree. The
        trees do not become part of the rows. Only for models that take trees (`fits_trees`).
        """
        prompts = self._after_common_head(prompts)
        keep = max(len(h) + len(t.tokens) for h, t in zip(heads, trees, strict=True)) + 1
        rows = [[*p, *h, *t.tokens] for p, h, t in zip(prompts, heads, trees, strict=True)]
        if all(tree.is_chain for tree in trees):
            logits = self._pass(rows, right=False, keep=keep)
            for i, tree in enumerate(trees):
                self._mask[i, self._mask.shape[1] - len(tree.tokens) :] = 0
        else:
            logits = self._pass_trees(rows, trees, keep)
        found = []
        for row, head, tree in zip(logits, heads, trees, strict=True):
            split = len(row) - len(tree.tokens)
            found.append((row[split - len(head) - 1 : split], row[split:]))
        return found

    def _pass_trees(
        self, rows: Sequence[Sequence[int]], trees: Sequence[Tree], keep: int
    ) -> torch.Tensor:
        """One forward pass over rows that end in their trees; the logits."""
        shared = self._mask.shape[1] if self._cache is not None else 0
        longest = max(map(len, rows))
        tokens = torch.zeros((len(rows), longest), dtype=torch.long)
        kept = torch.zeros_like(tokens)
        positions = torch.zeros_like(tokens)
        visible = torch.ones((longest, longest), dtype=torch.bool).tril().repeat(len(rows), 1, 1)
        for i, (row, tree) in enumerate(zip(rows, trees, strict=True)):
            first, branches = longest - len(row), longest - len(tree.tokens)
            tokens[i, first:] = torch.tensor(row)
            kept[i, first:branches] = 1
            positions[i, first:branches] = torch.arange(shared, shared + branches - first)
            sees, depths = tree.ancestors()
            positions[i, branches:] = shared + branches - first + depths
            visible[i, :, :first] = False
            visible[i, branches:, branches:] = sees
        visible |= torch.eye(longest, dtype=torch.bool)  # padding sees itself, or it would be nan
        past = torch.ones((len(rows), longest, shared), dtype=torch.bool)
        visible = torch.cat([past, visible], dim=2)
        output = self._forward_masked(tokens, positions, visible, self._cache, keep)
        self._cache = output.past_key_values
        self._mask = send(torch.cat([past[:, 0].long(), kept], dim=1), self.model.device)
        logits: torch.Tensor = output.logits
        return logits

    def stride(self, chances: Sequence[Sequence[float]]) -> int:
        """How many tokens of each row the next pass should take, at most (see `worthwhile`)."""
        return worthwhile(chances, self.model.device.type, padded=True)

    def extend(self, chunks: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """Append at least one token to each row; the logits after each: (len(chunk), width)."""
        begin = self._mask.shape[1]
        logits = self._pass(chunks, right=True)
        if self.model.counts_slots and len(set(map(len, chunks))) > 1:
            self._ends = [self._mask.shape[1]] * len(chunks)  # what was padding is on the left now
        else:
            self._ends = [begin + len(chunk) for chunk in chunks]
        return [row[: len(chunk)] for row, chunk in zip(logits, chunks, strict=True)]

    def retract(self, tokens: Sequence[int]) -> None:
        """Take back so many of the tokens that the last `extend` gave to each row."""
        if not any(tokens):
            return
        kept = torch.ones(self._mask.shape, dtype=torch.long)
        for row, (end, back) in enumerate(zip(self._ends, tokens, strict=True)):
            kept[row, end - back : end] = 0
        self._mask = self._mask * send(kept, self.model.device)
        if self.model.counts_slots:
            self._squeeze()
            return
        ends = max(end - back for end, back in zip(self._ends, tokens, strict=True))
        if unused := self._mask.shape[1] - ends:
            self._mask = self._mask[:, :ends]
            self._cache.crop(-unused)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row named twice is copied."""
        if list(rows) == list(range(self._mask.shape[0])):
            return
        index = upload(rows, torch.long, self.model.device)
        self._cache.batch_select_indices(index)
        self._mask = self._mask[index]
        if self._encoded is not None:
            self._encoded.last_hidden_state = self._encoded.last_hidden_state[index]
        if self._encoder_mask is not None:
            self._encoder_mask = self._encoder_mask[index]

    def branch(self, tree: Tree) -> list[torch.Tensor]:
        """Score a tree of continuations of the only row; the batch itself does not grow.

        Gives the logits after each token: shape (width,).
        """
        if self.model.takes_trees:
            return self._branch_masked(tree)
        tokens, parents = tree.tokens, tree.parents
        ends = sorted(set(range(len(tokens))) - set(parents))
        found: dict[int, torch.Tensor] = {}
        for first in range(0, len(ends), PATHS_AT_ONCE):
            paths = [tree.path(end) for end in ends[first : first + PATHS_AT_ONCE]]
            batch = self._fork()
            batch.select([0] * len(paths))
            passed = batch.extend([[tokens[i] for i in path] for path in paths])
            for path, row in zip(paths, passed, strict=True):
                for place, logits in zip(path, row, strict=True):
                    found.setdefault(place, logits)
        return [found[i] for i in range(len(tokens))]

    def _branch_masked(self, tree: Tree) -> list[torch.Tensor]:
        """All branches side by side in one row, each token seeing only its own ancestors."""
        sees, depths = tree.ancestors()
        past = self._mask.cpu().bool()
        visible = torch.cat([past.expand(len(tree.tokens), -1), sees], dim=1)[None]
        positions = (past.sum() + depths)[None]
        tokens = torch.tensor([list(tree.tokens)])
        output = self._forward_masked(tokens, positions, visible, _shallow(self._cache), 0)
        return list(output.logits[0])

    def _forward_masked(
        self,
        tokens: torch.Tensor,
        positions: torch.Tensor,
        visible: torch.Tensor,
        cache: Any,
        keep: int,
    ) -> Any:
        """A pass with a mask of one's own: `visible` is bool, shape (rows, new, past + new)."""
        device, dtype = self.model.device, self.model.dtype
        mask = torch.zeros(visible.shape, dtype=dtype)
        mask.masked_fill_(~visible, torch.finfo(dtype).min)
        inputs: dict[str, Any] = {
            "input_ids": send(tokens, device),
            "attention_mask": send(mask[:, None], device),
            "position_ids": send(positions, device),
            "past_key_values": cache,
            "use_cache": True,
        }
        if keep and self.model.takes_keep:
            inputs["logits_to_keep"] = keep
        with torch.inference_mode():
            return self.model.module(**inputs, return_dict=True)

    @property
    def held(self) -> tuple[Any, torch.Tensor]:
        """The cache, and which of its slots are no padding: int64, shape (rows, slots)."""
        return self._cache, self._mask

    @staticmethod
    def joined(batches: Sequence[ModelRows]) -> ModelRows:
        """The rows of several batches as one, padded on the left; only where gaps may be.

        The batches are used up.
        """
        if len(batches) == 1:
            return batches[0]
        caches, masks = zip(*(batch.held for batch in batches), strict=True)
        longest = max(mask.shape[1] for mask in masks)
        gaps = [longest - mask.shape[1] for mask in masks]
        joined, pad = ModelRows(batches[0].model), torch.nn.functional.pad
        joined._cache = caches[0]
        joined._mask = torch.cat([pad(m, (gap, 0)) for m, gap in zip(masks, gaps, strict=True)])
        for layer, *others in zip(*(cache.layers for cache in caches), strict=True):
            parts = [*zip((layer, *others), gaps, strict=True)]
            layer.keys = torch.cat([pad(part.keys, (0, 0, gap, 0)) for part, gap in parts])
            layer.values = torch.cat([pad(part.values, (0, 0, gap, 0)) for part, gap in parts])
        return joined

    def only(self, place: int) -> ModelRows:
        """One of the rows, growing on its own from here."""
        other = self._fork()
        other.select([place])
        return other

    def _after_common_head(self, prompts: Sequence[Sequence[int]]) -> Sequence[Sequence[int]]:
        """Give the beginning that all prompts share to the model once; what is left of each.

        It is taken from an earlier call where it is kept. Nothing happens where that would not pay,
        or where padding may not lie inside the cache.
        """
        kept = self.model.kept_head(prompts)
        rest = [prompt[kept:] for prompt in prompts]
        shared = common_head(rest)
        pays = (len(prompts) - 1) * shared >= SHARE_FROM and self.model.shares_heads
        if kept:
            self._begin_with_kept(tuple(prompts[0][:kept]))
        else:
            self._begin_with_virtual_tokens(1 if pays else len(prompts))
        if pays:
            self._pass([rest[0][:shared]], right=False, keep=1)
            rest = [prompt[shared:] for prompt in rest]
        if kept or pays:
            self.select([0] * len(prompts))
        return rest

    def _begin_with_kept(self, head: tuple[int, ...]) -> None:
        """Start one row from a head that is kept from call to call."""
        heads, weights = self.model.heads, self.model.weights
        found = heads.find(head, weights)
        if found is None:
            self._begin_with_virtual_tokens(1)
            self._pass([head], right=False, keep=1)
            heads.keep(head, weights, self._cache, self._mask)
            found = self._cache, self._mask
        self._cache, self._mask = _shallow(found[0]), found[1]

    def _begin_with_virtual_tokens(self, rows: int) -> None:
        """Start from the cache of the adapter's virtual tokens, where it has any."""
        if virtual := self.model.virtual_tokens:
            self._cache = self.model.virtual_cache(rows)
            self._mask = torch.ones((rows, virtual), dtype=torch.long, device=self.model.device)

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
        self._encoder_mask = send(mask, device)
        encoder = self.model.model.get_encoder()
        self._encoded = encoder(input_ids=send(tokens, device), attention_mask=self._encoder_mask)

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
        fresh = send(fresh, device)
        past = self._mask if self._cache is not None else fresh[:, :0]
        mask = torch.cat([past, fresh], dim=1)
        inputs: dict[str, Any] = {"past_key_values": self._cache, "use_cache": True}
        if self.model.encoder_decoder:
            inputs |= {
                "decoder_input_ids": send(tokens, device),
                "decoder_attention_mask": mask,
                "encoder_outputs": self._encoded,
                "attention_mask": self._encoder_mask,
            }
        else:
            inputs |= {"input_ids": send(tokens, device), "attention_mask": mask}
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
            output = self.model.module(**inputs, return_dict=True)
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
