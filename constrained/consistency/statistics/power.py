"""Before a run: how many items a difference needs, and what a run of this size can detect."""

from __future__ import annotations

import math

from constrained.consistency.statistics import quantiles
from constrained.consistency.statistics.estimate import Estimate, unknown
from constrained.errors import RecordError

__all__ = ["detectable_difference", "items_for_difference", "items_for_intraclass"]


def _reach(power: float, level: float) -> float:
    if not (0.0 < power < 1.0 and 0.0 < level < 1.0):
        raise RecordError(f"power {power:g} and level {level:g} must lie between 0 and 1")
    return quantiles.normal((1.0 + level) / 2.0) + quantiles.normal(power)


def _variance(
    difference: float, first: float, second: float, first_draws: float, second_draws: float
) -> float:
    if min(difference, first, second) < 0 or min(first_draws, second_draws) < 1:
        raise RecordError("variances must be at least 0 and draws at least 1 (inf: exact cells)")
    return difference + first / first_draws + second / second_draws


def items_for_difference(
    smallest: float,
    *,
    difference_variance: float,
    first_draw_variance: float = 0.0,
    second_draw_variance: float = 0.0,
    first_draws: float = math.inf,
    second_draws: float = math.inf,
    power: float = 0.8,
    level: float = 0.95,
) -> Estimate:
    """How many items a paired comparison needs to find a mean difference of `smallest` points.

    ``n = (z_{a/2} + z_b)^2 (w^2 + s_A^2 / K_A + s_B^2 / K_B) / delta^2`` with w^2 the variance over
    items of the difference of the items' true means, s^2 the mean draw variance of each run and K
    the draws per cell (inf: exact cells, whose term vanishes). Points and points squared. Source:
    Miller 2024; oracle L (w^2 1/9, s^2 1/6, delta .03, 80 %: 3,876 items at one draw, 1,260 at
    ten, 969 exact).

    >>> items_for_difference(0.03, difference_variance=1 / 9).value
    969.0
    """
    if smallest <= 0:
        return unknown("a difference of 0 needs endless items")
    v = _variance(
        difference_variance, first_draw_variance, second_draw_variance, first_draws, second_draws
    )
    n = _reach(power, level) ** 2 * v / smallest**2
    return Estimate(float(max(2, math.ceil(n - 1e-9))))


def detectable_difference(
    items: int,
    *,
    difference_variance: float,
    first_draw_variance: float = 0.0,
    second_draw_variance: float = 0.0,
    first_draws: float = math.inf,
    second_draws: float = math.inf,
    power: float = 0.8,
    level: float = 0.95,
) -> Estimate:
    """The smallest mean difference, in points, that a paired run of `items` finds with `power`.

    `items_for_difference` solved for delta. A difference that is not significant in a run whose
    detectable difference is large means "not enough data", not "no difference".

    >>> round(detectable_difference(969, difference_variance=1 / 9).value, 4)
    0.03
    """
    if items < 2:
        return unknown(f"only {items} item{'' if items == 1 else 's'} (use at least 2)")
    v = _variance(
        difference_variance, first_draw_variance, second_draw_variance, first_draws, second_draws
    )
    return Estimate(_reach(power, level) * math.sqrt(v / items))


def items_for_intraclass(
    expected: float, prompts: int, width: float, *, level: float = 0.95, adjusted: bool = False
) -> Estimate:
    """How many items give an intraclass correlation an interval of total `width`.

    ``n = 8 z^2 (1 - r)^2 (1 + (k - 1) r)^2 / (k (k - 1) w^2) + 1`` for an `expected` value r and k
    prompts; `adjusted` adds 5 r when k = 2 and r is at least .7. Source: Bonett 2002; oracle L (r
    .8, k 2, w .2: 51, adjusted 55).

    >>> items_for_intraclass(0.8, 2, 0.2).value
    51.0
    """
    if prompts < 2:
        return unknown("only one prompt (use at least 2)")
    if not 0.0 <= expected < 1.0 or width <= 0.0:
        return unknown("the expected value must lie in [0, 1) and the width above 0")
    z = quantiles.normal((1.0 + level) / 2.0)
    r, k = expected, prompts
    n = 8.0 * (z * (1.0 - r) * (1.0 + (k - 1) * r)) ** 2 / (k * (k - 1) * width**2) + 1.0
    if adjusted and k == 2 and r >= 0.7:
        n += 5.0 * r
    return Estimate(float(math.ceil(n - 1e-9)))
