"""`Grid`: all cells of a run in one array, whatever they were made from; what an analysis reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from constrained.consistency.statistics import Cells, exact_cells, sampled_cells
from constrained.consistency.statistics.cells import check_probabilities
from constrained.consistency.statistics.estimate import Array
from constrained.errors import RecordError

__all__ = [
    "AXES",
    "JUDGE_AXES",
    "KINDS",
    "MISSING",
    "MOST_NUMBERS",
    "ROOM_AXES",
    "Grid",
    "grid_of_draws",
    "grid_of_exact",
]

ROOM_AXES = ("prompt", "format", "order", "numerics")
JUDGE_AXES = ("variant", "temperature")
AXES = ("item", *ROOM_AXES, *JUDGE_AXES)

KINDS = ("exact", "sampled", "mode", "reasoned", "imported")
MISSING = len(KINDS)
"""In `Grid.kind`: no such cell."""

ALONE = {"format": "plain", "order": "", "numerics": "", "variant": "model", "temperature": "1"}
"""The name of the only level of an axis that was not given; those of `records.Address`."""

MOST_NUMBERS = 150_000_000
"""Cells times scores that a grid may hold (1.2 GB)."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Grid:
    """Cells over the axes `AXES`, with the distribution of each on the whole scale.

    `levels` names the levels of every axis; `scale` are the scores, ascending. `probabilities` has
    all axes and the scores; `removed_mass` and `numerics_floor` all axes, NaN where not
    known; `kind` is an index into `KINDS`, `MISSING` for no cell; `wanted` says which cells the
    plan asked for. `joint` are the joint distributions of pairwise judging over `joint_scale`, (all
    axes, score of the first answer shown, score of the second).
    """

    levels: Mapping[str, tuple[str, ...]]
    scale: tuple[float, ...]
    cells: Cells
    probabilities: Array
    removed_mass: Array
    numerics_floor: Array
    kind: npt.NDArray[np.uint8]
    wanted: npt.NDArray[np.bool_]
    joint: Array | None = None
    joint_scale: tuple[float, ...] = ()
    failures: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)
    texts: Mapping[tuple[int, ...], tuple[str, ...]] = field(default_factory=dict)
    seconds: Array | None = None
    prompt_tokens: Array | None = None
    draws: Array | None = None
    """Scores of single draws, (all axes, draws), where they are at hand: to find reused seeds."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Levels of every axis."""
        return self.cells.shape

    def judges(self) -> Iterator[tuple[str, str, Grid]]:
        """(variant, temperature, its cells) of every judge that has any, in order."""
        for v, variant in enumerate(self.levels["variant"]):
            for t, temperature in enumerate(self.levels["temperature"]):
                part = self._judge(v, t)
                if part.wanted.any() or part.cells.present.any():
                    yield variant, temperature, part

    def _judge(self, v: int, t: int) -> Grid:
        """The cells of one judge; axes stay, with one level for variant and temperature."""
        at = (*[slice(None)] * (1 + len(ROOM_AXES)), slice(v, v + 1), slice(t, t + 1))

        def cut(array: Array) -> Array:
            return array[at]

        def cut_if(array: Array | None) -> Array | None:
            return None if array is None else cut(array)

        c = self.cells
        names = (self.levels["variant"][v], self.levels["temperature"][t])
        levels = {**self.levels, "variant": (names[0],), "temperature": (names[1],)}
        texts = {(*at[:-2], 0, 0): said for at, said in self.texts.items() if at[-2:] == (v, t)}
        return replace(
            self,
            levels=levels,
            cells=Cells(cut(c.mean), cut(c.variance), cut(c.error), cut(c.draws)),
            probabilities=cut(self.probabilities),
            removed_mass=cut(self.removed_mass),
            numerics_floor=cut(self.numerics_floor),
            kind=self.kind[at],
            wanted=self.wanted[at],
            joint=cut_if(self.joint),
            failures={names: self.failures.get(names, {})},
            texts=texts,
            seconds=cut_if(self.seconds),
            prompt_tokens=cut_if(self.prompt_tokens),
            draws=cut_if(self.draws),
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{n} {name}" for name, n in zip(AXES, self.shape, strict=True))
        return f"Grid({sizes}; {self.cells!r})"


def grid_of_exact(
    probabilities: npt.ArrayLike,
    scores: Sequence[float] | Array,
    facets: Sequence[str] = ("item", "prompt"),
    *,
    levels: Mapping[str, Sequence[str]] | None = None,
    removed_mass: npt.ArrayLike | None = None,
) -> Grid:
    """A grid of exact distributions: `probabilities` (facets..., scores), NaN in a missing cell.

    `facets` names the axes in any order, of `AXES`; `levels` the levels of some of them;
    `removed_mass` has the shape of the facets. Raises `RecordError` for what is no distribution.

    >>> grid_of_exact([[[0.5, 0.5], [1, 0]]], scores=[0, 1]).cells
    Cells(1 x 2 x 1 x 1 x 1 x 1 x 1: 2 exact)
    """
    p, values = check_probabilities(probabilities, scores)
    order = np.argsort(values, kind="stable")
    p = _spread_out(p if bool((order == np.arange(order.size)).all()) else p[..., order], facets)
    cells = exact_cells(p, values[order])
    removed = np.full(cells.shape, np.nan)
    if removed_mass is not None:
        given = np.asarray(removed_mass, dtype=np.float64)
        removed = _spread_out(given[..., None], facets)[..., 0]
    return _grid(p, values[order], cells, "exact", facets, levels, removed)


def grid_of_draws(
    draws: npt.ArrayLike,
    scores: Sequence[float] | Array | None = None,
    facets: Sequence[str] = ("item", "prompt"),
    *,
    levels: Mapping[str, Sequence[str]] | None = None,
    kind: str = "sampled",
) -> Grid:
    """A grid of sampled scores: `draws` (facets..., draws), NaN where a draw is missing.

    `scores` is the whole scale; without it, the scores that occur. `kind` is "sampled" or
    "imported". Raises `RecordError` for a score that is not on the scale.

    >>> grid_of_draws([[[7, 5], [4, 4]]], scores=range(11)).cells.mean.squeeze().tolist()
    [6.0, 4.0]
    """
    d = _spread_out(np.asarray(draws, dtype=np.float64), facets)
    seen = ~np.isnan(d)
    occurring = np.unique(d[seen])
    values = occurring if scores is None else np.unique(np.asarray(scores, dtype=np.float64))
    if not values.size:
        values = np.zeros(1)
    off = occurring[~np.isin(occurring, values)]
    if off.size:
        raise RecordError(
            f"score {off[0]:g} is not on the scale {values[0]:g} to {values[-1]:g} (pass the whole "
            "scale, or drop such scores)"
        )
    flat, present = d.reshape(-1, d.shape[-1]), seen.reshape(-1, d.shape[-1])
    if flat.shape[0] * values.size > MOST_NUMBERS:
        raise RecordError(
            f"{flat.shape[0]:,} cells on {values.size:,} different scores are more than "
            f"{MOST_NUMBERS:,} numbers (round the scores to a coarser scale)"
        )
    rows = np.nonzero(present)[0]
    keys = rows * values.size + np.searchsorted(values, flat[present])
    counts = np.bincount(keys, minlength=flat.shape[0] * values.size)
    table = counts.reshape(flat.shape[0], values.size).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        table /= table.sum(axis=1, keepdims=True)  # 0 / 0: a missing cell
    p = table.reshape(*d.shape[:-1], values.size)
    cells = sampled_cells(d)
    return replace(
        _grid(p, values, cells, kind, facets, levels, np.full(cells.shape, np.nan)), draws=d
    )


def _spread_out(array: Array, facets: Sequence[str]) -> Array:
    """The axes of `facets` in the order of `AXES` (length 1 where not given), then the last."""
    names = tuple(facets)
    strange = [name for name in names if name not in AXES]
    if strange or len(set(names)) < len(names) or array.ndim != len(names) + 1:
        raise RecordError(
            f"an array of shape {array.shape} does not have the axes {', '.join(names)} and one "
            f"for the scores or draws (facets are {', '.join(AXES)})"
        )
    given = [names.index(name) for name in AXES if name in names]
    moved = array.transpose(*given, array.ndim - 1)
    sizes = iter(moved.shape)
    return moved.reshape(*(next(sizes) if name in names else 1 for name in AXES), array.shape[-1])


def _grid(
    p: Array,
    values: Array,
    cells: Cells,
    kind: str,
    facets: Sequence[str],
    levels: Mapping[str, Sequence[str]] | None,
    removed: Array,
) -> Grid:
    named: dict[str, tuple[str, ...]] = {}
    for name, size in zip(AXES, cells.shape, strict=True):
        given = (levels or {}).get(name)
        if given is not None:
            named[name] = tuple(str(level) for level in given)
        elif name in facets or name not in ALONE:
            named[name] = tuple(f"{name} {i + 1}" for i in range(size))
        else:
            named[name] = (ALONE[name],)
        if len(named[name]) != size or len(set(named[name])) != size:
            raise RecordError(
                f"{len(set(named[name]))} different names for {size} levels of {name} (every level "
                "needs its own)"
            )
    if "temperature" in facets and "temperature" not in (levels or {}):
        raise RecordError("an axis of temperatures needs levels={'temperature': [...]}")
    present = cells.present
    code = np.where(present, KINDS.index(kind), MISSING).astype(np.uint8)
    return Grid(
        named,
        tuple(float(v) for v in values),
        cells,
        p,
        removed,
        np.full(cells.shape, np.nan),
        code,
        np.ones(cells.shape, dtype=np.bool_),
    )
