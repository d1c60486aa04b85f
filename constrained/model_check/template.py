"""`check_template`: what a chat template writes before, around and after an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from constrained.chat import (
    AnswerTurn,
    answer_turn,
    has_template,
    opening_problems,
    render_chat,
    template_arguments,
    template_end,
    template_text,
    template_variables,
)
from constrained.errors import GenerationError

__all__ = ["TemplateCheck", "check_template"]


@dataclass(frozen=True, slots=True)
class TemplateCheck:
    """A chat template, as far as it can be read off what it writes.

    `prompt` is what it puts between a question and the answer when it is asked for one, `lead`
    what it writes between that and an answer of a conversation (None: such a conversation has
    another text there, `before`), `after` what follows the answer. `begins` counts the tokens
    with which a text begins (BOS) in front of the prompt, `plain_begins` those that the tokenizer
    puts before a plain text. `arguments` are the names that the template reads from outside.
    `problems` are wrong in silence, `notes` worth knowing.
    """

    prompt: str
    before: str
    lead: str | None
    after: str
    begins: int
    plain_begins: int
    arguments: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def check_template(tokenizer: Any, arguments: Mapping[str, Any]) -> TemplateCheck | None:
    """What there is to know of a tokenizer's template; None where there is none."""
    if not has_template(tokenizer):
        return None
    try:
        turn = answer_turn(tokenizer, arguments)
    except GenerationError as error:
        problem = f"what ends an answer, and how one begins, cannot be read off it: {error}"
        return TemplateCheck("", "", None, "", 0, 0, (), (problem,), ())
    read = _arguments(tokenizer, arguments)
    begins, plain = _begins(tokenizer, turn.prompt)
    problems = [*opening_problems(tokenizer, turn, arguments), *_ends(tokenizer, turn, arguments)]
    if begins > 1:
        problems.append(
            f"a prompt begins with {begins} tokens {tokenizer.bos_token!r}: models have learnt one"
        )
    notes = []
    if begins < plain:
        notes.append(
            f"it writes no {tokenizer.bos_token!r} in front, which the tokenizer puts before plain "
            "text; chats go without, as in transformers"
        )
    if "strftime_now" in read:
        notes.append("it reads the clock, so prompts change with the day")
    if turn.lead and not turn.lead.strip():
        notes.append(f"it writes {turn.lead!r} before an answer; the model is made to write it")
    return TemplateCheck(
        prompt=_generation_prompt(tokenizer, turn, arguments),
        before=turn.before,
        lead=turn.lead,
        after=turn.after,
        begins=begins,
        plain_begins=plain,
        arguments=tuple(sorted(template_arguments(tokenizer, arguments) or ())),
        problems=tuple(problems),
        notes=tuple(notes),
    )


def _arguments(tokenizer: Any, arguments: Mapping[str, Any]) -> frozenset[str]:
    text = template_text(tokenizer, arguments)
    return (None if text is None else template_variables(text)) or frozenset()


def _begins(tokenizer: Any, prompt: str) -> tuple[int, int]:
    """BOS tokens in front of a chat, as this library encodes it, and of a plain text."""
    bos = getattr(tokenizer, "bos_token_id", None)
    if bos is None:
        return 0, 0
    chat = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    plain = tokenizer("a")["input_ids"]
    first, second = (
        next((i for i, one in enumerate(ids) if one != bos), len(ids)) for ids in (chat, plain)
    )
    return first, second


def _generation_prompt(tokenizer: Any, turn: AnswerTurn, arguments: Mapping[str, Any]) -> str:
    """What asking for an answer adds; all that follows the question where that is not apart."""
    try:
        without = render_chat(tokenizer, turn.messages, arguments, prompt=False)
    except GenerationError:
        return turn.prompt
    return turn.prompt[len(without) :] if turn.prompt.startswith(without) else turn.prompt


def _ends(tokenizer: Any, turn: AnswerTurn, arguments: Mapping[str, Any]) -> Iterator[str]:
    if template_end(tokenizer, arguments) is not None:
        return
    if turn.after.strip():
        yield (
            f"it ends an answer with {turn.after[:40]!r}, which begins with no special token: "
            "an open format does not end there"
        )
    else:
        yield "it writes nothing after an answer, so nothing in it says where one ends"
