"""`Reading`: one schema while its keywords are read, and what keyword functions share."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import isfinite
from typing import Any

from constrained.errors import InvalidSpec, SpecError, UnsupportedSpec
from constrained.spec.json_schema.document import Document, kind_of
from constrained.spec.json_schema.languages import Language, pattern_language
from constrained.spec.json_schema.number_records import as_exact, live_number
from constrained.spec.json_schema.records import (
    ANY_ARRAY,
    ANY_NUMBER,
    ANY_OBJECT,
    ANY_STRING,
    EVERYTHING,
    NOTHING,
    Array,
    Contains,
    Demand,
    Exact,
    Member,
    Number,
    Object,
    String,
)
from constrained.spec.json_schema.shapes import ANY, Shape
from constrained.spec.json_schema.string_records import plausible_string

__all__ = [
    "ARRAY",
    "NUMBER",
    "OBJECT",
    "STRING",
    "Keyword",
    "Part",
    "Reading",
    "check_text",
    "count_of",
    "demand_of",
    "exact_number",
    "language_of",
    "types_alone",
]

NUMBER, STRING, ARRAY, OBJECT = 8, 16, 32, 64
EVERY_TYPE = 127

_NO_DEMANDS: dict[str, Demand] = {}
_NO_NAMES: dict[str, None] = {}

Part = tuple[str, tuple[int, ...], str]
"""An operation on shapes: its name, the nodes it uses, and a property name where one matters."""


class Reading:
    """One schema while its keywords are read; dicts and tuples are replaced, never changed."""

    types = EVERY_TYPE
    whole = False
    open_low = False
    open_high = False
    least_length = 0
    most_length: int | None = None
    inside: tuple[Language, ...] = ()
    least_items = 0
    most_items: int | None = None
    prefix: tuple[Demand, ...] = ()
    rest: Demand = EVERYTHING
    contains: tuple[Contains, ...] = ()
    unique = False
    clauses: tuple[Member, ...] = ()
    least_members = 0
    most_members: int | None = None
    values: tuple[Shape, ...] = ()
    parts_first = False
    combines = False
    """Whether parts may multiply records: their shapes are worked out before anything runs."""
    branches = False
    """Whether a part is a `oneOf` or `if`."""
    may_refuse = False
    """Whether writing the rules may find something that cannot be enforced."""
    number_limits = False
    string_limits = False
    array_limits = False
    object_limits = False
    parts: tuple[Part, ...] = ()

    def __init__(self, document: Document, node: int, schema: dict[str, Any], exact: bool) -> None:
        self.document = document
        self.node = node
        self.schema = schema
        self.exact_formats = exact
        self.low: Exact | None = None
        self.high: Exact | None = None
        self.multiple: Exact | None = None
        self.named = _NO_DEMANDS
        self.required = _NO_NAMES
        self.unevaluated = _NO_DEMANDS

    @property
    def by_parts(self) -> bool:
        """Whether the complement is better built from the parts' complements."""
        return self.branches and not self.unevaluated

    def where(self, *path: str | int) -> str:
        """The pointer of this schema, or of something below it."""
        return self.document.pointer_below(self.node, path)

    def wrong(self, keyword: str, expected: str) -> InvalidSpec:
        """The error for a keyword whose value has the wrong form."""
        found = self.schema[keyword]
        shown = repr(found) if isinstance(found, (int, float, str, type(None))) else kind_of(found)
        return InvalidSpec(f"{keyword} must be {expected}, not {shown}", where=self.where(keyword))

    def demand(self, schema: object, *path: str | int) -> Demand:
        """The demand that a sub-schema holds."""
        return demand_of(self.document.node(schema, self.node, path))

    def part(self, operation: str, *nodes: int, name: str = "") -> None:
        """Note an operation that needs other nodes' shapes."""
        if not self.named and "properties" in self.schema:
            self.parts_first = True
        self.parts += ((operation, nodes, name),)

    def shape(self) -> Shape:
        """What the noted limits alone allow."""
        types = self.types
        limits = (self.number_limits, self.string_limits, self.array_limits, self.object_limits)
        if not any(limits):
            return types_alone(types, self.whole)
        return Shape(
            types & 7,
            self._numbers() if types & NUMBER else (),
            self._strings() if types & STRING else (),
            self._arrays() if types & ARRAY else (),
            self._objects() if types & OBJECT else (),
        )

    def _numbers(self) -> tuple[Number, ...]:
        if not self.number_limits:
            return INTEGERS if self.whole else NUMBERS
        record = Number(
            self.low,
            self.high,
            self.open_low,
            self.open_high,
            self.whole,
            self.multiple,
        )
        return (record,) if live_number(record) else ()

    def _strings(self) -> tuple[String, ...]:
        if not self.string_limits:
            return STRINGS
        record = String(self.least_length, self.most_length, self.inside)
        return (record,) if plausible_string(record) else ()

    def _arrays(self) -> tuple[Array, ...]:
        if not self.array_limits:
            return ARRAYS
        if self.most_items is not None and self.most_items < self.least_items:
            return ()
        unique = self.unique and (self.most_items is None or self.most_items > 1)
        return (
            Array(self.prefix, self.rest, self.least_items, self.most_items, self.contains, unique),
        )

    def _objects(self) -> tuple[Object, ...]:
        if not self.object_limits:
            return OBJECTS
        if self.most_members is not None and self.most_members < self.least_members:
            return ()
        return (
            Object(self.named, self.required, self.clauses, self.least_members, self.most_members),
        )


NUMBERS, INTEGERS, STRINGS, ARRAYS, OBJECTS = (
    (ANY_NUMBER,),
    (Number(whole=True),),
    (ANY_STRING,),
    (ANY_ARRAY,),
    (ANY_OBJECT,),
)
"""Records without limits; the same objects everywhere, so that they are recognised at once."""


@cache
def types_alone(types: int, whole: bool) -> Shape:
    """All values of the types: one shape for every schema that says no more."""
    if types == EVERY_TYPE and not whole:
        return ANY  # which operations recognise
    return Shape(
        types & 7,
        (INTEGERS if whole else NUMBERS) if types & NUMBER else (),
        STRINGS if types & STRING else (),
        ARRAYS if types & ARRAY else (),
        OBJECTS if types & OBJECT else (),
    )


Keyword = Callable[[Reading, Any], None]
"""A keyword's function: checks the value's form and notes what it means."""


def demand_of(node: int) -> Demand:
    """The demand that one node holds."""
    if node == 1:
        return EVERYTHING
    return NOTHING if node == -1 else frozenset((node,))


def exact_number(value: object) -> Exact | None:
    """A JSON number by value; a float means the decimal it prints as. None for other things."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, Fraction):  # not from a schema: from values written out
        return as_exact(value)
    if isinstance(value, float):
        if not isfinite(value):
            return None
        return (
            int(value)
            if value.is_integer() and abs(value) < 2**53
            else as_exact(Fraction(repr(value)))
        )
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 1_000:
        return as_exact(Fraction(value))
    return None


def check_text(read: Reading, text: object, keyword: str) -> None:
    """Raise `InvalidSpec` for a key that is no text, `UnsupportedSpec` for half a character."""
    if not isinstance(text, str):
        raise InvalidSpec(f"the key {text!r} is not a string", where=read.where(keyword))
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise UnsupportedSpec(
            "lone surrogate",
            f"{text!r} holds half a character (a lone surrogate), which UTF-8 cannot write",
            where=read.where(keyword),
            hint="write the whole character",
        )


LARGEST_COUNT = 2**31 - 1
"""What a grammar can count to: longer texts and arrays are never written."""


def count_of(read: Reading, keyword: str, value: Any) -> int:
    """A keyword's whole number of at least 0; raises `InvalidSpec` for anything else."""
    found = exact_number(value)
    if not isinstance(found, int) or found < 0:
        raise read.wrong(keyword, "a whole number of at least 0")
    return min(found, LARGEST_COUNT)


def language_of(read: Reading, pattern: str, *path: str) -> Language:
    """The language of a pattern; errors get the place of the keyword."""
    try:
        return pattern_language(pattern, read.document.limits)
    except UnsupportedSpec as error:
        raise UnsupportedSpec(
            error.feature, error.problem, where=read.where(*path), hint=error.hint
        ) from None
    except SpecError as error:
        raise InvalidSpec(error.problem, where=read.where(*path), hint=error.hint) from None
