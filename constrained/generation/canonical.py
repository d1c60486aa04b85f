"""`Speller`: the tokens that a tokenizer itself would use for a piece of output.

A language model has learnt texts as its tokenizer splits them. Forced text is therefore appended
in that split, never byte by byte. The split of a piece depends on what stands around it, so a
piece is encoded together with the token before it, and the border between the two must survive.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from constrained.tokenizers import encode_plainly
from constrained.vocabulary import Vocabulary

__all__ = ["Speller", "whole_characters"]

ANCHORS = ("\n", ",", ".", "|", "a")
"""Texts to put before a piece when the tokenizer adds a space to the start of every text."""


def whole_characters(data: bytes) -> bytes:
    """`data` without an unfinished UTF-8 character at its end.

    >>> whole_characters("né".encode()[:-1])
    b'n'
    """
    for cut in range(1, min(4, len(data)) + 1):
        byte = data[-cut]
        if byte < 0x80:
            return data
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-cut] if cut < length else data
    return data


class Speller:
    """Canonical spellings under one tokenizer, checked against the vocabulary.

    `prefix` is what the tokenizer puts in front of every text: a space for Llama 2 and T5, nothing
    for most others.
    """

    def __init__(self, tokenizer: Any, vocabulary: Vocabulary) -> None:
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary

    @cached_property
    def prefix(self) -> bytes:
        """What the tokenizer puts in front of every text."""
        spelled = self._spell(self._ids("a"))
        return spelled[:-1] if spelled is not None and spelled.endswith(b"a") else b""

    @cached_property
    def anchor(self) -> str | None:
        """A text after which a piece is split as inside a longer text; None when there is none."""
        if not self.prefix:
            return ""
        for anchor in ANCHORS:
            if self._after(anchor.encode("utf-8"), b"7") is not None:
                return anchor
        return None

    def start(self, data: bytes) -> tuple[int, ...] | None:
        """The tokens of `data` at the very start of a text; `data` begins with `prefix`."""
        if not data.startswith(self.prefix):
            return None
        if data == self.prefix:
            return ()
        try:
            ids = self._ids(data[len(self.prefix) :].decode("utf-8"))
        except UnicodeDecodeError:
            return None
        return tuple(ids) if self._spell(ids) == data else None

    def within(self, data: bytes, last: int | None = None) -> tuple[int, ...] | None:
        """The tokens of `data` inside a text, after the token `last` where that is known.

        Where `last` and the start of `data` would have been one token, the text before cannot be
        changed any more and `data` is split on its own. None when the tokenizer cannot spell it.
        """
        anchor = self.anchor
        if anchor is None:
            return None
        if last is not None:
            before = self.vocabulary.spell([last])
            ids = self._after(anchor.encode("utf-8") + before, data, last)
            if ids is not None:
                return ids
        return self._after(anchor.encode("utf-8"), data)

    def _after(self, before: bytes, data: bytes, last: int | None = None) -> tuple[int, ...] | None:
        """The tokens of `data` in ``before + data``; None unless a token ends where it begins."""
        try:
            ids = self._ids((before + data).decode("utf-8"))
        except UnicodeDecodeError:
            return None
        spelled = self._spell(ids)
        if spelled is None or spelled not in (before + data, self.prefix + before + data):
            return None
        left, place = len(spelled) - len(data), 0
        while left > 0:
            left -= len(self.vocabulary.tokens[ids[place]] or b"")
            place += 1
        if left < 0 or (last is not None and (place == 0 or ids[place - 1] != last)):
            return None
        return tuple(ids[place:])

    def _ids(self, text: str) -> list[int]:
        return encode_plainly(self.tokenizer, text)

    def _spell(self, ids: list[int]) -> bytes | None:
        """The bytes of ids that the model can sample; None when one of them is not."""
        tokens, width = self.vocabulary.tokens, self.vocabulary.width
        parts = [tokens[i] if i < min(len(tokens), width) else None for i in ids]
        known = [part for part in parts if part is not None]
        return b"".join(known) if len(known) == len(parts) else None
