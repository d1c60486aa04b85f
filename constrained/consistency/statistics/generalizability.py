"""How dependable an average over prompts, draws and other facets is: generalizability theory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from constrained.consistency.statistics.bootstrap import percentile
from constrained.consistency.statistics.estimate import Array, Estimate, unknown
from constrained.consistency.statistics.generalized import DRAWS, draw_components
from constrained.consistency.statistics.variance import (
    DRAW,
    ONE_SCORE,
    VarianceComponents,
    plural,
)
from constrained.errors import RecordError

__all__ = [
    "Dependability",
    "DependabilityEstimates",
    "cut_score_dependability",
    "dependability",
    "dependability_estimates",
    "many_draws_ceiling",
    "possible_sem",
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

    >>> from constrained.consistency.statistics import single_cells, variance_components
    >>> essays = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6]]
    >>> table = variance_components(single_cells(essays))
    >>> dependability(table)
    Dependability(phi 0.5860, generalizability 0.8753, sem 1.299; prompt 4, draw 1)
    >>> round(dependability(table, {"prompt": 8}).phi, 3)
    0.739
    """
    plan = _design(components, dict(sizes or {}), item, tuple(fixed))
    if plan.reason:
        return Dependability(plan.sizes, plan.fixed, math.nan, math.nan, math.nan, plan.reason)
    raw = {frozenset(c.effect): c.raw for c in components.components}
    signal, relative, absolute = (
        sum(weight * raw[effect] for effect, weight in part.items())
        for part in (plan.signal, plan.relative, plan.absolute)
    )
    reason = ""
    if signal <= 0:
        reason = "items do not differ: a ratio to their variance means nothing"
    if absolute < 0:
        reason = "the error variance is estimated below 0 (use more draws)"
    return Dependability(plan.sizes, plan.fixed, signal, relative, absolute, reason)


@dataclass(frozen=True, slots=True)
class _Design:
    """Item variance and errors as weighted sums of components, by set of facet names."""

    sizes: Mapping[str, float]
    fixed: tuple[str, ...]
    signal: Mapping[frozenset[str], float]
    relative: Mapping[frozenset[str], float]
    absolute: Mapping[frozenset[str], float]
    reason: str = ""


def _design(
    components: VarianceComponents, wanted: dict[str, float], item: str, fixed: tuple[str, ...]
) -> _Design:
    facets = [name for name in components.facets if name != item]
    strange = [n for n in [*wanted, *fixed] if n not in facets and n != DRAW]
    if strange or item not in components.facets:
        raise RecordError(
            f"no facet {(strange or [item])[0]!r} to average over (this grid has "
            f"{', '.join([*facets, DRAW])} beside the item)"
        )
    sizes = {name: float(wanted.get(name, components.sizes[name])) for name in [*facets, DRAW]}
    separate = not math.isnan(components.sizes[DRAW])
    if not separate:
        if wanted.get(DRAW, 1) != 1:
            reason = "one draw per cell: the effect of more draws cannot be told"
            return _Design(sizes, fixed, {}, {}, {}, reason)
        sizes[DRAW] = 1.0
    if min(sizes.values()) <= 0:
        raise RecordError(f"sizes must be above 0, not {sizes}")
    signal: dict[frozenset[str], float] = {}
    relative: dict[frozenset[str], float] = {}
    absolute: dict[frozenset[str], float] = {}
    for component in components.components:
        key = frozenset(component.effect)
        effect = {item, *facets, DRAW} if key == {DRAW} else set(component.effect)
        others = effect - {item}
        if DRAW in effect and not separate:
            continue
        if math.isnan(component.raw):
            flat = {name for name in others if name != DRAW and components.sizes[name] <= 1}
            if flat and flat <= {*fixed}:
                continue
            reason = f"no component of {component.name}: {component.estimate.reason}"
            return _Design(sizes, fixed, {}, {}, {}, reason)
        weight = 1.0 / math.prod(sizes[name] for name in others)
        if others <= {*fixed}:
            if item in effect:
                signal[key] = weight
            continue
        absolute[key] = weight
        if item in effect:
            relative[key] = weight
    return _Design(sizes, fixed, signal, relative, absolute)


@dataclass(frozen=True, slots=True)
class DependabilityEstimates:
    """Phi, E-rho^2 (at most 1) and SEM (points), each with its interval."""

    phi: Estimate
    generalizability: Estimate
    sem: Estimate


def dependability_estimates(
    components: VarianceComponents,
    sizes: Mapping[str, float] | None = None,
    *,
    item: str = "item",
    fixed: Iterable[str] = (),
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> DependabilityEstimates:
    """`dependability` with generalized confidence intervals, for levels like these.

    The same arguments; `draws` and `seed` are those of the simulation behind the intervals (see
    `draw_components`). Fixed facets stay as they are in the interval's universe. Proved by
    coverage; close to the F interval of oracle G and N.
    """
    fixed = tuple(fixed)
    point = dependability(components, sizes, item=item, fixed=fixed)
    if math.isnan(point.absolute_error):
        none = unknown(point.reason)
        return DependabilityEstimates(none, none, none)
    plan = _design(components, dict(sizes or {}), item, fixed)
    drawn = draw_components(components, draws=draws, seed=seed)
    if not drawn:
        reason = "no interval: components without degrees of freedom"
        values = (point.phi, point.generalizability, point.sem)
        found = (
            unknown(point.reason or reason) if math.isnan(v) else Estimate(v, reason=reason)
            for v in values
        )
        return DependabilityEstimates(*found)
    signal, relative, absolute = (
        sum((weight * drawn[effect] for effect, weight in part.items()), np.zeros(draws))
        for part in (plan.signal, plan.relative, plan.absolute)
    )
    random = [name for name in components.facets if name not in fixed]
    universe = f"{plural(random)} like these"
    if fixed:
        universe += f", these {plural(fixed)}"
    method = f"generalized interval, {draws} draws, seed {seed}"

    def estimate(value: float, values: Array, reason: str) -> Estimate:
        if math.isnan(value):
            return unknown(reason or "neither items nor prompts differ")
        found = percentile(values, value, level, universe=universe, method=method)
        return replace(found, reason="; ".join(filter(None, [reason, found.reason])))

    def share(noise: Array) -> Array:
        total = signal + noise
        ratio: Array = np.divide(signal, total, out=np.full(draws, np.nan), where=total > 0)
        return ratio

    sem_reason = point.reason if point.absolute_error < 0 else ""
    return DependabilityEstimates(
        estimate(point.phi, share(absolute), point.reason),
        estimate(point.generalizability, share(relative), point.reason),
        estimate(point.sem, np.sqrt(np.maximum(absolute, 0.0)), sem_reason),
    )


def possible_sem(sem: Estimate, scale: tuple[float, float]) -> Estimate:
    """A standard error of measurement kept to what scores from ``scale[0]`` to ``scale[1]`` can be.

    At most half the distance of the two; of a scale of one score there is no interval.

    >>> possible_sem(Estimate(2.0, 1.0, 300.0), (0.0, 10.0)).high
    5.0
    """
    if scale[0] == scale[1] and sem.known:
        return Estimate(sem.value, reason=ONE_SCORE)
    return sem.truncated(0.0, (scale[1] - scale[0]) / 2.0)


def many_draws_ceiling(components: VarianceComponents, *, item: str = "item") -> float:
    """Phi of one prompt and endlessly many draws: what more draws alone can never exceed.

    ``s2_i / (s2_i + s2_p + s2_ip)``; NaN when the draws cannot be told apart.

    >>> from constrained.consistency.statistics import exact_cells, variance_components
    >>> low, high = [0.5, 0.5, 0], [0, 0.5, 0.5]
    >>> chances = [[low, high], [[0, 0, 1], high], [[1, 0, 0], [1, 0, 0]]]
    >>> table = variance_components(exact_cells(chances, [0, 1, 2]))
    >>> round(many_draws_ceiling(table), 3)
    0.75
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

    >>> from constrained.consistency.statistics import single_cells, variance_components
    >>> essays = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6]]
    >>> table = variance_components(single_cells(essays))
    >>> round(cut_score_dependability(table, 2.0), 3)
    0.836
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
