"""`Columns`: all cells of a store as numpy arrays, a million of them in seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constrained.consistency.records import Score
from constrained.consistency.statistics.cells import Cells
from constrained.consistency.store.names import FACETS, read_levels, read_supports
from constrained.consistency.store.rows import KINDS, cell_checksum, draw_checksum
from constrained.consistency.store.schema import damaged, decoding
from constrained.errors import RecordError

__all__ = ["CELL_COLUMNS", "Columns", "read_columns"]

Floats = NDArray[np.float64]
CHUNK = 20_000
"""Rows turned into arrays at a time."""

ORDER = ("item", "prompt", "format", "variant", "temperature", "order", "numerics")
"""By what the rows are sorted."""

CELL_COLUMNS = (
    "key, item, prompt, format, variant, ordering, temperature, kind, support, local, free, "
    "removed_mass, numerics_floor, text, prompt_tokens, seconds, notes, draws, numerics, arithmetic"
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Columns:
    """All cells of a run, one row each; n is the number of cells, m of draws, K of scores.

    Rows are sorted by item, prompt, format, variant, temperature, order and numerics (the codes
    of each facet, and those are in the order of `names`), so equal runs give equal columns, in
    whatever order their cells were scored.

    Scores of pairwise judgements are pairs: `support`, `mean`, `variance`, `error` and `draw_mean`
    then have a last axis of 2 (first answer shown, second answer shown).
    """

    names: Mapping[str, tuple[Any, ...]]
    """The levels of item, prompt, format, variant, temperature (floats), order and numerics,
    sorted."""
    codes: Mapping[str, NDArray[np.int32]]
    """For each facet the place in `names` of every cell; shape (n,)."""
    kind: NDArray[np.int8]
    """The place in `constrained.consistency.store.KINDS`; shape (n,)."""
    support: Floats
    """Every score that some cell's format allows, ascending; shape (K,)."""
    local: Floats
    """Probability of each score under masked sampling, 0 for scores that the cell's own format
    does not have, NaN for a cell without a distribution; shape (n, K)."""
    free: Floats
    """The same under the free model given that it answers in the format; shape (n, K), or (0, K)
    when no cell has it."""
    mean: Floats
    """Mean score; NaN when there is none; shape (n,)."""
    variance: Floats
    """Variance of one draw; NaN when unknown (fewer than two draws); shape (n,)."""
    error: Floats
    """Variance of `mean` as an estimate: 0 for exact cells; shape (n,)."""
    draws: Floats
    """Draws with a score: inf for exact and mode cells; shape (n,)."""
    failures: NDArray[np.int32]
    """Draws without a score; shape (n,)."""
    removed_mass: Floats
    """Probability that the mask took away, in [0, 1]; NaN when unknown; shape (n,)."""
    numerics_floor: Floats
    """How far probabilities may be off; NaN when unknown; shape (n,)."""
    prompt_tokens: NDArray[np.int64]
    """Tokens read; shape (n,)."""
    seconds: Floats
    """Time spent; shape (n,)."""
    draw_cell: NDArray[np.int64]
    """The row of each draw's cell, ascending; shape (m,)."""
    draw_index: NDArray[np.int64]
    """The index of each draw in its cell; shape (m,)."""
    draw_score: Floats
    """The score of each draw, NaN when it has none; shape (m,)."""
    draw_mean: Floats
    """The mean score given each draw's text: exact for `reasoned` cells, else the score itself."""
    draw_variance: Floats
    """The variance of the score given each draw's text; 0 where the draw is the score."""

    def __len__(self) -> int:
        return len(self.kind)

    def __repr__(self) -> str:
        levels = " x ".join(
            f"{len(names):,} {facet}"
            for facet, names in self.names.items()
            if facet != "numerics" or any(names)
        )
        return f"Columns({len(self):,} cells: {levels})"

    def cells(self) -> Cells:
        """Mean, variance, error and draws as statistics take them; one axis, shape (n,)."""
        return Cells(self.mean, self.variance, self.error, self.draws)


def read_columns(connection: sqlite3.Connection, path: Path) -> Columns:
    """The columns of a store; `RecordError` when anything in it is damaged."""
    with decoding(path):
        return _read(connection, path)


def _read(connection: sqlite3.Connection, path: Path) -> Columns:
    levels = read_levels(connection, path)
    supports = read_supports(connection, path)
    n = int(connection.execute("SELECT count(*) FROM cells").fetchone()[0])
    support, places = _shared_support(supports, path)
    table = _Table(n, len(support), places)
    cursor = connection.execute(f"SELECT {CELL_COLUMNS}, crc, id FROM cells ORDER BY id")
    while rows := cursor.fetchmany(CHUNK):
        for row in rows:
            if cell_checksum(row) != row[20]:
                raise damaged(path, f"cell {row[0]}")
        table.take(rows, path)
    if table.filled != n:  # the count comes from the index of the keys, the rows from the table
        raise damaged(path, f"{n:,} keys for {table.filled:,} cells")
    names, codes = _coded(table, levels)
    order = np.lexsort([codes[facet] for facet in reversed(ORDER)])
    draws = _Draws(connection, path, table, order, supports)
    pairs = support.ndim == 2 or draws.pairs
    if pairs and support.ndim == 1 and len(support):
        raise RecordError(f"{path}: the store mixes single scores and pairs of scores")
    moments = _moments(table, draws, support, order, pairs)
    free = table.free[order] if table.has_free else np.empty((0, len(support)))
    return Columns(
        names=names,
        codes={facet: codes[facet][order] for facet in ORDER},
        kind=table.kind[order],
        support=support,
        local=table.local[order],
        free=free,
        mean=moments[0],
        variance=moments[1],
        error=moments[2],
        draws=moments[3],
        failures=draws.failures,
        removed_mass=table.removed[order],
        numerics_floor=table.floor[order],
        prompt_tokens=table.tokens[order],
        seconds=table.seconds[order],
        draw_cell=draws.cell,
        draw_index=draws.index,
        draw_score=draws.score if pairs else draws.score[:, 0],
        draw_mean=draws.mean if pairs else draws.mean[:, 0],
        draw_variance=draws.variance if pairs else draws.variance[:, 0],
    )


def _shared_support(
    supports: Mapping[int, tuple[Score, ...]], path: Path
) -> tuple[Floats, dict[int, NDArray[np.intp]]]:
    """The union of all supports, and the places of each in it."""
    every = sorted({score for one in supports.values() for score in one}, key=_pair)
    if len({isinstance(score, tuple) for score in every}) > 1:
        raise RecordError(f"{path}: the store mixes single scores and pairs of scores")
    at = {score: place for place, score in enumerate(every)}
    places = {
        number: np.array([at[score] for score in one], dtype=np.intp)
        for number, one in supports.items()
    }
    return np.array(every, dtype=np.float64), places


def _pair(score: Score) -> tuple[float, ...]:
    return score if isinstance(score, tuple) else (score,)


class _Table:
    """The cells' columns in the order of their rows in the file."""

    def __init__(self, n: int, k: int, places: Mapping[int, NDArray[np.intp]]) -> None:
        self.places = places
        self.whole = {number for number, at in places.items() if len(at) == k}
        self.filled = 0
        self.levels = np.zeros((len(FACETS), n), dtype=np.int64)
        self.temperature = np.zeros(n)
        self.kind = np.zeros(n, dtype=np.int8)
        self.support = np.zeros(n, dtype=np.int64)
        self.local = np.full((n, k), np.nan)
        self.free = np.full((n, k), np.nan)
        self.has_free = False
        self.removed = np.full(n, np.nan)
        self.floor = np.full(n, np.nan)
        self.tokens = np.zeros(n, dtype=np.int64)
        self.seconds = np.zeros(n)
        self.drawn = np.zeros(n, dtype=np.int64)
        self.id = np.zeros(n, dtype=np.int64)

    def take(self, rows: Sequence[Sequence[Any]], path: Path) -> None:
        """Fill in the next rows."""
        first, last = self.filled, self.filled + len(rows)
        if last > len(self.kind):
            raise damaged(path, "more cells than keys")
        here = slice(first, last)
        columns = list(zip(*rows, strict=True))
        self.levels[:, here] = [*columns[1:6], columns[18]]
        self.temperature[here] = columns[6]
        self.kind[here] = columns[7]
        self.support[here] = columns[8]
        self._matrix(self.local, first, columns[8], columns[9])
        self.has_free = self._matrix(self.free, first, columns[8], columns[10]) or self.has_free
        self.removed[here] = np.array(columns[11], dtype=np.float64)
        self.floor[here] = np.array(columns[12], dtype=np.float64)
        self.tokens[here] = columns[14]
        self.seconds[here] = columns[15]
        self.drawn[here] = columns[17]
        self.id[here] = columns[21]
        self.filled = last

    def _matrix(
        self, into: Floats, first: int, supports: Sequence[int], blobs: Sequence[bytes | None]
    ) -> bool:
        """Scatter packed distributions over the shared support; whether there was any."""
        by_support: dict[int, list[int]] = {}
        for place, (support, blob) in enumerate(zip(supports, blobs, strict=True)):
            if blob is not None:
                by_support.setdefault(support, []).append(place)
        for support, members in by_support.items():
            joined = b"".join(blobs[place] or b"" for place in members)
            at = self.places[support]
            values = np.frombuffer(joined, dtype="<f8").reshape(len(members), len(at))
            rows = np.array(members) + first
            if support not in self.whole:
                into[rows] = 0.0
            into[np.ix_(rows, at)] = values
        return bool(by_support)


def _coded(
    table: _Table, levels: Mapping[int, tuple[str, str]]
) -> tuple[dict[str, tuple[Any, ...]], dict[str, NDArray[np.int32]]]:
    """Sorted names and codes into them, for every facet."""
    names: dict[str, tuple[Any, ...]] = {}
    codes: dict[str, NDArray[np.int32]] = {}
    for facet, numbers in zip(FACETS, table.levels, strict=True):
        used, inverse = np.unique(numbers, return_inverse=True)
        said = [levels[int(number)] for number in used]
        if any(kind != facet for kind, _ in said):
            raise ValueError(f"a level of another facet stands for a level of {facet}")
        order = sorted(range(len(said)), key=lambda place: said[place][1])
        rank = np.empty(len(said), dtype=np.int32)
        rank[order] = np.arange(len(said), dtype=np.int32)
        names[facet] = tuple(said[place][1] for place in order)
        codes[facet] = rank[inverse]
    values, inverse = np.unique(table.temperature, return_inverse=True)
    names["temperature"] = tuple(values.tolist())
    codes["temperature"] = inverse.astype(np.int32)
    return {facet: names[facet] for facet in ORDER}, codes


class _Draws:
    """The draws in the order of the sorted cells; scores as pairs, NaN where there is no second."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        table: _Table,
        order: NDArray[np.intp],
        supports: Mapping[int, tuple[Score, ...]],
    ) -> None:
        n, total = len(table.id), int(table.drawn.sum())
        cells, index = np.zeros(total, dtype=np.int64), np.zeros(total, dtype=np.int64)
        score = np.full((total, 2), np.nan)
        mean, variance = np.full((total, 2), np.nan), np.zeros((total, 2))
        scores = {
            number: np.array([_padded(s) for s in one], dtype=np.float64).reshape(-1, 2)
            for number, one in supports.items()
        }
        filled = 0
        keys = connection.execute(
            "SELECT draws.*, cells.key, cells.support FROM draws JOIN cells ON cells.id = "
            "draws.cell ORDER BY draws.cell, draws.place"
        )
        while rows := keys.fetchmany(CHUNK):
            if filled + len(rows) > total:
                raise damaged(path, "draws that no cell has")
            for place, row in enumerate(rows, start=filled):
                if draw_checksum(row[9], row) != row[8]:
                    raise damaged(path, f"the draws of cell {row[9]}")
                cells[place], index[place] = row[0], row[1]
                score[place] = row[2], row[3]
                mean[place] = score[place]
                if row[6] is not None:
                    p = np.frombuffer(row[6], dtype="<f8")
                    mean[place] = p @ scores[row[10]]
                    variance[place] = p @ (scores[row[10]] - mean[place]) ** 2
            filled += len(rows)
        counted = np.searchsorted(cells[:filled], [table.id, table.id + 1])
        if filled != total or not np.array_equal(counted[1] - counted[0], table.drawn):
            raise damaged(path, "draws are missing")
        rank = np.empty(n, dtype=np.int64)
        rank[order] = np.arange(n)
        row_of = rank[np.searchsorted(table.id, cells)]
        by_row = np.argsort(row_of, kind="stable")
        self.cell = row_of[by_row]
        self.index = index[by_row]
        self.score, self.mean = score[by_row], mean[by_row]
        self.variance = np.where(np.isnan(self.mean), np.nan, variance[by_row])
        self.failures = np.bincount(self.cell[np.isnan(self.mean[:, 0])], minlength=n).astype(
            np.int32
        )
        self.pairs = bool((~np.isnan(self.mean[:, 1])).any())


def _padded(score: Score) -> tuple[float, float]:
    return score if isinstance(score, tuple) else (score, np.nan)


def _moments(
    table: _Table, draws: _Draws, support: Floats, order: NDArray[np.intp], pairs: bool
) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean, variance of a draw, error of the mean and draws of every cell."""
    kind, local = table.kind[order], table.local[order]
    n, width = len(kind), 2 if pairs else 1
    mean, variance, error = (np.full((n, width), np.nan) for _ in range(3))
    count = np.bincount(draws.cell[~np.isnan(draws.mean[:, 0])], minlength=n).astype(np.float64)
    values = support.reshape(len(support), support.ndim)
    exact = (kind == KINDS.index("exact")) & ~np.isnan(local).any(axis=1) & (len(support) > 0)
    if exact.any():
        centre = values.mean(axis=0)
        p = local if exact.all() else local[exact]
        shifted = p @ (values - centre)
        mean[exact] = shifted + centre
        variance[exact] = np.maximum(p @ (values - centre) ** 2 - shifted**2, 0.0)
        error[exact] = 0.0
        count[exact] = np.inf
    drawn = ~exact & (count > 0)
    if drawn.any():
        seen = ~np.isnan(draws.mean[:, 0])
        at = draws.cell[seen]
        with np.errstate(invalid="ignore", divide="ignore"):
            for part in range(width):
                given, inside = draws.mean[seen, part], draws.variance[seen, part]
                average = np.bincount(at, given, minlength=n) / count
                squares = np.bincount(at, (given - average[at]) ** 2, minlength=n)
                between = np.where(count > 1, squares / (count - 1), np.nan)
                within = np.bincount(at, inside, minlength=n) / count
                mean[drawn, part] = average[drawn]
                variance[drawn, part] = (between + within)[drawn]
                error[drawn, part] = (between / count)[drawn]
    mode = (kind == KINDS.index("mode")) & (count > 0)
    variance[mode], error[mode], count[mode] = 0.0, 0.0, np.inf
    if pairs:
        return mean, variance, error, count
    return mean[:, 0], variance[:, 0], error[:, 0], count
