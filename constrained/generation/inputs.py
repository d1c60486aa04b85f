"""Prompts to token ids: text as it is, chats through the tokenizer's own template, never doubled.

A plain string is never wrapped in a chat template, and a beginning-of-sequence token is never put
in front of a text that already starts with one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from constrained.errors import GenerationError

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
    if not isinstance(prompts, Iterable) or isinstance(prompts, (bytes, Mapping)):
        raise GenerationError(
            f"a prompt is a text, a list of chat messages or a list of token ids, not "
            f"{type(prompts).__name__}"
        )
    batch = list(prompts)
    if not batch:
        raise GenerationError("there is no prompt: the list of prompts is empty")
    if isinstance(batch[0], (Mapping, int)):
        return [batch], True
    return batch, False


def prompt_ids(
    tokenizer: Any, prompt: Prompt, *, place: int = 0, encoder: bool = False
) -> list[int]:
    """The ids of one prompt. `encoder` keeps the end token that encoders want after it.

    Raises `GenerationError` for an empty prompt, naming its `place` in the batch, and for a chat
    when the tokenizer has no template.
    """
    if isinstance(prompt, str):
        ids = _text_ids(tokenizer, prompt, encoder=encoder) if prompt else []
    elif prompt and isinstance(prompt[0], Mapping):
        ids = _chat_ids(tokenizer, prompt)
    else:
        ids = [int(i) for i in prompt if not isinstance(i, Mapping)]
    if not ids:
        raise GenerationError(
            f"prompt {place} is empty, so there is nothing to continue; write a prompt, or pass "
            "token ids such as [tokenizer.bos_token_id]"
        )
    return ids


def _text_ids(tokenizer: Any, text: str, *, encoder: bool) -> list[int]:
    bos = getattr(tokenizer, "bos_token", None)
    doubled = bool(bos and text.startswith(bos))
    ids = list(tokenizer(text, add_special_tokens=not doubled)["input_ids"])
    eos = getattr(tokenizer, "eos_token_id", None)
    if not encoder and len(ids) > 1 and ids[-1] == eos and not text.endswith(tokenizer.eos_token):
        # An end token that the tokenizer adds by itself would end the answer before it began.
        ids.pop()
    return ids


def _chat_ids(tokenizer: Any, messages: Sequence[Any]) -> list[int]:
    if not getattr(tokenizer, "chat_template", None):
        raise GenerationError(
            "a chat needs a chat template, and this tokenizer has none; pass the prompt as one "
            "string in the format that the model was trained on"
        )
    text = tokenizer.apply_chat_template(
        list(messages),
        tokenize=False,
        add_generation_prompt=messages[-1]["role"] != "assistant",
        continue_final_message=messages[-1]["role"] == "assistant",
    )
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
