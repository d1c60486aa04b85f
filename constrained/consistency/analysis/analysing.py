"""Make an `Analysis` from arrays or from a grid of cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from constrained.consistency.analysis.gates import GateLike, GateReport, as_gates, check
from constrained.consistency.analysis.grid import AXES, Grid, grid_of_draws, grid_of_exact
from constrained.consistency.analysis.judges import Settings, components_over, judge_of
from constrained.consistency.analysis.results import Analysis, Methods
from constrained.consistency.statistics.estimate import SMALLEST, Array, as_scores
from constrained.errors import RecordError

__all__ = ["NOTES", "analyse_arrays", "analyse_draws", "analyse_grid"]

NOTES = (
    "Rooms are compared by the distributions of their cells; exact cells add no sampling error.",
    "Intervals named 'items and prompts like these' treat both as samples of what might be asked.",
)


def analyse_arrays(
    probabilities: npt.ArrayLike,
    scores: Sequence[float] | Array,
    facets: Sequence[str] = ("item", "prompt"),
    *,
    levels: Mapping[str, Sequence[str]] | None = None,
    gold: npt.ArrayLike | None = None,
    removed_mass: npt.ArrayLike | None = None,
    gates: Mapping[str, Any] | Iterable[GateLike] = (),
    title: str = "",
    **settings: Any,
) -> Analysis:
    r"""The analysis of exact distributions; needs no store.

    `probabilities` has shape (facets..., scores), NaN in a missing cell; `facets` names its axes
    (item, prompt, format, order, variant, temperature; item is needed), `levels` the levels of
    some. `gold` is (items,). `settings` are those of `Settings` (pass_mark, replicates, seed,
    level, target, flakiest, fixed_rooms, noun). Raises `RecordError` for what is no distribution.

    >>> found = analyse_arrays([[[1, 0], [0.5, 0.5]], [[0, 1], [0, 1]], [[0, 1], [0, 1]]],
    ...                        [0, 1], pass_mark=1, noun="essay")
    >>> print(found.judges[0].summary.sentence.replace(", ", ",\n").replace("; ", ";\n"))
    A teacher in another room would move a typical essay by 0.2 points,
    of which 0.08 by the draw alone;
    17 % of essays cross the pass mark of 1.
    """
    grid = grid_of_exact(probabilities, scores, facets, levels=levels, removed_mass=removed_mass)
    return analyse_grid(grid, gold=gold, gates=gates, title=title, settings=Settings(**settings))


def analyse_draws(
    draws: npt.ArrayLike,
    scores: Sequence[float] | Array | None = None,
    facets: Sequence[str] = ("item", "prompt"),
    *,
    levels: Mapping[str, Sequence[str]] | None = None,
    gold: npt.ArrayLike | None = None,
    gates: Mapping[str, Any] | Iterable[GateLike] = (),
    title: str = "",
    **settings: Any,
) -> Analysis:
    """The analysis of sampled scores (facets..., draws), NaN where a draw is missing.

    `scores` is the whole scale (without it, what occurs); the rest as in `analyse_arrays`.

    >>> analyse_draws([[[1], [2]], [[3], [5]]]).judges[0].summary.move.value
    1.5
    """
    grid = grid_of_draws(draws, scores, facets, levels=levels)
    return analyse_grid(grid, gold=gold, gates=gates, title=title, settings=Settings(**settings))


def analyse_grid(
    grid: Grid,
    *,
    gold: npt.ArrayLike | None = None,
    gates: Mapping[str, Any] | Iterable[GateLike] = (),
    title: str = "",
    settings: Settings | None = None,
    methods: Methods | None = None,
    item_texts: Mapping[str, str] | None = None,
    prompt_texts: Mapping[str, str] | None = None,
) -> Analysis:
    """The analysis of a grid; what `analyse` and `analyse_arrays` come down to.

    >>> from constrained.consistency.analysis import grid_of_draws
    >>> analyse_grid(grid_of_draws([[[7, 5], [4, 4]]])).judges[0].quality.present
    2
    """
    chosen = settings or Settings()
    items = grid.levels["item"]
    truth = np.full(len(items), np.nan) if gold is None else as_scores(gold)
    if truth.shape != (len(items),):
        raise RecordError(
            f"gold scores of shape {truth.shape} do not fit {len(items)} items (NaN: no gold score)"
        )
    gaps = np.diff(as_scores(grid.scale))  # what is too large is refused
    if gaps.size and gaps.min() < SMALLEST:
        raise RecordError(
            f"scores {gaps.min():g} apart are too close to calculate with (at least {SMALLEST:g}; "
            "give them in a larger unit)"
        )
    wanted = as_gates(gates)
    parts = list(grid.judges())
    if not parts:
        raise RecordError("there is no cell to analyse (give at least one item and one prompt)")
    several = len({temperature for _, temperature, _ in parts}) > 1
    judges = tuple(
        judge_of(
            variant,
            temperature,
            part,
            truth,
            f"{variant}, T={temperature}" if several else variant,
            chosen,
            alone=len(parts) == 1,
        )
        for variant, temperature, part in parts
    )
    analysis = Analysis(
        title=title,
        items=items,
        prompts=grid.levels["prompt"],
        scale=grid.scale,
        pass_mark=None if chosen.pass_mark is None else float(chosen.pass_mark),
        gold=truth,
        gates=GateReport(()),
        judges=judges,
        across=components_over(grid, AXES, chosen.level) if len(judges) > 1 else None,
        methods=methods or Methods(chosen.replicates, chosen.seed, chosen.level, notes=NOTES),
        item_texts=item_texts or {},
        prompt_texts=prompt_texts or {},
    )
    return replace(analysis, gates=check(analysis, wanted))
