"""The D-study: how many prompts and draws to average for a given dependability, and the cost."""

from __future__ import annotations

import math
from itertools import product

from constrained.consistency.analysis.results import Study
from constrained.consistency.statistics import (
    DRAW,
    Estimate,
    StudyPoint,
    VarianceComponents,
    dependability,
    prompts_needed,
    unknown,
)

__all__ = ["study"]

PROMPTS = (1, 2, 3, 5, 8, 10, 15, 20)
DRAWS = (1.0, 3.0, 5.0, 10.0, math.inf)
MOST_PROMPTS = 1000
"""How many prompts are tried where there is no closed form."""


def study(
    components: VarianceComponents,
    *,
    exact: bool,
    target: float,
    seconds: float,
    level: float,
    most: float = math.inf,
) -> Study:
    """Designs of more prompts and draws, with the other facets of a room at one level.

    A design costs scorings per item: prompts times draws. Endless draws are the exact expected
    score; they cost one scoring per prompt and are offered when the run itself is `exact`, since no
    number of draws reaches them. `seconds` is the time of one scoring, `most` the most that the
    scale lets a standard error be, in points.
    """
    separate = not math.isnan(components.sizes[DRAW])
    draws = tuple(d for d in DRAWS if exact or not math.isinf(d)) if separate else (1.0,)
    points = tuple(_point(components, p, d, most) for d, p in product(draws, PROMPTS))
    # A draw costs as much under a new prompt as under an old one, and tells more there.
    each = math.inf if exact and separate else 1.0
    needed = _needed(components, target, each if separate else None, level)
    best = _point(components, int(needed.value), each, most) if needed.known else None
    return Study(points, target, needed, best, seconds, _advice(target, best, needed))


def _point(components: VarianceComponents, prompts: int, draws: float, most: float) -> StudyPoint:
    found = dependability(components, _sizes(components, prompts, draws))
    cost = float(prompts) if math.isinf(draws) else prompts * draws
    # Raw components may be below 0; a coefficient below 0 is shown as 0, as that of one score is.
    phi, generalizability = max(found.phi, 0.0), max(found.generalizability, 0.0)
    sem = found.sem if math.isnan(found.sem) else min(found.sem, most)
    return StudyPoint(prompts, draws, phi, generalizability, sem, cost)


def _sizes(components: VarianceComponents, prompts: float, draws: float) -> dict[str, float]:
    others = {name: 1.0 for name in components.facets if name != "item"}
    return {**others, "prompt": float(prompts), DRAW: draws}


def _needed(
    components: VarianceComponents, target: float, draws: float | None, level: float
) -> Estimate:
    """The fewest prompts; with formats or orders beside them, each prompt in one of them."""
    if len(components.facets) == 2:
        return prompts_needed(components, target, draws=draws, level=level)
    each = 1.0 if draws is None else draws
    first = dependability(components, _sizes(components, 1, each))
    if math.isnan(first.phi) or first.item_variance <= 0:
        return unknown(first.reason)
    for prompts in range(1, MOST_PROMPTS + 1):
        if dependability(components, _sizes(components, prompts, each)).phi >= target:
            return Estimate(float(prompts), reason="no interval: each prompt in one format")
    return unknown(f"no number of prompts up to {MOST_PROMPTS} reaches {target:g}")


def _advice(target: float, best: StudyPoint | None, needed: Estimate) -> str:
    if best is None:
        why = needed.reason
        return f"No number of prompts is known to reach a dependability of {target:g}: {why}."
    prompts = f"{best.prompts} prompt" + "s" * (best.prompts != 1)
    endless = ", but these data set no bound to how many it takes"
    how = "one exact scoring each" if math.isinf(best.draws) else "one draw each"
    return (
        f"Averaging {prompts}, {how}, gives a dependability of {best.phi:.2f} "
        f"for {best.cost:g} scoring{'s' * (best.cost != 1)} per item"
        f"{endless if math.isinf(needed.high) else ''}."
    )
