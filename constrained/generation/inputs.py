"""Prompts to token ids: text as it is, chats through the tokenizer's own template, never doubled.

A plain string is never wrapped in a chat template, and a beginning-of-sequence token is never put
in front of a text that already starts with one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from numbers import Integral
from typing import Any

from constrained.arguments import whole_number
from constrained.errors import GenerationError
from constrained.mistral import chat_ids, encodes_chats

__all__ = ["Message", "Prompt", "as_batch", "prompt_ids"]

Message = Mapping[str, Any]
"""One turn of a chat: ``{"role": "user", "content": "..."}``."""

Prompt = str | Sequence[Message] | Sequence[int]
"""A text, a chat (messages), or token ids that are used as they are."""


def as_batch(prompts: Any) -> tuple[list[Prompt], bool]:
    """The prompts as a list, and whether there was only the one.

    Raises `GenerationError` for an empty list, and for what is no prompt at all.
    """
    if isinstance(prompts, str):
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


def prompt_ids(
    tokenizer: Any, prompt: Prompt, *, place: int = 0, encoder: bool = False
) -> list[int]:
    """The ids of one prompt. `encoder` keeps the end token that encoders want after it.

    Raises `GenerationError` for what is empty or no prompt, naming its `place` in the batch, and
    for a chat that the tokenizer's template does not take, or when it has none.
    """
    if isinstance(prompt, str):
        ids = _text_ids(tokenizer, prompt, place, encoder=encoder) if prompt else []
    elif not isinstance(prompt, Sequence) or isinstance(prompt, bytes):
        raise _no_prompt(f"{type(prompt).__name__}: prompt {place} is {prompt!r:.60}")
    elif prompt and isinstance(prompt[0], Mapping):
        ids = _chat_ids(tokenizer, prompt, place)
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
    return ids


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


def _chat_ids(tokenizer: Any, messages: Sequence[Any], place: int) -> list[int]:
    encoded = encodes_chats(tokenizer)
    if not (encoded or getattr(tokenizer, "chat_template", None)):
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
    ours = messages[-1]["role"] == "assistant"
    try:
        if encoded:
            return chat_ids(tokenizer, messages)
        text = tokenizer.apply_chat_template(
            list(messages),
            tokenize=False,
            add_generation_prompt=not ours,
            continue_final_message=ours,
        )
    except Exception as error:  # templates are programs and raise what they like
        raise GenerationError(
            f"the tokenizer's chat template does not take prompt {place}: {error}"
        ) from error
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
