"""Numbers of types: as JSON numbers, and as the texts that pydantic writes and reads for them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from math import isfinite
from typing import Any

from constrained.errors import UnsupportedSpec
from constrained.spec.typed.ranges import NUMERAL, at_least, at_most, integers, places

__all__ = ["complex_schema", "decimal_schema", "float_schema", "fraction_schema", "integer_schema"]

Schema = dict[str, Any]
KEYWORDS = {
    "multiple_of": "multipleOf",
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}
LARGEST = sys.float_info.max
SAFE_MULTIPLE = 100_000
"""Up to here a float counts as a multiple of another wherever the decimals say so."""
LONGEST = 250
"""Digits of a bound that is compared as a text."""
MOST_DIGITS = 1_000
"""Digits of a number within `max_digits`."""
MOST_STEPS = 10**27
"""A decimal of more steps has no remainder, whatever the decimals say."""
SAFE_DIGITS = 15
"""Decimals of so many digits are the same after a float has held them."""


def _bounds(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: schema[name] for name in KEYWORDS if schema.get(name) is not None}


def _limits(bounds: Mapping[str, Any]) -> Schema:
    found: Schema = {}
    for name, value in bounds.items():
        if isinstance(value, float) and not isfinite(value):
            if (name in ("ge", "gt")) == (value < 0) and value == value:
                continue
            raise _never(name, value)
        found[KEYWORDS[name]] = value
    return found


def _never(name: str, value: Any) -> UnsupportedSpec:
    return UnsupportedSpec(
        name, f"no JSON number satisfies {name}={value!r}", hint="use a finite bound"
    )


def integer_schema(schema: Mapping[str, Any], *, text: bool = False) -> Schema:
    """Integers; as `text` where they are keys."""
    bounds = _bounds(schema)
    if not text:
        return {"type": "integer", **_limits(bounds)}
    if "multiple_of" in bounds:
        raise UnsupportedSpec(
            "multiple_of", "multiples are not enforced in a key", hint="use ge and le only"
        )
    for name, value in bounds.items():
        _exact(name, value)
    low = max([bounds[n] + (n == "gt") for n in ("ge", "gt") if n in bounds], default=None)
    high = min([bounds[n] - (n == "lt") for n in ("le", "lt") if n in bounds], default=None)
    found = integers(low, high)
    if found is None:
        raise UnsupportedSpec("key", f"no integer is at least {low} and at most {high}")
    return {"type": "string", "pattern": f"^{found}$"}


def float_schema(schema: Mapping[str, Any], finite: bool, *, text: bool = False) -> Schema:
    """Floats, finite ones or all; multiples as far as floats can tell them."""
    bounds = _bounds(schema)
    if text:
        if "multiple_of" in bounds:
            raise UnsupportedSpec(
                "multiple_of", "multiples are not enforced in a key", hint="use ge and le only"
            )
        return _texts(bounds, r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{0,14}[1-9])?")
    found = {"type": "number", **_limits(bounds)}
    if finite:
        _within(found, -LARGEST, LARGEST)
    step = bounds.get("multiple_of")
    if step is not None:
        exact = Fraction(step)
        dyadic = Fraction(str(step)) == exact
        most = (
            exact * 2**53
            if dyadic and exact.numerator == 1
            else exact * 2**40
            if dyadic
            else SAFE_MULTIPLE
        )
        most = min(most, Fraction(2) ** 1000)
        _within(found, -float(most), float(most))
    return found


def _within(found: Schema, low: float, high: float) -> None:
    """Bounds where there is none, or a wider one."""
    if found.get("exclusiveMinimum", low - 1) < low or "exclusiveMinimum" not in found:
        found["minimum"] = max(found.get("minimum", low), low)
    if found.get("exclusiveMaximum", high + 1) > high or "exclusiveMaximum" not in found:
        found["maximum"] = min(found.get("maximum", high), high)


def _texts(bounds: Mapping[str, Any], shape: str) -> Schema:
    """Numerals of a shape within bounds, as a JSON string."""
    patterns: list[str | None] = []
    for name, value in bounds.items():
        bound = _exact(name, value)
        make = at_least if name in ("ge", "gt") else at_most
        patterns.append(make(bound, name in ("gt", "lt")))
    found: Schema = {"type": "string", "pattern": f"^{shape}$"}
    if patterns:
        found["allOf"] = [{"pattern": f"^{one}$"} for one in patterns]
    return found


def decimal_schema(schema: Mapping[str, Any], *, text: bool = False) -> Schema:
    """Decimals: as the text that pydantic writes, and as a number where a float keeps its digits.

    >>> decimal_schema({"max_digits": 3, "decimal_places": 1})["anyOf"][0]["maximum"]
    99.9
    """
    bounds = _bounds(schema)
    digits, decimals = schema.get("max_digits"), schema.get("decimal_places")
    if digits is not None and digits < 1:
        raise _never("max_digits", digits)
    digits = None if digits is None else min(digits, MOST_DIGITS)
    decimals = None if decimals is None else min(decimals, MOST_DIGITS)
    limited = digits is not None or decimals is not None
    step = bounds.pop("multiple_of", None)
    if step is not None:
        if text:
            raise UnsupportedSpec(
                "multiple_of", "multiples are not enforced in a text", hint="use decimal_places"
            )
        return _decimal_number(bounds, digits, decimals, step)
    shape = places(digits, decimals) if limited else NUMERAL
    if not limited and not bounds:
        shape += "(?:[eE][+-]?[0-9]{1,3})?"
    written = _texts(bounds, shape)
    if text or (digits is not None and decimals is not None and digits <= decimals):
        return written
    if not limited and not bounds:
        return {"anyOf": [{"type": "number", "minimum": -LARGEST, "maximum": LARGEST}, written]}
    return {"anyOf": [_decimal_number(bounds, digits, decimals, None), written]}


def _decimal_number(
    bounds: Mapping[str, Any], digits: int | None, decimals: int | None, step: Any
) -> Schema:
    """JSON numbers of at most 15 digits, which a float keeps: so many before and after a point."""
    after = 6 if decimals is None else decimals
    if digits is not None and decimals is None:
        after = 0
    if step is not None:
        if digits is not None or decimals is not None:
            raise UnsupportedSpec(
                "multiple_of",
                "multiple_of beside max_digits or decimal_places is not enforced",
                hint="keep one of them",
            )
        exponent = Decimal(str(step)).as_tuple().exponent
        after = max(0, -exponent) if isinstance(exponent, int) else 0
    after = min(after, SAFE_DIGITS - 1)
    before = SAFE_DIGITS - after if digits is None else min(SAFE_DIGITS, digits) - after
    unit = Decimal(1).scaleb(-after)
    with localcontext() as context:
        context.prec = 2_000
        high = Decimal(1).scaleb(max(before, 0)) - unit
        if step is not None:  # the remainder is found with the 28 digits of a plain context
            high = min(high, (abs(Decimal(str(step))) * MOST_STEPS).quantize(unit, ROUND_FLOOR))
        low = -high
        most = high.normalize()
        for name, value in bounds.items():
            bound = _exact(name, value)
            if name in ("ge", "gt"):
                least = (bound / unit).to_integral_value(ROUND_CEILING) * unit
                low = max(low, least + unit if name == "gt" and least == bound else least)
            else:
                most = (bound / unit).to_integral_value(ROUND_FLOOR) * unit
                high = min(high, most - unit if name == "lt" and most == bound else most)
    if step is not None and (low > most or high < -most):
        raise UnsupportedSpec(
            "multiple_of",
            f"multiples of {step} are enforced from {-most:f} to {most:f}, and the bounds "
            "leave none of them",
            hint="use decimal_places, or a larger step",
        )
    return {
        "type": "number",
        "minimum": _plain(low),
        "maximum": _plain(high),
        "multipleOf": _plain(unit if step is None else Decimal(str(step))),
    }


def _exact(name: str, value: Any) -> Decimal:
    """A bound as a decimal; of the two that a float may mean, the tighter one."""
    with localcontext() as context:
        context.prec = 2_000
        if isinstance(value, Fraction):
            bound = Decimal(value.numerator) / Decimal(value.denominator)
            if Fraction(bound) != value:
                raise _never(name, value)
        elif isinstance(value, float) and isfinite(value):
            pick = max if name in ("ge", "gt") else min
            bound = pick(Decimal(value), Decimal(str(value)))
        else:
            bound = Decimal(value)
    if not bound.is_finite():
        raise _never(name, value)
    if abs(bound.adjusted()) > LONGEST or len(bound.as_tuple().digits) > LONGEST:
        raise UnsupportedSpec(
            name, f"{name} has more than {LONGEST:,} digits", hint="use a bound of fewer digits"
        )
    return bound


def _plain(value: Decimal) -> int | float:
    """The number as JSON has it, meant as the decimal that is written."""
    return int(value) if value == value.to_integral_value() else float(value)


def fraction_schema(schema: Mapping[str, Any], *, text: bool = False) -> Schema:
    """Fractions: as numbers, and without bounds as ``3/4``."""
    bounds = _bounds(schema)
    written = _texts(bounds, NUMERAL)
    if not bounds:
        written = {"type": "string", "pattern": "^-?(?:0|[1-9][0-9]*)(?:/[1-9][0-9]*)?$"}
    return written if text else {"anyOf": [_decimal_number(bounds, None, None, None), written]}


def complex_schema(*, text: bool = False) -> Schema:
    """Complex numbers: a JSON number, or a text such as ``1+2j``."""
    numeral = r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?"
    written = {"type": "string", "pattern": f"^-?{numeral}(?:[+-]{numeral}j)?$"}
    number = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
    return written if text else {"anyOf": [number, written]}
