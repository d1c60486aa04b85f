"""Keywords about arrays and objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from constrained.spec.json_schema.reading import (
    Keyword,
    Reading,
    check_text,
    count_of,
    demand_of,
    language_of,
)
from constrained.spec.json_schema.records import (
    ANY_STRING,
    Contains,
    Member,
    String,
)

__all__ = ["MEMBERS"]


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
    read.least_items = count_of(read, "minItems", value)
    read.array_limits = True


def _max_items(read: Reading, value: Any) -> None:
    read.most_items = count_of(read, "maxItems", value)
    read.array_limits = True


def _contains(read: Reading, value: Any) -> None:
    least, most = 1, None
    if "minContains" in read.schema:
        least = count_of(read, "minContains", read.schema["minContains"])
    if "maxContains" in read.schema:
        most = count_of(read, "maxContains", read.schema["maxContains"])
    read.contains += (Contains(0, read.demand(value, "contains"), least, most),)
    read.array_limits = True


def _contains_count(keyword: str) -> Callable[[Reading, Any], None]:
    def check(read: Reading, value: Any) -> None:
        count_of(read, keyword, value)

    return check


def _unique_items(read: Reading, value: Any) -> None:
    if not isinstance(value, bool):
        raise read.wrong("uniqueItems", "a boolean")
    if value:
        read.unique = True
        read.array_limits = True
        read.may_refuse = True


def _properties(read: Reading, value: Any) -> None:
    if not isinstance(value, dict):
        raise read.wrong("properties", "an object of schemas")
    document, node = read.document, read.node
    document.spend(4 * len(value))
    named = {}
    for name, schema in value.items():
        if not (isinstance(name, str) and name.isascii()):
            check_text(read, name, "properties")
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
        check_text(read, name, "required")
    read.required = dict.fromkeys(value)
    read.object_limits = True


def _pattern_properties(read: Reading, value: Any) -> None:
    if not isinstance(value, dict):
        raise read.wrong("patternProperties", "an object of schemas")
    clauses = []
    for pattern, schema in value.items():
        language = language_of(read, pattern, "patternProperties", pattern)
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
        outside = tuple(language_of(read, p, "patternProperties", p) for p in patterns)
        keys = String(outside=outside)
    read.clauses += (Member(keys, demand),)
    read.object_limits = True


def _min_properties(read: Reading, value: Any) -> None:
    read.least_members = count_of(read, "minProperties", value)
    read.may_refuse = read.may_refuse or read.least_members > 1
    read.object_limits = True


def _max_properties(read: Reading, value: Any) -> None:
    read.most_members = count_of(read, "maxProperties", value)
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


MEMBERS: dict[str, Keyword] = {
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
}
