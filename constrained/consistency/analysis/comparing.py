"""Two runs side by side: differences paired by item, changed verdicts, what is not comparable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from constrained.consistency.analysis.results import Analysis, Judge, Room
from constrained.consistency.analysis.stored import analyse
from constrained.consistency.statistics import (
    Cells,
    Estimate,
    ResampledComponents,
    changed_verdicts,
    component_difference,
    item_flips,
    moves,
    paired_difference,
    pass_probability,
    unknown,
)
from constrained.consistency.statistics.estimate import Array, item_means
from constrained.consistency.store import Store
from constrained.errors import RecordError

__all__ = ["ChangedVerdict", "Comparison", "JudgeDifference", "compare"]

BUDGET = 200_000_000
"""Cells times replicates that one difference of components may cost."""


@dataclass(frozen=True, slots=True)
class ChangedVerdict:
    """An item on the other side of the pass mark: its mean score before and after, in points."""

    item: str
    before: float
    after: float

    @property
    def now_passes(self) -> bool:
        """Whether it passes in the second run."""
        return self.after > self.before


@dataclass(frozen=True, slots=True)
class JudgeDifference:
    """The second judge minus the first, over the items and rooms that both have.

    `mean`, `move`, `flip` are paired by item (points, points, 0 to 1); `gold_error` is the
    difference of the absolute distance to gold. `components` (points squared, by name), `phi` and
    `sem` (one draw, one room) come from the same resamples of items and rooms in both runs.
    `prompts` is the difference of the mean in every room. `verdicts` are the items that changed
    sides, `chance` how often so lopsided a change comes from nothing (McNemar's exact p).
    """

    first: str
    second: str
    items: int
    rooms: tuple[Room, ...]
    mean: Estimate
    move: Estimate
    flip: Estimate
    gold_error: Estimate
    components: tuple[tuple[str, Estimate], ...]
    phi: Estimate
    sem: Estimate
    prompts: tuple[tuple[Room, Estimate], ...]
    verdicts: tuple[ChangedVerdict, ...]
    chance: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one run to another.

    `only_first` and `only_second` are the items that the other run lacks; `differences` names in
    sentences what else keeps the runs from being alike: plans, rooms, scales, environments.
    """

    first: str
    second: str
    pass_mark: float | None
    items: tuple[str, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    differences: tuple[str, ...]
    judges: tuple[JudgeDifference, ...]


def compare(
    first: Analysis | Store | str | Path,
    second: Analysis | Store | str | Path,
    *,
    judges: Sequence[tuple[str, str]] | None = None,
    pass_mark: float | None = None,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    **settings: Any,
) -> Comparison:
    """The second run against the first, paired by item.

    `judges` are pairs of names, (of the first run, of the second); without it judges of the same
    name, or the only one of each. Comparing two judges of one run is ``compare(a, a,
    judges=[("base", "tuned")])``. `pass_mark` is that of the second run unless given; `settings`
    are for `analyse` when a store or path is given. Raises `RecordError` when the runs share no
    item or no judge.

    >>> from constrained.consistency.analysis import analyse_arrays
    >>> rooms = [[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.0, 1.0]]]  # items x prompts x scores
    >>> later = [[[0.5, 0.5], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]
    >>> found = compare(analyse_arrays(rooms, [0, 1]), analyse_arrays(later, [0, 1]))
    >>> round(found.judges[0].mean.value, 3)
    0.25
    """
    a, b = (
        run if isinstance(run, Analysis) else analyse(run, replicates=replicates, **settings)
        for run in (first, second)
    )
    mark = next((m for m in (pass_mark, b.pass_mark, a.pass_mark) if m is not None), None)
    there = set(b.items)
    items = tuple(item for item in a.items if item in there)
    if not items:
        raise RecordError("the two runs have no item in common (items are matched by their id)")
    pairs = [(a.judge(x), b.judge(y)) for x, y in judges or _same_judges(a, b)]
    here = set(a.items)
    return Comparison(
        a.title or "first run",
        b.title or "second run",
        mark,
        items,
        tuple(item for item in a.items if item not in there),
        tuple(item for item in b.items if item not in here),
        _differences(a, b, pairs),
        tuple(
            _judge_difference(a, b, x, y, items, mark, replicates, seed, level) for x, y in pairs
        ),
    )


def _same_judges(a: Analysis, b: Analysis) -> list[tuple[str, str]]:
    names = {judge.name for judge in b.judges}
    same = [(judge.name, judge.name) for judge in a.judges if judge.name in names]
    if not same and len(a.judges) == len(b.judges) == 1:
        same = [(a.judges[0].name, b.judges[0].name)]
    if not same:
        raise RecordError(
            f"the runs share no judge ({', '.join(j.name for j in a.judges)} here, "
            f"{', '.join(j.name for j in b.judges)} there; name pairs with `judges`)"
        )
    return same


def _changed(name: str, was: Any, now: Any) -> Iterator[str]:
    """What differs between two parts of the environments, one sentence for each."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in sorted({*was, *now}):
            yield from _changed(f"{name} {key}", was.get(key), now.get(key))
    elif was != now:
        before, after = ("none" if value in (None, []) else value for value in (was, now))
        yield f"{name}: {before} before, {after} now"


def _differences(a: Analysis, b: Analysis, pairs: Sequence[tuple[Judge, Judge]]) -> tuple[str, ...]:
    """What else differs between the runs, in sentences."""
    found = []
    if a.methods.plan_digest != b.methods.plan_digest:
        found.append("the plans differ")
    if a.scale != b.scale:
        found.append(
            f"the scales differ: {a.scale[0]:g} to {a.scale[-1]:g} with {len(a.scale)} scores, "
            f"{b.scale[0]:g} to {b.scale[-1]:g} with {len(b.scale)}"
        )
    if a.pass_mark != b.pass_mark:
        before, after = ("none" if m is None else f"{m:g}" for m in (a.pass_mark, b.pass_mark))
        found.append(f"the pass marks differ: {before} and {after}")
    for x, y in pairs:
        for one, other, which in ((x, y, "first"), (y, x, "second")):
            alone = [str(room) for room in one.rooms if room not in set(other.rooms)]
            if alone:
                found.append(f"rooms in the {which} run only: {', '.join(alone)}")
    for name in sorted({*a.methods.environment, *b.methods.environment}):
        if name != "command":
            was, now = a.methods.environment.get(name), b.methods.environment.get(name)
            found += _changed(name, was, now)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One judge over the common items and rooms; arrays (items, rooms)."""

    cells: Cells
    probabilities: Array
    scale: Array

    def passing(self, mark: float | None) -> Array:
        if mark is None:
            return np.full(self.cells.shape, np.nan)
        return pass_probability(self.probabilities, self.scale, mark)

    def moves(self) -> Array:
        """Each item's mean move to another room, one draw each."""
        return item_means(moves(self.probabilities, self.scale, self.cells.draws).between)


def _side(run: Analysis, judge: Judge, items: Sequence[str], rooms: Sequence[Room]) -> _Side:
    row_of = {item: row for row, item in enumerate(run.items)}
    rows = np.array([row_of[item] for item in items], dtype=np.intp)
    maps = {(h.format, h.order, h.numerics): h for h in judge.heat_maps}
    column_of = {prompt: column for column, prompt in enumerate(run.prompts)}

    def gathered(name: str) -> Array:
        columns = [
            getattr(maps[room.format, room.order, room.numerics], name)[
                rows, column_of[room.prompt]
            ]
            for room in rooms
        ]
        return np.stack(columns, axis=1)

    cells = Cells(gathered("mean"), gathered("sd") ** 2, gathered("error"), gathered("draws"))
    return _Side(cells, gathered("probabilities"), np.array(run.scale))


def _judge_difference(
    a: Analysis,
    b: Analysis,
    first: Judge,
    second: Judge,
    items: Sequence[str],
    mark: float | None,
    replicates: int,
    seed: int,
    level: float,
) -> JudgeDifference:
    rooms = tuple(room for room in first.rooms if room in set(second.rooms))
    if not rooms:
        raise RecordError(
            f"{first.name} and {second.name} share no room (rooms are matched by prompt, format, "
            "order and numerics)"
        )
    x, y = _side(a, first, items, rooms), _side(b, second, items, rooms)
    both = x.cells.present & y.cells.present
    before, after = (np.where(both, side.cells.mean, np.nan) for side in (x, y))
    replicates = min(replicates, max(100, BUDGET // max(both.size, 1)))

    longest = max(*a.scale, *b.scale) - min(*a.scale, *b.scale)

    def in_points(was: Array, now: Array) -> Estimate:
        return paired_difference(was, now, level=level).truncated(-longest, longest)

    def resampled(statistic: Any, most: float) -> Estimate:
        if min(both.any(axis=1).sum(), both.any(axis=0).sum()) < 2:
            return unknown("fewer than 2 items or 2 rooms in both runs")
        found = component_difference(
            x.cells, y.cells, statistic, replicates=replicates, seed=seed, level=level
        )
        return found.truncated(-most, most)

    flip, chance = unknown("no pass mark"), 1.0
    verdicts: tuple[ChangedVerdict, ...] = ()
    if mark is not None:
        flips = (item_flips(side.passing(mark)) for side in (x, y))
        flip = paired_difference(*flips, level=level).truncated(-1.0, 1.0)
        changed = changed_verdicts(before, after, mark)
        sides = np.sort(np.concatenate([changed.now_pass, changed.now_fail]))
        verdicts, chance = (
            _verdicts(items, sides, item_means(before), item_means(after)),
            changed.chance,
        )
    effects = ("item", "prompt", "interaction", "draw")
    names = ("item", "room", "item x room", "draw")
    return JudgeDifference(
        first.name,
        second.name,
        int(both.any(axis=1).sum()),
        rooms,
        in_points(before, after),
        in_points(x.moves(), y.moves()),
        flip,
        _gold_error(a, b, items, item_means(before), item_means(after), level).truncated(
            -longest, longest
        ),
        tuple(
            (name, resampled(lambda c, effect=effect: getattr(c, effect), longest**2 / 4.0))
            for name, effect in zip(names, effects, strict=True)
        ),
        resampled(lambda c: c.phi(1, 1), 1.0),
        resampled(_sem, longest / 2.0),
        tuple((room, in_points(before[:, i], after[:, i])) for i, room in enumerate(rooms)),
        verdicts,
        chance,
    )


def _sem(components: ResampledComponents) -> Array:
    """The standard error of measurement of one draw in one room."""
    total = components.prompt + components.interaction + components.draw
    root: Array = np.sqrt(np.maximum(total, 0.0))
    return root


def _verdicts(
    items: Sequence[str], rows: npt.NDArray[np.intp], before: Array, after: Array
) -> tuple[ChangedVerdict, ...]:
    return tuple(
        ChangedVerdict(items[row], float(before[row]), float(after[row])) for row in rows.tolist()
    )


def _gold_error(
    a: Analysis, b: Analysis, items: Sequence[str], before: Array, after: Array, level: float
) -> Estimate:
    """How much farther from gold the second run is, per item; gold of the second run first."""
    known = dict(zip(a.items, a.gold.tolist(), strict=True))
    known |= {i: g for i, g in zip(b.items, b.gold.tolist(), strict=True) if not np.isnan(g)}
    gold = np.array([known[item] for item in items])
    if np.isnan(gold).all():
        return unknown("no gold scores")
    return paired_difference(np.abs(before - gold), np.abs(after - gold), level=level)
