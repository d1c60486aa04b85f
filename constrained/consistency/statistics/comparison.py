"""Two runs of the same items: paired differences, changed verdicts, differences of components."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics import quantiles
from constrained.consistency.statistics.bootstrap import (
    ResampledComponents,
    percentile,
    resample_components,
)
from constrained.consistency.statistics.cells import Cells
from constrained.consistency.statistics.estimate import (
    ITEMS,
    Array,
    Estimate,
    as_scores,
    item_means,
    unknown,
)
from constrained.consistency.statistics.variance import variance_components
from constrained.errors import RecordError

__all__ = ["Flips", "changed_verdicts", "component_difference", "item_mean", "paired_difference"]


def _item_scores(scores: npt.ArrayLike) -> Array:
    """One score per item; prompts are averaged first, over those that are there."""
    return item_means(as_scores(scores))


def item_mean(
    scores: npt.ArrayLike, clusters: npt.ArrayLike | None = None, *, level: float = 0.95
) -> Estimate:
    """The mean score over items, in points, with a clustered standard error.

    ``SE = sqrt(sum over clusters of (sum of deviations)^2 C / (C - 1)) / n`` and t with C - 1
    degrees; without `clusters` (items,) every item is its own, which gives s / sqrt(n). `scores`
    has shape (items,) or (items, prompts, ...): what belongs to an item is averaged first, which
    accounts for its draws. NaN is missing. Source: Miller 2024, appendix A.

    >>> item_mean([1.0, 2.0, 3.0])
    Estimate(2 [-0.4841, 4.484] at 95 % for items like these, these prompts, by t)
    """
    y = _item_scores(scores)
    known = ~np.isnan(y)
    if not known.any():
        return unknown("no item has a score")
    values = y[known]
    mean = float(values.mean())
    groups: npt.NDArray[np.generic] = np.arange(values.size)
    if clusters is not None:
        labels = np.asarray(clusters)
        if labels.shape != y.shape:
            raise RecordError(f"clusters of shape {labels.shape} do not fit {y.shape} items")
        groups = labels[known]
    names, places = np.unique(groups, return_inverse=True)
    if names.size < 2:
        what = "item" if clusters is None else "cluster"
        return Estimate(mean, reason=f"no interval: only 1 {what}")
    sums = np.bincount(places, weights=values - mean)
    error = math.sqrt(float((sums**2).sum()) * names.size / (names.size - 1)) / values.size
    half = quantiles.t((1.0 + level) / 2.0, names.size - 1) * error
    return Estimate(mean, mean - half, mean + half, level, ITEMS, "t")


def paired_difference(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    clusters: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
) -> Estimate:
    """The mean of second minus first over the items that both runs have, in points.

    Both have shape (items,) or (items, prompts, ...) with items in the same order, NaN where
    missing; pairing removes the variance between items. Interval as in `item_mean`. Source: Miller
    2024.

    >>> paired_difference([1.0, 5.0, 9.0], [2.0, 6.0, 10.0])
    Estimate(1 [1, 1] at 95 % for items like these, these prompts, by t)
    """
    a, b = _item_scores(first), _item_scores(second)
    if a.shape != b.shape:
        raise RecordError(f"runs of {a.size} and {b.size} items are not paired (align by item)")
    found = item_mean(b - a, clusters, level=level)
    return found if found.known else unknown("no item has a score in both runs")


@dataclass(frozen=True, slots=True, eq=False)
class Flips:
    """Items whose side of the pass mark changed: indices, and an exact test of the balance.

    `chance` is McNemar's two-sided exact p: how often so lopsided a change comes from nothing.
    """

    now_pass: npt.NDArray[np.intp]
    now_fail: npt.NDArray[np.intp]
    chance: float


def changed_verdicts(first: npt.ArrayLike, second: npt.ArrayLike, pass_mark: float) -> Flips:
    """Which items crossed the mark from the first run to the second; scores as in pairs above.

    An item missing in either run is left out. Source: McNemar 1947 (exact binomial form).

    >>> changed_verdicts([5, 7, 6], [6, 7, 3], pass_mark=6)
    Flips(now_pass=array([0]), now_fail=array([2]), chance=1.0)
    """
    a, b = _item_scores(first), _item_scores(second)
    if a.shape != b.shape:
        raise RecordError(f"runs of {a.size} and {b.size} items are not paired (align by item)")
    known = ~np.isnan(a - b)
    up = np.nonzero(known & (a < pass_mark) & (b >= pass_mark))[0]
    down = np.nonzero(known & (a >= pass_mark) & (b < pass_mark))[0]
    n, fewest = up.size + down.size, min(up.size, down.size)
    log_half = n * math.log(0.5)
    tail = sum(
        math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + log_half)
        for k in range(fewest + 1)
    )
    return Flips(up, down, min(1.0, 2.0 * tail))


def component_difference(
    first: Cells,
    second: Cells,
    statistic: Callable[[ResampledComponents], Array],
    *,
    prompts: bool = True,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Second minus first of a function of the components, both on the same resamples.

    Both grids have the same shape (items, prompts) and order, so every replicate draws the same
    items and prompts in both and what they share cancels. `statistic` maps components to one
    number per row: ``lambda c: c.prompt``, ``lambda c: c.phi(1)``. Units are the statistic's.
    """
    if first.shape != second.shape:
        raise RecordError(
            f"grids of shape {first.shape} and {second.shape} are not paired (align items and "
            "prompts, NaN where a run has no cell)"
        )
    if bool((first.present != second.present).any()):
        both = first.present & second.present
        first, second = _only(first, both), _only(second, both)
    values, drawn = [], []
    for cells in (first, second):
        resampled = resample_components(cells, prompts=prompts, replicates=replicates, seed=seed)
        drawn.append(statistic(resampled))
        values.append(float(statistic(_point(cells, resampled))[0]))
    value = values[1] - values[0]
    if math.isnan(value):
        return unknown("the statistic is not defined for both runs")
    return percentile(
        drawn[1] - drawn[0], value, level, universe=resampled.universe, method=resampled.method
    )


def _only(cells: Cells, keep: npt.NDArray[np.bool_]) -> Cells:
    mean, variance, error = (
        np.where(keep, a, np.nan) for a in (cells.mean, cells.variance, cells.error)
    )
    return Cells(mean, variance, error, np.where(keep, cells.draws, 0.0))


def _point(cells: Cells, like: ResampledComponents) -> ResampledComponents:
    """The estimates themselves, in the shape of one replicate."""
    found = variance_components(cells)
    item, prompt, both, draw = (np.array([c.raw]) for c in found.components)
    return ResampledComponents(
        np.array([found.mean.value]),
        item,
        prompt,
        both,
        draw if like.separable else np.zeros(1),
        like.separable,
        like.universe,
        like.method,
    )
