"""Phi and E-rho^2 with intervals: how dependable an average over prompts is, and how surely."""

from __future__ import annotations

import math
from dataclasses import replace

from constrained.consistency.statistics.agreement import intraclass
from constrained.consistency.statistics.bootstrap import percentile, resample_components
from constrained.consistency.statistics.cells import Cells
from constrained.consistency.statistics.estimate import Estimate, unknown
from constrained.consistency.statistics.generalizability import dependability
from constrained.consistency.statistics.variance import DRAW, variance_components
from constrained.errors import RecordError

__all__ = ["generalizability_coefficient", "phi_coefficient"]


def phi_coefficient(
    cells: Cells,
    prompts: float = 1,
    draws: float | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Phi of averaging `prompts` prompts with `draws` draws each, with its interval; at most 1.

    The value is `dependability`'s. Interval: F (of ICC(A,1), stepped up by Spearman and Brown) for
    a complete grid with the run's own draws per cell; else the pigeonhole bootstrap. `cells` has
    shape (items, prompts). Oracles G and N; coverage in a simulation.

    >>> from constrained.consistency.statistics.cells import single_cells
    >>> phi_coefficient(single_cells([[2, 4], [4, 6], [6, 8]]))
    Estimate(0.6667 [0.002495, 0.9872] at 95 % for items and prompts like these, by F)
    """
    return _coefficient(cells, prompts, draws, True, replicates, seed, level)


def generalizability_coefficient(
    cells: Cells,
    prompts: float = 1,
    draws: float | None = None,
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """E-rho^2 of averaging `prompts` prompts, with its interval; as `phi_coefficient`.

    Differences between prompts that move all items alike are no error here: use it for rankings
    only. The F interval is that of ICC(C,1).
    """
    return _coefficient(cells, prompts, draws, False, replicates, seed, level)


def _coefficient(
    cells: Cells,
    prompts: float,
    draws: float | None,
    absolute: bool,
    replicates: int,
    seed: int,
    level: float,
) -> Estimate:
    if len(cells.shape) != 2:
        raise RecordError(f"cells of shape {cells.shape} need the axes (item, prompt)")
    if prompts <= 0 or (draws is not None and draws <= 0):
        raise RecordError("an average needs more than 0 prompts and draws")
    sizes = {"prompt": prompts} | ({} if draws is None else {DRAW: draws})
    components = variance_components(cells, level=level)
    found = dependability(components, sizes)
    value = found.phi if absolute else found.generalizability
    if math.isnan(value):
        return unknown(found.reason or "neither items nor prompts differ")
    run = components.sizes[DRAW]
    if components.balanced and found.sizes[DRAW] == (1.0 if math.isnan(run) else run):
        forms = intraclass(cells.mean, level=level)
        one = forms.agreement if absolute else forms.consistency
        if one.bounded:
            low, high = (_step_up(end, prompts) for end in (one.low, one.high))
            return replace(one, value=value, low=low, high=high, reason=found.reason)
    resampled = resample_components(cells, replicates=replicates, seed=seed)
    count = found.sizes[DRAW]
    drawn = (
        resampled.phi(prompts, count) if absolute else resampled.generalizability(prompts, count)
    )
    estimate = percentile(drawn, value, level, universe=resampled.universe, method=resampled.method)
    return replace(estimate, reason="; ".join(filter(None, [found.reason, estimate.reason])))


def _step_up(single: float, prompts: float) -> float:
    """Spearman and Brown: the coefficient of a mean over `prompts` from that of one."""
    below = 1.0 + (prompts - 1.0) * single
    return prompts * single / below if below > 0 else -math.inf
