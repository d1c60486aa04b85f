"""Keywords that apply other schemas to the same value: references, branches, negation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from constrained.errors import UnsupportedSpec
from constrained.spec.json_schema.reading import Keyword, Reading, demand_of

__all__ = ["APPLICATORS"]


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
            read.unevaluated = {**read.unevaluated, keyword: demand_of(node)}
            read.combines = True

    return note


APPLICATORS: dict[str, Keyword] = {
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
