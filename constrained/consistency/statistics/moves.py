"""How far another prompt moves a score, in points, from the distributions of cells.

One identity carries this file. Two scores X and Y lie on different sides of mark k with some
probability; summed over the marks, each times the gap below it, that is ``E|X - Y|``. So the
flip rate of every mark gives the move, exactly for exact cells and without bias for sampled ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from constrained.consistency.statistics.cells import Cells
from constrained.consistency.statistics.estimate import Array
from constrained.consistency.statistics.flips import cell_flips, pair_flips

__all__ = ["Moves", "at_marks", "effective_draws", "moves"]


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """How far scores move, in points; arrays have the axes (item, prompt), NaN where unknown.

    `between`: mean absolute difference of a draw under this prompt and one under another; `within`:
    of two draws in this cell.
    """

    between: Array
    within: Array


def at_marks(probabilities: Array) -> Iterator[tuple[int, Array]]:
    """(place of the score, probability to reach it) for every score; shape (items, prompts).

    One matrix at a time: the whole cube of a large run would not fit beside itself.
    """
    missing = np.isnan(probabilities[..., 0])
    below = np.where(missing, np.nan, 0.0)
    for place in range(probabilities.shape[-1]):
        if place:
            below = below + probabilities[..., place - 1]
        yield place, np.clip(1.0 - below, 0.0, 1.0)


def effective_draws(cells: Cells, probabilities: Array, scale: Array) -> Array:
    """Independent draws that a cell's shares are worth: inf for exact cells, n for n draws.

    For n texts with an exact score given each it is more than n: ``1 + variance / error`` with the
    variance of the cell's mixture and the error of its mean; NaN where there is no cell.
    """
    centre = float(scale.mean())
    shifted = probabilities @ (scale - centre)
    mixture = probabilities @ (scale - centre) ** 2 - shifted**2
    with np.errstate(invalid="ignore", divide="ignore"):
        worth = 1.0 + np.maximum(mixture, 0.0) / cells.error
    usable = np.isfinite(worth) & (cells.error > 0)
    return np.where(cells.present, np.where(usable, worth, cells.draws), np.nan)


def moves(probabilities: Array, scale: Array, draws: Array) -> Moves:
    """Moves of every cell, from distributions (items, prompts, scores) and `effective_draws`.

    >>> certain = np.array([[[1.0, 0, 0], [0, 0, 1.0]]])
    >>> moves(certain, np.array([0.0, 1, 2]), np.full((1, 2), np.inf)).between.tolist()
    [[2.0, 2.0]]
    """
    between = np.zeros(probabilities.shape[:2])
    within = np.zeros(probabilities.shape[:2])
    for place, passing in at_marks(probabilities):
        # The lowest score adds nothing but where moves are unknown.
        gap = float(scale[place] - scale[place - 1]) if place else 0.0
        between += gap * pair_flips(passing)
        within += gap * cell_flips(passing, draws)
    return Moves(between, within)
