"""From a row of the loop to what the caller gets: a typed result, or chunks of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from constrained.generation.loop import decode
from constrained.generation.model import LanguageModel
from constrained.generation.progress import Cancel, cancelled
from constrained.generation.result import Chunk, Result
from constrained.generation.row import Row
from constrained.spec.so_far import Unfinished, so_far
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
    complete = row.complete and row.finish_reason != "cancelled"
    spelled = (row.vocabulary.spell([token]) for token in row.ids)
    return Result(
        value=None if not complete else text if spec is None else spec.parse(text),
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


def chunks_of(
    model: LanguageModel,
    row: Row,
    spec: Spec[Any] | None,
    *,
    cancel: Cancel | None = None,
) -> Iterator[Chunk[Any]]:
    """Text as it becomes certain; unfinished characters wait for their last byte."""
    shown = ""
    with closing(decode(model, [row])) as steps:
        for _ in steps:
            text = text_of(row)
            if row.finish_reason is None:
                text = text.rstrip("\N{REPLACEMENT CHARACTER}")
                if len(text) > len(shown):
                    value = Unfinished(text) if spec is None else so_far(spec, text)
                    yield Chunk(text[len(shown) :], value=value)
                    shown = text
                if cancelled(cancel):
                    row.cancel()
                    break
    result = result_of(row, spec)
    yield Chunk(result.text[len(shown) :], result, result.value)
