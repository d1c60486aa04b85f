"""`PlainPrompts`: a word to who gives a plain text to a model that is plainly one for chat.

A plain text is used as it is; that is what prompts of fine-tuned and of base models need. A model
for chat has never answered outside of its template: what it says there is about nothing, and a
format may take all of its probability away.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from constrained.chat import End
from constrained.errors import ChatWarning

__all__ = ["PLAIN_PROMPT", "PlainPrompts"]

PLAIN_PROMPT = (
    "a plain text was given to a model for chat, and is used as it is: outside of its chat "
    "template such a model may give no probability to what you ask for; pass messages instead, "
    'such as [{"role": "user", "content": "..."}] (token ids keep a text as it is, and are not '
    "remarked on)"
)


class PlainPrompts:
    """Says so once.

    Plainly for chat is a model whose tokenizer has a chat template and whose settings end an
    answer where that template does: base models have templates, too, but end elsewhere. A model
    with an `adapted` base may have been trained on anything. A text that holds special tokens has
    been through a template already.
    """

    def __init__(self, tokenizer: Any, ends: Iterable[End], *, adapted: bool) -> None:
        self._tokenizer = tokenizer
        self._told = False
        self.for_chat = not adapted and any(
            "template" in end.sources and {"eos_token", "generation_config"} & {*end.sources}
            for end in ends
        )

    def notice(self, ids: Sequence[int]) -> None:
        """Look at the ids of a plain text; warns with `ChatWarning` the first time."""
        if not self.for_chat or self._told or not self._markers.isdisjoint(ids):
            return
        self._told = True
        warnings.warn(PLAIN_PROMPT, ChatWarning, stacklevel=_outside())

    @cached_property
    def _markers(self) -> frozenset[int]:
        """The special and added tokens that a text does not get by itself."""
        found = {*getattr(self._tokenizer, "all_special_ids", ())}
        found |= {*getattr(self._tokenizer, "added_tokens_decoder", {})}
        return frozenset(found - {*self._tokenizer("a")["input_ids"]})


def _outside() -> int:
    """How many frames above the caller's the code stands that uses this library."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").startswith("constrained."):
        frame, level = frame.f_back, level + 1
    return level
