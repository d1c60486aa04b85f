"""Scores from typed values and texts: what an answer says, or why it says nothing.

A text that holds no score is a failure with a reason. It never becomes a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from constrained.consistency.records import Score
from constrained.errors import ConstrainedError, RecordError, TextRejected
from constrained.spec.spec import Spec

__all__ = ["number_in", "number_of", "read_score", "score_of", "whole_text"]

SHOWN = 60

BLANKS = " \t\r\n"
HALF = re.compile("[\ud800-\udfff]")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""A decimal number as tables and programs write it: ASCII digits, a point, an exponent."""


def number_of(value: Any) -> float | None:
    """A finite number as a float; None for anything else, numbers in quotes included.

    >>> number_of(7), number_of(True), number_of("7"), number_of(float("nan"))
    (7.0, 1.0, None, None)
    """
    if not isinstance(value, (bool, int, float, Decimal)):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):  # 10**400; a signalling NaN
        return None
    return number if math.isfinite(number) else None


def number_in(value: Any) -> float | None:
    """The number that a cell of a file holds: a number, or a text that is one; else None.

    Blanks around a number are no part of it. Everything else that Python's ``float`` would read
    (``nan``, ``Infinity``, ``1_0``, digits of other scripts), and what no double is near
    (``1e999``, ``1e-999``), is no score.

    >>> [number_in(text) for text in ("7", " 7.5 ", "-1e2", "1_0", "nan", "7/10", "1e999")]
    [7.0, 7.5, -100.0, None, None, None, None]
    """
    if not isinstance(value, str):
        return number_of(value)
    found = NUMBER.fullmatch(value.strip(BLANKS))
    if found is None:
        return None
    number = float(found[0])
    lost = number == 0 and found[1].strip("0.") != ""
    return None if lost or not math.isfinite(number) else number


def score_of(value: Any, field: str = "") -> Score:
    """The score in the value of a spec: a number, a pair of numbers, or one `field` of an object.

    An object without a `field` named counts when exactly one of its values is a number, or when it
    has two values and both are (a pair). Raises `RecordError` when there is no score, or more than
    one way to see one.

    >>> score_of(7), score_of((8, 7)), score_of({"why": "short", "score": 3})
    (7.0, (8.0, 7.0), 3.0)
    >>> score_of({"style": 3, "content": 4, "why": "short"}, field="content")
    4.0
    """
    value = _plain(value)
    if field:
        if not isinstance(value, Mapping) or field not in value:
            raise RecordError(f"{_shown(value)} has no field {field!r}")
        return score_of(value[field])
    if (number := number_of(value)) is not None:
        return number
    parts = list(value.values()) if isinstance(value, Mapping) else value
    if isinstance(parts, (list, tuple)):
        numbers = [n for n in map(number_of, parts) if n is not None]
        if len(numbers) == 2 == len(parts):
            return numbers[0], numbers[1]
        if len(numbers) == 1:
            return numbers[0]
        if len(numbers) > 1:
            raise RecordError(f"{_shown(value)} holds {len(numbers)} numbers; name the one to use")
    raise RecordError(f"{_shown(value)} holds no number")


def read_score(
    spec: Spec[Any], text: str, *, field: str = "", scale: Collection[Score] = ()
) -> tuple[Score | None, str]:
    """(score, "") when `text` matches `spec`, else (None, why not).

    `field` names the field of the value that is the score; with a `scale`, scores that are not on
    it are failures.

    >>> from constrained.spec import integer
    >>> read_score("Score: " + integer(0, 10), "Score: 7")
    (7.0, '')
    >>> read_score(integer(0, 10), "seven")
    (None, "not in the format: 'seven' does not match at byte 0: expected '0' '2'-'9' or '1'")
    """
    try:
        score = score_of(spec.parse(text), field)
    except TextRejected as error:
        return None, f"not in the format: {error}"
    except ConstrainedError as error:
        return None, str(error)
    if scale and score not in scale:
        return None, f"{_shown(score)} is not on the scale"
    return score, ""


def whole_text(text: str) -> str:
    r"""`text` with each half of a character (a lone surrogate, which JSON allows) replaced.

    >>> whole_text("cats \ud83d") == "cats \N{REPLACEMENT CHARACTER}"
    True
    """
    if text.isascii() or HALF.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _plain(value: Any) -> Any:
    """Objects with fields as dicts."""
    if hasattr(type(value), "model_fields"):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if hasattr(type(value), "__dataclass_fields__"):
        return {name: getattr(value, name) for name in type(value).__dataclass_fields__}
    return value


def _shown(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= SHOWN else said[: SHOWN - 3] + "..."
