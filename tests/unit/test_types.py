"""`choice`, `boolean`, `likert`, and what `as_spec` makes of Python's own types."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import re
import time
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional, TypeVar, Union

import annotated_types
import pydantic
import pytest
from pydantic import Field
from typing_extensions import TypeAliasType, TypedDict

from constrained.errors import (
    InvalidSpec,
    LimitExceeded,
    SpecError,
    UnsatisfiableSpec,
    UnsupportedSpec,
)
from constrained.limits import Limits
from constrained.spec import Spec, as_spec, boolean, choice, integer, likert


class Grade(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Stars(enum.IntEnum):
    ONE = 1
    TWO = 2


class Essay(pydantic.BaseModel):
    score: Annotated[int, Field(ge=0, le=10)]


@dataclasses.dataclass
class Point:
    x: int


class Movie(TypedDict):
    name: str


@pytest.mark.parametrize(
    ("options", "values"),
    [
        (["good", "bad"], {"good": "good", "bad": "bad"}),
        (("a", 1, 0.5, None, True), {"a": "a", "1": 1, "0.5": 0.5, "null": None, "true": True}),
        ([Decimal("1.50"), False], {"1.50": Decimal("1.50"), "false": False}),
        ({"yes": True, "no": False}, {"yes": True, "no": False}),
        ({"one": [1], "two": [2]}, {"one": [1], "two": [2]}),
        (Grade, {"good": Grade.GOOD, "bad": Grade.BAD}),
        (Stars, {"1": Stars.ONE, "2": Stars.TWO}),
        ([Grade.BAD, "other"], {"bad": Grade.BAD, "other": "other"}),
        (Literal["a", 3], {"a": "a", "3": 3}),
        (["a", "a"], {"a": "a"}),
        (range(3), {"0": 0, "1": 1, "2": 2}),
        ((text for text in ["x", ""]), {"x": "x", "": ""}),
    ],
)
def test_a_choice_reads_each_text_as_its_option(options: Any, values: dict[str, Any]) -> None:
    spec = choice(options)
    assert list(spec.enumerate()) == sorted(values, key=str.encode)
    for text, value in values.items():
        assert spec.parse(text) == value
        assert type(spec.parse(text)) is type(value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            [1, "1"],
            "the options 1 and '1' are both written '1' "
            "(give their texts in a mapping: choice({'text': value, ...}))",
        ),
        (
            [True, "true"],
            "the options True and 'true' are both written 'true' "
            "(give their texts in a mapping: choice({'text': value, ...}))",
        ),
        (
            "abc",
            "a choice needs its options in a list, not 'abc' "
            "(or a mapping from texts to values, an Enum class or a Literal type)",
        ),
        (
            {1: "one"},
            "a choice maps texts to values, and 1 is not a text "
            "(write choice({'text': value, ...}))",
        ),
        (
            [float("nan")],
            "option nan is neither a text, a finite number, a boolean nor None "
            "(give its text in a mapping: choice({'text': value, ...}))",
        ),
        (
            ["half \ud83d"],
            "'half \\ud83d' holds half a character (a lone surrogate) at position 5 "
            "(write the whole character)",
        ),
    ],
)
def test_options_that_cannot_be_told_apart_or_written_are_refused(
    options: Any, message: str
) -> None:
    with pytest.raises(InvalidSpec) as caught:
        choice(options)
    assert str(caught.value) == message


def test_a_choice_of_nothing_is_refused() -> None:
    with pytest.raises(UnsatisfiableSpec, match=r"^a choice needs at least one option$"):
        choice([])


@pytest.mark.parametrize("options", [range(10**6), (str(n) for n in range(10**6))])
def test_a_million_options_are_refused_within_a_second(options: Any) -> None:
    begin = time.process_time()
    with pytest.raises(LimitExceeded, match="while listing the options of a choice"):
        choice(options)
    assert time.process_time() - begin < 1


def test_the_limit_on_options_is_a_limit() -> None:
    assert choice(range(10), limits=Limits(max_nodes=10)).matches("9")
    with pytest.raises(LimitExceeded):
        choice(range(11), limits=Limits(max_nodes=10))


@pytest.mark.parametrize(
    "source",
    [
        "choice(['good', 'bad'])",
        "choice([1, 0.5, None, True])",
        "choice({'yes': True, 'no': False})",
        "choice(Grade)",
        "choice(Literal['a', 1])",
        "as_spec(\"some 'quoted' text\")",
        "integer(0, 3) | choice([None])",
        "'Score: ' + integer(0, 10) + ' / 10'",
        "(integer(0, 3) | as_spec('none')) + '.'",
        "as_spec(Annotated[int, Field(ge=1, multiple_of=5)])",
        "as_spec(Annotated[str, Field(max_length=3, pattern='^a')])",
    ],
)
def test_the_repr_makes_the_spec_again(source: str) -> None:
    spec = eval(source)
    assert repr(spec) == source
    assert eval(repr(spec)).examples() == spec.examples()


def test_a_long_choice_counts_its_options_in_its_repr() -> None:
    assert repr(choice(range(1_000))) == "choice([... 1,000 options])"


def test_booleans_and_scales_are_choices() -> None:
    assert boolean().parse("true") is True
    assert boolean("yes", "no").parse("no") is False
    scale = likert(["disagree", "neutral", "agree"])
    assert [scale.parse(label) for label in ("disagree", "neutral", "agree")] == [1, 2, 3]
    with pytest.raises(InvalidSpec, match=r"^True and False are both written 'x'$"):
        boolean("x", "x")
    with pytest.raises(InvalidSpec, match=r"^the label 'a' appears twice$"):
        likert(["a", "b", "a"])


# --- as_spec --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obj", "source"),
    [
        ("text", "as_spec('text')"),
        (range(11), "integer(0, 10)"),
        (range(10, 0, -3), "integer(1, 10, step=3)"),
        (range(5, 6), "integer(5, 5)"),
        (["a", "b"], "choice(['a', 'b'])"),
        ((1, 2), "choice([1, 2])"),
        ({"b", "a"}, "choice(['a', 'b'])"),
        (frozenset([2, 1]), "choice([1, 2])"),
        (int, "integer()"),
        (float, "number()"),
        (bool, "choice({'true': True, 'false': False})"),
        (str, "text()"),
        (None, "choice([None])"),
        (type(None), "choice([None])"),
        (Literal["a", "b"], "choice(Literal['a', 'b'])"),
        (Grade, "choice(Grade)"),
        (Optional[int], "integer() | choice([None])"),  # noqa: UP045
        (Union[int, Literal["none"]], "integer() | choice(Literal['none'])"),  # noqa: UP007
        (int | None, "integer() | choice([None])"),
        (re.compile("[ab]+"), "regex('[ab]+')"),
        (Annotated[int, "documented"], "integer()"),
        (Annotated[int, Field(description="documented")], "integer()"),
        (Annotated[int, Field(ge=1, lt=5)], "integer(1, 4)"),
        (Annotated[int, Field(gt=0.5, le=4.5)], "integer(1, 4)"),
        (Annotated[int, annotated_types.Interval(gt=0, le=5)], "integer(1, 5)"),
        (Annotated[int, annotated_types.Ge(2), annotated_types.Gt(3)], "integer(4)"),
        (pydantic.conint(ge=3, strict=True), "integer(3)"),
        (pydantic.PositiveInt, "integer(1)"),
        (Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)],
         "number(0, 1, exclusive_low=True)"),
        (Annotated[str, Field(min_length=1, max_length=4)], "text(max_length=4, min_length=1)"),
        (Annotated[str, annotated_types.Len(1, 4)], "text(max_length=4, min_length=1)"),
    ],
)  # fmt: skip
def test_as_spec_understands_what_python_says(obj: Any, source: str) -> None:
    assert repr(as_spec(obj)) == source


def test_a_spec_is_itself() -> None:
    spec = integer(0, 3)
    assert as_spec(spec) is spec


@pytest.mark.parametrize("obj", [Essay, Point, Movie, list[int], {"type": "integer"}])
def test_structures_are_json(obj: Any) -> None:
    texts = {
        Essay: '{"score": 7}',
        Point: '{"x": 7}',
        Movie: '{"name": "x"}',
    }
    text = "[7]" if obj == list[int] else texts[obj] if isinstance(obj, type) else "7"
    spec: Spec[Any] = as_spec(obj)
    assert spec.matches(text)


def test_bounds_on_structures_are_json_schema() -> None:
    spec = as_spec(Annotated[list[int], Field(max_length=1)])
    assert spec.matches("[1]")
    assert not spec.matches("[1, 2]")


def test_multiples_count_from_zero_not_from_the_bound() -> None:
    spec = as_spec(Annotated[int, Field(ge=1, le=30, multiple_of=10)])
    assert list(spec.enumerate()) == ["10", "20", "30"]
    halves = as_spec(Annotated[float, Field(gt=0.2, lt=1.5, multiple_of=0.5)])
    assert {text: halves.parse(text) for text in halves.enumerate()} == {"0.5": 0.5, "1": 1.0}
    assert type(halves.parse("1")) is float
    of_a_fraction = as_spec(Annotated[int, Field(ge=0, le=7, multiple_of=2.5)])
    assert list(of_a_fraction.enumerate()) == ["0", "5"]


def test_a_pattern_is_searched_for_as_pydantic_does() -> None:
    annotated = Annotated[str, Field(pattern="b+", max_length=3)]
    adapter, spec = pydantic.TypeAdapter(annotated), as_spec(annotated)
    for text in ["b", "abc", "a", "abcd", "bbb", ""]:
        try:
            adapter.validate_python(text)
        except pydantic.ValidationError:
            assert not spec.matches(text)
        else:
            assert spec.matches(text)


ACCEPTED = (
    " (accepted: a Spec, a str (that text), a range, a list, tuple or set of options, int, float, "
    "bool, str, None, Literal[...], an Enum class, Optional, Union, Annotated, a compiled regular "
    "expression, a pydantic model, a dataclass, a TypedDict, a JSON Schema as a dict; for "
    "JSON of other types that pydantic reads, json(...))"
)


@pytest.mark.parametrize(
    ("obj", "error", "message"),
    [
        (5, InvalidSpec, "5 (int) describes no output" + ACCEPTED),
        (b"x", InvalidSpec, "b'x' (bytes) describes no output" + ACCEPTED),
        (object, InvalidSpec, "the type object describes no output" + ACCEPTED),
        (datetime.date, InvalidSpec, "the type date describes no output" + ACCEPTED),
        (range(0), UnsatisfiableSpec, "range(0, 0) is empty"),
        (
            Annotated[int, Field(ge=1, le=9, multiple_of=10)],
            UnsatisfiableSpec,
            "no integer is at least 1, at most 9 and a multiple of 10",
        ),
        (
            Annotated[float, Field(decimal_places=2)],
            UnsupportedSpec,
            "cannot enforce decimal_places=2 on float",
        ),
        (
            Annotated[int, annotated_types.Predicate(bool)],
            UnsupportedSpec,
            "cannot enforce Predicate(bool)",
        ),
        (
            Annotated[int | None, Field(ge=0)],
            UnsupportedSpec,
            "cannot apply ge to int | None",
        ),
        (
            Annotated[str, pydantic.StringConstraints(to_upper=True)],
            UnsupportedSpec,
            "cannot enforce to_upper=True on str",
        ),
        (
            Annotated[int, annotated_types.Ge(1), annotated_types.Ge(2)],
            UnsupportedSpec,
            "ge is given twice: 1 and 2 (keep one)",
        ),
        (
            Annotated[int, Field(multiple_of=0)],
            InvalidSpec,
            "multiple_of must be above 0, not 0",
        ),
    ],
)
def test_what_cannot_be_enforced_is_refused(obj: Any, error: type[SpecError], message: str) -> None:
    with pytest.raises(error) as caught:
        as_spec(obj)
    assert type(caught.value) is error
    assert str(caught.value) == message


def test_validators_are_refused_by_their_kind() -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        as_spec(Annotated[int, pydantic.AfterValidator(abs)])
    assert caught.value.feature == "AfterValidator"


def test_operators_take_whatever_as_spec_takes() -> None:
    assert ("n=" + as_spec(range(3)) + [".", "!"]).parse("n=2!") == (2, "!")
    assert (None | integer(0, 3)).parse("null") is None
    assert repr("a" | integer(0, 3)) == "as_spec('a') | integer(0, 3)"


V = TypeVar("V")
Whole = TypeAliasType("Whole", int)
Named = TypeAliasType("Named", "Whole | None")
Table = TypeAliasType("Table", dict[str, V], type_params=(V,))
Same = TypeAliasType("Same", V, type_params=(V,))
Nest = TypeAliasType("Nest", "int | list[Nest]")
Round = TypeAliasType("Round", "Round")
Wide = TypeAliasType("Wide", "int | Wide")
Lost = TypeAliasType("Lost", "list[Nowhere]")  # noqa: F821


@pytest.mark.parametrize(
    ("alias", "source"),
    [
        (Whole, "integer()"),
        (Named, "integer() | choice([None])"),
        (Table[int], "json(dict[str, int])"),
        (Same[bool], "choice({'true': True, 'false': False})"),
        (Nest, "integer() | json(list[Nest])"),
        (Annotated[Whole, Field(ge=3)], "integer(3)"),
    ],
    ids=str,
)
def test_an_alias_is_what_it_stands_for(alias: Any, source: str) -> None:
    spec = as_spec(alias)
    assert spec.source == source
    for text in spec.examples(5):
        spec.parse(text)


@pytest.mark.parametrize("alias", [Round, Wide, Annotated[Round, Field(ge=3)]], ids=str)
def test_an_alias_of_itself_alone_is_refused(alias: Any) -> None:
    with pytest.raises(InvalidSpec, match="is made of itself with nothing around it"):
        as_spec(alias)


def test_an_alias_of_names_that_are_nowhere_is_refused() -> None:
    with pytest.raises(InvalidSpec) as caught:
        as_spec(Lost)
    assert str(caught.value) == (
        "what Lost stands for cannot be read: name 'Nowhere' is not defined (write the alias where "
        "its names are known)"
    )
