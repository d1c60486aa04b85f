"""How far prompts move scores: severity of each prompt, spread, and the move between two rooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics import quantiles
from constrained.consistency.statistics.averages import over_move
from constrained.consistency.statistics.estimate import (
    ITEMS,
    Array,
    Estimate,
    as_scores,
    item_means,
    rounding,
    unknown,
)
from constrained.consistency.statistics.generalizability import dependability_estimates
from constrained.consistency.statistics.variance import DRAW, variance_components
from constrained.errors import RecordError

__all__ = ["ItemSpread", "item_spread", "prompt_spread", "room_to_room", "severity"]


def _matrix(scores: npt.ArrayLike) -> Array:
    matrix = as_scores(scores)
    if matrix.ndim != 2:
        raise RecordError(f"scores of shape {matrix.shape} need the axes (item, prompt)")
    return matrix


@dataclass(frozen=True, slots=True, eq=False)
class ItemSpread:
    """What prompts do to each item; arrays of shape (items,), in points, NaN below two prompts.

    `move` is the mean absolute difference between two prompts, `variance` (points squared, n - 1)
    the one between prompts, `span` the highest minus the lowest.
    """

    mean: Array
    variance: Array
    span: Array
    move: Array
    prompts: Array

    def flakiest(self, count: int = 10) -> npt.NDArray[np.intp]:
        """The items that move most, most first; items with fewer than two prompts are left out."""
        order = np.argsort(-self.move, kind="stable")  # NaN comes last
        return order[: min(count, int((~np.isnan(self.move)).sum()))]


def item_spread(scores: npt.ArrayLike) -> ItemSpread:
    """The spread of each item over prompts; `scores` (items, prompts) in points, NaN if missing.

    >>> item_spread([[1.0, 2.0, 4.0]]).move.tolist()
    [2.0]
    """
    y = _matrix(scores)
    if not y.shape[1]:
        y = np.full((y.shape[0], 1), np.nan)
    seen = ~np.isnan(y)
    m = seen.sum(axis=1).astype(np.float64)
    rank = np.arange(y.shape[1])[None, :]
    ranked = np.where(rank < m[:, None], np.sort(y, axis=1), 0.0)  # NaN sorts last
    # sum over p < q of y_(q) - y_(p) = sum over ranks of (2 r - m + 1) y_(r)
    weight = np.where(rank < m[:, None], 2.0 * rank - m[:, None] + 1.0, 0.0)
    ranked = np.where(
        rank < m[:, None], ranked - ranked[:, :1], 0.0
    )  # far from 0 they would cancel
    last = np.maximum(m - 1, 0).astype(np.intp)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = item_means(y)
        centred = np.where(seen, y - mean[:, None], 0.0)
        variance = np.where(m > 1, (centred**2).sum(axis=1) / (m - 1.0), np.nan)
        move = np.where(m > 1, (weight * ranked).sum(axis=1) / (m * (m - 1.0) / 2.0), np.nan)
    span = np.where(m > 1, np.take_along_axis(ranked, last, axis=1)[:, 0], np.nan)
    return ItemSpread(mean, variance, span, move, m)


def room_to_room(
    scores: npt.ArrayLike, *, seed: int = 0, level: float = 0.95, these_prompts: bool = False
) -> Estimate:
    """How far another prompt moves a typical item: mean over items and pairs of |difference|.

    In score points; divided by the length of the scale it is ProSA's PSS. `scores` (items,
    prompts) are expected scores, or single draws (then draw noise is in it). The interval is that
    of the standard error of measurement, scaled (`averages.over_move`), or for `these_prompts`.
    Source: Zhuo et al. 2024 (ProSA).

    >>> round(room_to_room([[5, 6], [7, 9], [2, 3]]).value, 3)
    1.333
    """
    y = _matrix(scores)
    sem = unknown("not asked for")
    if not these_prompts:
        sizes = {"prompt": 1.0, DRAW: 1.0}
        sem = dependability_estimates(variance_components(y), sizes, level=level, seed=seed).sem
    return over_move(item_spread(y).move[:, None], sem, level=level)


def severity(scores: npt.ArrayLike, *, level: float = 0.95) -> tuple[Estimate, ...]:
    """Each prompt's effect on the score: points above (lenient) or below the average prompt.

    The least-squares column effects of ``y = mu + item + prompt`` (they sum to 0), so a prompt is
    not called lenient because it met the better items. The interval, for items like these, comes
    from the spread of a prompt's residuals over its items, with t. A prompt without scores is NaN.

    >>> [round(one.value, 2) for one in severity([[5, 6], [7, 8], [2, 3]])]
    [-0.5, 0.5]
    """
    y = _matrix(scores)
    seen = ~np.isnan(y)
    in_row, in_column = seen.sum(axis=1), seen.sum(axis=0)
    used = in_column > 0
    row, column = np.zeros(y.shape[0]), np.zeros(y.shape[1])
    # Far from 0 the effects would lose digits: they are those of the centred scores.
    filled = np.where(seen, y - (float(y[seen].mean()) if seen.any() else 0.0), 0.0)
    scale = float(np.abs(filled).max(initial=0.0))
    for _ in range(200):
        before = column
        row = np.where(seen, filled - column, 0.0).sum(axis=1) / np.maximum(in_row, 1)
        column = np.where(seen, filled - row[:, None], 0.0).sum(axis=0) / np.maximum(in_column, 1)
        column = np.where(used, column - column[used].mean() if used.any() else 0.0, 0.0)
        if float(np.abs(column - before).max(initial=0.0)) <= 1e-12 * scale:
            break
    column = np.where(np.abs(column) <= rounding(y), 0.0, column)
    apart = not _connected(seen)
    rest = np.where(seen, filled - row[:, None] - column, 0.0)
    rest -= np.where(seen, rest.sum(axis=0) / np.maximum(in_column, 1), 0.0)
    squares = (rest**2).sum(axis=0)
    spare = int(seen.sum()) - int((in_row > 0).sum()) - int(used.sum()) + 1
    results = []
    for prompt in range(y.shape[1]):
        n, value = int(in_column[prompt]), float(column[prompt])
        if not n:
            results.append(unknown("this prompt has no scores"))
        elif apart:
            results.append(unknown("some prompts share no item, even through others"))
        elif spare < 1 and n > 1 and used.sum() > 1:
            results.append(Estimate(value, reason="no interval: no more cells than effects"))
        elif n < 2 or used.sum() < 2:
            few = "1 item" if n < 2 else "1 prompt"
            results.append(Estimate(value, reason=f"no interval: only {few}"))
        else:
            error = (float(squares[prompt]) / (n - 1) / n) ** 0.5
            half = quantiles.t((1.0 + level) / 2.0, n - 1) * error
            results.append(Estimate(value, value - half, value + half, level, ITEMS, "t"))
    return tuple(results)


def _connected(seen: npt.NDArray[np.bool_]) -> bool:
    """Whether all prompts with scores are linked by items that have several of them."""
    used = seen.any(axis=0)
    reached = np.zeros_like(used)
    reached[np.nonzero(used)[0][:1]] = True
    while True:
        further = seen[seen[:, reached].any(axis=1)].any(axis=0)
        if not (further & ~reached).any():
            return bool((reached == used).all())
        reached |= further


def prompt_spread(scores: npt.ArrayLike) -> Estimate:
    """The largest minus the smallest prompt severity, in points.

    FormatSpread's measure. It grows with the number of prompts, so give that number beside it and
    prefer the root of the prompt component. Source: Sclar et al. 2023.

    >>> round(prompt_spread([[5, 6], [7, 8], [2, 3]]).value, 2)
    1.0
    """
    effects = [e.value for e in severity(scores) if e.known]
    if len(effects) < 2:
        return unknown("only one prompt has scores (use at least 2)")
    return Estimate(max(effects) - min(effects), reason=f"over {len(effects)} prompts")
