"""The pass mark as a slider: exact flip rates and gate risk at every mark of the scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from constrained.consistency.analysis.moves import (
    at_marks,
    over_cells,
    over_room_pairs,
    room_pairs,
    within_cells,
)
from constrained.consistency.analysis.results import PassMark
from constrained.consistency.statistics import BOTH, Estimate, poisson_binomial, straddle_rate
from constrained.consistency.statistics.estimate import Array

__all__ = [
    "MOST_MARKS",
    "deciding",
    "flip_again",
    "flip_rate",
    "gate_risks",
    "marks_shown",
    "pass_marks",
]

MOST_MARKS = 101
"""Marks that a report shows; a scale with more of them is thinned out."""

GATE_RATES = np.linspace(0.0, 1.0, 101)
SAFE = 0.05
"""The risk that a safe gate may have."""


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


def gate_risks(passing: Array, rates: Array) -> Array:
    """The probability that one more run in each room passes less often than each rate.

    `passing` is (items, rooms), NaN where missing; the result (rooms, rates), NaN for a room
    without items. Exact given these pass probabilities: the Poisson-binomial distribution.
    """
    result = np.full((passing.shape[1], rates.size), np.nan)
    for room in range(passing.shape[1]):
        p = passing[:, room]
        p = p[~np.isnan(p)]
        if p.size:
            until = np.concatenate([[0.0], np.cumsum(poisson_binomial(p))])
            # A pass rate equal to the gate is green, whatever rate * n looks like in binary.
            needed = np.ceil(np.round(rates * p.size, 9)).astype(np.intp)
            result[room] = np.clip(until[np.clip(needed, 0, p.size + 1)], 0.0, 1.0)
    return result


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

    `draws` is what `moves.effective_draws` gives.
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
    risks = gate_risks(passing, GATE_RATES)
    risks = risks[~np.isnan(risks[:, 0])]
    if not risks.size:
        risks = np.full((1, GATE_RATES.size), np.nan)
    risk = risks.mean(axis=0)
    safe = GATE_RATES[risk <= SAFE]
    return PassMark(
        mark,
        over_cells(passing, "no cell has data", level=level, most=1.0, fixed_rooms=fixed_rooms),
        flip_rate(passing, level=level, fixed_rooms=fixed_rooms),
        flip_again(passing, draws, level=level, fixed_rooms=fixed_rooms),
        straddle_rate(passing),
        GATE_RATES,
        risk,
        risks.min(axis=0),
        risks.max(axis=0),
        float(safe.max()) if safe.size else float("nan"),
    )


def flip_rate(passing: Array, *, level: float, fixed_rooms: bool = False) -> Estimate:
    """The probability that two draws in two rooms flip, over items; see `over_room_pairs`."""
    pairs = room_pairs(passing)
    return over_room_pairs(pairs, level=level, most=1.0, fixed_rooms=fixed_rooms)


def flip_again(
    passing: Array, draws: Array, *, level: float, fixed_rooms: bool = False
) -> Estimate:
    """The probability that two draws in one room flip, over cells."""
    return over_cells(
        within_cells(passing, draws),
        "no cell has two draws",
        level=level,
        most=1.0,
        fixed_rooms=fixed_rooms,
    )
