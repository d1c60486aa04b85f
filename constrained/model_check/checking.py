"""`check_model`: look at a model's tokenizer, template and settings before anything is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from constrained.chat import End, answer_turn, check_arguments, ends_of
from constrained.engine import Engine
from constrained.errors import ConstrainedError, GenerationError, SpecError, VocabularyError
from constrained.model_check.result import ModelCheck
from constrained.model_check.spelled import SpelledText, check_spellings
from constrained.model_check.template import TemplateCheck, check_template
from constrained.model_check.tokens import TokenCheck, check_tokens
from constrained.models.settings import ModelSettings, load_settings
from constrained.spec.coerce import as_spec
from constrained.spec.spec import Spec
from constrained.tokenizers import token_bytes, tokenizer_name
from constrained.vocabulary import Vocabulary

__all__ = ["check_model"]


def check_model(
    model: Any = "smollm2",
    formats: Any = (),
    *,
    width: int | None = None,
    end_ids: Sequence[int] = (),
    chat_template_kwargs: Mapping[str, Any] | None = None,
    trust_remote_code: bool = False,
) -> ModelCheck:
    """What to know of a model before its answers are trusted; its weights are not loaded.

    `model` is a folder, a name on the model hub or ``smollm2``, or a tokenizer, of which less is
    known: `width` (of the logits) and `end_ids` (of the generation config) are what a model's
    settings say beside it. `formats` are output formats to look at: one, a list, or a mapping with
    names, each anything that `as_spec` takes. `chat_template_kwargs` are arguments of the chat
    template, as for `Generator`.

    Raises `ModelError` for a model that cannot be got, and `SpecError` for what is no format. What
    is wrong with the model is in the result.

    >>> check_model("smollm2", "Score: 7").spelled[-1].same  # doctest: +SKIP
    True
    """
    if isinstance(model, (str, PathLike)):
        settings = load_settings(model, trust_remote_code=trust_remote_code)
    else:
        settings = ModelSettings(tokenizer_name(model), model, width, tuple(end_ids))
    return _Checking(settings, _named(formats), chat_template_kwargs).result()


def _named(formats: Any) -> list[tuple[str, Spec[Any]]]:
    if isinstance(formats, Mapping):
        return [(str(name), as_spec(one)) for name, one in formats.items()]
    several = formats if isinstance(formats, (list, tuple)) else [formats]
    specs = [as_spec(one) for one in several]
    return [(repr(spec), spec) for spec in specs]


@dataclass
class _Checking:
    settings: ModelSettings
    formats: list[tuple[str, Spec[Any]]]
    given: Mapping[str, Any] | None

    def result(self) -> ModelCheck:
        tokenizer, width = self.settings.tokenizer, self.settings.width
        arguments = check_arguments(tokenizer, self.given)
        template = check_template(tokenizer, arguments)
        ends = ends_of(tokenizer, model=self.settings.end_ids, arguments=arguments)
        problems = [f"the chat template: {one}" for one in template.problems] if template else []
        notes = [f"the chat template: {one}" for one in template.notes] if template else []
        notes += _only_in_the_template(ends)
        seconds: dict[str, float] = {}
        tokens: TokenCheck | None = None
        spelled: tuple[SpelledText, ...] = ()
        try:
            vocabulary = self._vocabulary(ends, seconds)
            problems += _ordinary(tokenizer, ends)
            tokens = check_tokens(tokenizer, vocabulary, width)
            problems += _differing(tokens, vocabulary)
            self._mask(vocabulary, seconds)
            spelled = self._spelled(vocabulary, arguments, template, problems)
            problems += _spelled_otherwise(spelled)
        except VocabularyError as error:
            problems.append(str(error))
        return ModelCheck(
            self.settings.name,
            tokens,
            ends,
            template,
            spelled,
            tuple(problems),
            tuple(notes),
            seconds,
        )

    def _vocabulary(self, ends: Sequence[End], seconds: dict[str, float]) -> Vocabulary:
        width = self.settings.width
        known = [end.id for end in ends if width is None or end.id < width]
        start = time.perf_counter()
        vocabulary = Vocabulary.from_tokenizer(self.settings.tokenizer, width=width, end_ids=known)
        _ = vocabulary.native
        seconds["vocabulary"] = time.perf_counter() - start
        return vocabulary

    def _mask(self, vocabulary: Vocabulary, seconds: dict[str, float]) -> None:
        spec = self.formats[0][1] if self.formats else as_spec("10")
        start = time.perf_counter()
        engine = Engine(spec.grammar, vocabulary)
        engine.fill_mask(engine.start, np.zeros(engine.words, dtype=np.int32))
        seconds["mask"] = time.perf_counter() - start

    def _spelled(
        self,
        vocabulary: Vocabulary,
        arguments: Mapping[str, Any],
        template: TemplateCheck | None,
        problems: list[str],
    ) -> tuple[SpelledText, ...]:
        tokenizer = self.settings.tokenizer
        readable = template is not None and bool(template.before)
        turn = answer_turn(tokenizer, arguments) if readable else None
        found: list[SpelledText] = []
        for named in [[], *([one] for one in self.formats)]:
            try:
                texts = check_spellings(tokenizer, vocabulary, named, arguments, turn)
                found += [text for text in texts if bool(text.format) == bool(named)]
            except (GenerationError, SpecError, VocabularyError) as error:
                problems.append(f"the format {named[0][0]}: {error}" if named else str(error))
        return tuple(found)


def _only_in_the_template(ends: Sequence[End]) -> Iterator[str]:
    for end in ends:
        if end.sources == ("template",):
            yield (
                f"{end.token!r} ends an answer in the chat template only: Generator and LogitsMask "
                "know it, model.generate by itself does not"
            )


def _ordinary(tokenizer: Any, ends: Sequence[End]) -> Iterator[str]:
    """End ids that are ordinary text."""
    marked = {*getattr(tokenizer, "all_special_ids", ())}
    marked |= {*getattr(tokenizer, "added_tokens_decoder", {})}
    try:
        tokens = token_bytes(tokenizer)
    except ConstrainedError:
        return
    for end in ends:
        data = tokens[end.id] if end.id < len(tokens) else None
        if data is not None and end.id not in marked:
            yield (
                f"the end id {end.id} ({', '.join(end.sources)}) is ordinary text, {data!r}: no "
                "answer could hold it; take it out of the settings"
            )


def _differing(tokens: TokenCheck, vocabulary: Vocabulary) -> Iterator[str]:
    if tokens.differing:
        first = tokens.differing[0]
        yield (
            f"{len(tokens.differing):,} ids decode to another text than masks count with, the "
            f"first is {first} ({vocabulary.tokens[first]!r})"
        )


def _spelled_otherwise(spelled: Sequence[SpelledText]) -> Iterator[str]:
    """The first text of each format whose tokens are not those of the template."""
    told = set()
    for text in spelled:
        blank = not text.format and text.text[:1].isspace()
        if text.same is False and not blank and text.format not in told:
            told.add(text.format)
            what = f"the format {text.format}" if text.format else "numbers"
            yield (
                f"{what}: {text.text!r} is written {' '.join(map(repr, text.ours))}, and in the "
                f"template's own turn {' '.join(map(repr, text.template or ()))}"
            )
        if text.trimmed and text.format and text.format not in told:
            told.add(text.format)
            yield (
                f"the format {text.format}: {text.text!r} is not what the template writes for such "
                "an answer (it changes white space); take that out of the format"
            )
