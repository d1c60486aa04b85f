"""Components that come from a paper or from mean squares, for planning without data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

from constrained.consistency.statistics.estimate import Estimate, unknown
from constrained.consistency.statistics.mean_squares import combination_interval
from constrained.consistency.statistics.variance import (
    DRAW,
    Component,
    VarianceComponents,
    plural,
)
from constrained.errors import RecordError

__all__ = ["components_from_mean_squares", "known_components"]

Effect = tuple[str, ...]


def known_components(
    values: Mapping[Effect, float], sizes: Mapping[str, float]
) -> VarianceComponents:
    """Components given as numbers (points squared), to project with `dependability` or `d_study`.

    `values` maps every effect, as a tuple of facet names, to its component; ``("draw",)`` may be
    left out when it is part of the highest interaction. `sizes` are the levels per facet (and
    ``"draw"``) of the run they stand for; its order is that of the facets. No intervals: nothing
    was estimated. Oracle D, and a human baseline (New York State, teachers scoring essays).

    >>> given = known_components({("item",): 4.0, ("prompt",): 1.0, ("item", "prompt"): 2.0},
    ...                          {"item": 50, "prompt": 4})
    >>> given["item", "prompt"].raw
    2.0
    """
    facets = tuple(name for name in sizes if name != DRAW)
    by_effect = {frozenset(effect): float(value) for effect, value in values.items()}
    _check_effects(set(by_effect) - {frozenset({DRAW})}, facets)
    reason = "no interval: given, not estimated"
    components = []
    for effect in [*_effects(facets), (DRAW,)]:
        value = by_effect.get(frozenset(effect), math.nan)
        estimate = Estimate(value, reason=reason).truncated()
        if math.isnan(value):
            estimate = unknown("part of the highest interaction")
        components.append(Component(effect, value, estimate))
    draw = float(sizes.get(DRAW, 1.0)) if frozenset({DRAW}) in by_effect else math.nan
    filled = {name: float(sizes[name]) for name in facets} | {DRAW: draw}
    mean = unknown("no scores: the components are given")
    return VarianceComponents(facets, tuple(components), filled, mean, 0, True, 0.0, math.inf)


def components_from_mean_squares(
    mean_squares: Mapping[Effect, float], sizes: Mapping[str, int], *, level: float = 0.95
) -> VarianceComponents:
    """Components of a complete crossed grid from its table of mean squares alone.

    ``s2_a = sum over effects b that contain a of (-1)^(|b| - |a|) MS_b / product of the sizes of
    the facets outside a``: one score per cell, so the draw is part of the highest interaction.
    Intervals as in `variance_components`. Source: Cornfield and Tukey 1956; oracle C.

    >>> table = components_from_mean_squares(
    ...     {("item",): 11.2417, ("prompt",): 32.4861, ("item", "prompt"): 1.0194},
    ...     {"item": 6, "prompt": 4})
    >>> round(table.raw("item"), 3)
    2.556
    """
    facets = tuple(sizes)
    squares = {frozenset(effect): float(value) for effect, value in mean_squares.items()}
    _check_effects(set(squares), facets)
    if min(sizes.values()) < 2:
        raise RecordError(f"every facet needs at least 2 levels, not {dict(sizes)}")
    universe = f"{plural(facets)} like these"
    components = []
    for effect in _effects(facets):
        above = [e for e in squares if {*effect} <= e]
        behind = float(math.prod(n for name, n in sizes.items() if name not in effect))
        weights = [(-1.0) ** (len(e) - len(effect)) / behind for e in above]
        terms = [squares[e] for e in above]
        degrees = [float(math.prod(sizes[name] - 1 for name in e)) for e in above]
        raw = sum(w * ms for w, ms in zip(weights, terms, strict=True))
        low, high = combination_interval(weights, terms, degrees, level)
        estimate = Estimate(raw, low, high, level, universe, "modified large sample").truncated()
        own = squares[frozenset(effect)]
        freedom = float(math.prod(sizes[name] - 1 for name in effect))
        last = len(effect) == len(facets)
        components.append(
            Component(effect, raw, estimate, freedom, own, math.nan, behind, includes_draw=last)
        )
    draw = unknown("one draw per cell: its variance is part of the highest interaction")
    components.append(Component((DRAW,), math.nan, draw))
    filled = {name: float(n) for name, n in sizes.items()} | {DRAW: math.nan}
    mean = unknown("no scores: only mean squares are given")
    cells = math.prod(sizes.values())
    return VarianceComponents(facets, tuple(components), filled, mean, cells, True, 0.0, math.nan)


def _effects(facets: tuple[str, ...]) -> list[Effect]:
    return [e for size in range(1, len(facets) + 1) for e in combinations(facets, size)]


def _check_effects(given: set[frozenset[str]], facets: tuple[str, ...]) -> None:
    wanted = {frozenset(effect) for effect in _effects(facets)}
    if given != wanted:
        odd = sorted(" x ".join(sorted(effect)) for effect in given ^ wanted)
        raise RecordError(
            f"the effects do not fit the facets {', '.join(facets)}: {', '.join(odd)} missing or "
            "unknown (give one number for every combination of facets)"
        )
