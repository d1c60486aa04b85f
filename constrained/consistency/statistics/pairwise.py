"""Pairwise judging in LLaVA's style: two answers, two scores, in both orders."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics import quantiles
from constrained.consistency.statistics.bootstrap import resample_items
from constrained.consistency.statistics.cells import check_probabilities
from constrained.consistency.statistics.comparison import item_mean, paired_difference
from constrained.consistency.statistics.estimate import (
    ITEMS,
    Array,
    Estimate,
    as_scores,
    unknown,
)
from constrained.errors import RecordError

__all__ = [
    "JointScores",
    "Preferences",
    "joint_scores",
    "mean_of_ratios",
    "order_effect",
    "order_flip",
    "preferences",
    "ratio_of_means",
]


def ratio_of_means(
    scores: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    replicates: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """LLaVA's relative score, in percent: ``100 mean(scores) / mean(reference)``.

    Both (items,) in points; an item without either score (NaN, a reply that could not be read) is
    left out of both means. Interval: the delta method with t, or the item bootstrap when
    `replicates` is above 0. Source: Liu et al. 2023; oracle M (135.3, 120.8, 98.7, 92.1).

    >>> ratio_of_means([9, 8, 10], [8, 8, 9])
    Estimate(108 [91.43, 124.6] at 95 % for items like these, these prompts, by delta method)
    """
    a, b = _pairs(scores, reference)
    if a.size < 2:
        return unknown(f"only {a.size} item{'' if a.size == 1 else 's'} with both scores")
    below = float(b.mean())
    if below == 0.0:
        return unknown("the reference's mean score is 0")
    ratio = float(a.mean()) / below
    if replicates:
        return resample_items(
            np.column_stack([a, b]),
            lambda totals: 100.0 * totals[:, 0] / totals[:, 1],
            replicates=replicates,
            seed=seed,
            level=level,
        )
    rest = a - ratio * b
    error = math.sqrt(float(rest @ rest) / (a.size - 1) / a.size) / abs(below)
    half = 100.0 * quantiles.t((1.0 + level) / 2.0, a.size - 1) * error
    value = 100.0 * ratio
    return Estimate(value, value - half, value + half, level, ITEMS, "delta method")


def mean_of_ratios(scores: npt.ArrayLike, reference: npt.ArrayLike) -> Estimate:
    """``100 mean(scores / reference)``, in percent: it can name another winner than the above.

    Items whose reference is 0 are left out. Oracle M (155.3, 135.5, 100.4, 92.3).

    >>> mean_of_ratios([8, 6], [4, 6]).value
    150.0
    """
    a, b = _pairs(scores, reference)
    used = b != 0
    if not used.any():
        return unknown("no item with both scores and a reference above 0")
    left = int((~used).sum())
    reason = f"{left} items with a reference of 0 are left out" if left else ""
    return Estimate(100.0 * float((a[used] / b[used]).mean()), reason=reason)


def _pairs(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Array, Array]:
    a, b = as_scores(first), as_scores(second)
    if a.shape != b.shape or a.ndim != 1:
        raise RecordError(f"scores of shape {a.shape} and {b.shape} are not paired by item")
    known = ~np.isnan(a + b)
    return a[known], b[known]


@dataclass(frozen=True, slots=True, eq=False)
class JointScores:
    """What a joint distribution of two scores says of each item; arrays of shape (items,).

    Means in points; `win`, `tie` and `loss` are the probabilities that the first answer's score is
    above, at or below the second's in one draw.
    """

    first: Array
    second: Array
    win: Array
    tie: Array
    loss: Array


def joint_scores(joint: npt.ArrayLike, scores: npt.ArrayLike) -> JointScores:
    """Means and outcome of exact joint distributions; `joint` (items, first score, second score).

    Each item's table sums to 1, NaN where it is missing; `scores` are the values of both axes in
    points. In LLaVA's protocol the two scores come before the explanation, so the table is exact.

    >>> table = [[[0.0, 0.25], [0.5, 0.25]]]
    >>> found = joint_scores(table, scores=[1, 2])
    >>> found.first.item(), found.second.item(), found.win.item()
    (1.75, 1.5, 0.5)
    """
    values = as_scores(scores)
    tables = np.asarray(joint, dtype=np.float64)
    if tables.ndim != 3 or tables.shape[1:] != (values.size, values.size):
        raise RecordError(f"joint tables of shape {tables.shape} do not fit {values.size} scores")
    check_probabilities(tables.reshape(tables.shape[0], -1), np.zeros(values.size**2))
    above = values[:, None] > values[None, :]
    same = values[:, None] == values[None, :]
    win, tie = ((tables * mask).sum(axis=(1, 2)) for mask in (above, same))
    first, second = tables.sum(axis=2) @ values, tables.sum(axis=1) @ values
    return JointScores(first, second, win, tie, 1.0 - win - tie)


def order_effect(
    shown_first: npt.ArrayLike, shown_second: npt.ArrayLike, *, level: float = 0.95
) -> Estimate:
    """How many points an answer gains by being shown first, over items and answers.

    Both have shape (items, answers): the score of each answer when shown first and when shown
    second, of the same pair in both orders. Interval over items, with t.

    >>> order_effect([[8.0, 7.0], [9.0, 6.0]], [[7.0, 6.0], [8.0, 5.0]]).value
    1.0
    """
    return paired_difference(shown_second, shown_first, level=level)


@dataclass(frozen=True, slots=True)
class Preferences:
    """Wins of the first answer over items, each item's two orders averaged first.

    `win`, `tie`, `loss` are 0 to 1; `order_flip` is how often the orders name different winners.
    """

    win: Estimate
    tie: Estimate
    loss: Estimate
    order_flip: Estimate


def order_flip(
    win: npt.ArrayLike, loss: npt.ArrayLike, swapped_win: npt.ArrayLike, swapped_loss: npt.ArrayLike
) -> Array:
    """Each item's probability that independent draws in the two orders name different winners.

    ``P(win) P'(loss) + P(loss) P'(win)``, always from the first answer's side; ties are not flips.

    >>> order_flip([0.9], [0.1], [0.4], [0.6]).round(3).tolist()
    [0.58]
    """
    a, b, c, d = (np.asarray(x, dtype=np.float64) for x in (win, loss, swapped_win, swapped_loss))
    result: Array = np.asarray(a * d + b * c)
    return result


def preferences(
    joint: npt.ArrayLike, swapped: npt.ArrayLike, scores: npt.ArrayLike, *, level: float = 0.95
) -> Preferences:
    """Who wins, and whether the order decides it, from exact joint tables in both orders.

    `joint` has shape (items, score of A, score of B) with A shown first; `swapped` is (items, score
    of B, score of A) with B shown first. NaN tables are missing; an item needs both orders.
    Intervals over items, with t, kept inside 0 and 1.

    >>> straight = [[[0.0, 0.1], [0.9, 0.0]]]  # shown first, A gets the higher score in 9 of 10
    >>> found = preferences(straight, [[[0.0, 0.6], [0.4, 0.0]]], [7, 8])
    >>> round(found.win.value, 3), round(found.order_flip.value, 3)
    (0.75, 0.42)
    """
    straight, turned = joint_scores(joint, scores), joint_scores(swapped, scores)
    if straight.win.shape != turned.win.shape:
        raise RecordError(
            f"{straight.win.size} and {turned.win.size} tables are not two orders of the same items"
        )

    def over_items(first: Array, second: Array) -> Estimate:
        return item_mean((first + second) / 2.0, level=level).truncated(0.0, 1.0)

    flips = order_flip(straight.win, straight.loss, turned.loss, turned.win)
    return Preferences(
        over_items(straight.win, turned.loss),
        over_items(straight.tie, turned.tie),
        over_items(straight.loss, turned.win),
        over_items(flips, flips),
    )
