"""`ChatNotices`: a word to who asks a model for chat where it has not learnt to answer.

A plain text is used as it is; that is what prompts of fine-tuned and of base models need. A model
for chat has never answered outside of its template: what it says there is about nothing, and a
format may take all of its probability away. So it is where the model has learnt to write something
else before an answer: a thought, or the name of a channel.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from constrained.chat import End, answer_turn, opening_problems
from constrained.errors import ChatWarning

__all__ = ["PLAIN_PROMPT", "ChatNotices"]

PLAIN_PROMPT = (
    "a plain text was given to a model for chat, and is used as it is: outside of its chat "
    "template such a model may give no probability to what you ask for; pass messages instead, "
    'such as [{"role": "user", "content": "..."}] (token ids keep a text as it is, and are not '
    "remarked on)"
)


class ChatNotices:
    """Says each once.

    Plainly for chat is a model whose tokenizer has a chat template and whose settings end an
    answer where that template does: base models have templates, too, but end elsewhere. A model
    with an `adapted` base may have been trained on anything. A text that holds special tokens has
    been through a template already.
    """

    def __init__(self, tokenizer: Any, ends: Iterable[End], *, adapted: bool) -> None:
        self._tokenizer = tokenizer
        self._told: set[str] = set()
        self.for_chat = not adapted and any(
            "template" in end.sources and {"eos_token", "generation_config"} & {*end.sources}
            for end in ends
        )

    def plain(self, ids: Sequence[int]) -> None:
        """Look at the ids of a plain text; warns with `ChatWarning` the first time."""
        if self.for_chat and self._markers.isdisjoint(ids):
            self._tell("plain", PLAIN_PROMPT)

    def opened(self, opening: str, arguments: Mapping[str, Any]) -> None:
        """Say what the template writes before an answer, and which of its arguments cures that."""
        if opening and "opened" not in self._told:
            turn = answer_turn(self._tokenizer, arguments)
            found = next(opening_problems(self._tokenizer, turn, arguments), opening)
            self._tell("opened", f"the chat template does not let an answer begin at once: {found}")

    def _tell(self, what: str, text: str) -> None:
        if what not in self._told:
            self._told.add(what)
            warnings.warn(text, ChatWarning, stacklevel=_outside())

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
