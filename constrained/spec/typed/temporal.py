"""Dates, times and durations within bounds, as JSON Schemas of strings.

Bounds are compared digit by digit on the text. A time with a bound is written in UTC (``Z``), or,
more than a day away from the bound, with any offset; without a zone where the type has none.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Any

from constrained.errors import UnsupportedSpec
from constrained.spec.typed.ranges import between, integers

__all__ = ["BOUNDS", "date_schema", "datetime_schema", "duration_schema", "time_schema"]

Schema = dict[str, Any]
BOUNDS = ("gt", "ge", "lt", "le")

FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"
EARLIEST = "1600-01-01"
"""Moments with an upper bound only: earlier ones are not compared rightly by each pydantic."""
DAY = datetime.timedelta(days=1)
ZONE = r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
FRACTION = r"(?:\.[0-9]{1,6})?"
CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"


def _bounds(schema: Mapping[str, Any], kind: type) -> dict[str, Any]:
    found = {name: schema[name] for name in BOUNDS if schema.get(name) is not None}
    for name, value in found.items():
        if type(value) is not kind and (
            not isinstance(value, kind) or isinstance(value, datetime.datetime)
        ):
            raise UnsupportedSpec(
                name,
                f"the bound {name}={value!r} is no {kind.__name__}",
                hint=f"write it as a datetime.{kind.__name__}",
            )
    return found


def _no_value(bounds: Mapping[str, Any]) -> UnsupportedSpec:
    listed = ", ".join(f"{name}={value!r}" for name, value in bounds.items())
    return UnsupportedSpec(
        next(iter(bounds)), f"no text is known that lies within {listed}", hint="widen the bounds"
    )


def date_schema(schema: Mapping[str, Any]) -> Schema:
    """Dates between bounds; past ones are before the day before the spec was made.

    >>> date_schema({"ge": datetime.date(9999, 12, 1)})["pattern"]
    '^9999-12-(?:0[1-9]|[1-2][0-9]|3[0-1])$'
    """
    low, high = datetime.date.min, datetime.date.max
    bounds = _bounds(schema, datetime.date)
    if schema.get("now_op") is not None:
        high = _past(schema).date()
        bounds["now_op"] = schema["now_op"]
    if not bounds:
        return {"type": "string", "format": "date"}
    try:
        for name, value in bounds.items():
            if name in ("gt", "ge"):
                low = max(low, value + DAY if name == "gt" else value)
            elif name in ("lt", "le"):
                high = min(high, value - DAY if name == "lt" else value)
    except OverflowError as error:
        raise _no_value(bounds) from error
    pattern = between(low.isoformat(), high.isoformat())
    if pattern is None:
        raise _no_value(bounds)
    return {"type": "string", "format": "date", "pattern": f"^{pattern}$"}


def _past(schema: Mapping[str, Any]) -> datetime.datetime:
    """The latest moment that is in the past wherever and whenever the answer is read."""
    if schema["now_op"] != "past":
        raise UnsupportedSpec(
            "future",
            "what lies in the future depends on when the answer is read",
            hint="give a bound: Field(ge=...)",
        )
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0) - 2 * DAY


def datetime_schema(schema: Mapping[str, Any]) -> Schema:
    """Moments between bounds, with a zone unless the type wants none."""
    zone = schema.get("tz_constraint")
    if isinstance(zone, int):
        raise UnsupportedSpec(
            "tz_constraint",
            f"times of one offset only ({zone} s) are not enforced",
            hint="use AwareDatetime",
        )
    bounds = _bounds(schema, datetime.datetime)
    if schema.get("now_op") is not None:
        bounds = {**bounds, "lt": min([_past(schema), *_plain(bounds, "lt", "le")])}
    if zone == "naive":
        return _naive(bounds)
    found: Schema = {"type": "string", "format": "date-time"}
    if not bounds:
        return found
    utc = {name: _in_utc(value) for name, value in bounds.items()}
    exact = _seconds(utc, "datetime")
    parts = [f"{exact}[Zz]"] if exact else []
    aware = any(value.tzinfo is not None for value in bounds.values())
    far = _days_away(utc) if aware else exact
    if far:
        parts.append(f"{far}{ZONE}")
    if not parts:
        raise _no_value(bounds)
    return {**found, "pattern": f"^(?:{'|'.join(parts)})$"}


def _plain(bounds: Mapping[str, Any], *names: str) -> list[datetime.datetime]:
    return [_in_utc(bounds[name]) for name in names if name in bounds]


def _in_utc(value: datetime.datetime) -> datetime.datetime:
    """The bound as texts in UTC are compared with it; one without a zone as it is."""
    if value.tzinfo is None:
        return value
    try:
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    except OverflowError as error:
        raise UnsupportedSpec(
            "bound", f"{value!r} is no moment in UTC", hint="give the bound in UTC"
        ) from error


def _naive(bounds: Mapping[str, Any]) -> Schema:
    if any(value.tzinfo is not None for value in bounds.values()):
        raise UnsupportedSpec(
            "tz_constraint",
            "times without a zone cannot be compared with a bound that has one",
            hint="give the bound without a zone",
        )
    pattern = _seconds(bounds, "datetime") if bounds else f"[0-9-]{{10}}[Tt]{CLOCK}{FRACTION}"
    if pattern is None:
        raise _no_value(bounds)
    # the calendar is that of the format, whose texts have a zone: so it is repeated as a pattern
    return {
        "type": "string",
        "allOf": [{"pattern": f"^{_CALENDAR}[Tt]{CLOCK}{FRACTION}$"}, {"pattern": f"^{pattern}$"}],
    }


_LEAP = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_CALENDAR = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    "|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    f"|{_LEAP}-02-29)"
)


def _seconds(bounds: Mapping[str, Any], kind: str) -> str | None:
    """Texts up to the fraction of a second whose value lies within the bounds."""
    second = datetime.timedelta(seconds=1)
    low = EARLIEST + "T00:00:00" if kind == "datetime" else "00:00:00"
    if any(name in ("gt", "ge") for name in bounds) and kind == "datetime":
        low = FIRST_DAY + "T00:00:00"
    last = "9999-12-31T23:59:59" if kind == "datetime" else "23:59:59"
    high, whole = last, last
    for name, value in bounds.items():
        moment = (
            value
            if kind == "datetime"
            else datetime.datetime.combine(datetime.date(2000, 1, 1), value)
        )
        start = moment.replace(microsecond=0)
        try:
            if name in ("gt", "ge"):
                later = start + second if name == "gt" or start != moment else start
                if kind == "time" and later.date() != moment.date():
                    return None
                low = max(low, _text(later, kind))
            else:
                exact = start - second if name == "lt" and start == moment else start
                if kind == "datetime" or exact.date() == moment.date():
                    whole = min(whole, _text(exact, kind))
                else:
                    return None
                before = start - second
                if kind == "time" and before.date() != moment.date():
                    high = ""
                else:
                    high = min(high, _text(before, kind))
        except OverflowError:
            return None
    parts = []
    if high and (found := between(low, high)) is not None:
        parts.append(found + FRACTION)
    if whole != last and low <= whole and (found := between(max(low, high), whole)) is not None:
        parts.append(found)
    return f"(?:{'|'.join(parts)})" if parts else None


def _text(moment: datetime.datetime, kind: str) -> str:
    text = moment.isoformat()
    return text if kind == "datetime" else text[11:]


def _days_away(bounds: Mapping[str, datetime.datetime]) -> str | None:
    """Days on which every clock time, at every offset, lies within the bounds."""
    lower = any(name in ("gt", "ge") for name in bounds)
    low, high = FIRST_DAY if lower else EARLIEST, LAST_DAY
    try:
        for name, value in bounds.items():
            if name in ("gt", "ge"):
                low = max(low, (value.date() + 2 * DAY).isoformat())
            else:
                high = min(high, (value.date() - 2 * DAY).isoformat())
    except OverflowError:
        return None
    pattern = between(low, high)
    return None if pattern is None else f"{pattern}[Tt]{CLOCK}{FRACTION}"


def time_schema(schema: Mapping[str, Any]) -> Schema:
    """Times of the day between bounds."""
    bounds = _bounds(schema, datetime.time)
    zone = schema.get("tz_constraint")
    if isinstance(zone, int) or any(value.tzinfo is not None for value in bounds.values()):
        raise UnsupportedSpec(
            "tz_constraint",
            "bounds with a zone, and times of one offset only, are not enforced",
            hint="give the bound without a zone",
        )
    found: Schema = {"type": "string", "format": "time"}
    if not bounds and zone != "naive":
        return found
    pattern = _seconds(bounds, "time") if bounds else f"{CLOCK}{FRACTION}"
    if pattern is None:
        raise _no_value(bounds)
    clock = f"(?={CLOCK}){pattern}"
    if zone == "naive" or bounds:
        return {"type": "string", "pattern": f"^{clock}$"}
    return {**found, "pattern": f"^{clock}{ZONE}$"}


DURATION = (
    r"^-?P(?=[0-9T])(?:[0-9]{1,5}Y)?(?:[0-9]{1,6}M)?(?:[0-9]{1,7}W)?(?:[0-9]{1,8}D)?"
    r"(?:T(?=[0-9])(?:[0-9]{1,6}H)?(?:[0-9]{1,7}M)?(?:[0-9]{1,9}(?:\.[0-9]{1,6})?S)?)?$"
)
"""Durations that a `timedelta` holds, however their parts add up."""

UNITS = (
    ("P", "W", 604_800, 7),
    ("P", "D", 86_400, 8),
    ("PT", "H", 3_600, 6),
    ("PT", "M", 60, 7),
    ("PT", "S", 1, 9),
)


def duration_schema(schema: Mapping[str, Any]) -> Schema:
    """Durations; with bounds, as a whole number of one unit.

    >>> duration_schema({"ge": datetime.timedelta(days=1), "lt": datetime.timedelta(days=1.5)})
    {'type': 'string', 'pattern': '^(?:P1D|PT(?:2[4-9]|3[0-5])H|...
    """
    bounds = _bounds(schema, datetime.timedelta)
    if not bounds:
        return {"type": "string", "pattern": DURATION}
    parts = []
    for prefix, unit, seconds, digits in UNITS:
        low, high = 0, 10**digits - 1
        step = datetime.timedelta(seconds=seconds)
        for name, value in bounds.items():
            many = _ratio(value, step)
            if name in ("gt", "ge"):
                low = max(low, floor(many) + 1 if name == "gt" else ceil(many))
            else:
                high = min(high, ceil(many) - 1 if name == "lt" else floor(many))
        found = integers(low, high) if low <= high else None
        if found is not None:
            parts.append(f"{prefix}{found}{unit}")
    if not parts:
        raise _no_value(bounds)
    return {"type": "string", "pattern": f"^(?:{'|'.join(parts)})$"}


def _ratio(value: datetime.timedelta, step: datetime.timedelta) -> Fraction:
    micro = datetime.timedelta(microseconds=1)
    return Fraction(value // micro, step // micro)
