"""Variance components of a crossed grid with or without holes: Henderson's methods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from constrained.consistency.statistics.estimate import Array, rounding
from constrained.errors import RecordError

__all__ = ["Decomposition", "decompose", "fit_constants"]

Effect = tuple[int, ...]

MAX_FACETS = 6


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Totals, expectations and components of one grid; arrays are aligned with `effects`.

    `effects` are tuples of axes, ``()`` (the grand mean) first; an axis with fewer than two levels
    in use is in none of them. `components[0]` is unused (0); the last one belongs to the highest
    interaction, with what the cells' own error adds to it already taken off.
    """

    effects: tuple[Effect, ...]
    totals: Array
    """T_a = sum over the levels of a of (level total)^2 / level count, not centred."""
    components: Array
    degrees: Array
    mean_squares: Array
    """On the scale of cell means; equal to the ANOVA's when no cell is missing."""
    levels: Array
    """Levels in use."""
    per_level: Array
    """Cells behind one level: the harmonic mean, or the coefficient of `fit_constants`."""
    mean: float
    count: int
    error: float
    """Mean error variance of the cells' means, already subtracted from the last component."""
    mean_shares: Array
    """sum_l (n_l / N)^2: how much of each component is in the variance of the grand mean."""
    reason: str = ""
    """Why the components are NaN, when they are."""


def _subsets(axes: tuple[int, ...]) -> tuple[Effect, ...]:
    return tuple(e for size in range(len(axes) + 1) for e in combinations(axes, size))


def _margin(array: Array, keep: Effect) -> Array:
    """Sums over every axis outside `keep`; summed axes stay, with length 1."""
    drop = tuple(axis for axis in range(array.ndim) if axis not in keep)
    return array.sum(axis=drop, keepdims=True) if drop else array


def _margins(array: Array, effects: tuple[Effect, ...]) -> dict[Effect, Array]:
    """The margin for every effect, each taken from the smallest known margin that contains it."""
    known: dict[Effect, Array] = {}
    for effect in reversed(effects):
        sources = [k for k in known if set(effect) < set(k)]
        source = min(sources, key=lambda k: known[k].size) if sources else None
        known[effect] = _margin(array if source is None else known[source], effect)
    return known


def decompose(values: Array, error: Array | None = None) -> Decomposition:
    """Components of every effect of the fully crossed random model on `values`.

    The model is ``y = mu + sum over effects a of u_a``, with one value per cell (a cell mean) and
    NaN in a missing cell. `error` is the variance of each value as an estimate of its cell (zero
    or None: exact). With ``T_a = sum_l (sum of y in level l)^2 / n_l`` the expectation is::

        E[T_a] = N mu^2 + sum_b s2_b sum_l (sum_m n_lm^2) / n_l + sum_l (sum of error in l) / n_l

    and the components solve that linear system. Without holes this is the ANOVA estimator. Source:
    Henderson 1953, Method I ("analogous ANOVA"); oracles A, B (no holes) and E (holes).
    """
    if values.ndim > MAX_FACETS:
        raise RecordError(
            f"a grid of {values.ndim} facets is more than {MAX_FACETS} (average over facets that "
            "the question does not need)"
        )
    present = ~np.isnan(values)
    count = int(present.sum())
    used = tuple(
        axis
        for axis in range(values.ndim)
        if int(present.any(axis=tuple(a for a in range(values.ndim) if a != axis)).sum()) > 1
    )
    effects = _subsets(used)
    size = len(effects)
    mean = float(values[present].mean()) if count else float("nan")
    if not used:
        none = np.full(size, np.nan)
        return Decomposition(
            effects, none, none, none, none, np.ones(size), none, mean, count, 0.0, none,
            "only one cell has data" if count else "no cell has data",
        )  # fmt: skip

    counts = _margins(present.astype(np.float64), effects)
    sums = _margins(np.where(present, values - mean, 0.0), effects)
    errors = None if error is None else _margins(np.where(present, error, 0.0), effects)
    with np.errstate(invalid="ignore", divide="ignore"):
        inverse = {a: np.where(counts[a] > 0, 1.0 / counts[a], 0.0) for a in effects}
    totals = np.array([float((sums[a] ** 2 * inverse[a]).sum()) for a in effects])
    noise = np.zeros(size)
    if errors is not None:
        noise = np.array([float((errors[a] * inverse[a]).sum()) for a in effects])
    levels = np.array([float((counts[a] > 0).sum()) for a in effects])
    per_level = np.array([levels[i] / float(inverse[a].sum()) for i, a in enumerate(effects)])

    squares = {a: counts[a] ** 2 for a in effects}
    expectation = np.empty((size, size))
    for row, a in enumerate(effects):
        for column, b in enumerate(effects):
            union = tuple(sorted({*a, *b}))
            expectation[row, column] = float((_margin(squares[union], a) * inverse[a]).sum())

    degrees = np.array(
        [
            sum(
                (-1) ** (len(a) - len(b)) * levels[j] for j, b in enumerate(effects) if {*b} <= {*a}
            )
            for a in effects
        ]
    )
    error_mean = float(noise[-1]) / count
    published = totals + float(count) * mean**2  # the values were centred at the grand mean
    scaled = expectation / float(count)  # entries between 1 / N and 1
    if degrees[1:].min() < 1 or np.linalg.matrix_rank(scaled, tol=1e-9) < size:
        none = np.full(size, np.nan)
        return Decomposition(
            effects, published, none, degrees, none, levels, per_level, mean, count, error_mean,
            scaled[0],
            "too few cells to tell the facets apart (fill cells, so that items share prompts)",
        )  # fmt: skip
    solution: Array = np.linalg.solve(scaled, (totals - noise) / count).astype(np.float64)
    solution[0] = 0.0
    # What the centring of equal scores leaves is no variance.
    solution[np.abs(solution) <= rounding(values) ** 2] = 0.0
    with_error = solution.copy()
    with_error[-1] += error_mean
    mean_squares = np.array(
        [
            sum(per_level[j] * with_error[j] for j, b in enumerate(effects) if {*a} <= {*b})
            for a in effects
        ]
    )
    mean_squares[0] = np.nan
    return Decomposition(
        effects, published, solution, degrees, mean_squares, levels, per_level, mean, count,
        error_mean, scaled[0],
    )  # fmt: skip


def fit_constants(values: Array, found: Decomposition) -> Decomposition:
    """The same grid by fitting constants (Henderson's Method III), for two facets with holes.

    With R the reduction of the sum of squares by least squares on the named effects, N cells, a
    items, b prompts and g groups of cells that share no item or prompt (mostly 1)::

        MS_IP = (sum y^2 - R(i, p)) / (N - a - b + g)
        s2_p  = (R(p | i) - (b - g) MS_IP) / (N - a)
        s2_i  = (R(i | p) - (a - g) MS_IP) / (N - b)

    Item and prompt effects cancel out of MS_IP here, but not in Method I, whose estimate of the
    interaction scatters by a third to three quarters more when 10 to 30 % of the cells are missing.
    Without holes both are the analysis of variance. Source: Henderson 1953, Method III.
    """
    axes = found.effects[-1]
    if found.reason or len(axes) != 2:
        return found
    # A facet may have further levels that no cell uses: one level of it is left in all cells.
    others = tuple(axis for axis in range(values.ndim) if axis not in axes)
    present = ~np.isnan(values)
    table = np.where(present, values, 0.0).sum(axis=others)
    present = np.asarray(present.any(axis=others))
    y = np.where(present, table - found.mean, 0.0)
    keep = np.ix_(present.any(axis=1), present.any(axis=0))
    y, seen = y[keep], present[keep].astype(np.float64)
    turned = y.shape[0] < y.shape[1]
    if turned:  # the system to solve is as wide as the narrower side
        y, seen = y.T, seen.T
    rows, columns = seen.sum(axis=1), seen.sum(axis=0)
    by_row, by_column = y.sum(axis=1), y.sum(axis=0)
    system = np.diag(columns) - seen.T @ (seen / rows[:, None])
    values_of, vectors = np.linalg.eigh(system)
    free = values_of > 1e-9 * float(columns.max())
    groups = int((~free).sum())
    turned_right = vectors.T @ (by_column - seen.T @ (by_row / rows))
    column_after_row = float((turned_right[free] ** 2 / values_of[free]).sum())
    row_alone = float((by_row**2 / rows).sum())
    row_after_column = row_alone + column_after_row - float((by_column**2 / columns).sum())
    rest = float((y * y).sum()) - row_alone - column_after_row

    n_rows, n_columns = y.shape
    freedom = np.array([n_rows - groups, n_columns - groups, 0.0])
    freedom[2] = found.count - n_rows - n_columns + groups
    if freedom.min() < 1:
        return found
    squares = np.maximum([row_after_column, column_after_row, rest], 0.0) / freedom
    squares[squares <= rounding(values) ** 2] = 0.0
    per_level = np.array([found.count - n_columns, found.count - n_rows, 1.0])
    per_level[:2] /= freedom[:2]
    order = [1, 0, 2] if turned else [0, 1, 2]
    components = (squares - squares[2]) / per_level
    components[2] = squares[2] - found.error

    def aligned(first: float, parts: Array) -> Array:
        return np.concatenate([[first], parts[order]])

    return replace(
        found,
        components=aligned(0.0, components),
        degrees=aligned(1.0, freedom),
        mean_squares=aligned(np.nan, squares),
        per_level=aligned(float(found.per_level[0]), per_level),
    )
