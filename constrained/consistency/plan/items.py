"""Items and gold scores from JSON Lines, JSON, CSV, TSV and Parquet files."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from constrained.arguments import shown
from constrained.consistency.plan.parts import Gold, Item
from constrained.consistency.plan.problems import first_problem, written_place
from constrained.errors import MissingPackage, RecordError
from constrained.files import file_text
from constrained.packages import remedy

__all__ = ["read_items"]

Row: TypeAlias = tuple[str, dict[str, Any]]
"""Where a row stands (file and line), and what it holds."""

ID, GOLD = "id", "gold"
INSTALL = remedy("parquet")


def read_items(
    path: str | Path,
    *,
    id_field: str = ID,
    gold_field: str | None = None,
    limit: int | None = None,
) -> tuple[Item, ...]:
    r"""The items of a file, by its ending: .jsonl, .ndjson, .json, .csv, .tsv or .parquet.

    `id_field` tells items apart, `gold_field` holds people's scores (None: the field ``gold``
    where there is one). All other fields can be used in prompts. `limit` reads the
    first so many. An empty or missing gold score is no gold score.

    Raises `RecordError` with file and line for a file that is damaged, an id that is missing or
    appears twice, and a gold score that is no number; `MissingPackage` for Parquet without pyarrow.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "essays.csv"
    >>> _ = file.write_text("id,text,gold\ne1,Cats purr.,7\n")
    >>> read_items(file)
    (Item(id='e1', fields={'text': 'Cats purr.'}, gold=7.0),)
    """
    file = Path(path)
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise RecordError(
            f"{file}: items are read from {', '.join(READERS)}, not from {file.suffix or 'this'!r}"
        )
    items: list[Item] = []
    places: dict[str, str] = {}
    for where, row in reader(file):
        if limit is not None and len(items) >= limit:
            break
        item = _item(where, row, id_field, gold_field)
        if item.id in places:
            raise RecordError(f"{where}: item {item.id!r} was in {places[item.id]} already")
        places[item.id] = where
        items.append(item)
    if not items:
        raise RecordError(f"{file}: there are no items in this file")
    return tuple(items)


def _item(where: str, row: Mapping[str, Any], id_field: str, gold_field: str | None) -> Item:
    name = row.get(id_field)
    if name is None or name == "":
        raise RecordError(
            f"{where}: there is no {id_field!r}; name the field that tells items apart (id: ...); "
            f"fields here: {', '.join(row)}"
        )
    if gold_field is not None and gold_field not in row:
        raise RecordError(
            f"{where}: there is no gold field {gold_field!r}; fields here: {', '.join(row)}"
        )
    used = {id_field, GOLD if gold_field is None else gold_field}
    gold = _gold(where, row.get(gold_field or GOLD))
    fields = {key: value for key, value in row.items() if key not in used}
    try:
        return Item(id=str(name), fields=fields, gold=gold)
    except ValidationError as error:
        place, problem, _ = first_problem(error, Item)
        raise RecordError(f"{where}: {written_place(place)}: {problem}") from error
    except RecursionError as error:
        raise RecordError(f"{where}: values are nested too deeply") from error


def _gold(where: str, value: Any) -> Gold | None:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, list | tuple):
            first, second = map(float, value)
            return first, second
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise RecordError(f"{where}: the gold score {shown(value, 200)} is no number")
    return number


def _text(path: Path) -> str:
    try:
        return file_text(path)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def _json_value(text: str, path: Path, first_line: int = 1) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise RecordError(f"{path}:{line}:{error.colno}: not JSON: {error.msg}") from error
    except ValueError as error:  # a number of more digits than Python reads
        raise RecordError(f"{path}:{first_line}: cannot be read: {error}") from error
    except RecursionError as error:
        raise RecordError(f"{path}:{first_line}: values are nested too deeply") from error


def _json_lines(path: Path) -> Iterator[Row]:
    # Not splitlines: JSON strings may hold U+2028 and other line ends as they are.
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            yield _object(_json_value(line, path, number), f"{path}:{number}")


def _json(path: Path) -> Iterator[Row]:
    value = _json_value(_text(path), path)
    if not isinstance(value, list):
        raise RecordError(f"{path}: a list of objects is wanted, not {type(value).__name__}")
    for number, one in enumerate(value, start=1):
        yield _object(one, f"{path}, item {number}")


def _object(value: Any, where: str) -> Row:
    if not isinstance(value, dict):
        raise RecordError(f"{where}: an item has to be an object, not {type(value).__name__}")
    return where, value


def _separated(separator: str) -> Callable[[Path], Iterator[Row]]:
    def rows(path: Path) -> Iterator[Row]:
        lines = csv.reader(StringIO(_text(path), newline=""), delimiter=separator, strict=True)
        try:
            header = next(lines, [])
            twice = [name for name, times in Counter(header).items() if times > 1]
            if twice:
                raise RecordError(f"{path}:1: the column {twice[0]!r} appears twice")
            for cells in lines:
                where = f"{path}:{lines.line_num}"
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise RecordError(
                        f"{where}: {len(cells)} cells in a file of {len(header)} columns; is a "
                        "quotation mark missing?"
                    )
                yield where, dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise RecordError(f"{path}:{lines.line_num}: {error}") from error

    return rows


def _parquet(path: Path) -> Iterator[Row]:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise MissingPackage("pyarrow", "reading Parquet files", install=INSTALL) from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, ValueError, OverflowError, arrow.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RecordError(f"{path}: cannot be read as Parquet ({reason})") from error
    for number, row in enumerate(rows, start=1):
        yield f"{path}, row {number}", row


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".parquet": _parquet,
}
