"""From a row of the loop to what the caller gets: a typed result, or chunks of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from constrained.generation.loop import Row, decode
from constrained.generation.model import LanguageModel
from constrained.generation.result import Chunk, Result
from constrained.spec.spec import Spec

__all__ = ["chunks_of", "result_of"]


def text_of(row: Row) -> str:
    """The text that a row has written so far."""
    if row.guide is not None:
        return row.guide.text(row.ids)
    return row.vocabulary.spell(row.ids).decode("utf-8", errors="replace")


def result_of(row: Row, spec: Spec[Any] | None) -> Result[Any]:
    """The typed result of a row that has come to its end."""
    text = text_of(row)
    complete = row.complete
    spelled = (row.vocabulary.spell([token]) for token in row.ids)
    return Result(
        value=text if spec is None else spec.parse(text) if complete else None,
        text=text,
        token_ids=tuple(row.ids),
        tokens=tuple(data.decode("utf-8", errors="replace") for data in spelled),
        finish_reason=row.finish_reason or "length",
        complete=complete,
        logprob=row.logprob,
        token_logprobs=tuple(row.token_logprobs),
        removed_mass=tuple(row.removed_mass),
        forward_passes=row.passes,
        prompt_tokens=len(row.prompt),
    )


def chunks_of(model: LanguageModel, row: Row, spec: Spec[Any] | None) -> Iterator[Chunk[Any]]:
    """Text as it becomes certain; unfinished characters wait for their last byte."""
    shown = ""
    for _ in decode(model, [row]):
        text = text_of(row)
        if row.finish_reason is None:
            text = text.rstrip("\N{REPLACEMENT CHARACTER}")
            if len(text) > len(shown):
                yield Chunk(text[len(shown) :])
                shown = text
    result = result_of(row, spec)
    yield Chunk(result.text[len(shown) :], result)
