"""Files of others: opened, decoded and parsed with errors that name the place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from constrained.consistency.scores import number_of, whole_text
from constrained.errors import ConstrainedError, RecordError

__all__ = [
    "as_written_by",
    "field_at",
    "gold_at",
    "has_field",
    "read_json",
    "read_lines",
    "read_text",
    "short_name",
    "text_of",
]

P = ParamSpec("P")
T = TypeVar("T")

MISSING = object()

SHAPE_ERRORS = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What Python raises for values of another shape."""

LONGEST_NAME = 80


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file (with or without byte-order mark)."""
    try:
        return Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def read_json(path: str | Path, text: str | None = None) -> Any:
    """The value of a JSON file; `text` when its content is at hand already."""
    try:
        return json.loads(read_text(path) if text is None else text)
    except json.JSONDecodeError as error:
        raise RecordError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits; endless nesting
        raise RecordError(f"{path}: not JSON that can be read: {error}") from error


def read_lines(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of each line of a JSON Lines file; empty lines are passed over."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise RecordError(f"{where}:{error.colno}: not JSON: {error.msg}") from error
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{where}: not JSON that can be read: {error}") from error
        if not isinstance(row, dict):
            raise RecordError(f"{where}: a line has to be an object, not {type(row).__name__}")
        yield where, row


def has_field(row: Mapping[str, Any], name: str) -> bool:
    """Whether a row has a field; see `field_at`."""
    return field_at(row, name, MISSING) is not MISSING


def field_at(row: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """The field `name`, or the one that a dotted name leads to.

    >>> field_at({"doc": {"gold": 7}}, "doc.gold")
    7
    """
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return default
        value = value[part]
    return value


def text_of(value: Any) -> str:
    """A level or an answer as text: texts as they are, whole numbers without a point, else JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return whole_text(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def gold_at(where: str, row: Mapping[str, Any], name: str) -> float | None:
    """The gold score in the field `name`, None without a name; `RecordError` when it is no number.

    >>> gold_at("results.json: result 0", {"vars": {"gold": "7"}}, "vars.gold")
    7.0
    """
    if not name:
        return None
    value = field_at(row, name)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    try:
        number = number_of(float(value))
    except (TypeError, ValueError):
        number = None
    if number is None:
        raise RecordError(f"{where}: the gold score {name} is {value!r}, not a number")
    return number


def short_name(text: str) -> str:
    """`text` as the name of a level: whole when short, else its beginning and a hash of it all.

    >>> short_name("Grade this.")
    'Grade this.'
    """
    text = " ".join(text.split())
    if len(text) <= LONGEST_NAME:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{text[: LONGEST_NAME - 12]}... {digest}"


def as_written_by(tool: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a reader of a tool's files raise `RecordError` for whatever else stands in them.

    A file of another tool or version may have anything in any place, so the errors of Python that
    this leads to are no mistake of the reader. Its positional arguments are the paths.
    """

    def decorate(reader: Callable[P, T]) -> Callable[P, T]:
        @wraps(reader)
        def read(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return reader(*args, **kwargs)
            except SHAPE_ERRORS as error:
                if isinstance(error, ConstrainedError):
                    raise
                named = ", ".join(map(str, args))
                raise RecordError(
                    f"{named}: not shaped as {tool} writes it ({type(error).__name__}: {error})"
                ) from error

        return read

    return decorate
