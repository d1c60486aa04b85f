"""What a comparison of two runs says, as rows: each change, and how to read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from constrained.consistency.analysis import JudgeDifference
from constrained.consistency.report.terms import TIMES, Form, write
from constrained.consistency.statistics import Estimate

__all__ = ["Good", "change", "change_words", "changes"]

Good: TypeAlias = Literal["less", "more", ""]
"""Which direction is an improvement, if any."""

Row: TypeAlias = tuple[str, Estimate, Form, Good]


def changes(judge: JudgeDifference) -> Iterator[Row]:
    """(name, estimate, form, which direction is better) of everything that was compared."""
    yield "Mean score, points", judge.mean, "points", ""
    yield "How far another room moves an item, points", judge.move, "points", "less"
    yield "Flip rate, percentage points", judge.flip, "percent", "less"
    yield "Standard error of one draw, points", judge.sem, "points", "less"
    yield "Dependability of one draw", judge.phi, "ratio", "more"
    yield "Distance to gold, points", judge.gold_error, "points", "less"
    for name, estimate in judge.components:
        good: Good = "" if name == "item" else "less"
        shown = name.replace(" x ", f" {TIMES} ")
        yield f"Variance of {shown}, points²", estimate, "variance", good


def change(value: float, form: Form) -> str:
    """A difference with its sign.

    >>> change(0.5, "points"), change(0.0, "points"), change(0.031, "percent")
    ('+0.50', '0.00', '+3.1')
    """
    text = write(value, form).removesuffix(" %")
    is_zero = not any(c in "123456789" for c in text)
    return text if value <= 0 or is_zero or text.startswith("<") else f"+{text}"


def change_words(estimate: Estimate, good: Good) -> str:
    """How to read a change.

    >>> change_words(Estimate(-0.3, -0.5, -0.1), "less")
    'better'
    >>> change_words(Estimate(-0.3, -0.5, 0.1), "less")
    'no clear change: the interval includes 0'
    """
    if not estimate.known:
        return "not known"
    if not estimate.bounded:
        return estimate.reason or "no interval"
    if estimate.low <= 0.0 <= estimate.high:
        if estimate.low == estimate.high:
            return "the same"
        return "no clear change: the interval includes 0"
    direction = "more" if estimate.value > 0 else "less"
    if not good:
        return "higher" if direction == "more" else "lower"
    return "better" if direction == good else "worse"
