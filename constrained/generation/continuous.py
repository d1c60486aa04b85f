"""`generate_batch`: masks inside the continuous batching of transformers 5.

Its batches take up requests as others finish. `model.generate_batch` has no place for a logits
processor (it drops the argument in silence) and shows its own processors the last token of each
request, not the text. But they may prepare one number per request from the request's state; here
that number is the row of a table of masks.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import GenerationConfig
from transformers.generation.continuous_batching.cb_logits_processors import (
    ContinuousBatchingLogitsProcessor,
)

from constrained.arguments import whole_number
from constrained.errors import GenerationError, TokenRejected, Truncated
from constrained.generation.canonical import Speller
from constrained.generation.guide import ENDED, Guide
from constrained.generation.masking import (
    check_width,
    fill_masks,
    mask_key,
    mask_rows,
    mask_words,
)
from constrained.generation.policy import Spellings, check_spellings, guide_of
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.coerce import as_spec
from constrained.vocabulary import Vocabulary

__all__ = ["ContinuousMask", "generate_batch"]

FREE = -1
"""The place of a request that has no mask."""


@dataclasses.dataclass
class _Written:
    """What is known of a request: where its output begins, how much was read, to which node."""

    prompt: int
    budget: int | None
    read: int
    node: int


class ContinuousMask(ContinuousBatchingLogitsProcessor):
    """One mask per request; the request's keyword `spec` is the number of its guide."""

    def __init__(self, guides: Sequence[Guide | None], vocabulary: Vocabulary) -> None:
        self.supported_kwargs = {"spec": int}
        self.ignored_kwargs = ()
        self.guides = list(guides)
        self.vocabulary = vocabulary
        self._known: dict[str, _Written] = {}
        self._words: NDArray[np.int32] = self._rows(0)

    def attach(self, manager: Any) -> None:
        """Put the mask before all other processors of a manager that has not started."""
        listed = manager.logit_processor
        listed.logits_processor.insert(0, self)
        listed.tensors_required += 1
        listed.supported_keys |= self.supported_kwargs
        listed.do_processing = True

    def fill_defaults(self, int32_tensor: torch.Tensor) -> None:
        """Rows that are no request have no mask."""
        int32_tensor.fill_(FREE)

    def prepare_tensor_args(self, requests_with_new_token: list[Any]) -> torch.Tensor:
        """The place of each request's mask among the rows filled here: int32, shape (requests,)."""
        self._words = self._rows(len(requests_with_new_token))
        places = []
        for place, request in enumerate(requests_with_new_token):
            state = request.state
            guide = self.guides[state.logit_processor_kwargs.get("spec", 0)]
            if guide is None:
                places.append(FREE)
                continue
            known = self._written(state, guide)
            left = None if known.budget is None else known.budget - (known.read - known.prompt)
            key = mask_key(guide, known.node, left)
            fill_masks(self.vocabulary, [key], self._words[place : place + 1])
            places.append(place)
        return torch.tensor(places, dtype=torch.int32)

    def __call__(self, scores: torch.Tensor, tensor_arg: torch.Tensor) -> torch.Tensor:
        """`scores`: floating, shape (requests, logits); `tensor_arg`: what was prepared."""
        check_width(scores.shape[-1], self.vocabulary.width)
        places = tensor_arg[: scores.shape[0]].tolist()
        if not len(self._words) or all(place == FREE for place in places):
            return scores
        return mask_rows(scores, self._words, [None if p == FREE else p for p in places])

    def _rows(self, count: int) -> NDArray[np.int32]:
        return np.zeros((count, mask_words(self.vocabulary)), dtype=np.int32)

    def _written(self, state: Any, guide: Guide) -> _Written:
        """The request as it stands; evicted ones come back with their answer in the prompt."""
        known = self._known.get(state.request_id)
        if known is None:
            begin = len(state.initial_tokens)
            known = _Written(begin, state.max_new_tokens, begin, guide.start)
            self._known[state.request_id] = known
        tokens = [*state.initial_tokens, *state.generated_tokens]
        for token in tokens[known.read :]:
            try:
                known.node = guide.advance(known.node, token)
            except TokenRejected:  # after an end
                known.node = ENDED
        known.read = len(tokens)
        return known


def generate_batch(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str | Sequence[int]],
    specs: Any,
    *,
    max_new_tokens: int,
    config: Any = None,
    width: int | None = None,
    end_ids: Iterable[int] = (),
    spellings: Spellings = "auto",
    marks_in_text: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    **settings: Any,
) -> list[str]:
    """The output for each prompt, by continuous batching.

    `specs` is one spec for all prompts, or a list with one each (None: free text). Every output is
    complete within `max_new_tokens`. `config` is a `ContinuousBatchingConfig`; asynchronous
    batching and CUDA graphs are switched off in it, as a mask depends on the token before.
    `settings` are those of a `GenerationConfig` (``do_sample``, ``temperature``, ...); for several
    outputs of a prompt repeat the prompt. The rest is as for `LogitsMask`.

    Raises `Truncated` when no output fits, `GenerationError` when transformers fails.

    >>> generate_batch(model, tokenizer, prompts, spec, max_new_tokens=40)  # doctest: +SKIP
    """
    from transformers.generation.configuration_utils import ContinuousBatchingConfig

    whole_number(max_new_tokens, "max_new_tokens", GenerationError, least=1)
    check_spellings(spellings)
    if settings.get("num_return_sequences", 1) != 1:
        raise GenerationError(
            "continuous batching gives one output per prompt here; repeat the prompt for more"
        )
    vocabulary = Vocabulary.from_tokenizer(
        tokenizer, width=width, end_ids=end_ids, marks_in_text=marks_in_text
    )
    several = specs if isinstance(specs, list) else [specs] * len(prompts)
    if len(several) != len(prompts):
        raise GenerationError(
            f"{len(several)} specs for {len(prompts)} prompts; pass one for all, or one per prompt"
        )
    speller = Speller(tokenizer, vocabulary)
    made: dict[int, Guide | None] = {id(None): None}
    for spec in several:
        if id(spec) not in made:
            made[id(spec)] = guide = guide_of(
                as_spec(spec), vocabulary, speller, spellings=spellings, limits=limits
            )
            if guide.cost(guide.start) > max_new_tokens:
                raise Truncated(f"no output of {spec!r} fits into max_new_tokens={max_new_tokens}")
    mask = ContinuousMask([made[id(spec)] for spec in several], vocabulary)
    asked = copy.deepcopy(model.generation_config)
    ends = sorted(vocabulary.end_ids)
    asked.update(max_new_tokens=max_new_tokens, eos_token_id=ends, **settings)
    chosen = config if config is not None else ContinuousBatchingConfig()
    chosen = dataclasses.replace(chosen, use_async_batching=False, use_cuda_graph=False)
    ids = [tokenizer(p)["input_ids"] if isinstance(p, str) else list(p) for p in prompts]
    rows = _run(model, mask, asked, chosen, ids)
    return [_text(vocabulary, row) for row in rows]


def _run(
    model: Any, mask: ContinuousMask, asked: GenerationConfig, config: Any, prompts: list[Any]
) -> list[list[int]]:
    """The ids generated for each prompt."""
    with torch.no_grad():
        manager = model.init_continuous_batching(
            generation_config=asked, continuous_batching_config=config
        )
        mask.attach(manager)
        manager.start()
        try:
            for number, prompt in enumerate(prompts):
                manager.add_request(prompt, request_id=str(number), spec=number)
            found: dict[str, Any] = {}
            while len(found) < len(prompts):
                result = manager.get_result(timeout=1)
                if result is not None and result.is_finished():
                    found[result.request_id] = result
                elif result is None and not manager.is_running():
                    raise GenerationError("the thread of continuous batching ended unexpectedly")
        finally:
            manager.stop(block=True, timeout=5)
            manager.destroy()
    errors = [result.error for result in found.values() if result.error is not None]
    if errors:
        raise GenerationError(f"continuous batching failed: {errors[0]}")
    return [list(found[str(number)].generated_tokens) for number in range(len(prompts))]


def _text(vocabulary: Vocabulary, ids: list[int]) -> str:
    ends = [place for place, token in enumerate(ids) if token in vocabulary.end_ids]
    return vocabulary.spell(ids[: ends[0]] if ends else ids).decode("utf-8", errors="replace")
