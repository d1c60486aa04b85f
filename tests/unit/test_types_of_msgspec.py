"""Types of msgspec: what the mask allows, its decoder reads."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from typing import Annotated, Any, Generic, Literal, TypedDict, TypeVar, Union

import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from constrained.errors import InvalidSpec, TextRejected, UnsupportedSpec
from constrained.spec import as_spec
from constrained.spec.json_schema import json


class Suit(enum.Enum):
    HEARTS = "h"
    SPADES = "s"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Circle(Struct, tag=True):
    radius: Annotated[float, Meta(gt=0.5, le=9)] = 1.0


class Square(Struct, tag="square"):
    side: int = 1


class Row(Struct, array_like=True, tag="row"):
    a: int
    b: str = "x"


class Camel(Struct, rename="camel", forbid_unknown_fields=True):
    first_name: str
    maybe: Union[int, UnsetType] = UNSET  # noqa: UP007
    last: int = msgspec.field(name="LAST", default=3)


class One(Struct, tag_field="kind", tag=1):
    x: int


class Two(Struct, tag_field="kind", tag=2):
    x: int


class Tree(Struct):
    value: int
    parts: list[Tree] = []


class Everything(Struct):
    i: Annotated[int, Meta(ge=1, multiple_of=3)]
    s: Annotated[str, Meta(pattern=r"^\w+$", max_length=4)]
    f: float
    d: dt.date
    t: dt.datetime
    aware: Annotated[dt.datetime, Meta(tz=True)]
    naive: Annotated[dt.datetime, Meta(tz=False)]
    clock: dt.time
    span: dt.timedelta
    u: uuid.UUID
    m: decimal.Decimal
    raw: bytes
    few: Annotated[list[int], Meta(min_length=1, max_length=2)]
    group: frozenset[str]
    pair: tuple[int, str]
    many: tuple[int, ...]
    suit: Suit
    level: Level
    listed: Literal["a", 1] | None
    either: int | str | None
    anything: Any
    keys: dict[int, str]
    names: dict[Literal["a", "b"], int]
    later: msgspec.Raw


@dataclasses.dataclass
class Holder:
    row: Row
    n: int = 1


class Members(TypedDict):
    circle: Circle


READ: list[Any] = [
    *(Circle, Row, Camel, Circle | Square | None, One | Two, Tree, Everything, Holder, Members),
    *(list[Camel], dict[str, Circle], Annotated[int, Meta(ge=3)]),
    *(Annotated[set[Suit], Meta(min_length=2)], Annotated[dict[str, int], Meta(min_length=1)]),
    *(dict[key, Circle] for key in (int, float, uuid.UUID, dt.date, decimal.Decimal, Suit, Level)),
    *(dict[key, Circle] for key in (dt.timedelta, bytes, int | None, int | str)),
    dict[Annotated[str, Meta(pattern="^k$")], Annotated[float, Meta(multiple_of=0.5)]],
]


@pytest.mark.parametrize("kind", READ, ids=lambda kind: str(kind)[:60])
def test_every_example_is_read_by_the_decoder(kind: Any) -> None:
    spec = json(kind)
    for text in spec.examples(12):
        assert repr(spec.parse(text)) == repr(
            msgspec.json.decode(text, type=kind)
        ) or "Raw" in repr(spec.parse(text))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            Annotated[float, Meta(multiple_of=0.1)],
            "few floats are a multiple of 0.1 exactly (use a step such as 0.5 or 0.25)",
        ),
        (
            Annotated[bytes, Meta(min_length=2)],
            "lengths of base64 are not enforced (leave them out)",
        ),
        (dict[bool, int], "a key of kind BoolType is not read from JSON (use str keys)"),
        (
            Annotated[set[float], Meta(min_length=2)],
            "values that differ as JSON may be the same when read (use a list)",
        ),
        (set[list[int]], "a set cannot hold values of ListType (use a list, or frozen Structs)"),
        (set[Circle], "a set cannot hold values of Circle (use a list, or frozen Structs)"),
        (
            dict[Annotated[int, Meta(multiple_of=3)], int],
            "multiples are not enforced in a key (use ge and le only)",
        ),
        (msgspec.msgpack.Ext, "ExtType is not read from JSON (use a type that JSON can hold)"),
    ],
    ids=str,
)
def test_what_cannot_be_enforced_is_refused_with_the_field(kind: Any, message: str) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        json(msgspec.defstruct("Model", [("field", kind)]))
    assert str(caught.value) == f"at #/properties/field: {message}"


def test_tags_names_and_positions_are_those_of_the_struct() -> None:
    assert json(Circle | Square).matches('{"type": "Circle", "radius": 2}')
    assert not json(Circle | Square).matches('{"radius": 2}')
    assert json(Row).parse('["row", 1]') == Row(1)
    assert not json(Row).matches("[1]")
    assert json(Camel).matches('{"firstName": "a", "LAST": 3}')
    assert not json(Camel).matches('{"first_name": "a"}')
    assert json(Tree).parse('{"value": 1, "parts": [{"value": 2}]}') == Tree(1, [Tree(2)])


def test_what_msgspec_writes_is_one_of_the_texts() -> None:
    value = Holder(Row(3, "y"), 2)
    assert json(Holder).parse(msgspec.json.encode(value).decode()) == value
    assert as_spec(Camel).matches(msgspec.json.encode(Camel("ä")).decode())


def test_a_struct_is_read_with_its_own_code() -> None:
    class Even(Struct):
        n: int

        def __post_init__(self) -> None:
            if self.n % 2:
                raise ValueError("odd")

    assert json(Even).parse('{"n": 2}') == Even(2)
    with pytest.raises(TextRejected, match="odd"):
        json(Even).parse('{"n": 3}')


def test_what_msgspec_does_not_read_is_no_type() -> None:
    class Odd(Struct):
        z: dict[str, complex] | dict[int, complex]

    with pytest.raises(InvalidSpec, match="is not a type that msgspec reads"):
        json(Odd)


T = TypeVar("T")


class Box(Struct, Generic[T]):
    value: T
    more: list[T] = []


class Fixed(Struct, frozen=True):
    n: int


def test_structs_with_parameters_are_read() -> None:
    spec = json(Box[int])
    assert spec.parse('{"value": 1, "more": [2]}') == Box(1, [2])
    assert not spec.matches('{"value": "a"}')
    assert json(list[Box[Fixed]]).parse('[{"value": {"n": 1}}]') == [Box(Fixed(1))]


def test_sets_hold_what_has_a_hash() -> None:
    for kind in (set[Fixed], set[Any], frozenset[tuple[int, ...]]):
        spec = json(msgspec.defstruct("Model", [("field", kind)]))
        for text in spec.examples(12):
            spec.parse(text)
    assert not spec.matches('{"field": [{}]}')


def test_any_value_holds_no_number_that_msgspec_refuses() -> None:
    spec = json(msgspec.defstruct("Model", [("field", Any)]))
    assert spec.matches('{"field": [{"a": 1.7e308}, null, "x", true]}')
    assert not spec.matches('{"field": [{"a": 1e309}]}')
