"""`before_answer`: the ids of a prompt, and the white space between them and an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from constrained.chat.answer_turn import PROBE

__all__ = ["PromptIds", "before_answer"]

SEEN_BEFORE = 8
"""Tokens before an answer that are decoded with it: enough for any decoder to know what it does."""


@dataclass(frozen=True, slots=True)
class PromptIds:
    """A prompt as token ids, which are used as they are.

    `lead` is white space that the prompt's format writes between them and an answer: the model
    writes it, and it is no part of the answer's text. `opening` says what else stands there.
    """

    ids: tuple[int, ...]
    lead: str = ""
    opening: str = ""


def before_answer(
    tokenizer: Any, text: str, lead: str, ids: tuple[int, ...] | None = None
) -> PromptIds:
    """The ids of a rendered prompt, with the white space that stands before an answer.

    `ids` are those of `text`, where they are not just what the tokenizer makes of it. `lead` is
    what the format writes between the two; anything but white space is left to the model. A
    tokenizer may put a space there itself (Llama 2's does after a special token), or make one
    token of the end of the prompt and the beginning of the lead: what counts is how it splits
    prompt and answer together, because training has split them so.

    >>> from constrained.testing import ByteTokenizer
    >>> before_answer(ByteTokenizer(), "A:", " ")
    PromptIds(ids=(65, 58), lead=' ', opening='')
    """
    plain = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    ids = plain if ids is None else ids
    if lead.strip():
        return PromptIds(ids)
    decode = getattr(tokenizer, "decode", None)
    if decode is None:
        return PromptIds(ids, lead)
    whole = tuple(tokenizer(text + lead + PROBE, add_special_tokens=False)["input_ids"])
    if ids[len(ids) - len(plain) :] != plain:
        return PromptIds(ids, lead)
    whole = (*ids[: len(ids) - len(plain)], *whole)  # a BOS token that the tokenizer adds
    pairs = zip(ids, whole, strict=False)
    kept = next((place for place, (a, b) in enumerate(pairs) if a != b), len(ids))
    head = whole[max(0, kept - SEEN_BEFORE) : kept]
    before, answered = decode(head), decode(head + whole[kept:])
    if kept and answered.startswith(before) and answered.endswith(PROBE):
        found = answered[len(before) : -len(PROBE)]
        if not found.strip():
            return PromptIds(ids[:kept], found)
    return PromptIds(ids, lead)
