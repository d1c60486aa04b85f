"""Number grammars hold exactly the numerals whose exact value qualifies: on all short texts.

The reference is independent: every text of JSON's number syntax up to a length, its value as a
`Fraction`, and the range and multiple tested on that value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import product
from math import isfinite

from hypothesis import example, given, settings
from hypothesis import strategies as st

from constrained.engine import ByteEngine
from constrained.errors import UnsatisfiableSpec
from constrained.grammar import Grammar
from constrained.spec.numbers import decimal_grammar, integer, integer_grammar, number

NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")
LENGTH = 4


@cache
def numerals(length: int, alphabet: str) -> list[tuple[str, Fraction]]:
    """Every JSON number up to that length over an alphabet, with its value."""
    texts = ("".join(t) for n in range(1, length + 1) for t in product(alphabet, repeat=n))
    return [(text, Fraction(text)) for text in texts if NUMBER.fullmatch(text)]


def outputs(grammar: Grammar, length: int = LENGTH, alphabet: bytes | None = None) -> set[str]:
    """Every output of a grammar up to that length, of those over an alphabet."""

    def walk(state: int, text: bytes) -> Iterator[str]:
        if engine.accepting(state):
            yield text.decode()
        if len(text) < length:
            for data, to in engine.transitions(state):
                for byte in data if alphabet is None else set(data).intersection(alphabet):
                    yield from walk(to, text + bytes([byte]))

    engine = ByteEngine(grammar)
    found = list(walk(engine.start, b""))
    assert len(found) == len(set(found))
    return set(found)


def in_range(
    value: Fraction,
    low: Fraction | None,
    high: Fraction | None,
    exclusive_low: bool,
    exclusive_high: bool,
) -> bool:
    if low is not None and (value < low or (exclusive_low and value == low)):
        return False
    return high is None or not (value > high or (exclusive_high and value == high))


bounds = st.none() | st.one_of(
    st.integers(-30, 30).map(Fraction),
    st.integers(-12_000, 12_000).map(Fraction),
    st.integers(-300, 300).map(lambda n: Fraction(n, 10)),
    st.integers(-9_999, 9_999).map(lambda n: Fraction(n, 1000)),
    st.fractions(-20, 20, max_denominator=12),
)
multiples = st.one_of(
    st.integers(1, 40).map(Fraction),
    st.integers(1, 400).map(lambda n: Fraction(n, 100)),
    st.integers(1, 12).map(lambda n: Fraction(n, 8)),
    st.sampled_from([Fraction(1, 3), Fraction(10, 3), Fraction(1000), Fraction(2, 7)]),
)


@settings(max_examples=60, deadline=None)
@given(
    low=st.none() | st.integers(-1_500, 1_500),
    high=st.none() | st.integers(-1_500, 1_500),
    multiple_of=st.integers(1, 120),
    negative_zero=st.booleans(),
)
@example(low=1, high=9, multiple_of=10, negative_zero=True)
@example(low=0, high=None, multiple_of=1, negative_zero=True)
@example(low=None, high=-1, multiple_of=100, negative_zero=False)
def test_an_integer_grammar_holds_the_integers_in_range_that_are_multiples(
    low: int | None, high: int | None, multiple_of: int, negative_zero: bool
) -> None:
    expected = {
        text
        for text, value in numerals(LENGTH, "-0123456789")
        if in_range(value, None if low is None else Fraction(low), high, False, False)
        and value % multiple_of == 0
        and (negative_zero or text != "-0")
    }
    try:
        grammar = integer_grammar(low, high, multiple_of=multiple_of, negative_zero=negative_zero)
    except UnsatisfiableSpec:
        assert not expected
    else:
        assert outputs(grammar) == expected


@settings(max_examples=60, deadline=None)
@given(
    low=bounds,
    high=bounds,
    exclusive_low=st.booleans(),
    exclusive_high=st.booleans(),
    multiple_of=st.none() | multiples,
    integral_fraction=st.booleans(),
    negative_zero=st.booleans(),
)
@example(Fraction(1, 3), Fraction(2, 3), True, True, None, True, True)
@example(Fraction(0), Fraction(0), False, False, None, True, True)
@example(Fraction(-5), Fraction(5), False, False, Fraction(5, 2), False, False)
def test_a_decimal_grammar_holds_the_numbers_in_range_that_are_multiples(
    low: Fraction | None,
    high: Fraction | None,
    exclusive_low: bool,
    exclusive_high: bool,
    multiple_of: Fraction | None,
    integral_fraction: bool,
    negative_zero: bool,
) -> None:
    expected = {
        text
        for text, value in numerals(LENGTH, "-.0123456789")
        if in_range(value, low, high, exclusive_low, exclusive_high)
        and (multiple_of is None or (value / multiple_of).denominator == 1)
        and (integral_fraction or "." not in text or text.partition(".")[2].strip("0"))
        and (negative_zero or not (value == 0 and text.startswith("-")))
    }
    try:
        grammar = decimal_grammar(
            low,
            high,
            exclusive_low=exclusive_low,
            exclusive_high=exclusive_high,
            multiple_of=multiple_of,
            integral_fraction=integral_fraction,
            negative_zero=negative_zero,
        )
    except UnsatisfiableSpec:
        assert not expected
    else:
        assert outputs(grammar) == expected


def written_normally(text: str) -> bool:
    """One digit other than zero, and an exponent without padding or padded to three digits."""
    found = NUMBER.fullmatch(text)
    assert found is not None
    _, whole, _, _, exponent = found.groups()
    return len(whole) == 1 and whole != "0" and len(exponent) <= 3


def written_shortly(text: str) -> bool:
    """An exponent of one or two digits, or padded to three."""
    exponent = text.partition("e")[2].strip("+-")
    return len(exponent) <= 2 or (len(exponent) == 3 and exponent.startswith("0"))


def read_well(text: str) -> bool:
    """Whether the text reads as a finite double, and as zero only if all its digits are zeros."""
    value = float(text)
    return isfinite(value) and (value != 0 or not text.partition("e")[0].strip("-.0"))


@settings(max_examples=40, deadline=None)
@given(low=bounds, high=bounds, exclusive_low=st.booleans(), exclusive_high=st.booleans())
@example(Fraction(0), None, False, False)
@example(Fraction(0), None, True, False)
@example(None, Fraction(0), False, True)
@example(None, None, False, False)
@example(Fraction(1, 100), Fraction(5, 100), True, True)
@example(Fraction(95), Fraction(1_000_000), True, True)
@example(Fraction(-25), Fraction(3, 1000), False, True)
def test_scientific_notation_obeys_the_bounds_exactly(
    low: Fraction | None, high: Fraction | None, exclusive_low: bool, exclusive_high: bool
) -> None:
    free = {
        "": high is None and (low is None or low <= 0),
        "-": low is None and (high is None or high >= 0),
    }
    alphabet = "-+.e015"
    expected = {
        text
        for text, value in numerals(6, alphabet)
        if in_range(value, low, high, exclusive_low, exclusive_high)
        and read_well(text)
        and (
            "e" not in text
            or written_normally(text)
            or (free["-" * text.startswith("-")] and written_shortly(text))
        )
    }
    try:
        grammar = decimal_grammar(
            low,
            high,
            exclusive_low=exclusive_low,
            exclusive_high=exclusive_high,
            exponents=True,
        )
    except UnsatisfiableSpec:
        assert not expected
        return
    assert outputs(grammar, 6, alphabet.encode()) == expected


@settings(max_examples=100, deadline=None)
@given(
    value=st.floats(allow_nan=False, allow_infinity=False),
    low=st.floats(-1e20, 1e20),
    high=st.floats(-1e20, 1e20),
)
@example(1e-07, 0.0, 1.0)
@example(5e-324, 0.0, 1.0)
@example(1e16, 1e16, 1e17)
def test_what_python_prints_matches_exactly_when_it_is_in_range(
    value: float, low: float, high: float
) -> None:
    if low > high:
        low, high = high, low
    grammar = decimal_grammar(
        Fraction(Decimal(repr(low))), Fraction(Decimal(repr(high))), exponents=True
    )
    engine = ByteEngine(grammar)
    state = engine.advance_bytes(engine.start, repr(value).encode())
    matches = state is not None and engine.accepting(state)
    assert matches == (Decimal(repr(low)) <= Decimal(repr(value)) <= Decimal(repr(high)))


@settings(max_examples=60, deadline=None)
@given(
    low=st.none() | st.integers(-40, 1_200),
    size=st.none() | st.integers(0, 150),
    step=st.integers(1, 50),
    plus_sign=st.booleans(),
)
def test_integer_is_the_canonical_text_of_each_integer_on_the_step(
    low: int | None, size: int | None, step: int, plus_sign: bool
) -> None:
    high = None if size is None else (low or 0) + size
    spec = integer(low, high, step=step, plus_sign=plus_sign)
    start = low if low is not None else -step * 2_000
    values = range(start, (999 if high is None else high) + 1, step)
    texts = {str(value): value for value in values}
    if plus_sign:
        texts |= {f"+{value}": value for value in values if value > 0}
    short = {text: value for text, value in texts.items() if len(text) <= 3}
    assert {text: spec.parse(text) for text in outputs(spec.grammar, 3)} == short


@settings(max_examples=60, deadline=None)
@given(
    low=st.integers(-400, 400),
    size=st.integers(0, 300),
    step=st.integers(1, 75),
    places=st.integers(0, 2),
    exclusive_low=st.booleans(),
    exclusive_high=st.booleans(),
)
def test_number_is_the_canonical_text_of_each_number_on_the_step(
    low: int, size: int, step: int, places: int, exclusive_low: bool, exclusive_high: bool
) -> None:
    unit = Decimal(1).scaleb(-places)
    values = [low + step * k for k in range(size // step + 1)]
    if exclusive_low:
        values = values[1:]
    if exclusive_high and values and values[-1] == low + size:
        values = values[:-1]
    bounds_and_step = (low * unit, (low + size) * unit, step * unit)
    for fixed in (False, True):
        form = {"decimals": places} if fixed else {}
        expected = {
            f"{value * unit:.{places}f}"
            if fixed
            else f"{value * unit:f}".rstrip("0").rstrip(".")
            if places
            else str(value)
            for value in values
        }
        expected = {"0" if float(text) == 0 and not fixed else text for text in expected}
        try:
            spec = number(
                *bounds_and_step[:2],
                step=bounds_and_step[2],
                exclusive_low=exclusive_low,
                exclusive_high=exclusive_high,
                exact=True,
                **form,
            )
        except UnsatisfiableSpec:
            assert not expected
            continue
        assert set(spec.enumerate()) == expected
        assert {spec.parse(text) for text in expected} == {value * unit for value in values}


@settings(max_examples=40, deadline=None)
@given(low=st.integers(0, 3_000), size=st.integers(0, 3_000_000), separator=st.sampled_from(",. _"))
def test_grouped_integers_are_what_format_prints(low: int, size: int, separator: str) -> None:
    spec = integer(low, low + size, thousands_separator=separator)
    for value in {low, low + size, low + size // 2, low + size // 3}:
        text = f"{value:,}".replace(",", separator)
        assert spec.parse(text) == value
        if value > 999:
            assert not spec.matches(str(value))
    assert not spec.matches(f"{low + size + 1:,}".replace(",", separator))
    for text in spec.examples(5):
        assert f"{spec.parse(text):,}".replace(",", separator) == text


@settings(max_examples=40, deadline=None)
@given(low=st.integers(-120, 120), size=st.integers(0, 150))
def test_padded_integers_are_all_spellings_up_to_the_width_of_the_bounds(
    low: int, size: int
) -> None:
    spec = integer(low, low + size, leading_zeros=True)
    width = max(len(str(abs(low))), len(str(abs(low + size))))
    expected = {
        ("-" if value < 0 else "") + str(abs(value)).rjust(digits, "0")
        for value in range(low, low + size + 1)
        for digits in range(1, width + 1)
    }
    assert set(spec.enumerate()) == expected
