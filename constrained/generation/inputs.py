"""Prompts to token ids: text as it is, chats through the tokenizer's own template, never doubled.

A plain string is never wrapped in a chat template, and a beginning-of-sequence token is never put
in front of a text that already starts with one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from numbers import Integral
from typing import Any

from constrained.arguments import whole_number
from constrained.chat import (
    PROBE,
    PromptIds,
    answer_turn,
    before_answer,
    opening,
    render_chat,
    takes_chats,
)
from constrained.errors import GenerationError
from constrained.mistral import chat_ids, encodes_chats

__all__ = ["Message", "Prompt", "as_batch", "is_chat", "prompt_ids"]

Message = Mapping[str, Any]
"""One turn of a chat: ``{"role": "user", "content": "..."}``."""

Prompt = str | Sequence[Message] | Sequence[int] | PromptIds
"""A text, a chat (messages), or token ids that are used as they are."""


def as_batch(prompts: Any) -> tuple[list[Prompt], bool]:
    """The prompts as a list, and whether there was only the one.

    Raises `GenerationError` for an empty list, and for what is no prompt at all.
    """
    if isinstance(prompts, (str, PromptIds)):
        return [prompts], True
    if hasattr(prompts, "tolist"):
        prompts = prompts.tolist()
    if not isinstance(prompts, Iterable) or isinstance(prompts, (bytes, Mapping, AbstractSet)):
        raise _no_prompt(type(prompts).__name__)
    batch = list(prompts)
    if not batch:
        raise GenerationError("there is no prompt: the list of prompts is empty")
    if isinstance(batch[0], (Mapping, Integral)):
        return [batch], True
    return [one.tolist() if hasattr(one, "tolist") else one for one in batch], False


def _no_prompt(what: str) -> GenerationError:
    return GenerationError(
        f"a prompt is a text, a list of chat messages or a list of token ids, not {what}"
    )


def is_chat(prompt: Any) -> bool:
    """Whether a prompt goes through a chat template.

    >>> is_chat([{"role": "user", "content": "Hello"}]), is_chat("Hello"), is_chat([1, 2])
    (True, False, False)
    """
    listed = isinstance(prompt, Sequence) and not isinstance(prompt, (str, bytes))
    return listed and bool(prompt) and isinstance(prompt[0], Mapping)


def prompt_ids(
    tokenizer: Any,
    prompt: Prompt,
    *,
    place: int = 0,
    encoder: bool = False,
    arguments: Mapping[str, Any] | None = None,
) -> PromptIds:
    """The ids of one prompt. `encoder` keeps the end token that encoders want after it.

    `arguments` are of the chat template. Raises `GenerationError` for what is empty or no prompt,
    naming its `place` in the batch, and for a chat that the tokenizer's template does not take, or
    when it has none.
    """
    lead = opened = ""
    if isinstance(prompt, PromptIds):
        lead = prompt.lead
        prompt = prompt.ids
    if isinstance(prompt, str):
        ids = _text_ids(tokenizer, prompt, place, encoder=encoder) if prompt else []
    elif not isinstance(prompt, Sequence) or isinstance(prompt, bytes):
        raise _no_prompt(f"{type(prompt).__name__}: prompt {place} is {prompt!r:.60}")
    elif is_chat(prompt):
        asked = _chat(tokenizer, prompt, place, arguments or {})
        ids, lead, opened = list(asked.ids), asked.lead, asked.opening
    else:
        ids = [
            whole_number(token, f"token {i} of prompt {place}", GenerationError)
            for i, token in enumerate(prompt)
        ]
    if not ids:
        raise GenerationError(
            f"prompt {place} is empty, so there is nothing to continue; write a prompt, or pass "
            "token ids such as [tokenizer.bos_token_id]"
        )
    return PromptIds(tuple(ids), lead, opened)


def _text_ids(tokenizer: Any, text: str, place: int, *, encoder: bool) -> list[int]:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise GenerationError(
            f"prompt {place} holds half a character (a lone surrogate) at position {error.start}; "
            "write the whole character"
        ) from None
    bos = getattr(tokenizer, "bos_token", None)
    doubled = bool(bos and text.startswith(bos))
    ids = list(tokenizer(text, add_special_tokens=not doubled)["input_ids"])
    eos = getattr(tokenizer, "eos_token_id", None)
    if not encoder and len(ids) > 1 and ids[-1] == eos and not text.endswith(tokenizer.eos_token):
        # An end token that the tokenizer adds by itself would end the answer before it began.
        ids.pop()
    return ids


def _chat(
    tokenizer: Any, messages: Sequence[Any], place: int, arguments: Mapping[str, Any]
) -> PromptIds:
    if not takes_chats(tokenizer):
        raise GenerationError(
            "a chat needs a chat template, and this tokenizer has none; pass the prompt as one "
            "string in the format that the model was trained on"
        )
    for number, message in enumerate(messages):
        if not (isinstance(message, Mapping) and isinstance(message.get("role"), str)):
            raise GenerationError(
                f"message {number} of prompt {place} has no role: {message!r:.60}; a message is a "
                'dict such as {"role": "user", "content": "..."}'
            )
    if encodes_chats(tokenizer):
        try:
            return PromptIds(tuple(chat_ids(tokenizer, messages)))
        except Exception as error:  # validators of its own
            raise GenerationError(
                f"the tokenizer's chat template does not take prompt {place}: {error}"
            ) from error
    if messages[-1]["role"] == "assistant":
        text = render_chat(
            tokenizer, messages, arguments, prompt=False, open_end=True, what=f"prompt {place}"
        )
        return PromptIds(tuple(tokenizer(text, add_special_tokens=False)["input_ids"]))
    try:
        probe = PROBE
        while any(probe in str(message) for message in messages):
            probe += "z"
        turn = answer_turn(tokenizer, arguments, messages, answer=probe)
    except GenerationError:  # no answer fits behind these messages: there is nothing to read off
        text = render_chat(tokenizer, messages, arguments, what=f"prompt {place}")
        return PromptIds(tuple(tokenizer(text, add_special_tokens=False)["input_ids"]))
    return replace(before_answer(tokenizer, turn.prompt, turn.lead or ""), opening=opening(turn))
