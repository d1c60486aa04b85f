"""A schema document: sub-schemas as small integers, their JSON pointers, and local references.

Every sub-schema gets a node number the first time something points at it; a positive number
stands for the sub-schema and its negative for the complement. References resolve inside the
document only (``#``, ``#/...``, ``$anchor``, ``$id``); nothing is ever fetched.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from constrained.errors import InvalidSpec, LimitExceeded, UnsupportedSpec
from constrained.limits import Limits

__all__ = ["SCHEMA_MAPS", "SCHEMA_VALUES", "Document", "Path", "kind_of", "pointer_text"]

TRUE_NODE = 1
"""The node of the schema `true`; its negative is `false`."""

SCHEMA_MAPS = frozenset(
    ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies")
)
"""Keywords whose value maps names to schemas."""

SCHEMA_VALUES = frozenset(
    (
        "items",
        "prefixItems",
        "additionalItems",
        "unevaluatedItems",
        "contains",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "contentSchema",
    )
)
"""Keywords whose value is a schema or a list of them."""

SCHEMA_COST = 16
"""Grammar nodes that one sub-schema stands for when counted against `max_nodes`."""

NAMED_DEPTH = 32
"""Nodes deeper than this are named by number: pointers that long help nobody."""

Path = tuple[str | int, ...]
"""Keys and indices that lead from one sub-schema to another."""

Origin = tuple[int, Path]

DRAFTS = {
    "draft-03": 3,
    "draft-04": 4,
    "draft-06": 6,
    "draft-07": 7,
    "2019-09": 2019,
    "2020-12": 2020,
}


def pointer_text(path: Path) -> str:
    """A JSON pointer as a URI fragment: ``#/properties/a~1b``."""
    if not path:
        return "#"
    return "#/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path)


class Document:
    """One schema document and the numbering of its sub-schemas."""

    def __init__(self, root: object, limits: Limits) -> None:
        self.limits = limits
        self.schemas: list[Any] = [False, True]
        self.parents = [0, 0]
        self.paths: list[Path] = [(), ()]
        self.resources: list[int] = [0, 0]
        self.depths: list[int] = [0, 0]
        self.spellings: dict[Fraction | int, tuple[str, ...]] = {}
        self.read_whole = False
        """Whether what is numbered from now on was made while working shapes out."""
        self._spent = 0
        self._ids: dict[int, int] = {}
        self._index: dict[str, tuple[Any, Origin]] | None = None
        self._dynamic: dict[str, list[str]] = {}
        self._names: dict[int, str] = {}
        self._resolved: dict[tuple[str, int], int] = {}
        self._bases: dict[int, str] = {}
        declared = root.get("$schema") if isinstance(root, dict) else None
        self.draft = _draft(declared)
        self.root = self.node(root, 0, ())

    # -------------------------------------------------------------- numbering

    def node(self, schema: object, parent: int, path: Path) -> int:
        """The number of a sub-schema found at `path` below node `parent`.

        Raises `InvalidSpec` when it is neither an object nor a boolean.
        """
        if schema is True:
            return TRUE_NODE
        if schema is False:
            return -TRUE_NODE
        if not isinstance(schema, dict):
            raise InvalidSpec(
                f"a schema must be an object or a boolean, not {kind_of(schema)}",
                where=self.pointer_below(parent, path),
            )
        if not schema:
            return TRUE_NODE
        known = self._ids.get(id(schema))
        if known is not None:
            return known
        number = len(self.schemas)
        self.spend(SCHEMA_COST)
        self._ids[id(schema)] = number
        self.schemas.append(schema)
        self.parents.append(parent)
        self.paths.append(path)
        self.depths.append(self.depths[parent] + 1)
        opens = number > 2 and ("$id" in schema or "id" in schema)
        resource = self.resources[parent]
        if not resource or (opens and isinstance(self._id_of(schema), str)):
            resource = number
        self.resources.append(resource)
        return number

    def reserve(self, parent: int) -> int:
        """A number for a schema that is written nowhere, named after node `parent`."""
        number = len(self.schemas)
        self.schemas.append({})
        self.parents.append(parent)
        self.paths.append(())
        self.depths.append(self.depths[parent])
        self.resources.append(self.resources[parent])
        return number

    def spend(self, nodes: int) -> None:
        """Count what the document will at least need; raises `LimitExceeded` beyond `max_nodes`."""
        self._spent += nodes
        if self._spent > self.limits.max_nodes and not self.read_whole:
            raise LimitExceeded("max_nodes", self.limits.max_nodes, "reading a JSON Schema")

    def pointer(self, number: int) -> str:
        """Where a node stands, for people and for rule names."""
        return pointer_text(self.path(number))

    def path(self, number: int) -> Path:
        """The steps from the root of the document to a node."""
        steps: list[Path] = []
        while number > 1:
            number, path = self.parents[number], self.paths[number]
            steps.append(path)
        return tuple(step for path in reversed(steps) for step in path)

    def name(self, number: int) -> str:
        """A short unique name: the pointer, or for deep nodes the last step and the number."""
        found = self._names.get(number)
        if found is None:
            parent, path = self.parents[number], self.paths[number]
            if self.depths[number] > NAMED_DEPTH:
                found = f"{pointer_text(path[-1:])} ({number})"
            elif parent > 1:
                found = self.name(parent) + pointer_text(path)[1:]
            else:
                found = pointer_text(path)
            self._names[number] = found
        return found

    def pointer_below(self, parent: int, path: Path) -> str:
        """The pointer of something at `path` below a node."""
        return pointer_text((*self.path(parent), *path))

    def _id_of(self, schema: dict[str, Any]) -> object:
        """The `$id` that opens a new resource, if the schema has one (draft 4: `id`)."""
        if "$ref" in schema and 3 <= self.draft <= 7:
            return None  # up to draft 7 a $ref hides its siblings
        found = schema.get("id" if self.draft in (3, 4) else "$id")
        if isinstance(found, str) and not found.startswith("#"):
            return found
        return None

    def note_spelling(self, number: int | Fraction, value: object) -> None:
        """Remember how an enum or const writes a number, where that is not ``str(int)``."""
        if not isinstance(value, int):
            text = json.dumps(value) if isinstance(value, float) else str(value)
            known = self.spellings.get(number, ())
            if not known and isinstance(number, int):
                known = (str(number),)
            if text not in known:
                self.spellings[number] = (*known, text)

    # -------------------------------------------------------------- references

    def resolve(self, reference: str, number: int, keyword: str = "$ref") -> int:
        """The node that a reference inside node `number` points at.

        Raises `UnsupportedSpec` for references that leave the document, `InvalidSpec` for those
        that point at nothing.
        """
        resource = self.resources[number]
        found = self._resolved.get((reference, resource))
        if found is None:
            found = self._resolve(reference, resource, number, keyword)
            self._resolved[reference, resource] = found
        return found

    def _resolve(self, reference: str, resource: int, number: int, keyword: str) -> int:
        if reference == "#" or reference.startswith("#/"):
            return self._below(self.schemas[resource], resource, reference[1:], number, keyword)
        index = self._indexed()
        address, fragment = urldefrag(urljoin(self._base(resource), reference))
        if fragment and not fragment.startswith("/"):
            target = index.get(f"{address}#{fragment}")
            if target is None and address in index:
                raise self._dangling(reference, number, keyword)
        else:
            target = index.get(address)
        if target is None:
            raise UnsupportedSpec(
                f"remote {keyword}",
                f"{keyword} {reference!r} points outside the document, and nothing is fetched",
                where=f"{self.pointer(number)}/{keyword}",
                hint="copy the schema it points at into $defs",
            )
        schema, (parent, path) = target
        found = self.node(schema, parent, path)
        if fragment.startswith("/"):
            return self._below(schema, found, fragment, number, keyword)
        return found

    def resolve_dynamic(self, reference: str, number: int) -> int:
        """The node a `$dynamicRef` points at, where only one anchor can ever be meant.

        A reference to anything but a `$dynamicAnchor` is an ordinary one, as the standard says.
        """
        target = self.resolve(reference, number, "$dynamicRef")
        name = reference.rpartition("#")[2]
        schema = self.schemas[abs(target)]
        anchored = isinstance(schema, dict) and schema.get("$dynamicAnchor") == name
        anchors = self._dynamic.get(name, []) if anchored else []
        if len(anchors) > 1:
            raise UnsupportedSpec(
                "$dynamicRef",
                f"$dynamicRef {reference!r} may mean any of {len(anchors)} anchors",
                where=f"{self.pointer(number)}/$dynamicRef",
                hint="use $ref where the target never changes",
            )
        return target

    def _below(self, schema: Any, start: int, pointer: str, number: int, keyword: str) -> int:
        """The node at a JSON pointer below `schema`, which is node `start`."""
        parent, path = start, []
        steps = pointer.split("/")[1:]
        for position, raw in enumerate(steps):
            step = raw.replace("~1", "/").replace("~0", "~")
            if "%" in step:
                step = unquote(step)
            if isinstance(schema, dict) and step in schema:
                schema = schema[step]
                path.append(step)
            elif isinstance(schema, list) and step.isdecimal() and int(step) < len(schema):
                schema = schema[int(step)]
                path.append(step)
            else:
                raise self._dangling("#" + pointer, number, keyword)
            last = position == len(steps) - 1
            if not last and isinstance(schema, dict) and self._id_of(schema) is not None:
                parent, path = self.node(schema, parent, tuple(path)), []
        if not isinstance(schema, (dict, bool)):
            raise InvalidSpec(
                f"{keyword} {'#' + pointer!r} points at {kind_of(schema)}, not at a schema",
                where=f"{self.pointer(number)}/{keyword}",
            )
        if not path and schema is self.schemas[parent]:
            return parent
        return self.node(schema, parent, tuple(path))

    def _dangling(self, reference: str, number: int, keyword: str) -> InvalidSpec:
        return InvalidSpec(
            f"{keyword} {reference!r} points at nothing",
            where=f"{self.pointer(number)}/{keyword}",
            hint="check the spelling of the reference",
        )

    def _base(self, resource: int) -> str:
        self._indexed()
        return self._bases.get(id(self.schemas[resource]), "")

    def _indexed(self) -> dict[str, tuple[Any, Origin]]:
        """Every address in the document: bases, ``base#anchor``; built on the first need."""
        if self._index is None:
            self._index = {}
            root = self.schemas[self.root] if self.root > 1 else {}
            self._scan(root)
        return self._index

    def _scan(self, root: Any) -> None:
        """Fill the index; the paths are the whole way from the root."""
        index = self._index if self._index is not None else {}
        index[""] = (root, (0, ()))
        stack: list[tuple[Any, str, Path]] = [(root, "", ())]
        while stack:
            value, base, path = stack.pop()
            if len(path) > self.limits.max_depth:
                raise LimitExceeded("max_depth", self.limits.max_depth, "reading a JSON Schema")
            if isinstance(value, list):
                stack += [(item, base, (*path, i)) for i, item in enumerate(value)]
                continue
            if not isinstance(value, dict):
                continue
            found = self._id_of(value)
            if isinstance(found, str):
                base = urldefrag(urljoin(base, found))[0]
                index.setdefault(base, (value, (0, path)))
            if found is not None or not path:
                self._bases[id(value)] = base
            for keyword in ("$anchor", "$dynamicAnchor", "$id", "id"):
                anchor = value.get(keyword)
                if not isinstance(anchor, str):
                    continue
                if keyword.endswith("id"):
                    if not anchor.startswith("#"):
                        continue
                    anchor = anchor[1:]
                index.setdefault(f"{base}#{anchor}", (value, (0, path)))
                if keyword == "$dynamicAnchor":
                    self._dynamic.setdefault(anchor, []).append(f"{base}#{anchor}")
            for key, item in value.items():
                if key in SCHEMA_MAPS and isinstance(item, dict):
                    stack += [(inner, base, (*path, key, name)) for name, inner in item.items()]
                elif key in SCHEMA_VALUES:
                    stack.append((item, base, (*path, key)))


def _draft(declared: object) -> int:
    """The draft that a `$schema` names; 0 when it names none, and every draft's forms are read."""
    if isinstance(declared, str):
        for name, number in DRAFTS.items():
            if name in declared:
                return number
    return 0


def kind_of(value: object) -> str:
    """A JSON value's type, for people."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, (list, tuple)) else f"a Python {type(value).__name__}"
