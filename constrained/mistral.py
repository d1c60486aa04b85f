"""Tokenizers of mistral-common, as transformers wraps them (`MistralCommonBackend`).

`AutoTokenizer` returns one for a folder with ``tekken.json`` when mistral-common is installed. It
has neither a decoder to read nor a chat template: the bytes of its ids come from the tokenizer
inside (Tekken or SentencePiece), and chats are encoded to ids, which its strings cannot express.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["chat_ids", "encodes_chats", "tekken_tokens", "wrapped_tokenizer"]


def wrapped_tokenizer(tokenizer: Any) -> Any:
    """The tokenizer of mistral-common inside; None for other tokenizers."""
    request = getattr(getattr(tokenizer, "tokenizer", None), "instruct_tokenizer", None)
    inner = getattr(request, "tokenizer", None)
    return inner if hasattr(inner, "n_words") and hasattr(inner, "is_special") else None


def tekken_tokens(inner: Any) -> list[bytes | None] | None:
    """Every id's bytes, None for special ones; None when it is no Tekken but SentencePiece."""
    if not hasattr(inner, "id_to_byte_piece"):
        return None
    ids = range(inner.n_words)
    return [None if inner.is_special(i) else bytes(inner.id_to_byte_piece(i)) for i in ids]


def encodes_chats(tokenizer: Any) -> bool:
    """Whether chats of this tokenizer are encoded to ids rather than rendered by a template."""
    return wrapped_tokenizer(tokenizer) is not None and hasattr(tokenizer, "apply_chat_template")


def chat_ids(tokenizer: Any, messages: Sequence[Mapping[str, Any]], **settings: Any) -> list[int]:
    """The ids of a chat, to where the answer begins; a last message of the assistant is gone on.

    Raises what the tokenizer raises for messages that it does not take.
    """
    ours = bool(messages) and messages[-1].get("role") == "assistant"
    ids = tokenizer.apply_chat_template(
        [dict(message) for message in messages],
        tokenize=True,
        return_dict=False,
        continue_final_message=ours,
        **settings,
    )
    return [int(i) for i in ids]
