"""`TypeSchema`: the walk with all kinds; the rest of the table, which leads to others."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from constrained.errors import UnsupportedSpec
from constrained.spec.typed.classes import CLASSES
from constrained.spec.typed.code import (
    BYTE_SIZE,
    SHOWN,
    is_harmless,
    name_of,
    of_pydantic,
    with_bound,
)
from constrained.spec.typed.containers import CONTAINERS
from constrained.spec.typed.declared import CODE, both
from constrained.spec.typed.scalars import SCALARS
from constrained.spec.typed.walk import Core, Say, Walk

__all__ = ["TypeSchema"]

Schema = dict[str, Any]


def _function(walk: Walk, schema: Core) -> Schema:
    """A node with code: of a user, then what is inside; of pydantic, then what is known of it."""
    function = schema["function"]["function"]
    if not of_pydantic(function):
        with walk.behind_code(schema):
            return walk.usual(schema)
    if is_harmless(schema):
        return walk.usual(schema)
    inner = with_bound(schema)
    if inner is not None:
        return walk.generate_inner(inner)
    name = name_of(function)
    if name == "ByteSize._validate" and not walk.key:
        return dict(BYTE_SIZE)
    name = SHOWN.get(name, name)
    walk.places.setdefault(name, walk.where)
    inside = walk.generate_inner(schema["schema"]) if "schema" in schema else {}
    return {**inside, CODE: name}


def _chain(walk: Walk, schema: Core) -> Schema:
    first, *rest = schema["steps"]
    found = walk.generate_inner(first)
    for step in rest:
        if step["type"] == "is-instance" and step["cls"] is Hashable:
            found = both(found, {"type": ["string", "number", "boolean", "null"]})
        elif step["type"] != "function-plain" or of_pydantic(step["function"]["function"]):
            raise UnsupportedSpec(
                "chain",
                f"a second step of kind {step['type']} is not enforced",
                hint="declare one type",
            )
    return found


def _union(walk: Walk, schema: Core) -> Schema:
    found = walk.usual(schema)
    if found.get("anyOf") == []:
        raise UnsupportedSpec(
            "type", "no choice of this union is read from JSON", hint="use types that JSON can hold"
        )
    return found


def _nullable(walk: Walk, schema: Core) -> Schema:
    return walk.generate_inner(schema["schema"]) if walk.key else walk.usual(schema)


def _definitions(walk: Walk, schema: Core) -> Schema:
    walk.refs.update({one["ref"]: one for one in schema["definitions"] if "ref" in one})
    return walk.usual(schema)


def _refused(feature: str, problem: str, hint: str) -> Say:
    def refuse(walk: Walk, schema: Core) -> Schema:  # noqa: ARG001
        raise UnsupportedSpec(feature, problem, hint=hint)

    return refuse


LEADING: Mapping[str, Say] = {
    "function-before": _function,
    "function-after": _function,
    "function-wrap": _function,
    "function-plain": _function,
    "chain": _chain,
    "nullable": _nullable,
    "union": _union,
    "definitions": _definitions,
    "is-subclass": _refused(
        "type[...]", "classes are not read from JSON", "use a Literal of their names"
    ),
    "json": _refused(
        "Json", "a text that holds JSON is not enforced", "use the type inside Json itself"
    ),
}


class TypeSchema(Walk):
    """The JSON Schema of what a core schema reads.

    >>> from pydantic import TypeAdapter
    >>> TypeSchema().generate(TypeAdapter(dict[int, bool]).core_schema)["propertyNames"]
    {'pattern': '^(?:[0-9]|[1-9][0-9]{1,}|-[1-9]|-[1-9][0-9]{1,})$', 'type': 'string'}
    """

    kinds: ClassVar[Mapping[str, Say]] = {**SCALARS, **CONTAINERS, **CLASSES, **LEADING}
