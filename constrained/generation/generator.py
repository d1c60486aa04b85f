"""`Generator`: a model and its tokenizer, ready to answer in any format."""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any, TypeVar, overload

from constrained.errors import GenerationError, Truncated
from constrained.generation.answer import chunks_of, result_of
from constrained.generation.canonical import Speller
from constrained.generation.distribution import Distribution
from constrained.generation.guide import Guide
from constrained.generation.inputs import Prompt, as_batch, prompt_ids
from constrained.generation.loop import Row, decode
from constrained.generation.model import LanguageModel
from constrained.generation.policy import Spellings, guide_of
from constrained.generation.result import Chunk, Result
from constrained.generation.sampling import Sampling, row_generator
from constrained.generation.scoring import score
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.coerce import as_spec
from constrained.spec.spec import Spec
from constrained.vocabulary import Vocabulary

__all__ = ["Generator"]

T = TypeVar("T")

GUIDES_KEPT = 64


class Generator:
    """Answers in any format from a transformers model, PEFT adapters included.

    `spellings` says which token sequences count as a text: ``"canonical"`` (as the tokenizer
    splits it; finite specs), ``"all"``, or ``"auto"`` (canonical for finite specs of up to 4,096
    outputs). `batch_size` is the most rows of one batch (None: all). `end_ids` are added to the
    ids at which the tokenizer and the model's settings end an answer.

    Raises `VocabularyError` when the tokenizer's ids do not spell text exactly, `GenerationError`
    when the model cannot run in this loop.

    >>> generator = Generator(model, tokenizer)  # doctest: +SKIP
    >>> generator("Grade this essay: ...", "Score: " + integer(0, 10)).value  # doctest: +SKIP
    7
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        spellings: Spellings = "auto",
        batch_size: int | None = None,
        end_ids: Sequence[int] = (),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self._language_model = LanguageModel(model)
        self.vocabulary = Vocabulary.from_tokenizer(
            tokenizer,
            width=self._language_model.width,
            end_ids=(*end_ids, *self._language_model.end_ids),
        )
        self._speller = Speller(tokenizer, self.vocabulary)
        self._spellings: Spellings = spellings
        self._batch_size = batch_size
        self._limits = limits
        self._guides: OrderedDict[tuple[Spec[Any], bool], Guide] = OrderedDict()
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Generator({type(self.model).__name__}, {self.vocabulary!r})"

    @overload
    def __call__(
        self,
        prompts: Prompt,
        spec: Spec[T],
        *,
        max_new_tokens: int = ...,
        temperature: float = ...,
        top_k: int | None = ...,
        top_p: float | None = ...,
        samples: None = ...,
        seed: int | None = ...,
        partial: bool = ...,
    ) -> Result[T]: ...

    @overload
    def __call__(
        self,
        prompts: Any,
        spec: Any,
        *,
        max_new_tokens: int = ...,
        temperature: float = ...,
        top_k: int | None = ...,
        top_p: float | None = ...,
        samples: int | None = ...,
        seed: int | None = ...,
        partial: bool = ...,
    ) -> Any: ...

    def __call__(
        self,
        prompts: Any,
        spec: Any,
        *,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        samples: int | None = None,
        seed: int | None = None,
        partial: bool = False,
    ) -> Any:
        """Generate one answer per prompt.

        `prompts` is a text, a chat (list of messages, goes through the tokenizer's chat template),
        token ids, or a list of any of these. `spec` is anything that `as_spec` takes, None for
        free text, or a list with one of them per prompt. `temperature` 0 is greedy; above it,
        every row draws from a generator of its own, seeded by `seed` and its prompt, so a row
        does not depend on the batch around it. `samples` asks for that many answers per prompt.

        Gives a `Result` for one prompt, a list for a list of prompts, and with `samples` a list of
        results in each prompt's place.

        Outputs are always complete within `max_new_tokens`; when that cannot be, `Truncated` is
        raised before anything is generated, unless `partial` lets incomplete outputs through.
        Raises `GenerationError` for empty prompts and settings that make no sense.
        """
        batch, single = as_batch(prompts)
        rows, specs = self._rows(
            batch,
            spec,
            max_new_tokens=max_new_tokens,
            sampling=Sampling(temperature, top_k, top_p),
            samples=samples,
            seed=seed,
            partial=partial,
        )
        step = self._batch_size or len(rows)
        for first in range(0, len(rows), step):
            for _ in decode(self._language_model, rows[first : first + step]):
                pass
        results = [result_of(row, spec) for row, spec in zip(rows, specs, strict=True)]
        if samples is None:
            return results[0] if single else results
        grouped = [results[i : i + samples] for i in range(0, len(results), samples)]
        return grouped[0] if single else grouped

    def stream(
        self,
        prompt: Prompt,
        spec: Any,
        *,
        max_new_tokens: int = 256,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        partial: bool = False,
    ) -> Iterator[Chunk[Any]]:
        """Generate one answer piece by piece; the last chunk carries the `Result`.

        Closing the iterator stops the generation. Arguments and errors as for a call.
        """
        batch, single = as_batch(prompt)
        if not single:
            raise GenerationError("stream takes one prompt; call the generator for several")
        (row,), (one,) = self._rows(
            batch,
            spec,
            max_new_tokens=max_new_tokens,
            sampling=Sampling(temperature, top_k, top_p),
            samples=None,
            seed=seed,
            partial=partial,
        )
        return chunks_of(self._language_model, row, one)

    @overload
    def distribution(
        self,
        prompts: Prompt,
        spec: Spec[T],
        *,
        temperature: float = ...,
        top_k: int | None = ...,
        top_p: float | None = ...,
        tails: bool = ...,
    ) -> Distribution[T]: ...

    @overload
    def distribution(
        self,
        prompts: Any,
        spec: Any,
        *,
        temperature: float = ...,
        top_k: int | None = ...,
        top_p: float | None = ...,
        tails: bool = ...,
    ) -> Any: ...

    def distribution(
        self,
        prompts: Any,
        spec: Any,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        tails: bool = True,
    ) -> Any:
        """The exact distribution over all outputs of a finite spec; see `Distribution`.

        Costs the prompt's pass and one more over the outputs. `tails` False leaves out what is
        certain after the last choice: cheaper, and the local distribution is the same, but the
        global one needs it and is then refused. Prompts and specs as for a call.

        Raises `UnsupportedSpec` for a spec with infinitely many outputs, `LimitExceeded` when it
        has more token paths than ``limits.max_outputs``.
        """
        batch, single = as_batch(prompts)
        specs = _per_prompt(spec, len(batch))
        sampling = Sampling(temperature, top_k, top_p)
        found = []
        for place, (prompt, one) in enumerate(zip(batch, specs, strict=True)):
            if one is None:
                raise GenerationError("a distribution needs a spec: free text has no finite one")
            ids = self._prompt(prompt, place)
            guide = self._guide(one, ids)
            found.append(
                score(
                    self._language_model,
                    ids,
                    one,
                    guide,
                    sampling,
                    tails=tails,
                    limits=self._limits,
                )
            )
        return found[0] if single else found

    def _prompt(self, prompt: Prompt, place: int) -> list[int]:
        encoder = self._language_model.encoder_decoder
        ids = prompt_ids(self.tokenizer, prompt, place=place, encoder=encoder)
        beyond = [i for i in ids if not 0 <= i < self.vocabulary.width]
        if beyond and not encoder:
            raise GenerationError(
                f"prompt {place} holds ids {beyond[:5]}, which the model does not have (it knows "
                f"{self.vocabulary.width:,})"
            )
        return ids

    def _rows(
        self,
        batch: list[Prompt],
        spec: Any,
        *,
        max_new_tokens: int,
        sampling: Sampling,
        samples: int | None,
        seed: int | None,
        partial: bool,
    ) -> tuple[list[Row], list[Spec[Any] | None]]:
        if max_new_tokens < 1:
            raise GenerationError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        if samples is not None and samples < 1:
            raise GenerationError(f"samples must be at least 1, got {samples}")
        seed = secrets.randbits(63) if seed is None else seed
        copies: Counter[tuple[int, ...]] = Counter()
        rows, specs = [], []
        for place, (prompt, one) in enumerate(
            zip(batch, _per_prompt(spec, len(batch)), strict=True)
        ):
            ids = self._prompt(prompt, place)
            guide = None if one is None else self._guide(one, ids)
            budget = self._budget(guide, len(ids), max_new_tokens, place, partial=partial)
            for _ in range(samples or 1):
                key = tuple(ids)
                rows.append(
                    Row(
                        ids,
                        guide,
                        self.vocabulary,
                        sampling,
                        row_generator(seed, ids, copies[key]),
                        budget,
                        strict=guide is not None and guide.cost(guide.start) <= budget,
                    )
                )
                copies[key] += 1
                specs.append(one)
        return rows, specs

    def _budget(
        self, guide: Guide | None, prompt: int, wanted: int, place: int, *, partial: bool
    ) -> int:
        """The tokens that this row may use; `Truncated` when no output fits into them."""
        context = self._language_model.context
        budget = wanted if context is None else min(wanted, context - prompt)
        why = f"max_new_tokens={wanted}"
        if budget < wanted:
            why = f"the {context:,} tokens of the model's context less {prompt:,} of the prompt"
        if budget < 1:
            raise GenerationError(
                f"prompt {place} has {prompt:,} tokens and the model can hold {context:,}, so "
                "there is no room for an answer; shorten the prompt"
            )
        needed = 0 if guide is None else guide.cost(guide.start)
        if needed > budget and not partial:
            raise Truncated(
                f"no output for prompt {place} fits into {budget} tokens ({why}): the shortest way "
                f"to complete one takes {needed}; allow more, or pass partial=True"
            )
        return budget

    def _guide(self, spec: Spec[Any], prompt: Sequence[int]) -> Guide:
        """The guide of a spec, kept for the next call."""
        first = self._language_model.encoder_decoder or not self.vocabulary.spell(prompt)
        key = (spec, first and bool(self._speller.prefix))
        with self._lock:
            guide = self._guides.get(key)
            if guide is None:
                guide = guide_of(
                    spec,
                    self.vocabulary,
                    self._speller,
                    spellings=self._spellings,
                    fresh=key[1],
                    limits=self._limits,
                )
                self._guides[key] = guide
                while len(self._guides) > GUIDES_KEPT:
                    self._guides.popitem(last=False)
            self._guides.move_to_end(key)
        return guide


def _per_prompt(spec: Any, prompts: int) -> list[Spec[Any] | None]:
    """One spec per prompt: the same for all, or a list of as many (None: free text)."""
    if isinstance(spec, list):
        if len(spec) != prompts:
            raise GenerationError(
                f"there are {len(spec)} specs for {prompts} prompts; pass one spec for all, or a "
                "list with one per prompt"
            )
        return [None if one is None else as_spec(one) for one in spec]
    return [None if spec is None else as_spec(spec)] * prompts
