"""`prompt_findings`: what is in a prompt twice, or is wanted between it and an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from constrained.chat import PromptIds, render_chat, takes_chats
from constrained.errors import GenerationError
from constrained.generation.inputs import Prompt
from constrained.mistral import chat_ids, encodes_chats

__all__ = ["Finding", "prompt_findings"]

PROBE = "\u2063probe\u2063"
"""A text that no chat template contains."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that differs between training and generation, and how often.

    `kind` is one of ``no match``, ``leading space``, ``trailing space``, ``template in target``,
    ``border``, ``tokens``, ``double bos``, ``nested template``, ``opening``.
    """

    kind: str
    problem: str
    remedy: str
    place: int
    """The first target or prompt that it was seen in, from 0."""
    count: int = 1
    """How many targets or prompts it was seen in."""


def prompt_findings(
    tokenizer: Any, prompt: Prompt, asked: PromptIds, place: int
) -> Iterator[Finding]:
    """What is in a prompt twice, and what its template wants before an answer."""
    bos = getattr(tokenizer, "bos_token_id", None)
    ids = list(tokenizer(prompt)["input_ids"]) if isinstance(prompt, str) else list(asked.ids)
    if bos is not None and ids[:2] == [bos, bos]:
        yield Finding(
            "double bos",
            f"the prompt begins with {tokenizer.bos_token!r}, and the tokenizer adds another one",
            "leave it out of the text, or tokenise with add_special_tokens=False as Generator does",
            place,
        )
    if asked.opening:
        yield Finding(
            "opening",
            f"the chat template does not let an answer begin at once: {asked.opening}",
            "leave it out by chat_template_kwargs, in training too, or write it into the spec",
            place,
        )
    if _nested(tokenizer, prompt):
        yield Finding(
            "nested template",
            "the chat template is applied twice: one user turn begins inside another",
            "pass the bare text to the chat, or the rendered text as a plain prompt",
            place,
        )


def _turn(tokenizer: Any) -> tuple[str, str]:
    """What the chat template writes right before and right after the text of a user."""
    if not takes_chats(tokenizer):
        return "", ""
    messages = [{"role": "user", "content": PROBE}]
    if encodes_chats(tokenizer):
        rendered = str(tokenizer.decode(chat_ids(tokenizer, messages), skip_special_tokens=False))
    else:
        try:
            rendered = render_chat(tokenizer, messages, prompt=False)
        except GenerationError:  # a template that takes no question alone
            return "", ""
    before, _, after = rendered.rpartition(PROBE)
    return _last_marker(before), after.strip()


def _last_marker(before: str) -> str:
    """The line that opens the user's turn; what stands before it is the system's."""
    return before.rstrip("\n").rsplit("\n", 1)[-1]


def _nested(tokenizer: Any, prompt: Prompt) -> bool:
    """Whether a user turn begins inside another turn."""
    opening, closing = _turn(tokenizer)
    if not opening:
        return False
    if isinstance(prompt, PromptIds):
        return False
    if not isinstance(prompt, str):
        contents = [str(m.get("content", "")) for m in prompt if isinstance(m, Mapping)]
        return any(opening in content for content in contents)
    turns = prompt.split(opening)[1:]
    return any(not closing or closing not in turn for turn in turns[:-1])
