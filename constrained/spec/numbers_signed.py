"""Numbers of both signs in a range: what `integer`, `number` and the JSON front end ask for.

Negative numbers are the mirrored positive ones behind a minus sign. A text is in the range when
its exact value is; with `doubles` also the double that it reads as has to be, and has to be finite:
`numbers_doubles` says where ranges end for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from constrained.errors import InvalidSpec, UnsatisfiableSpec
from constrained.grammar import (
    NOTHING,
    Grammar,
    Node,
    Nothing,
    alt,
    cat,
    intersect,
    literal,
    literals,
    optional,
    repeat,
)
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.numbers_doubles import (
    LEAST,
    MOST_DIGITS,
    above,
    below,
    on_grid,
    whole_double_above,
    whole_double_below,
)
from constrained.spec.numbers_magnitude import Magnitudes, plain
from constrained.spec.numbers_scientific import (
    DIGIT,
    NON_ZERO,
    ZERO,
    any_notation,
    fraction_after,
    scientific,
)

__all__ = ["LONGEST_BOUND", "plain", "signed_grammar"]

LONGEST_BOUND = 1_000
"""Digits of a bound, of which automata need a few states each."""

FINITE = cat(repeat(DIGIT, 1, MOST_DIGITS), optional(cat(literal("."), repeat(DIGIT, 1))))
"""Numerals without a sign that read as finite doubles."""


def signed_grammar(
    low: Fraction | None,
    high: Fraction | None,
    notation: Magnitudes,
    *,
    negative_zero: bool = False,
    exponents: bool = False,
    doubles: bool = False,
    plus_sign: bool = False,
    what: str = "number",
    condition: str = "",
    limits: Limits = DEFAULT_LIMITS,
) -> Grammar:
    """Numbers of both signs from `low` to `high` in the notation given.

    The bounds of `notation` are ignored, its `exclusive_low` and `exclusive_high` are those of the
    signed range. With `doubles` the texts whose double is in the range, too; exponents are only
    written then. `what` and `condition` are words for the error message.
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

    signs: dict[Magnitudes, list[str]] = {}  # halves that are alike are one node
    for sign, half in _halves(low, high, notation, negative_zero, plus_sign):
        signs.setdefault(half, []).append(sign)
    parts = []
    for half, before in signs.items():
        numerals = _read_as_doubles(half, exponents, compiled) if doubles else compiled(half)
        parts.append(cat(literals(before), numerals))
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
        above_zero = replace(
            notation,
            low=low if low is not None and bounded else zero,
            high=high,
            exclusive_low=notation.exclusive_low and bounded,
        )
        yield "", above_zero
        if plus_sign:
            exclusive = above_zero.exclusive_low or above_zero.low == 0
            yield "+", replace(above_zero, exclusive_low=exclusive)
    if low is None or low <= 0:
        bounded = high is not None and high <= 0
        below_zero = replace(
            notation,
            low=-high if high is not None and bounded else zero,
            high=None if low is None else -low,
            exclusive_low=notation.exclusive_high and bounded,
            exclusive_high=notation.exclusive_low,
            congruence=None if notation.congruence is None else notation.congruence.mirrored(),
        )
        if below_zero.low == 0 and not negative_zero:
            below_zero = replace(below_zero, exclusive_low=True)
        yield "-", below_zero


def _read_as_doubles(
    numbers: Magnitudes, exponents: bool, compiled: Callable[[Magnitudes], Node]
) -> Node:
    """Those of the numbers whose doubles are among them as well."""
    whole: Node = NOTHING
    if _grid(numbers) is None and _ends_between_doubles(numbers):
        # what is written without a point is read exactly, or as a double along with its bound
        whole = _read_as_doubles(replace(numbers, most_places=0), False, compiled)
    held = _held(numbers)
    if held is None:
        return whole
    if exponents and held.high is None and held.low == 0:
        return any_notation(held, compiled)
    others = scientific(held, compiled) if exponents else ()
    return alt(_numerals(held, compiled), whole, *others)


def _ends_between_doubles(numbers: Magnitudes) -> bool:
    """Whether a bound is a whole number that no double prints as."""
    high = numbers.high
    return whole_double_above(numbers.low) != numbers.low or (
        high is not None and whole_double_below(high) != high
    )


def _held(numbers: Magnitudes) -> Magnitudes | None:
    """The range with bounds that are included, apart from 0: up to the last double inside."""
    low: Fraction | None = numbers.low
    high = numbers.high
    grid = _grid(numbers)
    if low and grid is None:
        low = whole_double_above(low)
    if high and grid is None:
        high = whole_double_below(high)
    if numbers.exclusive_low and (low or grid):
        low = above(numbers.low)
        if low is not None and grid is not None:
            low = on_grid(low, *grid, upwards=True)
    if numbers.exclusive_high and numbers.high is not None:
        high = below(numbers.high)
        if high is None or high < 0:
            return None
        if grid is not None:
            high = on_grid(high, *grid, upwards=False)
    if low is None or (high is not None and low > high):
        return None
    exclusive = numbers.exclusive_low and low == 0
    return replace(numbers, low=low, high=high, exclusive_low=exclusive, exclusive_high=False)


def _grid(numbers: Magnitudes) -> tuple[Fraction, Fraction] | None:
    """Step and start, where only numbers on a step are written."""
    if numbers.congruence is not None:
        return numbers.congruence.step, numbers.congruence.start
    if numbers.most_places is not None:
        return Fraction(1, 10**numbers.most_places), Fraction(0)
    return None


def _numerals(numbers: Magnitudes, compiled: Callable[[Magnitudes], Node]) -> Node:
    """The numerals without exponents that read as finite doubles, and as 0 only if they are 0.

    Where a range has no end, or ends before 0, the last part of it is counted digits.
    """
    parts = []
    if numbers.high is None and numbers.congruence is not None:
        return intersect(compiled(numbers), FINITE)
    if numbers.exclusive_low and numbers.low == 0:
        zeros = 1
        while numbers.high is not None and Fraction(1, 10**zeros) > max(numbers.high, LEAST):
            zeros += 1
        if zeros < MOST_DIGITS:
            end = repeat(DIGIT) if numbers.zeros != "none" else _ends_in_no_zero()
            parts.append(
                cat(literal("0."), repeat(ZERO, zeros, MOST_DIGITS - 1), cat(NON_ZERO, end))
            )
        edge = max(Fraction(1, 10**zeros), LEAST)
        numbers = replace(numbers, low=edge, exclusive_low=False)
    if numbers.high is None:
        digits = len(str(numbers.low.numerator // numbers.low.denominator))
        if digits < MOST_DIGITS:
            whole = cat(NON_ZERO, repeat(DIGIT, digits, MOST_DIGITS - 1))
            parts.append(cat(whole, fraction_after(numbers)))
        end_of_finite = Fraction(10 ** min(digits, MOST_DIGITS))
        numbers = replace(numbers, high=end_of_finite, exclusive_high=True)
    return alt(compiled(numbers), *parts)


def _ends_in_no_zero() -> Node:
    return optional(cat(repeat(DIGIT), NON_ZERO))


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
    elif low is not None and high is not None and low < high and what == "number":
        what = "double"  # there are numbers, and all read as doubles that are not in the range
    last = phrases.pop() if phrases else "written so"
    return f"no {what} is {', '.join(phrases)}{' and ' if phrases else ''}{last}"
