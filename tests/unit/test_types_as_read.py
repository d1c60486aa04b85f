"""Every text of a type is read by the type, or the type is refused with the field that is meant."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import json as std_json
import pathlib
import re
import uuid
import zoneinfo
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, Required, TypeVar

import annotated_types
import pydantic
import pydantic.dataclasses
import pydantic.networks as net
import pydantic.types as kinds
import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from constrained.errors import InvalidSpec, TextRejected, UnsatisfiableSpec, UnsupportedSpec
from constrained.spec import as_spec
from constrained.spec.json_schema import json
from constrained.spec.typed.ranges import at_least, at_most, between, integers

UTC = dt.UTC
D = decimal.Decimal
Limits = pydantic.StringConstraints
T = TypeVar("T")


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog", "wolf"] = "dog"
    name: str | None = None


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Snake(BaseModel):
    shape: Literal["snake"] = Field("snake", alias="Shape")


class Lizard(BaseModel):
    shape: Literal["lizard"] = Field("lizard", alias="Shape")


class Red(BaseModel):
    kind: Literal["red"] = "red"
    warm: Literal[True] = True


class Orange(BaseModel):
    kind: Literal["orange"] = "orange"
    warm: Literal[True] = True


class Blue(BaseModel):
    kind: Literal["blue"] = "blue"
    warm: Literal[False] = False


Warm = Annotated[Red | Orange, Field(discriminator="kind")]
Colour = Annotated[Annotated[Warm | Blue, Field(discriminator="warm")], Field(title="colour")]


class Branch(BaseModel):
    kind: Literal["branch"] = "branch"
    parts: list[Annotated[Branch | Leaf, Field(discriminator="kind")]] = []


class Leaf(BaseModel):
    kind: Literal["leaf"] = "leaf"


class Node(BaseModel):
    kind: Literal["node"] = Field("node", alias="Kind")
    parts: list[Annotated[Node | End, Field(discriminator="kind")]] = []


class End(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    kind: Literal["end"] = Field("end", alias="Kind")


class Owner(BaseModel):
    pet: Pet
    pets: list[Pet] = []
    by_name: dict[str, Pet] = {}
    perhaps: Pet | None = None


@dataclasses.dataclass
class Car:
    wheels: Literal[4] = 4


@dataclasses.dataclass
class Bike:
    wheels: Literal[2] = 2


class North(TypedDict):
    way: Required[Literal["n"]]
    far: NotRequired[int]


class South(TypedDict, total=False):
    way: Required[Literal["s"]]
    near: str


class Deep(BaseModel):
    one: int = Field(validation_alias=AliasPath("x", "y"))
    two: int = Field(3, validation_alias=AliasChoices(AliasPath("x", "z"), "c"))
    name: str = Field("d", validation_alias=AliasPath("names", 1))


class DeepStrict(Deep):
    model_config = ConfigDict(extra="forbid")


class OpenByName(BaseModel):
    model_config = ConfigDict(extra="allow", populate_by_name=True)
    a: int = Field(alias="A")
    b: int = Field(1, validation_alias=AliasChoices("B", "C"))


class OpenTyped(BaseModel):
    __pydantic_extra__: dict[str, int]
    model_config = ConfigDict(extra="allow")
    a: int


class NamesOnly(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=False)
    a: int = Field(alias="A")


class Trimmed(BaseModel):
    model_config = ConfigDict(
        str_strip_whitespace=True, str_min_length=2, str_max_length=5, str_to_lower=True
    )
    a: str
    b: Annotated[str, Limits(pattern="^[a-z ]+$")]


class Letter(enum.Enum):
    A = "a"
    TWO = 2
    HALF = 1.5


class Number(enum.IntEnum):
    ONE = 1
    TWO = 2


class Pair(enum.Enum):
    A = (1, 2)


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    i: int
    f: float
    b: bool
    t: dt.datetime
    d: dt.date
    u: uuid.UUID
    e: Letter
    m: D
    s: set[int]
    pair: tuple[int, str]
    span: dt.timedelta
    raw: bytes
    path: pathlib.Path
    address: ipaddress.IPv4Address
    keys: dict[int, bool]


class Place(NamedTuple):
    x: int
    y: str = "here"


class Declared(BaseModel):
    low: int = Field(json_schema_extra={"minimum": 3, "unit": "m"})
    day: Annotated[str, Field(json_schema_extra={"format": "date"})]
    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})


class Listed(pydantic.RootModel[list[Annotated[int, Field(ge=3)]]]):
    pass


class Box(BaseModel, Generic[T]):
    value: T
    more: list[T] = []


@pydantic.dataclasses.dataclass(config=ConfigDict(extra="forbid"))
class Checked:
    a: int
    b: Annotated[str, Field(max_length=3, alias="B")] = "x"


@dataclasses.dataclass
class Made:
    a: int
    b: int = dataclasses.field(default=1, init=False)
    c: dataclasses.InitVar[int] = 3


class Computed(BaseModel):
    a: int

    @pydantic.computed_field
    @property
    def twice(self) -> int:
        return 2 * self.a


class Before(BaseModel):
    a: int
    code: Annotated[
        int,
        pydantic.BeforeValidator(lambda value: int(value)),
        pydantic.WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,3}$"}),
    ]

    @pydantic.model_validator(mode="before")
    @classmethod
    def untouched(cls, value: Any) -> Any:
        return value


class Defaults(BaseModel):
    model_config = ConfigDict(validate_default=True)
    a: Annotated[int, Field(ge=3)] = 1
    b: Annotated[int, Field(ge=3)] = 5


class Supplied(BaseModel):
    model_config = ConfigDict(validate_default=True)
    a: Annotated[int, Field(ge=3)] = Field(default_factory=lambda: 1)
    b: Annotated[int, Field(ge=3)] = Field(default_factory=lambda: 5)
    c: Annotated[int, Field(ge=3)] = Field(default_factory=lambda data: data["b"] - 5)


class SaidAnew(BaseModel):
    a: Annotated[int, Field(ge=3)]
    b: int = 1

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Any:
        return {"type": "object"}


class SaidLess(BaseModel):
    a: int

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> Any:
        found = handler.resolve_ref_schema(handler(core))
        del found["required"]
        found["properties"]["a"]["minimum"] = 5
        return found


class Members(TypedDict, extra_items=int):  # type: ignore[call-arg]
    a: str


class Shut(TypedDict, closed=True):  # type: ignore[call-arg]
    a: str


DAY = dt.date(2020, 2, 28)
NOON = dt.datetime(2020, 1, 1, 12, 30, 1, 500)
AWARE = dt.datetime(2020, 1, 1, 12, 30, 1, tzinfo=dt.timezone(dt.timedelta(hours=5)))
LONG = dt.timedelta(days=1, seconds=3)


def each(kind: Any, value: Any) -> list[Any]:
    """The type with the value as each of the four bounds."""
    return [Annotated[kind, Field(**{name: value})] for name in ("ge", "gt", "le", "lt")]


READ: list[Any] = [
    *(Pet, list[Pet], Pet | None, Annotated[Snake | Lizard, Field(discriminator="shape")]),
    *(Colour, Branch, Node, Owner, Annotated[Car | Bike, Field(discriminator="wheels")]),
    Annotated[North | South, Field(discriminator="way")],
    *(Deep, DeepStrict, OpenByName, OpenTyped, NamesOnly, Trimmed, Strict, Place, Declared, Listed),
    *(Box[int], Box[D], Checked, Made, Computed, Before, Defaults, Members, Shut),
    *(Supplied, SaidAnew, list[SaidAnew], SaidLess),
    dict[Annotated[str, Limits(pattern=r"^k\d$")], int],
    dict[Annotated[int, Field(ge=3, le=12)], int],
    *(dict[key, int] for key in (bool, float, int | bool, int | None, D, uuid.UUID)),
    *(dict[key, int] for key in (dt.date, dt.timedelta, Literal["a", "b"], Number, kinds.UUID4)),
    *(dict[key, int] for key in (complex, bytes, Any, pathlib.Path, ipaddress.IPv6Address)),
    dict[Annotated[float, Field(ge=0.5, lt=2)], int],
    dict[Annotated[D, Field(max_digits=3)], int],
    Annotated[dict[Literal["a", "b"], int], Field(min_length=2)],
    *(getattr(kinds, f"UUID{n}") for n in (1, 3, 4, 5, 6, 7, 8)),
    *(ipaddress.IPv4Address, ipaddress.IPv4Network, ipaddress.IPv4Interface),
    *(ipaddress.IPv6Address, ipaddress.IPv6Network, ipaddress.IPv6Interface),
    *(net.IPvAnyAddress, net.IPvAnyNetwork, net.IPvAnyInterface),
    *(Letter, Number, Literal[1, True, "x"] | None),
    *(dt.date, dt.time, dt.datetime, dt.timedelta, kinds.AwareDatetime, kinds.NaiveDatetime),
    *(
        kinds.PastDate,
        kinds.PastDatetime,
        Annotated[dt.date, Field(ge=DAY, le=dt.date(2021, 3, 2))],
    ),
    *each(dt.date, DAY),
    *each(dt.datetime, NOON),
    *each(dt.datetime, AWARE),
    *each(kinds.NaiveDatetime, NOON),
    *each(dt.time, dt.time(12, 30, 1)),
    *each(dt.timedelta, LONG),
    Annotated[dt.datetime, Field(ge=AWARE, le=AWARE)],
    Annotated[dt.time, Field(ge=dt.time(12, 30, 1, 5), le=dt.time(12, 30, 2, 5))],
    *(D, Annotated[D, Field(max_digits=4, decimal_places=2)], Annotated[D, Field(max_digits=4)]),
    *(Annotated[D, Field(decimal_places=2)], Annotated[D, Field(max_digits=2, decimal_places=4)]),
    *each(D, D("0.1")),
    *each(D, 0.1),
    *each(D, D("-12.345")),
    Annotated[D, Field(ge=-1, max_digits=30, decimal_places=20)],
    Annotated[D, Field(ge=0, multiple_of=D("0.3"), le=1000)],
    *(Annotated[D, Field(multiple_of=D(step))] for step in ("1E-30", "1E-28", "1E+30")),
    *(float, kinds.FiniteFloat, Annotated[float, Field(multiple_of=0.1)]),
    *(Annotated[float, Field(multiple_of=0.5, ge=0)], Annotated[float, Field(multiple_of=1.5)]),
    *(Annotated[int, Field(multiple_of=3, ge=-5)], Annotated[float, Field(ge=float("-inf"))]),
    Annotated[int | float, Field(ge=3)],
    *each(fractions.Fraction, 0.1),
    *(fractions.Fraction, complex),
    Annotated[str, Limits(strip_whitespace=True, min_length=2, max_length=4, to_lower=True)],
    *(Annotated[str, Limits(pattern=p)] for p in (r"^\W+$", r"^[^\d]\s\S$", r"\bcat\b", r"^\D$")),
    *(Annotated[str, Limits(pattern=p)] for p in (r"^(?P<x>a|b)\z", r"^[^\w]$", r"^\p{Lu}$")),
    Annotated[str, Field(pattern=re.compile(r"\Aa\Z"))],
    *(
        kinds.SecretStr,
        kinds.SecretBytes,
        kinds.Secret[int],
        Annotated[kinds.SecretStr, Field(min_length=3)],
    ),
    *(
        bytes,
        Annotated[bytes, Field(min_length=2, max_length=3)],
        kinds.Base64Bytes,
        kinds.Base64Str,
    ),
    *(kinds.Base64UrlBytes, kinds.Base64UrlStr, re.Pattern, re.Pattern[str], kinds.ByteSize),
    *(pathlib.Path, pathlib.PurePath, zoneinfo.ZoneInfo),
    *(net.AnyUrl, net.HttpUrl, net.FileUrl, net.FtpUrl, net.WebsocketUrl, net.PostgresDsn),
    *(net.RedisDsn, net.MongoDsn, net.KafkaDsn, Annotated[net.HttpUrl, Field(max_length=14)]),
    Annotated[net.AnyUrl, net.UrlConstraints(allowed_schemes=["x"], max_length=30)],
    *(collections.deque[int], frozenset[int], set[float], Annotated[set[int], Field(max_length=1)]),
    *(
        Annotated[set[int], Field(min_length=1)],
        Annotated[set[Literal["a", "b"]], Field(min_length=2)],
    ),
    *(collections.Counter[str], collections.OrderedDict[str, int]),
    *(collections.defaultdict[str, list[int]], Annotated[Sequence[int], Field(min_length=1)]),
    *(
        Iterable[int],
        Mapping[str, int],
        Hashable,
        pydantic.InstanceOf[int],
        list[pydantic.OnErrorOmit[int]],
    ),
    *(tuple[int, ...], tuple[int, str], Any, None, Annotated[int, pydantic.AfterValidator(abs)]),
    TypeAdapter(dict[str, str], config=ConfigDict(str_strip_whitespace=True, str_min_length=2)),
    TypeAdapter(list[float], config=ConfigDict(allow_inf_nan=False)),
    TypeAdapter(bytes, config=ConfigDict(val_json_bytes="hex")),
    TypeAdapter(bytes, config=ConfigDict(val_json_bytes="base64")),
]


class Crossed(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)
    a: int | None = Field(default=None, alias="z")
    b: str = Field(default="", alias="a")


class Chosen(BaseModel):
    a: int = Field(default=0, validation_alias=AliasChoices("x", "b"))
    b: str = ""


def test_a_field_that_another_ones_key_would_be_read_as_is_written_beside_it() -> None:
    for kind, own, other in ((Crossed, "z", "a"), (Chosen, "x", "b")):
        spec = json(kind)
        assert spec.matches("{}")
        assert spec.matches(f'{{"{own}": 1}}')
        assert spec.matches(f'{{"{own}": 1, "{other}": "t"}}')
        assert not spec.matches(f'{{"{other}": "t"}}')
        for text in spec.examples(20):
            spec.parse(text)

    class Deep(BaseModel):
        a: int = Field(default=0, validation_alias=AliasChoices(AliasPath("b", 0), "x"))
        b: list[str] = []

    with pytest.raises(UnsupportedSpec, match="a field is read from 'b' too"):
        json(Deep)


def test_a_default_is_checked_with_the_definitions_and_settings_of_its_class() -> None:
    class Inner(BaseModel):
        again: list[Inner] = []

    class Holds(BaseModel):
        model_config = ConfigDict(validate_default=True, str_max_length=2)
        one: Inner = Field(default=None)
        two: Inner = Field(default_factory=dict)
        three: str = "long"
        more: list[Inner] = []

    assert json(Holds).matches('{"one": {}, "three": "a"}')
    assert not json(Holds).matches('{"three": "a"}')
    assert not json(Holds).matches('{"one": {}}')


def test_strict_addresses_are_within_the_lengths_of_strings() -> None:
    class Short(BaseModel):
        model_config = ConfigDict(strict=True, str_max_length=8)
        at: ipaddress.IPv4Address

    assert json(Short).matches('{"at": "10.0.0.1"}')
    assert not json(Short).matches('{"at": "10.0.0.11"}')
    for text in json(Short).examples(10):
        json(Short).parse(text)


@pytest.mark.parametrize("written", ["hex", "base64"])
def test_bytes_that_are_decoded_twice_are_refused(written: Any) -> None:
    class Twice(BaseModel):
        model_config = ConfigDict(val_json_bytes=written)
        data: pydantic.Base64Bytes

    with pytest.raises(UnsupportedSpec) as caught:
        json(Twice)
    assert caught.value.where == "#/properties/data"


def test_a_field_that_omits_errors_must_be_there_without_a_default() -> None:
    class Omits(BaseModel):
        bare: pydantic.OnErrorOmit[int]
        given: pydantic.OnErrorOmit[int] = 3

    assert json(Omits).matches('{"bare": 1}')
    assert not json(Omits).matches('{"given": 1}')
    for text in json(Omits).examples(20):
        json(Omits).parse(text)

    class Table(TypedDict, total=False):
        bare: pydantic.OnErrorOmit[int]

    assert json(Table).matches("{}")
    assert json(Table).parse("{}") == {}


@pytest.mark.parametrize("kind", READ, ids=lambda kind: str(kind)[:70])
def test_every_example_is_read(kind: Any) -> None:
    spec = json(kind)
    examples = spec.examples(8)
    assert examples
    for text in examples:
        spec.parse(text)


def field_of(kind: Any) -> type[BaseModel]:
    """A model with a field of the type."""
    return pydantic.create_model("Model", field=(kind, ...))


def plain_tags(value: Any) -> str:
    """Code that finds the tag of a union."""
    return "cat" if "lives" in value else "dog"


REFUSED: list[tuple[Any, str]] = [
    (dict[tuple[int, int], int], "a key of kind tuple is not read from JSON (use str or int keys)"),
    (dict[Literal[1], int], "1 is not read from JSON (use a text or a number for it)"),
    (dict[None, int], "a key of kind none is not read from JSON (use str or int keys)"),
    (
        dict[Annotated[int, Field(multiple_of=2)], int],
        "multiples are not enforced in a key (use ge and le only)",
    ),
    (Pair, "<Pair.A: (1, 2)> is not read from JSON (use a text or a number for it)"),
    (
        Literal[Letter.A],  # what pydantic writes of it, and its schema allows, it does not read
        "<Letter.A: 'a'> is not read from JSON (use a text or a number for it)",
    ),
    (Literal[b"a"], "b'a' is not read from JSON (use a text or a number for it)"),
    (
        kinds.FutureDate,
        "what lies in the future depends on when the answer is read (give a bound: Field(ge=...))",
    ),
    (
        Annotated[dt.time, Field(ge=dt.time(1, tzinfo=UTC))],
        "bounds with a zone, and times of one offset only, are not enforced (give the bound "
        "without a zone)",
    ),
    (
        Annotated[dt.date, Field(gt=DAY, lt=DAY)],
        "no text is known that lies within gt=datetime.date(2020, 2, 28), "
        "lt=datetime.date(2020, 2, 28) (widen the bounds)",
    ),
    (
        Annotated[str, Field(pattern=re.compile("^a$", re.IGNORECASE))],
        "the flags of re.compile('^a$', re.IGNORECASE) are not enforced (write them out in the "
        "pattern)",
    ),
    (
        Annotated[str, Limits(pattern="(?i)a")],
        "'(?i' in a pattern is not enforced (write flags out: [aA] for a letter in either case)",
    ),
    (
        Annotated[str, Limits(pattern="^[a-z&&[^b]]+$")],
        "classes inside classes are not enforced: '^[a-z&&[^b]]+$' (write the class out)",
    ),
    (
        Annotated[dt.date, Field(ge="2020-01-01")],
        "the bound ge='2020-01-01' is no date (write it as a datetime.date)",
    ),
    (
        Annotated[dt.datetime, Field(lt=DAY)],
        "the bound lt=datetime.date(2020, 2, 28) is no datetime (write it as a datetime.datetime)",
    ),
    (
        Annotated[int, annotated_types.Predicate(bool)],
        "a predicate of annotated_types checks more than a JSON Schema says (declare a type that "
        "says what its texts are, such as a str with a pattern)",
    ),
    (
        pydantic.Json[int],
        "a text that holds JSON is not enforced (use the type inside Json itself)",
    ),
    (
        collections.abc.Callable[[], int] | type[int],
        "classes are not read from JSON (use a Literal of their names)",
    ),
    (
        collections.abc.Callable[[], int] | collections.abc.Callable[[int], int],
        "no choice of this union is read from JSON (use types that JSON can hold)",
    ),
    (type[int], "classes are not read from JSON (use a Literal of their names)"),
    (
        kinds.FilePath,
        "whether a file exists is known only when the answer is read (use str)",
    ),
    (
        kinds.PaymentCardNumber,
        "PaymentCardNumber.validate checks more than a JSON Schema says (declare a type that says "
        "what its texts are, such as a str with a pattern)",
    ),
    (
        re.Pattern[bytes],
        "pattern_bytes_validator checks more than a JSON Schema says (declare a type that says "
        "what its texts are, such as a str with a pattern)",
    ),
    (
        Annotated[ipaddress.IPv4Address, Field(ge=ipaddress.IPv4Address("9.0.0.0"))],
        "greater_than_or_equal_validator checks more than a JSON Schema says (declare a type that "
        "says what its texts are, such as a str with a pattern)",
    ),
    (
        Annotated[kinds.Secret[int], Field(ge=3)],
        "greater_than_or_equal_validator checks more than a JSON Schema says (declare a type that "
        "says what its texts are, such as a str with a pattern)",
    ),
    (
        Annotated[set[bool | int], Field(min_length=2)],
        "values that differ as JSON may be the same when they are read, so that too few remain "
        "(use a list, items of str, int or Literal, or min_length=1)",
    ),
    (
        Annotated[set[str], Field(min_length=2)],
        "a set with min_length above 1 is enforced for items of at most 16 values (enum, const, "
        "boolean, small integer ranges, small arrays and objects of these), and for items that no "
        "other can equal (use min_length=1, a list, or items of a Literal or an Enum)",
    ),
    (
        Annotated[D, Field(multiple_of=D("1E-28"), ge=1)],
        "multiples of 1E-28 are enforced from -0.1 to 0.1, and the bounds leave none of them (use "
        "decimal_places, or a larger step)",
    ),
    *(
        (
            Annotated[str, Field(pattern=pattern)],
            f"the pattern {pattern!r} is enforced on texts that all engines read alike (with \\W, "
            "\\D, \\b or a negated class: ASCII texts), and it finds none of them (write out the "
            "characters that are meant)",
        )
        for pattern in (r"^é\W", r"ü\b", "^[^\\d]ß$")
    ),
    (
        Annotated[
            Annotated[Cat, pydantic.Tag("cat")] | Annotated[Dog, pydantic.Tag("dog")],
            pydantic.Discriminator(plain_tags),
        ],
        "which choice plain_tags takes is known only to its code (use the name of a field as "
        "discriminator, or a union without one)",
    ),
]


@pytest.mark.parametrize(("kind", "message"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_cannot_be_enforced_is_refused_with_the_field(kind: Any, message: str) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        json(field_of(kind))
    assert str(caught.value) == f"at #/properties/field: {message}"
    with pytest.raises(UnsupportedSpec) as caught:
        as_spec(field_of(kind))
    assert caught.value.where == "#/properties/field"


def test_the_field_of_a_field_is_named() -> None:
    inner = field_of(type[int])
    with pytest.raises(UnsupportedSpec) as caught:
        json(field_of(list[inner]))  # type: ignore[valid-type]
    assert caught.value.where == "#/properties/field/properties/field"
    with pytest.raises(UnsupportedSpec, match="no JSON Schema describes this type") as caught:
        json(field_of(collections.abc.Callable))
    assert caught.value.where == "#/properties/field"


def test_the_tag_of_a_union_must_be_there() -> None:
    spec = json(Owner)
    assert not spec.matches('{"pet": {"lives": 3}}')
    assert spec.matches('{"pet": {"kind": "cat", "lives": 3}}')
    assert not spec.matches('{"pet": {"kind": "wolf", "lives": 3}}')
    assert spec.parse('{"pet": {"kind": "wolf"}}').pet == Dog(kind="wolf")
    assert json(Cat).matches("{}")


def test_unions_that_hold_themselves_are_written_down_to_the_last() -> None:
    text = '{"Kind": "node", "parts": [{"Kind": "node", "parts": [{"Kind": "end"}]}]}'
    assert json(Node).parse(text).parts[0].parts == [End()]
    text = '{"parts": [{"kind": "branch", "parts": [{"kind": "leaf"}]}]}'
    assert json(Branch).parse(text).parts[0].parts == [Leaf()]


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (dict[Annotated[str, Limits(pattern=r"^k\d$")], int], '{"k1": 1}', '{"c": 1}'),
        (dict[Annotated[int, Field(ge=3, le=12)], int], '{"12": 1}', '{"13": 1}'),
        (dict[bool, int], '{"true": 1}', '{"no": 1}'),
        (dict[float, int], '{"-1.5": 1}', '{"a": 1}'),
        (Annotated[dt.date, Field(ge=dt.date(2020, 1, 1))], '"2020-01-01"', '"2019-12-31"'),
        (Annotated[dt.timedelta, Field(ge=dt.timedelta(days=1))], '"PT24H"', '"PT23H"'),
        (
            kinds.UUID4,
            '"00000000-0000-4000-8000-000000000000"',
            '"00000000-0000-1000-8000-000000000000"',
        ),
        (ipaddress.IPv4Network, '"10.1.0.0/16"', '"10.1.1.0/16"'),
        (ipaddress.IPv4Network, '"10.1.240.0/20"', '"10.1.248.0/20"'),
        (net.IPvAnyAddress, '"::1"', '"1.2.3"'),
        (kinds.FiniteFloat, "1.7e308", "1e999"),
        (Annotated[D, Field(max_digits=4, decimal_places=2)], '"12.34"', '"123.4"'),
        (Annotated[D, Field(max_digits=4, decimal_places=2)], "12.34", "12.345"),
        (D, '"12.340000000000000000000000000000001"', '"1,5"'),
        (Annotated[str, Limits(strip_whitespace=True, min_length=2)], '"a b"', '" a"'),
        (net.HttpUrl, '"https://example.com/a?b=c"', '"ftp://example.com"'),
        (kinds.AwareDatetime, '"2020-01-01T00:00:00Z"', '"2020-01-01T00:00:00"'),
        (kinds.NaiveDatetime, '"2020-01-01T00:00:00"', '"2020-01-01T00:00:00Z"'),
        (kinds.NaiveDatetime, '"2020-02-29T00:00:00"', '"2021-02-29T00:00:00"'),
        (Deep, '{"x": {"y": 1}, "names": [0, "n"]}', '{"one": 1}'),
        (kinds.Base64Str, '"YQ=="', '"gA=="'),
        (kinds.ByteSize, '"1.5 MiB"', '"1foo"'),
        (Defaults, '{"a": 3}', "{}"),
        (Supplied, '{"a": 3, "c": 3}', '{"a": 3}'),
        (SaidAnew, '{"a": 3}', "{}"),
        (SaidLess, '{"a": 5}', '{"a": 4}'),
        (Hashable, '"a"', "[]"),
        (OpenByName, '{"A": 1, "z": []}', '{"A": 1, "b": "junk"}'),
    ],
)
def test_the_mask_is_as_wide_as_what_is_read(kind: Any, right: str, wrong: str) -> None:
    spec = json(kind)
    assert spec.matches(right)
    spec.parse(right)
    assert not spec.matches(wrong)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (D, D("12.34")),
        (Annotated[D, Field(max_digits=4, decimal_places=2)], D("12.30")),
        (Annotated[D, Field(gt=0)], D("0.000001")),
        (dict[int, dt.date], {-3: DAY}),
        (dict[D, bool], {D("1.5"): True}),
        (Annotated[dt.datetime, Field(ge=AWARE)], dt.datetime(2020, 1, 1, 7, 30, 1, tzinfo=UTC)),
        (Annotated[dt.datetime, Field(ge=AWARE)], AWARE + dt.timedelta(days=3)),
        (dt.timedelta, dt.timedelta(days=400, hours=3)),
        (ipaddress.IPv6Network, ipaddress.IPv6Network("2001:db8::/32")),
        (kinds.Base64Bytes, b"YWI="),
        (net.HttpUrl, net.HttpUrl("https://example.com/path?q=1#x")),
        (fractions.Fraction, fractions.Fraction(3, 4)),
        (complex, 1 + 2j),
        (list[Pet], [Cat(lives=1), Dog()]),
    ],
)
def test_what_pydantic_writes_of_a_value_is_one_of_its_texts(kind: Any, value: Any) -> None:
    adapter = TypeAdapter(kind)
    assert json(kind).matches(adapter.dump_json(adapter.validate_python(value)).decode())


def test_what_an_author_declares_holds_beside_what_is_read() -> None:
    spec = json(Declared)
    assert spec.matches('{"low": 3, "day": "2020-01-01"}')
    assert not spec.matches('{"low": 2, "day": "2020-01-01"}')
    assert not spec.matches('{"low": 3, "day": "2020-13-01"}')
    assert not spec.matches('{"low": 3, "day": "2020-01-01", "more": 1}')

    class Contrary(BaseModel):
        a: Annotated[int, pydantic.WithJsonSchema({"type": "string"})]

    with pytest.raises(UnsatisfiableSpec, match="#/properties/a"):
        json(Contrary)


def test_titles_and_descriptions_stay() -> None:
    class Told(BaseModel):
        """A thing."""

        size: Annotated[int, Field(ge=1, title="Size", description="in metres")] = 3

    from constrained.spec.pydantic import type_reader

    assert type_reader(Told, "Told").schema == {
        "title": "Told",
        "description": "A thing.",
        "type": "object",
        "properties": {
            "size": {
                "title": "Size",
                "description": "in metres",
                "default": 3,
                "minimum": 1,
                "type": "integer",
            }
        },
        "additionalProperties": False,
    }


def test_code_that_raises_anything_is_an_error_of_reading() -> None:
    class Broken(BaseModel):
        a: int

        @pydantic.field_validator("a")
        @classmethod
        def check(cls, value: int) -> int:
            raise KeyError(value)

    with pytest.raises(TextRejected, match="KeyError: 1") as caught:
        json(Broken).parse('{"a": 1}')
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_type_that_cannot_be_asked_is_no_type() -> None:
    class Odd:
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            raise AttributeError("no schema here")

    with pytest.raises(InvalidSpec, match="nor a type that pydantic reads: no schema here"):
        json(Odd)


@pytest.mark.parametrize(("low", "high"), [(-3, 12), (None, 0), (95, 1203), (7, None), (-20, -8)])
def test_integers_within_bounds_as_a_pattern(low: int | None, high: int | None) -> None:
    pattern = re.compile(integers(low, high) or "x")
    for value in range(-1500, 1501):
        inside = (low is None or value >= low) and (high is None or value <= high)
        assert bool(pattern.fullmatch(str(value))) == inside


@pytest.mark.parametrize("bound", ["0", "0.5", "-0.25", "12.04", "-100", "99.9"])
def test_decimals_on_one_side_of_a_bound_as_a_pattern(bound: str) -> None:
    limit = D(bound)
    near = {int(limit.scaleb(2)) + step for step in range(-120, 121)}
    for strict in (False, True):
        over = re.compile(at_least(limit, strict))
        under = re.compile(at_most(limit, strict) or "x")
        for hundredths in {*near, *range(-11000, 13000, 97)}:
            value = D(hundredths).scaleb(-2)
            for text in {format(value, "f"), format(value.normalize(), "f")} - {"-0"}:
                assert bool(over.fullmatch(text)) == (value > limit if strict else value >= limit)
                assert bool(under.fullmatch(text)) == (value < limit if strict else value <= limit)


def test_dates_between_two_days_as_a_pattern() -> None:
    low, high = dt.date(2019, 11, 29), dt.date(2021, 2, 3)
    pattern = re.compile(between(low.isoformat(), high.isoformat()) or "x")
    for days in range(-500, 900):
        day = low + dt.timedelta(days=days)
        assert bool(pattern.fullmatch(day.isoformat())) == (low <= day <= high)


def test_a_value_that_the_schema_says_is_the_value_that_is_read() -> None:
    spec = json(Annotated[dt.datetime, Field(ge=AWARE, le=AWARE)])
    assert {spec.parse(text) for text in spec.examples(4)} == {AWARE}
    assert std_json.loads(json(Literal["a"]).examples()[0]) == "a"


def nested(levels: int) -> Any:
    """A list of lists."""
    kind: Any = int
    for _ in range(levels):
        kind = list[kind]
    return kind


def test_types_of_too_many_levels_are_refused_as_such() -> None:
    assert json(nested(40)).matches("[" * 40 + "]" * 40)
    with pytest.raises(UnsupportedSpec, match="the type has too many types inside each other"):
        json(nested(400))


def test_errors_of_a_type_say_all_lines_of_their_reason() -> None:
    with pytest.raises(InvalidSpec, match=r'Error building "int" validator: ValueError: .*integer'):
        json(Annotated[int, Field(ge=0.5)])


@pytest.mark.parametrize(
    "kind", [Pet, Pet | None, Annotated[Cat | Dog, pydantic.Discriminator("kind")]], ids=str
)
def test_a_tag_is_written_however_the_type_becomes_a_spec(kind: Any) -> None:
    for spec in (json(kind), as_spec(kind)):
        assert spec.matches('{"kind": "cat"}')
        assert not spec.matches('{"lives": 3}')
