"""Keywords about any type: `type`, `enum`, `const`."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from constrained.errors import InvalidSpec, UnsupportedSpec
from constrained.spec.json_schema.reading import (
    ARRAY,
    NUMBER,
    OBJECT,
    STRING,
    Keyword,
    Reading,
    check_text,
    demand_of,
    exact_number,
    types_alone,
)
from constrained.spec.json_schema.records import (
    ANY_STRING,
    EVERYTHING,
    NOTHING,
    Array,
    Demand,
    Exact,
    Member,
    Number,
    Object,
    String,
)
from constrained.spec.json_schema.shapes import FALSE, NULL, TRUE, Shape
from constrained.spec.numbers_json import LONGEST_BOUND

__all__ = ["PLAIN", "VALUES"]

TYPES = {
    "null": NULL,
    "boolean": FALSE | TRUE,
    "number": NUMBER,
    "integer": NUMBER,
    "string": STRING,
    "array": ARRAY,
    "object": OBJECT,
}

TOO_LONG = 10**LONGEST_BOUND

CLOSED = (Member(ANY_STRING, NOTHING),)


PLAIN = {name: types_alone(bits, whole=name == "integer") for name, bits in TYPES.items()}
"""The shapes of schemas that say nothing but `type`, by its name."""


def _type(read: Reading, value: Any) -> None:
    names = value if isinstance(value, list) else [value]
    types, whole = 0, True
    for name in names:
        bits = TYPES.get(name) if isinstance(name, str) else None
        if bits is None:
            raise read.wrong("type", "the name of a JSON type or a list of them")
        types |= bits
        whole = whole and name != "number"
    read.types = types
    read.whole = whole and bool(types & NUMBER)


def _enum(read: Reading, value: Any) -> None:
    if not isinstance(value, (list, tuple)):
        raise read.wrong("enum", "an array")
    read.document.spend(len(value))
    read.values += (shape_of_values(read, value, "enum"),)


def _const(read: Reading, value: Any) -> None:
    read.values += (shape_of_values(read, [value], "const"),)


def shape_of_values(read: Reading, values: Any, keyword: str) -> Shape:
    """Exactly these values; the parts of arrays and objects become schemas of their own."""
    atoms = 0
    texts: list[str] = []
    numbers: list[Exact] = []
    arrays: list[Array] = []
    objects: list[Object] = []
    for index, value in enumerate(values):
        if isinstance(value, str):
            if not value.isascii():
                check_text(read, value, keyword)
            texts.append(value)
        elif value is None:
            atoms |= NULL
        elif isinstance(value, bool):
            atoms |= TRUE if value else FALSE
        elif (number := exact_number(value)) is not None:
            if max(abs(Fraction(number).numerator), Fraction(number).denominator) >= TOO_LONG:
                place = (keyword, index) if keyword == "enum" else (keyword,)
                raise UnsupportedSpec(
                    keyword,
                    f"a number of the {keyword} has more than {LONGEST_BOUND:,} digits",
                    where=read.where(*place),
                )
            numbers.append(number)
            if not isinstance(value, Fraction):
                read.document.note_spelling(number, value)
        elif isinstance(value, (list, tuple)):
            items = tuple(_constant(read, item, keyword, index, i) for i, item in enumerate(value))
            arrays.append(Array(items, EVERYTHING, len(items), len(items)))
        elif isinstance(value, dict):
            for key in value:
                check_text(read, key, keyword)
            members = {k: _constant(read, v, keyword, index, k) for k, v in value.items()}
            objects.append(Object(members, dict.fromkeys(members), CLOSED))
        else:
            place = (keyword, index) if keyword == "enum" else (keyword,)
            raise InvalidSpec(f"{value!r} is not a JSON value", where=read.where(*place))
    return Shape(
        atoms,
        (Number(values=frozenset(numbers)),) if numbers else (),
        (String(values=frozenset(texts)),) if texts else (),
        tuple(arrays),
        tuple(objects),
    )


def _constant(read: Reading, value: Any, keyword: str, index: int, step: str | int) -> Demand:
    place = (keyword, index, step) if keyword == "enum" else (keyword, step)
    return demand_of(read.document.node({"const": value}, read.node, place))


VALUES: dict[str, Keyword] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
}
