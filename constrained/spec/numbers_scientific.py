"""Numbers with exponents, as far as they read as finite doubles, and as 0 only when they are 0.

A normalised number (one digit other than 0 before the point) may have every exponent for which
that is so. Where a sign is not bounded at all, any JSON number may carry an exponent of up to two
digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction

from constrained.grammar import EMPTY, Node, alt, cat, char_class, literal, optional, repeat
from constrained.spec.numbers_doubles import LARGEST, LEAST
from constrained.spec.numbers_magnitude import Magnitudes

__all__ = [
    "DIGIT",
    "LONG_MANTISSA",
    "NON_ZERO",
    "ZERO",
    "any_notation",
    "fraction_after",
    "scientific",
]

Compiled = Callable[[Magnitudes], Node]

ZERO = literal("0")
DIGIT = char_class((0x30, 0x39))
NON_ZERO = char_class((0x31, 0x39))
EXPONENT_MARK = char_class("eE")

EXPONENT_WIDTH = 3
"""Exponents may be padded with zeros to so many digits: Python writes 1e-07, others 1E-007."""

LONG_MANTISSA = 200
"""So many digits may stand before the point, or zeros after ``0.``, before any short exponent."""

SHORT_EXPONENT = cat(
    EXPONENT_MARK, optional(char_class("+-")), optional(ZERO), repeat(DIGIT, 1, EXPONENT_WIDTH - 1)
)


def any_notation(numbers: Magnitudes, compiled: Compiled) -> Node:
    """All JSON numbers without a sign, or all that are not zero, that read as finite doubles."""
    fraction = fraction_after(numbers)
    large = cat(NON_ZERO, repeat(DIGIT, 0, LONG_MANTISSA - 1), fraction)
    small = cat(literal("0."), repeat(ZERO, 0, LONG_MANTISSA), NON_ZERO, repeat(DIGIT))
    mantissas = alt(large, small)
    if not numbers.exclusive_low:
        zero_fraction = optional(cat(literal("."), repeat(ZERO, 1)))
        mantissas = alt(mantissas, cat(ZERO, zero_fraction) if numbers.zeros == "any" else ZERO)
    (least, first), (most, last) = _normalised(LEAST), _normalised(LARGEST)
    short = 10 ** (EXPONENT_WIDTH - 1)
    whole_range = _mantissas(numbers)
    return alt(
        cat(mantissas, optional(SHORT_EXPONENT)),
        cat(
            compiled(whole_range),
            alt(_exponents(first + 1, -short, compiled), _exponents(short, last - 1, compiled)),
        ),
        cat(compiled(replace(whole_range, low=least)), _exponents(first, first, compiled)),
        cat(compiled(_up_to(whole_range, most)), _exponents(last, last, compiled)),
    )


def scientific(numbers: Magnitudes, compiled: Compiled) -> Iterable[Node]:
    """Normalised notation of a range: the exponents compare first, then the mantissas.

    Bounds are included, apart from 0, which has no normalised notation.
    """
    low = numbers.low or LEAST
    high = LARGEST if numbers.high is None else min(numbers.high, LARGEST)
    if low > high:
        return
    (least, first), (most, last) = _normalised(low), _normalised(high)
    inner = _mantissas(numbers)
    from_low = replace(inner, low=least)
    if first == last:
        yield cat(compiled(_up_to(from_low, most)), _exponents(first, last, compiled))
        return
    yield cat(compiled(_up_to(inner, most)), _exponents(last, last, compiled))
    yield cat(compiled(from_low), _exponents(first, first, compiled))
    if first + 1 < last:
        yield cat(compiled(inner), _exponents(first + 1, last - 1, compiled))


def fraction_after(numbers: Magnitudes) -> Node:
    """Whatever fraction the notation allows after an integer part, if no number is left out."""
    point, digits = literal("."), repeat(DIGIT)
    if numbers.most_places == 0:
        return EMPTY
    if numbers.zeros == "none":
        return optional(cat(point, digits, NON_ZERO))
    if numbers.zeros == "not alone":
        return optional(cat(point, digits, NON_ZERO, digits))
    fraction = cat(point, repeat(DIGIT, max(numbers.least_places, 1), numbers.most_places))
    return fraction if numbers.least_places else optional(fraction)


def _mantissas(numbers: Magnitudes) -> Magnitudes:
    """The mantissas from 1 to 10, 10 left out, in the notation given."""
    return replace(
        numbers, low=Fraction(1), high=Fraction(10), exclusive_low=False, exclusive_high=True
    )


def _up_to(mantissas: Magnitudes, most: Fraction) -> Magnitudes:
    return replace(mantissas, high=most, exclusive_high=False)


def _normalised(value: Fraction) -> tuple[Fraction, int]:
    """The mantissa in [1, 10) and the exponent of a positive number."""
    exponent = len(str(value.numerator)) - len(str(value.denominator))
    if value < Fraction(10) ** exponent:
        exponent -= 1
    return value / Fraction(10) ** exponent, exponent


def _exponents(low: int, high: int, compiled: Compiled) -> Node:
    """The exponents from `low` to `high` with the mark before them."""
    notation = Magnitudes(most_places=0, width=EXPONENT_WIDTH)
    signs = []
    if high >= 0:
        above = replace(notation, low=Fraction(max(low, 0)), high=Fraction(high))
        signs.append(cat(optional(literal("+")), compiled(above)))
    if low <= 0:
        below = replace(notation, low=Fraction(max(-high, 0)), high=Fraction(-low))
        signs.append(cat(literal("-"), compiled(below)))
    return cat(EXPONENT_MARK, alt(*signs))
