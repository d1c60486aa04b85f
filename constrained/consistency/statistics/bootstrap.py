"""The bootstrap: over items, or over items and prompts at once (the pigeonhole bootstrap)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics.cells import Cells
from constrained.consistency.statistics.estimate import BOTH, ITEMS, Array, Estimate, unknown
from constrained.errors import RecordError

__all__ = ["ResampledComponents", "percentile", "resample_components", "resample_items"]

CHUNK = 4_000_000
"""Weights held at once (32 MB)."""

MANY = 20_000
"""Items above which the totals of a resample are as good as normal."""


def resample_items(
    sums: npt.ArrayLike,
    statistic: Callable[[Array], Array],
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    undefined: str = "undefined for these items",
) -> Estimate:
    """A statistic of per-item sums with its percentile interval over resampled items.

    Most statistics are functions of totals over items (a mean, a ratio of means, kappa). `sums`
    has shape (items, q): what each item adds to each total. `statistic` maps totals of shape
    (rows, q) to values (rows,). The interval is for items like these and the same prompts; a row
    of `sums` with a NaN is an item without data. Deterministic for a given `seed`. Above 20,000
    items the resampled totals are drawn from their normal limit, with the same mean and covariance.
    Source: Efron 1979; Owen 2007 on what it leaves out.

    >>> resample_items([[1, 2.0], [1, 4.0]], lambda t: t[:, 1] / t[:, 0], replicates=200).value
    3.0
    """
    rows = np.asarray(sums, dtype=np.float64)
    if rows.ndim != 2:
        raise RecordError(f"sums of shape {rows.shape} need the axes (item, total)")
    rows = rows[~np.isnan(rows).any(axis=1)]
    n = rows.shape[0]
    if n < 2:
        return unknown(f"only {n} item{'' if n == 1 else 's'} with data (use at least 2)")
    value = float(statistic(rows.sum(axis=0, keepdims=True))[0])
    if math.isnan(value):
        return unknown(undefined)
    if replicates < 1:
        return Estimate(value, universe=ITEMS, reason=f"no interval: replicates={replicates}")
    rng = np.random.default_rng(seed)
    method = f"item bootstrap, {replicates} replicates, seed {seed}"
    if n > MANY:
        method = f"item bootstrap in the normal limit, {replicates} replicates, seed {seed}"
        centred = rows - rows.mean(axis=0)
        moved = rng.multivariate_normal(
            np.zeros(rows.shape[1]), centred.T @ centred, size=replicates, method="eigh"
        )
        drawn = np.asarray(statistic(rows.sum(axis=0) + moved), dtype=np.float64)
    else:
        weights = _weights(rng, n, replicates, n)
        parts = [np.asarray(statistic(w @ rows), dtype=np.float64) for w in weights]
        drawn = np.concatenate(parts)
    return percentile(drawn, value, level, universe=ITEMS, method=method)


def _weights(rng: np.random.Generator, n: int, replicates: int, widest: int) -> Iterator[Array]:
    """Rows of how often each of n things is drawn in n draws, some replicates at a time."""
    step = max(1, CHUNK // widest)
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        drawn = rng.integers(n, size=(rows, n))
        drawn += (np.arange(rows) * n)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def percentile(
    replicates: Array,
    value: float,
    level: float = 0.95,
    *,
    universe: str = BOTH,
    method: str = "bootstrap",
) -> Estimate:
    """The percentile interval of bootstrap replicates, with the bootstrap's own error at its ends.

    That error is the larger standard error of the two quantiles, from the order statistics one
    binomial standard deviation to either side. Undefined replicates (NaN) are left out; above 5 %
    of them there is no interval.
    """
    known = np.sort(replicates[~np.isnan(replicates)])
    if known.size < max(20, 0.95 * replicates.size):
        lost = replicates.size - known.size
        reason = f"no interval: {lost} of {replicates.size} replicates are undefined"
        if not lost:
            reason = f"no interval: {replicates.size} replicates are too few"
        return Estimate(value, universe=universe, method=method, reason=reason)
    tail = (1.0 - level) / 2.0
    low, high = (float(end) for end in np.quantile(known, [tail, 1.0 - tail]))
    step = math.sqrt(tail * (1.0 - tail) / known.size)
    around = np.quantile(
        known, np.clip([tail - step, tail + step, 1 - tail - step, 1 - tail + step], 0, 1)
    )
    noise = max(float(around[1] - around[0]), float(around[3] - around[2])) / 2.0
    return Estimate(value, low, high, level, universe, method, monte_carlo=noise)


@dataclass(frozen=True, slots=True, eq=False)
class ResampledComponents:
    """Bootstrap replicates (one per row) of the components of an items x prompts grid.

    In points squared, `mean` in points. `draw` is 0 and `separable` False when the draw variance is
    unknown and part of `interaction`. Any function of the components is a function of these arrays.
    """

    mean: Array
    item: Array
    prompt: Array
    interaction: Array
    draw: Array
    separable: bool
    universe: str
    method: str

    def phi(self, prompts: float, draws: float = math.inf) -> Array:
        """Phi of averaging `prompts` prompts, each with `draws` draws, in every replicate."""
        noise = self.prompt + self.interaction + self._draws(draws)
        return _share(self.item, noise / prompts)

    def generalizability(self, prompts: float, draws: float = math.inf) -> Array:
        """E-rho^2 of averaging `prompts` prompts in every replicate."""
        return _share(self.item, (self.interaction + self._draws(draws)) / prompts)

    def _draws(self, draws: float) -> Array:
        return self.draw / draws if self.separable else np.zeros_like(self.draw)


def _share(signal: Array, noise: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(signal + noise > 0, signal / (signal + noise), np.nan)


def resample_components(
    cells: Cells,
    *,
    prompts: bool = True,
    replicates: int = 1000,
    seed: int = 0,
) -> ResampledComponents:
    """Components of a grid (items, prompts) under resampled items and (``prompts=True``) prompts.

    Rows and columns are drawn independently with product weights (the pigeonhole bootstrap), each
    copy counting as a level of its own. Resampling with replacement shrinks components by known
    factors, which are taken out again: with f = n / (n - 1) of what was resampled, ``s2_ip* f_i
    f_p``, ``s2_i* f_i - s2_ip / n_p`` and ``s2_p* f_p - s2_ip / n_i``. The same seed and shape
    draw the same rows and columns, so two runs are compared on the same resamples.

    Source: Owen 2007; Brennan 2007 and Wiley 2001 for the factors. Proved by unbiasedness: the mean
    of the replicates is the ANOVA estimate (a test), and by coverage.
    """
    if len(cells.shape) != 2:
        raise RecordError(f"cells of shape {cells.shape} need the axes (item, prompt)")
    present = cells.present
    n_i, n_p = int(present.any(axis=1).sum()), int(present.any(axis=0).sum())
    keep = np.ix_(present.any(axis=1), present.any(axis=0))
    seen = present[keep].astype(np.float64)
    centre = float(cells.mean[present].mean()) if present.any() else 0.0
    y = np.where(present, cells.mean - centre, 0.0)[keep]
    error_known = cells.filled_error()
    separable = error_known is not None
    noise, noise_seen = _filled(cells.error[keep] if error_known is None else error_known[keep])
    inner, inner_seen = _filled(cells.variance[keep])
    complete = bool(present[keep].all())
    universe = BOTH if prompts else ITEMS
    kind = "pigeonhole bootstrap" if prompts else "item bootstrap"
    method = f"{kind}, {replicates} replicates, seed {seed}"
    if n_i < 2 or n_p < 2:
        none = np.full(replicates, np.nan)
        return ResampledComponents(none, none, none, none, none, separable, universe, method)

    row_rng, column_rng = (np.random.default_rng([seed, axis]) for axis in (0, 1))
    widest = max(n_i, n_p)
    blocks = []
    for rows, columns in zip(
        _weights(row_rng, n_i, replicates, widest),
        _weights(column_rng, n_p, replicates, widest),
        strict=True,
    ):
        c = columns if prompts else np.ones_like(columns)
        blocks.append(
            _weighted(y, seen, (noise, noise_seen), (inner, inner_seen), rows, c, complete)
        )
    mean, item, prompt, both, error, draw = np.concatenate(blocks, axis=1)
    f_i, f_p = n_i / (n_i - 1), n_p / (n_p - 1) if prompts else 1.0
    both = both * f_i * f_p
    item = item * f_i - (both / n_p if prompts else 0.0)
    prompt = prompt * f_p - both / n_i
    if not separable:
        error, draw = np.zeros(replicates), np.zeros(replicates)
    return ResampledComponents(
        mean + centre, item, prompt, both - error, draw, separable, universe, method
    )


def _filled(values: Array) -> tuple[Array, Array]:
    known = ~np.isnan(values)
    return np.where(known, values, 0.0), known.astype(np.float64)


def _weighted(
    y: Array,
    seen: Array,
    noise: tuple[Array, Array],
    inner: tuple[Array, Array],
    rows: Array,
    columns: Array,
    complete: bool,
) -> Array:
    """Mean, item, prompt, interaction (with error), error and draw variance of each replicate.

    Henderson's Method I for two facets with weights, each copy of a row or column a level of its
    own; shape (6, replicates).
    """

    def over(array: Array) -> Array:
        """The sum over cells of weight times value, per replicate."""
        summed: Array = np.einsum("bp,bp->b", rows @ array, columns)
        return summed

    def average(values: Array, known: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return over(values) / over(known)

    by_row, by_column = columns @ y.T, rows @ y  # (replicates, items), (replicates, prompts)
    if complete:
        n_i, n_p = rows.sum(axis=1), columns.sum(axis=1)
        count = n_i * n_p
        row_counts: Array = np.broadcast_to(n_p[:, None], by_row.shape)
        column_counts: Array = np.broadcast_to(n_i[:, None], by_column.shape)
    else:
        row_counts, column_counts = columns @ seen.T, rows @ seen
        count = np.einsum("bp,bp->b", columns, column_counts)
        count = np.where(count > 0, count, np.nan)  # a replicate may draw nothing but holes
    with np.errstate(invalid="ignore", divide="ignore"):
        row_means = np.where(row_counts > 0, by_row / row_counts, 0.0)
        column_means = np.where(column_counts > 0, by_column / column_counts, 0.0)
    total = np.einsum("bp,bp->b", columns, by_column)
    t_item = np.einsum("bi,bi,bi->b", rows, by_row, row_means)
    t_prompt = np.einsum("bp,bp,bp->b", columns, by_column, column_means)
    t_both = over(y * y)
    used_i = np.einsum("bi,bi->b", rows, (row_counts > 0).astype(np.float64))
    used_p = np.einsum("bp,bp->b", columns, (column_counts > 0).astype(np.float64))
    k_item = np.einsum("bi,bi->b", rows, row_counts**2) / count
    k_prompt = np.einsum("bp,bp->b", columns, column_counts**2) / count
    one = np.ones_like(count)
    # Differences to T_mean; columns: item, prompt, interaction.
    system = np.stack(
        [
            np.stack([count - k_item, used_i - k_prompt, used_i - one], axis=-1),
            np.stack([used_p - k_item, count - k_prompt, used_p - one], axis=-1),
            np.stack([count - k_item, count - k_prompt, count - one], axis=-1),
        ],
        axis=-2,
    )
    right = np.stack([t_item, t_prompt, t_both], axis=-1) - (total**2 / count)[:, None]
    with np.errstate(invalid="ignore"):
        usable = np.abs(np.linalg.det(system / count[:, None, None])) > 1e-9
    solution = np.full((count.size, 3), np.nan)
    solution[usable] = np.linalg.solve(system[usable], right[usable][..., None])[..., 0]
    return np.stack([total / count, *solution.T, average(*noise), average(*inner)])
