"""Variance components of a crossed grid with or without holes: Henderson's Method I."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from constrained.consistency.statistics.estimate import Array
from constrained.errors import RecordError

__all__ = ["Decomposition", "decompose"]

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
    """Harmonic mean number of cells behind one level."""
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
