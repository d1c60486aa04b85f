"""Distances between score distributions: entropy, total variation, Wasserstein, Jensen-Shannon."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics.cells import check_probabilities
from constrained.consistency.statistics.estimate import Array
from constrained.errors import RecordError

__all__ = [
    "between_prompts",
    "entropy",
    "jensen_shannon",
    "pooled",
    "to_pooled",
    "total_variation",
    "wasserstein",
]


def entropy(probabilities: npt.ArrayLike) -> Array:
    """``-sum P log2 P`` in bits over the last axis; 0 log 0 is 0, NaN where a cell is missing.

    Source: Shannon 1948; oracle F (1, 1, 0, 1.5 bits).

    >>> entropy([0.25, 0.5, 0.25]).item()
    1.5
    """
    p = np.asarray(probabilities, dtype=np.float64)
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0)
    result: Array = np.asarray(-(p * logs).sum(axis=-1)) + 0.0
    return result


def total_variation(p: npt.ArrayLike, q: npt.ArrayLike) -> Array:
    """``1/2 sum |P - Q|`` over the last axis, 0 to 1: the most that any event differs.

    Oracle F: .5 and .75.

    >>> total_variation([0.5, 0.5, 0.0], [0.0, 0.5, 0.5]).item()
    0.5
    """
    a, b = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    result: Array = np.asarray(0.5 * np.abs(a - b).sum(axis=-1))
    return result


def wasserstein(p: npt.ArrayLike, q: npt.ArrayLike, scores: npt.ArrayLike) -> Array:
    """``sum_k |F_P(k) - F_Q(k)| (v_{k+1} - v_k)`` over the last axis, in score points.

    How far scores must move to turn one distribution into the other (W1). At least the difference
    of the means, and equal to it when one distribution is shifted as a whole. `scores` are the
    values (scores,), in any order. Source: Vallender 1974; oracle F (1.0 and 1.0).

    >>> wasserstein([0.5, 0.5, 0], [0, 0.5, 0.5], scores=[0, 1, 2]).item()
    1.0
    """
    a, b = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    values = np.asarray(scores, dtype=np.float64)
    if a.shape[-1:] != values.shape or b.shape[-1:] != values.shape:
        raise RecordError(
            f"distributions of {a.shape[-1:]} and {b.shape[-1:]} scores do not fit {values.size}"
        )
    order = np.argsort(values)
    gap = np.diff(values[order])
    moved = np.abs(np.cumsum((a - b)[..., order], axis=-1))
    result: Array = np.asarray(moved[..., :-1] @ gap)
    if not gap.size:  # all on one score; a missing distribution stays missing
        result = result + 0.0 * moved[..., 0]
    return result


def jensen_shannon(p: npt.ArrayLike, q: npt.ArrayLike) -> Array:
    """``H((P + Q) / 2) - (H(P) + H(Q)) / 2`` in bits over the last axis, 0 to 1.

    The divergence, not its root. Source: Lin 1991; oracle F (.5 and .5488 bits).

    >>> jensen_shannon([0.5, 0.5, 0.0], [0.0, 0.5, 0.5]).item()
    0.5
    """
    a, b = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    divergence: Array = np.asarray(entropy((a + b) / 2.0) - (entropy(a) + entropy(b)) / 2.0)
    return np.clip(divergence, 0.0, 1.0)


def pooled(probabilities: npt.ArrayLike) -> Array:
    """Each item's distribution over a random prompt: the mean over prompts; shape (items, scores).

    `probabilities` has shape (items, prompts, scores); missing cells (NaN) are left out.

    >>> pooled([[[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]]).tolist()
    [[0.25, 0.5, 0.25]]
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 3:
        raise RecordError(f"probabilities of shape {p.shape} need the axes (item, prompt, score)")
    seen = ~np.isnan(p.sum(axis=-1, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        mixture: Array = np.where(seen, p, 0.0).sum(axis=1) / seen.sum(axis=1)
    return mixture


def to_pooled(probabilities: npt.ArrayLike, scores: npt.ArrayLike) -> Array:
    """Each cell's Wasserstein distance to its item's pooled distribution; (items, prompts), points.

    The mean over items (`numpy.nanmean` along axis 0) says how far a prompt stands from the rest.

    >>> to_pooled([[[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]], [0, 1, 2]).tolist()
    [[0.5, 0.5]]
    """
    p, values = check_probabilities(probabilities, scores)
    return wasserstein(p, pooled(p)[:, None, :], values)


def between_prompts(probabilities: npt.ArrayLike, scores: npt.ArrayLike) -> Array:
    """Each item's mean Wasserstein distance between two prompts; shape (items,), in points.

    ``mean over p < q of W1(P_p, P_q)``, NaN below two prompts. Distribution functions are sorted
    along the prompts, so that m prompts cost m log m and not m^2.

    >>> between_prompts([[[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]], [0, 1, 2]).tolist()
    [1.0]
    """
    p, values = check_probabilities(probabilities, scores)
    if p.ndim != 3:
        raise RecordError(f"probabilities of shape {p.shape} need the axes (item, prompt, score)")
    order = np.argsort(values)
    gap = np.diff(values[order])
    seen = ~np.isnan(p.sum(axis=-1))
    m = seen.sum(axis=1).astype(np.float64)
    result = np.zeros(p.shape[0])
    below = np.zeros(p.shape[:2])
    rank = np.arange(p.shape[1])[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(rank < m[:, None], 2.0 * rank - m[:, None] + 1.0, 0.0)
        for step, width in enumerate(gap):
            below = below + p[..., order[step]]
            ranked = np.sort(np.where(seen, below, np.inf), axis=1)  # missing cells come last
            ranked = np.where(rank < m[:, None], ranked, 0.0)
            result += width * (weight * ranked).sum(axis=1)
        return np.where(m > 1, result / (m * (m - 1.0) / 2.0), np.nan)
