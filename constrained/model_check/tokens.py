"""`check_tokens`: whether each id appends what the tokenizer says, and what no token can write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from constrained.tokenizers import encode_plainly
from constrained.vocabulary import Vocabulary

__all__ = ["TokenCheck", "check_tokens"]

UTF8_BYTES = frozenset(range(0xF5)) - {0xC0, 0xC1}
"""The bytes that occur in UTF-8 at all."""

AT_ONCE = 4096
"""Ids that are decoded in one call."""


@dataclass(frozen=True, slots=True)
class TokenCheck:
    """The ids of a tokenizer, against what it decodes.

    `ids` are those that stand for text, `agreeing` of them decode to the bytes that masks count
    with, `differing` are the others. `silent` ids stand for no text: special, or unused. `width`
    is how many logits the model has (None: not known), `padding` how many of them have no id,
    `beyond` how many ids have no logit. `missing_bytes` occur in no token, so no character that
    needs one can be written.
    """

    ids: int
    agreeing: int
    differing: tuple[int, ...]
    silent: int
    width: int | None
    padding: int
    beyond: int
    missing_bytes: tuple[int, ...]


def check_tokens(tokenizer: Any, vocabulary: Vocabulary, width: int | None) -> TokenCheck:
    """Decode every id behind a letter, and compare with the bytes of the vocabulary."""
    tokens = vocabulary.tokens
    anchor = encode_plainly(tokenizer, "a")[-1]
    (start,) = _decoded(tokenizer, [[anchor]])
    text = [i for i, token in enumerate(tokens) if token is not None]
    differing = []
    for first in range(0, len(text), AT_ONCE):
        some = text[first : first + AT_ONCE]
        decoded = _decoded(tokenizer, [[anchor, i] for i in some])
        differing += [
            i
            for i, shown in zip(some, decoded, strict=True)
            if not _agrees(shown, start, tokens[i] or b"")
        ]
    usable = {byte for token in tokens[: vocabulary.width] if token for byte in token}
    return TokenCheck(
        ids=len(text),
        agreeing=len(text) - len(differing),
        differing=tuple(differing),
        silent=len(tokens) - len(text),
        width=width,
        padding=0 if width is None else max(0, width - len(tokens)),
        beyond=0 if width is None else max(0, len(tokens) - width),
        missing_bytes=tuple(sorted(UTF8_BYTES - usable)),
    )


def _decoded(tokenizer: Any, rows: list[list[int]]) -> list[str]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return list(backend.decode_batch(rows, skip_special_tokens=False))
    if hasattr(tokenizer, "decode"):
        return [str(tokenizer.decode(row)) for row in rows]
    ranks = {i: data for data, i in tokenizer.mergeable_ranks.items()}
    return [b"".join(ranks[i] for i in row).decode("utf-8", errors="replace") for row in rows]


def _agrees(decoded: str, start: str, data: bytes) -> bool:
    """Equal texts; parts of characters decode to marks, whose number is the decoder's choice."""
    wanted = (start.encode("utf-8") + data).decode("utf-8", errors="replace")
    return decoded == wanted or _marked(decoded) == _marked(wanted)


def _marked(text: str) -> str:
    return re.sub("\N{REPLACEMENT CHARACTER}+", "\N{REPLACEMENT CHARACTER}", text)
