"""`check_spellings`: how texts are tokenised as answers, here and in the template's own turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from constrained.chat import AnswerTurn, PromptIds, answer_turn, before_answer
from constrained.errors import GenerationError
from constrained.generation.canonical import Speller
from constrained.generation.policy import guide_of
from constrained.generation.training_check import generated_ids
from constrained.spec.coerce import as_spec
from constrained.spec.spec import Spec
from constrained.vocabulary import Vocabulary

__all__ = ["SpelledText", "check_spellings"]

NUMBERS = ("10", " 10")
"""What scores look like: a digit more, and a space that belongs to a token or not."""

EXAMPLES = 12
"""Texts of a format that are looked at."""


@dataclass(frozen=True, slots=True)
class SpelledText:
    """An answer and its tokens.

    `format` is the format that it is an example of ("": a number of ours). `ours` are the tokens
    that generation writes after a chat of the template, white space before the answer included;
    `template` those that the tokenizer makes of the answer in a conversation of its template: what
    a model was trained on. None where there is no template, and where the template changes the
    text (`trimmed`).
    """

    text: str
    format: str
    ours: tuple[str, ...]
    template: tuple[str, ...] | None
    trimmed: bool = False

    @property
    def same(self) -> bool | None:
        """Whether both agree; None where there is nothing to compare with."""
        return None if self.template is None else self.ours == self.template


def check_spellings(
    tokenizer: Any,
    vocabulary: Vocabulary,
    formats: Sequence[tuple[str, Spec[Any]]],
    arguments: Mapping[str, Any],
    turn: AnswerTurn | None,
) -> Iterator[SpelledText]:
    """Two numbers, and examples of each format (a name and a spec).

    Raises what compiling a format raises, for one that the tokenizer cannot write.
    """
    speller = Speller(tokenizer, vocabulary)
    asked: Sequence[tuple[str, Spec[Any]]] = [("", as_spec(text)) for text in NUMBERS]
    for name, spec in [*asked, *formats]:
        prompt = _prompt(tokenizer, turn)
        guide = guide_of(spec, vocabulary, speller, lead=prompt.lead)
        for text in spec.examples(EXAMPLES):
            wanted = _in_turn(tokenizer, vocabulary, arguments, turn, text)
            trained = wanted if isinstance(wanted, list) else []
            chosen = trained or list(speller.within(text.encode("utf-8")) or ())
            if guide.lead and not trained:
                chosen = list(speller.within(guide.lead + text.encode("utf-8")) or ())
            yield SpelledText(
                text,
                name,
                _shown(vocabulary, generated_ids(guide, vocabulary, chosen)),
                _shown(vocabulary, wanted) if isinstance(wanted, list) else None,
                trimmed=wanted == "trimmed",
            )


def _prompt(tokenizer: Any, turn: AnswerTurn | None) -> PromptIds:
    if turn is None:
        return PromptIds(())
    return before_answer(tokenizer, turn.prompt, turn.lead or "")


def _in_turn(
    tokenizer: Any,
    vocabulary: Vocabulary,
    arguments: Mapping[str, Any],
    turn: AnswerTurn | None,
    text: str,
) -> list[int] | str | None:
    """The tokens of an answer in the template's turn, the white space before it included."""
    if turn is None:
        return None
    try:
        written = answer_turn(tokenizer, arguments, turn.messages, answer=text)
    except GenerationError:
        return "trimmed"
    if written.before != turn.before or written.after != turn.after:
        return "trimmed"
    if turn.lead is not None and not turn.lead.strip():
        prompt = before_answer(tokenizer, turn.prompt, turn.lead)
    else:
        prompt = before_answer(tokenizer, turn.before, "")
    whole = written.before + text + written.after
    ids = list(tokenizer(whole, add_special_tokens=False)["input_ids"])
    if tuple(ids[: len(prompt.ids)]) != prompt.ids:
        return None
    size = len((prompt.lead + text).encode("utf-8"))
    found: list[int] = []
    for index in ids[len(prompt.ids) :]:
        if len(vocabulary.spell(found)) >= size or vocabulary.spell([index]) == b"":
            break
        found.append(index)
    return found


def _shown(vocabulary: Vocabulary, ids: Sequence[int]) -> tuple[str, ...]:
    return tuple(vocabulary.spell([i]).decode("utf-8", errors="replace") for i in ids)
