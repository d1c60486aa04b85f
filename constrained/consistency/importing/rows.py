"""Rows of tables, some thousands at a time, as columns: CSV, JSON Lines and Parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from constrained.consistency.importing.fields import field_at, has_field
from constrained.consistency.importing.files import (
    LARGEST,
    PER_VALUE,
    csv_problem,
    open_bytes,
    open_text,
    pyarrow_module,
    sized_lines,
)
from constrained.errors import ConstrainedError, RecordError

__all__ = [
    "MOST_ROWS",
    "Chunk",
    "csv_chunks",
    "jsonl_chunks",
    "other_delimiter",
    "parquet_chunks",
    "parquet_names",
]

ROWS = 20_000
"""Rows that are held as Python's objects at a time."""

MOST_BYTES = LARGEST // 8
"""Bytes of the file that are held as Python's objects at a time."""

MOST_ROWS = 5_000_000
"""Rows of one table: what fits in a gigabyte."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a table; `places` are their numbers in the file (of lines, or of rows)."""

    places: Sequence[int]
    names: Sequence[str]
    rows: Sequence[Mapping[str, Any]] = ()
    cells: Mapping[str, Sequence[Any]] | None = None

    def has(self, name: str) -> bool:
        """Whether there is such a column in the first row."""
        if self.cells is not None:
            return name in self.cells
        return has_field(self.rows[0], name)

    def column(self, name: str) -> Sequence[Any]:
        """What stands in a column, None where a row does not have it."""
        if self.cells is not None:
            return self.cells[name]
        return [field_at(row, name) for row in self.rows]


def csv_chunks(path: str | Path, delimiter: str) -> Iterator[Chunk]:
    """The rows below the header line; a cell is a text."""
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise RecordError(f"the delimiter is {delimiter!r}; it has to be one character")
    with open_text(path) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        lines: list[int] = []
        rows: list[list[str]] = []
        header: list[str] = []
        size = 0
        try:
            for cells in reader:
                if not any(cells):
                    continue
                if not header:
                    header = _header(path, cells, reader.line_num)
                    continue
                if len(cells) != len(header):
                    hint = other_delimiter(header)
                    raise RecordError(
                        f"{path}:{reader.line_num}: {len(cells)} cells under {len(header)} columns"
                        f"{hint and f' ({hint})'}"
                    )
                rows.append(cells)
                lines.append(reader.line_num)
                size += sum(map(len, cells))
                if len(rows) == ROWS or size > MOST_BYTES:
                    yield _columns(header, lines, rows)
                    lines, rows, size = [], [], 0
        except csv.Error as error:
            raise csv_problem(f"{path}:{reader.line_num}", error) from error
        if rows:
            yield _columns(header, lines, rows)


def _header(path: str | Path, cells: Sequence[str], line: int) -> list[str]:
    header = [name.strip() for name in cells]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise RecordError(f"{path}:{line}: the column {twice[0]!r} is there twice")
    return header


def other_delimiter(header: Sequence[str]) -> str:
    """What to do about a table whose first column is several because of its delimiter."""
    for mark in (";", "\t", "|", ","):
        if header and mark in header[0]:
            return (
                "another delimiter stands between its columns: name it with --delimiter, in "
                f"Python delimiter={mark!r}"
            )
    return ""


def _columns(header: Sequence[str], lines: Sequence[int], rows: Sequence[Sequence[str]]) -> Chunk:
    return Chunk(lines, header, cells=dict(zip(header, zip(*rows, strict=True), strict=True)))


def jsonl_chunks(path: str | Path) -> Iterator[Chunk]:
    """The objects of a JSON Lines file."""
    places: list[int] = []
    rows: list[dict[str, Any]] = []
    size = 0
    for line, row, length in sized_lines(path):
        places.append(line)
        rows.append(row)
        size += length
        if len(rows) == ROWS or size > MOST_BYTES:
            yield _objects(places, rows)
            places, rows, size = [], [], 0
    if rows:
        yield _objects(places, rows)


def _objects(places: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> Chunk:
    return Chunk(places, list(dict.fromkeys(name for row in rows for name in row)), rows)


def parquet_chunks(path: str | Path) -> Iterator[Chunk]:
    """The rows of a Parquet file."""
    first = 0
    with _parquet(path) as file:
        for batch in file.iter_batches(batch_size=ROWS):
            inner = sum(map(_inner, batch.columns))
            if inner * PER_VALUE > LARGEST:
                raise RecordError(
                    f"{path}: rows {first} to {first + len(batch) - 1} hold {inner:,} values in "
                    "lists; they would not fit in memory (leave their columns out)"
                )
            columns = [_shared(column) for column in batch.columns]
            names = batch.schema.names
            rows = [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]
            if rows:
                yield Chunk(range(first, first + len(rows)), list(rows[0]), rows)
            first += len(rows)


def _inner(column: Any) -> int:
    """The values inside the lists of a column, at every depth."""
    count = 0
    if hasattr(column, "keys"):  # a map, which does not flatten
        return int(column.offsets[-1].as_py() - column.offsets[0].as_py())
    while hasattr(column, "flatten") and hasattr(column, "values"):
        column = column.flatten()
        count += len(column)
        if hasattr(column, "keys"):
            return count + _inner(column)
    parts = column.flatten() if hasattr(column, "flatten") and column.type.num_fields else ()
    return count + sum(map(_inner, parts if isinstance(parts, list) else ()))


def _shared(column: Any) -> list[Any]:
    """The values of a column; one that stands in many rows is one object."""
    if not hasattr(column, "dictionary"):
        return list(column.to_pylist())
    values = column.dictionary.to_pylist()
    return [None if place is None else values[place] for place in column.indices.to_pylist()]


def parquet_names(path: str | Path) -> list[str]:
    """The columns of a Parquet file."""
    with _parquet(path) as file:
        return list(file.schema_arrow.names)


@contextmanager
def _parquet(path: str | Path) -> Iterator[Any]:
    """A Parquet file, opened; `RecordError` for what goes wrong while it is read."""
    parquet = pyarrow_module("pyarrow.parquet", "reading Parquet")
    arrow = pyarrow_module("pyarrow", "reading Parquet")
    with open_bytes(path) as source:
        try:
            file = parquet.ParquetFile(source)
            sizes = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
            # A group is not asked for its columns: pyarrow ends the process on damage there.
            largest = max((group.total_byte_size for group in sizes), default=0)
            if largest > LARGEST:
                raise RecordError(
                    f"{path}: a group of its rows unpacks to {largest:,} bytes; {LARGEST:,} are "
                    "read at most"
                )
            if file.metadata.num_rows > MOST_ROWS:
                raise RecordError(
                    f"{path}: {file.metadata.num_rows:,} rows; {MOST_ROWS:,} are read at most"
                )
            texts = [
                field.name
                for field in file.schema_arrow
                if arrow.types.is_string(field.type) or arrow.types.is_large_string(field.type)
            ]
            source.seek(0)
            yield parquet.ParquetFile(source, read_dictionary=texts)
        except (arrow.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
            if isinstance(error, ConstrainedError):
                raise
            reason = str(error).split("\n")[0][:200]
            raise RecordError(f"{path}: not Parquet ({reason})") from error
