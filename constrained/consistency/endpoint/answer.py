"""What a response says: the answers in it, whether they are whole, and what the server is.

Nothing of a response is taken to be what the API promises: whatever else stands there is a failure
with its text, or an error that says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from constrained.consistency.endpoint.constraint import without_whitespace
from constrained.consistency.plan import Plan
from constrained.consistency.records import Draw
from constrained.consistency.scores import read_score, whole_text
from constrained.errors import ModelError
from constrained.spec.spec import Spec

__all__ = ["Answer", "answers_of", "draw_of", "prompt_tokens", "served_by"]

WHOLE = ("", "stop", "eos", "eos_token", "end_turn", "stop_sequence")
"""Finish reasons of answers that the model ended; "" is none at all. Others are cut off."""

LONGEST = 1_000_000
"""Characters of an answer that are read."""

LONGEST_NAME = 200
MOST_TOKENS = 2**53
"""Numbers that a store can hold."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its `text`, why it ended, and the `choice` of the response that it stands in."""

    text: str
    finish_reason: str = ""
    refused: bool = False
    choice: Mapping[str, Any] = field(default_factory=dict)


def answers_of(response: Mapping[str, Any], route: Literal["chat", "completions"]) -> list[Answer]:
    """The answers in a response; `ModelError` when there are none, for then the API is another."""
    listed = response.get("choices")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    if not found:
        said = response.get("error") or sorted(response)
        raise ModelError(
            str(response.get("model") or "endpoint")[:LONGEST_NAME],
            f"the response holds no choices but {_shown(said)}",
            hint="is the address that of an OpenAI-compatible API?",
        )
    return [_answer(choice, route) for choice in found]


def _answer(choice: Mapping[str, Any], route: str) -> Answer:
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    reason = choice.get("finish_reason")
    if message.get("refusal"):
        return Answer(_text(message["refusal"]), _text(reason), refused=True)
    said = message.get("content") if route == "chat" else choice.get("text")
    return Answer(_text(said), _text(reason), choice=choice)


def _text(said: Any) -> str:
    """A text, or the texts of a list of parts, joined; "" for anything else."""
    if isinstance(said, list):
        parts = [one.get("text") for one in said if isinstance(one, dict)]
        said = "".join(part for part in parts if isinstance(part, str))
    return whole_text(said) if isinstance(said, str) else ""


def draw_of(plan: Plan, answer: Answer, index: int, seed: int | None) -> Draw:
    """The draw that an answer is: a score, or the reason why it is none.

    An answer that was cut off counts only where nothing could have followed: ``10`` may be the
    beginning of ``100``.
    """
    text = answer.text
    if answer.refused:
        return Draw(index, None, text[:LONGEST], seed, failure="the model refused to answer")
    if len(text) > LONGEST:
        failure = f"the answer has {len(text):,} characters (at most {LONGEST:,} are read)"
        return Draw(index, None, text[:LONGEST], seed, failure=failure)
    spec = plan.spec_of()
    score, failure = read_score(spec, text, field=plan.score)
    read = text
    if failure and plan.spec.kind in ("schema", "pydantic"):
        compact = without_whitespace(text)
        if compact is not None and compact != text:
            read = compact
            score, failure = read_score(spec, compact, field=plan.score)
    if answer.finish_reason not in WHOLE:
        if not failure and _could_go_on(spec, read):
            score, failure = None, f"{read[:80]!r} may be the beginning of a longer answer"
        if failure:
            failure = f"{_cut(answer.finish_reason, plan.scoring.max_new_tokens)}; {failure}"
    return Draw(index, score, text, seed, failure=failure)


def _could_go_on(spec: Spec[Any], text: str) -> bool:
    """Whether a longer output of the format begins with `text`, which is one itself."""
    engine = spec.engine
    state = engine.advance_bytes(engine.start, text.encode("utf-8"))
    return state is not None and not engine.final(state)


def _cut(reason: str, limit: int) -> str:
    if reason == "length":
        return f"cut off after {limit} tokens"
    if reason == "content_filter":
        return "cut off by the server's content filter"
    return f"cut off (finish reason {reason[:40]!r})"


def prompt_tokens(response: Mapping[str, Any]) -> int:
    """Prompt tokens that the server counted; 0 when it says no number of them."""
    usage = response.get("usage")
    counted = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    known = isinstance(counted, int) and not isinstance(counted, bool)
    return counted if known and 0 <= counted < MOST_TOKENS else 0  # type: ignore[operator,return-value]


def served_by(response: Mapping[str, Any]) -> Iterator[str]:
    """What the server says of itself: a model that changes under one name shows here."""
    for name in ("model", "system_fingerprint"):
        said = response.get(name)
        if isinstance(said, str):
            yield whole_text(f"{name} {said[:LONGEST_NAME]}")


def _shown(said: Any) -> str:
    try:
        return f"{said!r:.200}"
    except RecursionError:
        return f"a {type(said).__name__} of many levels"
