"""Where scores vary: components for item, prompt, their interaction, further facets and draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics import quantiles
from constrained.consistency.statistics.cells import Cells, single_cells
from constrained.consistency.statistics.estimate import Array, Estimate, as_scores, unknown
from constrained.consistency.statistics.henderson import Decomposition, decompose, fit_constants
from constrained.consistency.statistics.mean_squares import (
    combination_interval,
    satterthwaite_degrees,
)
from constrained.errors import RecordError

__all__ = [
    "DRAW",
    "ONE_SCORE",
    "Component",
    "VarianceComponents",
    "crossed_mean",
    "draw_index_share",
    "plural",
    "variance_components",
]

DRAW = "draw"
"""The name of the facet of draws, nested in every cell."""

Method: TypeAlias = Literal["I", "III"]
"""Henderson's methods for grids with holes: analogous analysis of variance, fitting constants."""

ONE_SCORE = "no interval: only one score occurs"

FEW = 5
"""Below this many levels, a facet's interval spans a factor of 20 or more, and a note says so."""


@dataclass(frozen=True, slots=True, repr=False)
class Component:
    """The variance that one effect adds, in score points squared.

    `raw` is the estimate as computed, which may be negative and goes into sums as it is;
    `estimate` is what to show: never below 0, with its interval. `truncated` says that the two
    differ. `includes_draw`: the draw variance could not be told apart and is part of this one.
    `mean_square` and `degrees` are those of the analysis of variance of cell means, `total` is its
    uncorrected sum of squares, and `cells_per_level` the (harmonic) mean number of cells that one
    level of the effect has. `standard_error` is given for the draw only.
    """

    effect: tuple[str, ...]
    raw: float
    estimate: Estimate
    degrees: float = math.nan
    mean_square: float = math.nan
    total: float = math.nan
    cells_per_level: float = math.nan
    standard_error: float = math.nan
    includes_draw: bool = False

    @property
    def name(self) -> str:
        """For people: ``item x prompt``."""
        return " x ".join(self.effect)

    @property
    def truncated(self) -> bool:
        """Whether the raw estimate is negative and shown as 0."""
        return self.raw < 0

    @property
    def sum_of_squares(self) -> float:
        """Mean square times degrees of freedom."""
        return self.mean_square * self.degrees

    def __repr__(self) -> str:
        notes = f", raw {self.raw:.4g}" if self.truncated else ""
        notes += ", includes draw" if self.includes_draw else ""
        return f"Component({self.name}: {self.estimate}{notes})"


@dataclass(frozen=True, slots=True, repr=False)
class VarianceComponents:
    """The components of one grid; ``components["item", "prompt"]`` is one of them.

    `sizes` are the numbers of levels that one average of this run stands on: for every facet the
    harmonic mean of its levels in use behind one level of the first facet, and for ``"draw"`` the
    draws per cell (inf for exact cells, NaN when the draw cannot be told apart). `mean` is the
    grand mean in score points; `balanced` says whether every cell has a value. `error` is the mean
    error variance of a cell's mean (0 for exact cells), with its degrees of freedom.
    """

    facets: tuple[str, ...]
    components: tuple[Component, ...]
    sizes: Mapping[str, float]
    mean: Estimate
    cells: int
    balanced: bool
    error: float
    error_degrees: float

    def __getitem__(self, effect: str | tuple[str, ...]) -> Component:
        wanted = {effect} if isinstance(effect, str) else set(effect)
        for component in self.components:
            if set(component.effect) == wanted:
                return component
        raise KeyError(effect)

    def raw(self, *effect: str) -> float:
        """The raw component of the effect of these facets."""
        return self[effect].raw

    @property
    def total(self) -> float:
        """The variance of one draw of a random item, prompt, ...: the sum of what is shown."""
        shown = [c.estimate.value for c in self.components if c.estimate.known]
        return sum(shown) if shown else math.nan

    def share(self, *effect: str) -> float:
        """The part of `total`, 0 to 1, that this effect makes up."""
        total = self.total
        return self[effect].estimate.value / total if total > 0 else math.nan

    def __str__(self) -> str:
        width = max(len(c.name) for c in self.components)
        return "\n".join(f"{c.name:<{width}}  {c.estimate}" for c in self.components)

    def __repr__(self) -> str:
        parts = ", ".join(f"{c.name} {c.raw:.4g}" for c in self.components)
        return f"VarianceComponents({self.cells:,} cells: {parts})"


def variance_components(
    cells: Cells | npt.ArrayLike,
    facets: Sequence[str] = ("item", "prompt"),
    *,
    level: float = 0.95,
    method: Method | None = None,
    scale: tuple[float, float] | None = None,
) -> VarianceComponents:
    """Variance components of every effect of a crossed grid, with draws nested in its cells.

    For items x prompts, with ``MS`` the mean squares of the cell means and ``e`` the mean error
    variance of a cell's mean (0 for exact cells, ``s2_draw / n`` for n draws)::

        s2_draw        = mean over cells of the variance of one draw
        s2_item:prompt = MS_IP - e
        s2_prompt      = (MS_P - MS_IP) / n_i
        s2_item        = (MS_I - MS_IP) / n_p

    and the same for up to six crossed facets. `cells` is a `Cells`, or an array of one score per
    cell (NaN: missing) whose draw variance is then part of the highest interaction. Holes are
    allowed, in closed form: two facets by fitting constants (Henderson's `method` "III"), more by
    the analogous analysis of variance ("I"); without holes both are the formulas above.

    Units are points squared. Intervals are modified large-sample intervals at `level` for levels
    like these (independent effects, near normal); with holes they say "approximate", and those
    of Method I are too narrow for the highest interaction. A facet with one level gives NaN with
    the reason. Negative estimates stay in `raw` and are shown as 0. With the lowest and highest
    score there can be as `scale`, no component and no interval is shown above the most that such
    scores can vary, ``(highest - lowest)^2 / 4``, and the mean's interval stays on the scale.

    Source: Searle, Casella and McCulloch 1992; Brennan 2001. Oracles A, B, E, F, G, N; the
    hand-made negative case; planted components.

    >>> table = variance_components([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8],
    ...                              [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
    >>> [round(component.raw, 4) for component in table.components[:3]]
    [2.5556, 5.2444, 1.0194]
    """
    grid = cells if isinstance(cells, Cells) else single_cells(cells)
    names = tuple(facets)
    if len(names) != len(grid.shape) or len(set(names)) < len(names) or DRAW in names:
        raise RecordError(
            f"a grid of shape {grid.shape} needs {len(grid.shape)} different facet names other "
            f"than {DRAW!r}, not {names}"
        )
    error = grid.filled_error()
    found = decompose(grid.mean, error)
    balanced = found.count == grid.mean.size
    if not balanced and method != "I":
        found = fit_constants(grid.mean, found)
    error_degrees = math.nan if error is None else _error_degrees(grid)
    components = [
        _component(found, tuple(axes), names, level, balanced, error_degrees)
        for size in range(1, len(names) + 1)
        for axes in combinations(range(len(names)), size)
    ]
    components.append(_draw_component(grid, names, level))
    mean = _mean_of(found, names, level)
    if scale is not None:
        components = [_possible(c, scale) for c in components]
        mean = mean.truncated(*scale)
    return VarianceComponents(
        names,
        tuple(components),
        _sizes(grid, names, error),
        mean,
        found.count,
        balanced,
        found.error,
        error_degrees,
    )


def _possible(component: Component, scale: tuple[float, float]) -> Component:
    """The component with what is shown of it kept to what scores on this scale can vary."""
    shown, most = component.estimate, (scale[1] - scale[0]) ** 2 / 4.0
    if most == 0.0 and shown.known:
        return replace(component, estimate=Estimate(shown.value, reason=ONE_SCORE))
    kept = shown.truncated(0.0, most)
    if shown.value > most:
        note = (
            f"an estimate of {shown.value:.4g} is shown as {most:.4g}, the most that scores from "
            f"{scale[0]:g} to {scale[1]:g} can vary"
        )
        kept = replace(kept, reason="; ".join(filter(None, [shown.reason, note])))
    return replace(component, estimate=kept)


def _error_degrees(grid: Cells) -> float:
    """Degrees of freedom of the mean error: sum of n - 1 when all cells are alike, inf if exact."""
    sampled = np.isfinite(grid.draws) & (grid.error > 0)
    noise, draws = grid.error[sampled], grid.draws[sampled]
    # E[e^2] of an error e = s^2 / n of normal draws exceeds its square by (n + 1) / (n - 1).
    below = float((noise**2 / (draws + 1.0)).sum())
    return float(noise.sum()) ** 2 / below if below > 0 else math.inf


def _component(
    found: Decomposition,
    axes: tuple[int, ...],
    names: tuple[str, ...],
    level: float,
    balanced: bool,
    error_degrees: float,
) -> Component:
    effect = tuple(names[axis] for axis in axes)
    if axes not in found.effects:
        flat = [names[axis] for axis in axes if (axis,) not in found.effects]
        reason = f"only one {flat[0]} (use at least 2)" if found.count else found.reason
        return Component(effect, math.nan, unknown(reason))
    place = found.effects.index(axes)
    total = float(found.totals[place])
    degrees = float(found.degrees[place])
    behind = float(found.per_level[place])
    if found.reason:
        return Component(effect, math.nan, unknown(found.reason), degrees, math.nan, total, behind)
    raw = float(found.components[place])
    last = place == len(found.effects) - 1
    above = [i for i, e in enumerate(found.effects) if {*axes} <= {*e}]
    signs = [(-1.0) ** (len(found.effects[i]) - len(axes)) for i in above]
    coefficients = [sign / behind for sign in signs]
    squares = [float(found.mean_squares[i]) for i in above]
    freedoms = [float(found.degrees[i]) for i in above]
    if last and found.error > 0:
        coefficients.append(-1.0)
        squares.append(found.error)
        freedoms.append(error_degrees)
    low, high = combination_interval(coefficients, squares, freedoms, level)
    universe = f"{plural(names)} like these"
    method = "modified large sample" + ("" if balanced else ", approximate: cells are missing")
    few = [names[a] for a in axes if len(axes) == 1 and found.levels[place] < FEW]
    notes = [f"a negative estimate ({raw:.4g}) is shown as 0"] if raw < 0 else []
    notes += [f"fewer than {FEW} levels of {name}: expect a very wide interval" for name in few]
    reason = "; ".join(notes)
    estimate = Estimate(raw, low, high, level, universe, method, reason).truncated()
    mean_square = float(found.mean_squares[place])
    includes_draw = last and math.isnan(error_degrees)
    return Component(
        effect, raw, estimate, degrees, mean_square, total, behind, includes_draw=includes_draw
    )


def _draw_component(grid: Cells, names: tuple[str, ...], level: float) -> Component:
    known = grid.present & ~np.isnan(grid.variance)
    if not known.any():
        reason = "one draw per cell: its variance is part of the highest interaction"
        reason = reason if grid.present.any() else "no cell has data"
        return Component((DRAW,), math.nan, unknown(reason))
    found = decompose(np.where(known, grid.variance, np.nan))
    value, universe = found.mean, f"{plural(names)} like these"
    if value == 0.0:
        estimate = Estimate(0.0, 0.0, 0.0, level, universe, "log t")
        return Component((DRAW,), 0.0, estimate, math.inf, 0.0, math.nan, 1.0, 0.0)
    if found.reason:
        estimate = Estimate(value, reason=f"no interval: {found.reason}")
        return Component((DRAW,), value, estimate, math.nan, value, math.nan, 1.0, math.nan)
    spread, degrees = _standard_error(found)
    # A variance cannot be negative, so the interval is symmetric in its logarithm.
    factor = math.exp(quantiles.t((1.0 + level) / 2.0, degrees) * spread / value)
    estimate = Estimate(value, value / factor, value * factor, level, universe, "log t")
    return Component((DRAW,), value, estimate, degrees, value, math.nan, 1.0, spread)


def _sizes(grid: Cells, names: tuple[str, ...], error: Array | None) -> dict[str, float]:
    present = grid.present
    sizes: dict[str, float] = {}
    first = [axis for axis in range(len(names)) if axis]
    for axis, name in enumerate(names):
        if axis == 0:
            used = present.any(axis=tuple(first)) if first else present
            sizes[name] = float(used.sum())
            continue
        others = tuple(a for a in first if a != axis)
        behind = (present.any(axis=others) if others else present).sum(axis=1)
        behind = behind[behind > 0]
        sizes[name] = float(behind.size / (1.0 / behind).sum()) if behind.size else 0.0
    known = present & ~np.isnan(grid.variance)
    if error is None or not known.any():
        sizes[DRAW] = math.nan
    else:
        variance, noise = float(grid.variance[known].mean()), float(error[known].mean())
        sizes[DRAW] = variance / noise if noise > 0 else math.inf
    return sizes


def _standard_error(found: Decomposition) -> tuple[float, float]:
    """The standard error of the grand mean when every facet is a sample, and its degrees.

    ``Var(mean) = sum over effects of s2_a sum_l (n_l / N)^2``.
    """
    parts = found.components[1:].copy()
    parts[-1] += found.error
    terms = [
        (float(t), float(d))
        for t, d in zip(found.mean_shares[1:] * parts, found.degrees[1:], strict=True)
        if t > 0
    ]
    if not terms:
        return 0.0, math.inf
    # An effect's own component is known no better than its mean square: same degrees.
    degrees = satterthwaite_degrees([t for t, _ in terms], [d for _, d in terms])
    return math.sqrt(sum(t for t, _ in terms)), degrees


def _mean_of(found: Decomposition, names: tuple[str, ...], level: float) -> Estimate:
    if not found.count:
        return unknown("no cell has data")
    if found.reason:
        return Estimate(found.mean, reason=f"no interval: {found.reason}")
    error, degrees = _standard_error(found)
    half = quantiles.t((1.0 + level) / 2.0, degrees) * error
    universe = f"{plural(names)} like these"
    return Estimate(found.mean, found.mean - half, found.mean + half, level, universe, "t")


def crossed_mean(
    values: npt.ArrayLike, facets: Sequence[str] = ("item", "prompt"), *, level: float = 0.95
) -> Estimate:
    """The grand mean of a grid, with an interval in which every facet is a sample.

    ``SE^2 = sum over effects a of s2_a / levels_a`` with the effects' components of `values`
    (facets..., NaN: missing), t with Satterthwaite's degrees. Units as `values`. Source: Searle,
    Casella and McCulloch 1992; proved by coverage in a simulation.

    >>> round(crossed_mean([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8]]).value, 3)
    5.167
    """
    grid = as_scores(values)
    return _mean_of(decompose(grid), tuple(facets), level)


def draw_index_share(draws: npt.ArrayLike) -> Estimate:
    """How much of the draw variance follows the draw's index: near 0, unless seeds were reused.

    `draws` has shape (items, prompts, draws). A runner that seeds every cell alike gives draw s of
    all cells the same random number; the variance between draws then turns into a main effect of
    s. Returned is ``max(s2_s, 0) / (s2_s + s2_rest)`` of the crossed analysis, 0 to 1, where
    s2_rest holds every interaction with s. Above about 0.1 the draws are not independent.

    >>> rng = np.random.default_rng(0)
    >>> shared = np.broadcast_to(rng.normal(size=5), (20, 4, 5))  # every cell drew the same
    >>> round(draw_index_share(shared + rng.normal(0, 0.1, (20, 4, 5))).value, 1)
    0.9
    """
    grid = as_scores(draws)
    if grid.ndim != 3:
        raise RecordError(f"draws of shape {grid.shape} need the axes (item, prompt, draw)")
    found = decompose(grid)
    parts = dict(zip(found.effects, found.components, strict=True))
    with_index = [float(v) for e, v in parts.items() if 2 in e]
    if found.reason or not with_index:
        return unknown(found.reason or "only one draw per cell (use at least 2)")
    total = sum(max(v, 0.0) for v in with_index)
    if total == 0.0:
        return unknown("all draws of a cell are equal")
    return Estimate(max(float(parts[2,]), 0.0) / total)


def plural(names: Sequence[str]) -> str:
    """``items and prompts``, for people."""
    words = [f"{name}s" for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
