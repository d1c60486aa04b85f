"""JSON Schemas put together: what a type's author declared, and what validation reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["ANNOTATIONS", "CODE", "both", "codes"]

Schema = dict[str, Any]

CODE = "x-code"
"""Marks a schema whose type runs code of pydantic that is not known; a `format` may explain it."""

ANNOTATIONS = frozenset(
    [
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "contentMediaType",
        "contentEncoding",
        "contentSchema",
        "discriminator",
        "$comment",
    ]
)
NARROWING = frozenset(
    [
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "enum",
        "const",
    ]
)
"""Keywords that can only take values away, whatever stands beside them."""


def both(said: Schema, plain: Schema) -> Schema:
    """`said`, which keeps its annotations, with `plain` beside it where that says more.

    >>> both({"title": "A", "type": "integer"}, {"type": "integer", "minimum": 3})
    {'title': 'A', 'type': 'integer', 'minimum': 3}
    >>> both({"type": "string"}, {"type": "integer"})
    {'type': 'string', 'allOf': [{'type': 'integer'}]}
    """
    meant = {key: value for key, value in said.items() if key not in ANNOTATIONS}
    known = {key: value for key, value in plain.items() if key not in ANNOTATIONS}
    if meant == known or not known:
        return said
    kept = all(key in meant and meant[key] == value for key, value in known.items())
    if kept and set(meant) - set(known) <= NARROWING:
        return said
    if set(meant) <= {"type"} and all(known.get(key) == value for key, value in meant.items()):
        return {**said, **known}
    return {**said, "allOf": [*said.get("allOf", ()), known]}


def codes(schema: Any) -> Iterator[str]:
    """The names of unknown code in a schema.

    >>> list(codes({"anyOf": [{"x-code": "Card.check"}]}))
    ['Card.check']
    """
    if isinstance(schema, dict):
        if isinstance(schema.get(CODE), str):
            yield schema[CODE]
        for value in schema.values():
            yield from codes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from codes(value)
