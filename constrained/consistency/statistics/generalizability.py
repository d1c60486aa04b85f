"""How dependable an average is, and what more prompts or draws would buy: G-theory, D-studies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from constrained.consistency.statistics.estimate import Estimate, unknown
from constrained.consistency.statistics.mean_squares import combination_interval
from constrained.consistency.statistics.variance import DRAW, VarianceComponents
from constrained.errors import RecordError

__all__ = [
    "Dependability",
    "StudyPoint",
    "cheapest",
    "cut_score_dependability",
    "d_study",
    "dependability",
    "many_draws_ceiling",
    "prompts_needed",
    "standard_error_of_measurement",
]


@dataclass(frozen=True, slots=True, repr=False)
class Dependability:
    """What an average over `sizes` levels is worth; variances in points squared, `sem` in points.

    `generalizability` (E-rho^2) counts what changes the ranking of items as error, `phi` also what
    moves all items together. Both are NaN with `reason` when the components cannot say.
    """

    sizes: Mapping[str, float]
    fixed: tuple[str, ...]
    item_variance: float
    relative_error: float
    absolute_error: float
    reason: str = ""

    @property
    def generalizability(self) -> float:
        """E-rho^2, at most 1: ``s2_item / (s2_item + relative error)``."""
        return _ratio(self.item_variance, self.relative_error)

    @property
    def phi(self) -> float:
        """The index of dependability, at most 1: ``s2_item / (s2_item + absolute error)``."""
        return _ratio(self.item_variance, self.absolute_error)

    @property
    def sem(self) -> float:
        """The standard error of measurement in score points: the root of the absolute error."""
        return math.sqrt(self.absolute_error) if self.absolute_error >= 0 else math.nan

    def __repr__(self) -> str:
        if math.isnan(self.phi):
            return f"Dependability(nan: {self.reason})"
        over = ", ".join(f"{name} {size:g}" for name, size in self.sizes.items())
        return (
            f"Dependability(phi {self.phi:.4f}, generalizability {self.generalizability:.4f}, "
            f"sem {self.sem:.4g}; {over})"
        )


def _ratio(signal: float, noise: float) -> float:
    total = signal + noise
    return signal / total if total > 0 else math.nan


def dependability(
    components: VarianceComponents,
    sizes: Mapping[str, float] | None = None,
    *,
    item: str = "item",
    fixed: Iterable[str] = (),
) -> Dependability:
    """E-rho^2, Phi and SEM of an average over `sizes` prompts, draws and other facets.

    For items x prompts with draws in the cells::

        relative error = s2_ip / n_p + s2_draw / (n_p n_draw)
        absolute error = relative error + s2_p / n_p
        E-rho^2 = s2_i / (s2_i + relative)    Phi = s2_i / (s2_i + absolute)
        SEM     = sqrt(absolute)

    and in general every effect is divided by the product of its sizes; one that shares `item` is
    relative error. `sizes` maps a facet or ``"draw"`` to how many levels are averaged (``math.inf``
    draws: the exact expected score); what it leaves out is as in the run. A `fixed` facet is the
    whole population: its interaction with the item joins the item variance and its own effect is no
    error. Raw components enter, negative ones too (Brennan's rule).

    Source: Cronbach et al. 1972; Brennan 2001. Oracles A (.64, .55; items fixed .81, .79), B, C,
    D, E; the identities with the intraclass correlations.
    """
    facets = [name for name in components.facets if name != item]
    fixed = tuple(fixed)
    wanted = dict(sizes or {})
    strange = [n for n in [*wanted, *fixed] if n not in facets and n != DRAW]
    if strange or item not in components.facets:
        raise RecordError(
            f"no facet {(strange or [item])[0]!r} to average over (this grid has "
            f"{', '.join([*facets, DRAW])} beside the item)"
        )
    filled = {name: float(wanted.get(name, components.sizes[name])) for name in [*facets, DRAW]}
    separate = not math.isnan(components.sizes[DRAW])
    if not separate:
        if wanted.get(DRAW, 1) != 1:
            reason = "one draw per cell: the effect of more draws cannot be told"
            return Dependability(filled, fixed, math.nan, math.nan, math.nan, reason)
        filled[DRAW] = 1.0
    if min(filled.values()) <= 0:
        raise RecordError(f"sizes must be above 0, not {filled}")
    signal = relative = absolute = 0.0
    for component in components.components:
        effect = set(component.effect)
        if effect == {DRAW}:
            if not separate:
                continue
            effect = {item, *facets, DRAW}
        others = effect - {item}
        if math.isnan(component.raw):
            if all(components.sizes[name] <= 1 and name in fixed for name in others) and others:
                continue
            reason = f"no component of {component.name}: {component.estimate.reason}"
            return Dependability(filled, fixed, math.nan, math.nan, math.nan, reason)
        part = component.raw / math.prod(filled[name] for name in others)
        if others <= {*fixed}:
            signal += part if item in effect else 0.0
            continue
        absolute += part
        relative += part if item in effect else 0.0
    reason = ""
    if signal <= 0:
        reason = "items do not differ: a ratio to their variance means nothing"
    if absolute < 0:
        reason = "the error variance is estimated below 0 (use more draws)"
    return Dependability(filled, fixed, signal, relative, absolute, reason)


def standard_error_of_measurement(
    components: VarianceComponents, *, level: float = 0.95
) -> Estimate:
    """The SEM of one prompt's expected score, in score points, with its interval.

    ``SEM = sqrt(s2_p + s2_ip) = sqrt(MS_P / n_i + MS_IP (1 - 1 / n_i) - e)`` for a grid of items x
    prompts: how far a typical item moves when the room changes. Graybill and Wang's interval for a
    sum of mean squares; oracle G's components.
    """
    if len(components.facets) != 2:
        return unknown("only for a grid of two facets (use dependability for more)")
    _, prompt, both = components.components[:3]
    if math.isnan(prompt.raw):
        return unknown(prompt.estimate.reason)
    items = prompt.cells_per_level
    noise = both.mean_square - both.raw
    value = prompt.raw + both.raw
    low, high = combination_interval(
        [1.0 / items, 1.0 - 1.0 / items],
        [prompt.mean_square, both.mean_square],
        [prompt.degrees, both.degrees],
        level,
    )
    if value < 0:
        return unknown("the error variance is estimated below 0 (use more draws)")
    low, high = (math.sqrt(max(end - noise, 0.0)) for end in (low, high))
    universe = both.estimate.universe
    return Estimate(math.sqrt(value), low, high, level, universe, "modified large sample")


def many_draws_ceiling(components: VarianceComponents, *, item: str = "item") -> float:
    """Phi of one prompt and endlessly many draws: what more draws alone can never exceed.

    ``s2_i / (s2_i + s2_p + s2_ip)``; NaN when the draws cannot be told apart.
    """
    sizes: dict[str, float] = {name: 1.0 for name in components.facets if name != item}
    return dependability(components, {**sizes, DRAW: math.inf}, item=item).phi


def cut_score_dependability(
    components: VarianceComponents,
    cut: float,
    sizes: Mapping[str, float] | None = None,
    *,
    item: str = "item",
) -> float:
    """Phi(cut): how dependable the side of a pass mark is, at most 1.

    ``(s2_i + d) / (s2_i + d + absolute error)`` with ``d = (mean - cut)^2 - Var(mean)``, where
    Var(mean) is the grand mean's sampling variance for the run's sizes. `cut` in score points.
    Source: Brennan and Kane 1977; for 0/1 scores at the mean it is KR-21, which a test computes
    from the raw scores.
    """
    found = dependability(components, sizes, item=item)
    if math.isnan(found.absolute_error):
        return math.nan
    run = dependability(components, item=item)
    items = components.sizes[item]
    by_mean = (run.item_variance + run.relative_error) / items
    by_mean += run.absolute_error - run.relative_error
    distance = (components.mean.value - cut) ** 2 - by_mean
    return _ratio(found.item_variance + distance, found.absolute_error)


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
) -> Estimate:
    """The fewest prompts whose average reaches `target` for Phi (or E-rho^2: ``absolute=False``).

    ``n_p >= target / (1 - target) * (s2_p + s2_ip + s2_draw / n_draw) / s2_i``, without s2_p for
    E-rho^2; error that further facets leave is taken off s2_i's room first. The value is a whole
    number; NaN when items do not differ or a component is missing.
    Oracle B: 20 (E-rho^2 .9) and 32 (Phi .9); oracle N: 3.
    """
    if not 0.0 < target < 1.0:
        raise RecordError(f"a target of {target:g} cannot be asked for (choose between 0 and 1)")
    sizes = {} if draws is None else {DRAW: draws}
    one = dependability(components, sizes | {facet: 1.0}, item=item)
    endless = dependability(components, sizes | {facet: math.inf}, item=item)
    first = one.absolute_error if absolute else one.relative_error
    left = endless.absolute_error if absolute else endless.relative_error
    if math.isnan(first) or one.item_variance <= 0:
        return unknown(one.reason)
    odds = target / (1.0 - target)
    room = one.item_variance - odds * left
    if room <= 0:
        return unknown(f"no number of levels of {facet} alone reaches {target:g}")
    needed = odds * max(first - left, 0.0) / room
    return Estimate(float(max(1, math.ceil(needed - 1e-9))), reason=one.reason)


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
        needed = prompts_needed(components, target, draws=n, facet=facet, item=item)
        if not needed.known:
            continue
        point = d_study(
            components,
            (int(needed.value),),
            (n,),
            prompt_cost=prompt_cost,
            draw_cost=draw_cost,
            facet=facet,
            item=item,
        )[0]
        if found is None or point.cost < found.cost:
            found = point
    return found
