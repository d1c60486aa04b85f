"""What each keyword says, one small function per keyword, in a table.

A function takes the schema being read and the keyword's value, checks the value's form, and
notes what it means: limits on one type go into the `Reading`, references to other schemas into
its parts. Nothing is combined here; `meaning` does that. A keyword of the standard is in
`KEYWORDS` (enforced) or in `ANNOTATIONS` (says nothing about validity); any other key is an
annotation, as the standard says.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Any

from constrained.errors import InvalidSpec, SpecError, UnsupportedSpec
from constrained.spec.json_formats import REFUSED as REFUSED_FORMATS
from constrained.spec.json_formats import format_language
from constrained.spec.json_schema.document import Document, kind_of
from constrained.spec.json_schema.languages import Language, pattern_language
from constrained.spec.json_schema.number_records import as_exact, live_number
from constrained.spec.json_schema.records import (
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
    conjoin,
)
from constrained.spec.json_schema.shapes import FALSE, NULL, TRUE, Shape
from constrained.spec.json_schema.string_records import plausible_string
from constrained.spec.numbers_json import LONGEST_BOUND

__all__ = [
    "ANNOTATIONS",
    "KEYWORDS",
    "Part",
    "Reading",
    "demand_of",
    "exact_number",
    "read_schema",
]

NUMBER, STRING, ARRAY, OBJECT = 8, 16, 32, 64
EVERY_TYPE = 127
TYPES = {
    "null": NULL,
    "boolean": FALSE | TRUE,
    "number": NUMBER,
    "integer": NUMBER,
    "string": STRING,
    "array": ARRAY,
    "object": OBJECT,
}

Part = tuple[str, tuple[int, ...], str]
"""An operation on shapes: its name, the nodes it uses, and a property name where one matters."""


class Reading:
    """One schema while its keywords are read; class attributes are the defaults."""

    types = EVERY_TYPE
    whole = False
    low: Exact | None = None
    high: Exact | None = None
    open_low = False
    open_high = False
    multiple: Exact | None = None
    least_length = 0
    most_length: int | None = None
    inside: tuple[Language, ...] = ()
    least_items = 0
    most_items: int | None = None
    prefix: tuple[Demand, ...] = ()
    rest: Demand = EVERYTHING
    contains: tuple[Contains, ...] = ()
    unique = False
    named: dict[str, Demand] = {}  # noqa: RUF012 - replaced, never changed
    required: dict[str, None] = {}  # noqa: RUF012 - replaced, never changed
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

    def __init__(self, document: Document, node: int, schema: dict[str, Any], exact: bool) -> None:
        self.document = document
        self.node = node
        self.schema = schema
        self.exact_formats = exact
        self.parts: list[Part] = []
        self.unevaluated: dict[str, Demand] = {}

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
        self.parts.append((operation, nodes, name))

    def shape(self) -> Shape:
        """What the noted limits alone allow."""
        types = self.types
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


LARGEST_BOUND = 10**LONGEST_BOUND

LARGE_STEP = 1_000
"""Multiples of larger steps may need more states than the limits allow."""

NUMBERS, INTEGERS, STRINGS, ARRAYS, OBJECTS = (
    (Number(),),
    (Number(whole=True),),
    (ANY_STRING,),
    (Array(),),
    (Object(),),
)


CLOSED = (Member(ANY_STRING, NOTHING),)


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


# ------------------------------------------------------------------ any type


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
                _check_text(read, value, keyword)
            texts.append(value)
        elif value is None:
            atoms |= NULL
        elif isinstance(value, bool):
            atoms |= TRUE if value else FALSE
        elif (number := exact_number(value)) is not None:
            numbers.append(number)
            read.document.note_spelling(number, value)
        elif isinstance(value, (list, tuple)):
            items = tuple(_constant(read, item, keyword, index, i) for i, item in enumerate(value))
            arrays.append(Array(items, EVERYTHING, len(items), len(items)))
        elif isinstance(value, dict):
            for key in value:
                _check_text(read, key, keyword)
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


def _check_text(read: Reading, text: object, keyword: str) -> None:
    if not isinstance(text, str):
        raise InvalidSpec(f"the key {text!r} is not a string", where=read.where(keyword))
    if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise UnsupportedSpec(
            "lone surrogate",
            f"{text!r} holds half a character (a lone surrogate), which UTF-8 cannot write",
            where=read.where(keyword),
            hint="write the whole character",
        )


def _constant(read: Reading, value: Any, keyword: str, index: int, step: str | int) -> Demand:
    place = (keyword, index, step) if keyword == "enum" else (keyword, step)
    return demand_of(read.document.node({"const": value}, read.node, place))


# ------------------------------------------------------------------ numbers


def _bound(read: Reading, keyword: str, value: Any) -> Exact:
    found = exact_number(value)
    if found is None:
        raise read.wrong(keyword, "a number")
    if abs(found) >= LARGEST_BOUND:
        raise UnsupportedSpec(
            keyword,
            f"{keyword} has more than {LONGEST_BOUND:,} digits",
            where=read.where(keyword),
            hint="use a smaller bound",
        )
    read.number_limits = True
    return found


def _raise_low(read: Reading, value: Exact, open_: bool) -> None:
    if read.low is None or value > read.low or (value == read.low and open_):
        read.low, read.open_low = value, open_


def _lower_high(read: Reading, value: Exact, open_: bool) -> None:
    if read.high is None or value < read.high or (value == read.high and open_):
        read.high, read.open_high = value, open_


def _old_exclusive(read: Reading, keyword: str) -> bool | None:
    """The draft 4 form: a boolean beside the bound; None when it is not that form."""
    found = read.schema.get(keyword)
    return found if isinstance(found, bool) and read.document.draft in (0, 4) else None


def _minimum(read: Reading, value: Any) -> None:
    open_ = bool(_old_exclusive(read, "exclusiveMinimum"))
    _raise_low(read, _bound(read, "minimum", value), open_)


def _maximum(read: Reading, value: Any) -> None:
    open_ = bool(_old_exclusive(read, "exclusiveMaximum"))
    _lower_high(read, _bound(read, "maximum", value), open_)


def _exclusive_minimum(read: Reading, value: Any) -> None:
    if _old_exclusive(read, "exclusiveMinimum") is None:
        _raise_low(read, _bound(read, "exclusiveMinimum", value), True)


def _exclusive_maximum(read: Reading, value: Any) -> None:
    if _old_exclusive(read, "exclusiveMaximum") is None:
        _lower_high(read, _bound(read, "exclusiveMaximum", value), True)


def _multiple_of(read: Reading, value: Any) -> None:
    step = _bound(read, "multipleOf", value)
    if step <= 0:
        raise read.wrong("multipleOf", "a number above 0")
    read.multiple = step
    read.may_refuse = read.may_refuse or Fraction(step).numerator > LARGE_STEP


# ------------------------------------------------------------------ strings


def _count(read: Reading, keyword: str, value: Any) -> int:
    found = exact_number(value)
    if not isinstance(found, int) or found < 0:
        raise read.wrong(keyword, "a whole number of at least 0")
    return found


def _min_length(read: Reading, value: Any) -> None:
    read.least_length = _count(read, "minLength", value)
    read.string_limits = True


def _max_length(read: Reading, value: Any) -> None:
    read.most_length = _count(read, "maxLength", value)
    read.string_limits = True


def _pattern(read: Reading, value: Any) -> None:
    if not isinstance(value, str):
        raise read.wrong("pattern", "a string")
    read.inside += (_language(read, value, "pattern"),)
    read.string_limits = True


def _language(read: Reading, pattern: str, *path: str) -> Language:
    try:
        return pattern_language(pattern)
    except UnsupportedSpec as error:
        raise UnsupportedSpec(
            error.feature, error.problem, where=read.where(*path), hint=error.hint
        ) from None
    except SpecError as error:
        raise InvalidSpec(error.problem, where=read.where(*path), hint=error.hint) from None


def _format(read: Reading, value: Any) -> None:
    if not isinstance(value, str):
        raise read.wrong("format", "a string")
    if not read.exact_formats:
        return
    if value in REFUSED_FORMATS:
        raise UnsupportedSpec(
            f"format {value}",
            f"format {value!r} is not enforced",
            where=read.where("format"),
            hint=REFUSED_FORMATS[value],
        )
    language = format_language(value)
    if language is not None:
        read.inside += (language,)
        read.string_limits = True


# ------------------------------------------------------------------ arrays


def _items(read: Reading, value: Any) -> None:
    read.array_limits = True
    if isinstance(value, list):
        if read.document.draft == 2020:
            raise read.wrong("items", "a schema (prefixItems takes a list)")
        read.prefix = tuple(read.demand(item, "items", i) for i, item in enumerate(value))
        if "additionalItems" in read.schema:
            read.rest = read.demand(read.schema["additionalItems"], "additionalItems")
    else:
        read.rest = read.demand(value, "items")


def _prefix_items(read: Reading, value: Any) -> None:
    if not isinstance(value, list):
        raise read.wrong("prefixItems", "an array of schemas")
    read.array_limits = True
    read.document.spend(8 * len(value))
    read.prefix = tuple(read.demand(item, "prefixItems", i) for i, item in enumerate(value))


def _min_items(read: Reading, value: Any) -> None:
    read.least_items = _count(read, "minItems", value)
    read.array_limits = True


def _max_items(read: Reading, value: Any) -> None:
    read.most_items = _count(read, "maxItems", value)
    read.array_limits = True


def _contains(read: Reading, value: Any) -> None:
    least, most = 1, None
    if "minContains" in read.schema:
        least = _count(read, "minContains", read.schema["minContains"])
    if "maxContains" in read.schema:
        most = _count(read, "maxContains", read.schema["maxContains"])
    read.contains += (Contains(0, read.demand(value, "contains"), least, most),)
    read.array_limits = True


def _contains_count(keyword: str) -> Callable[[Reading, Any], None]:
    def check(read: Reading, value: Any) -> None:
        _count(read, keyword, value)

    return check


def _unique_items(read: Reading, value: Any) -> None:
    if not isinstance(value, bool):
        raise read.wrong("uniqueItems", "a boolean")
    if value:
        read.unique = True
        read.array_limits = True
        read.may_refuse = True


# ------------------------------------------------------------------ objects


def _properties(read: Reading, value: Any) -> None:
    if not isinstance(value, dict):
        raise read.wrong("properties", "an object of schemas")
    document, node = read.document, read.node
    document.spend(4 * len(value))
    named = {}
    for name, schema in value.items():
        if not (isinstance(name, str) and name.isascii()):
            _check_text(read, name, "properties")
        found = document.node(schema, node, ("properties", name))
        named[name] = frozenset((found,)) if found > 1 else demand_of(found)
    read.named = named
    read.object_limits = True


def _required(read: Reading, value: Any) -> None:
    if isinstance(value, bool) and read.document.draft in (0, 3, 4):
        return  # draft 3 marked the property itself; later drafts give this form no meaning
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise read.wrong("required", "an array of strings")
    read.document.spend(8 * len(value))
    for name in value:
        _check_text(read, name, "required")
    read.required = dict.fromkeys(value)
    read.object_limits = True


def _pattern_properties(read: Reading, value: Any) -> None:
    if not isinstance(value, dict):
        raise read.wrong("patternProperties", "an object of schemas")
    clauses = []
    for pattern, schema in value.items():
        language = _language(read, pattern, "patternProperties", pattern)
        demand = read.demand(schema, "patternProperties", pattern)
        if demand:
            clauses.append(Member(String(inside=(language,)), demand))
    read.clauses += tuple(clauses)
    read.object_limits = True


def _additional_properties(read: Reading, value: Any) -> None:
    demand = read.demand(value, "additionalProperties")
    if not demand:
        return
    patterns = read.schema.get("patternProperties")
    keys = ANY_STRING
    if isinstance(patterns, dict) and patterns:
        outside = tuple(_language(read, p, "patternProperties", p) for p in patterns)
        keys = String(outside=outside)
    read.clauses += (Member(keys, demand),)
    read.object_limits = True


def _min_properties(read: Reading, value: Any) -> None:
    read.least_members = _count(read, "minProperties", value)
    read.may_refuse = read.may_refuse or read.least_members > 1
    read.object_limits = True


def _max_properties(read: Reading, value: Any) -> None:
    read.most_members = _count(read, "maxProperties", value)
    read.object_limits = True


def _property_names(read: Reading, value: Any) -> None:
    read.part("names", read.document.node(value, read.node, ("propertyNames",)))
    read.combines = True


def _dependent_required(read: Reading, value: Any, keyword: str = "dependentRequired") -> None:
    if not isinstance(value, dict):
        raise read.wrong(keyword, "an object")
    for name, needed in value.items():
        if not isinstance(needed, list) or not all(isinstance(other, str) for other in needed):
            raise read.wrong(keyword, "an object of string arrays")
        schema = {"required": needed}
        read.part("when", read.document.node(schema, read.node, (keyword, name)), name=name)
    read.combines = True


def _dependent_schemas(read: Reading, value: Any, keyword: str = "dependentSchemas") -> None:
    if not isinstance(value, dict):
        raise read.wrong(keyword, "an object of schemas")
    for name, schema in value.items():
        read.part("when", read.document.node(schema, read.node, (keyword, name)), name=name)
    read.combines = True


def _dependencies(read: Reading, value: Any) -> None:
    if not isinstance(value, dict):
        raise read.wrong("dependencies", "an object")
    arrays = {name: needed for name, needed in value.items() if isinstance(needed, list)}
    schemas = {name: schema for name, schema in value.items() if name not in arrays}
    if arrays:
        _dependent_required(read, arrays, "dependencies")
    if schemas:
        _dependent_schemas(read, schemas, "dependencies")


# ------------------------------------------------------------------ applicators


def _ref(read: Reading, value: Any) -> None:
    if not isinstance(value, str):
        raise read.wrong("$ref", "a string")
    read.part("all", read.document.resolve(value, read.node))


def _dynamic_ref(read: Reading, value: Any) -> None:
    if not isinstance(value, str):
        raise read.wrong("$dynamicRef", "a string")
    read.part("all", read.document.resolve_dynamic(value, read.node))


def _recursive_ref(read: Reading, value: Any) -> None:
    target = read.document.resolve("#", read.node)
    schema = read.document.schemas[target]
    if value != "#" or (isinstance(schema, dict) and schema.get("$recursiveAnchor")):
        raise UnsupportedSpec(
            "$recursiveRef",
            "$recursiveRef with a $recursiveAnchor depends on how it was reached",
            where=read.where("$recursiveRef"),
            hint="use $ref where the target never changes",
        )
    read.part("all", target)


def _branches(read: Reading, keyword: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise read.wrong(keyword, "a non-empty array of schemas")
    return tuple(
        read.document.node(schema, read.node, (keyword, i)) for i, schema in enumerate(value)
    )


def _all_of(read: Reading, value: Any) -> None:
    for node in _branches(read, "allOf", value):
        read.part("all", node)


def _any_of(read: Reading, value: Any) -> None:
    read.part("any", *_branches(read, "anyOf", value))


def _one_of(read: Reading, value: Any) -> None:
    read.part("one", *_branches(read, "oneOf", value))
    read.branches = True
    read.combines = True


def _not(read: Reading, value: Any) -> None:
    read.part("not", read.document.node(value, read.node, ("not",)))
    read.combines = True


def _if(read: Reading, value: Any) -> None:
    nodes = [read.document.node(value, read.node, ("if",))]
    for keyword in ("then", "else"):
        schema = read.schema.get(keyword, True)
        nodes.append(read.document.node(schema, read.node, (keyword,)))
    read.part("if", *nodes)
    read.branches = True
    read.combines = True


def _unevaluated(keyword: str) -> Callable[[Reading, Any], None]:
    """Keywords of 2019-09 on; earlier drafts do not know them, so there they are annotations."""

    def note(read: Reading, value: Any) -> None:
        if read.document.draft in (0, 2019, 2020):
            node = read.document.node(value, read.node, (keyword,))
            read.unevaluated[keyword] = demand_of(node)
            read.combines = True

    return note


Keyword = Callable[[Reading, Any], None]

KEYWORDS: dict[str, Keyword] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _minimum,
    "maximum": _maximum,
    "exclusiveMinimum": _exclusive_minimum,
    "exclusiveMaximum": _exclusive_maximum,
    "multipleOf": _multiple_of,
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _pattern,
    "format": _format,
    "items": _items,
    "prefixItems": _prefix_items,
    "minItems": _min_items,
    "maxItems": _max_items,
    "contains": _contains,
    "minContains": _contains_count("minContains"),
    "maxContains": _contains_count("maxContains"),
    "uniqueItems": _unique_items,
    "properties": _properties,
    "required": _required,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "minProperties": _min_properties,
    "maxProperties": _max_properties,
    "propertyNames": _property_names,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
    "dependencies": _dependencies,
    "$ref": _ref,
    "$dynamicRef": _dynamic_ref,
    "$recursiveRef": _recursive_ref,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "unevaluatedProperties": _unevaluated("unevaluatedProperties"),
    "unevaluatedItems": _unevaluated("unevaluatedItems"),
}

ANNOTATIONS = (
    "$schema $id id $anchor $dynamicAnchor $recursiveAnchor $defs definitions $comment $vocabulary "
    "title description default examples deprecated readOnly writeOnly contentEncoding "
    "contentMediaType contentSchema then else additionalItems"
)
"""Keys of the standard that say nothing on their own about which values are valid."""


def read_schema(document: Document, node: int, exact_formats: bool) -> Reading:
    """Read every keyword of one schema. Raises `InvalidSpec` and `UnsupportedSpec` with places."""
    schema = document.schemas[node]
    read = Reading(document, node, schema, exact_formats)
    if "$ref" in schema and 3 <= document.draft <= 7:
        _ref(read, schema["$ref"])  # up to draft 7 a $ref hides its siblings
        return read
    for keyword, value in schema.items():
        function = KEYWORDS.get(keyword)
        if function is not None:
            function(read, value)
    if read.clauses and read.named:
        _add_patterns(read)
    return read


def _add_patterns(read: Reading) -> None:
    """Conjoin the demands of matching patterns to the named properties."""
    named = dict(read.named)
    for keys, demand in read.clauses:
        if keys.inside:
            for name in named:
                if keys.inside[0].holds(name):
                    named[name] = conjoin(named[name], demand)
    read.named = named
