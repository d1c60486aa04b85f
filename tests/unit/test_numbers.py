"""`integer`, `number` and the JSON number grammars: notation, refusals, sizes."""

from __future__ import annotations

import random
import time
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Annotated, Any

import pytest
from pydantic import Field

from constrained.engine import ByteEngine
from constrained.errors import InvalidSpec, LimitExceeded, UnsatisfiableSpec
from constrained.grammar import Grammar, Node
from constrained.limits import Limits
from constrained.spec import as_spec, integer, json, number
from constrained.spec.numbers import decimal_grammar, exactly, integer_grammar
from constrained.spec.numbers_doubles import exact_multiples_to
from constrained.spec.numbers_json import plain


def matches(grammar: Grammar, text: str) -> bool:
    engine = ByteEngine(grammar)
    state = engine.advance_bytes(engine.start, text.encode())
    return state is not None and engine.accepting(state)


def nodes_in(grammar: Grammar) -> int:
    """Nodes, each place counted: what the grammar would be if it were printed."""
    count = 0
    stack: list[Node] = [grammar.start, *grammar.rules.values()]
    while stack:
        node = stack.pop()
        count += 1
        stack.extend(getattr(node, "parts", ()))
        if hasattr(node, "body"):
            stack.append(node.body)
    return count


@pytest.mark.parametrize(
    ("spec", "outputs"),
    [
        (integer(0, 3), ["0", "1", "2", "3"]),
        (integer(-2, 1), ["-1", "-2", "0", "1"]),
        (integer(1, 10, step=4), ["1", "5", "9"]),
        (integer(-1, 1, plus_sign=True), ["+1", "-1", "0", "1"]),
        (integer(8, 11, leading_zeros=True), ["08", "09", "10", "11", "8", "9"]),
        (integer(999, 1001, thousands_separator=","), ["1,000", "1,001", "999"]),
        (integer(999, 1000, thousands_separator="\u202f"), ["1\u202f000", "999"]),
        (number(0, 1, step=0.5), ["0", "0.5", "1"]),
        (number(-0.5, 0.5, step=0.5), ["-0.5", "0", "0.5"]),
        (number(0, 1, step=0.5, decimals=2), ["0.00", "0.50", "1.00"]),
        (number(0, 1, step=0.5, trailing_zeros=True), ["0", "0.0", "0.5", "1", "1.0"]),
        (number(0, 0.3, decimals=1), ["0.0", "0.1", "0.2", "0.3"]),
        (number(0.005, 0.02, decimals=2), ["0.01", "0.02"]),
        (number(0, 1, step=0.5, exclusive_low=True), ["0.5", "1"]),
        (number(0, 1, step=0.5, exclusive_high=True), ["0", "0.5"]),
        (number(0.25, 1, step=0.5), ["0.25", "0.75"]),
        (number(0, 2, decimals=0), ["0", "1", "2"]),
        (number(-0.1, 0.1, decimals=1, plus_sign=True), ["+0.1", "-0.1", "0.0", "0.1"]),
        (number(Fraction(1, 3), Fraction(2, 3), decimals=1), ["0.4", "0.5", "0.6"]),
    ],
)
def test_the_outputs_are_the_canonical_numerals(spec: Any, outputs: list[str]) -> None:
    assert list(spec.enumerate()) == outputs


@pytest.mark.parametrize(
    "text", ["-0", "00", "01", "+1", "1.0", "1e1", " 1", "1 ", "", "-", "\uff11", "\u0663", "1,000"]
)
def test_an_integer_has_one_spelling(text: str) -> None:
    assert not integer().matches(text)


@pytest.mark.parametrize(
    "text", ["-0", "-0.0", "0.0", "1.50", "1.", ".5", "00.5", "+1", "1e5", "NaN", "Infinity"]
)
def test_a_number_has_one_spelling(text: str) -> None:
    assert not number().matches(text)


def test_values_have_the_type_asked_for() -> None:
    assert (integer(0, 9).parse("7"), type(integer(0, 9).parse("7"))) == (7, int)
    assert (number(0, 9).parse("7"), type(number(0, 9).parse("7"))) == (7.0, float)
    exact = number(0, 9, exact=True).parse("0.10000000000000000001")
    assert (exact, type(exact)) == (Decimal("0.10000000000000000001"), Decimal)


def test_integers_longer_than_python_reads_are_read() -> None:
    digits = "1" * 5_000
    assert integer().parse(digits) == (10**5_000 - 1) // 9


def test_floats_are_the_decimals_they_are_written_as() -> None:
    tenths = number(0.1, 0.3, step=0.1)
    assert list(tenths.enumerate()) == ["0.1", "0.2", "0.3"]  # 0.1 + 0.2 > 0.3 in binary
    assert exactly(0.1, "x") == exactly(Decimal("0.1"), "x") == Fraction(1, 10)
    assert exactly(1e-07, "x") == Fraction(1, 10**7)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: integer(5, 3), UnsatisfiableSpec, "no integer is at least 5 and at most 3"),
        (
            lambda: integer_grammar(1, 9, multiple_of=10),
            UnsatisfiableSpec,
            "no integer is at least 1, at most 9 and a multiple of 10",
        ),
        (
            lambda: number(0, 1, step=1, exclusive_low=True, exclusive_high=True),
            UnsatisfiableSpec,
            "no number is above 0, below 1 and a multiple of 1",
        ),
        (
            lambda: number(0.25, 0.75, step=1, exclusive_low=True),
            UnsatisfiableSpec,
            "no number is above 0.25, at most 0.75 and 0.25 plus a multiple of 1",
        ),
        (
            lambda: number(0.1, 0.2, decimals=0),
            UnsatisfiableSpec,
            "no number is at least 0.1, at most 0.2 and written with 0 decimals",
        ),
        (
            lambda: decimal_grammar(Fraction(1, 3), Fraction(0)),
            UnsatisfiableSpec,
            "no number is at least 1/3 and at most 0",
        ),
        (
            lambda: number(0.1, Decimal("0.10000000000000000001"), exclusive_low=True),
            UnsatisfiableSpec,
            "no double is above 0.1 and at most 0.10000000000000000001",
        ),
        (
            lambda: decimal_grammar(Fraction(0), Fraction(0), exclusive_high=True),
            UnsatisfiableSpec,
            "no number is at least 0 and below 0",
        ),
        (lambda: integer(True), InvalidSpec, "low must be an integer, not True"),
        (lambda: integer(0, 1.5), InvalidSpec, "high must be an integer, not 1.5"),
        (lambda: integer(step=0), InvalidSpec, "step must be 1 or more, not 0"),
        (lambda: integer(step=None), InvalidSpec, "step must be 1 or more, not 0"),
        (
            lambda: integer(thousands_separator="::"),
            InvalidSpec,
            "thousands_separator must be one character that no integer holds, not '::'",
        ),
        (
            lambda: integer(thousands_separator="-"),
            InvalidSpec,
            "thousands_separator must be one character that no integer holds, not '-'",
        ),
        (
            lambda: integer(0, leading_zeros=True),
            InvalidSpec,
            "leading_zeros needs both bounds (they say how wide the numbers are)",
        ),
        (
            lambda: integer(0, 9, leading_zeros=True, thousands_separator=","),
            InvalidSpec,
            "leading_zeros and thousands_separator contradict each other (choose one of them)",
        ),
        (lambda: number("0"), InvalidSpec, "low must be a number, not '0'"),
        (lambda: number(False), InvalidSpec, "low must be a number, not False"),
        (lambda: number(float("nan")), InvalidSpec, "low must be a finite number, not NaN"),
        (
            lambda: number(high=float("inf")),
            InvalidSpec,
            "high must be a finite number, not Infinity",
        ),
        (lambda: number(step=-0.5), InvalidSpec, "step must be above 0, not -0.5"),
        (
            lambda: number(step=Fraction(1, 3)),
            InvalidSpec,
            "step 1/3 has no finite decimals to count steps in",
        ),
        (
            lambda: number(0, 1, step=0.25, decimals=1),
            InvalidSpec,
            "steps of 0.25 from 0 need 2 decimals, not 1",
        ),
        (
            lambda: number(0, 1, trailing_zeros=True),
            InvalidSpec,
            "trailing_zeros needs a step (it says how many zeros there may be)",
        ),
        (
            lambda: number(decimals=1, trailing_zeros=True),
            InvalidSpec,
            "decimals and trailing_zeros contradict each other",
        ),
        (lambda: number(decimals=-1), InvalidSpec, "decimals must be from 0 to 1,000, not -1"),
        (lambda: integer(0, 10**5_000), InvalidSpec, "high has more than 1,000 digits"),
        (
            lambda: number(0, Decimal("1e5000")),
            InvalidSpec,
            "high has more than 1,000 digits",
        ),
        (
            lambda: integer_grammar(0, 9, multiple_of=0),
            InvalidSpec,
            "a multiple of 0 is asked for (multiples are of a number above 0)",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "source",
    [
        "integer()",
        "integer(0, 10)",
        "integer(-3)",
        "integer(high=7)",
        "integer(1, 9, step=2, plus_sign=True)",
        "integer(1, 9, leading_zeros=True)",
        "integer(0, 99999, thousands_separator=',')",
        "number()",
        "number(0, 5, step=0.5)",
        "number(0.5, 1, decimals=2, exact=True)",
        "number(0, 1, step=0.5, exclusive_low=True, trailing_zeros=True)",
        "number(high=Decimal('1.5'), exclusive_high=True, plus_sign=True)",
    ],
)
def test_the_repr_makes_the_spec_again(source: str) -> None:
    spec = eval(source)
    assert repr(spec) == source
    assert spec.examples(5) == eval(repr(spec)).examples(5)


def test_minus_zero_is_a_json_number_of_value_zero() -> None:
    assert matches(integer_grammar(0, 5), "-0")
    assert matches(decimal_grammar(Fraction(0), Fraction(5)), "-0.0")
    assert not matches(integer_grammar(1, 5), "-0")
    assert not matches(decimal_grammar(Fraction(0), Fraction(5), exclusive_low=True), "-0")
    assert not matches(integer_grammar(0, 5, negative_zero=False), "-0")
    assert not matches(decimal_grammar(None, None, negative_zero=False), "-0.00")


def test_multiples_of_what_has_no_finite_decimals_are_those_that_have() -> None:
    thirds = decimal_grammar(None, None, multiple_of=Fraction(1, 3))
    for text, matching in [("1", True), ("2.0", True), ("0.3", False), ("0.5", False)]:
        assert matches(thirds, text) == matching
    sixths = decimal_grammar(None, None, multiple_of=Fraction(1, 6))
    assert matches(sixths, "0.5")
    assert not matches(sixths, "0.25")


def test_multiples_are_written_without_exponents() -> None:
    grammar = decimal_grammar(None, None, multiple_of=Fraction(10), exponents=True)
    assert matches(grammar, "1000")
    assert not matches(grammar, "1e3")


@pytest.mark.parametrize(
    "text",
    ["1e5", "1E+05", "1e005", "9.99e-300", "0.5e-7", "-0e0", "12.5e99", "1e308", "2.5e-320"],
)
def test_where_nothing_is_bounded_all_notations_go(text: str) -> None:
    assert matches(decimal_grammar(None, None, exponents=True), text)


@pytest.mark.parametrize(
    ("text", "matching"),
    [
        ("1.7976931348623157e308", True),
        ("-1.7976931348623157E+308", True),
        ("1.7976931348623158e308", False),  # a double, but not as it is printed
        ("1e309", False),
        ("1e400", False),
        ("1e0005", False),  # padded too far
        ("5e-324", True),
        ("4.9E-324", True),
        ("2e-324", False),
        ("9e-707", False),
        ("0e-99", True),
        ("0.0e-99", True),
        ("9" * 200, True),
        ("9" * 309, False),
        (f"0.{'0' * 200}1", True),
        (f"0.{'0' * 400}1", False),
        (f"0.{'0' * 400}", True),
    ],
)
def test_a_number_reads_as_a_finite_double_and_as_zero_only_if_it_is_zero(
    text: str, matching: bool
) -> None:
    assert matches(decimal_grammar(None, None, exponents=True), text) == matching
    assert isfinite(float(text)) or not matching


@pytest.mark.parametrize(("digits", "matching"), [(308, True), (309, False), (5_000, False)])
def test_a_json_integer_reads_as_a_finite_double(digits: int, matching: bool) -> None:
    assert json({"type": "integer"}).matches("7" * digits) == matching
    assert json({"type": "integer", "minimum": 7}).matches("7" * digits) == matching
    assert json({"type": "integer", "multipleOf": 2}).matches("8" * digits) == matching


NEAR_TENTH = "0.1000000000000000000001"
"""Above one tenth, and read as the same double."""


@pytest.mark.parametrize(
    ("schema", "inside", "outside"),
    [
        ({"exclusiveMinimum": 0, "maximum": 1}, ["5e-324", "0.01"], ["9e-707", "0.0e5", "1e-400"]),
        ({"exclusiveMinimum": 0}, ["5e-324", "1e99"], ["9e-707", "0", "-0", "1e400"]),
        ({"exclusiveMaximum": 0}, ["-5e-324"], ["-9e-707", "-0.0", "-1e400"]),
        ({"minimum": 0}, ["0", "-0.0", "1e308"], ["1e400", "-5e-324"]),
        ({"exclusiveMinimum": 0.1}, ["0.10000000000000002"], ["0.1", NEAR_TENTH]),
        ({"exclusiveMaximum": 0.1}, ["0.09999999999999999"], ["0.09999999999999999999"]),
        ({"minimum": 0.1}, ["0.1", NEAR_TENTH], ["0.09999999999999999999"]),
        (
            {"exclusiveMinimum": -1, "exclusiveMaximum": 1},
            ["0.9999999999999999"],
            ["-0." + "9" * 17],
        ),
        ({"exclusiveMaximum": 5e-324}, ["0", "-1"], ["5e-324", "3e-324"]),
        (
            {"exclusiveMinimum": 2**53},
            ["9007199254740994"],
            ["9007199254740993", "9007199254740992"],
        ),
        (
            {"minimum": 2**53 + 1},
            ["9007199254740994.0"],
            ["9007199254740993.0", "9007199254740992"],
        ),
        ({"minimum": 2.200302081174713e16}, ["22003020811747130", "2.200302081174713e16"], []),
        ({"multipleOf": 3}, ["9007199254740990"], ["9007199254740993", "30000000000000000003"]),
        ({"multipleOf": 0.5}, ["0.5", "9007199254740993"], ["0.25", "9" * 309]),
        ({"multipleOf": 0.01}, ["0.07", "9999999999999.99"], ["0.075", "99999999999999.99"]),
        ({"not": {"type": "integer"}}, ["0.5"], ["1.00000000000000000000001", "3", "3.0"]),
        ({"not": {"multipleOf": 3}}, ["4", "3.5"], ["9007199254740994", "3.00000000000000000001"]),
        ({"not": {"const": 1}}, ["1.0000000000000002"], ["1.00000000000000000001", "1.0"]),
        (
            {"type": "integer", "maximum": 2**63 - 1},
            ["9223372036854775807"],
            ["9223372036854775808"],
        ),
        (
            {"type": "integer", "exclusiveMinimum": 2**53},
            ["9007199254740994"],
            ["9007199254740993"],
        ),
        ({"type": "integer", "multipleOf": 7, "minimum": 10**15}, ["1000000000000001"], ["7" * 20]),
    ],
)
def test_a_json_number_is_in_range_exactly_and_as_a_double(
    schema: dict[str, Any], inside: list[str], outside: list[str]
) -> None:
    spec = json({"type": "number", **schema})
    assert [text for text in inside if not spec.matches(text)] == []
    assert [text for text in outside if spec.matches(text)] == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "minimum": 10**309},
        {"type": "integer", "exclusiveMinimum": 10**308},
        {"type": "number", "exclusiveMinimum": 1.7976931348623157e308},
        {"type": "integer", "exclusiveMinimum": 2**53, "maximum": 2**53 + 1},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 5e-324},
        {"type": "number", "multipleOf": 3, "minimum": 10**17},
    ],
)
def test_a_range_without_doubles_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(UnsatisfiableSpec):
        json(schema)


def test_numbers_read_by_python_are_inside_exclusive_bounds() -> None:
    positive = number(0, 1, exclusive_low=True)
    assert positive.matches("0.000001")
    assert not positive.matches(f"0.{'0' * 400}1")
    assert number(0, 1, exclusive_low=True, exact=True).matches(f"0.{'0' * 400}1")
    assert not number(0).matches("9" * 309)
    assert number(0, exact=True).matches("9" * 309)
    below = as_spec(Annotated[float, Field(gt=0, lt=0.3)])
    assert below.matches("0.29999999999999993")
    assert not below.matches("0.29999999999999999999")


def test_pydantic_reads_what_is_between_exclusive_bounds() -> None:
    kind = Annotated[float, Field(gt=0, le=1)]
    spec = json(kind)
    assert not spec.matches("9e-707")
    values = [spec.parse(text) for text in spec.examples(200)]
    assert min(values) > 0
    assert max(values) <= 1


@pytest.mark.parametrize(
    ("text", "matching"),
    [
        ("1e5", True),
        ("1e-07", True),
        ("1E-007", True),
        ("9.5e+2", True),
        ("1e-999999", False),  # reads as 0
        ("1e-320", True),
        ("1e-0007", False),  # padded too far
        ("10e1", False),  # not normalised
        ("0.1e3", False),
        ("1.0e6", True),
        ("1.0001e6", False),
        ("-1e-5", False),
    ],
)
def test_where_bounds_matter_scientific_notation_is_normalised(text: str, matching: bool) -> None:
    grammar = decimal_grammar(Fraction(0), Fraction(10**6), exponents=True)
    assert matches(grammar, text) == matching


@pytest.mark.parametrize(
    ("grammar", "most"),
    [
        (integer_grammar(0, 89_080), 60),
        (integer_grammar(-(2**63), 2**63 - 1), 600),
        (integer_grammar(0, 10**100 - 7), 1_000),
        (decimal_grammar(Fraction(0), Fraction(1)), 40),
        (decimal_grammar(Fraction("0.1"), Fraction("99.95")), 100),
        (integer_grammar(None, None, multiple_of=10**12), 600),
        (integer_grammar(0, 100, multiple_of=7), 40),
    ],
)
def test_ranges_take_nodes_by_the_digit(grammar: Grammar, most: int) -> None:
    assert nodes_in(grammar) <= most


def test_equal_ranges_name_their_rules_alike() -> None:
    assert integer_grammar(0, None, multiple_of=7) == integer_grammar(0, None, multiple_of=7)
    one, two = (integer_grammar(0, None, multiple_of=n).rules for n in (7, 11))
    assert not one.keys() & two.keys()


@pytest.mark.parametrize(
    "make",
    [
        lambda: integer(0, step=1_000_003),
        lambda: integer_grammar(None, None, multiple_of=999_983),
        lambda: decimal_grammar(None, None, multiple_of=Fraction(999_983, 1000)),
        lambda: integer_grammar(0, 10**30, multiple_of=999_983),
    ],
)
def test_too_large_an_automaton_is_refused_at_once(make: Any) -> None:
    begin = time.process_time()
    with pytest.raises(LimitExceeded, match=r"limit max_nodes=.* reached while writing down"):
        make()
    assert time.process_time() - begin < 1


def test_the_size_of_the_automaton_is_bounded_by_the_limits() -> None:
    with pytest.raises(LimitExceeded, match="limit max_nodes=100 reached"):
        integer(0, step=7, limits=Limits(max_nodes=100))
    assert integer(0, step=7, limits=Limits(max_nodes=1_000)).matches("14")


@pytest.mark.parametrize("step", [383, 766, 999, Fraction(766, 100), Fraction(997, 1000)])
def test_multiples_with_up_to_a_thousand_remainders_need_no_bounds(step: Fraction) -> None:
    spec = json({"type": "number", "multipleOf": float(step)})
    most = exact_multiples_to(Fraction(step))
    assert most is not None
    draws = random.Random(str(step))
    for count in [1, 7, 10**6, *(draws.randint(1, int(most / step)) for _ in range(20))]:
        value = plain(count * Fraction(step))
        assert spec.matches(value), value
        assert not spec.matches(plain(count * Fraction(step) + Fraction(1, 1000))), value
    assert spec.matches(plain(most))
    assert not spec.matches(plain(most + step))


def test_what_is_too_large_to_write_is_named_for_people() -> None:
    with pytest.raises(LimitExceeded) as caught:
        integer(10**999, step=1_000_003)
    assert str(caught.value) == (
        "limit max_nodes=250,000 reached while writing down numbers in steps of 1000003 from a "
        "number of 1,000 digits (choose a smaller step, or bounds that are closer together, or "
        "pass Limits(max_nodes=...))"
    )
    with pytest.raises(LimitExceeded) as caught:
        json({"type": "integer", "multipleOf": 1_009})
    assert str(caught.value) == (
        "at #: limit max_nodes=250,000 reached while looking for multiples of 1009 (set a minimum "
        "and a maximum, from -9007199254740172 to 9007199254740172 at the widest, or pass "
        "Limits(max_nodes=...))"
    )


def test_few_multiples_of_a_large_number_are_no_problem() -> None:
    grammar = integer_grammar(0, 10**11, multiple_of=10**9 + 7)
    assert matches(grammar, str(42 * (10**9 + 7)))
    assert not matches(grammar, str(42 * (10**9 + 7) + 1))
