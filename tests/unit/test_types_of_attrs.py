"""Classes of attrs: read by the names, types and bounds of their attributes."""

from __future__ import annotations

import enum
import json as std_json
from typing import Annotated, Any, Generic, Optional, TypeVar

import attrs
import pytest
from attrs import validators
from pydantic import Field

from constrained.errors import InvalidSpec, TextRejected, UnsupportedSpec
from constrained.spec import as_spec
from constrained.spec.json_schema import json

T = TypeVar("T")
U = TypeVar("U", bound=int)


@attrs.define
class Pair(Generic[T]):
    one: T
    more: list[T]
    last: T | None = None


@attrs.define
class Lists(Pair[list[T]], Generic[T]):
    own: Optional[T] = None  # noqa: UP045


@attrs.define
class Numbers(Lists[int]):
    size: Annotated[int, Field(ge=0)] = 0


@attrs.define
class Branch(Generic[T]):
    value: T
    parts: list[Branch[T]] = attrs.field(factory=list)


@attrs.define
class Whole(Generic[U]):
    value: U


@attrs.define
class Holder:
    one: Pair[int]
    two: Pair[Pair[bool]]
    three: dict[str, Branch[str]]


class Suit(enum.Enum):
    HEARTS = "h"
    SPADES = "s"


class Size(enum.Enum):
    SMALL = 1
    LARGE = "l"
    HUGE = 3


@attrs.define
class Sized:
    one: Size = attrs.field(validator=validators.in_([Size.SMALL, Size.LARGE]))
    two: Size | None = attrs.field(
        default=None, validator=validators.optional(validators.in_([Size.HUGE]))
    )
    three: Optional[Size] = attrs.field(  # noqa: UP045
        default=None, validator=validators.in_([Size.LARGE, None])
    )


@attrs.define
class Point:
    x: int
    y: str = "here"
    _hidden: float = 1.0
    made: int = attrs.field(init=False, default=3)


@attrs.frozen
class Shape:
    start: Point
    points: list[Point] = attrs.field(factory=list)
    named: Optional[dict[str, Point]] = None  # noqa: UP045


@attrs.frozen
class Card:
    value: int


@attrs.frozen
class Hand:
    cards: list[Card]


@attrs.define
class Tree:
    value: int
    parts: list[Tree] = attrs.field(factory=list)


@attrs.define
class Bounded:
    grade: int = attrs.field(validator=[validators.ge(1), validators.lt(6)])
    name: str = attrs.field(validator=validators.and_(validators.min_len(2), validators.max_len(4)))
    side: str = attrs.field(validator=validators.in_(["x", "y"]))
    code: str = attrs.field(validator=validators.matches_re(r"[a-c]+\d"))
    high: int | None = attrs.field(default=None, validator=validators.optional(validators.gt(5)))
    some: list[int] = attrs.field(factory=list, validator=validators.min_len(1))
    kind: Suit = attrs.field(default=Suit.HEARTS, validator=validators.in_(Suit))
    plain: int = attrs.field(default=1, validator=validators.instance_of(int))
    more: Annotated[int, Field(ge=4)] = 4


@pytest.mark.parametrize(
    "kind",
    [
        Point,
        Shape,
        Tree,
        Bounded,
        list[Point],
        Point | None,
        dict[str, Shape],
        Pair,
        Pair[int],
        list[Pair[bool]],
        Lists[bool],
        Numbers,
        Branch[str],
        Whole,
        Holder,
        Annotated[Point, "x"],
    ],
    ids=str,
)
def test_every_example_is_read(kind: Any) -> None:
    spec = json(kind)
    for text in spec.examples(12):
        spec.parse(text)


def test_the_value_is_one_of_the_class() -> None:
    assert json(Point).parse('{"x": 1, "_hidden": 2}') == Point(1, hidden=2.0)
    shape = Shape(Point(1), [Point(2, "b")])
    texts = std_json.dumps(attrs.asdict(shape, filter=lambda one, _: one.init))
    assert as_spec(Shape).parse(texts) == shape


def test_the_bounds_of_attrs_hold_in_the_mask() -> None:
    spec = json(Bounded)
    good = {"grade": 5, "name": "abc", "side": "x", "code": "ab1", "some": [1]}
    assert spec.matches(std_json.dumps(good))
    for name, wrong in [("grade", 6), ("name", "a"), ("side", "z"), ("code", "ab1x"), ("some", [])]:
        assert not spec.matches(std_json.dumps({**good, name: wrong}))
    del good["some"]
    assert not spec.matches(std_json.dumps(good))


def test_code_stays_outside_and_is_an_error_of_reading() -> None:
    def positive(_: Any, attribute: Any, value: int) -> None:
        if value < 0:
            raise ValueError(f"{attribute.name} is negative")

    @attrs.define
    class Checked:
        n: int = attrs.field(validator=positive)

    assert json(Checked).parse('{"n": 1}') == Checked(1)
    with pytest.raises(TextRejected, match="n is negative"):
        json(Checked).parse('{"n": -1}')


def test_a_validator_of_attrs_that_is_no_bound_is_refused_by_name() -> None:
    @attrs.define
    class Nested:
        some: list[int] = attrs.field(validator=validators.deep_iterable(validators.ge(3)))

    with pytest.raises(UnsupportedSpec, match=r"of .*Nested\.some is not enforced") as caught:
        json(Nested)
    assert caught.value.feature == "DeepIterable"


def test_a_type_that_is_nowhere_is_an_invalid_spec() -> None:
    @attrs.define
    class Lost:
        other: Nowhere  # noqa: F821

    with pytest.raises(InvalidSpec, match=r"the types of .*Lost cannot be read"):
        json(Lost)


def test_instances_of_a_class_are_the_part_of_the_type_that_is_asked_for() -> None:
    @attrs.define
    class Told:
        one: Any = attrs.field(validator=validators.instance_of(int))
        two: int | str = attrs.field(validator=validators.instance_of((str,)))
        three: float = attrs.field(default=1.0, validator=validators.instance_of((int, float)))
        four: list[int] = attrs.field(factory=list, validator=validators.instance_of(list))

    spec = json(Told)
    assert spec.matches('{"one": 1, "two": "a", "four": [1]}')
    assert not spec.matches('{"one": 1.5, "two": "a"}')
    assert not spec.matches('{"one": 1, "two": 2}')
    for text in spec.examples(12):
        spec.parse(text)

    @attrs.define
    class Contrary:
        one: int = attrs.field(validator=validators.instance_of(str))

    with pytest.raises(UnsupportedSpec, match=r"of .*Contrary\.one is not enforced"):
        json(Contrary)


def test_options_are_those_that_the_type_holds_too() -> None:
    @attrs.define
    class Chosen:
        one: str = attrs.field(validator=validators.in_([1, "x"]))
        two: bool = attrs.field(default=True, validator=validators.in_([True]))

    assert json(Chosen).matches('{"one": "x", "two": true}')
    assert not json(Chosen).matches('{"one": 1}')
    assert not json(Chosen).matches('{"one": "x", "two": false}')

    @attrs.define
    class Halves:
        one: float = attrs.field(validator=validators.in_([1.5, 2.5]))

    with pytest.raises(UnsupportedSpec, match=r"of .*Halves\.one is not enforced"):
        json(Halves)


def test_sets_hold_the_classes_that_have_a_hash() -> None:
    spec = json(set[Card])
    for text in spec.examples(8):
        spec.parse(text)
    for kind in (Point, Hand):
        with pytest.raises(UnsupportedSpec, match=r"a set cannot hold values of kind (Point|list)"):
            json(set[kind])  # type: ignore[valid-type]


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (Pair[int], '{"one": 1, "more": [2]}', '{"one": "a", "more": []}'),
        (Pair[int], '{"one": 1, "more": [], "last": null}', '{"one": 1, "more": ["a"]}'),
        (Lists[bool], '{"one": [true], "more": [[]]}', '{"one": true, "more": []}'),
        (Lists[bool], '{"one": [], "more": [], "own": true}', '{"one": [], "more": [], "own": []}'),
        (Numbers, '{"one": [3], "more": []}', '{"one": ["a"], "more": []}'),
        (
            Branch[str],
            '{"value": "a", "parts": [{"value": "b"}]}',
            '{"value": "a", "parts": [{"value": 1}]}',
        ),
        (Whole, '{"value": 3}', '{"value": "a"}'),
    ],
    ids=str,
)
def test_variables_of_a_generic_class_are_its_arguments(kind: Any, right: str, wrong: str) -> None:
    for spec in (json(kind), as_spec(kind)):
        assert spec.matches(right)
        assert not spec.matches(wrong)
    assert isinstance(json(kind).parse(right), getattr(kind, "__origin__", kind))


def test_options_of_an_enum_are_its_members() -> None:
    spec = json(Sized)
    assert spec.parse('{"one": "l", "two": 3}') == Sized(Size.LARGE, Size.HUGE)
    assert spec.matches('{"one": 1, "two": null, "three": null}')
    assert not spec.matches('{"one": 3}')
    assert not spec.matches('{"one": 1, "two": 1}')
    assert not spec.matches('{"one": 1, "three": 1}')
    for text in spec.examples(20):
        spec.parse(text)
