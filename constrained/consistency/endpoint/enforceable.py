"""The part of a JSON Schema that a server enforces.

Servers leave keywords out in silence, refuse a whole schema for one of them, or fail. So only what
the server enforces is sent. What is left out makes the schema allow more, never less, and every
answer is checked against the whole schema here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from constrained.consistency.endpoint.dialect import NOTES, Dialect

__all__ = ["enforceable"]

BY_NAME = frozenset({"properties", "$defs", "definitions", "patternProperties"})
LISTS = frozenset({"anyOf", "oneOf", "prefixItems"})
NESTED = frozenset({"items", "additionalProperties"})
"""Keywords whose values are schemas: by name, in a list, alone."""

ALONE = ("$ref", "enum", "const")
"""Beside one of these, servers look at no other keyword."""

KEPT = NOTES | {"$id", "$defs", "definitions"}

LENGTHS = frozenset({"minLength", "maxLength"})
SHAPES = frozenset({"pattern", "format"})

BEYOND = re.compile(r"\(\?(?!:)|\\[^dDwWsSnrtfv\W]|\\[0-9]|[*+?}][?+]|\[\[:")
"""What is in patterns that grammars of servers do not know: look-around, names, references to
groups, word borders, classes by name, lazy quantifiers."""


def enforceable(schema: Any, dialect: Dialect) -> tuple[Any, tuple[str, ...]]:
    """The schema to send, and what of it is not sent: keywords, each with its JSON pointer.

    >>> from constrained.consistency.endpoint.dialect import DIALECTS
    >>> enforceable({"type": "array", "maxItems": 2, "uniqueItems": True}, DIALECTS["vllm"])
    ({'type': 'array', 'maxItems': 2}, ('#/uniqueItems',))
    """
    left: list[str] = []
    if dialect.enforced is None:
        return schema, ()
    return _part(schema, dialect.enforced, dialect.formats, "#", left), tuple(left)


def _part(
    schema: Any, known: frozenset[str], formats: frozenset[str], place: str, left: list[str]
) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    out = set(_not_enforced(schema, known, formats))
    left += [f"{place}/{name}" for name in schema if name in out and name not in NOTES]
    made: dict[str, Any] = {}
    for name, value in schema.items():
        here = f"{place}/{name}"
        if name in out:
            continue
        if name in BY_NAME and isinstance(value, Mapping):
            made[name] = {
                key: _part(one, known, formats, f"{here}/{_escaped(key)}", left)
                for key, one in value.items()
            }
        elif name in LISTS and isinstance(value, list | tuple):
            made[name] = [
                _part(one, known, formats, f"{here}/{i}", left) for i, one in enumerate(value)
            ]
        elif name in NESTED:
            made[name] = _part(value, known, formats, here, left)
        else:
            made[name] = value
    return made


def _not_enforced(
    schema: Mapping[str, Any], known: frozenset[str], formats: frozenset[str]
) -> Iterator[str]:
    """Keywords of one schema that the server would not enforce."""
    alone = next((name for name in ALONE if name in schema), None)
    beside = KEPT | ({alone, "type"} if alone != "$ref" else {alone})
    for name, value in schema.items():
        if (
            name not in known
            or (alone is not None and name not in beside)
            or (name == "format" and value not in formats)
            or (name == "pattern" and not _plain_pattern(value))
            or (name in LENGTHS and SHAPES & schema.keys())  # servers take the one or the other
        ):
            yield name


def _plain_pattern(pattern: Any) -> bool:
    """Whether servers read a pattern as JSON Schema does: from the start to the end of the text.

    Grammars match whole texts, so a pattern that may match anywhere would allow less.
    """
    if not isinstance(pattern, str) or pattern[:1] != "^" or pattern[-1:] != "$":
        return False
    if BEYOND.search(pattern) or pattern.endswith("\\$"):
        return False
    depth, skipped, in_class = 0, False, False
    for sign in pattern[1:-1]:
        if skipped:
            skipped = False
        elif sign == "\\":
            skipped = True
        elif in_class:
            in_class = sign != "]"
        elif sign == "[":
            in_class = True
        elif sign in "^$" or (sign == "|" and not depth):
            return False
        else:
            depth += (sign == "(") - (sign == ")")
    return True


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
