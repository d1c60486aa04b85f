"""What arithmetic alone moves: the same cells, scored in several numerical rooms."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from constrained.consistency.analysis.grid import AXES, Grid
from constrained.consistency.statistics import Estimate, over_move, pass_probability, unknown
from constrained.consistency.statistics.estimate import Array

__all__ = ["Numerics", "NumericsPair", "numerics_of"]

TIED = 1e-9
"""Probabilities that are this close are one mode or the other by chance."""


@dataclass(frozen=True, slots=True)
class NumericsPair:
    """Two numerical rooms: how far apart the same cells are.

    `probability` is the largest difference of the probability of one score in any cell (0 to 1),
    `score` that of an expected score in points, `passing` that of the probability to pass (NaN
    without a pass mark), `modes` the share of cells whose likeliest score is another one; `cells`
    is how many were scored in both.
    """

    one: str
    other: str
    cells: int
    probability: float
    score: float
    passing: float
    modes: float


@dataclass(frozen=True, slots=True)
class Numerics:
    """What arithmetic alone does to one judge.

    `move` is how far apart the expected scores of two numerical rooms are on average, everything
    else alike, in points. `most` and `passing` are the largest differences of an expected score and
    of a probability to pass: the numerical room that a gate's margin is held against.
    """

    rooms: tuple[str, ...]
    pairs: tuple[NumericsPair, ...]
    move: Estimate

    @property
    def most(self) -> float:
        """The largest difference of an expected score in any cell, points; NaN without one."""
        return _largest(pair.score for pair in self.pairs)

    @property
    def passing(self) -> float:
        """The largest difference of a probability to pass, 0 to 1; NaN without a pass mark."""
        return _largest(pair.passing for pair in self.pairs)


def numerics_of(grid: Grid, mark: float | None, level: float) -> Numerics | None:
    """What arithmetic moves in a grid of one judge; None where there is one numerical room.

    >>> from constrained.consistency.analysis.grid import grid_of_exact
    >>> grid = grid_of_exact([[[[0.5, 0.5], [0.4, 0.6]]]], [0, 1], ("item", "prompt", "numerics"))
    >>> pair = numerics_of(grid, 1, 0.95).pairs[0]
    >>> round(pair.probability, 3), round(pair.score, 3), pair.modes
    (0.1, 0.1, 0.0)
    """
    rooms = grid.levels["numerics"]
    if len(rooms) < 2:
        return None
    axis, scale = AXES.index("numerics"), np.array(grid.scale)
    p = np.moveaxis(grid.probabilities, axis, 0).reshape(len(rooms), -1, scale.size)
    mean = np.moveaxis(grid.cells.mean, axis, 0).reshape(len(rooms), -1)
    passing = np.full(mean.shape, math.nan)
    if mark is not None:
        passing = pass_probability(p, scale, mark)
    pairs = []
    for i, j in combinations(range(len(rooms)), 2):
        both = ~(np.isnan(mean[i]) | np.isnan(mean[j]))
        apart = np.abs(p[i, both] - p[j, both])
        pairs.append(
            NumericsPair(
                rooms[i],
                rooms[j],
                cells=int(both.sum()),
                probability=_most(apart),
                score=_most(np.abs(mean[i, both] - mean[j, both])),
                passing=_most(np.abs(passing[i, both] - passing[j, both])),
                modes=_other_modes(p[i, both], p[j, both]),
            )
        )
    return Numerics(rooms, tuple(pairs), _move(grid, level))


def _move(grid: Grid, level: float) -> Estimate:
    """The mean difference of two numerical rooms' expected scores, (items, cells x pairs)."""
    axis = AXES.index("numerics")
    mean = np.moveaxis(grid.cells.mean, axis, len(AXES) - 1)
    first, second = np.triu_indices(mean.shape[-1], 1)
    apart = np.abs(mean[..., first] - mean[..., second]).reshape(mean.shape[0], -1)
    most = float(grid.scale[-1] - grid.scale[0])
    lacking = "no cell was scored in two numerical rooms"
    return over_move(apart, unknown(""), lacking, level=level, most=most)


def _other_modes(one: Array, other: Array) -> float:
    """The share of cells where the other room's likeliest score is plainly not the first's."""
    if not one.size:
        return math.nan
    rows = np.arange(len(one))
    a, b = one.argmax(axis=1), other.argmax(axis=1)
    lead = np.minimum(one[rows, a] - one[rows, b], other[rows, b] - other[rows, a])
    return float((lead > TIED).mean())


def _most(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else math.nan


def _largest(values: Iterable[float]) -> float:
    return _most(np.array(list(values), dtype=np.float64))
