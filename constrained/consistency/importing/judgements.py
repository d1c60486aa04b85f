"""`Judgement`: one score as a file has it, with everything that was asked to get it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from constrained.consistency.records import Address, Score

__all__ = ["FACETS", "UNKNOWN", "ExactScores", "Judgement"]

FACETS = ("item", "prompt", "format", "variant", "temperature", "order")

UNKNOWN = object()
"""In `Judgement.asked`: the file does not say; nothing is concluded from it."""


@dataclass(frozen=True, slots=True)
class ExactScores:
    """A distribution that a file holds; fields as in `CellRecord`."""

    support: tuple[float, ...]
    free: tuple[float, ...]
    local: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One score as a file has it.

    `where` says which file and line (or sample) it comes from. `draw` is its number within the
    cell, None to count in the order of the file. `score` is None when there is none, with the
    reason in `failure`. `gold` is what people gave the item. `exact` replaces the score where the
    file holds a distribution.

    The rest says what was asked. `settings` is what holds for a whole room (model, server,
    sampling, solver): equal for all judgements of one prompt, format, variant and temperature.
    `asked` is what holds for the cell (the texts that were sent): equal for all its draws.
    `subject` is what the item is, where its name does not say so (a number that a tool counted);
    equal wherever the item appears, empty to trust the name. `written` is how the item's name
    stands in the file, so that ``1`` and ``"1"`` are told apart.
    """

    where: str
    address: Address
    score: Score | None = None
    failure: str = ""
    text: str = ""
    draw: int | None = None
    gold: float | None = None
    prompt_text: str = ""
    exact: ExactScores | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    subject: str = ""
    written: Any = None
