"""Where a range of numbers ends for a reader that takes every number for a double.

Nearly all readers do: Python, JavaScript, pydantic. To such a reader 0.1000000000000000000001 is
0.1, 9e-707 is 0 and 1e400 is infinite. So a text is inside an open bound only if its double is on
the far side of the double of the bound, and a number is written at all only if its double is
finite.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, gcd, inf, nextafter

from constrained.spec.numbers_magnitude import decimal_places

__all__ = [
    "CERTAIN_DIGITS",
    "LARGEST",
    "LEAST",
    "MOST_DIGITS",
    "above",
    "below",
    "exact_multiples_to",
    "on_grid",
    "whole_double_above",
    "whole_double_below",
]

LARGEST = Fraction("1.7976931348623157e308")
"""The largest double, as it is printed: whatever is not above it reads as finite."""

LEAST = Fraction("3e-324")
"""Whatever is not below it reads as more than 0; the smallest double is printed as 5e-324."""

MOST_DIGITS = 308
"""Whole numbers of so many digits read as finite doubles, all of them."""

MANTISSA = 2**53
"""Every whole number up to it is a double."""

CERTAIN_DIGITS = 15
"""Decimal numbers of so many significant digits all read as different doubles."""


def above(bound: Fraction) -> Fraction | None:
    """The next double above the one that `bound` reads as, as it is printed; None: there is none.

    >>> above(Fraction(1))
    Fraction(5000000000000001, 5000000000000000)
    """
    following = nextafter(_read(bound), inf)
    if following == inf:
        return None
    return -LARGEST if following == -inf else Fraction(repr(following))


def below(bound: Fraction) -> Fraction | None:
    """The next double below the one that `bound` reads as; None: there is none."""
    found = above(-bound)
    return None if found is None else -found


def whole_double_above(bound: Fraction) -> Fraction:
    """The bound, or the next double if the bound is a whole number that no double prints as.

    Readers that keep whole numbers exact compare doubles with such a bound itself, others with the
    double that it reads as; both are content with the next double, which is printed.
    """
    if bound.denominator != 1 or abs(bound) <= MANTISSA or abs(bound) > LARGEST:
        return bound
    found = _read(bound)
    if Fraction(repr(found)) == bound:
        return bound
    return Fraction(repr(found if found > bound else nextafter(found, inf)))


def whole_double_below(bound: Fraction) -> Fraction:
    """The bound, or the double before it, likewise."""
    return -whole_double_above(-bound)


def exact_multiples_to(step: Fraction) -> Fraction | None:
    """How far from 0 multiples of `step` are surely multiples for doubles, too; None: always.

    Up to there a double holds each multiple exactly, or, where the step itself is no double (0.1),
    tells each from all other numbers with as many decimal places.

    >>> exact_multiples_to(Fraction(3)), exact_multiples_to(Fraction(1, 2))
    (Fraction(9007199254740990, 1), None)
    """
    odd = _odd(step.numerator)
    if step.denominator == _power_of_two(step.denominator):
        return None if odd == 1 else (MANTISSA // odd) * step
    unit = 10 ** (decimal_places(step) or 0)
    return floor(Fraction(10**CERTAIN_DIGITS - 1, unit) / step) * step


def on_grid(value: Fraction, step: Fraction, start: Fraction, *, upwards: bool) -> Fraction:
    """The value, or the next number beyond it that is `start` plus a multiple of `step`."""
    steps = (value - start) / step
    return start + (ceil(steps) if upwards else floor(steps)) * step


def _read(value: Fraction) -> float:
    try:
        return value.numerator / value.denominator  # rounded to the nearest, ties to even
    except OverflowError:
        return inf if value > 0 else -inf


def _odd(number: int) -> int:
    return number // _power_of_two(number)


def _power_of_two(number: int) -> int:
    """The largest power of two that divides the number."""
    return gcd(number, 1 << number.bit_length())
