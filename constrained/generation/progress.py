"""How a caller watches a generation and ends it: `Progress`, and what says that it is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from threading import Event
from typing import Any

from constrained.errors import GenerationError
from constrained.generation.loop import decode
from constrained.generation.model import LanguageModel
from constrained.generation.row import Row

__all__ = ["Cancel", "Progress", "cancelled", "check_watching", "run_rows"]

Cancel = Event | Callable[[], bool]
"""Asked after every pass of the model: an event that is set, or a function that gives True, ends
the generation."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call has come, told after every pass of the model.

    >>> told = Progress(answers=3, of=20, tokens=51, passes=17)
    >>> f"{told.answers} of {told.of}"
    '3 of 20'
    """

    answers: int
    """Answers that are finished."""

    of: int
    """Answers that were asked for."""

    tokens: int
    """Tokens written so far, in all answers."""

    passes: int
    """Passes of the model so far."""


def check_watching(cancel: Any, progress: Any = None) -> None:
    """Raise `GenerationError` for what can neither be asked nor told."""
    if not (cancel is None or isinstance(cancel, Event) or callable(cancel)):
        raise GenerationError(
            f"cancel must be a threading.Event or a function that gives a bool, got {cancel!r}"
        )
    if not (progress is None or callable(progress)):
        raise GenerationError(
            f"progress must be a function that takes a Progress, got {progress!r}"
        )


def cancelled(cancel: Cancel | None) -> bool:
    """Whether the caller wants no more."""
    if isinstance(cancel, Event):
        return cancel.is_set()
    return cancel is not None and bool(cancel())


def run_rows(
    model: LanguageModel,
    rows: Sequence[Row],
    *,
    at_once: int | None = None,
    apart: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Run rows to their end, `at_once` of them in one batch (None: all).

    When `cancel` says so, rows that have not ended are marked as cancelled, and the batch and its
    cache are given up.
    """
    step, passes, over = at_once or len(rows), 0, False
    for first in range(0, len(rows), step):
        with closing(decode(model, rows[first : first + step], apart=apart)) as steps:
            for place, _ in enumerate(steps):
                passes += place > 0  # the rows begin without a pass
                if progress is not None:
                    ended = sum(row.finish_reason is not None for row in rows)
                    tokens = sum(len(row.ids) for row in rows)
                    progress(Progress(ended, len(rows), tokens, passes))
                over = cancelled(cancel)
                if over:
                    break
        if over:
            break
    for row in rows:
        if row.finish_reason is None:
            row.finish_reason = "cancelled"
        row.close()
