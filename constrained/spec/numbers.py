"""`integer` and `number`: numbers in a range, on a step, in one canonical notation, read typed.

Nothing is rounded: bounds and steps are taken as the decimal numbers they are written as (0.1 is
one tenth), and an output is in the format exactly when its value is in the range and on the step.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from operator import index
from typing import Any

from constrained.arguments import check_switch, text_argument
from constrained.errors import InvalidSpec
from constrained.limits import DEFAULT_LIMITS, Limits, check_limits
from constrained.spec.compose import check_text
from constrained.spec.numbers_json import (
    LONGEST_BOUND,
    decimal_grammar,
    integer_grammar,
    plain,
    signed_grammar,
)
from constrained.spec.numbers_magnitude import Congruence, Magnitudes, decimal_places
from constrained.spec.source import bounds_source, call_source
from constrained.spec.spec import Spec

__all__ = ["Real", "decimal_grammar", "exactly", "integer", "integer_grammar", "number"]

Real = int | float | Decimal | Fraction


def exactly(value: Real, what: str) -> Fraction:
    """The number that `value` is written as: 0.1 is one tenth.

    Raises `InvalidSpec` for what is not a finite number.

    >>> exactly(0.1, "low")
    Fraction(1, 10)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidSpec(f"{what} must be a number, not {value!r}")
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise InvalidSpec(f"{what} must be a finite number, not {value}")
        if abs(value.adjusted()) >= LONGEST_BOUND or len(value.as_tuple().digits) > LONGEST_BOUND:
            raise _too_long(what)
        return Fraction(value)
    _check_length(Fraction(value), what)
    return Fraction(value)


def _check_length(value: Fraction, what: str) -> None:
    if max(abs(value.numerator), value.denominator) >= 10**LONGEST_BOUND:
        raise _too_long(what)


def _too_long(what: str) -> InvalidSpec:
    return InvalidSpec(f"{what} has more than {LONGEST_BOUND:,} digits")


def integer(
    low: int | None = None,
    high: int | None = None,
    *,
    step: int = 1,
    plus_sign: bool = False,
    leading_zeros: bool = False,
    thousands_separator: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Spec[int]:
    """An integer from `low` to `high`, both included; no bound on a side that is None.

    One text per number: no leading zeros, no plus sign, no ``-0``. `step` counts from `low`, or
    from 0 when there is no `low`. The notation can be widened: with `plus_sign` numbers above 0
    may carry a plus, with `leading_zeros` they may be padded to as many digits as the longest
    bound has (both bounds are needed then). With `thousands_separator` (one character) numbers
    of four digits and more must be written in groups of three.

    Raises `UnsatisfiableSpec` when no integer qualifies, `InvalidSpec` for arguments of the wrong
    kind, `LimitExceeded` for steps that need too large an automaton.

    >>> integer(0, 10).parse("7")
    7
    >>> integer(1000, thousands_separator=",").parse("12,500")
    12500
    """
    _check_settings(limits, plus_sign=plus_sign, leading_zeros=leading_zeros)
    low, high = _optional_integer(low, "low"), _optional_integer(high, "high")
    step = _optional_integer(step, "step") or 0
    if step < 1:
        raise InvalidSpec(f"step must be 1 or more, not {step}")
    separator = thousands_separator or ""
    if thousands_separator is not None:
        text_argument(separator, "thousands_separator", InvalidSpec)
        if len(separator) != 1 or separator in "0123456789+-":
            raise InvalidSpec(
                f"thousands_separator must be one character that no integer holds, "
                f"not {thousands_separator!r}"
            )
        check_text(separator)
        if leading_zeros:
            raise InvalidSpec(
                "leading_zeros and thousands_separator contradict each other",
                hint="choose one of them",
            )
    width = 0
    if leading_zeros:
        if low is None or high is None:
            raise InvalidSpec(
                "leading_zeros needs both bounds", hint="they say how wide the numbers are"
            )
        width = len(plain(Fraction(max(abs(low), abs(high)))))
    start = Fraction(0 if low is None else low)
    notation = Magnitudes(
        congruence=Congruence(Fraction(step), start) if step > 1 else None,
        most_places=0,
        width=width,
        separator=separator,
    )
    grammar = signed_grammar(
        None if low is None else start,
        None if high is None else Fraction(high),
        notation,
        plus_sign=plus_sign,
        what="integer",
        condition=_on_step(Fraction(step), start) if step > 1 else "",
        limits=limits,
    )
    source = call_source(
        "integer",
        bounds_source(low, high),
        {
            "step": (step, 1),
            "plus_sign": (plus_sign, False),
            "leading_zeros": (leading_zeros, False),
            "thousands_separator": (thousands_separator, None),
        },
    )
    return Spec(
        source, grammar, lambda text: _read_integer(text.replace(separator, "")), limits=limits
    )


def number(
    low: Real | None = None,
    high: Real | None = None,
    *,
    step: Real | None = None,
    decimals: int | None = None,
    exclusive_low: bool = False,
    exclusive_high: bool = False,
    plus_sign: bool = False,
    trailing_zeros: bool = False,
    exact: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> Spec[Any]:
    """A decimal number from `low` to `high`; the bounds are included unless they are exclusive.

    One text per number: no leading zeros, no exponent, no plus sign, no minus sign before zero,
    and a fraction only where it is needed, without zeros at its end (``7``, ``7.5``). Instead,
    `decimals` asks for exactly that many digits after the point, always (``7.00``), and
    `trailing_zeros` allows zeros up to as many digits as the `step` needs (``7`` and ``7.0`` in
    steps of 0.5); `plus_sign` allows a plus before numbers above 0.

    `step` counts from `low`, or from 0 when there is no `low`: ``number(0, 5, step=0.5)`` has
    eleven outputs. Without a step and without decimals there are infinitely many.

    The value is a float, which is finite and inside exclusive bounds, too; with `exact` it is a
    `Decimal`.

    Raises `UnsatisfiableSpec` when no number qualifies, `InvalidSpec` for arguments of the wrong
    kind or that contradict each other, `LimitExceeded` for steps that need too large an automaton.

    >>> number(0, 1, step=0.25).parse("0.75")
    0.75
    >>> number(0, 1, decimals=2, exact=True).parse("0.50")
    Decimal('0.50')
    """
    _check_settings(
        limits,
        exclusive_low=exclusive_low,
        exclusive_high=exclusive_high,
        plus_sign=plus_sign,
        trailing_zeros=trailing_zeros,
        exact=exact,
    )
    least = None if low is None else exactly(low, "low")
    most = None if high is None else exactly(high, "high")
    start = least or Fraction(0)
    stride = None if step is None else exactly(step, "step")
    if stride is not None and stride <= 0:
        raise InvalidSpec(f"step must be above 0, not {step}")
    places = None if stride is None else _places_of_step(stride, start)
    most_places = _optional_integer(decimals, "decimals")
    if most_places is not None:
        if not 0 <= most_places <= LONGEST_BOUND:
            raise InvalidSpec(f"decimals must be from 0 to {LONGEST_BOUND:,}, not {most_places:,}")
        if places is not None and places > most_places:
            raise InvalidSpec(
                f"steps of {plain(stride or start)} from {plain(start)} need {places} decimals, "
                f"not {most_places}"
            )
        if trailing_zeros:
            raise InvalidSpec("decimals and trailing_zeros contradict each other")
    elif trailing_zeros and places is None:
        raise InvalidSpec("trailing_zeros needs a step", hint="it says how many zeros there may be")
    notation = Magnitudes(
        exclusive_low=exclusive_low,
        exclusive_high=exclusive_high,
        congruence=None if stride is None else Congruence(stride, start),
        least_places=most_places or 0,
        most_places=places if trailing_zeros else most_places,
        zeros="none" if most_places is None and not trailing_zeros else "any",
    )
    if stride is not None:
        condition = _on_step(stride, start)
    else:
        condition = "" if most_places is None else f"written with {most_places} decimals"
    grammar = signed_grammar(
        least,
        most,
        notation,
        doubles=not exact,
        plus_sign=plus_sign,
        condition=condition,
        limits=limits,
    )
    source = call_source(
        "number",
        bounds_source(low, high),
        {
            "step": (step, None),
            "decimals": (decimals, None),
            "exclusive_low": (exclusive_low, False),
            "exclusive_high": (exclusive_high, False),
            "plus_sign": (plus_sign, False),
            "trailing_zeros": (trailing_zeros, False),
            "exact": (exact, False),
        },
    )
    read: Callable[[str], Any] = Decimal if exact else float
    return Spec(source, grammar, read, limits=limits)


def _check_settings(limits: Limits, **switches: bool) -> None:
    check_limits(limits)
    for name, value in switches.items():
        check_switch(value, name, InvalidSpec, known=(True, False))


def _optional_integer(value: int | None, what: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, bool):
        try:
            found = index(value)
        except TypeError:
            pass
        else:
            _check_length(Fraction(found), what)
            return found
    raise InvalidSpec(f"{what} must be an integer, not {value!r}")


def _places_of_step(step: Fraction, start: Fraction) -> int:
    """The digits after the point that the numbers on a step need."""
    places = []
    for what, value in (("step", step), ("low", start)):
        needed = decimal_places(value)
        if needed is None:
            raise InvalidSpec(f"{what} {plain(value)} has no finite decimals to count steps in")
        places.append(needed)
    return max(places)


def _on_step(step: Fraction, start: Fraction) -> str:
    if (start / step).denominator == 1:
        return f"a multiple of {plain(step)}"
    return f"{plain(start)} plus a multiple of {plain(step)}"


def _read_integer(text: str) -> int:
    return int(text) if len(text) < 640 else int(Decimal(text))  # `int` refuses long texts
