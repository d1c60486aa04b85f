"""The algebra of number records: membership, intersection, complement, emptiness; all exact."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import ceil, floor, gcd, lcm

from constrained.spec.json_schema.records import Exact, Number
from constrained.spec.numbers_doubles import (
    LARGEST,
    MOST_DIGITS,
    above,
    below,
    exact_multiples_to,
)

__all__ = [
    "as_exact",
    "closed_bounds",
    "common_multiple",
    "holds_number",
    "live_number",
    "meet_numbers",
    "whole_values",
    "without_number",
]


def as_exact(value: Fraction) -> Exact:
    """The number, as an int when whole."""
    return value.numerator if value.denominator == 1 else value


def holds_number(record: Number, value: Exact) -> bool:
    """Whether the record contains the value."""
    low, high = record.low, record.high
    return not (
        (low is not None and (value < low or (record.open_low and value == low)))
        or (high is not None and (value > high or (record.open_high and value == high)))
        or (record.whole and not isinstance(value, int))
        or (record.multiple is not None and Fraction(value) % record.multiple)
        or any(not Fraction(value) % step for step in record.not_multiples)
        or (record.values is not None and value not in record.values)
    )


def common_multiple(a: Exact, b: Exact) -> Exact:
    """The least common multiple of two positive numbers."""
    if isinstance(a, int) and isinstance(b, int):
        return lcm(a, b)
    p, q = Fraction(a), Fraction(b)
    return as_exact(Fraction(lcm(p.numerator, q.numerator), gcd(p.denominator, q.denominator)))


def meet_numbers(a: Number, b: Number) -> Number | None:
    """Both; None when certainly empty."""
    low, open_low = a.low, a.open_low
    if b.low is not None and (low is None or b.low > low or (b.low == low and b.open_low)):
        low, open_low = b.low, b.open_low
    high, open_high = a.high, a.open_high
    if b.high is not None and (high is None or b.high < high or (b.high == high and b.open_high)):
        high, open_high = b.high, b.open_high
    multiple = a.multiple if b.multiple is None else b.multiple
    if a.multiple is not None and b.multiple is not None:
        multiple = common_multiple(a.multiple, b.multiple)
    values = a.values if b.values is None else b.values
    both = Number(
        low,
        high,
        open_low,
        open_high,
        a.whole or b.whole,
        multiple,
        tuple(dict.fromkeys((*a.not_multiples, *b.not_multiples))),
        values,
    )
    if values is not None:
        kept = frozenset(v for v in values if holds_number(a, v) and holds_number(b, v))
        return Number(values=kept) if kept else None
    return both if live_number(both) else None


def closed_bounds(record: Number) -> tuple[Exact | None, Exact | None] | None:
    """The bounds between which numbers of the record are written, both included.

    They are doubles where a reader of doubles could not tell numbers from an open bound. None when
    nothing is written.
    """
    low, high = record.low, record.high
    if low is not None and record.open_low:
        found = above(Fraction(low))
        if found is None:
            return None
        low = as_exact(found)
    if high is not None and record.open_high:
        found = below(Fraction(high))
        if found is None:
            return None
        high = as_exact(found)
    most = _most(record)
    if (low is not None and low > most) or (high is not None and high < -most):
        return None
    return low, high


WHOLE_MOST = 10**MOST_DIGITS - 1


def _most(record: Number) -> Exact:
    """How far from 0 numbers of the record are written."""
    step = _step(record)
    if step is None:
        return as_exact(LARGEST)
    most = exact_multiples_to(Fraction(step))
    return WHOLE_MOST if most is None else as_exact(most)


def _step(record: Number) -> Exact | None:
    step = record.multiple
    if record.whole:
        return 1 if step is None else common_multiple(step, 1)
    return step


def live_number(record: Number) -> bool:
    """Whether the record has a value, exactly."""
    if record.values is not None:
        return any(holds_number(record, value) for value in record.values)
    bounds = closed_bounds(record)
    if bounds is None:
        return False
    low, high = bounds
    step = _step(record)
    if low is not None and high is not None:
        if low > high:
            return False
        if step is None:
            return low < high or holds_number(record, low)
        first = ceil(Fraction(low) / step)
        last = floor(Fraction(high) / step)
        if first > last:
            return False
        if not record.not_multiples:
            return True
        return any(_kept(record, k * step) for k in range(first, min(last, first + 100_000) + 1))
    if step is None or not record.not_multiples:
        return True
    return not any(not Fraction(step) % other for other in record.not_multiples)


def whole_values(record: Number, most: int) -> list[Exact] | None:
    """The values of a record in order; None when they are not at most `most` whole numbers."""
    if record.values is not None:
        return sorted(record.values)
    if not record.whole or record.low is None or record.high is None:
        return None
    bounds = closed_bounds(record)
    if bounds is None or bounds[0] is None or bounds[1] is None:
        return []
    low, high = ceil(bounds[0]), floor(bounds[1])
    if high - low > 100 * most:
        return None
    values: list[Exact] = [v for v in range(low, high + 1) if holds_number(record, v)]
    return values if len(values) <= most else None


def _kept(record: Number, value: Exact) -> bool:
    return all(Fraction(value) % step for step in record.not_multiples)


def without_number(a: Number) -> list[Number]:
    """The complement within the numbers, as a union."""
    out = []
    if a.low is not None:
        out.append(Number(high=a.low, open_high=not a.open_low))
    if a.high is not None:
        out.append(Number(low=a.high, open_low=not a.open_high))
    if a.whole:
        out.append(Number(not_multiples=(1,)))
    if a.multiple is not None:
        out.append(Number(not_multiples=(a.multiple,)))
    out += [Number(multiple=step) for step in a.not_multiples]
    if a.values is not None:
        points = sorted(a.values)
        edges: list[Exact | None] = [None, *points, None]
        out += [Number(low, high, True, True) for low, high in pairwise(edges)]
    return out
