"""Keywords about numbers and strings."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from constrained.errors import UnsupportedSpec
from constrained.spec.json_formats import REFUSED as REFUSED_FORMATS
from constrained.spec.json_formats import format_language
from constrained.spec.json_schema.reading import (
    Keyword,
    Reading,
    count_of,
    exact_number,
    language_of,
)
from constrained.spec.json_schema.records import (
    Exact,
)
from constrained.spec.numbers_json import LONGEST_BOUND

__all__ = ["SCALARS"]

LARGEST_BOUND = 10**LONGEST_BOUND

LARGE_STEP = 250
"""Multiples of larger steps may need more states than the limits allow."""


def _bound(read: Reading, keyword: str, value: Any) -> Exact:
    found = exact_number(value)
    if found is None:
        raise read.wrong(keyword, "a number")
    if max(abs(Fraction(found).numerator), Fraction(found).denominator) >= LARGEST_BOUND:
        raise UnsupportedSpec(
            keyword,
            f"{keyword} has more than {LONGEST_BOUND:,} digits",
            where=read.where(keyword),
            hint="use a smaller bound",
        )
    read.number_limits = True
    return found


def _raise_low(read: Reading, value: Exact, open_: bool) -> None:
    if read.low is None or value > read.low or (value == read.low and open_):
        read.low, read.open_low = value, open_


def _lower_high(read: Reading, value: Exact, open_: bool) -> None:
    if read.high is None or value < read.high or (value == read.high and open_):
        read.high, read.open_high = value, open_


def _old_exclusive(read: Reading, keyword: str) -> bool | None:
    """The draft 4 form: a boolean beside the bound; None when it is not that form."""
    found = read.schema.get(keyword)
    return found if isinstance(found, bool) and read.document.draft in (0, 4) else None


def _minimum(read: Reading, value: Any) -> None:
    open_ = bool(_old_exclusive(read, "exclusiveMinimum"))
    _raise_low(read, _bound(read, "minimum", value), open_)


def _maximum(read: Reading, value: Any) -> None:
    open_ = bool(_old_exclusive(read, "exclusiveMaximum"))
    _lower_high(read, _bound(read, "maximum", value), open_)


def _exclusive_minimum(read: Reading, value: Any) -> None:
    if _old_exclusive(read, "exclusiveMinimum") is None:
        _raise_low(read, _bound(read, "exclusiveMinimum", value), True)


def _exclusive_maximum(read: Reading, value: Any) -> None:
    if _old_exclusive(read, "exclusiveMaximum") is None:
        _lower_high(read, _bound(read, "exclusiveMaximum", value), True)


def _multiple_of(read: Reading, value: Any) -> None:
    step = _bound(read, "multipleOf", value)
    if step <= 0:
        raise read.wrong("multipleOf", "a number above 0")
    read.multiple = step
    read.may_refuse = read.may_refuse or Fraction(step).numerator > LARGE_STEP


def _min_length(read: Reading, value: Any) -> None:
    read.least_length = count_of(read, "minLength", value)
    read.string_limits = True


def _max_length(read: Reading, value: Any) -> None:
    read.most_length = count_of(read, "maxLength", value)
    read.string_limits = True


def _pattern(read: Reading, value: Any) -> None:
    if not isinstance(value, str):
        raise read.wrong("pattern", "a string")
    read.inside += (language_of(read, value, "pattern"),)
    read.string_limits = True


def _format(read: Reading, value: Any) -> None:
    if not isinstance(value, str):
        raise read.wrong("format", "a string")
    if not read.exact_formats:
        return
    if value in REFUSED_FORMATS:
        raise UnsupportedSpec(
            f"format {value}",
            f"format {value!r} is not enforced",
            where=read.where("format"),
            hint=REFUSED_FORMATS[value],
        )
    language = format_language(value)
    if language is not None:
        read.inside += (language,)
        read.string_limits = True


SCALARS: dict[str, Keyword] = {
    "minimum": _minimum,
    "maximum": _maximum,
    "exclusiveMinimum": _exclusive_minimum,
    "exclusiveMaximum": _exclusive_maximum,
    "multipleOf": _multiple_of,
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _pattern,
    "format": _format,
}
