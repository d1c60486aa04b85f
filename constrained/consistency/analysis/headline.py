"""The sentence at the top of a report: what another room does, and what the draw alone does."""

from __future__ import annotations

from constrained.consistency.analysis.numerics import Numerics
from constrained.consistency.analysis.results import Summary
from constrained.consistency.statistics import Estimate

__all__ = ["headline"]


def headline(
    summary: Summary,
    *,
    items: int,
    scores: int,
    pass_mark: float | None,
    noun: str,
    numerics: Numerics | None = None,
    judge: str = "",
) -> str:
    """One judge's summary in a sentence; of too little data it says only that.

    `items` is how many were scored in two rooms, `scores` how many scores the scale has,
    `numerics` what arithmetic alone does (None: one numerical room), and `judge` the name to begin
    with, "" for none.
    """
    missing = _missing(summary, items, scores, noun)
    if missing:
        text = f"Too little data to say what another room would do: {missing}"
    else:
        move, flip = summary.move, summary.flip
        points, unit = _points(move.value)
        text = f"A teacher in another room would move a typical {noun} by {points} {unit}"
        text += _at_most(move, _points(move.high)[0]) or _draw_alone(move, summary.move_again)
        if flip.known and pass_mark is not None:
            share = _percent(flip.value)
            text += f"; {share} of {noun}s cross the pass mark of {pass_mark:g}"
            text += _at_most(flip, _percent(flip.high))
    if numerics is not None and numerics.move.known:
        text += _arithmetic_alone(numerics)
    return f"Judge {judge}: {text[0].lower()}{text[1:]}." if judge else f"{text}."


def _missing(summary: Summary, items: int, scores: int, noun: str) -> str:
    """Why nothing can be said of a typical item; "" when something can."""
    if not summary.move.known:
        return summary.move.reason
    if items < 2:
        return f"only 1 {noun} was scored in two rooms"
    if scores < 2:
        return "only one score occurs (give the whole scale)"
    return ""


def _at_most(found: Estimate, most: str) -> str:
    """Beside a 0, what it may be as well: few data show 0 easily."""
    return f" (at most {most})" if found.value == 0.0 and found.high > 0.0 else ""


def _draw_alone(move: Estimate, again: Estimate) -> str:
    """How much of the move two draws in one room show as well."""
    if not again.known:
        return f" (how much of that is the draw alone is not known: {again.reason})"
    if move.value == 0.0:
        return ""
    if again.value == 0.0:
        return ", none of it by the draw alone"
    whole, _ = _points(move.value)
    part, _ = _points(again.value)
    if again.value >= move.value:
        return ", all of it by the draw alone"
    if part == whole:
        return ", nearly all of it by the draw alone"
    return f", of which {part} by the draw alone"


def _arithmetic_alone(numerics: Numerics) -> str:
    """What other arithmetic does to the same question; it stands even where rooms are too few."""
    if numerics.most == 0.0:
        return f"; between {len(numerics.rooms)} numerical rooms nothing moves"
    typical, unit = _points(numerics.move.value)
    return (
        f"; arithmetic alone ({len(numerics.rooms)} numerical rooms) moves an expected score by "
        f"{typical} {unit}, at most {_points(numerics.most)[0]}"
    )


def _points(value: float) -> tuple[str, str]:
    """One digit after the point, or the first one that says something; and the unit."""
    text = f"{value:.1f}" if value >= 0.095 or value == 0.0 else f"{value:.1g}"
    return text, "point" if text == "1" else "points"


def _percent(rate: float) -> str:
    return f"{100 * rate:.0f} %" if rate >= 0.0095 or rate == 0 else f"{100 * rate:.1g} %"
