"""The prompt table, the flakiest items and the agreement with gold: each room against the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from constrained.consistency.analysis.results import FlakyItem, Gold, Room, RoomRow
from constrained.consistency.statistics import (
    Estimate,
    bias,
    exact_quadratic_kappa,
    item_mean,
    pooled,
    quadratic_kappa,
    severity,
    standardised_bias,
    to_pooled,
    unknown,
)
from constrained.consistency.statistics.estimate import Array, item_means

__all__ = ["bounded_replicates", "flakiest_items", "gold_agreement", "room_rows"]

NO_GOLD = "no gold scores"
BLOCK = 4_000_000
"""Probabilities looked at at a time (32 MB)."""

BUDGET = 2_000_000
"""Items times bootstrap replicates that the interval of one row of the table may cost."""


def room_rows(
    rooms: Sequence[Room],
    mean: Array,
    probabilities: Array,
    scale: Array,
    passing: Array,
    removed: Array,
    gold: Array,
    *,
    replicates: int,
    seed: int,
    level: float,
) -> tuple[RoomRow, ...]:
    """One row per room; arrays (items, rooms), `probabilities` (items, rooms, scores)."""
    severities = severity(mean, level=level)
    low, high = float(scale[0]), float(scale[-1])
    distance = np.concatenate(
        [to_pooled(probabilities[rows], scale) for rows in _blocks(probabilities)]
    )
    known = ~np.isnan(gold)
    replicates = bounded_replicates(replicates, int(known.sum()))
    rows = []
    for at, room in enumerate(rooms):
        off, kappa = unknown(NO_GOLD), unknown(NO_GOLD)
        if known.any():
            off = bias(mean[:, at], gold, replicates=replicates, seed=seed, level=level)
            kappa = exact_quadratic_kappa(
                probabilities[known, at],
                scale,
                gold[known],
                replicates=replicates,
                seed=seed,
                level=level,
            )
        seen = removed[:, at][~np.isnan(removed[:, at])]
        rows.append(
            RoomRow(
                room,
                item_mean(mean[:, at], level=level).truncated(low, high),
                severities[at].truncated(low - high, high - low),
                item_mean(distance[:, at], level=level).truncated(0.0, high - low),
                _pass_rate(passing[:, at], level),
                off,
                kappa,
                float(seen.mean()) if seen.size else float("nan"),
            )
        )
    return tuple(rows)


def bounded_replicates(replicates: int, items: int) -> int:
    """As many replicates as `BUDGET` allows for so many items, at least 200 of those asked for."""
    return min(replicates, max(200, BUDGET // max(items, 1)))


def _pass_rate(passing: Array, level: float) -> Estimate:
    if not bool((~np.isnan(passing)).any()):
        return unknown("no pass mark")
    return item_mean(passing, level=level).truncated(0.0, 1.0)


def _blocks(probabilities: Array) -> list[slice]:
    """Rows of items that together hold about `BLOCK` probabilities."""
    items = probabilities.shape[0]
    each = max(1, BLOCK // max(1, probabilities[:1].size))
    return [slice(start, start + each) for start in range(0, items, each)] or [slice(0, 0)]


def flakiest_items(
    names: Sequence[str],
    rooms: Sequence[Room],
    mean: Array,
    between: Array,
    flips: Array,
    gold: Array,
    count: int,
) -> tuple[FlakyItem, ...]:
    """The items that another room moves most, most first; arrays (items, rooms), `gold` (items,).

    `between` is that of `statistics.Moves`, `flips` the flips at the pass mark (all NaN without
    one). Items with fewer than two rooms are left out.
    """
    seen = ~np.isnan(between)
    per_item = item_means(between)
    candidates = np.nonzero(seen.any(axis=1))[0]
    order = candidates[np.argsort(-per_item[candidates], kind="stable")][:count]
    means, flip = item_means(mean), item_means(flips)
    found = []
    for row in order.tolist():
        low, high = int(np.nanargmin(mean[row])), int(np.nanargmax(mean[row]))
        found.append(
            FlakyItem(
                names[row],
                row,
                float(means[row]),
                float(per_item[row]),
                float(flip[row]),
                float(mean[row, low]),
                float(mean[row, high]),
                rooms[low],
                rooms[high],
                float(gold[row]),
            )
        )
    return tuple(found)


def gold_agreement(
    mean: Array,
    probabilities: Array,
    scale: Array,
    gold: Array,
    *,
    replicates: int,
    seed: int,
    level: float,
) -> Gold | None:
    """Agreement with gold of the average of all rooms and of one draw in one; None without gold."""
    averages = item_means(mean)
    both = ~np.isnan(gold - averages)
    if not bool((~np.isnan(gold)).any()):
        return None
    averages, truth = averages[both], gold[both]
    replicates = bounded_replicates(replicates, truth.size)
    mixed = np.concatenate([pooled(probabilities[rows]) for rows in _blocks(probabilities)])
    return Gold(
        int(both.sum()),
        bias(averages, truth, replicates=replicates, seed=seed, level=level),
        standardised_bias(averages, truth),
        quadratic_kappa(
            _nearest(averages, scale), truth, replicates=replicates, seed=seed, level=level
        ),
        exact_quadratic_kappa(
            mixed[both], scale, truth, replicates=replicates, seed=seed, level=level
        ),
    )


def _nearest(values: Array, scale: Array) -> Array:
    """Each value as the nearest score of the scale; the lower one in the middle."""
    place = np.searchsorted(scale, values).clip(1, max(scale.size - 1, 1))
    if scale.size == 1:
        return np.full(values.shape, scale[0])
    low, high = scale[place - 1], scale[place]
    nearest: Array = np.where(values - low <= high - values, low, high)
    return nearest
