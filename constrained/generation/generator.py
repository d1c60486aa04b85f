"""`Generator`: a model and its tokenizer, ready to answer in any format."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

from constrained.arguments import check_switch, whole_number
from constrained.chat import End, PromptIds
from constrained.errors import GenerationError
from constrained.generation.answer import chunks_of, result_of
from constrained.generation.distribution import Distribution
from constrained.generation.faithful import sample_faithfully
from constrained.generation.heads import HEAD_BYTES, KEEP_FROM, common_head
from constrained.generation.inputs import Prompt, as_batch
from constrained.generation.nested import NestedDistribution, nested_distribution
from constrained.generation.policy import Spellings
from constrained.generation.progress import Cancel, Progress, check_watching, run_rows
from constrained.generation.result import Chunk, Result
from constrained.generation.runtime import Runtime, per_prompt
from constrained.generation.sampling import Sampling
from constrained.generation.scoring import Request, distribution_of, score
from constrained.generation.weighted import SampledDistribution
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.spec import Spec
from constrained.vocabulary import Vocabulary

__all__ = ["Generator"]

T = TypeVar("T")


class Generator:
    """Answers in any format from a transformers model, PEFT adapters included.

    `spellings` says which token sequences count as a text: ``"canonical"`` (as the tokenizer
    splits it; finite specs), ``"all"``, or ``"auto"`` (canonical for finite specs of up to 4,096
    outputs). `batch_size` is the most rows of one batch (None: all). `end_ids` are added to the
    ids at which the tokenizer, its chat template and the model's settings end an answer (`ends`
    says which those are, and where each was found). Tokens such as
    ``<tool_call>`` are no part of free text, only of formats that write their text, unless
    `marks_in_text` says so.

    `chat_template_kwargs` go to the tokenizer's chat template with every chat: ``enable_thinking``,
    ``documents``, ``tools``, ``date_string``, whatever the template reads; a call can set others.
    An argument that the template does not read is refused. A plain text is never put into the
    template; where the model is plainly one for chat, the first one is answered with a
    `ChatWarning`. White space that the template writes before an answer is written by the model
    before every answer to a chat, spelled as in training, and is no part of the answer's text.

    Rows of a batch draw the same tokens as alone, but their logits can differ from those of the
    row alone in the last bits, as any batched matrix product does; two tokens that are that close
    could change places. `batch_invariant` gives every row passes of its own (samples of one prompt
    still share its prefill): slower for batches, and results on one machine are the same bit for
    bit whatever else is asked in the call.

    On a CUDA device tokens are masked and drawn there, and nothing but the tokens and their scores
    is read back; `device_masks` says so, or not, for any device. `head_bytes` is the memory for
    what `remember` keeps.

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
        batch_invariant: bool = False,
        device_masks: bool | None = None,
        head_bytes: int = HEAD_BYTES,
        end_ids: Sequence[int] = (),
        marks_in_text: bool = False,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if batch_size is not None:
            batch_size = whole_number(batch_size, "batch_size", GenerationError, least=1)
        check_switch(batch_invariant, "batch_invariant", GenerationError, known=(True, False))
        self.model = model
        self.tokenizer = tokenizer
        self._runtime = Runtime(
            model,
            tokenizer,
            spellings=spellings,
            end_ids=end_ids,
            marks_in_text=marks_in_text,
            limits=limits,
            device_masks=device_masks,
            head_bytes=head_bytes,
            chat_template_kwargs=chat_template_kwargs,
        )
        self._batch_size = batch_size
        self._apart = batch_invariant

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Raise `GenerationError`: a pickle would hold the model, and threads wait in it."""
        raise GenerationError(
            "a Generator cannot be pickled; send the model's name and load it in the other process"
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """What each id appends to the text, and which ids end it."""
        return self._runtime.vocabulary

    @property
    def ends(self) -> tuple[End, ...]:
        """The ids at which an answer ends, and where each of them was found."""
        return self._runtime.ends

    @property
    def for_chat(self) -> bool:
        """The model is plainly one for chat: it ends its answers as its chat template does."""
        return self._runtime.for_chat

    def remember(
        self, prompts: Any, *, chat_template_kwargs: Mapping[str, Any] | None = None
    ) -> int:
        """Keep the pass over the beginning that these prompts share, for later calls.

        `prompts` are as for a call: one stands for itself, of several the common beginning counts,
        such as the instructions in front of every essay. From then on prompts that begin with at
        least 16 tokens of it pay for what follows only, here and in `distribution`. The pass is
        made when it is first needed, and again when weights or adapters have changed since; of
        weights that were changed in place through ``parameter.data``, tell with `forget`. What
        takes more than ``head_bytes`` is not kept, and the beginning used longest ago goes first.

        Gives the number of tokens, 0 for models that cannot start in the middle of a prompt
        (encoder-decoders, sliding windows, ALiBi).

        >>> generator.remember([ask(essay) for essay in essays[:2]])  # doctest: +SKIP
        412
        """
        batch, single = as_batch(prompts)
        arguments = self._runtime.arguments_for(batch, chat_template_kwargs)
        ids = [
            self._runtime.prompt(prompt, place, arguments).ids for place, prompt in enumerate(batch)
        ]
        head = ids[0] if single else ids[0][: common_head(ids)]
        if not self._runtime.model.keeps_heads or len(head) < KEEP_FROM:
            return 0
        self._runtime.model.heads.remember(list(head))
        return len(head)

    def forget(self) -> None:
        """Undo all that was remembered, and free its memory."""
        self._runtime.model.heads.forget()

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
        seed: int | Sequence[int] | None = ...,
        partial: bool = ...,
        chat_template_kwargs: Mapping[str, Any] | None = ...,
        progress: Callable[[Progress], None] | None = ...,
        cancel: Cancel | None = ...,
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
        seed: int | Sequence[int] | None = ...,
        partial: bool = ...,
        chat_template_kwargs: Mapping[str, Any] | None = ...,
        progress: Callable[[Progress], None] | None = ...,
        cancel: Cancel | None = ...,
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
        seed: int | Sequence[int] | None = None,
        partial: bool = False,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        progress: Callable[[Progress], None] | None = None,
        cancel: Cancel | None = None,
    ) -> Any:
        """Generate one answer per prompt.

        `prompts` is a text, a chat (list of messages, goes through the tokenizer's chat template),
        token ids, or a list of any of these. `spec` is anything that `as_spec` takes, None for
        free text, or a list with one of them per prompt. `temperature` 0 is greedy; above it,
        every row draws from a generator of its own, seeded by `seed` and its prompt, so a row
        does not depend on the batch around it; a list has a seed per prompt. `samples` asks for
        that many answers per prompt. `chat_template_kwargs` are arguments of the chat template for
        the chats of this call, over those of the generator.

        `progress` is called with a `Progress` after every pass of the model. `cancel`, a
        `threading.Event` or a function, is asked then too; when it says so, answers that have not
        ended are handed back as they are, with ``finish_reason="cancelled"``.

        Gives a `Result` for one prompt, a list for a list of prompts, and with `samples` a list of
        results in each prompt's place.

        Outputs are always complete within `max_new_tokens`; when that cannot be, `Truncated` is
        raised before anything is generated, unless `partial` lets incomplete outputs through.
        Raises `GenerationError` for empty prompts and settings that make no sense.
        """
        check_watching(cancel, progress)
        batch, single = as_batch(prompts)
        specs = per_prompt(spec, len(batch))
        rows = self._runtime.rows(
            batch,
            specs,
            max_new_tokens=max_new_tokens,
            sampling=Sampling(temperature, top_k, top_p),
            samples=1 if samples is None else samples,
            seed=seed,
            partial=partial,
            arguments=self._runtime.arguments_for(batch, chat_template_kwargs),
        )
        run_rows(
            self._runtime.model,
            rows,
            at_once=self._batch_size,
            apart=self._apart,
            progress=progress,
            cancel=cancel,
        )
        each = samples or 1
        results = [result_of(row, specs[i // each]) for i, row in enumerate(rows)]
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
        chat_template_kwargs: Mapping[str, Any] | None = None,
        cancel: Cancel | None = None,
    ) -> Iterator[Chunk[Any]]:
        """Generate one answer piece by piece; the last chunk carries the `Result`.

        Every chunk says what the text so far means (`Chunk.value`). Closing the iterator stops the
        generation and frees its cache; so does `cancel`, and then the last chunk has the answer as
        far as it went. Arguments and errors as for a call.
        """
        check_watching(cancel)
        batch, single = as_batch(prompt)
        if not single:
            raise GenerationError("stream takes one prompt; call the generator for several")
        specs = per_prompt(spec, 1)
        (row,) = self._runtime.rows(
            batch,
            specs,
            max_new_tokens=max_new_tokens,
            sampling=Sampling(temperature, top_k, top_p),
            seed=seed,
            partial=partial,
            arguments=self._runtime.arguments_for(batch, chat_template_kwargs),
        )
        return chunks_of(self._runtime.model, row, specs[0], cancel=cancel)

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
        samples: None = ...,
        chat_template_kwargs: Mapping[str, Any] | None = ...,
    ) -> Distribution[T]: ...

    @overload
    def distribution(
        self,
        prompts: Prompt,
        spec: Spec[Any],
        *,
        temperature: float = ...,
        samples: int,
        seed: int | None = ...,
        max_new_tokens: int = ...,
        chat_template_kwargs: Mapping[str, Any] | None = ...,
    ) -> SampledDistribution: ...

    @overload
    def distribution(
        self,
        prompts: Any,
        spec: Any,
        *,
        temperature: float | Sequence[float] = ...,
        top_k: int | None = ...,
        top_p: float | None = ...,
        tails: bool = ...,
        together: bool = ...,
        samples: int | None = ...,
        seed: int | None = ...,
        max_new_tokens: int = ...,
        chat_template_kwargs: Mapping[str, Any] | None = ...,
    ) -> Any: ...

    def distribution(
        self,
        prompts: Any,
        spec: Any,
        *,
        temperature: float | Sequence[float] = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        tails: bool = True,
        together: bool = False,
        samples: int | None = None,
        seed: int | None = None,
        max_new_tokens: int = 256,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """The exact distribution over all outputs of a finite spec; see `Distribution`.

        Costs the prompt's pass, and more over its cache where the outputs take over 512 tokens.
        Prompts and specs as for a call; specs of one prompt and prompts of one length share their
        passes. `temperature` may be a list: the same passes then answer for all of them, and a
        list of distributions stands in the place of each one. `tails` False leaves out what is
        certain after the last choice: cheaper, and the local distribution is the same, but the
        global one needs it and is then refused. `together` pads all prompts into one pass, whatever
        their lengths: for measuring what a batch does to a score.

        For specs with infinitely many outputs, or too many, `samples` asks for that many weighted
        draws instead: a `SampledDistribution` of the free model's texts given that they are in the
        spec (the global distribution), complete within `max_new_tokens`. It takes one temperature
        above 0, without `top_k` and `top_p`.

        Raises `UnsupportedSpec` for a spec with infinitely many outputs, `LimitExceeded` when it
        has more token paths than ``limits.max_outputs``.
        """
        check_switch(tails, "tails", GenerationError, known=(True, False))
        check_switch(together, "together", GenerationError, known=(True, False))
        if together and (self._apart or samples is not None):
            raise GenerationError(
                "prompts are put together into one pass neither by a batch-invariant generator nor "
                "for samples"
            )
        grid = temperature if isinstance(temperature, Sequence) else (temperature,)
        if not grid:
            raise GenerationError("there is no temperature: the list of temperatures is empty")
        samplings = [Sampling(one, top_k, top_p) for one in grid]
        batch, single = as_batch(prompts)
        specs = per_prompt(spec, len(batch))
        arguments = self._runtime.arguments_for(batch, chat_template_kwargs)
        if samples is not None:
            if len(grid) != 1 or grid[0] == 0 or top_k is not None or top_p is not None:
                raise GenerationError(
                    "samples take one temperature above 0, and neither top_k nor top_p: those "
                    "would cut texts off that the weights have to count"
                )
            drawn = [
                self._sampled(
                    self._runtime.prompt(prompt, place, arguments),
                    one,
                    samplings[0],
                    samples,
                    seed,
                    max_new_tokens,
                )
                for place, (prompt, one) in enumerate(zip(batch, specs, strict=True))
            ]
            return drawn[0] if single else drawn
        requests = []
        for place, (prompt, one) in enumerate(zip(batch, specs, strict=True)):
            if one is None:
                raise GenerationError("a distribution needs a spec: free text has no finite one")
            asked = self._runtime.prompt(prompt, place, arguments)
            requests.append(Request(asked.ids, self._runtime.paths(one, asked), tails=tails))
        scored = score(
            self._runtime.model,
            requests,
            grid,
            apart=self._apart,
            at_once=self._batch_size,
            together=together,
        )
        found = [[distribution_of(one, sampling) for sampling in samplings] for one in scored]
        answers = found if isinstance(temperature, Sequence) else [one for (one,) in found]
        return answers[0] if single else answers

    def _sampled(
        self,
        prompt: PromptIds,
        spec: Spec[Any] | None,
        sampling: Sampling,
        samples: int,
        seed: int | None,
        max_new_tokens: int,
    ) -> SampledDistribution:
        if spec is None:
            raise GenerationError("a distribution needs a spec: free text has no finite one")
        whole_number(samples, "samples", GenerationError, least=1)
        if seed is not None:
            whole_number(seed, "seed", GenerationError)
        return sample_faithfully(
            self._runtime,
            prompt,
            spec,
            sampling,
            samples=samples,
            seed=secrets.randbits(63) if seed is None else seed,
            max_new_tokens=max_new_tokens,
            apart=self._apart,
            at_once=self._batch_size,
        )

    def nested_distribution(
        self,
        prompt: Prompt,
        spec: Any,
        field: str | int,
        *,
        samples: int = 20,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        max_new_tokens: int = 256,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> NestedDistribution:
        """The distribution of one field of a longer format: what comes before it is sampled.

        After each of the `samples` beginnings (a reason, say) the distribution of the field (a
        score) is exact. `field` is a hole of a template, the place of a hole in specs joined by
        ``+``, or a member of a JSON object. Samples are those of a call with the same settings,
        cut where the field begins.

        Raises `UnsupportedSpec` when the field has infinitely many values, when the text before it
        could go on past it, or when an output leaves it out; `InvalidSpec` when there is no such
        field.
        """
        batch, single = as_batch(prompt)
        if not single:
            raise GenerationError(
                "nested_distribution takes one prompt; call it for each of several"
            )
        (one,) = per_prompt(spec, 1)
        if one is None:
            raise GenerationError("a distribution needs a spec: free text has no fields")
        return nested_distribution(
            self._runtime,
            self._runtime.prompt(
                batch[0], 0, self._runtime.arguments_for(batch, chat_template_kwargs)
            ),
            one,
            field,
            Sampling(temperature, top_k, top_p),
            samples=samples,
            seed=seed,
            max_new_tokens=max_new_tokens,
            apart=self._apart,
            at_once=self._batch_size,
        )
