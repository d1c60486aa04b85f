"""Judgements in columns: read in any order, gathered into cells, a million of them in seconds.

Readers of all formats end here. Draws of one cell are gathered, what cannot be read stays a failure
with its reason and place, and what contradicts itself is an error that names both places.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constrained.consistency.importing.asked import Asked
from constrained.consistency.importing.imported import Imported
from constrained.consistency.importing.judgements import FACETS, ExactScores, Judgement
from constrained.consistency.importing.levels import Levels
from constrained.consistency.importing.records import Records
from constrained.consistency.records import Score
from constrained.errors import RecordError

__all__ = ["NAN", "Advice", "Gathering", "gather"]

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Advice:
    """What a tool's errors advise.

    `apart` says how to tell rooms apart; `noun` is what the tool calls an item, `example` a field
    that may name one.
    """

    apart: str
    noun: str
    example: str


class Gathering:
    """Judgements while they are read, row by row; `where` says where a row stands.

    A draw of -1 counts in the order of the rows; a score that is NaN is none; `second` has a number
    for pairs of scores, and stays empty while there is none.
    """

    def __init__(
        self,
        where: Callable[[int], str],
        named: dict[str, Callable[[Any], Any]] | None = None,
    ) -> None:
        self.where = where
        named = named or {}
        self.levels = {f: Levels(f, named.get(f, _as_it_is), where) for f in FACETS}
        self.codes = {facet: array("i") for facet in FACETS}
        self.scores = array("d")
        self.second = array("d")
        self.draws = array("q")
        self.texts: dict[int, str] = {}
        self.failures: dict[int, str] = {}
        self.prompt_texts: dict[int, str] = {}
        self.exact: dict[int, ExactScores] = {}
        self._gold: dict[int, tuple[float, int]] = {}

    def __len__(self) -> int:
        return len(self.scores)

    def add_scores(self, scores: Iterable[float], second: Iterable[float] | None = None) -> None:
        """Add the scores of some rows; those of pairs with their second ones."""
        before = len(self.scores)
        self.scores.extend(scores)
        if second is not None:
            self.second.extend([NAN] * (before - len(self.second)))
            self.second.extend(second)

    def keep_gold(self, item: int, value: float, row: int) -> None:
        """Note an item's gold score, which has to be the same wherever it is given."""
        known, first = self._gold.setdefault(item, (value, row))
        if known != value:
            raise RecordError(
                f"{self.where(row)}: item {self.levels['item'].names[item]!r} has the gold score "
                f"{value:g} here and {known:g} at {self.where(first)}; an item has one"
            )

    def gathered(
        self, source: str, *, scale: Collection[Score] = (), notes: Iterable[str] = ()
    ) -> Imported:
        """The records of everything that was read.

        Scores that are not on `scale` (when there is one) are failures. Raises `RecordError` when
        two rows claim the same draw of a cell, and when there is nothing at all.
        """
        if not len(self):
            raise RecordError(f"{source}: there is no score in it")
        allowed = tuple(sorted({_plain(point) for point in scale}))
        scores = np.frombuffer(self.scores, dtype=np.float64) + 0.0  # no -0.0
        second = None
        if self.second:
            self.second.extend([NAN] * (len(self) - len(self.second)))
            second = np.frombuffer(self.second, dtype=np.float64)
        self._apply_scale(scores, second, allowed)
        cell = self._cells()
        rows, starts, index = self._ordered(cell)
        records = Records(
            names={facet: tuple(self.levels[facet].names) for facet in FACETS},
            codes={f: np.frombuffer(self.codes[f], dtype=np.int32) for f in FACETS},
            rows=rows,
            starts=starts,
            numbers=index,
            scores=scores,
            second=second,
            texts=self.texts,
            failures=self.failures,
            prompt_texts=self.prompt_texts,
            exact=self.exact,
            scale=allowed,
        )
        gold = {self.levels["item"].names[item]: value for item, (value, _) in self._gold.items()}
        return Imported(records, source, gold, allowed, (*self._broken(), *notes))

    def _apply_scale(
        self,
        scores: NDArray[np.float64],
        second: NDArray[np.float64] | None,
        scale: tuple[Score, ...],
    ) -> None:
        """Turn scores that are not on the scale into failures."""
        if scale:
            points = [point for point in scale if not isinstance(point, tuple)]
            off = ~np.isin(scores, points) & ~np.isnan(scores)
            if second is not None:
                off |= ~np.isin(second, points) & ~np.isnan(second)
            for row in np.flatnonzero(off).tolist():
                exact = self.exact.get(row)
                if exact is not None and exact.local is not None:
                    continue
                pair = second is not None and not np.isnan(second[row])
                said = f"({scores[row]:g}, {second[row]:g})" if pair else f"{scores[row]:g}"  # type: ignore[index]
                self.failures[row] = f"{said} is not on the scale {_ends(scale)}"
                scores[row] = NAN
        for row in np.flatnonzero(np.isnan(scores)).tolist():
            self.failures.setdefault(row, "no score")

    def _broken(self) -> Iterable[str]:
        """The note on judgements without a score."""
        if self.failures:
            first = min(self.failures)
            yield (
                f"{len(self.failures)} of {len(self)} judgements hold no score and count as "
                f"failures, never as numbers; the first is {self.where(first)}: "
                f"{self.failures[first]}"
            )

    def _cells(self) -> NDArray[np.int64]:
        """The number of each row's cell; cells in the order in which they appear."""
        combined = np.zeros(len(self), dtype=np.int64)
        many = 1
        for facet in FACETS:
            count = len(self.levels[facet].names)
            if many * count >= 2**62:
                _, combined = np.unique(combined, return_inverse=True)
                many = len(self)
            combined = combined * count + np.frombuffer(self.codes[facet], dtype=np.int32)
            many *= count
        _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[inverse]

    def _ordered(
        self, cell: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Rows by cell and draw, where each cell begins among them, and the draw of each."""
        rows = np.argsort(cell, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(cell))])
        position = np.arange(len(rows)) - np.repeat(starts[:-1], np.diff(starts))
        given = np.frombuffer(self.draws, dtype=np.int64)
        if (given < 0).all():
            index = position
        else:
            index = np.where(given[rows] < 0, position, given[rows])
            order = np.lexsort([rows, index, cell[rows]])
            rows, index = rows[order], index[order]
        for first, again in self._exact_twice(rows, starts):
            raise self._twice(again, first, "its distribution")
        ordered = cell[rows]
        twice = np.flatnonzero((ordered[1:] == ordered[:-1]) & (index[1:] == index[:-1]))
        if len(twice):
            at = twice[np.argmin(rows[twice + 1])]
            raise self._twice(int(rows[at + 1]), int(rows[at]), f"draw {index[at]}")
        return rows, starts, index

    def _exact_twice(
        self, rows: NDArray[np.int64], starts: NDArray[np.int64]
    ) -> Iterable[tuple[int, int]]:
        """(first row, next row) of cells that are more than one distribution."""
        if self.exact:
            for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
                exact = self.exact.get(int(rows[first]))
                if exact is not None and exact.local is not None and last - first > 1:
                    yield int(rows[first]), int(rows[first + 1])

    def _twice(self, again: int, first: int, what: str) -> RecordError:
        item, prompt, variant = (
            self.levels[facet].names[self.codes[facet][again]]
            for facet in ("item", "prompt", "variant")
        )
        return RecordError(
            f"{self.where(again)}: {what} of item {item!r}, prompt {prompt!r}, variant {variant!r} "
            f"stands here and at {self.where(first)} already; number the draws of a cell, or tell "
            "its levels apart"
        )


def gather(
    judgements: Iterable[Judgement],
    source: str,
    *,
    advice: Advice,
    scale: Collection[Score] = (),
    notes: Iterable[str] = (),
    ignore: Sequence[str] = (),
) -> Imported:
    """The records of some judgements, one by one.

    Raises `RecordError` as `Gathering.gathered` does, when an item has two gold scores, and when
    two judgements of one room or cell asked in different ways (what is named in `ignore` may
    differ), or one item is two.
    """
    places: list[str] = []
    gathering = Gathering(places.__getitem__)
    rooms, cells = Asked(advice.apart, ignore), Asked(advice.apart, ignore)
    subjects: dict[str, tuple[str, str]] = {}
    for row, one in enumerate(judgements):
        places.append(one.where)
        address = one.address
        for facet in FACETS:
            name = getattr(address, facet)
            said = one.written if facet == "item" and one.written is not None else name
            gathering.codes[facet].append(gathering.levels[facet].code(name, said, row))
        room = (address.prompt, address.format, address.variant, address.temperature)
        rooms.add(room, one.settings, one.where)
        cells.add(address, one.asked, one.where)
        if one.subject:
            subject, first = subjects.setdefault(address.item, (one.subject, one.where))
            if subject != one.subject:
                raise RecordError(
                    f"{one.where}: {address.item!r} is another {advice.noun} than at {first}; "
                    f"choose with item= what names a {advice.noun} in every file, for example "
                    f"item={advice.example!r}"
                )
        _enter(gathering, one, row)
    unknown = sorted(set(ignore) - rooms.seen - cells.seen)
    if unknown and places:
        raise RecordError(f"there is nothing called {unknown[0]!r} to ignore in {source}")
    return gathering.gathered(source, scale=scale, notes=notes)


def _enter(gathering: Gathering, one: Judgement, row: int) -> None:
    """Add what a judgement says, apart from its levels."""
    score = NAN if one.score is None else one.score
    if isinstance(score, tuple):
        gathering.add_scores([score[0]], [score[1]])
    else:
        gathering.add_scores([score], [NAN] if gathering.second else None)
    gathering.draws.append(-1 if one.draw is None else one.draw)
    if one.text:
        gathering.texts[row] = one.text
    if one.failure:
        gathering.failures[row] = one.failure
    if one.prompt_text:
        gathering.prompt_texts[row] = one.prompt_text
    if one.exact is not None:
        gathering.exact[row] = one.exact
    if one.gold is not None:
        gathering.keep_gold(gathering.codes["item"][row], one.gold, row)


def _plain(point: Any) -> Score:
    """A point of a scale as Python's own number; numpy's are not written as JSON."""
    return int(point) if isinstance(point, Integral) else float(point)


def _as_it_is(value: Any) -> Any:
    return value


def _ends(scale: tuple[Score, ...]) -> str:
    """A scale in short: its ends and how many scores it has."""
    low, high = (
        f"{end:g}" if isinstance(end, float | int) else str(end) for end in (scale[0], scale[-1])
    )
    return f"({low} to {high}, {len(scale)} scores)"
