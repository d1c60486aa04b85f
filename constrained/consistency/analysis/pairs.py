"""Pairwise judging: two answers, two scores, in both orders; what LLaVA's protocol asks for."""

from __future__ import annotations

import numpy as np

from constrained.consistency.analysis.grid import Grid
from constrained.consistency.analysis.results import Pairwise
from constrained.consistency.statistics import (
    Estimate,
    joint_scores,
    mean_of_ratios,
    order_effect,
    preferences,
    ratio_of_means,
    unknown,
)
from constrained.consistency.statistics.estimate import Array, item_means

__all__ = ["pairwise"]


def pairwise(grid: Grid, level: float) -> Pairwise | None:
    """The findings about pairs of one judge, averaged over prompts and formats; None without pairs.

    Needs `grid.joint`; an order other than "ba" counts as the item's first answer shown first.
    """
    if grid.joint is None:
        return None
    scores = np.array(grid.joint_scale)
    orders = grid.levels["order"]
    straight = _mean_table(grid.joint, [i for i, name in enumerate(orders) if name != "ba"])
    turned = _mean_table(grid.joint, [i for i, name in enumerate(orders) if name == "ba"])
    shown, swapped = joint_scores(straight, scores), joint_scores(turned, scores)
    # Scores by answer, each item's orders averaged: the answers' places are taken out.
    first = item_means(np.column_stack([shown.first, swapped.second]))
    second = item_means(np.column_stack([shown.second, swapped.first]))
    both = not bool(np.isnan(shown.first + swapped.first).all())
    effect = unknown("only one order of the answers")
    if both:
        effect = order_effect(
            np.column_stack([shown.first, swapped.first]),
            np.column_stack([swapped.second, shown.second]),
            level=level,
        ).truncated(scores[0] - scores[-1], scores[-1] - scores[0])
    by_answer = np.stack([straight, turned.transpose(0, 2, 1)])
    return Pairwise(
        _ratio(second, first, scores, level),
        mean_of_ratios(second, first),
        effect,
        preferences(straight, turned, scores, level=level) if both else None,
        grid.joint_scale,
        _mean_over(by_answer.reshape(-1, scores.size, scores.size)),
    )


def _mean_table(joint: Array, orders: list[int]) -> Array:
    """Each item's mean joint table over all rooms with these orders; NaN where it has none."""
    k = joint.shape[-1]
    tables = joint[:, :, :, orders].reshape(joint.shape[0], -1, k, k)
    return np.stack([_mean_over(of_item) for of_item in tables])


def _mean_over(tables: Array) -> Array:
    seen = ~np.isnan(tables[:, 0, 0])
    if not seen.any():
        return np.full(tables.shape[1:], np.nan)
    mean: Array = tables[seen].mean(axis=0)
    return mean


def _ratio(second: Array, first: Array, scores: Array, level: float) -> Estimate:
    """LLaVA's relative score, in percent, inside what scores above 0 allow."""
    found = ratio_of_means(second, first, level=level)
    low, high = float(scores[0]), float(scores[-1])
    return found.truncated(100.0 * low / high, 100.0 * high / low) if low > 0 else found
