"""One judge: from its cells to everything that is said of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from constrained.consistency.analysis.grid import AXES, KINDS, MISSING, ROOM_AXES, Grid
from constrained.consistency.analysis.headline import headline
from constrained.consistency.analysis.marks import (
    NO_DRAWS,
    NO_PAIR,
    flip_again,
    flip_rate,
    pass_marks,
)
from constrained.consistency.analysis.numerics import numerics_of
from constrained.consistency.analysis.pairs import pairwise
from constrained.consistency.analysis.results import (
    Agreement,
    HeatMap,
    Judge,
    Quality,
    Room,
    Summary,
)
from constrained.consistency.analysis.rooms import (
    bounded_replicates,
    flakiest_items,
    gold_agreement,
    room_rows,
)
from constrained.consistency.analysis.study import study
from constrained.consistency.statistics import (
    DRAW,
    Cells,
    DependabilityEstimates,
    Estimate,
    Moves,
    VarianceComponents,
    dependability_estimates,
    draw_index_share,
    effective_draws,
    exact_alpha,
    item_spread,
    moves,
    over_cells,
    over_move,
    pair_flips,
    pass_probability,
    possible_sem,
    unknown,
    variance_components,
)
from constrained.consistency.statistics.estimate import Array
from constrained.errors import RecordError

JUDGES = (AXES.index("variant"), AXES.index("temperature"))
"""The axes that a judge has one level of."""

Dependabilities: TypeAlias = tuple[DependabilityEstimates, DependabilityEstimates]
Places: TypeAlias = npt.NDArray[np.intp]

__all__ = ["Settings", "components_over", "judge_of"]

MOST_NAMED = 20
"""Missing cells that are named one by one."""

NO_MARK = "no pass mark"


@dataclass(frozen=True, slots=True)
class Settings:
    """How an analysis is made; docs/reference/analysis.md has the table.

    `noun` is what an item is called in sentences. Raises `RecordError` for a number that makes no
    sense.

    >>> Settings(pass_mark=6, noun="essay").level
    0.95
    >>> Settings(level=95)
    Traceback (most recent call last):
        ...
    constrained.errors.RecordError: level=95 is not between 0 and 1
    """

    pass_mark: float | None = None
    replicates: int = 1000
    seed: int = 0
    level: float = 0.95
    target: float = 0.9
    flakiest: int = 20
    fixed_rooms: bool = False
    noun: str = "item"

    def __post_init__(self) -> None:
        for name in ("level", "target"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise RecordError(f"{name}={getattr(self, name)} is not between 0 and 1")
        for name in ("replicates", "flakiest"):
            if getattr(self, name) < 0:
                raise RecordError(f"{name}={getattr(self, name)} is below 0")
        if self.pass_mark is not None and not math.isfinite(self.pass_mark):
            raise RecordError(
                f"a pass mark of {self.pass_mark} is no score (leave it out for none)"
            )


def judge_of(
    variant: str,
    temperature: str,
    grid: Grid,
    gold: Array,
    name: str,
    settings: Settings,
    *,
    alone: bool = True,
) -> Judge:
    """Everything about one judge; `grid` has one variant and one temperature.

    `gold` is (items,), NaN where there is none. A judge that is not `alone` is named in its
    sentence.
    """
    rooms, used = _rooms(grid)
    scale = np.array(grid.scale)
    cells = Cells(*(_by_room(a, used) for a in _arrays(grid.cells)))
    probabilities = _by_room(grid.probabilities, used)
    removed = _by_room(grid.removed_mass, used)
    draws = effective_draws(cells, probabilities, scale)
    mark, level, fixed = settings.pass_mark, settings.level, settings.fixed_rooms
    passing = np.full(cells.shape, np.nan)
    if mark is not None:
        passing = pass_probability(probabilities, scale, mark)
    moved = moves(probabilities, scale, draws)
    components = components_over(grid, ("item", *ROOM_AXES), level)
    # With holes, more than two facets are Method I; rooms as one facet are fitted (Method III).
    of_rooms = components
    if len(components.facets) > 2 and not components.balanced:
        of_rooms = variance_components(cells, level=level, scale=_ends(grid))
    dependabilities = _dependability(of_rooms, settings)
    agreement = _agreement(dependabilities, probabilities, scale, settings)
    summary = _summary(moved, cells, passing, draws, scale, dependabilities, settings)
    numerics = numerics_of(grid, mark, level)
    sentence = headline(
        summary,
        items=int((~np.isnan(moved.between)).any(axis=1).sum()),
        scores=scale.size,
        pass_mark=mark,
        noun=settings.noun,
        numerics=numerics,
        judge="" if alone else name,
    )
    exact = bool(np.isinf(cells.draws[cells.present]).all()) and bool(cells.present.any())
    return Judge(
        name=name,
        variant=variant,
        temperature=float(temperature),
        rooms=rooms,
        summary=replace(summary, sentence=sentence),
        components=components,
        agreement=agreement,
        heat_maps=_heat_maps(grid, used, mark),
        flakiest=flakiest_items(
            grid.levels["item"],
            rooms,
            cells.mean,
            moved.between,
            pair_flips(passing),
            gold,
            settings.flakiest,
        ),
        prompts=room_rows(
            rooms,
            cells.mean,
            probabilities,
            scale,
            passing,
            removed,
            gold,
            replicates=settings.replicates,
            seed=settings.seed,
            level=level,
        ),
        marks=pass_marks(probabilities, scale, draws, mark, level=level, fixed_rooms=fixed),
        study=study(
            of_rooms,
            exact=exact,
            target=settings.target,
            seconds=_mean(grid.seconds),
            level=level,
            most=float(scale[-1] - scale[0]) / 2.0,
        ),
        gold=gold_agreement(
            cells.mean,
            probabilities,
            scale,
            gold,
            replicates=settings.replicates,
            seed=settings.seed,
            level=level,
        ),
        pairwise=pairwise(grid, level),
        quality=_quality(grid, rooms, used, mark),
        numerics=numerics,
    )


def components_over(grid: Grid, axes: tuple[str, ...], level: float) -> VarianceComponents:
    """Components of the named axes; those with one level drop out, but for item and prompt."""
    kept = [name for name in axes if name in ("item", "prompt") or grid.shape[AXES.index(name)] > 1]
    shape = tuple(grid.shape[AXES.index(name)] for name in kept)
    return variance_components(
        Cells(*(a.reshape(shape) for a in _arrays(grid.cells))),
        kept,
        level=level,
        scale=_ends(grid),
    )


def _ends(grid: Grid) -> tuple[float, float]:
    """The lowest and the highest score."""
    return grid.scale[0], grid.scale[-1]


def _arrays(cells: Cells) -> tuple[Array, Array, Array, Array]:
    return cells.mean, cells.variance, cells.error, cells.draws


def _rooms(grid: Grid) -> tuple[tuple[Room, ...], Places]:
    """The rooms that have a cell or should have one, and which of all rooms (flat) they are."""
    every = [Room(*names) for names in product(*(grid.levels[axis] for axis in ROOM_AXES))]
    asked = (grid.wanted | grid.cells.present).any(axis=(0, *JUDGES)).reshape(-1)
    used = np.nonzero(asked)[0]
    return tuple(every[place] for place in used.tolist()), used


def _by_room(array: Array, used: Places) -> Array:
    """(items, rooms, ...) of an array over all axes; a view when every room is used."""
    rooms = math.prod(array.shape[1 : JUDGES[0]])
    flat = array.reshape(array.shape[0], rooms, *array.shape[len(AXES) :])
    return flat if used.size == rooms else flat[:, used]


def _summary(
    moved: Moves,
    cells: Cells,
    passing: Array,
    draws: Array,
    scale: Array,
    found: Dependabilities,
    settings: Settings,
) -> Summary:
    level, fixed, mark = settings.level, settings.fixed_rooms, settings.pass_mark
    most = float(scale[-1] - scale[0])
    # Before they are kept to the scale: a move ends elsewhere than they do.
    sem, sem_expected = (unknown("") if fixed else one.sem for one in found)
    move = over_move(moved.between, sem, NO_PAIR, level=level, most=most)
    again = over_cells(moved.within, NO_DRAWS, level=level, most=most, these_prompts=fixed)
    apart = item_spread(cells.mean).move[:, None]
    expected = over_move(apart, sem_expected, NO_PAIR, level=level, most=most)
    if expected.known and bool((cells.present & (cells.error != 0)).any()):
        note = "the means of a few draws differ by chance too, so this is too high"
        expected = replace(expected, reason="; ".join(filter(None, [expected.reason, note])))
    flip = flip_same = unknown(NO_MARK)
    if mark is not None:
        flip = flip_rate(passing, level=level, fixed_rooms=fixed)
        flip_same = flip_again(passing, draws, level=level, fixed_rooms=fixed)
    return Summary("", move, again, expected, flip, flip_same)


def _dependability(components: VarianceComponents, settings: Settings) -> Dependabilities:
    """Of one draw in one room, and of one room's expected score (endless draws)."""
    one = {name: 1.0 for name in components.facets if name != "item"}
    drawn, expected = (
        dependability_estimates(
            components, {**one, DRAW: draws}, level=settings.level, seed=settings.seed
        )
        for draws in (1.0, math.inf)
    )
    return drawn, expected


def _agreement(
    found: Dependabilities, probabilities: Array, scale: Array, settings: Settings
) -> Agreement:
    drawn, expected = found
    ends = (float(scale[0]), float(scale[-1]))
    replicates = bounded_replicates(settings.replicates, probabilities.shape[0])
    agreed = exact_alpha(
        probabilities, scale, replicates=replicates, seed=settings.seed, level=settings.level
    )
    phi, ranking, phi_expected = (  # with a negative item variance they are below 0
        one.truncated(0.0, 1.0) for one in (drawn.phi, drawn.generalizability, expected.phi)
    )
    sem, sem_expected = (possible_sem(one.sem, ends) for one in found)
    return Agreement(sem, phi, ranking, sem_expected, phi_expected, agreed)


def _heat_maps(grid: Grid, used: Places, mark: float | None) -> tuple[HeatMap, ...]:
    """One per format, order and numerical room that has a room."""
    sizes = grid.shape[1 : JUDGES[0]]
    _, *rest = (place.tolist() for place in np.unravel_index(used, sizes))
    places = set(zip(*rest, strict=True))
    scale = np.array(grid.scale)
    maps = []
    for f, o, n in sorted(places):
        at = (slice(None), slice(None), f, o, n, 0, 0)
        p = grid.probabilities[at]
        mean = grid.cells.mean[at]
        passing = np.full(mean.shape, np.nan)
        if mark is not None:
            passing = pass_probability(p, scale, mark)
        maps.append(
            HeatMap(
                grid.levels["format"][f],
                grid.levels["order"][o],
                mean,
                np.sqrt(grid.cells.variance[at]),
                p,
                grid.cells.draws[at],
                grid.cells.error[at],
                passing,
                grid.removed_mass[at],
                {(i, q): s for (i, q, *rest), s in grid.texts.items() if rest[:3] == [f, o, n]},
                grid.levels["numerics"][n],
            )
        )
    return tuple(maps)


def _quality(grid: Grid, rooms: tuple[Room, ...], used: Places, mark: float | None) -> Quality:
    present = grid.cells.present
    counts = np.bincount(grid.kind.reshape(-1), minlength=MISSING + 1)
    lost = _by_room((grid.wanted & ~present).astype(np.float64), used)
    items = grid.levels["item"]
    missing = tuple(f"{items[i]}, {rooms[r]}" for i, r in np.argwhere(lost)[:MOST_NAMED].tolist())
    removed = grid.removed_mass[present & ~np.isnan(grid.removed_mass)]
    floor = grid.numerics_floor[present & ~np.isnan(grid.numerics_floor)]
    share = unknown("no draws")
    if grid.draws is not None and not bool(np.isnan(grid.draws).all()):
        share = draw_index_share(_by_room(grid.draws, used))
    failures = dict(next(iter(grid.failures.values()), {}))
    return Quality(
        planned=int((grid.wanted | present).sum()),
        present=int(present.sum()),
        kinds={kind: int(n) for kind, n in zip(KINDS, counts, strict=False) if n},
        missing_cells=missing,
        failures=failures,
        removed_mass=float(removed.mean()) if removed.size else math.nan,
        removed_mass_most=float(removed.max()) if removed.size else math.nan,
        numerics_floor=float(floor.max()) if floor.size else math.nan,
        seed_share=share,
        seconds=_total(grid.seconds),
        prompt_tokens=int(_total(grid.prompt_tokens)) if grid.prompt_tokens is not None else 0,
        notes=_notes(grid, rooms, share, mark),
    )


def _notes(
    grid: Grid, rooms: tuple[Room, ...], share: Estimate, mark: float | None
) -> tuple[str, ...]:
    """What a reader should know before believing the numbers."""
    notes = []
    items = int(grid.cells.present.any(axis=tuple(range(1, len(AXES)))).sum())
    if items < 10:
        notes.append(f"only {items} item{'s' * (items != 1)}: intervals are wide (use 30 or more)")
    asked = len(
        {(room.prompt, room.format, room.order) for room in rooms}
    )  # arithmetic asks nothing
    if asked < 5:
        how_many = f"{asked} room{'s' * (asked != 1)}"
        notes.append(f"only {how_many}: what other rooms do is a guess (use 5 or more)")
    if items and mark is not None and not grid.scale[0] < mark <= grid.scale[-1]:
        which = "no" if mark > grid.scale[-1] else "every"
        notes.append(f"{which} score here reaches the pass mark {mark:g}: nothing can flip")
    if _never_differ(grid):
        notes.append(
            "all draws of a cell are equal, in every cell: the model is sure of each answer, or "
            "the server that was asked always takes the likeliest token"
        )
    if share.known and share.value > 0.1:
        notes.append("draws with the same index agree across cells: were seeds reused?")
    return tuple(notes)


def _never_differ(grid: Grid) -> bool:
    """Whether cells were drawn again and again, and never with another score."""
    drawn = grid.cells.present & (grid.kind == KINDS.index("sampled")) & (grid.cells.draws > 1)
    again = float((grid.cells.draws[drawn] - 1).sum())
    return again >= ENOUGH_AGAIN and not grid.cells.variance[drawn].any()


ENOUGH_AGAIN = 10
"""Draws beyond the first of their cell, from which on it is remarkable that none differs."""


def _mean(values: Array | None) -> float:
    known = values[~np.isnan(values)] if values is not None else np.zeros(0)
    return float(known.mean()) if known.size else math.nan


def _total(values: Array | None) -> float:
    return float(np.nansum(values)) if values is not None else math.nan
