"""What stands in a row or object of another tool: fields by name, levels as text, gold scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from constrained.consistency.importing.given import check_given
from constrained.consistency.scores import number_in, whole_text
from constrained.errors import ConstrainedError, RecordError

__all__ = [
    "as_written_by",
    "field_at",
    "flat",
    "gold_at",
    "has_field",
    "short_name",
    "shown",
    "text_of",
    "written",
]

P = ParamSpec("P")
T = TypeVar("T")

MISSING = object()

SHAPE_ERRORS = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What Python raises for values of another shape."""

LONGEST_NAME = 80


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


def written(value: Any) -> str:
    """How a value stands in a file, its kind included: what tells ``1`` from ``"1"``.

    >>> written("1"), written(1), written(1.0), written(None)
    ("the text '1'", 'the number 1', 'the number 1.0', 'left out')
    """
    if value is None:
        return "left out"
    if isinstance(value, str):
        return f"the text {value!r}"
    kind = "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else "value"
    return f"the {kind} {shown(value)}"


def shown(value: Any) -> str:
    """A value in an error message: JSON, cut where it is long."""
    if value is None:
        return "left out"
    said = whole_text(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))
    return said if len(said) <= LONGEST_NAME else f"{said[: LONGEST_NAME - 3]}..."


def flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The single values inside `value`, by dotted names; empty lists and objects are none.

    >>> dict(flat({"a": [{"b": 1}], "c": {}}, "x"))
    {'x.a[0].b': 1}
    """
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from flat(part, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from flat(part, f"{name}[{number}]")
    elif value is not None:
        yield name, value


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
    number = number_in(value)
    if number is None:
        raise RecordError(f"{where}: the gold score {name} is {value!r:.80}, not a number")
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
    this leads to are no mistake of the reader. Its positional arguments are the paths; an option
    that the reader does not have is the caller's mistake, and said to be.
    """

    def decorate(reader: Callable[P, T]) -> Callable[P, T]:
        known = [p.name for p in signature(reader).parameters.values() if p.kind is p.KEYWORD_ONLY]

        @wraps(reader)
        def read(*args: P.args, **kwargs: P.kwargs) -> T:
            if not args:
                raise RecordError("there is no file to read scores from")
            check_options(reader.__name__, kwargs, known)
            check_given(args, kwargs)
            with shaped(", ".join(map(str, args)), tool):
                return reader(*args, **kwargs)

        return read

    return decorate


def check_options(reader: str, given: Mapping[str, Any], known: list[str]) -> None:
    """`RecordError` for the first option that a reader does not have."""
    strange = [option for option in given if option not in known]
    if strange:
        raise RecordError(
            f"{reader} has no option {strange[0]!r}; its options are {', '.join(known)}"
        )


@contextmanager
def shaped(named: str, tool: str) -> Iterator[None]:
    """Raise Python's errors about values of another shape as `RecordError`."""
    try:
        yield
    except SHAPE_ERRORS as error:
        if isinstance(error, ConstrainedError):
            raise
        raise RecordError(
            f"{named}: not shaped as {tool} writes it ({type(error).__name__}: {error})"
        ) from error
