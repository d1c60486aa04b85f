"""`Cells`: what is known of every cell of a grid, exact or sampled, in one shape."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics.estimate import ROUNDING, Array, as_scores
from constrained.errors import RecordError

__all__ = [
    "Cells",
    "check_probabilities",
    "exact_cells",
    "mode_cells",
    "reasoned_cells",
    "sampled_cells",
    "single_cells",
]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Cells:
    """A grid of score distributions, each by mean, variance and how well the mean is known.

    All arrays have one shape: (items, prompts), or one axis per facet. NaN marks a missing cell.

    * `mean`: the cell's mean score, in score points.
    * `variance`: the variance of one draw in that cell, points squared; NaN when unknown.
    * `error`: the variance of `mean` as an estimate: 0 for an exact cell, variance / n for n
      draws, NaN for a single draw.
    * `draws`: how many independent draws stand behind the cell; inf for an exact one, 0 for none.
    """

    mean: Array
    variance: Array
    error: Array
    draws: Array

    def __post_init__(self) -> None:
        shapes = {a.shape for a in (self.mean, self.variance, self.error, self.draws)}
        if len(shapes) > 1:
            raise RecordError(
                f"the arrays of a grid of cells differ in shape: {sorted(shapes)} (pass one value "
                "per cell, NaN where a cell is missing)"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Levels of each facet."""
        return self.mean.shape

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which cells have a mean."""
        return ~np.isnan(self.mean)

    def filled_error(self) -> Array | None:
        """`error` with single draws filled in from the other sampled cells; None: no way to know.

        Filled with (mean over cells of error x draws) / draws.
        """
        known = self.present & ~np.isnan(self.error)
        if not known.any():
            return None
        if bool((known == self.present).all()):
            return self.error
        sampled = known & np.isfinite(self.draws)
        if not sampled.any():
            return None
        per_draw = float((self.error[sampled] * self.draws[sampled]).mean())
        return np.where(known, self.error, per_draw / np.maximum(self.draws, 1.0))

    def __repr__(self) -> str:
        kinds = (
            ("exact", np.isinf(self.draws)),
            ("sampled", np.isfinite(self.draws) & (self.draws > 0)),
            ("missing", ~self.present),
        )
        counts = ", ".join(f"{int(w.sum()):,} {kind}" for kind, w in kinds if w.any())
        return f"Cells({' x '.join(map(str, self.shape))}: {counts})"


def check_probabilities(probabilities: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Array, Array]:
    """(probabilities of shape (..., scores), scores of shape (scores,)) as float64, checked.

    A cell is missing when any of its probabilities is NaN. Raises `RecordError` when a cell does
    not sum to 1 within 1e-6, has a negative probability, or the last axis does not fit `scores`.
    """
    p, values = as_scores(probabilities), as_scores(scores)
    if values.ndim != 1 or p.ndim < 1 or p.shape[-1] != values.size:
        raise RecordError(
            f"probabilities of shape {p.shape} do not fit {values.size} scores (the last axis "
            "runs over the scores)"
        )
    total = np.atleast_1d(p.sum(axis=-1))
    negative = np.atleast_1d((p < 0).any(axis=-1))
    wrong = negative | (np.abs(total - 1.0) > 1e-6)  # NaN compares false: a missing cell
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        problem = f"they sum to {float(total[place]):.6g}"
        if negative[place]:
            problem = "one is negative"
        raise RecordError(
            f"the probabilities of cell {place} are not a distribution: {problem} (renormalise "
            "them and record the removed mass)"
        )
    return p, values


def exact_cells(probabilities: npt.ArrayLike, scores: npt.ArrayLike) -> Cells:
    """Cells from exact score distributions; no draws, no sampling error.

    ``mu = sum_k k P(k)``, ``v = sum_k (k - mu)^2 P(k)``. `probabilities` has shape
    (facets..., scores), NaN in a missing cell; `scores` are the values in points. Source: the
    law of total variance; oracle F (four hand-checkable cells). Raises `RecordError` when a cell
    is not a distribution.

    >>> cells = exact_cells([[[0.5, 0.5, 0], [0, 0.5, 0.5]]], scores=[0, 1, 2])
    >>> cells.mean.tolist(), cells.variance.tolist(), cells.error.tolist()
    ([[0.5, 1.5]], [[0.25, 0.25]], [[0.0, 0.0]])
    """
    p, values = check_probabilities(probabilities, scores)
    mean = p @ values
    # Two scores far from 0 would cancel in E[k^2] - mu^2, so the values are centred first.
    centre = float(values.mean()) if values.size else 0.0
    squares = (values - centre) ** 2
    variance = p @ squares - (mean - centre) ** 2
    noise = ROUNDING * float(squares.max(initial=0.0))
    missing = np.isnan(mean)
    return Cells(
        mean,
        np.where(variance < noise, 0.0, variance),  # NaN stays NaN
        np.where(missing, np.nan, 0.0),
        np.where(missing, 0.0, np.inf),
    )


def mode_cells(probabilities: npt.ArrayLike, scores: npt.ArrayLike) -> Cells:
    """Cells scored by the likeliest score (greedy decoding): a different, deterministic score.

    Ties go to the lowest score. The variance of a draw is 0 by construction.

    >>> mode_cells([[[0.2, 0.5, 0.3]]], [0, 1, 2]).mean.tolist()
    [[1.0]]
    """
    p, values = check_probabilities(probabilities, scores)
    missing = np.isnan(p).any(axis=-1)
    mean = np.where(missing, np.nan, values[np.argmax(np.nan_to_num(p), axis=-1)])
    zero = np.where(missing, np.nan, 0.0)
    return Cells(mean, zero, zero.copy(), np.where(missing, 0.0, np.inf))


def reasoned_cells(means: npt.ArrayLike, variances: npt.ArrayLike) -> Cells:
    """Cells of scores that are exact given each of n sampled texts (reason, then score).

    ``Var(y) = E[Var(y | text)] + Var(E[y | text])``: `means` and `variances` hold mean and
    variance of the score given each text, shape (facets..., texts), NaN for a text that is not
    there. The cell's mean is the mean over its texts; its error is the variance *between* texts
    divided by n, since the part within a text is known exactly. With one text in a cell the
    variance between texts is unknown (NaN).

    >>> cells = reasoned_cells([[[5.0, 7.0]]], [[[1.0, 1.0]]])
    >>> cells.mean.tolist(), cells.error.tolist()
    ([[6.0]], [[1.0]])
    """
    mu = as_scores(means)
    within = np.broadcast_to(as_scores(variances), mu.shape)
    if mu.ndim < 2:
        raise RecordError(
            f"draws of shape {mu.shape} have no facet (the last axis runs over the draws of one "
            "cell, the axes before it over the facets)"
        )
    seen = ~np.isnan(mu)
    n = seen.sum(axis=-1).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(seen, mu, 0.0).sum(axis=-1) / n
        squares = np.where(seen, mu - mean[..., None], 0.0) ** 2
        between = np.where(n > 1, squares.sum(axis=-1) / (n - 1.0), np.nan)
        inside = np.where(seen, within, 0.0).sum(axis=-1) / n
        error = between / n
    return Cells(mean, between + inside, error, n)


def sampled_cells(draws: npt.ArrayLike) -> Cells:
    """Cells from sampled scores: mean, unbiased variance (n - 1), and variance / n as the error.

    `draws` has shape (facets..., draws) in points, NaN where a draw is missing, so the number of
    draws may differ from cell to cell. Draws are exchangeable replicates inside a cell, not a
    facet of their own.

    >>> cells = sampled_cells([[[1, 2, 3], [4, float("nan"), 6]]])
    >>> cells.mean.tolist(), cells.variance.tolist(), cells.draws.tolist()
    ([[2.0, 5.0]], [[1.0, 2.0]], [[3.0, 2.0]])
    """
    return reasoned_cells(draws, np.float64(0.0))


def single_cells(scores: npt.ArrayLike) -> Cells:
    """Cells of one score each, with nothing known of the draw behind it; NaN is a missing cell.

    The draw variance then sits in the highest interaction and cannot be told apart from it.

    >>> single_cells([[7, 5], [4, np.nan]]).mean.tolist()
    [[7.0, 5.0], [4.0, nan]]
    """
    mean = as_scores(scores)
    none = np.full(mean.shape, math.nan)
    return Cells(mean, none, none.copy(), np.where(np.isnan(mean), 0.0, 1.0))
