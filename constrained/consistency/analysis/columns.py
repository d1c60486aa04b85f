"""From the columns of a store to a `Grid`: cells of every kind in one array."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from constrained.consistency.analysis.grid import AXES, KINDS, MISSING, MOST_NUMBERS, Grid
from constrained.consistency.statistics import Cells
from constrained.consistency.statistics.estimate import Array
from constrained.consistency.store import KINDS as STORED_KINDS
from constrained.consistency.store import Columns
from constrained.errors import RecordError

__all__ = ["axis_levels", "grid_of_columns", "label"]

MOST_INDEXED = 20_000_000
"""Cells times draws up to which draws are kept one by one, to look for reused seeds."""


def axis_levels(
    columns: Columns, planned: Mapping[str, Sequence[Any]], where: Mapping[str, Any]
) -> dict[str, tuple[Any, ...]]:
    """The levels of every axis, as the columns name them: the plan's first, in its order.

    `where` keeps some levels of some axes. Raises `RecordError` for a facet or level that is not
    there.
    """
    strange = set(where) - set(AXES)
    if strange:
        raise RecordError(
            f"a cell has no facet {sorted(strange)[0]!r}; its facets are {', '.join(AXES)}"
        )
    levels = {}
    for axis in AXES:
        found = tuple(dict.fromkeys([*planned.get(axis, ()), *columns.names[axis]]))
        if axis in where:
            asked = where[axis]
            several = isinstance(asked, (list, tuple, set, frozenset))
            chosen = [label(each) for each in (asked if several else [asked])]
            there = {label(level) for level in found}
            absent = [name for name in chosen if name not in there]
            if absent:
                raise RecordError(
                    f"there is no {axis} {absent[0]!r} in this run (there are: "
                    f"{', '.join(label(level) for level in found[:8])})"
                )
            kept = set(chosen)
            found = tuple(level for level in found if label(level) in kept)
        levels[axis] = found
    return levels


def label(level: Any) -> str:
    """A level for people: temperatures without needless digits."""
    return f"{level:g}" if isinstance(level, float) else str(level)


def grid_of_columns(
    columns: Columns,
    levels: Mapping[str, tuple[Any, ...]],
    *,
    scale: Sequence[float] = (),
    wanted: npt.NDArray[np.bool_] | None = None,
) -> Grid:
    """The grid of the cells at `levels` (see `axis_levels`).

    `scale` adds scores that the rubric knows and no format or draw has (not to pairs). `wanted`,
    over the axes, says which cells were planned (all, without it). Pairs become the first answer's
    score minus the second's. Raises `RecordError` when two records are of one cell, or the grid is
    too large.
    """
    shape = tuple(len(levels[axis]) for axis in AXES)
    rows, place = _places(columns, levels, shape)
    joint: Array | None = None
    joint_scale: tuple[float, ...] = ()
    if columns.support.ndim == 2 or columns.draw_score.ndim == 2:
        table, joint_scale = _joint(columns)
        joint = _scattered(table[rows], place, shape)
        columns, scale = _differences(columns), ()
    values = np.unique(
        np.concatenate(
            [
                columns.support,
                np.asarray(scale, dtype=np.float64),
                columns.draw_score[~np.isnan(columns.draw_score)],
            ]
        )
    )
    size = math.prod(shape)
    if size * max(values.size, 1) > MOST_NUMBERS:
        raise RecordError(
            f"{size:,} cells on {values.size:,} scores are more than {MOST_NUMBERS:,} numbers "
            "(analyse a part: where={'variant': ...})"
        )
    values = values if values.size else np.zeros(1)
    p = _probabilities(columns, values)[rows]
    return Grid(
        levels={axis: tuple(label(level) for level in levels[axis]) for axis in AXES},
        scale=tuple(values.tolist()),
        cells=Cells(
            _scattered(columns.mean[rows], place, shape),
            _scattered(columns.variance[rows], place, shape),
            _scattered(columns.error[rows], place, shape),
            _scattered(
                np.where(np.isnan(columns.mean[rows]), 0.0, columns.draws[rows]), place, shape, 0.0
            ),
        ),
        probabilities=_scattered(p, place, shape),
        removed_mass=_scattered(columns.removed_mass[rows], place, shape),
        numerics_floor=_scattered(columns.numerics_floor[rows], place, shape),
        kind=_kinds(columns, rows, place, shape),
        wanted=np.ones(shape, dtype=np.bool_) if wanted is None else wanted,
        seconds=_scattered(columns.seconds[rows], place, shape),
        prompt_tokens=_scattered(columns.prompt_tokens[rows].astype(np.float64), place, shape),
        draws=_indexed_draws(columns, rows, place, shape),
        joint=joint,
        joint_scale=joint_scale,
    )


def _places(
    columns: Columns, levels: Mapping[str, tuple[Any, ...]], shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """(rows that are in the grid, the flat place of each)."""
    kept = np.ones(len(columns), dtype=np.bool_)
    place = np.zeros(len(columns), dtype=np.intp)
    for axis, size in zip(AXES, shape, strict=True):
        at = {level: i for i, level in enumerate(levels[axis])}
        here = np.array([at.get(name, -1) for name in columns.names[axis]], dtype=np.intp)
        codes = here[columns.codes[axis]] if here.size else np.zeros(0, dtype=np.intp)
        kept &= codes >= 0
        place = place * size + codes
    rows = np.nonzero(kept)[0]
    place = place[rows]
    seen, counts = np.unique(place, return_counts=True)
    if (counts > 1).any():
        where = np.unravel_index(int(seen[np.argmax(counts > 1)]), shape)
        named = (label(levels[axis][int(i)]) for axis, i in zip(AXES, where, strict=True))
        names = ", ".join(filter(None, named))
        raise RecordError(
            f"two records are of the cell {names}: their texts or models differ (keep runs of "
            "different plans in different stores)"
        )
    return rows, place


def _scattered(
    values: Array, place: npt.NDArray[np.intp], shape: tuple[int, ...], empty: float = math.nan
) -> Array:
    """Values of cells (n, ...) at their places in the grid."""
    size = math.prod(shape)
    if place.size == size and bool((place == np.arange(size)).all()):
        return values.reshape(*shape, *values.shape[1:])
    grid = np.full((size, *values.shape[1:]), empty)
    grid[place] = values
    return grid.reshape(*shape, *values.shape[1:])


def _kinds(
    columns: Columns,
    rows: npt.NDArray[np.intp],
    place: npt.NDArray[np.intp],
    shape: tuple[int, ...],
) -> npt.NDArray[np.uint8]:
    code = np.array([KINDS.index(kind) for kind in STORED_KINDS], dtype=np.uint8)
    kind = np.full(math.prod(shape), MISSING, dtype=np.uint8)
    scored = ~np.isnan(columns.mean[rows])
    kind[place[scored]] = code[columns.kind[rows[scored]]]
    return kind.reshape(shape)


def _probabilities(columns: Columns, values: Array) -> Array:
    """The distribution of every cell over `values`: exact where there is one, else shares of draws.

    A mode cell is its one score. NaN where there is neither.
    """
    local = columns.local
    mode = columns.kind == STORED_KINDS.index("mode")
    exact = ~np.isnan(local).any(axis=1) & (local.shape[1] > 0) & ~mode
    same = columns.support.size == values.size
    if same and exact.all():
        return local
    n = len(columns)
    p = np.full((n, values.size), np.nan)
    if exact.any():
        p[exact] = 0.0
        p[np.ix_(exact, np.searchsorted(values, columns.support))] = local[exact]
    known = ~np.isnan(columns.draw_score) & ~exact[columns.draw_cell]
    if known.any():
        at = columns.draw_cell[known]
        keys = at * values.size + np.searchsorted(values, columns.draw_score[known])
        counts = np.bincount(keys, minlength=n * values.size).reshape(n, values.size)
        drawn = np.unique(at)
        p[drawn] = counts[drawn] / counts[drawn].sum(axis=1, keepdims=True)
    return p


def _indexed_draws(
    columns: Columns,
    rows: npt.NDArray[np.intp],
    place: npt.NDArray[np.intp],
    shape: tuple[int, ...],
) -> Array | None:
    """Scores of draws by index, (axes, draws); None when there is at most one or too many."""
    if not columns.draw_index.size:
        return None
    most = int(columns.draw_index.max()) + 1
    if most < 2 or math.prod(shape) * most > MOST_INDEXED:
        return None
    by_row = np.full((len(columns), most), np.nan)
    by_row[columns.draw_cell, columns.draw_index] = columns.draw_score
    return _scattered(by_row[rows], place, shape)


def _joint(columns: Columns) -> tuple[Array, tuple[float, ...]]:
    """(joint tables of every cell, (n, first shown, second shown); the scores of both axes)."""
    support, drawn = columns.support.reshape(-1, 2), columns.draw_score.reshape(-1, 2)
    known = ~np.isnan(drawn).any(axis=1)
    values = np.unique(np.concatenate([support.ravel(), drawn[known].ravel()]))
    n, k = len(columns), values.size
    if n * k * k > MOST_NUMBERS:
        raise RecordError(
            f"{n:,} cells of {k} x {k} scores are more than {MOST_NUMBERS:,} numbers (analyse a "
            "part: where={'variant': ...})"
        )
    table = np.full((n, k * k), np.nan)
    exact = np.array(~np.isnan(columns.local).any(axis=1) & (len(support) > 0))
    if exact.any():
        at = np.searchsorted(values, support)
        table[exact] = 0.0
        table[np.ix_(exact, at[:, 0] * k + at[:, 1])] = columns.local[exact]
    shown = known & ~exact[columns.draw_cell]
    if shown.any():
        at = np.searchsorted(values, drawn[shown])
        cell = columns.draw_cell[shown]
        keys = cell * k * k + at[:, 0] * k + at[:, 1]
        counts = np.bincount(keys, minlength=n * k * k).reshape(n, k * k)
        rows = np.unique(cell)
        table[rows] = counts[rows] / counts[rows].sum(axis=1, keepdims=True)
    return table.reshape(n, k, k), tuple(values.tolist())


def _differences(columns: Columns) -> Columns:
    """Pairs as one score: the item's first answer minus its second, whatever the order shown.

    In the order "ba" the second answer was shown first.
    """
    turned = np.array([name == "ba" for name in columns.names["order"]])
    sign = np.where(turned[columns.codes["order"]], -1.0, 1.0)
    pairs = columns.support.reshape(-1, 2)
    straight = pairs[:, 0] - pairs[:, 1]
    support, at = np.unique(np.concatenate([straight, -straight]), return_inverse=True)
    local = np.zeros((len(columns), support.size))
    for column in range(straight.size):
        here, there = at[column], at[straight.size + column]
        local[:, here] += np.where(sign > 0, columns.local[:, column], 0.0)
        local[:, there] += np.where(sign < 0, columns.local[:, column], 0.0)
    draw_sign = sign[columns.draw_cell]
    scores = columns.draw_score.reshape(-1, 2)
    means = columns.draw_mean.reshape(-1, 2)
    score = draw_sign * (scores[:, 0] - scores[:, 1])
    mean = columns.mean.reshape(-1, 2)
    centre = sign * (mean[:, 0] - mean[:, 1])
    changed = replace(
        columns,
        support=support,
        local=local,
        free=np.empty((0, support.size)),
        mean=centre,
        draw_score=score,
        draw_mean=draw_sign * (means[:, 0] - means[:, 1]),
        draw_variance=np.zeros(score.size),
    )
    return _with_moments(changed)


def _with_moments(columns: Columns) -> Columns:
    """Variance and error of differences, which do not follow from those of their parts."""
    values = columns.support
    shifted = columns.local @ values if values.size else np.full(len(columns), np.nan)
    mixture = columns.local @ values**2 - shifted**2 if values.size else shifted
    known = ~np.isnan(columns.draw_mean)
    at, given = columns.draw_cell[known], columns.draw_mean[known]
    count = np.bincount(at, minlength=len(columns)).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = np.bincount(at, (given - columns.mean[at]) ** 2, minlength=len(columns))
        between = np.where(count > 1, squares / (count - 1.0), np.nan)
        within = np.where(np.isnan(mixture), 0.0, mixture - squares / count)
        drawn = between + np.maximum(within, 0.0)
        error = between / count
    exact = np.isinf(columns.draws)
    mode = columns.kind == STORED_KINDS.index("mode")
    variance = np.where(exact, np.where(mode, 0.0, np.maximum(mixture, 0.0)), drawn)
    return replace(columns, variance=variance, error=np.where(exact, 0.0, error))
