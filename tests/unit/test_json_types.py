"""Python types as JSON: what matches reads back as the type says."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json as std_json
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from constrained.errors import InvalidSpec, TextRejected, UnsupportedSpec
from constrained.spec.json_schema import json, read_json


class Colour(enum.Enum):
    RED = "red"
    ONE = 1


class Review(BaseModel):
    score: Annotated[int, Field(ge=1, le=6)]
    colour: Colour = Colour.RED
    tags: list[Literal["x", "y"]] = []
    comment: Optional[Annotated[str, Field(max_length=10)]] = None  # noqa: UP045


class Tree(BaseModel):
    value: int
    children: list[Tree] = []


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Row(TypedDict):
    name: str
    when: datetime.date


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


TYPES: list[Any] = [
    Review,
    Tree,
    Point,
    Row,
    Open,
    Colour,
    list[Review],
    dict[str, int],
    dict[int, bool],
    tuple[int, str, Literal[True]],
    Annotated[int, Field(ge=1, le=6)],
    Annotated[float, Field(ge=0, le=1)],
    Annotated[Decimal, Field(ge=0, le=1, multiple_of=Decimal("0.25"))],
    Literal["a", 3] | None,
    int | None,
    set[Literal["a", "b"]],
    datetime.datetime,
    datetime.timedelta,
]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_every_example_reads_as_the_type_and_is_written_back(kind: Any) -> None:
    spec = json(kind)
    adapter = TypeAdapter(kind)
    for text in spec.examples(12):
        value = spec.parse(text)
        assert value == adapter.validate_json(text)
        adapter.validate_json(adapter.dump_json(value))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Review, Review(score=6, colour=Colour.ONE, tags=["y", "x"], comment="ok")),
        (Tree, Tree(value=1, children=[Tree(value=2), Tree(value=3, children=[Tree(value=4)])])),
        (Point, Point(0.5, -1e-07)),
        (Row, Row(name="ä", when=datetime.date(2024, 2, 29))),
        (list[Colour], [Colour.RED, Colour.ONE]),
    ],
)
def test_what_pydantic_writes_matches_and_reads_back(kind: Any, value: Any) -> None:
    spec = json(kind)
    written = TypeAdapter(kind).dump_json(value).decode()
    for text in (written, std_json.dumps(std_json.loads(written), indent=2)):
        assert spec.matches(text)
        assert spec.parse(text) == value


def test_bounds_of_a_bare_type_hold() -> None:
    assert list(json(Annotated[int, Field(ge=1, le=6)]).enumerate()) == list("123456")


def test_models_are_closed_unless_they_ask_for_more() -> None:
    assert not json(Review).matches('{"score": 1, "other": 2}')
    assert json(Open).matches('{"a": 1, "other": 2}')
    assert json(Open).parse('{"a": 1, "other": 2}').model_extra == {"other": 2}


def test_the_source_is_the_call() -> None:
    assert repr(json(Review)) == "json(Review)"
    assert repr(json(list[int], whitespace="compact")) == "json(list[int], whitespace='compact')"
    assert repr(json({"type": "integer"})) == "json({'type': 'integer'})"


def test_what_only_the_type_knows_is_an_error_of_reading() -> None:
    class Even(BaseModel):
        n: int

        @pydantic.field_validator("n")
        @classmethod
        def check(cls, value: int) -> int:
            if value % 2:
                raise ValueError("odd")
            return value

    spec = json(Even)
    assert spec.parse('{"n": 2}').n == 2
    with pytest.raises(TextRejected) as caught:
        spec.parse('{"n": 3}')
    assert str(caught.value).endswith("what json(Even) accepts (n: Value error, odd)") or (
        "accepts (n: Value error, odd)" in str(caught.value)
    )


def test_what_is_no_type_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="is neither a JSON Schema nor a type"):
        json(object())
    with pytest.raises(InvalidSpec, match="the function <lambda> is neither"):
        json(lambda: 1)
    with pytest.raises(UnsupportedSpec, match="no JSON Schema describes this type"):
        json(Callable[[int], int])


def test_numbers_of_thousands_of_digits_are_neither_written_nor_read() -> None:
    spec = json({"type": "integer"})
    assert not spec.matches("1" * 5000)
    assert spec.parse("1" * 308) == (10**308 - 1) // 9
    with pytest.raises(TextRejected, match="JSON that Python reads"):
        read_json("1" * 5000)
