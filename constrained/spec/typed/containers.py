"""Kinds of core schema with items: dicts, whose keys are texts; sets, whose repeats go; tuples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from constrained.errors import UnsupportedSpec
from constrained.spec.typed.attrs_types import MADE
from constrained.spec.typed.declared import ANNOTATIONS
from constrained.spec.typed.walk import Core, Say, Walk

__all__ = ["CONTAINERS"]

Schema = dict[str, Any]

ONCE = ("str", "int", "bool")
"""Kinds whose different JSON values are different values."""


def _mapping(walk: Walk, schema: Core) -> Schema:
    values = walk.generate_inner(schema["values_schema"]) if "values_schema" in schema else {}
    values = {key: value for key, value in values.items() if key != "title"}
    found: Schema = {"type": "object", "additionalProperties": values or True}
    keys = schema.get("keys_schema")
    if keys is not None:
        with walk.keys():
            names = walk.generate_inner(keys)
        names = {key: value for key, value in names.items() if key not in ANNOTATIONS}
        if names != {"type": "string"}:
            found["propertyNames"] = names
    _count(walk, found, schema, keys, "Properties")
    return found


def _set(walk: Walk, schema: Core) -> Schema:
    """A list, with repeats, which reading drops; without them where a size must be reached."""
    items = schema.get("items_schema") or {"type": "any"}
    kind = _unhashable(walk, items, set())
    if kind is not None and items["type"] != "any":
        raise UnsupportedSpec(
            "set", f"a set cannot hold values of kind {kind}", hint="use a list, or frozen classes"
        )
    inner = PLAIN if items["type"] == "any" else walk.generate_inner(items)
    found: Schema = {"type": "array", "items": inner}
    if (schema.get("min_length") or 0) > 1:
        found["uniqueItems"] = True
    _count(walk, found, schema, items, "Items")
    return found


PLAIN: Schema = {"type": ["string", "number", "boolean", "null"]}
"""What can be an item of a set that says nothing of its items."""

MUTABLE = frozenset(
    ["any", "list", "dict", "set", "deque", "typed-dict", "ordered-dict", "counter"]
)
INSIDE = (
    "items_schema",
    "values_schema",
    "schema",
    "json_schema",
    "lax_schema",
    "choices",
    "steps",
)
"""Where the core schemas of parts of a value stand; fields are looked for apart."""


def _unhashable(walk: Walk, core: Core, seen: set[int]) -> str | None:
    """The kind of a part of such a value that no set can hold; None when there is none."""
    if isinstance(core, list | tuple):
        found = (_unhashable(walk, part, seen) for part in core)
        return next((kind for kind in found if kind is not None), None)
    if not isinstance(core, dict) or id(core) in seen:
        return None
    seen.add(id(core))
    kind = str(core["type"])
    if kind == "definition-ref":
        return _unhashable(walk, walk.refs.get(core["schema_ref"]), seen)
    made = (core.get("metadata") or {}).get(MADE)
    if made is not None:
        if made.__hash__ is None:
            return str(made.__name__)
        return _unhashable(walk, list(core["schema"]["fields"].values()), seen)
    if kind in MUTABLE or (kind in ("model", "dataclass") and core["cls"].__hash__ is None):
        return kind
    if kind in ("frozenset", "generator"):
        return None
    fields = core.get("fields", ())
    inside = [core.get(name) for name in INSIDE]
    if kind == "tagged-union":
        inside = list(core["choices"].values())
    inside.append(list(fields.values()) if isinstance(fields, dict) else list(fields))
    return _unhashable(walk, inside, seen)


def _count(walk: Walk, found: Schema, schema: Core, items: Core, what: str) -> None:
    """Sizes, which hold after reading: that may make two JSON values one."""
    least, most = schema.get("min_length"), schema.get("max_length")
    if least:
        found[f"min{what}"] = least
    if most is not None:
        found[f"max{what}"] = most
    if (least or 0) > 1 and not _told_apart(walk, items):
        raise UnsupportedSpec(
            "min_length",
            "values that differ as JSON may be the same when they are read, so that too few remain",
            hint="use a list, items of str, int or Literal, or min_length=1",
        )


def _told_apart(walk: Walk, core: Core) -> bool:
    """Whether values that differ as JSON differ when they are read."""
    core = core or {"type": "any"}
    if core["type"] == "definition-ref":
        core = walk.refs.get(core["schema_ref"], core)
    if core["type"] in ("enum", "literal"):
        values = [m.value for m in core["members"]] if "members" in core else core["expected"]
        return {type(value) for value in values} in ({str}, {int})
    changes = ("to_lower", "to_upper")
    changed = any(core.get(name) or walk.config.get(f"str_{name}") for name in changes)
    return core["type"] in ONCE and not changed


def _tuple(walk: Walk, schema: Core) -> Schema:
    variadic = schema.get("variadic_item_index")
    if variadic is not None and variadic + 1 < len(schema["items_schema"]):
        raise UnsupportedSpec(
            "tuple", "items after those of any number are not enforced", hint="put them before"
        )
    return walk.usual(schema)


CONTAINERS: Mapping[str, Say] = {
    "dict": _mapping,
    "frozendict": _mapping,
    "ordered-dict": _mapping,
    "counter": _mapping,
    "set": _set,
    "frozenset": _set,
    "tuple": _tuple,
}
