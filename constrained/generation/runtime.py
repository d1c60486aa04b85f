"""`Runtime`: a model with its tokenizer, and how questions to it become rows of the loop."""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from constrained.arguments import check_switch, whole_number
from constrained.chat import PromptIds, check_arguments, ends_of
from constrained.errors import GenerationError, Truncated
from constrained.generation.canonical import Speller
from constrained.generation.chat_notices import ChatNotices
from constrained.generation.device_scores import DeviceDraws
from constrained.generation.guide import Guide
from constrained.generation.heads import HEAD_BYTES, Heads
from constrained.generation.inputs import Prompt, is_chat, prompt_ids
from constrained.generation.model import LanguageModel
from constrained.generation.paths import Paths, check_listable, grow
from constrained.generation.policy import Spellings, check_spellings, guide_of
from constrained.generation.row import Row
from constrained.generation.sampling import Sampling, row_generator
from constrained.limits import Limits
from constrained.spec.coerce import as_spec
from constrained.spec.spec import Spec
from constrained.vocabulary import Vocabulary, id_set

__all__ = ["Runtime", "per_prompt"]

GUIDES_KEPT = 64

NODES_KEPT = 50_000
"""Token paths of one guide beyond which they are grown anew at every call."""

Seed = int | Sequence[int] | None
"""One seed for all prompts, one per prompt, or None: other draws at every call."""


class Runtime:
    """A model with its tokenizer; keeps the guides of the specs it has seen.

    Arguments and errors as for `Generator`.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        spellings: Spellings,
        end_ids: Sequence[int],
        marks_in_text: bool = False,
        limits: Limits,
        device_masks: bool | None = None,
        head_bytes: int = HEAD_BYTES,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        check_switch(device_masks, "device_masks", GenerationError, known=(None, True, False))
        check_spellings(spellings)
        if not isinstance(limits, Limits):
            raise GenerationError(f"limits must be a Limits object, got {limits!r}")
        self.tokenizer = tokenizer
        self.model = LanguageModel(model, Heads(head_bytes))
        self.chat_arguments = check_arguments(tokenizer, chat_template_kwargs)
        found = ends_of(
            tokenizer,
            model=self.model.end_ids,
            given=id_set(end_ids),
            arguments=self.chat_arguments,
        )
        known = [end for end in found if end.sources != ("template",) or end.id < self.model.width]
        self.vocabulary = Vocabulary.from_tokenizer(
            tokenizer,
            width=self.model.width,
            end_ids=[end.id for end in known],
            marks_in_text=marks_in_text,
        )
        self.ends = tuple(known)
        self._notices = ChatNotices(tokenizer, self.ends, adapted=self.model.adapted)
        self.limits = limits
        self._draws = (
            None
            if device_masks is False
            else DeviceDraws(self.vocabulary, always=device_masks is True)
        )
        self._speller = Speller(tokenizer, self.vocabulary)
        self._spellings: Spellings = spellings
        self._guides: OrderedDict[tuple[Spec[Any], bool, str], Guide] = OrderedDict()
        self._paths: dict[Guide, Paths] = {}
        self._lock = Lock()

    def prompt(
        self, prompt: Prompt, place: int, arguments: Mapping[str, Any] | None = None
    ) -> PromptIds:
        """One prompt; `place` in the batch is for errors, `arguments` are of the chat template."""
        encoder = self.model.encoder_decoder
        asked = self.chat_arguments if arguments is None else arguments
        found = prompt_ids(self.tokenizer, prompt, place=place, encoder=encoder, arguments=asked)
        beyond = [i for i in found.ids if not 0 <= i < self.vocabulary.width]
        if beyond and not encoder:
            raise GenerationError(
                f"prompt {place} holds ids {beyond[:5]}, which the model does not have (it knows "
                f"{self.vocabulary.width:,})"
            )
        if isinstance(prompt, str):
            self._notices.plain(found.ids)
        self._notices.opened(found.opening, asked)
        return found

    @property
    def for_chat(self) -> bool:
        """See `Generator.for_chat`."""
        return self._notices.for_chat

    def arguments_for(
        self, batch: Sequence[Prompt], given: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """The arguments of the chat template for one call: its own over those of all calls."""
        if not given:
            check_arguments(self.tokenizer, given)
            return self.chat_arguments
        for place, prompt in enumerate(batch):
            if not is_chat(prompt):
                raise GenerationError(
                    f"chat_template_kwargs are for chats, and prompt {place} is none; pass a list "
                    'of messages such as {"role": "user", "content": "..."}'
                )
        check_arguments(self.tokenizer, given)
        return {**self.chat_arguments, **given}

    def guide(self, spec: Spec[Any], prompt: PromptIds) -> Guide:
        """The guide of a spec after a prompt, kept for the next call."""
        first = self.model.encoder_decoder or not self.vocabulary.spell(prompt.ids)
        fresh = first and bool(self._speller.prefix)
        key = (spec, fresh, "" if self.model.encoder_decoder else prompt.lead)
        with self._lock:
            guide = self._guides.get(key)
            if guide is None:
                guide = guide_of(
                    spec,
                    self.vocabulary,
                    self._speller,
                    spellings=self._spellings,
                    fresh=fresh,
                    lead=key[2],
                    limits=self.limits,
                )
                self._guides[key] = guide
                while len(self._guides) > GUIDES_KEPT:
                    _, dropped = self._guides.popitem(last=False)
                    self._paths.pop(dropped, None)
            self._guides.move_to_end(key)
        return guide

    def paths(self, spec: Spec[Any], prompt: PromptIds) -> Paths:
        """All token paths of a finite spec after a prompt, kept for the next call."""
        guide = self.guide(spec, prompt)
        paths = self._paths.get(guide)
        if paths is None:
            check_listable(spec, self.limits)
            paths = grow(guide, self.limits, lambda text: (text, spec.parse(text)))
            if len(paths.nodes) <= NODES_KEPT:
                self._paths[guide] = paths
        return paths

    def rows(
        self,
        batch: Sequence[Prompt],
        specs: Sequence[Spec[Any] | None],
        *,
        max_new_tokens: int,
        sampling: Sampling,
        samples: int = 1,
        seed: Seed = None,
        partial: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> list[Row]:
        """`samples` rows for each prompt, in order."""
        whole_number(samples, "samples", GenerationError, least=1)
        check_switch(partial, "partial", GenerationError, known=(True, False))
        copies: Counter[tuple[int, ...]] = Counter()
        rows = []
        for place, (prompt, spec, own) in enumerate(
            zip(batch, specs, _seeds(seed, len(batch)), strict=True)
        ):
            asked = self.prompt(prompt, place, arguments)
            ids = asked.ids
            guide = None if spec is None else self.guide(spec, asked)
            budget = self.budget(guide, len(ids), max_new_tokens, place, partial=partial)
            strict = guide is not None and guide.cost(guide.start) <= budget
            key = (own, *ids)
            for _ in range(samples):
                random = row_generator(own, ids, copies[key])
                copies[key] += 1
                rows.append(
                    Row(
                        ids,
                        guide,
                        self.vocabulary,
                        sampling,
                        random,
                        budget,
                        strict=strict,
                        draws=self._draws,
                    )
                )
        return rows

    def budget(
        self, guide: Guide | None, prompt: int, wanted: int, place: int, *, partial: bool = False
    ) -> int:
        """The tokens that a row may use; `Truncated` when no output fits into them."""
        wanted = whole_number(wanted, "max_new_tokens", GenerationError, least=1)
        context = self.model.context
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


def per_prompt(spec: Any, prompts: int) -> list[Spec[Any] | None]:
    """One spec per prompt: the same for all, or a list of as many (None: free text)."""
    if isinstance(spec, list):
        if spec and all(isinstance(one, str) for one in spec):
            raise GenerationError(
                f"{spec!r:.60} could be options of one answer or one text for each prompt; pass "
                "choice([...]) for options, as_spec(...) around each text otherwise"
            )
        if len(spec) != prompts:
            raise GenerationError(
                f"there are {len(spec)} specs for {prompts} prompts; pass one spec for all, or a "
                "list with one per prompt"
            )
        return [None if one is None else as_spec(one) for one in spec]
    return [None if spec is None else as_spec(spec)] * prompts


def _seeds(seed: Seed, prompts: int) -> list[int]:
    """A seed for each prompt."""
    if seed is None:
        return [secrets.randbits(63)] * prompts
    seed = seed.tolist() if hasattr(seed, "tolist") else seed
    if isinstance(seed, (str, bytes)) or not isinstance(seed, Sequence):
        return [whole_number(seed, "seed", GenerationError)] * prompts
    if len(seed) != prompts:
        raise GenerationError(
            f"there are {len(seed)} seeds for {prompts} prompts; pass one seed for all, or a list "
            "with one per prompt"
        )
    return [whole_number(one, f"seed {place}", GenerationError) for place, one in enumerate(seed)]
