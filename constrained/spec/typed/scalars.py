"""Kinds of core schema that are written as one number, text or listed value."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import SchemaValidator, ValidationError, to_jsonable_python

from constrained.errors import UnsupportedSpec
from constrained.spec.typed import numbers, temporal
from constrained.spec.typed.formats import BASE64URL, base64_pattern, url_schema, uuid_schema
from constrained.spec.typed.strings import string_schema
from constrained.spec.typed.walk import Core, Say, Walk

__all__ = ["SCALARS"]

Schema = dict[str, Any]


def _strict(walk: Walk, schema: Core) -> bool:
    """Whether only texts of the type's own form are read."""
    own = schema.get("strict")
    return bool(walk.config.get("strict") if own is None else own)


def _float(walk: Walk, schema: Core) -> Schema:
    allowed = schema.get("allow_inf_nan")
    if allowed is None:
        allowed = walk.config.get("allow_inf_nan", True)
    return numbers.float_schema(schema, not allowed, text=walk.key)


def _bytes(walk: Walk, schema: Core) -> Schema:
    """The text whose UTF-8 they are, or what the settings say; lengths are of bytes."""
    written = walk.config.get("val_json_bytes", "utf8")
    least, most = schema.get("min_length") or 0, schema.get("max_length")
    end = "" if most is None else most
    if written == "hex":
        return {"type": "string", "pattern": f"^(?:[0-9a-f]{{2}}){{{least},{end}}}$"}
    if written == "base64":
        if least or most is not None:
            raise UnsupportedSpec(
                "bytes length", "lengths of base64 are not enforced", hint="leave them out"
            )
        return {"type": "string", "pattern": f"^{base64_pattern(BASE64URL)}$"}
    found: Schema = {"type": "string"}
    if least:
        found["minLength"] = least
    if most is not None:
        found |= {"maxLength": most, "pattern": r"^[\x00-\x7f]*$"}
    return found


def _url(walk: Walk, schema: Core) -> Schema:  # noqa: ARG001
    return url_schema(schema.get("allowed_schemes"), schema.get("max_length"))


def _enum(walk: Walk, schema: Core) -> Schema:
    cls = schema["cls"]
    found = {"title": cls.__name__, **_values(walk, schema, schema["members"])}
    told = inspect.cleandoc(cls.__doc__ or "")
    if told and told != "An enumeration.":  # what Python 3.11 writes where there is nothing
        found["description"] = told
    return found


NAMES = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array"}


def _values(walk: Walk, schema: Core, values: Iterable[Any]) -> Schema:
    """The values as JSON, each tried: not all are read from what they are written as."""
    bare = {key: value for key, value in schema.items() if key not in ("ref", "metadata")}
    reader = SchemaValidator({"type": "dict", "keys_schema": bare} if walk.key else bare)
    written: list[Any] = []
    for value in values:
        try:
            plain = to_jsonable_python(getattr(value, "value", value))
            text = found = json.loads(json.dumps(plain, allow_nan=False))
            if walk.key:
                text = found if isinstance(found, str) else json.dumps(found)
                found = {text: 0}
            reader.validate_json(json.dumps(found))
        except (ValidationError, ValueError, TypeError) as error:
            raise UnsupportedSpec(
                "value", f"{value!r} is not read from JSON", hint="use a text or a number for it"
            ) from error
        written.append(text)
    result: Schema = {"const": written[0]} if len(written) == 1 else {"enum": written}
    kinds = {type(value) for value in written}
    if len(kinds) == 1 and kinds <= set(NAMES):
        result["type"] = NAMES[kinds.pop()]
    return result


SCALARS: Mapping[str, Say] = {
    "any": lambda walk, _: {"type": "string"} if walk.key else {},
    "bool": lambda walk, _: {"enum": ["true", "false"]} if walk.key else {"type": "boolean"},
    "int": lambda walk, schema: numbers.integer_schema(schema, text=walk.key),
    "float": _float,
    "decimal": lambda walk, schema: numbers.decimal_schema(schema, text=walk.key),
    "fraction": lambda walk, schema: numbers.fraction_schema(schema, text=walk.key),
    "complex": lambda walk, schema: numbers.complex_schema(text=walk.key or _strict(walk, schema)),
    "str": lambda walk, schema: string_schema(schema, walk.config),
    "bytes": _bytes,
    "uuid": lambda _, schema: uuid_schema(schema.get("version")),
    "date": lambda _, schema: temporal.date_schema(schema),
    "time": lambda _, schema: temporal.time_schema(schema),
    "datetime": lambda _, schema: temporal.datetime_schema(schema),
    "timedelta": lambda _, schema: temporal.duration_schema(schema),
    "url": _url,
    "multi-host-url": _url,
    "literal": lambda walk, schema: _values(walk, schema, schema["expected"]),
    "enum": _enum,
}
