"""`jsonschema` as the reference: exact numbers, ECMA-262 patterns, the forms of every draft.

What it leaves open, the library decides as the standard does: numbers are read as fractions, so
that `multipleOf: 0.01` is exact, patterns mean what ECMA-262 says, and a schema may use the
forms of every draft (`dependencies`, lists of `items`), as one without `$schema` may.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import jsonschema
from jsonschema import validators

__all__ = ["NoReference", "exact", "is_valid", "reading"]

LONGEST_EXPONENT = 300

OLD = jsonschema.Draft7Validator.VALIDATORS
NEW = jsonschema.Draft202012Validator.VALIDATORS


class NoReference(Exception):
    """The reference cannot judge a schema: a pattern Python lacks, a schema somewhere else."""


def _items(validator: Any, items: Any, instance: Any, schema: Any) -> Iterator[Any]:
    keyword = OLD["items"] if isinstance(items, list) else NEW["items"]
    yield from keyword(validator, items, instance, schema) or ()


def _additional_items(validator: Any, more: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if isinstance(schema.get("items"), list):
        yield from OLD["additionalItems"](validator, more, instance, schema) or ()


def _is_integer(_: Any, value: Any) -> bool:
    return (
        not isinstance(value, bool) and isinstance(value, (int, Fraction)) and value == int(value)
    )


EveryDraft = validators.extend(
    jsonschema.Draft202012Validator,
    {"items": _items, "additionalItems": _additional_items, "dependencies": OLD["dependencies"]},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


def is_valid(schema: Any, value: Any) -> bool:
    """Whether a value satisfies a schema, formats aside. Raises `NoReference`."""
    try:
        return bool(EveryDraft(_in_python(schema)).is_valid(exact(value)))
    except Exception as error:  # whatever a validator raises, it has no verdict
        raise NoReference(repr(error)) from error


def reading(text: str) -> Any:
    """The value of a JSON text, with numbers as they are written."""
    return json.loads(text, parse_float=_number)


def _number(text: str) -> Any:
    exponent = re.split("[eE]", text)[1:]
    if exponent and abs(int(exponent[0])) > LONGEST_EXPONENT:
        far = LONGEST_EXPONENT if int(exponent[0]) > 0 else -LONGEST_EXPONENT
        return exact(Fraction(text[: -len(exponent[0]) - 1]) * Fraction(10) ** far)
    return exact(Fraction(text))


def exact(value: Any) -> Any:
    """The value with every number exactly as it is written in decimals."""
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        value = Fraction(repr(value))
    return int(value) if isinstance(value, Fraction) and value.denominator == 1 else value


def _in_python(schema: Any) -> Any:
    """The schema with exact numbers, and with patterns that mean in Python what ECMA-262 means."""
    if isinstance(schema, list):
        return [_in_python(item) for item in schema]
    if not isinstance(schema, dict):
        return exact(schema)
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "pattern" and isinstance(value, str):
            found[key] = _pattern(value)
        elif key == "patternProperties" and isinstance(value, dict):
            found[key] = {_pattern(p): _in_python(inner) for p, inner in value.items()}
        elif key in ("properties", "$defs", "definitions", "dependentSchemas"):
            named = value.items() if isinstance(value, dict) else ()
            found[key] = {name: _in_python(inner) for name, inner in named}
        elif key in ("enum", "const", "default", "examples"):
            found[key] = exact(value)
        else:
            found[key] = _in_python(value)
    for open_, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(found.get(open_), bool):  # draft 4
            found[open_] = found[bound] if found[open_] and bound in found else None
            found = {key: value for key, value in found.items() if value is not None}
    return found


def _pattern(pattern: str) -> str:
    r"""``$`` is the very end, ``\d`` and ``\w`` are ASCII; `NoReference` for what Python lacks."""
    found = f"(?a:{TOKEN.sub(_token, pattern)})"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(found)
    except (re.error, Warning) as error:
        raise NoReference(f"pattern {pattern!r}") from error
    return found


TOKEN = re.compile(r"\\[\s\S]|\[\^?(?:\\[\s\S]|[^\]\\])*\]|\(\?<[^=!]|[$.]")
SPACES = r"\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


def _token(found: re.Match[str]) -> str:
    text = found[0]
    if text in ("[]", "[^]") or text[:2] in (r"\p", r"\P", r"\k", r"\c", "(?"):
        raise NoReference(f"no {text} in Python")
    if text.startswith("["):
        return "[" + re.sub(r"\\[\s\S]|\[", _in_class, text[1:])
    return {
        "$": r"\Z",
        ".": r"[^\n\r\u2028\u2029]",
        r"\s": f"[{SPACES}]",
        r"\S": f"[^{SPACES}]",
        r"\/": "/",
    }.get(text, text)


def _in_class(found: re.Match[str]) -> str:
    if found[0] == r"\S":
        raise NoReference("what is no space, in a class")
    return {"[": r"\[", r"\s": SPACES}.get(found[0], found[0])
