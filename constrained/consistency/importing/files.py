"""Files of others: opened and decoded, with errors that name the place.

A file may hold anything, and be anything: what is opened is a regular file of a size that fits into
memory, and JSON is parsed only when its values do.
"""

from __future__ import annotations

import csv
import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

from constrained.consistency.plan.yaml_text import YamlText
from constrained.errors import MissingPackage, RecordError, SpecError
from constrained.models.loading import require
from constrained.packages import remedy

__all__ = [
    "LARGEST",
    "PER_VALUE",
    "check_once",
    "csv_problem",
    "json_value",
    "open_bytes",
    "open_text",
    "pyarrow_module",
    "read_json",
    "read_lines",
    "read_yaml",
    "sized_lines",
]

LARGEST = 2**30
"""Bytes of memory that a file, or one line of it, may take while it is read."""

PER_VALUE = 100
"""Bytes that a value of a JSON text takes in memory, about: a list takes more, a number less."""

LARGEST_YAML, MOST_YAML = 2**22, 100_000
"""Bytes and values of a YAML file that are read in a few seconds."""

INSTALL = remedy("parquet")


@contextmanager
def open_bytes(path: str | Path) -> Iterator[BinaryIO]:
    """A regular file, opened; `RecordError` for what cannot be read, a pipe or a folder.

    Opening a pipe would wait for whoever writes into it, and a device may never end.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            kind = "a folder" if os.path.isdir(path) else "a pipe or device"
            raise RecordError(
                f"{path}: cannot be read ({kind}, not a file); save what it holds as a file"
            )
        with open(path, "rb") as file:
            yield file
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeEncodeError as error:
        raise RecordError(f"{str(path)!r}: no file can have this name") from error
    except ValueError as error:
        if "null byte" in str(error) or "null character" in str(error):
            raise RecordError(
                f"{str(path)!r}: no file can have this name (it holds NUL)"
            ) from error
        raise


def check_once(paths: Sequence[str | Path]) -> None:
    """`RecordError` for a file that is named twice: its draws would count twice."""
    seen: dict[str, str | Path] = {}
    for path in paths:
        try:
            real = os.path.realpath(path)
        except (OSError, ValueError):  # no file can have this name, as opening it will say
            real = str(path)
        if real in seen:
            raise RecordError(f"{path}: the same file as {seen[real]}; pass one")
        seen[real] = path


@contextmanager
def open_text(path: str | Path) -> Iterator[TextIOWrapper]:
    """A UTF-8 file (with or without byte-order mark), read as it is needed; line ends stay."""
    with open_bytes(path) as file:
        text = TextIOWrapper(file, "utf-8-sig", newline="")
        try:
            yield text
        except UnicodeDecodeError as error:
            raise RecordError(
                f"{path}: not UTF-8 at byte {_first_bad_byte(path)}; save it as UTF-8"
            ) from error


def _first_bad_byte(path: str | Path) -> int:
    """Where a file stops being UTF-8; read line by line, for a decoder knows only its own part."""
    start = 0
    with open_bytes(path) as file:
        for line in file:
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return start + error.start
            start += len(line)
    return start


def read_json(path: str | Path) -> Any:
    """The value of a JSON file."""
    return json_value(str(path), _whole(path))


def read_yaml(path: str | Path) -> Any:
    """The value of a YAML file, of the types of YAML 1.2; an alias stands for its whole value."""
    data = _whole(path)
    marks = data.count(b"\n") + data.count(b",")
    if len(data) > LARGEST_YAML or marks > MOST_YAML:
        raise RecordError(
            f"{path}: {len(data):,} bytes of YAML with about {marks:,} values; {LARGEST_YAML:,} "
            f"and {MOST_YAML:,} are read at most, for YAML is read slowly; write JSON instead"
        )
    text = _decoded(str(path), data)
    try:
        value = YamlText.read(text, str(path)).value
    except SpecError as error:
        raise RecordError(str(error).removeprefix("at ")) from error
    except RecursionError as error:
        raise RecordError(f"{path}: nested too deeply to be read") from error
    except ValueError as error:  # a number of 5,000 digits
        reason = str(error).split(";")[0]
        raise RecordError(f"{path}: not YAML that can be read: {reason}") from error
    _check_expansion(str(path), value)
    return value


def _check_expansion(where: str, value: Any) -> None:
    """Refuse values that are small as a file and large when every alias is written out."""
    sizes: dict[int, int] = {}
    stack = [(value, False)]
    open_: set[int] = set()
    while stack:
        part, done = stack.pop()
        if not isinstance(part, (dict, list)):
            continue
        parts = list(part.values()) if isinstance(part, dict) else part
        if done:
            open_.discard(id(part))
            sizes[id(part)] = 1 + sum(sizes.get(id(inner), 1) for inner in parts)
            if sizes[id(part)] * PER_VALUE > LARGEST:
                raise RecordError(f"{where}: its aliases stand for more values than fit in memory")
        elif id(part) in open_:
            raise RecordError(f"{where}: a value holds itself")
        elif id(part) not in sizes:
            open_.add(id(part))
            stack.append((part, True))
            stack += [(inner, False) for inner in parts]


def _whole(path: str | Path) -> bytes:
    """All bytes of a file that fits."""
    with open_bytes(path) as file:
        data = file.read(LARGEST // 2)
        if file.read(1):
            raise RecordError(f"{path}: larger than {LARGEST // 2**21} MiB; too large to be read")
    return data


def _decoded(where: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError(f"{where}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def _width(data: bytes) -> int:
    """Bytes that Python keeps for each character of a UTF-8 text: what its widest one takes."""
    if data.isascii():
        return 1
    return 4 if any(bytes([first]) in data for first in range(0xF0, 0xF5)) else 2


def json_value(where: str, data: bytes, line: int | None = None) -> Any:
    """The value of a JSON text; `line` when it is one line of a file of many.

    Raises `RecordError` with the place for what is no JSON, what is nested too deeply, a number of
    thousands of digits, and what would not fit into memory.
    """
    place = where if line is None else f"{where}:{line}"
    values = data.count(b",") + data.count(b"[") + data.count(b"{")
    if PER_VALUE * values > LARGEST:
        raise RecordError(f"{place}: holds about {values:,} values; they would not fit in memory")
    if len(data) * (1 + 2 * _width(data)) + PER_VALUE * values > LARGEST:
        raise RecordError(
            f"{place}: its {len(data):,} bytes hold about {values:,} values; they would not fit in "
            "memory"
        )
    text = _decoded(place, data)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        spot = f"{where}:{error.lineno}" if line is None else place
        raise RecordError(f"{spot}:{error.colno}: not JSON: {error.msg}") from error
    except RecursionError as error:
        raise RecordError(f"{place}: not JSON that can be read: nested too deeply") from error
    except ValueError as error:  # a number of 5,000 digits
        reason = str(error).split(";")[0]
        raise RecordError(f"{place}: not JSON that can be read: {reason}") from error


def read_lines(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, object) of each line of a JSON Lines file; empty lines are passed over."""
    return ((number, row) for number, row, _ in sized_lines(path))


def sized_lines(path: str | Path) -> Iterator[tuple[int, dict[str, Any], int]]:
    """`read_lines` with the bytes that each line takes."""
    with open_bytes(path) as file:
        number = 0
        while line := file.readline(LARGEST // 2):
            number += 1
            if len(line) == LARGEST // 2:
                raise RecordError(f"{path}:{number}: this line is too long to be read")
            if not line.strip():
                continue
            row = json_value(str(path), line.rstrip(b"\r\n"), number)
            if not isinstance(row, dict):
                raise RecordError(
                    f"{path}:{number}: a line has to be an object, not {type(row).__name__}"
                )
            yield number, row, len(line)


def csv_problem(where: str, error: csv.Error) -> RecordError:
    """The error for what `csv` does not read: no CSV, or a cell that is longer than it takes."""
    if "field limit" in str(error):
        return RecordError(
            f"{where}: a cell is longer than {csv.field_size_limit():,} characters; leave its "
            "column out, or save the table as JSON Lines or Parquet"
        )
    return RecordError(f"{where}: not CSV: {error}")


def pyarrow_module(name: str, doing: str) -> Any:
    """A module of pyarrow; `MissingPackage` where there is none, or none that works here.

    >>> pyarrow_module("pyarrow.parquet", "reading Parquet").__name__
    'pyarrow.parquet'
    """
    require("pyarrow", doing, install=INSTALL)
    try:
        return import_module(name)
    except ImportError as error:  # a pyarrow built for another numpy, for one
        reason = str(error).split("\n")[0]
        raise MissingPackage(
            "pyarrow", f"{doing} ({reason})", install="pip install --upgrade pyarrow numpy"
        ) from error
