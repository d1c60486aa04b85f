"""JSON numbers in a range, exactly: the grammars that the JSON front end asks for.

The notation is that of RFC 8259, section 6: an optional minus sign, digits without leading zeros,
an optional fraction. Zero may carry a minus sign there (``-0`` is a JSON number of value 0), so it
may here wherever 0 itself may stand, unless `negative_zero` is off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from math import gcd
from types import MappingProxyType

from constrained.errors import InvalidSpec, UnsatisfiableSpec
from constrained.grammar import (
    Grammar,
    Node,
    Nothing,
    alt,
    cat,
    char_class,
    literal,
    optional,
    repeat,
)
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.numbers_magnitude import Congruence, Magnitudes, decimal_places

__all__ = [
    "LONGEST_BOUND",
    "decimal_grammar",
    "in_decimals",
    "integer_grammar",
    "plain",
    "signed_grammar",
]

DIGIT = char_class((0x30, 0x39))
NON_ZERO = char_class((0x31, 0x39))
WHOLE = alt(literal("0"), cat(NON_ZERO, repeat(DIGIT)))
EXPONENT_MARK = char_class("eE")
EXPONENT = cat(EXPONENT_MARK, optional(char_class("+-")), repeat(DIGIT, 1))

EXPONENT_WIDTH = 3
"""Exponents may be padded with zeros to so many digits: Python writes 1e-07, others 1E-007."""

LONGEST_BOUND = 1_000
"""Digits of a bound, of which automata need a few states each."""


def integer_grammar(
    low: int | None,
    high: int | None,
    *,
    multiple_of: int = 1,
    negative_zero: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Grammar:
    """The integers from `low` to `high` that are multiples, written without a fraction.

    Raises `UnsatisfiableSpec` when there is none, `InvalidSpec` when `multiple_of` is not positive
    and `LimitExceeded` when the automaton of the multiples is too large.

    >>> integer_grammar(0, 9, negative_zero=False).start
    Chars(ranges=((48, 57),))
    """
    _check_multiple(multiple_of)
    notation = Magnitudes(
        congruence=None if multiple_of == 1 else Congruence(Fraction(multiple_of)), most_places=0
    )
    return signed_grammar(
        None if low is None else Fraction(low),
        None if high is None else Fraction(high),
        notation,
        negative_zero=negative_zero,
        what="integer",
        condition="" if multiple_of == 1 else f"a multiple of {multiple_of}",
        limits=limits,
    )


def decimal_grammar(
    low: Fraction | None,
    high: Fraction | None,
    *,
    exclusive_low: bool = False,
    exclusive_high: bool = False,
    multiple_of: Fraction | None = None,
    exponents: bool = False,
    integral_fraction: bool = True,
    negative_zero: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Grammar:
    """The JSON numbers in a range that are multiples of `multiple_of`.

    Without `exponents` exactly the texts ``-?int frac?`` whose value qualifies; without
    `integral_fraction` those whose fraction is not all zeros (``1.50`` but not ``1.0``).

    With `exponents` also scientific notation. Where one sign is not bounded at all, that is every
    JSON number of that sign (above an exclusive zero: every one that is not zero). Where it is
    bounded, it is the normalised ones, exactly: one digit other than 0, an optional fraction,
    ``e`` or ``E``, an optional sign, and an exponent without leading zeros or padded to at most
    three digits. Multiples are written without exponents: with `multiple_of` the flag has no
    effect.

    Raises `UnsatisfiableSpec` when no number qualifies, `InvalidSpec` when `multiple_of` is not
    positive and `LimitExceeded` when the automaton is too large.

    >>> g = decimal_grammar(Fraction(0), Fraction(1), multiple_of=Fraction(1, 2))
    """
    if multiple_of is not None:
        _check_multiple(multiple_of)
    notation = Magnitudes(
        exclusive_low=exclusive_low,
        exclusive_high=exclusive_high,
        congruence=None if multiple_of is None else Congruence(in_decimals(multiple_of)),
        zeros="any" if integral_fraction else "not alone",
    )
    return signed_grammar(
        low,
        high,
        notation,
        negative_zero=negative_zero,
        exponents=exponents and multiple_of is None,
        what="number",
        condition="" if multiple_of is None else f"a multiple of {plain(multiple_of)}",
        limits=limits,
    )


def signed_grammar(
    low: Fraction | None,
    high: Fraction | None,
    notation: Magnitudes,
    *,
    negative_zero: bool = False,
    exponents: bool = False,
    plus_sign: bool = False,
    what: str = "number",
    condition: str = "",
    limits: Limits = DEFAULT_LIMITS,
) -> Grammar:
    """Numbers of both signs from `low` to `high` in the notation given.

    The bounds of `notation` are ignored, its `exclusive_low` and `exclusive_high` are those of the
    signed range. `what` and `condition` are words for the error message.
    """
    for bound in (low, high):
        if bound is not None and abs(bound) >= 10**LONGEST_BOUND:
            raise InvalidSpec(f"a bound has more than {LONGEST_BOUND:,} digits")
    rules: dict[str, Node] = {}
    known: dict[str, Node] = {}

    def compiled(numbers: Magnitudes) -> Node:
        name = numbers.name()  # the same on both sides of zero, often
        if name not in known:
            known[name], more = numbers.compile(limits)
            rules.update(more)
        return known[name]

    parts = [
        cat(literal(sign), _magnitudes(half, exponents, compiled))
        for sign, half in _halves(low, high, notation, negative_zero, plus_sign)
    ]
    start = alt(*parts)
    if isinstance(start, Nothing):
        raise UnsatisfiableSpec(_nothing_fits(low, high, notation, what, condition))
    return Grammar(start, MappingProxyType(rules))


def _halves(
    low: Fraction | None,
    high: Fraction | None,
    notation: Magnitudes,
    negative_zero: bool,
    plus_sign: bool,
) -> Iterable[tuple[str, Magnitudes]]:
    """The non-negative part of a range, and its negative part mirrored."""
    zero = Fraction(0)
    if high is None or high >= 0:
        bounded = low is not None and low >= 0
        above = replace(
            notation,
            low=low if low is not None and bounded else zero,
            high=high,
            exclusive_low=notation.exclusive_low and bounded,
        )
        yield "", above
        if plus_sign:
            yield "+", replace(above, exclusive_low=above.exclusive_low or above.low == 0)
    if low is None or low <= 0:
        bounded = high is not None and high <= 0
        below = replace(
            notation,
            low=-high if high is not None and bounded else zero,
            high=None if low is None else -low,
            exclusive_low=notation.exclusive_high and bounded,
            exclusive_high=notation.exclusive_low,
            congruence=None if notation.congruence is None else notation.congruence.mirrored(),
        )
        if below.low == 0 and not negative_zero:
            below = replace(below, exclusive_low=True)
        yield "-", below


def _magnitudes(
    numbers: Magnitudes, exponents: bool, compiled: Callable[[Magnitudes], Node]
) -> Node:
    if not exponents:
        return compiled(numbers)
    if numbers.high is None and numbers.low == 0:
        return _any_notation(numbers)
    return alt(compiled(numbers), *_scientific(numbers, compiled))


def _any_notation(numbers: Magnitudes) -> Node:
    """All JSON numbers without a sign, or all that are not zero."""
    digits = repeat(DIGIT)
    not_zeros = cat(repeat(literal("0")), NON_ZERO, digits)
    fraction = cat(literal("."), repeat(DIGIT, 1))
    small = cat(literal("0."), not_zeros)
    large = cat(NON_ZERO, digits)
    if numbers.zeros == "any":
        large = cat(large, optional(fraction))
        zero = cat(literal("0"), optional(cat(literal("."), repeat(literal("0"), 1))))
    else:
        large = cat(large, optional(cat(literal("."), not_zeros)))
        zero = literal("0")
    if numbers.exclusive_low:
        return cat(alt(large, small), optional(EXPONENT))
    return cat(alt(large, small, zero), optional(EXPONENT))


def _scientific(numbers: Magnitudes, compiled: Callable[[Magnitudes], Node]) -> Iterable[Node]:
    """Normalised scientific notation: the exponents compare first, then the mantissas."""
    low, high = _normalised(numbers.low), _normalised(numbers.high)
    if numbers.high == 0 or (low and high and low[1] > high[1]):
        return
    all_low, all_high = Fraction(1), Fraction(10)
    mantissa = replace(numbers, exclusive_high=True, low=all_low, high=all_high)
    first, last = low[1] if low else None, high[1] if high else None
    from_low = replace(mantissa, low=low[0]) if low else mantissa
    if high:
        up_to_high = replace(mantissa, high=high[0], exclusive_high=numbers.exclusive_high)
        if first == last:
            both = replace(up_to_high, low=from_low.low, exclusive_low=numbers.exclusive_low)
            yield cat(compiled(both), _exponents(first, last, compiled))
            return
        yield cat(
            compiled(replace(up_to_high, exclusive_low=False)), _exponents(last, last, compiled)
        )
        last = last - 1 if last is not None else None
    if low:
        yield cat(compiled(from_low), _exponents(first, first, compiled))
        first = first + 1 if first is not None else None
    if first is None or last is None or first <= last:
        inner = replace(mantissa, exclusive_low=False)
        yield cat(compiled(inner), _exponents(first, last, compiled))


def _normalised(value: Fraction | None) -> tuple[Fraction, int] | None:
    """The mantissa in [1, 10) and the exponent of a positive number."""
    if not value:
        return None
    exponent = len(str(value.numerator)) - len(str(value.denominator))
    if value < Fraction(10) ** exponent:
        exponent -= 1
    return value / Fraction(10) ** exponent, exponent


def _exponents(low: int | None, high: int | None, compiled: Callable[[Magnitudes], Node]) -> Node:
    """The exponents from `low` to `high` with the mark before them."""
    notation = Magnitudes(most_places=0, width=EXPONENT_WIDTH)
    signs = []
    if high is None or high >= 0:
        least = Fraction(max(low or 0, 0))
        most = None if high is None else Fraction(high)
        signs.append(cat(optional(literal("+")), compiled(replace(notation, low=least, high=most))))
    if low is None or low <= 0:
        least = Fraction(max(-high, 0)) if high is not None else Fraction(0)
        most = None if low is None else Fraction(-low)
        signs.append(cat(literal("-"), compiled(replace(notation, low=least, high=most))))
    return cat(EXPONENT_MARK, alt(*signs))


def _check_multiple(multiple_of: Fraction | int) -> None:
    if multiple_of <= 0:
        raise InvalidSpec(
            f"a multiple of {plain(Fraction(multiple_of))} is asked for",
            hint="multiples are of a number above 0",
        )


def in_decimals(multiple_of: Fraction) -> Fraction:
    """The number whose multiples are the finite decimals among the multiples of `multiple_of`.

    A finite decimal k * p/q needs all factors of q other than 2 and 5 in k.
    """
    denominator = multiple_of.denominator
    while (common := gcd(denominator, 10)) > 1:
        denominator //= common
    return multiple_of * denominator


def plain(value: Fraction) -> str:
    """The number for people: decimal digits where they are finite, else a fraction.

    >>> plain(Fraction(5, 2)), plain(Fraction(-3)), plain(Fraction(1, 3))
    ('2.5', '-3', '1/3')
    """
    places = decimal_places(value)
    if not places:
        return str(value)
    digits = str(abs(int(value * 10**places))).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _nothing_fits(
    low: Fraction | None, high: Fraction | None, notation: Magnitudes, what: str, condition: str
) -> str:
    phrases = []
    if low is not None:
        phrases.append(f"{'above' if notation.exclusive_low else 'at least'} {plain(low)}")
    if high is not None:
        phrases.append(f"{'below' if notation.exclusive_high else 'at most'} {plain(high)}")
    if condition:
        phrases.append(condition)
    last = phrases.pop() if phrases else "written so"
    return f"no {what} is {', '.join(phrases)}{' and ' if phrases else ''}{last}"
