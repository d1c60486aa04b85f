"""A text that looks like a template or a range is refused, with the remedy for each meaning."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, NamedTuple

import pydantic
import pytest

import constrained as ct
from constrained.errors import InvalidSpec, UnsatisfiableSpec
from constrained.prompts import prompt_format

HOLES = [
    "Essay score: {score:0..10}",
    "{score}",
    "Score {score} / 10",
    "{label:good|bad}",
    "{code:/[A-Z]{3}/}",
    "{{score:0..10}}",
    "Note: {größe}",
]
RANGES = [
    "0..10",
    "-5..5",
    "1..",
    "..9",
    "0..10 step 2",
    "0..5 step 0.5",
    " 0..10 ",
    "integer:0..10",
]
PLAIN = [
    "Essay score: ",
    "{}",
    '{"a": 1}',
    "{0}",
    "a set {1, 2}",
    "...",
    "..",
    "1.5",
    "wait...",
    "a|b",
]


@pytest.mark.parametrize("text", HOLES + RANGES)
def test_a_text_with_a_hole_or_a_range_is_refused_wherever_a_spec_is_wanted(text: str) -> None:
    uses: list[Any] = [
        lambda: ct.as_spec(text),
        lambda: text + ct.integer(0, 1),
        lambda: ct.integer(0, 1) + text,
        lambda: ct.integer(0, 1) | text,
        lambda: ct.template("S {field}", field=text),
    ]
    for use in uses:
        with pytest.raises(InvalidSpec, match="would be written as it is, but"):
            use()


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_stand_for_themselves(text: str) -> None:
    assert list(ct.as_spec(text).enumerate()) == [text]


@pytest.mark.parametrize("text", HOLES + RANGES)
def test_a_choice_of_one_text_is_that_very_text(text: str) -> None:
    assert list(ct.choice([text]).enumerate()) == [text]
    assert list(ct.template("{field}", field=ct.choice([text])).enumerate()) == [text]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ct.as_spec("S {score:0..10}"),
            "the text 'S {score:0..10}' would be written as it is, but has the hole {score:0..10} "
            "(write template('S {score:0..10}') for a template, or choice(['S {score:0..10}']) for "
            "this very text)",
        ),
        (
            lambda: ct.template("S {score}", score="0..10"),
            "at 1:3: hole 'score': the text '0..10' would be written as it is, but looks like a "
            "range (write integer(0, 10) for a number, or choice(['0..10']) for this very text)",
        ),
        (
            lambda: ct.template("{score}", score="0..5 step 0.5"),
            "at 1:1: hole 'score': the text '0..5 step 0.5' would be written as it is, but looks "
            "like a range (write number(0, 5, step=0.5) for a number, or "
            "choice(['0..5 step 0.5']) for this very text)",
        ),
        (
            lambda: ct.template("{label}", label="good|bad"),
            "at 1:1: hole 'label': the text 'good|bad' would be written as it is, but looks like "
            "options (write ['good', 'bad'] for one of them, or choice(['good|bad']) for this very "
            "text)",
        ),
        (
            lambda: ct.template("{code}", code="/[A-Z]+/"),
            "at 1:1: hole 'code': the text '/[A-Z]+/' would be written as it is, but looks like a "
            "pattern (write regex('[A-Z]+') for what it matches, or choice(['/[A-Z]+/']) for this "
            "very text)",
        ),
        (
            lambda: ct.choice("yes", "no"),
            "a choice needs its options in one list, not 2 arguments (write choice(['yes', 'no']))",
        ),
        (
            lambda: ct.choice(1, 2, 3, 4, 5),
            "a choice needs its options in one list, not 5 arguments "
            "(write choice([1, 2, 3, 4, ...]))",
        ),
    ],
)
def test_the_remedies_are_calls_that_work(make: Any, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        make()
    assert str(caught.value) == message


class Model(pydantic.BaseModel):
    a: int = 1


@dataclasses.dataclass
class Plain:
    a: int = 1


class Pair(NamedTuple):
    a: int = 1


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize("value", [Model(), Plain(), Pair(), Colour.RED], ids=repr)
def test_a_value_is_refused_where_its_class_is_wanted(value: Any) -> None:
    name = type(value).__name__
    message = f"{value!r} is a value of {name}, and a format is described by a class "
    for use in (ct.as_spec, ct.json):
        with pytest.raises(InvalidSpec) as caught:
            use(value)
        assert str(caught.value) == f"{message}(pass {name} itself)"
    assert ct.as_spec(type(value)).grammar


@pytest.mark.parametrize("pattern", ["a(?=b)", "(?=b)", "(?<=b)a", "x(?<!x)", "(?!a)a"])
def test_a_pattern_that_looks_beyond_the_text_says_so(pattern: str) -> None:
    with pytest.raises(UnsatisfiableSpec, match="nothing comes before or after it"):
        ct.regex(pattern)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("chatlm", "'chatglm' or 'chatml'"),
        ("ChatML", "'chatml' or 'chatglm'"),
        ("Alpaca", "'alpaca'"),
        ("viccuna", "'vicuna'"),
    ],
)
def test_an_unknown_prompt_format_names_all_that_are_near(name: str, near: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        prompt_format(name)
    assert f"(did you mean {near}? known are plain, " in str(caught.value)
