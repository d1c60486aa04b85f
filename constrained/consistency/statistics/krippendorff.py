"""Krippendorff's alpha: agreement beyond chance, with missing cells and exact distributions."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics.bootstrap import resample_items
from constrained.consistency.statistics.cells import check_probabilities
from constrained.consistency.statistics.estimate import (
    Array,
    Estimate,
    as_scores,
    rounding,
    unknown,
)
from constrained.errors import RecordError

__all__ = ["Metric", "alpha", "exact_alpha"]

Metric: TypeAlias = Literal["nominal", "ordinal", "interval", "ratio"]

MOST_COUNTS = 20_000_000
"""Items times different scores that nominal and ratio alpha may tabulate (160 MB)."""

IDENTICAL = "undefined: all scores are identical"


def alpha(
    scores: npt.ArrayLike,
    metric: Metric = "interval",
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Krippendorff's alpha of a matrix (items, prompts) of scores, NaN where missing; at most 1.

    ``alpha = 1 - Do / De`` with the squared difference d2 of two scores: ``[c != k]`` (nominal),
    ``(c - k)^2`` (interval), ``((c - k) / (c + k))^2`` (ratio), and for ordinal the squared number
    of scores between them, half of each end's own. Do is the mean d2 within items, De over all
    pairs; items with fewer than two scores drop out. Undefined (NaN) when all scores are equal.
    The interval resamples items (for ordinal with the ranks of the whole data). Alpha falls when
    items are alike, so show it beside the item component.

    Source: Krippendorff 2011. Oracles H (.743 .815 .849 .797) and I (.691 .807 .811).

    >>> alpha([[1, 1], [2, 2], [3, 4]], replicates=0)
    Estimate(0.878 (no interval: replicates=0))
    """
    matrix = as_scores(scores)
    if matrix.ndim != 2:
        raise RecordError(f"scores of shape {matrix.shape} need the axes (item, prompt)")
    seen = ~np.isnan(matrix)
    pairable = seen.sum(axis=1) >= 2
    matrix, seen = matrix[pairable], seen[pairable]
    if not matrix.size:
        return unknown("no item has two scores")
    values, places = np.unique(matrix[seen], return_inverse=True)
    if float(values[-1] - values[0]) <= rounding(values):
        return unknown(IDENTICAL)
    m = seen.sum(axis=1).astype(np.float64)
    if metric in ("interval", "ordinal"):
        counts = np.bincount(places, minlength=values.size).astype(np.float64)
        scale = _unit(values) if metric == "interval" else _midpoints(counts)
        x = np.zeros(matrix.shape)
        x[seen] = scale[places]
        total = x.sum(axis=1)
        inner = np.where(seen, x - (total / m)[:, None], 0.0)
        observed = 2.0 * m / (m - 1.0) * (inner**2).sum(axis=1)
        sums = np.column_stack([m, observed, total, (x**2).sum(axis=1)])
        return _resampled(sums, None, replicates, seed, level)
    if values.size * m.size > MOST_COUNTS:
        return unknown(f"{values.size:,} different scores are too many for {metric} alpha")
    keys = np.nonzero(seen)[0] * values.size + places
    table = np.bincount(keys, minlength=m.size * values.size).reshape(m.size, values.size)
    counts_of = table.astype(np.float64)
    difference = _differences(metric, values, counts_of.sum(axis=0))
    pairs = np.einsum("uv,uv->u", counts_of @ difference, counts_of)
    sums = np.column_stack([m, pairs / (m - 1.0), counts_of])
    return _resampled(sums, difference, replicates, seed, level)


def exact_alpha(
    probabilities: npt.ArrayLike,
    scores: npt.ArrayLike,
    metric: Metric = "interval",
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Krippendorff's alpha in expectation over one independent draw per cell, without drawing.

    Coincidences become expected ones: ``o_ck = sum over items of sum_{p != q} P_p(c) P_q(k) /
    (m - 1)``. `probabilities` has shape (items, prompts, scores), NaN in a missing cell; `scores`
    are the values in points. With all the mass of every cell on one score it is `alpha`.

    >>> certain = [[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]]
    >>> exact_alpha(certain, [0, 1]).value
    1.0
    """
    p, values = check_probabilities(probabilities, scores)
    if p.ndim != 3:
        raise RecordError(f"probabilities of shape {p.shape} need the axes (item, prompt, score)")
    order = np.argsort(values)
    p, values = p[..., order], values[order]
    seen = ~np.isnan(p.sum(axis=-1))
    m = seen.sum(axis=1)
    p, m = np.where(seen[..., None], p, 0.0)[m >= 2], m[m >= 2].astype(np.float64)
    if not m.size:
        return unknown("no item has two scores")
    if not float(values[-1] - values[0]) > rounding(values):
        return unknown(IDENTICAL)
    counts = p.sum(axis=1)
    difference = _differences(metric, values, counts.sum(axis=0))
    pairs = np.einsum("uv,uv->u", counts @ difference, counts)
    own = np.einsum("upv,upv->u", p @ difference, p)  # pairs of a prompt with itself
    sums = np.column_stack([m, (pairs - own) / (m - 1.0), counts])
    return _resampled(sums, difference, replicates, seed, level)


def _resampled(
    sums: Array, difference: Array | None, replicates: int, seed: int, level: float
) -> Estimate:
    """Alpha from each item's number of scores, observed disagreement, and counts or moments."""

    def statistic(totals: Array) -> Array:
        n, observed = totals[:, 0], totals[:, 1]
        if difference is None:
            expected = 2.0 * (n * totals[:, 3] - totals[:, 2] ** 2)
            noise = 1e-12 * n * totals[:, 3]  # what rounding leaves of a difference of such sums
        else:
            counts = totals[:, 2:]
            expected = np.einsum("bv,bv->b", counts @ difference, counts)
            noise = 1e-12 * n**2 * float(difference.max())
        with np.errstate(invalid="ignore", divide="ignore"):
            some = expected > noise
            return np.where(some, 1.0 - (n - 1.0) * observed / expected, np.nan)

    if sums.shape[0] == 1:
        value = float(statistic(sums)[0])
        return unknown(IDENTICAL) if value != value else Estimate(value, reason="only 1 item")
    return resample_items(
        sums, statistic, replicates=replicates, seed=seed, level=level, undefined=IDENTICAL
    )


def _unit(values: Array) -> Array:
    """Rising values around 0 and within 1 of it: alpha does not ask where they lie."""
    half = float(values[-1] - values[0]) / 2.0
    unit: Array = (values - values[0] - half) / half
    return unit


def _midpoints(counts: Array) -> Array:
    """Ranks with ties shared: ordinal differences are differences of these."""
    midpoints: Array = np.cumsum(counts) - counts / 2.0
    return midpoints


def _differences(metric: Metric, values: Array, counts: Array) -> Array:
    """The squared difference of every two values; values rise."""
    if metric == "nominal":
        return 1.0 - np.eye(values.size)
    if metric == "ratio":
        above = values[:, None] - values[None, :]
        below = values[:, None] + values[None, :]
        return np.divide(above, below, out=np.zeros_like(above), where=below != 0) ** 2
    scale = _unit(values) if metric == "interval" else _midpoints(counts)
    squared: Array = (scale[:, None] - scale[None, :]) ** 2
    return squared
