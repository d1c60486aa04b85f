"""Tables of scores: CSV, JSON Lines and Parquet, one score per row or one column per room."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from constrained.consistency.importing.fields import as_written_by, text_of
from constrained.consistency.importing.formats import format_of
from constrained.consistency.importing.gathering import NAN, Gathering
from constrained.consistency.importing.imported import Imported
from constrained.consistency.importing.judgements import FACETS
from constrained.consistency.importing.rows import (
    Chunk,
    csv_chunks,
    jsonl_chunks,
    other_delimiter,
    parquet_chunks,
)
from constrained.consistency.importing.spare import Spare
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import number_in, read_score
from constrained.errors import RecordError
from constrained.spec.spec import Spec

__all__ = ["FIELDS", "read_csv", "read_jsonl", "read_parquet"]

FIELDS = (
    "item",
    "prompt",
    "format",
    "variant",
    "temperature",
    "order",
    "draw",
    "score",
    "second",
    "gold",
    "text",
)
"""What a column may hold. `second` is the second score of a pairwise judgement."""

Chunks: TypeAlias = Iterator[Chunk]


@as_written_by("CSV")
def read_csv(
    *paths: str | Path,
    columns: Mapping[str, str] | None = None,
    rooms: Sequence[str] = (),
    spec: Any = None,
    field: str = "",
    scale: Collection[Score] = (),
    options: Mapping[str, float] | None = None,
    ignore: Sequence[str] = (),
    delimiter: str = ",",
) -> Imported:
    """Scores from CSV files with a header line.

    One score per row: `columns` says which column holds which of `FIELDS`; a column that bears a
    field's own name needs no mention. `item` and `score` are needed (or `text` with a `spec`).
    One column per room: `rooms` names the columns of scores, each column is a prompt, and an empty
    cell is missing.

    `spec` reads the score out of the text column: what `as_spec` takes, or a text as plans have it
    (``"Score: {score:0..10}"``); `field` names the field of its value. `scale` are the scores that
    are possible; others count as failures. `options` says what a score that is a text counts
    (``{"A": 4, "B": 3}``).

    A cell that holds no number is a failure with its text kept. Raises `RecordError` with file and
    line for what cannot be a table of scores: missing columns, rows of another length, two gold
    scores of one item, the same draw twice; for names that differ only in kind or blanks; and for
    a column that nobody named and that tells rows of one cell apart as a facet does (`ignore` names
    those that may).

    >>> read_csv("scores.csv", columns={"item": "essay", "prompt": "wording"})  # doctest: +SKIP
    """
    table = _Table(columns or {}, rooms, format_of(spec), field, options or {}, ignore)
    return table.read(paths, lambda path: csv_chunks(path, delimiter), scale)


@as_written_by("JSON Lines")
def read_jsonl(
    *paths: str | Path,
    columns: Mapping[str, str] | None = None,
    rooms: Sequence[str] = (),
    spec: Any = None,
    field: str = "",
    scale: Collection[Score] = (),
    options: Mapping[str, float] | None = None,
    ignore: Sequence[str] = (),
) -> Imported:
    r"""Scores from JSON Lines, one object per line; arguments and errors as for `read_csv`.

    Columns may be dotted names: ``columns={"gold": "essay.gold"}``.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "scores.jsonl"
    >>> _ = path.write_text('{"item": "e1", "score": 7, "essay": {"gold": 8}}\n')
    >>> read_jsonl(path, columns={"gold": "essay.gold"}).gold
    {'e1': 8.0}
    """
    table = _Table(columns or {}, rooms, format_of(spec), field, options or {}, ignore)
    return table.read(paths, jsonl_chunks, scale)


@as_written_by("Parquet")
def read_parquet(
    *paths: str | Path,
    columns: Mapping[str, str] | None = None,
    rooms: Sequence[str] = (),
    spec: Any = None,
    field: str = "",
    scale: Collection[Score] = (),
    options: Mapping[str, float] | None = None,
    ignore: Sequence[str] = (),
) -> Imported:
    """Scores from Parquet files; arguments and errors as for `read_csv`.

    Raises `MissingPackage` without pyarrow.

    >>> read_parquet("scores.parquet", columns={"score": "rating"})  # doctest: +SKIP
    """
    table = _Table(columns or {}, rooms, format_of(spec), field, options or {}, ignore)
    return table.read(paths, parquet_chunks, scale, word="row ")


@dataclass(slots=True)
class _Places:
    """Where each score stands: a file, a line, and in a wide table a room."""

    word: str
    paths: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("q"))
    rooms: list[str] = field(default_factory=list)

    def begin(self, path: str) -> None:
        self.paths.append(path)
        self.starts.append(len(self.lines))

    def __call__(self, row: int) -> str:
        place = f"{self.path(row)}:{' ' * bool(self.word)}{self.word}{self.lines[row]}"
        return f"{place} ({self.rooms[row]})" if self.rooms else place

    def path(self, row: int) -> str:
        """The file of a score."""
        return self.paths[bisect_right(self.starts, row) - 1]


class _Table:
    """How the rows of a table become scores; what all three readers do."""

    def __init__(
        self,
        columns: Mapping[str, str],
        rooms: Sequence[str],
        spec: Spec[Any] | None,
        field: str,
        options: Mapping[str, float],
        ignore: Sequence[str],
    ) -> None:
        unknown = sorted(set(columns) - set(FIELDS))
        if unknown:
            raise RecordError(
                f"there is no field {unknown[0]!r}; the fields are {', '.join(FIELDS)}"
            )
        if rooms and spec is not None:
            raise RecordError(
                "a table with one column per room holds scores; it has no texts to read"
            )
        self.columns, self.rooms, self.spec, self.field = columns, rooms, spec, field
        self.options = options
        self.ignore = ignore

    def read(
        self,
        paths: Sequence[str | Path],
        chunks: Callable[[str | Path], Chunks],
        scale: Collection[Score],
        word: str = "",
    ) -> Imported:
        """All scores of some files."""
        places = _Places(word)
        gathering = Gathering(places, NAMED)
        spare = Spare(self.ignore)
        empty = 0
        for path in paths:
            places.begin(str(path))
            names: dict[str, str] | None = None
            for chunk in chunks(path):
                names = names or self._names(path, chunk)
                if self.rooms:
                    empty += self._add_wide(gathering, places, spare, chunk, names)
                else:
                    self._add_long(gathering, places, spare, chunk, names)
        source = ", ".join(map(str, paths))
        notes = [f"{empty} cells of the table are empty: those cells are missing"] if empty else []
        imported = gathering.gathered(source, scale=scale, notes=notes)
        _check_files(imported, places)
        return imported.noting(spare.check(imported.records, places))

    def _names(self, path: str | Path, chunk: Chunk) -> dict[str, str]:
        """Which column holds which field, for the fields that are there."""
        names = {name: self.columns.get(name, name) for name in FIELDS}
        score = "text" if self.spec is not None else "score"
        needed = ["item", *([] if self.rooms else [score]), *self.columns]
        for name, column in [*((n, names[n]) for n in needed), *((r, r) for r in self.rooms)]:
            if not chunk.has(column):
                raise RecordError(
                    f"{path}: there is no column {column!r} (there are "
                    f"{self._there(name, chunk.names)})"
                )
        return {name: column for name, column in names.items() if chunk.has(column)}

    def _there(self, name: str, header: Sequence[str]) -> str:
        """The columns that there are, and what to do about one that is missing."""
        there = ", ".join(map(repr, header))
        if hint := other_delimiter(header):
            return f"{there}; {hint}"
        if name in self.columns or name in self.rooms:
            return there
        return f"{there}; say which one it is with columns={{{name!r}: ...}} or --column {name}=..."

    def _add_long(
        self,
        gathering: Gathering,
        places: _Places,
        spare: Spare,
        chunk: Chunk,
        names: Mapping[str, str],
    ) -> None:
        """Add rows with one score each."""
        first, count = len(gathering), len(chunk.places)
        places.lines.extend(chunk.places)
        cells = {name: chunk.column(column) for name, column in names.items()}
        _add_levels(gathering, cells, first, count)
        texts = _texts(cells.get("text", ()))
        if self.spec is not None:
            scores, second = _texts_read(self.spec, self.field, texts, gathering, first)
            gathering.add_scores(scores, second)
        else:
            found = self._scores(gathering, cells["score"], first)
            pairs = "second" in cells
            gathering.add_scores(
                found, self._scores(gathering, cells["second"], first) if pairs else None
            )
            if pairs:  # half a pair is no score
                for row in range(first, first + count):
                    if row in gathering.failures:
                        gathering.scores[row] = NAN
        _add_extras(gathering, cells, first, count)
        if any(texts):
            gathering.texts.update({first + n: text for n, text in enumerate(texts) if text})
        spare.add(_unnamed(chunk.names, names.values()), chunk.column, range(count))

    def _add_wide(
        self,
        gathering: Gathering,
        places: _Places,
        spare: Spare,
        chunk: Chunk,
        names: Mapping[str, str],
    ) -> int:
        """Add rows with one score for each room; how many of them are empty."""
        given = {r: chunk.column(r) for r in self.rooms}
        kept = [
            (row, room)
            for row in range(len(chunk.places))
            for room in self.rooms
            if not _blank(given[room][row])
        ]
        rows = [row for row, _ in kept]
        first = len(gathering)
        places.lines.extend(chunk.places[row] for row in rows)
        places.rooms.extend(room for _, room in kept)
        cells: dict[str, Sequence[Any]] = {}
        for name, column in names.items():
            if name not in ("prompt", "score", "second", "text"):
                values = chunk.column(column)
                cells[name] = [values[row] for row in rows]
        cells["prompt"] = [room for _, room in kept]
        _add_levels(gathering, cells, first, len(kept))
        values = [given[room][row] for row, room in kept]
        gathering.add_scores(self._scores(gathering, values, first))
        _add_extras(gathering, cells, first, len(kept))
        taken = {*self.rooms, *names.values()}
        spare.add(_unnamed(chunk.names, taken), chunk.column, rows)
        return len(chunk.places) * len(self.rooms) - len(kept)

    def _scores(self, gathering: Gathering, values: Sequence[Any], first: int) -> list[float]:
        """The scores in some cells, NaN for those that hold none, which become failures."""
        known: dict[Any, float] = {}
        scores = []
        for place, value in enumerate(values):
            key = value if value.__class__ is str else (value.__class__, repr(value))
            score = known.get(key)
            if score is None:
                score = known[key] = self._score(value)
            scores.append(score)
            if score != score:
                shown = text_of(value).strip()
                row = first + place
                gathering.failures.setdefault(
                    row, f"{shown[:60]!r} is not a number" if shown else "no score"
                )
                if shown:
                    gathering.texts.setdefault(row, text_of(value))
        return scores

    def _score(self, value: Any) -> float:
        if isinstance(value, str) and value.strip() in self.options:
            return float(self.options[value.strip()])
        number = number_in(value)
        return NAN if number is None else number


def _texts(values: Sequence[Any]) -> list[str]:
    """Cells as texts; those that are one text in many rows are looked at once."""
    known = {text: text_of(text) for text in {v for v in values if v.__class__ is str}}
    return [known[v] if v.__class__ is str else text_of(v) for v in values]


def _texts_read(
    spec: Spec[Any], field: str, texts: Sequence[str], gathering: Gathering, first: int
) -> tuple[list[float], list[float] | None]:
    """The scores that a format reads out of texts; the second ones where they are pairs."""
    known: dict[str, tuple[Score | None, str]] = {}
    scores, second = [], []
    for place, text in enumerate(texts):
        if text not in known:
            known[text] = read_score(spec, text, field=field)
        score, failure = known[text]
        if failure:
            gathering.failures[first + place] = failure
        pair = score if isinstance(score, tuple) else (NAN if score is None else score, NAN)
        scores.append(pair[0])
        second.append(pair[1])
    return scores, second if any(x == x for x in second) or gathering.second else None


def _add_levels(
    gathering: Gathering, cells: Mapping[str, Sequence[Any]], first: int, count: int
) -> None:
    """Add the levels of some rows; a facet without a column has one level."""
    for facet in FACETS:
        levels = gathering.levels[facet]
        if facet in cells:
            gathering.codes[facet].extend(levels.codes(cells[facet], first))
        elif count:
            gathering.codes[facet].extend(levels.codes([None], first) * count)


def _add_extras(
    gathering: Gathering, cells: Mapping[str, Sequence[Any]], first: int, count: int
) -> None:
    """Add numbers of draws and gold scores."""
    if "draw" in cells:
        known = {}
        for place, value in enumerate(cells["draw"]):
            key = value if value.__class__ is str else (value.__class__, repr(value))
            if key not in known:
                known[key] = _whole(gathering.where(first + place), value)
            gathering.draws.append(known[key])
    else:
        gathering.draws.extend([-1] * count)
    if "gold" not in cells:
        return
    items = gathering.codes["item"]
    seen = set()
    for place, value in enumerate(cells["gold"]):
        row = first + place
        if _blank(value) or (items[row], repr(value)) in seen:
            continue
        seen.add((items[row], repr(value)))
        number = number_in(value)
        if number is None:
            where = gathering.where(row)
            raise RecordError(f"{where}: the gold score {value!r:.80} is not a number")
        gathering.keep_gold(items[row], number, row)


def _check_files(imported: Imported, places: _Places) -> None:
    """`RecordError` when rows of two files are of one cell: nothing says that they are draws."""
    if len(places.paths) == 1:
        return
    records = imported.records
    for cell in range(len(records)):
        rows = records.rows[records.starts[cell] : records.starts[cell + 1]]
        first, last = places.path(int(rows.min())), places.path(int(rows.max()))
        if first != last:
            address: Address = records[cell].address
            raise RecordError(
                f"{last} and {first} both hold {address}; tell their levels "
                "apart (a column prompt or variant), or put all draws into one file"
            )


def _unnamed(header: Iterable[str], named: Iterable[str]) -> list[str]:
    """The columns that hold no field: not even a part of what they hold is one."""
    used = {name for column in named for name in (column, column.split(".")[0])}
    return [name for name in header if name not in used]


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _text_level(default: str) -> Callable[[Any], str]:
    """The name of a level that is a text; `default` where it is left out."""
    return lambda value: text_of(value).strip() or default


def _item(value: Any) -> str:
    name = text_of(value).strip()
    if not name:
        raise RecordError("the row names no item")
    return name


def _order(value: Any) -> str:
    order = text_of(value).strip()
    if order not in ("", "ab", "ba"):
        raise RecordError(f"the order is {order!r}; it can be ab, ba or empty")
    return order


def _temperature(value: Any) -> float:
    given = 1.0 if _blank(value) else number_in(value)
    if given is None or given < 0:
        raise RecordError(f"{value!r:.80} is no temperature")
    return given + 0.0


NAMED: dict[str, Callable[[Any], Any]] = {
    "item": _item,
    "prompt": _text_level("prompt"),
    "format": _text_level("plain"),
    "variant": _text_level("model"),
    "temperature": _temperature,
    "order": _order,
}
"""How the name of a level is made of what stands in a cell."""


def _whole(where: str, value: Any) -> int:
    if value is None or value == "":
        return -1
    number = number_in(value)
    if number is None or number < 0 or not number.is_integer() or number >= 2**53:
        raise RecordError(f"{where}: draw is {value!r:.80}; it has to be a whole number from 0 on")
    return int(number)
