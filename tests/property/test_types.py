"""Types drawn at random: every example is read by the type, or the type is refused by name."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import pathlib
import uuid
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Union

import pydantic
import pydantic.networks as net
import pydantic.types as kinds
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, ConfigDict, Field, TypeAdapter
from pydantic_core import SchemaError
from typing_extensions import TypedDict

from constrained.errors import LimitExceeded, UnsatisfiableSpec, UnsupportedSpec
from constrained.spec.json_schema import json

RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))


class Suit(enum.Enum):
    HEARTS = "h"
    SPADES = 4


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


SIMPLE = [
    int,
    float,
    bool,
    str,
    bytes,
    None,
    Any,
    complex,
    decimal.Decimal,
    uuid.UUID,
    pathlib.Path,
]
SIMPLE += [dt.date, dt.time, dt.datetime, dt.timedelta, Suit, Level, Literal["a", "b"], Literal[1]]
SIMPLE += [kinds.UUID4, kinds.UUID7, kinds.AwareDatetime, kinds.NaiveDatetime, kinds.PastDate]
SIMPLE += [kinds.SecretStr, kinds.ByteSize, kinds.Base64Str, kinds.Base64Bytes, kinds.FiniteFloat]
SIMPLE += [net.AnyUrl, net.HttpUrl, net.PostgresDsn, net.IPvAnyAddress, net.IPvAnyNetwork]
SIMPLE += [ipaddress.IPv4Address, pydantic.OnErrorOmit[int]]
SIMPLE += [ipaddress.IPv4Network, ipaddress.IPv6Interface, pydantic.Json[int], type[int]]

small = st.integers(-20, 20)
days = st.dates(dt.date(1950, 1, 1), dt.date(2100, 1, 1))
moments = st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2100, 1, 1))
spans = st.timedeltas(dt.timedelta(days=-9), dt.timedelta(days=9))
decimals = st.decimals(-99, 99, places=3)
clocks = st.times()
BOUNDED: dict[Any, st.SearchStrategy[Any]] = {
    int: small,
    dt.date: days,
    dt.datetime: moments,
    dt.timedelta: spans,
    dt.time: clocks,
    decimal.Decimal: decimals,
}
PATTERNS = [
    r"^k\d$",
    r"^\W+$",
    r"[^\s]\b",
    r"^(?P<a>x|y)\z",
    "(?i)a",
    r"^[^\dx]{2}$",
    "^[[:alpha:]]$",
]


@st.composite
def bounded(draw: st.DrawFn) -> Any:
    """A type within bounds that its JSON Schema may not know."""
    kind = draw(st.sampled_from([*BOUNDED, str, float]))
    if kind is str:
        names = {
            "pattern": st.sampled_from(PATTERNS),
            "min_length": st.integers(0, 3),
            "max_length": st.integers(3, 6),
            **{name: st.just(True) for name in ("strip_whitespace", "to_lower", "to_upper")},
        }
        chosen = draw(st.lists(st.sampled_from(sorted(names)), min_size=1, max_size=3, unique=True))
        return Annotated[str, pydantic.StringConstraints(**{n: draw(names[n]) for n in chosen})]
    if kind is float:
        step = draw(st.sampled_from([0.5, 0.1, 1.5, 0.25]))
        return Annotated[float, Field(multiple_of=step, ge=draw(small))]
    limits = {
        name: draw(BOUNDED[kind])
        for name in draw(st.sampled_from(["ge", "gt", "le", "lt"]).map(lambda n: [n]))
    }
    if kind is decimal.Decimal and draw(st.booleans()):
        limits = {"max_digits": draw(st.integers(1, 8)), "decimal_places": draw(st.integers(0, 5))}
    return Annotated[kind, Field(**limits)]


def fields(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Fields of a model by name: a type, and where in the JSON it stands."""
    places = [{}, {"alias": "A b"}, {"validation_alias": AliasPath("p", "q")}]
    places += [{"validation_alias": AliasChoices(AliasPath("l", 1), "other")}]
    places += [{"alias": "second"}, {"validation_alias": AliasChoices("own", "second")}]
    one = st.tuples(inner, st.sampled_from(places), st.booleans())

    def field(found: tuple[Any, dict[str, Any], bool]) -> Any:
        kind, place, optional = found
        return kind, Field(default=None, **place) if optional else Field(**place)

    return st.fixed_dictionaries(
        {"first": one.map(field)},
        optional={
            "second": inner.map(lambda k: (k, ...)),
            "third": inner.map(lambda k: (k, Field(default=None, alias="first"))),
        },
    )


configs = st.fixed_dictionaries(
    {},
    optional={
        "extra": st.sampled_from(["allow", "forbid", "ignore"]),
        "strict": st.booleans(),
        "populate_by_name": st.booleans(),
        "str_strip_whitespace": st.just(True),
        "str_to_lower": st.just(True),
        "str_min_length": st.just(2),
        "str_max_length": st.just(8),
        "validate_default": st.just(True),
        "val_json_bytes": st.sampled_from(["utf8", "base64", "hex"]),
        "allow_inf_nan": st.just(False),
        "use_enum_values": st.just(True),
    },
)


@st.composite
def composed(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Any:
    """A type made of others."""
    one, other = draw(inner), draw(inner)
    made = draw(st.sampled_from(range(11)))
    if made < 4:
        return (list[one], dict[one, other], tuple[one, other], Union[one, other])[made]  # noqa: UP007
    if made == 4:
        return Annotated[set[one], Field(min_length=draw(st.integers(0, 2)))]
    if made == 5:
        return Annotated[list[one], Field(min_length=draw(st.integers(0, 2)), max_length=3)]
    if made == 6:
        return TypedDict("Drawn", {"a": one, "b": NotRequired[other]})
    if made == 7:
        return NamedTuple("Drawn", [("a", one), ("b", other)])
    if made == 8:
        return dataclasses.make_dataclass("Drawn", [("a", one), ("b", other, None)])
    if made == 9:
        parts = [
            pydantic.create_model(f"Tagged{tag}", kind=(Literal[tag], tag), value=(kind, ...))
            for tag, kind in (("x", one), (3, other))
        ]
        return Annotated[parts[0] | parts[1], Field(discriminator="kind")]
    config = ConfigDict(**draw(configs))
    return pydantic.create_model("Drawn", __config__=config, **draw(fields(inner)))


types = st.recursive(st.sampled_from(SIMPLE) | bounded(), composed, max_leaves=4)


@RELAXED
@given(types)
def test_every_example_is_read_or_the_type_is_refused(kind: Any) -> None:
    try:
        TypeAdapter(kind)
    except (
        pydantic.PydanticUserError,
        TypeError,
        ValueError,
        pydantic.ValidationError,
        SchemaError,
    ):
        assume(False)
    try:
        spec = json(kind)
        examples = spec.examples(6)
    except (UnsupportedSpec, UnsatisfiableSpec, LimitExceeded):
        return
    for text in examples:
        spec.parse(text)
