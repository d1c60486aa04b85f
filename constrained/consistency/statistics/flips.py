"""Flip rates: how often two scores of one item fall on different sides of the pass mark."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics.averages import over_cells, over_pairs
from constrained.consistency.statistics.cells import check_probabilities
from constrained.consistency.statistics.estimate import Array, Estimate, item_means, unknown
from constrained.errors import RecordError

__all__ = [
    "any_flip",
    "cell_flips",
    "flip_between_prompts",
    "flip_within_prompt",
    "item_flips",
    "pair_flips",
    "pass_curve",
    "pass_probability",
    "sampled_pass_probability",
    "straddle_rate",
]


def pass_probability(
    probabilities: npt.ArrayLike, scores: npt.ArrayLike, pass_mark: float
) -> Array:
    """``P(score >= pass_mark)`` of every cell, exactly; shape (facets...), NaN where missing.

    `probabilities` has shape (facets..., scores). Oracle F: .5, 1, 1, .75 at a mark of 1.

    >>> pass_probability([[0.25, 0.5, 0.25]], scores=[0, 1, 2], pass_mark=1).tolist()
    [0.75]
    """
    p, values = check_probabilities(probabilities, scores)
    # The smaller side is summed, so that a certain cell is exactly 1.
    total: Array = np.clip(1.0 - p[..., values < pass_mark].sum(axis=-1), 0.0, 1.0)
    total[np.isnan(p.sum(axis=-1))] = np.nan
    return total


def pass_curve(probabilities: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Array, Array]:
    """(marks, probabilities to reach each): every cell at every pass mark, for a slider.

    `marks` are the scores in rising order, shape (scores,); the second has shape (facets...,
    scores): ``P(score >= mark)``.

    >>> marks, reach = pass_curve([[0.25, 0.5, 0.25]], [0, 1, 2])
    >>> marks.tolist(), reach.tolist()
    ([0.0, 1.0, 2.0], [[1.0, 0.75, 0.25]])
    """
    p, values = check_probabilities(probabilities, scores)
    order = np.argsort(values)
    reached: Array = np.clip(np.cumsum(p[..., order[::-1]], axis=-1)[..., ::-1], 0.0, 1.0)
    return values[order], reached


def sampled_pass_probability(draws: npt.ArrayLike, pass_mark: float) -> tuple[Array, Array]:
    """(share of draws at or above the mark, number of draws) of every cell.

    `draws` has shape (facets..., draws), NaN where missing; give the number to the flip rates,
    which correct the bias of a share of n draws.

    >>> share, number = sampled_pass_probability([[5, 6, 7, np.nan]], pass_mark=6)
    >>> share.round(3).tolist(), number.tolist()
    ([0.667], [3.0])
    """
    d = np.asarray(draws, dtype=np.float64)
    seen = ~np.isnan(d)
    n = seen.sum(axis=-1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Array = (np.where(seen, d, -np.inf) >= pass_mark).sum(axis=-1) / n
    return share, n


def _matrix(passing: npt.ArrayLike) -> Array:
    p = np.asarray(passing, dtype=np.float64)
    if p.ndim != 2:
        raise RecordError(f"pass probabilities of shape {p.shape} need the axes (item, prompt)")
    if bool(((p < 0) | (p > 1)).any()):
        raise RecordError("pass probabilities must lie between 0 and 1")
    return p


def pair_flips(passing: npt.ArrayLike) -> Array:
    """The probability that a draw under this prompt and one under another flip; (items, prompts).

    ``mean over q != p of pi_p (1 - pi_q) + pi_q (1 - pi_p)``, 0 to 1; NaN where a cell is missing
    or the item has no second prompt. What every flip rate between prompts is a mean of.

    >>> pair_flips([[0.5, 1.0], [1.0, 0.75]]).tolist()
    [[0.5, 0.5], [0.25, 0.25]]
    """
    p = _matrix(passing)
    seen = ~np.isnan(p)
    others = seen.sum(axis=1, keepdims=True) - 1.0
    filled = np.where(seen, p, 0.0)
    rest = filled.sum(axis=1, keepdims=True) - filled
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = (filled * (others - 2.0 * rest) + rest) / others
    return np.where(seen & (others > 0), np.clip(rate, 0.0, 1.0), np.nan)


def item_flips(passing: npt.ArrayLike) -> Array:
    """Each item's probability that two draws under two different prompts flip; shape (items,).

    The mean of its `pair_flips`; NaN below two prompts.

    >>> item_flips([[0.5, 1.0], [1.0, 0.75]]).tolist()
    [0.5, 0.25]
    """
    return item_means(pair_flips(passing))


def cell_flips(passing: npt.ArrayLike, draws: npt.ArrayLike | None = None) -> Array:
    """The probability that two draws of one cell flip; the shape of `passing`.

    ``2 pi (1 - pi)``; with `draws` (the number behind each cell, inf for exact ones) times ``n / (n
    - 1)``, which makes it unbiased; cells of one draw are NaN. What every flip rate within a prompt
    is a mean of. Oracle F: .5, 0, 0, .375.

    >>> cell_flips([[0.5, 1.0]], draws=[[2, 2]]).tolist()
    [[1.0, 0.0]]
    """
    p = np.asarray(passing, dtype=np.float64)
    flips: Array = 2.0 * p * (1.0 - p)
    if draws is None:
        return flips
    n = np.broadcast_to(np.asarray(draws, dtype=np.float64), p.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.where(np.isinf(n), 1.0, n / (n - 1.0))
        return np.where(n > 1, flips * factor, np.nan)


def flip_within_prompt(
    passing: npt.ArrayLike,
    draws: npt.ArrayLike | None = None,
    *,
    level: float = 0.95,
    these_prompts: bool = False,
) -> Estimate:
    """The probability that two draws of one item under one prompt flip; 0 to 1.

    The mean of `cell_flips` over cells, with the interval of `averages.over_cells`. `passing` has
    shape (items, prompts), NaN where missing.

    >>> flip_within_prompt([[0.5, 1.0], [1.0, 0.75]]).value
    0.21875
    """
    flips = cell_flips(_matrix(passing), draws)
    return over_cells(
        flips, "no cell has two draws", level=level, most=1.0, these_prompts=these_prompts
    )


def flip_between_prompts(
    passing: npt.ArrayLike, *, level: float = 0.95, these_prompts: bool = False
) -> Estimate:
    """The flip rate: the probability that two draws of one item, two prompts, differ; 0 to 1.

    The one to gate on: another room is another prompt, and it does not grow with the draws.
    The mean of `item_flips` over items with two prompts or more, with the interval of
    `averages.over_pairs`. Unbiased for sampled shares as it is, since different cells are drawn
    independently. Oracle F: A .5, B .25.

    >>> flip_between_prompts([[0.5, 1.0], [1.0, 0.75]]).value
    0.375
    """
    return over_pairs(pair_flips(passing), level=level, most=1.0, these_prompts=these_prompts)


def any_flip(passing: npt.ArrayLike, draws: int) -> Estimate:
    """The probability that `draws` draws of one cell do not all fall on one side; 0 to 1.

    ``mean of 1 - pi^n - (1 - pi)^n``. It grows with n: compare only equal n.

    >>> any_flip([[0.5, 1.0]], draws=2).value
    0.25
    """
    p = np.asarray(passing, dtype=np.float64)
    known = p[~np.isnan(p)]
    if not known.size or draws < 2:
        return unknown("no cell has data" if draws >= 2 else "only one draw cannot flip")
    return Estimate(float((1.0 - known**draws - (1.0 - known) ** draws).mean()))


def straddle_rate(passing: npt.ArrayLike) -> Estimate:
    """The share of items whose prompts, one draw each, do not all fall on one side; 0 to 1.

    ``mean over items of 1 - prod pi_p - prod (1 - pi_p)``; for observed passes (0 or 1) it is the
    share of items that straddle the mark. It grows with the number of prompts. Oracle N: .2125.

    >>> straddle_rate([[0, 1], [1, 1]]).value
    0.5
    """
    p = _matrix(passing)
    seen = ~np.isnan(p)
    enough = seen.sum(axis=1) >= 2
    if not enough.any():
        return unknown("no item has two prompts")
    p, seen = p[enough], seen[enough]
    all_pass = np.where(seen, p, 1.0).prod(axis=1)
    none_pass = np.where(seen, 1.0 - p, 1.0).prod(axis=1)
    return Estimate(float((1.0 - all_pass - none_pass).mean()))
