"""Tables of scores: CSV, JSON Lines and Parquet, one score per row or one column per room."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from constrained.consistency.importing.files import (
    field_at,
    has_field,
    read_lines,
    read_text,
    text_of,
)
from constrained.consistency.importing.formats import format_of
from constrained.consistency.importing.imported import Imported, Judgement, gather
from constrained.consistency.records import Address, Score
from constrained.consistency.scores import number_of, read_score, score_of
from constrained.errors import RecordError
from constrained.models.loading import require
from constrained.packages import remedy
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

Row = tuple[str, Mapping[str, Any]]
"""Where a row stands, and its cells by column."""


def read_csv(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    rooms: Sequence[str] = (),
    spec: Any = None,
    field: str = "",
    scale: Collection[Score] = (),
    delimiter: str = ",",
) -> Imported:
    """Scores from a CSV file with a header line.

    One score per row: `columns` says which column holds which of `FIELDS`; a column that bears a
    field's own name needs no mention. `item` and `score` are needed (or `text` with a `spec`).
    One column per room: `rooms` names the columns of scores, each column is a prompt, and an empty
    cell is missing.

    `spec` reads the score out of the text column: what `as_spec` takes, or a text as plans have it
    (``"Score: {score:0..10}"``); `field` names the field of its value. `scale` are the scores that
    are possible; others count as failures.

    A cell that holds no number is a failure with its text kept. Raises `RecordError` with file and
    line for what cannot be a table of scores: missing columns, rows of another length, two gold
    scores of one item, the same draw twice.

    >>> read_csv("scores.csv", columns={"item": "essay", "prompt": "wording"})  # doctest: +SKIP
    """
    return _read(path, _csv_rows(path, delimiter), columns, rooms, spec, field, scale)


def read_jsonl(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    rooms: Sequence[str] = (),
    spec: Any = None,
    field: str = "",
    scale: Collection[Score] = (),
) -> Imported:
    r"""Scores from JSON Lines, one object per line; arguments and errors as for `read_csv`.

    Columns may be dotted names: ``columns={"gold": "essay.gold"}``.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "scores.jsonl"
    >>> _ = path.write_text('{"item": "e1", "score": 7, "essay": {"gold": 8}}\n')
    >>> read_jsonl(path, columns={"gold": "essay.gold"}).gold
    {'e1': 8.0}
    """
    return _read(path, read_lines(path), columns, rooms, spec, field, scale)


def read_parquet(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    rooms: Sequence[str] = (),
    spec: Any = None,
    field: str = "",
    scale: Collection[Score] = (),
) -> Imported:
    """Scores from a Parquet file; arguments and errors as for `read_csv`.

    Raises `MissingPackage` without pyarrow.
    """
    return _read(path, _parquet_rows(path), columns, rooms, spec, field, scale)


def _csv_rows(path: str | Path, delimiter: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise RecordError(f"{path}:{reader.line_num}: not CSV: {error}") from error
        if not header:
            header = [name.strip() for name in cells]
            twice = sorted({name for name in header if header.count(name) > 1})
            if twice:
                raise RecordError(f"{path}:1: the column {twice[0]!r} is there twice")
            continue
        where = f"{path}:{reader.line_num}"
        if not any(cells):
            continue
        if len(cells) != len(header):
            raise RecordError(f"{where}: {len(cells)} cells under {len(header)} columns")
        yield where, dict(zip(header, cells, strict=True))


def _parquet_rows(path: str | Path) -> Iterator[Row]:
    require("pyarrow", "reading Parquet", install=remedy("parquet"))
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error
    except pyarrow.ArrowException as error:
        raise RecordError(f"{path}: not Parquet ({error})") from error
    for number, row in enumerate(table.to_pylist()):
        yield f"{path}: row {number}", row


def _read(
    path: str | Path,
    rows: Iterable[Row],
    columns: Mapping[str, str] | None,
    rooms: Sequence[str],
    spec: Any,
    field: str,
    scale: Collection[Score],
) -> Imported:
    """The table's scores; what all three readers do."""
    unknown = sorted(set(columns or {}) - set(FIELDS))
    if unknown:
        raise RecordError(f"there is no field {unknown[0]!r}; the fields are {', '.join(FIELDS)}")
    if rooms and spec is not None:
        raise RecordError("a table with one column per room holds scores; it has no texts to read")
    reader = format_of(spec)
    judgements: list[Judgement] = []
    empty = 0
    names: dict[str, str] = {}
    for number, (where, row) in enumerate(rows):
        if number == 0:
            names = _names(path, row, columns or {}, rooms, reader)
        if not rooms:
            judgements.append(_long(where, row, names, reader, field))
            continue
        found = list(_wide(where, row, names, rooms))
        empty += len(rooms) - len(found)
        judgements += found
    notes = [f"{empty} cells of the table are empty: those cells are missing"] if empty else []
    return gather(judgements, str(path), scale=scale, notes=notes)


def _names(
    path: str | Path,
    row: Mapping[str, Any],
    columns: Mapping[str, str],
    rooms: Sequence[str],
    spec: Spec[Any] | None,
) -> dict[str, str]:
    """Which column holds which field, for the fields that are there."""
    names = {name: columns.get(name, name) for name in FIELDS}
    needed = ["item", *([] if rooms else ["text" if spec is not None else "score"])]
    for name, column in [*((n, names[n]) for n in [*needed, *columns]), *((r, r) for r in rooms)]:
        if not has_field(row, column):
            there = ", ".join(map(repr, row))
            named = name in columns or name in rooms
            hint = f"; say which one it is with columns={{{name!r}: ...}} or --column {name}=..."
            hint = "" if named else hint
            if len(row) == 1 and any(mark in there for mark in (";", "\\t", "|")):
                hint = "; another delimiter stands between its columns: name it with --delimiter"
            raise RecordError(f"{path}: there is no column {column!r} (there are {there}{hint})")
    return {name: column for name, column in names.items() if has_field(row, column)}


def _long(
    where: str, row: Mapping[str, Any], names: Mapping[str, str], spec: Spec[Any] | None, field: str
) -> Judgement:
    """The judgement of a row with one score."""
    cells = {name: field_at(row, column) for name, column in names.items()}
    text = text_of(cells.get("text"))
    if spec is not None:
        score, failure = read_score(spec, text, field=field)
    else:
        score, failure = _score(cells["score"])
        if "second" in cells and score is not None:
            second, failure = _score(cells["second"])
            score = None if second is None else score_of((score, second))
        if failure and not text:
            text = text_of(cells["score"])
    return Judgement(
        where,
        _address(where, cells),
        score,
        failure,
        text,
        _whole(where, "draw", cells.get("draw")),
        _gold(where, cells.get("gold")),
    )


def _wide(
    where: str, row: Mapping[str, Any], names: Mapping[str, str], rooms: Sequence[str]
) -> Iterator[Judgement]:
    """The judgements of a row with one column per room."""
    cells = {
        name: field_at(row, column)
        for name, column in names.items()
        if name not in ("prompt", "score", "second", "text")
    }
    for room in rooms:
        value = row[room] if room in row else field_at(row, room)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        score, failure = _score(value)
        yield Judgement(
            f"{where} ({room})",
            _address(where, {**cells, "prompt": room}),
            score,
            failure,
            text_of(value) if failure else "",
            _whole(where, "draw", cells.get("draw")),
            _gold(where, cells.get("gold")),
        )


def _number(value: Any) -> float | None:
    """A cell as a number: numbers, and texts that are one and nothing else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return number_of(value)


def _score(value: Any) -> tuple[float | None, str]:
    number = _number(value)
    if number is not None:
        return number, ""
    shown = text_of(value).strip()
    return None, f"{shown[:60]!r} is not a number" if shown else "no score"


def _address(where: str, cells: Mapping[str, Any]) -> Address:
    item = text_of(cells["item"]).strip()
    if not item:
        raise RecordError(f"{where}: the row names no item")
    levels = {
        name: text_of(cells[name]).strip()
        for name in ("format", "variant", "order")
        if text_of(cells.get(name)).strip()
    }
    if levels.get("order", "ab") not in ("ab", "ba"):
        raise RecordError(f"{where}: the order is {levels['order']!r}; it can be ab, ba or empty")
    temperature = cells.get("temperature")
    given = 1.0 if temperature in (None, "") else _number(temperature)
    if given is None or given < 0:
        raise RecordError(f"{where}: {temperature!r} is no temperature")
    prompt = text_of(cells.get("prompt")).strip() or "prompt"
    return Address(item, prompt, temperature=given, **levels)


def _whole(where: str, what: str, value: Any) -> int | None:
    if value is None or value == "":
        return None
    number = _number(value)
    if number is None or number < 0 or not number.is_integer():
        raise RecordError(f"{where}: {what} is {value!r}; it has to be a whole number from 0 on")
    return int(number)


def _gold(where: str, value: Any) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = _number(value)
    if number is None:
        raise RecordError(f"{where}: the gold score {value!r} is not a number")
    return number
