"""D-studies: what more prompts or draws would buy, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from constrained.consistency.statistics.estimate import Estimate, unknown
from constrained.consistency.statistics.generalizability import (
    dependability,
    dependability_estimates,
)
from constrained.consistency.statistics.variance import DRAW, VarianceComponents
from constrained.errors import RecordError

__all__ = ["StudyPoint", "cheapest", "d_study", "prompts_needed"]


@dataclass(frozen=True, slots=True)
class StudyPoint:
    """One design of a D-study: how many prompts and draws, what it gives and what it costs."""

    prompts: int
    draws: float
    phi: float
    generalizability: float
    sem: float
    cost: float


def d_study(
    components: VarianceComponents,
    prompts: Sequence[int] = (1, 2, 3, 5, 8, 10, 15, 20),
    draws: Sequence[float] | None = None,
    *,
    prompt_cost: float = 1.0,
    draw_cost: float = 0.0,
    facet: str = "prompt",
    item: str = "item",
) -> tuple[StudyPoint, ...]:
    """Phi, E-rho^2, SEM (points) and cost per item of averaging over more or fewer prompts.

    ``cost = n_p (prompt_cost + draw_cost n_draw)`` in the caller's unit; infinite draws mean the
    exact expected score, whose cost is that of the prompt alone. Without `draws` a cell has as
    many as in the run; when they cannot be told apart, only 1 is known and the rest is NaN.
    Oracle B's D-study (5, 10, 15, 20 levels).

    >>> from constrained.consistency.statistics import exact_cells, variance_components
    >>> low, high = [0.5, 0.5, 0], [0, 0.5, 0.5]
    >>> chances = [[low, high], [[0, 0, 1], high], [[1, 0, 0], [1, 0, 0]]]
    >>> table = variance_components(exact_cells(chances, [0, 1, 2]))
    >>> [round(point.phi, 3) for point in d_study(table, [1, 2, 4])]
    [0.75, 0.857, 0.923]
    """
    if draws is None:
        run = components.sizes[DRAW]
        draws = (1.0 if math.isnan(run) else run,)
    points = []
    for n in draws:
        for p in prompts:
            found = dependability(components, {facet: p, DRAW: n}, item=item)
            spent = p * (prompt_cost + (0.0 if math.isinf(n) else draw_cost * n))
            points.append(
                StudyPoint(p, n, found.phi, found.generalizability, found.sem, float(spent))
            )
    return tuple(points)


def prompts_needed(
    components: VarianceComponents,
    target: float = 0.9,
    *,
    draws: float | None = None,
    absolute: bool = True,
    facet: str = "prompt",
    item: str = "item",
    level: float = 0.95,
) -> Estimate:
    """The fewest prompts whose average reaches `target` for Phi (or E-rho^2: ``absolute=False``).

    ``n_p >= target / (1 - target) * (s2_p + s2_ip + s2_draw / n_draw) / s2_i``, without s2_p for
    E-rho^2; error that further facets leave is taken off s2_i's room first. The value is a whole
    number; NaN when items do not differ or a component is missing. The interval (two facets only)
    follows from that of a single prompt's coefficient; its end is inf when that may be 0.
    Oracle B: 20 (E-rho^2 .9) and 32 (Phi .9); oracle N: 3.

    >>> from constrained.consistency.statistics import single_cells, variance_components
    >>> essays = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6]]
    >>> table = variance_components(single_cells(essays))
    >>> prompts_needed(table, 0.8).value
    12.0
    """
    if not 0.0 < target < 1.0:
        raise RecordError(f"a target of {target:g} cannot be asked for (choose between 0 and 1)")
    value, reason = _fewest(components, target, draws, absolute, facet, item)
    if math.isnan(value):
        return unknown(reason)
    if len(components.facets) != 2:
        return Estimate(value, reason="no interval: further facets stay as they are")
    # With one facet the number falls as the coefficient of a single prompt rises.
    sizes = {facet: 1.0} | ({} if draws is None else {DRAW: draws})
    single = dependability_estimates(components, sizes, item=item, level=level)
    known = single.phi if absolute else single.generalizability
    if not known.bounded:
        return Estimate(value, reason=known.reason)
    odds = target / (1.0 - target)
    low, high = (
        _whole(odds * (1.0 - end) / end) if end > 0 else math.inf for end in (known.high, known.low)
    )
    return Estimate(value, low, high, level, known.universe, known.method)


def _fewest(
    components: VarianceComponents,
    target: float,
    draws: float | None,
    absolute: bool,
    facet: str,
    item: str,
) -> tuple[float, str]:
    """The fewest levels of `facet`, or NaN and why there is no such number."""
    sizes = {} if draws is None else {DRAW: draws}
    one = dependability(components, sizes | {facet: 1.0}, item=item)
    endless = dependability(components, sizes | {facet: math.inf}, item=item)
    first = one.absolute_error if absolute else one.relative_error
    left = endless.absolute_error if absolute else endless.relative_error
    if math.isnan(first) or one.item_variance <= 0:
        return math.nan, one.reason
    odds = target / (1.0 - target)
    room = one.item_variance - odds * left
    if room <= 0:
        return math.nan, f"no number of levels of {facet} alone reaches {target:g}"
    return _whole(odds * max(first - left, 0.0) / room), ""


def _whole(needed: float) -> float:
    return float(max(1, math.ceil(needed - 1e-9)))


def cheapest(
    components: VarianceComponents,
    target: float = 0.9,
    *,
    prompt_cost: float = 1.0,
    draw_cost: float = 1.0,
    most_draws: int = 1000,
    facet: str = "prompt",
    item: str = "item",
) -> StudyPoint | None:
    """The cheapest number of prompts and draws whose Phi reaches `target`; None when none does.

    Without rounding the best number of draws is ``sqrt(prompt_cost / draw_cost * s2_draw / (s2_p +
    s2_ip))``; every whole number up to four times that is tried. Cost as in `d_study`.

    >>> from constrained.consistency.statistics import exact_cells, variance_components
    >>> low, high = [0.5, 0.5, 0], [0, 0.5, 0.5]
    >>> chances = [[low, high], [[0, 0, 1], high], [[1, 0, 0], [1, 0, 0]]]
    >>> table = variance_components(exact_cells(chances, [0, 1, 2]))
    >>> found = cheapest(table, 0.8)
    >>> found.prompts, found.draws, found.cost
    (3, 1, 6.0)
    """
    one = dependability(components, {facet: 1.0, DRAW: 1.0}, item=item)
    if math.isnan(one.absolute_error) or one.item_variance <= 0:
        return None
    limit = 1
    endless = dependability(components, {facet: 1.0, DRAW: math.inf}, item=item)
    if not math.isnan(endless.absolute_error):
        between, draw = endless.absolute_error, one.absolute_error - endless.absolute_error
        best = float(most_draws)
        if between > 0 and draw_cost > 0:
            best = math.sqrt(prompt_cost / draw_cost * max(draw, 0.0) / between)
        limit = int(min(4.0 * best + 4.0, most_draws))
    found: StudyPoint | None = None
    for n in range(1, limit + 1):
        needed, _ = _fewest(components, target, n, True, facet, item)
        if math.isnan(needed):
            continue
        point = d_study(
            components,
            (int(needed),),
            (n,),
            prompt_cost=prompt_cost,
            draw_cost=draw_cost,
            facet=facet,
            item=item,
        )[0]
        if found is None or point.cost < found.cost:
            found = point
    return found
