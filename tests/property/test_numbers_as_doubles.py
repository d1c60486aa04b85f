"""What a schema's numbers match satisfies the schema exactly and as a double, and hardly less.

The reference reads a text twice: with `Fraction` for its exact value, with `float` as nearly every
reader does. Its bounds are read in the same two ways.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from math import inf, isfinite, nextafter
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from constrained.errors import UnsatisfiableSpec
from constrained.spec import json

Schema = dict[str, Any]

NUMERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")

special = st.sampled_from(
    [0, 1, -1, 5e-324, 2.2250738585072014e-308, 0.1, 0.3, 100, 2**53, 2**53 + 1, 2**63 - 1, 1e22]
)
bounds = st.one_of(
    special,
    special.map(lambda value: -value),
    st.integers(-(10**18), 10**18),
    st.floats(-1e6, 1e6),
    st.floats(allow_nan=False, allow_infinity=False),
)
keywords = st.fixed_dictionaries(
    {"type": st.sampled_from(["number", "number", "integer"])},
    optional={
        "minimum": bounds,
        "exclusiveMinimum": bounds,
        "maximum": bounds,
        "exclusiveMaximum": bounds,
    },
)


def exact(bound: float) -> Fraction:
    """The number a schema writes: floats mean the decimal that they print as."""
    return Fraction(bound) if isinstance(bound, int) else Fraction(Decimal(repr(bound)))


def holds(schema: Schema, value: Fraction | float, as_read: bool) -> bool:
    """Whether a value obeys the bounds, these read as doubles or exactly."""

    def bound(keyword: str) -> Fraction | float | None:
        found = schema.get(keyword)
        return found if found is None else float(found) if as_read else exact(found)

    least, most = bound("minimum"), bound("maximum")
    above, below = bound("exclusiveMinimum"), bound("exclusiveMaximum")
    return not (
        (least is not None and value < least)
        or (most is not None and value > most)
        or (above is not None and value <= above)
        or (below is not None and value >= below)
    )


def satisfies(schema: Schema, text: str) -> bool:
    """Whether a numeral satisfies the schema for a reader of doubles and for an exact one."""
    value, double = Fraction(text), float(text)
    return (
        isfinite(double)
        and holds(schema, value, False)
        and holds(schema, double, True)
        and (schema["type"] == "number" or value.denominator == 1)
    )


@st.composite
def numerals_near(draw: st.DrawFn, schema: Schema) -> str:
    """Numerals within some doubles of a bound, with digits that a double does not keep."""
    at = draw(st.sampled_from([v for k, v in schema.items() if k != "type"] or [0]))
    value = float(at)
    for _ in range(draw(st.integers(0, 2))):
        value = nextafter(value, draw(st.sampled_from([inf, -inf])))
    text = draw(st.sampled_from([repr(value), str(at), f"{Decimal(value):f}", f"{value:.18e}"]))
    mantissa, mark, exponent = text.partition("e")
    if draw(st.booleans()):
        mantissa += ("" if "." in mantissa else ".") + "0" * draw(st.integers(0, 20)) + "1"
    return mantissa + mark + exponent


@settings(max_examples=80, deadline=None)
@given(keywords, st.data())
@example({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, None)
def test_what_matches_satisfies_the_schema_both_ways(schema: Schema, data: Any) -> None:
    try:
        spec = json(schema)
    except UnsatisfiableSpec:
        return
    texts = spec.examples(10)
    if data is not None:
        texts += data.draw(st.lists(numerals_near(schema), max_size=8))
    for text in filter(NUMERAL.fullmatch, texts):
        assert satisfies(schema, text) or not spec.matches(text), text


@settings(max_examples=80, deadline=None)
@given(keywords, st.data())
def test_doubles_that_satisfy_the_schema_match_as_they_are_printed(
    schema: Schema, data: Any
) -> None:
    near = data.draw(numerals_near(schema))
    value = float(near)
    assume(isfinite(value))
    text = repr(value) if schema["type"] == "number" else str(int(value))
    # Bounds that no double prints as are compared with doubles themselves, too.
    assume(satisfies(schema, text) and holds(schema, Fraction(float(text)), False))
    assert json(schema).matches(text)


steps = st.one_of(
    st.integers(1, 200),
    st.sampled_from([0.5, 0.25, 0.1, 0.01, 2.5, 1e-6, 10**6, 12, 2**10]),
)
long_numerals = st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?", fullmatch=True)


def is_multiple(step: float, text: str) -> tuple[bool, bool]:
    """Whether a numeral is a multiple exactly, and whether its double prints as one."""
    unit = exact(step)
    return Fraction(text) % unit == 0, exact(float(text)) % unit == 0


@settings(max_examples=60, deadline=None)
@given(steps, st.sampled_from(["number", "integer"]), st.lists(long_numerals, max_size=5))
@example(3, "integer", ["9007199254740993", "18014398509481986"])
def test_multiples_are_multiples_for_both_readers(step: float, kind: str, texts: list[str]) -> None:
    spec = json({"type": kind, "multipleOf": step})
    for text in texts + spec.examples(10):
        if spec.matches(text):
            assert is_multiple(step, text) == (True, True)


@settings(max_examples=60, deadline=None)
@given(steps, st.lists(long_numerals, max_size=5))
@example(1, ["1.00000000000000000000001"])
@example(3, ["9007199254740994"])
def test_what_is_no_multiple_is_none_for_either_reader(step: float, texts: list[str]) -> None:
    spec = json({"type": "number", "not": {"multipleOf": step}})
    for text in texts + spec.examples(10):
        if spec.matches(text):
            assert is_multiple(step, text) == (False, False)
