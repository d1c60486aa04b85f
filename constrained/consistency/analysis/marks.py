"""The pass mark as a slider: exact flip rates and gate risk at every mark of the scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from constrained.consistency.analysis.results import PassMark
from constrained.consistency.statistics import (
    BOTH,
    Estimate,
    GateCurves,
    at_marks,
    cell_flips,
    over_cells,
    over_pairs,
    pair_flips,
    straddle_rate,
)
from constrained.consistency.statistics.estimate import Array

__all__ = [
    "MOST_MARKS",
    "NO_DRAWS",
    "NO_PAIR",
    "deciding",
    "flip_again",
    "flip_rate",
    "marks_shown",
    "pass_marks",
]

MOST_MARKS = 101
"""Marks that a report shows; a scale with more of them is thinned out."""

NO_PAIR = "no item has two rooms"
NO_DRAWS = "no cell has two draws"

GATE_RATES = np.linspace(0.0, 1.0, 101)


def marks_shown(scale: Array, pass_mark: float | None) -> npt.NDArray[np.intp]:
    """The places of the scale's scores that are shown as marks, ascending.

    All of them, or, of a scale with very many scores, evenly spread ones; and the first score at
    or above the pass mark in any case.
    """
    places = np.arange(scale.size)
    if scale.size > MOST_MARKS:
        places = np.unique(np.linspace(0, scale.size - 1, MOST_MARKS).round().astype(np.intp))
    if pass_mark is not None:
        here = int(np.searchsorted(scale, pass_mark))
        if here < scale.size:
            places = np.union1d(places, [here])
    return places


def deciding(marks: Sequence[PassMark], pass_mark: float) -> int | None:
    """The place of the shown mark that decides as `pass_mark` does: the first at or above it.

    None when no score reaches it.
    """
    return next((place for place, m in enumerate(marks) if m.mark >= pass_mark), None)


def pass_marks(
    probabilities: Array,
    scale: Array,
    draws: Array,
    pass_mark: float | None,
    *,
    level: float,
    fixed_rooms: bool = False,
) -> tuple[PassMark, ...]:
    """Every mark that `marks_shown` names, from distributions (items, rooms, scores).

    `draws` is what `statistics.effective_draws` gives.
    """
    shown = set(marks_shown(scale, pass_mark).tolist())
    marks = [
        _at_mark(float(scale[place]), passing, draws, level, fixed_rooms)
        for place, passing in at_marks(probabilities)
        if place in shown
    ]
    return tuple(_certain(m) if m.mark == scale[0] else m for m in marks)


def _certain(mark: PassMark) -> PassMark:
    """The lowest mark of the scale: everything reaches it, by definition."""

    def sure(found: Estimate) -> Estimate:
        if not found.known:
            return found
        return Estimate(
            found.value, found.value, found.value, found.level, BOTH, "no score is lower"
        )

    return replace(
        mark,
        pass_rate=sure(mark.pass_rate),
        flip=sure(mark.flip),
        flip_again=sure(mark.flip_again),
    )


def _at_mark(
    mark: float, passing: Array, draws: Array, level: float, fixed_rooms: bool
) -> PassMark:
    curves = GateCurves.of(passing)
    risks = curves.risks(GATE_RATES)
    risks = risks[~np.isnan(risks[:, 0])]
    if not risks.size:
        risks = np.full((1, GATE_RATES.size), np.nan)
    return PassMark(
        mark,
        over_cells(passing, level=level, most=1.0, these_prompts=fixed_rooms),
        flip_rate(passing, level=level, fixed_rooms=fixed_rooms),
        flip_again(passing, draws, level=level, fixed_rooms=fixed_rooms),
        straddle_rate(passing),
        GATE_RATES,
        risks.mean(axis=0),
        risks.min(axis=0),
        risks.max(axis=0),
        curves.safe(),
    )


def flip_rate(passing: Array, *, level: float, fixed_rooms: bool = False) -> Estimate:
    """`statistics.flip_between_prompts`, where a room is what a prompt is there."""
    pairs = pair_flips(passing)
    return over_pairs(pairs, NO_PAIR, level=level, most=1.0, these_prompts=fixed_rooms)


def flip_again(
    passing: Array, draws: Array, *, level: float, fixed_rooms: bool = False
) -> Estimate:
    """`statistics.flip_within_prompt`: two draws in one room."""
    flips = cell_flips(passing, draws)
    return over_cells(flips, NO_DRAWS, level=level, most=1.0, these_prompts=fixed_rooms)
