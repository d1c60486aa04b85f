"""The walk over a core schema: pydantic's own, with a table of kinds whose JSON Schema says less.

Three things happen at a node. Its *kind* is said by a function of the table, or by pydantic. What
the type's author *declared* (`json_schema_extra`, `WithJsonSchema`) is kept, and where it differs
both must hold. And *code* of pydantic is known by name: it checks nothing, or a `format` says what,
or it is refused. Code of others stays outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from typing import Any, ClassVar

from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticOmit

from constrained.errors import UnsupportedSpec
from constrained.spec.typed.code import converts, explained, of_pydantic
from constrained.spec.typed.declared import CODE, both, codes
from constrained.spec.typed.formats import BASE64_TEXT, FORMATS, REFUSED
from constrained.spec.typed.strings import string_schema

__all__ = ["Core", "Say", "Walk"]

Core = Any
"""A core schema: a dict with its kind under "type"; pydantic has a TypedDict for each."""

HOOKS = (
    "pydantic_js_updates",
    "pydantic_js_extra",
    "pydantic_js_functions",
    "pydantic_js_annotation_functions",
)

IN_CLASSES = (
    "model-fields",
    "dataclass-args",
    "function-before",
    "function-after",
    "function-wrap",
)
"""What stands right inside a class, whose settings may change what was said."""

KEYS = frozenset(
    [
        "any",
        "str",
        "int",
        "float",
        "bool",
        "decimal",
        "fraction",
        "complex",
        "literal",
        "enum",
        "uuid",
        "date",
        "time",
        "datetime",
        "timedelta",
        "bytes",
        "url",
        "multi-host-url",
        "nullable",
        "union",
        "default",
        "custom-error",
        "lax-or-strict",
        "json-or-python",
        "chain",
        "function-after",
        "function-before",
        "function-wrap",
        "function-plain",
        "definition-ref",
        "definitions",
    ]
)
"""Kinds that a key of a JSON object can be read as."""


class Walk(GenerateJsonSchema):
    """The JSON Schema of what validation reads; `config` are the settings outside of any model.

    `key` is True where keys are looked at, `refs` are the definitions met so far, `places` says
    where code was met, `invalid_at` where something has no JSON Schema.
    """

    kinds: ClassVar[Mapping[str, Say]] = {}

    def __init__(self, *, config: Mapping[str, Any] | None = None) -> None:
        self.key = self.converted = False
        self.refs: dict[str, Core] = {}
        self.places: dict[str, str] = {}
        self.invalid_at = ""
        self._configs: list[Mapping[str, Any]] = [config or {}]
        self._path: list[str] = []
        self._plain: dict[int, tuple[Core, JsonSchemaValue]] = {}
        self._done: set[str] = set()
        self._usual: dict[str, Callable[[Core], JsonSchemaValue]] = {}
        super().__init__()

    def build_schema_type_to_method(self) -> Any:
        """What says each kind: the table, and pydantic's methods for all others."""
        usual: Any = super().build_schema_type_to_method()
        self._usual = dict(usual)
        known = {kind: partial(say, self) for kind, say in self.kinds.items()}
        return {kind: partial(self._said, known.get(kind, usual[kind])) for kind in usual}

    def _said(self, method: Callable[[Core], JsonSchemaValue], schema: Core) -> JsonSchemaValue:
        """What a kind says of a node, remembered before the author's declarations change it."""
        found = method(schema)
        if _declared(schema) or schema["type"] in IN_CLASSES:
            self._plain[id(schema)] = schema, deepcopy(found)
        return found

    def usual(self, schema: Core) -> JsonSchemaValue:
        """What pydantic's own method says of a node."""
        return self._usual[schema["type"]](schema)

    def generate(self, schema: Core, mode: Any = "validation") -> JsonSchemaValue:
        """The whole schema. Raises `UnsupportedSpec` where code of pydantic is not known."""
        found = super().generate(schema, mode)
        for name in codes(found):
            raise UnsupportedSpec(
                name,
                f"{name} checks more than a JSON Schema says",
                where=self.places.get(name, ""),
                hint="declare a type that says what its texts are, such as a str with a pattern",
            )
        return found

    def generate_inner(self, schema: Core) -> JsonSchemaValue:
        """The schema of a node: what its kind reads, and what was declared of it."""
        if self.key:
            schema = self._as_key(schema)
        try:
            found = super().generate_inner(schema)
        except UnsupportedSpec as error:
            if error.where or not self._path:
                raise
            raise UnsupportedSpec(
                error.feature, error.problem, where=self.where, hint=error.hint
            ) from error
        except PydanticInvalidForJsonSchema:
            self.invalid_at = self.invalid_at or self.where
            raise
        if not _declared(schema) or not _declares_anew(schema):
            return found
        if schema.get("ref") and set(found) == {"$ref"}:
            if schema["ref"] not in self._done:
                self._done.add(schema["ref"])
                target = self.referred(found)
                merged = self._both(dict(target), schema)
                target.clear()
                target.update(merged)
            return found
        return self._both(found, schema)

    def _both(self, said: JsonSchemaValue, schema: Core) -> JsonSchemaValue:
        """What was declared of a node, and what its kind reads."""
        plain = None if self.converted or converts(schema) else self.plain(schema)
        if plain is None:
            return said
        code = next(codes(plain), None)
        if code is None:
            return both(said, plain)
        name = said.get("format")
        if name in REFUSED:
            raise UnsupportedSpec(f"format {name}", REFUSED[name], hint="use str")
        if explained(code) and said.get("type") == "string" and name in FORMATS:
            text = code == "EncodedStr.decode_str" and name in BASE64_TEXT
            if text and (self.config.get("str_to_lower") or self.config.get("str_to_upper")):
                return {**said, CODE: code}
            if name in BASE64_TEXT and self.config.get("val_json_bytes", "utf8") != "utf8":
                return {**said, CODE: code}  # decoded twice
            known = BASE64_TEXT[name] if text else FORMATS[name]()
            bounds = self._strict_text(schema)
            known = both(known, bounds) if len(bounds) > 1 else known
            return both({k: v for k, v in said.items() if k not in ("format", CODE)}, known)
        return {**said, CODE: code}

    def _strict_text(self, schema: Core) -> JsonSchemaValue:
        """The strings that a strict reading hands to code, which settings of strings bear on."""
        if schema["type"] != "lax-or-strict" or not schema.get("strict", self.config.get("strict")):
            return {}
        inner = schema["strict_schema"]
        if inner["type"] == "json-or-python":
            inner = inner["json_schema"]
        while inner["type"].startswith("function-") and "schema" in inner:
            inner = inner["schema"]
        return string_schema(inner, self.config) if inner["type"] == "str" else {}

    def plain(self, schema: Core) -> JsonSchemaValue | None:
        """The schema of a node without what was declared of it; None where only code knows it."""
        if id(schema) not in self._plain:
            try:
                found = self._schema_type_to_method[schema["type"]](schema)
            except (PydanticInvalidForJsonSchema, PydanticOmit):
                return None
            self._plain.setdefault(id(schema), (schema, found))
        return self._plain[id(schema)][1]

    def referred(self, schema: JsonSchemaValue) -> JsonSchemaValue:
        """The schema that a reference leads to; empty where that is still to be made."""
        while "$ref" in schema:
            schema = self.get_schema_from_definitions(schema["$ref"]) or {}
        return schema

    def _as_key(self, schema: Core) -> Core:
        """A core schema to be read from a key, where no definition is shared."""
        if schema["type"] == "definition-ref":
            schema = self.refs.get(schema["schema_ref"], schema)
        if schema["type"] not in KEYS:
            raise UnsupportedSpec(
                "key",
                f"a key of kind {schema['type']} is not read from JSON",
                hint="use str or int keys",
            )
        return {name: value for name, value in schema.items() if name != "ref"}

    @property
    def where(self) -> str:
        """The place of the field that is looked at, as a JSON pointer."""
        return "#" + "".join(f"/properties/{name}" for name in self._path)

    @property
    def config(self) -> Mapping[str, Any]:
        """The settings that hold here."""
        return self._configs[-1]

    @contextmanager
    def under(self, config: Mapping[str, Any] | None) -> Iterator[None]:
        """Inside a type with settings of its own, if it has any."""
        self._configs.append(self.config if config is None else config)
        try:
            yield
        finally:
            self._configs.pop()

    @contextmanager
    def at(self, name: str) -> Iterator[None]:
        """Inside a field, which code around the whole object leaves as it is."""
        before, self.converted = self.converted, False
        self._path.append(name)
        try:
            yield
        finally:
            self._path.pop()
            self.converted = before

    @contextmanager
    def keys(self) -> Iterator[None]:
        """Inside the key of an object."""
        before, self.key = self.key, True
        try:
            yield
        finally:
            self.key = before

    @contextmanager
    def behind_code(self, schema: Core) -> Iterator[None]:
        """Inside a validator's code, which may convert what was declared to what is inside."""
        before = self.converted
        self.converted = before or converts(schema)
        try:
            yield
        finally:
            self.converted = before


def _declared(schema: Core) -> bool:
    """Whether the author of a type says something of a node beside its kind."""
    metadata = schema.get("metadata") or {}
    return any(metadata.get(hook) for hook in HOOKS)


def _declares_anew(schema: Core) -> bool:
    """Whether an author's function may say less than the kind: for classes pydantic has its own."""
    if schema["type"] not in ("model", "dataclass"):
        return True
    functions = (schema.get("metadata") or {}).get("pydantic_js_functions") or ()
    return not all(of_pydantic(getattr(one, "__func__", one)) for one in functions)


Say = Callable[[Walk, Core], JsonSchemaValue]
"""Says the JSON Schema of a node."""
