"""Pairwise judging: two answers, two scores, in both orders; what LLaVA's protocol asks for."""

from __future__ import annotations

import numpy as np

from constrained.consistency.analysis.grid import Grid
from constrained.consistency.analysis.results import Pairwise
from constrained.consistency.statistics import (
    joint_scores,
    mean_of_ratios,
    order_effect,
    preferences,
    ratio_of_means,
    unknown,
)
from constrained.consistency.statistics.estimate import Array

__all__ = ["pairwise"]


def pairwise(grid: Grid) -> Pairwise | None:
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
    first = _average(shown.first, swapped.second)
    second = _average(shown.second, swapped.first)
    both = not bool(np.isnan(shown.first + swapped.first).all())
    effect = unknown("only one order of the answers")
    if both:
        effect = order_effect(
            np.column_stack([shown.first, swapped.first]),
            np.column_stack([swapped.second, shown.second]),
        )
    by_answer = np.stack([straight, turned.transpose(0, 2, 1)])
    return Pairwise(
        ratio_of_means(second, first),
        mean_of_ratios(second, first),
        effect,
        preferences(straight, turned, scores) if both else None,
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


def _average(a: Array, b: Array) -> Array:
    stacked = np.stack([a, b])
    seen = ~np.isnan(stacked)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Array = np.where(seen, stacked, 0.0).sum(axis=0) / seen.sum(axis=0)
    return mean
