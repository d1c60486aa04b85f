"""How far prompts move scores: severity of each prompt, spread, and the move between two rooms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics import quantiles
from constrained.consistency.statistics.bootstrap import resample_items
from constrained.consistency.statistics.estimate import ITEMS, Array, Estimate, unknown
from constrained.errors import RecordError

__all__ = ["ItemSpread", "item_spread", "prompt_spread", "room_to_room", "severity"]


def _matrix(scores: npt.ArrayLike) -> Array:
    matrix = np.asarray(scores, dtype=np.float64)
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
    seen = ~np.isnan(y)
    m = seen.sum(axis=1).astype(np.float64)
    rank = np.arange(y.shape[1])[None, :]
    ranked = np.where(rank < m[:, None], np.sort(y, axis=1), 0.0)  # NaN sorts last
    # sum over p < q of y_(q) - y_(p) = sum over ranks of (2 r - m + 1) y_(r)
    weight = np.where(rank < m[:, None], 2.0 * rank - m[:, None] + 1.0, 0.0)
    last = np.maximum(m - 1, 0).astype(np.intp)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(m > 0, ranked.sum(axis=1) / m, np.nan)
        centred = np.where(seen, y - mean[:, None], 0.0)
        variance = np.where(m > 1, (centred**2).sum(axis=1) / (m - 1.0), np.nan)
        move = np.where(m > 1, (weight * ranked).sum(axis=1) / (m * (m - 1.0) / 2.0), np.nan)
    span = np.where(m > 1, np.take_along_axis(ranked, last, axis=1)[:, 0] - ranked[:, 0], np.nan)
    return ItemSpread(mean, variance, span, move, m)


def room_to_room(
    scores: npt.ArrayLike, *, replicates: int = 1000, seed: int = 0, level: float = 0.95
) -> Estimate:
    """How far another prompt moves a typical item: mean over items and pairs of |difference|.

    In score points; divided by the length of the scale it is ProSA's PSS. `scores` (items,
    prompts) are expected scores, or single draws (then draw noise is in it). The interval
    resamples items. Source: Zhuo et al. 2024 (ProSA).

    >>> round(room_to_room([[5, 6], [7, 9], [2, 3]]).value, 3)
    1.333
    """
    move = item_spread(scores).move
    known = move[~np.isnan(move)]
    if not known.size:
        return unknown("no item has two prompts")
    if known.size == 1:
        return Estimate(float(known[0]), reason="no interval: only 1 item")
    sums = np.column_stack([np.ones(known.size), known])
    return resample_items(
        sums,
        lambda totals: totals[:, 1] / totals[:, 0],
        replicates=replicates,
        seed=seed,
        level=level,
    )


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
    filled = np.where(seen, y, 0.0)
    scale = float(np.abs(filled).max()) if filled.size else 0.0
    for _ in range(200):
        before = column
        row = np.where(seen, filled - column, 0.0).sum(axis=1) / np.maximum(in_row, 1)
        column = np.where(seen, filled - row[:, None], 0.0).sum(axis=0) / np.maximum(in_column, 1)
        column = np.where(used, column - column[used].mean() if used.any() else 0.0, 0.0)
        if float(np.abs(column - before).max(initial=0.0)) <= 1e-12 * max(scale, 1.0):
            break
    rest = np.where(seen, filled - row[:, None] - column, 0.0)
    rest -= np.where(seen, rest.sum(axis=0) / np.maximum(in_column, 1), 0.0)
    squares = (rest**2).sum(axis=0)
    results = []
    for prompt in range(y.shape[1]):
        n, value = int(in_column[prompt]), float(column[prompt])
        if not n:
            results.append(unknown("this prompt has no scores"))
        elif n < 2 or used.sum() < 2:
            few = "1 item" if n < 2 else "1 prompt"
            results.append(Estimate(value, reason=f"no interval: only {few}"))
        else:
            error = (float(squares[prompt]) / (n - 1) / n) ** 0.5
            half = quantiles.t((1.0 + level) / 2.0, n - 1) * error
            results.append(Estimate(value, value - half, value + half, level, ITEMS, "t"))
    return tuple(results)


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
