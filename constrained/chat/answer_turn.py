"""`answer_turn`: where a chat template puts an answer, read off one that it has written.

The template writes the same conversation twice: up to where the model goes on, and with an answer
of known text. What stands between the two, and after the answer, is what it writes around answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from constrained.chat.template import render_chat
from constrained.errors import GenerationError

__all__ = ["PROBE", "AnswerTurn", "answer_turn"]

PROBE = "Zanswerz"
"""An answer: letters only, so no template trims or escapes it, and a word that none contains."""

NEXT = "Znextz"
"""What is said after the answer."""

ASKED = "Zquestionz"


@dataclass(frozen=True, slots=True)
class AnswerTurn:
    """What a template writes around an answer.

    `prompt` is the text after which the model answers. `lead` is what the template writes between
    it and an answer; None where a conversation with an answer does not begin with the prompt.
    `before` is all that stands before the answer there. `after` follows the answer: what ends it
    as the last one, else (`later`) what stands between it and the next message. `messages` are the
    conversation that the template took, without the answer.
    """

    prompt: str
    before: str
    lead: str | None
    after: str
    later: bool
    messages: tuple[Mapping[str, Any], ...]


def answer_turn(
    tokenizer: Any,
    arguments: Mapping[str, Any] | None = None,
    messages: Sequence[Mapping[str, Any]] | None = None,
    *,
    answer: str = PROBE,
) -> AnswerTurn:
    r"""Where the tokenizer's template puts an answer to `messages` (None: to a question of ours).

    Some templates want a message's text in a list of parts, some a system message or a list of
    tools; without `messages`, shapes are tried until one is taken. Raises `GenerationError` when
    the template takes none, or does not write the answer once.

    >>> answer_turn(tokenizer).after  # doctest: +SKIP
    '<|im_end|>\n'
    """
    problem: GenerationError | None = None
    for asked, listed, more in _shapes(messages):
        try:
            return _read(tokenizer, {**more, **(arguments or {})}, asked, answer, listed=listed)
        except GenerationError as error:
            problem = problem or error
    raise problem or GenerationError("there is no conversation to write")


def _shapes(
    messages: Sequence[Mapping[str, Any]] | None,
) -> Iterator[tuple[list[Mapping[str, Any]], bool, dict[str, Any]]]:
    """Conversations to try, whether texts stand in lists of parts, and arguments."""
    if messages is not None:
        yield list(messages), isinstance(messages[-1].get("content"), list), {}
        return
    no_tools: dict[str, Any] = {"tools": []}
    for more, listed in product(({}, no_tools), (False, True)):
        question = _message("user", ASKED, listed=listed)
        yield [question], listed, more
        yield [_message("system", "Zsystemz", listed=listed), question], listed, more


def _message(role: str, text: str, *, listed: bool) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text}] if listed else text}


def _read(
    tokenizer: Any,
    arguments: Mapping[str, Any],
    asked: list[Mapping[str, Any]],
    answer: str,
    *,
    listed: bool,
) -> AnswerTurn:
    prompt = render_chat(tokenizer, asked, arguments)
    answered = [*asked, _message("assistant", answer, listed=listed)]
    later = False
    try:
        whole = render_chat(tokenizer, answered, arguments, prompt=False)
        before, after = _around(whole, answer)
    except GenerationError:
        later = True
    if later or not after.strip():
        # Some templates write what ends an answer only when something follows.
        try:
            longer = [*answered, _message("user", NEXT, listed=listed)]
            whole = render_chat(tokenizer, longer, arguments, prompt=False)
            start, rest = _around(whole, answer)
            if NEXT in rest:
                before, after, later = (start if later else before), rest.split(NEXT)[0], True
        except GenerationError:
            if later:
                raise
    lead = before[len(prompt) :] if before.startswith(prompt) else None
    return AnswerTurn(prompt, before, lead, after, later, tuple(asked))


def _around(whole: str, answer: str) -> tuple[str, str]:
    before, found, after = whole.rpartition(answer)
    if not found or (answer.startswith(PROBE) and answer in before):
        raise GenerationError(
            "the tokenizer's chat template does not write an answer as it is, once: it was asked "
            f"to write {answer!r}"
        )
    return before, after
