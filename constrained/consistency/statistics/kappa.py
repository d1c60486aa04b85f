"""Agreement with gold scores: quadratic weighted kappa over the full scale, and bias."""

from __future__ import annotations

import math
from collections.abc import Sequence

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

__all__ = [
    "bias",
    "exact_quadratic_kappa",
    "mean_kappa",
    "quadratic_kappa",
    "standardised_bias",
    "weighted_kappa",
]


def weighted_kappa(table: npt.ArrayLike, disagreement: npt.ArrayLike) -> Estimate:
    """Cohen's weighted kappa of a square table of counts or proportions; at most 1.

    ``1 - sum(w O) / sum(w E)`` with E the outer product of the margins over the total, and w the
    `disagreement` of two categories (0 on the diagonal; any unit). Source: Cohen 1968; oracle J
    (.492 and .348).

    >>> weighted_kappa([[20, 5], [10, 15]], [[0, 1], [1, 0]])
    Estimate(0.4)
    """
    observed, weights = as_scores(table), as_scores(disagreement)
    if observed.ndim != 2 or observed.shape[0] != observed.shape[1]:
        raise RecordError(f"a table of shape {observed.shape} is not square")
    if weights.shape != observed.shape:
        raise RecordError(f"weights of shape {weights.shape} do not fit {observed.shape}")
    total = float(observed.sum())
    if total <= 0:
        return unknown("the table is empty")
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / total
    chance = float((weights * expected).sum())
    if chance == 0.0:
        return unknown("undefined: both raters always give the same single score")
    return Estimate(1.0 - float((weights * observed).sum()) / chance)


def quadratic_kappa(
    scores: npt.ArrayLike,
    gold: npt.ArrayLike,
    *,
    scale: Sequence[float] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Quadratic weighted kappa of two score vectors (items,), NaN where one is missing; at most 1.

    ``1 - sum(w O) / sum(w E)`` with ``w = (a - b)^2 / (max - min)^2`` by *value*, so a score that
    nobody gave keeps its place on the scale; the scale's length then cancels and the sums are

        ``1 - mean (a - b)^2 / (var a + var b + (mean a - mean b)^2)``

    without a table: half points work too. `scale` checks that every score is on it (`RecordError`
    otherwise). The interval resamples the items. Source: Cohen 1968. Oracle K (1.0, 0.4, 0.75).

    >>> quadratic_kappa([1, 2, 3, 1, 2, 2, 3], [1, 2, 3, 1, 2, 3, 2], replicates=0)
    Estimate(0.75 (no interval: replicates=0))
    """
    a, b = as_scores(scores), as_scores(gold)
    if a.shape != b.shape or a.ndim != 1:
        raise RecordError(f"scores of shape {a.shape} and gold of shape {b.shape} are not paired")
    both = ~(np.isnan(a) | np.isnan(b))
    a, b = a[both], b[both]
    if scale is not None:
        _check_scale(np.concatenate([a, b]), scale)
    x, y = _unit(a, b)
    return _kappa_of_sums(x, x**2, y, x * y, replicates, seed, level)


def exact_quadratic_kappa(
    probabilities: npt.ArrayLike,
    scores: npt.ArrayLike,
    gold: npt.ArrayLike,
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Quadratic weighted kappa of exact distributions (items, scores) against gold (items,).

    The confusion table is the expected one: ``O_ab = sum over items of P(a) [gold = b]``. It is
    what a sampled score reaches on average; report it beside `quadratic_kappa` of the rounded
    means. With all mass on one score per item the two agree.

    >>> one_sided = [[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]]
    >>> round(exact_quadratic_kappa(one_sided, [0, 1, 2], gold=[0, 1, 2]).value, 3)
    0.889
    """
    p, values = check_probabilities(probabilities, scores)
    b = as_scores(gold)
    if p.ndim != 2 or b.shape != p.shape[:1]:
        raise RecordError(f"probabilities of shape {p.shape} and gold of {b.shape} are not paired")
    both = ~(np.isnan(p).any(axis=1) | np.isnan(b))
    p, b = p[both], b[both]
    x, y = _unit(values, b)
    mean = p @ x
    return _kappa_of_sums(mean, p @ x**2, y, mean * y, replicates, seed, level)


def _unit(a: Array, b: Array) -> tuple[Array, Array]:
    """Both around 0 and within 1 of it: kappa does not ask where scores lie or in what unit.

    Far from 0, or very small, the sums of squares would have no digit left of the differences.
    """
    both = np.concatenate([a, b])
    if not both.size:
        return a, b
    low, high = float(both.min()), float(both.max())
    half = (high - low) / 2.0
    if half <= rounding(both):
        return np.zeros_like(a), np.zeros_like(b)
    middle = low + half
    return (a - middle) / half, (b - middle) / half


def _kappa_of_sums(
    a: Array, a_squared: Array, b: Array, ab: Array, replicates: int, seed: int, level: float
) -> Estimate:
    if a.size < 2:
        return unknown(f"only {a.size} item{'' if a.size == 1 else 's'} with both scores")
    sums = np.column_stack([np.ones(a.size), a, a_squared, b, b**2, ab])

    def kappa(totals: Array) -> Array:
        n, s_a, s_aa, s_b, s_bb, s_ab = totals.T
        observed = s_aa + s_bb - 2.0 * s_ab
        # sum over pairs of (a - b)^2 with independent margins, over n
        expected = s_aa + s_bb - 2.0 * s_a * s_b / n
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(expected > 1e-12 * (s_aa + s_bb), 1.0 - observed / expected, np.nan)

    return resample_items(
        sums,
        kappa,
        replicates=replicates,
        seed=seed,
        level=level,
        undefined="undefined: both raters always give the same single score",
    )


def _check_scale(values: Array, scale: Sequence[float]) -> None:
    off = ~np.isin(values, np.asarray(scale, dtype=np.float64))
    if off.any():
        raise RecordError(
            f"score {float(values[off][0]):g} is not on the scale {min(scale):g} to "
            f"{max(scale):g} ({int(off.sum())} such scores; widen the scale or drop them)"
        )


def mean_kappa(kappas: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Estimate:
    """The mean of kappas over sets by Fisher's z, each kept within 0.999 of 0.

    ``tanh(sum w atanh(k) / sum w)``. Source: the Automated Student Assessment Prize; oracle K
    (.5 and .8 with weights 1 and .5: .624536).

    >>> round(mean_kappa([0.5, 0.8], [1.0, 0.5]).value, 6)
    0.624536
    """
    k = np.asarray(kappas, dtype=np.float64)
    w = np.ones(k.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    known = ~np.isnan(k)
    if not known.any() or float(w[known].sum()) <= 0:
        return unknown("no kappa to average")
    z = np.arctanh(np.clip(k[known], -0.999, 0.999))
    return Estimate(math.tanh(float((w[known] * z).sum() / w[known].sum())))


def bias(
    scores: npt.ArrayLike,
    gold: npt.ArrayLike,
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """The mean of score minus gold over items, in score points; above 0 is lenient.

    A consistent model can be consistently wrong, so this stands beside every agreement. `scores`
    and `gold` have shape (items,), NaN where missing; the interval resamples the items.

    >>> bias([7, 5, 6], [6, 5, 4]).value
    1.0
    """
    a, b = as_scores(scores), as_scores(gold)
    if a.shape != b.shape or a.ndim != 1:
        raise RecordError(f"scores of shape {a.shape} and gold of shape {b.shape} are not paired")
    d = (a - b)[~np.isnan(a - b)]
    if d.size < 2:
        return unknown(f"only {d.size} item{'' if d.size == 1 else 's'} with both scores")
    sums = np.column_stack([np.ones(d.size), d])
    return resample_items(
        sums, lambda totals: totals[:, 1] / totals[:, 0], replicates=replicates, seed=seed,
        level=level,
    )  # fmt: skip


def standardised_bias(scores: npt.ArrayLike, gold: npt.ArrayLike) -> Estimate:
    """The standardised mean difference ``(mean a - mean b) / sqrt((var a + var b) / 2)``.

    Without unit; 0 is no bias. Variances with n - 1.

    >>> standardised_bias([7, 5, 6], [6, 4, 5]).value
    1.0
    """
    a, b = as_scores(scores), as_scores(gold)
    if a.shape != b.shape or a.ndim != 1:
        raise RecordError(f"scores of shape {a.shape} and gold of shape {b.shape} are not paired")
    both = ~np.isnan(a - b)
    a, b = a[both], b[both]
    if a.size < 2:
        return unknown(f"only {a.size} item{'' if a.size == 1 else 's'} with both scores")
    spread = math.sqrt((float(a.var(ddof=1)) + float(b.var(ddof=1))) / 2.0)
    if spread <= rounding(np.concatenate([a, b])):
        return unknown("neither score differs between items")
    return Estimate(float(a.mean() - b.mean()) / spread)
