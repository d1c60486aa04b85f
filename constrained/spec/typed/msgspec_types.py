"""Types of msgspec: their JSON Schema, and reading with msgspec's own decoder.

A type is read by msgspec when it holds a `msgspec.Struct` or a `msgspec.Meta`; msgspec itself is
never imported for a type of another kind.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, get_args, get_origin, get_type_hints

from constrained.errors import InvalidSpec, TextRejected, UnsupportedSpec
from constrained.spec.typed import numbers, temporal
from constrained.spec.typed.formats import base64_pattern, uuid_schema
from constrained.spec.typed.ranges import NUMERAL
from constrained.spec.typed.strings import string_schema

__all__ = ["MsgspecReader", "is_msgspec"]

Schema = dict[str, Any]


def is_msgspec(kind: Any) -> bool:
    """Whether msgspec's declarations stand somewhere in a type.

    >>> is_msgspec(list[int])
    False
    """
    msgspec = sys.modules.get("msgspec")
    return msgspec is not None and any(
        isinstance(part, msgspec.Meta) or _is_struct(part, msgspec.Struct)
        for part in _parts(kind, set())
    )


def _is_struct(part: Any, struct: type) -> bool:
    """Whether this is a Struct, or one with its parameters given."""
    held = get_origin(part) or part
    return isinstance(held, type) and issubclass(held, struct)


def _parts(kind: Any, seen: set[int]) -> Iterator[Any]:
    """A type, its arguments and metadata, and those of the fields of plain classes."""
    if id(kind) in seen:
        return
    seen.add(id(kind))
    yield kind
    for part in (*get_args(kind), *getattr(kind, "__metadata__", ())):
        yield from _parts(part, seen)
    origin = get_origin(kind) or kind
    plain = isinstance(origin, type) and (
        (dataclasses.is_dataclass(origin) and not hasattr(origin, "__pydantic_fields__"))
        or hasattr(origin, "__required_keys__")
        or hasattr(origin, "_fields")
    )
    if plain:
        try:
            hints = get_type_hints(origin, include_extras=True)
        except (NameError, TypeError):
            return
        for part in hints.values():
            yield from _parts(part, seen)


class MsgspecReader:
    """Reads a JSON text as a value of a type, strictly, as `msgspec.json.decode` does."""

    def __init__(self, kind: Any, source: str) -> None:
        import msgspec

        self.source = source
        try:
            self.decoder = msgspec.json.Decoder(kind)
            self.info = msgspec.inspect.type_info(kind)
        except (TypeError, NameError, ValueError) as error:
            raise InvalidSpec(
                f"{source} is not a type that msgspec reads: {str(error).splitlines()[0]}",
                hint="use a Struct, or types that msgspec supports",
            ) from error

    @property
    def schema(self) -> Schema:
        """The JSON Schema of what is read."""
        return _Schemas().whole(self.info)

    def __call__(self, text: str) -> Any:
        """The value; `TextRejected` where the type refuses it for a reason no schema says."""
        try:
            return self.decoder.decode(text)
        except Exception as error:  # of the decoder, or of a Struct's own code
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TextRejected(text, 0, f"what {self.source} accepts ({reason})") from error


def _bounds(info: Any) -> dict[str, Any]:
    names = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")
    return {name: getattr(info, name) for name in names if getattr(info, name, None) is not None}


def _float(bounds: Mapping[str, Any]) -> Schema:
    step = bounds.get("multiple_of")
    if step is not None and Fraction(str(step)) != Fraction(step):
        raise UnsupportedSpec(
            "multiple_of",
            f"few floats are a multiple of {step!r} exactly",
            hint="use a step such as 0.5 or 0.25",
        )
    return numbers.float_schema(bounds, True)


def _decimal(_: Any) -> Schema:
    number = {"type": "number", "minimum": -numbers.LARGEST, "maximum": numbers.LARGEST}
    return {"anyOf": [number, {"type": "string", "pattern": f"^{NUMERAL}$"}]}


def _moment(info: Any) -> Schema:
    return temporal.datetime_schema({"tz_constraint": "naive" if info.tz is False else "aware"})


def _clock(info: Any) -> Schema:
    return temporal.time_schema({"tz_constraint": "naive" if info.tz is False else "aware"})


def _bytes(info: Any) -> Schema:
    if info.min_length is not None or info.max_length is not None:
        raise UnsupportedSpec(
            "bytes length", "lengths of base64 are not enforced", hint="leave them out"
        )
    return {"type": "string", "pattern": f"^{base64_pattern('+/')}$"}


def _duration(_: Any) -> Schema:
    pattern = (
        r"^-?P(?=[0-9T])(?:[0-9]{1,8}D)?"
        r"(?:T(?=[0-9])(?:[0-9]{1,6}H)?(?:[0-9]{1,7}M)?(?:[0-9]{1,9}(?:\.[0-9]{1,6})?S)?)?$"
    )
    return {"type": "string", "pattern": pattern}


SCALARS: dict[str, Callable[[Any], Schema]] = {
    "RawType": lambda _: {},
    "NoneType": lambda _: {"type": "null"},
    "BoolType": lambda _: {"type": "boolean"},
    "IntType": lambda info: numbers.integer_schema(_bounds(info)),
    "FloatType": lambda info: _float(_bounds(info)),
    "StrType": lambda info: string_schema(_bounds(info), {"regex_engine": "python-re"}),
    "BytesType": _bytes,
    "ByteArrayType": _bytes,
    "MemoryViewType": _bytes,
    "DateTimeType": _moment,
    "TimeType": _clock,
    "DateType": lambda _: temporal.date_schema({}),
    "TimeDeltaType": _duration,
    "UUIDType": lambda _: uuid_schema(),
    "DecimalType": _decimal,
}
KEYS: dict[str, Callable[[Any], Schema]] = {
    "AnyType": lambda _: {"type": "string"},
    "IntType": lambda info: numbers.integer_schema(_bounds(info), text=True),
    "FloatType": lambda info: numbers.float_schema(_bounds(info), True, text=True),
    "DecimalType": lambda _: {"type": "string", "pattern": f"^{NUMERAL}$"},
    **{
        name: SCALARS[name]
        for name in ("StrType", "DateType", "TimeDeltaType", "UUIDType", "BytesType")
    },
}
"""How a key of an object is read."""

TOLD_APART = {"IntType", "StrType", "BoolType", "EnumType", "LiteralType"}


MUTABLE = (
    "AnyType",
    "ListType",
    "SetType",
    "DictType",
    "TypedDictType",
    "ByteArrayType",
    "RawType",
)


def _unhashable(info: Any, seen: set[int]) -> str | None:
    """The part of a value that no set can hold; None when there is none."""
    if id(info) in seen:
        return None
    seen.add(id(info))
    kind = type(info).__name__
    cls: Any = getattr(info, "cls", None)
    if kind in MUTABLE:
        return kind
    if kind == "DataclassType" and cls.__hash__ is None:
        return str(cls.__name__)
    if kind == "StructType" and not cls.__struct_config__.frozen:
        return str(cls.__name__) if cls.__struct_config__.eq else None  # or its hash is its place
    if kind == "FrozenSetType":
        return None  # what is inside is looked at where it is written
    inside = [getattr(info, name, None) for name in ("type", "item_type", "key_type", "value_type")]
    inside += [*getattr(info, "types", ()), *getattr(info, "item_types", ())]
    inside += [one.type for one in getattr(info, "fields", ())]
    found = (_unhashable(one, seen) for one in inside if one is not None)
    return next((one for one in found if one is not None), None)


class _Schemas:
    """The JSON Schemas of one type; classes become definitions, since they may hold themselves."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self.names: dict[Any, str] = {}
        self.path: list[str] = []

    def whole(self, info: Any) -> Schema:
        found = self.of(info)
        if not self.definitions:
            return found
        return {**found, "$defs": self.definitions}

    def refused(self, feature: str, problem: str, hint: str) -> UnsupportedSpec:
        where = "#" + "".join(f"/properties/{name}" for name in self.path) if self.path else ""
        return UnsupportedSpec(feature, problem, where=where, hint=hint)

    def of(self, info: Any) -> Schema:
        kind = type(info).__name__
        if kind == "Metadata":
            return {**self._described(info.extra_json_schema or {}), **self.of(info.type)}
        try:
            if kind in SCALARS:
                return SCALARS[kind](info)
        except UnsupportedSpec as error:
            raise self.refused(error.feature, error.problem, error.hint) from error
        make = getattr(self, f"_{kind}", None)
        if make is None:
            raise self.refused(
                kind, f"{kind} is not read from JSON", "use a type that JSON can hold"
            )
        found: Schema = make(info)
        return found

    @staticmethod
    def _described(extra: Mapping[str, Any]) -> Schema:
        names = ("title", "description", "examples", "default", "deprecated")
        return {name: extra[name] for name in names if name in extra}

    def _AnyType(self, info: Any) -> Schema:  # noqa: ARG002, N802
        """Any value: msgspec reads no number beyond the largest float."""
        here = {"$ref": "#/$defs/any-value"}
        self.definitions["any-value"] = {
            "anyOf": [
                {"type": ["string", "boolean", "null"]},
                {"type": "number", "minimum": -numbers.LARGEST, "maximum": numbers.LARGEST},
                {"type": "array", "items": here},
                {"type": "object", "additionalProperties": here},
            ]
        }
        return here

    def _EnumType(self, info: Any) -> Schema:  # noqa: N802
        return {"title": info.cls.__name__, "enum": [member.value for member in info.cls]}

    def _LiteralType(self, info: Any) -> Schema:  # noqa: N802
        return {"enum": list(info.values)}

    def _UnionType(self, info: Any) -> Schema:  # noqa: N802
        return {"anyOf": [self.of(one) for one in info.types]}

    def _list(self, info: Any) -> Schema:
        found: Schema = {"type": "array", "items": self.of(info.item_type)}
        if info.min_length is not None:
            found["minItems"] = info.min_length
        if info.max_length is not None:
            found["maxItems"] = info.max_length
        return found

    _ListType = _VarTupleType = _CollectionType = _list

    def _set(self, info: Any) -> Schema:
        kind = _unhashable(info.item_type, set())
        if kind is not None and kind != "AnyType":
            raise self.refused(
                "set", f"a set cannot hold values of {kind}", "use a list, or frozen Structs"
            )
        found = self._list(info)
        if kind is not None:
            if type(info.item_type).__name__ != "AnyType":
                raise self.refused(
                    "set", "a set cannot hold all that Any is inside of a value", "name the types"
                )
            found["items"] = {"type": ["string", "number", "boolean", "null"]}
        if (info.min_length or 0) > 1:
            inner = info.item_type
            inner = inner.type if type(inner).__name__ == "Metadata" else inner
            if type(inner).__name__ not in TOLD_APART:
                raise self.refused(
                    "min_length",
                    "values that differ as JSON may be the same when read",
                    "use a list",
                )
            found["uniqueItems"] = True
        return found

    _SetType = _FrozenSetType = _set

    def _TupleType(self, info: Any) -> Schema:  # noqa: N802
        many = len(info.item_types)
        items = [self.of(one) for one in info.item_types]
        return {"type": "array", "prefixItems": items, "minItems": many, "maxItems": many}

    def _DictType(self, info: Any) -> Schema:  # noqa: N802
        found: Schema = {"type": "object", "additionalProperties": self.of(info.value_type)}
        names = self._key(info.key_type)
        if names != {"type": "string"}:
            found["propertyNames"] = names
        if info.min_length is not None:
            if info.min_length > 1 and type(info.key_type).__name__ not in TOLD_APART:
                raise self.refused(
                    "min_length",
                    "keys that differ as JSON may be the same when read",
                    "use str keys",
                )
            found["minProperties"] = info.min_length
        if info.max_length is not None:
            found["maxProperties"] = info.max_length
        return found

    _FrozenDictType = _DictType

    def _key(self, info: Any) -> Schema:
        kind = type(info).__name__
        if kind == "Metadata":
            return self._key(info.type)
        if kind == "UnionType":
            some = [one for one in info.types if type(one).__name__ != "NoneType"]
            return {"anyOf": [self._key(one) for one in some]}
        if kind in ("EnumType", "LiteralType"):
            values = [m.value for m in info.cls] if kind == "EnumType" else info.values
            if all(
                isinstance(value, str | int) and not isinstance(value, bool) for value in values
            ):
                return {"enum": [str(value) for value in values]}
        if kind not in KEYS:
            raise self.refused("key", f"a key of kind {kind} is not read from JSON", "use str keys")
        try:
            return KEYS[kind](info)
        except UnsupportedSpec as error:
            raise self.refused(error.feature, error.problem, error.hint) from error

    def _defined(self, info: Any, make: Callable[[Any], Schema]) -> Schema:
        if info.cls not in self.names:
            base = getattr(info.cls, "__name__", "Type")
            many = sum(name.partition("-")[0] == base for name in self.names.values())
            self.names[info.cls] = name = f"{base}-{many + 1}" if many else base
            self.definitions[name] = {}
            self.definitions[name] = {"title": base, **make(info)}
        return {"$ref": f"#/$defs/{self.names[info.cls]}"}

    def _field(self, one: Any) -> Schema:
        self.path.append(one.encode_name)
        try:
            return self.of(one.type)
        finally:
            self.path.pop()

    def _members(self, info: Any) -> Schema:
        properties = {one.encode_name: self._field(one) for one in info.fields}
        required = [one.encode_name for one in info.fields if one.required]
        if getattr(info, "tag_field", None) is not None:
            properties = {info.tag_field: {"const": info.tag}, **properties}
            required = [info.tag_field, *required]
        found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**found, "required": required} if required else found

    def _items(self, info: Any) -> Schema:
        items = [self._field(one) for one in info.fields]
        least = max((n for n, one in enumerate(info.fields, 1) if one.required), default=0)
        if getattr(info, "tag_field", None) is not None:
            items, least = [{"const": info.tag}, *items], least + 1
        found: Schema = {"type": "array", "minItems": least, "maxItems": len(items)}
        return {**found, "prefixItems": items} if items else found

    def _StructType(self, info: Any) -> Schema:  # noqa: N802
        return self._defined(info, self._items if info.array_like else self._members)

    def _DataclassType(self, info: Any) -> Schema:  # noqa: N802
        return self._defined(info, self._members)

    _TypedDictType = _DataclassType

    def _NamedTupleType(self, info: Any) -> Schema:  # noqa: N802
        return self._defined(info, self._items)
