"""Schemas rewritten as dicts, before they are read: every schema inside a schema, in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["rewritten"]

NAMED = frozenset(
    ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
)
"""Keywords whose members are schemas under names that users chose."""
VALUES = frozenset(("const", "enum", "default", "examples", "required", "$schema", "$ref"))
"""Keywords that hold values, not schemas."""

Change = Callable[[dict[str, Any]], dict[str, Any]]


def rewritten(schema: Any, change: Change) -> Any:
    """A copy of a schema with `change` applied to every object schema in it, inner ones first.

    >>> rewritten({"properties": {"const": {"const": {}}}}, lambda part: {**part, "title": "x"})
    {'properties': {'const': {'const': {}, 'title': 'x'}}, 'title': 'x'}
    """
    if isinstance(schema, list):
        return [rewritten(item, change) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return change({key: _below(key, value, change) for key, value in schema.items()})


def _below(key: str, value: Any, change: Change) -> Any:
    if key in VALUES:
        return value
    if key in NAMED and isinstance(value, dict):
        return {name: rewritten(inner, change) for name, inner in value.items()}
    return rewritten(value, change)
