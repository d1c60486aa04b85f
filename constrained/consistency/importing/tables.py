"""Tables of scores: CSV, JSON Lines and Parquet, one score per row or one column per room."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from constrained.consistency.importing.cells import (
    NAMED,
    add_extras,
    add_levels,
    is_blank,
    read_texts,
    texts_of,
)
from constrained.consistency.importing.fields import as_written_by, text_of
from constrained.consistency.importing.files import check_once
from constrained.consistency.importing.formats import format_of
from constrained.consistency.importing.gathering import NAN, Gathering
from constrained.consistency.importing.imported import Imported
from constrained.consistency.importing.rows import (
    MOST_ROWS,
    Chunk,
    csv_chunks,
    jsonl_chunks,
    other_delimiter,
    parquet_chunks,
)
from constrained.consistency.importing.spare import Spare
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import number_in
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

OF_ROWS = ("prompt", "score", "second", "text")
"""Fields of tables with one score per row only."""

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
        if field and spec is None:
            raise RecordError(f"field={field!r} names a part of what a spec reads; give spec=...")
        taken = [name for name in OF_ROWS if rooms and name in columns]
        if taken:
            raise RecordError(
                f"a table with one column per room has no column for {taken[0]}: each of the rooms "
                "is a prompt, and holds scores"
            )
        if both := sorted(set(rooms) & {columns.get("item", "item"), *columns.values()}):
            raise RecordError(f"the column {both[0]!r} is named as a room and as something else")
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
        check_once(paths)
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
                if len(gathering) > MOST_ROWS:
                    raise RecordError(
                        f"{path}: more than {MOST_ROWS:,} scores, which do not fit in memory; "
                        "import it in parts, each into a store of its own"
                    )
        source = ", ".join(map(str, paths))
        notes = [f"{empty} cells of the table are empty: those cells are missing"] if empty else []
        imported = gathering.gathered(source, scale=scale, notes=notes)
        _check_files(imported, places)
        return imported.noting(spare.check(imported.records, places))

    def _names(self, path: str | Path, chunk: Chunk) -> dict[str, str]:
        """Which column holds which field, for the fields that are there."""
        names = {
            name: self.columns.get(name, name)
            for name in FIELDS
            if not self.rooms
            or (name not in OF_ROWS and self.columns.get(name, name) not in self.rooms)
        }
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
        add_levels(gathering, cells, first, count)
        texts = texts_of(cells.get("text", ()))
        if self.spec is not None:
            scores, second = read_texts(self.spec, self.field, texts, gathering, first)
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
        add_extras(gathering, cells, first, count)
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
            if not is_blank(given[room][row])
        ]
        rows = [row for row, _ in kept]
        first = len(gathering)
        places.lines.extend(chunk.places[row] for row in rows)
        places.rooms.extend(room for _, room in kept)
        cells: dict[str, Sequence[Any]] = {}
        for name, column in names.items():
            values = chunk.column(column)
            cells[name] = [values[row] for row in rows]
        cells["prompt"] = [room for _, room in kept]
        add_levels(gathering, cells, first, len(kept))
        values = [given[room][row] for row, room in kept]
        gathering.add_scores(self._scores(gathering, values, first))
        add_extras(gathering, cells, first, len(kept))
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


def _check_files(imported: Imported, places: _Places) -> None:
    """`RecordError` when rows of two files are of one cell: nothing says that they are draws."""
    if len(places.paths) == 1:
        return
    records = imported.records
    for cell in range(len(records)):
        rows = records.rows[records.starts[cell] : records.starts[cell + 1]]
        first, last = places.path(int(rows.min())), places.path(int(rows.max()))
        if first != last:
            at: Address = records[cell].address
            raise RecordError(
                f"{last} and {first} both hold scores of item {at.item!r}, prompt {at.prompt!r}, "
                f"variant {at.variant!r}; tell their levels "
                "apart (a column prompt or variant), or put all draws into one file"
            )


def _unnamed(header: Iterable[str], named: Iterable[str]) -> list[str]:
    """The columns that hold no field: not even a part of what they hold is one."""
    used = {name for column in named for name in (column, column.split(".")[0])}
    return [name for name in header if name not in used]
