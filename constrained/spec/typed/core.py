"""The walk over a core schema: pydantic's own, with a method for each kind whose schema says less.

Three things happen at a node. Its *kind* is said by a method of its own. What the type's author
*declared* (`json_schema_extra`, `WithJsonSchema`) is kept, and where it differs both must hold. And
*code* of pydantic itself is known by name: it checks nothing, or a `format` says what, or it is
refused; code of others stays outside.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import (
    PydanticOmit,
    SchemaError,
    SchemaValidator,
    ValidationError,
    to_jsonable_python,
)

from constrained.errors import UnsupportedSpec
from constrained.spec.typed import numbers, temporal
from constrained.spec.typed.formats import (
    BASE64_TEXT,
    BASE64URL,
    FORMATS,
    REFUSED,
    base64_pattern,
    url_schema,
    uuid_schema,
)
from constrained.spec.typed.objects import Member, object_schema, place_of
from constrained.spec.typed.strings import string_schema

__all__ = ["TypeSchema"]

Core = Any
"""A core schema: a dict with its kind under "type"; pydantic has a TypedDict for each."""

CODE = "x-code"
"""Marks a schema whose type runs code of pydantic that is not known: refused unless a format says it."""

ANNOTATIONS = {
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly",
    "contentMediaType", "contentEncoding", "contentSchema", "discriminator", "$comment",
}  # fmt: skip
NARROWING = {"minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum"}
NARROWING |= {"exclusiveMaximum", "multipleOf", "minItems", "maxItems", "enum", "const"}
HOOKS = ("pydantic_js_updates", "pydantic_js_extra", "pydantic_js_functions")
HOOKS += ("pydantic_js_annotation_functions",)

HARMLESS = (
    "sequence_validator",
    "defaultdict_validator",
    "deque_validator",
    "path_validator",
    "SecretStr",
    "SecretBytes",
    "wrap_val",
    "Secret.__get_pydantic_core_schema__.<locals>.<lambda>",
    "_literal_schema.<locals>.<lambda>",
)
"""Functions of pydantic that accept every value which the schema inside lets through."""

SIZED = ("sequence_validator", "defaultdict_validator", "deque_validator", "wrap_val")
SIZED += ("SecretStr", "SecretBytes")
"""Those of them whose result is as long as what they got."""

MORE_THAN_TEXT = ("PathType.", "pattern_bytes")
"""Functions of pydantic that check more than the `format` of their type says."""

CHECKS = {
    "greater_than_validator": "gt",
    "greater_than_or_equal_validator": "ge",
    "less_than_validator": "lt",
    "less_than_or_equal_validator": "le",
    "multiple_of_validator": "multiple_of",
    "min_length_validator": "min_length",
    "max_length_validator": "max_length",
    "max_digits_validator": "max_digits",
    "decimal_places_validator": "decimal_places",
}
"""Functions of pydantic that check a bound which core schemas of some kinds know themselves."""

NUMBERS = ("int", "float", "decimal", "fraction", "date", "time", "datetime", "timedelta")
LENGTHS = ("list", "set", "frozenset", "tuple", "dict", "deque", "generator", "str", "bytes")
LENGTHS += ("frozendict", "ordered-dict", "counter")

INSIDE = {
    "json-or-python": "json_schema",
    "lax-or-strict": "lax_schema",
    "function-after": "schema",
    "function-wrap": "schema",
}
"""Where a kind that only leads to another has it."""

KEYS = {
    "any", "str", "int", "float", "bool", "decimal", "fraction", "complex", "literal", "enum",
    "uuid", "date", "time", "datetime", "timedelta", "bytes", "url", "multi-host-url", "nullable",
    "union", "default", "custom-error", "lax-or-strict", "json-or-python", "chain", "function-after",
    "function-before", "function-wrap", "function-plain", "definition-ref", "definitions",
}  # fmt: skip
"""Kinds that a key of a JSON object can be read as."""

ONCE = {"str", "int", "bool"}
"""Kinds whose different JSON values are different values."""


class TypeSchema(GenerateJsonSchema):
    """The JSON Schema of what validation reads; `config` are the settings outside of any model."""

    def __init__(
        self, *args: Any, config: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        self._plain: dict[int, tuple[Core, JsonSchemaValue]] = {}
        self._path: list[str] = []
        self._key = self._converted = False
        self._configs: list[Mapping[str, Any]] = [config or {}]
        self._refs: dict[str, Core] = {}
        self._places: dict[str, str] = {}
        self._done: set[str] = set()
        self.invalid_at = ""
        super().__init__(*args, **settings)

    # The walk

    def generate(self, schema: Core, mode: Any = "validation") -> JsonSchemaValue:
        found = super().generate(schema, mode)
        for name in _codes(found):
            raise UnsupportedSpec(
                name,
                f"{name} checks more than a JSON Schema says",
                where=self._places.get(name, ""),
                hint="declare a type that says what its texts are, such as a str with a pattern",
            )
        return found

    def build_schema_type_to_method(self) -> Any:
        """pydantic's table of methods, each remembering what it said of a node."""
        methods = super().build_schema_type_to_method()
        return {kind: self._remembering(method) for kind, method in methods.items()}

    def _remembering(self, method: Callable[[Any], JsonSchemaValue]) -> Any:
        def run(schema: Any) -> JsonSchemaValue:
            found = method(schema)
            self._plain[id(schema)] = schema, deepcopy(found)
            return found

        return run

    def generate_inner(self, schema: Core) -> JsonSchemaValue:
        if self._key:
            schema = self._as_key(schema)
        declared = any(schema.get("metadata", {}).get(hook) for hook in HOOKS)
        try:
            found = super().generate_inner(schema)
        except UnsupportedSpec as error:
            if error.where or not self._path:
                raise
            raise UnsupportedSpec(
                error.feature, error.problem, where=self._where(), hint=error.hint
            ) from error
        except PydanticInvalidForJsonSchema:
            self.invalid_at = self.invalid_at or self._where()
            raise
        if not declared or schema["type"] in ("model", "dataclass"):
            return found
        if schema.get("ref") and set(found) == {"$ref"}:
            if schema["ref"] in self._done:
                return found
            self._done.add(schema["ref"])
            target = self.resolve_ref_schema(found)
            both = self._both(dict(target), schema)
            target.clear()
            target.update(both)
            return found
        return self._both(found, schema)

    def _both(self, said: JsonSchemaValue, schema: Core) -> JsonSchemaValue:
        """What was declared of a node, and what its kind reads."""
        plain = None if self._converted or _converts(schema) else self._said_by_kind(schema)
        if plain is None:
            return said
        code = next(_codes(plain), None)
        if code is not None:
            name = said.get("format")
            if name in REFUSED:
                raise UnsupportedSpec(f"format {name}", REFUSED[name], hint="use str")
            explained = code not in CHECKS and not code.startswith(MORE_THAN_TEXT)
            if explained and said.get("type") == "string" and name in FORMATS:
                text = schema.get("schema", {}).get("type") == "str" and name in BASE64_TEXT
                known = BASE64_TEXT[name] if text else FORMATS[name]()
                rest = {key: value for key, value in said.items() if key not in ("format", CODE)}
                return _narrowed(rest, known)
            return {**said, CODE: code}
        return _narrowed(said, plain)

    def _said_by_kind(self, schema: Core) -> JsonSchemaValue | None:
        """The schema of a node without what was declared of it; None where only code knows it."""
        if id(schema) not in self._plain:
            try:
                self._schema_type_to_method[schema["type"]](schema)
            except (PydanticInvalidForJsonSchema, PydanticOmit):
                return None
        return self._plain[id(schema)][1]

    def _where(self) -> str:
        return "#" + "".join(f"/properties/{name}" for name in self._path)

    @contextmanager
    def _at(self, name: str) -> Iterator[None]:
        """Inside a field, which code around the whole object leaves as it is."""
        before, self._converted = self._converted, False
        self._path.append(name)
        try:
            yield
        finally:
            self._path.pop()
            self._converted = before

    @contextmanager
    def _under(self, config: Mapping[str, Any] | None) -> Iterator[None]:
        """Inside a type with settings of its own."""
        self._configs.append(self._configs[-1] if config is None else config)
        try:
            yield
        finally:
            self._configs.pop()

    def definitions_schema(self, schema: Core) -> JsonSchemaValue:
        for definition in schema["definitions"]:
            if "ref" in definition:
                self._refs[definition["ref"]] = definition
        return super().definitions_schema(schema)

    # Objects

    def model_schema(self, schema: Core) -> JsonSchemaValue:
        _check_class(schema["cls"])
        with self._under(schema.get("config") or {}):
            found = super().model_schema(schema)
            return self._declared(found, schema)

    def dataclass_schema(self, schema: Core) -> JsonSchemaValue:
        _check_class(schema["cls"])
        with self._under(schema.get("config") or {}):
            found = super().dataclass_schema(schema)
            return self._declared(found, schema)

    def _declared(self, said: JsonSchemaValue, schema: Core) -> JsonSchemaValue:
        """A class whose settings may have changed its schema (`json_schema_extra`)."""
        inner = schema["schema"]
        known = self._plain.get(id(inner))
        if known is None or "$ref" in said:
            return said
        plain = known[1]
        said = {key: value for key, value in said.items() if key != "additionalProperties"}
        bare = {key: value for key, value in plain.items() if key != "additionalProperties"}
        both = _narrowed(said, bare)
        if "additionalProperties" in plain:
            both["additionalProperties"] = plain["additionalProperties"]
        return both

    def model_fields_schema(self, schema: Core) -> JsonSchemaValue:
        return self._fields(schema, schema["fields"].items())

    def dataclass_args_schema(self, schema: Core) -> JsonSchemaValue:
        fields = ((one["name"], one) for one in schema["fields"] if one.get("init", True))
        return self._fields(schema, fields)

    def typed_dict_schema(self, schema: Core) -> JsonSchemaValue:
        with self._under(schema.get("config")):
            found = self._fields(schema, schema["fields"].items())
        cls = schema.get("cls")
        if cls is not None:
            found.setdefault("title", cls.__name__)
            doc = cls.__doc__ and inspect.cleandoc(cls.__doc__)
            if doc and doc != (dict.__doc__ or ""):
                found["description"] = doc
        return found

    def _fields(self, schema: Core, fields: Any) -> JsonSchemaValue:
        config = self._configs[-1]
        by_alias = config.get("validate_by_alias") is not False
        by_name = bool(config.get("validate_by_name") or config.get("populate_by_name"))
        total = schema.get("total", config.get("typed_dict_total", True))
        members: dict[str, Member] = {}
        for name, one in fields:
            with self._at(name):
                alias = one.get("validation_alias")
                path, others = place_of(name, alias, by_alias=by_alias, by_name=by_name)
                required = self.field_is_required(one, total) or not self._default_holds(one)
                try:
                    found = self.generate_inner(one)
                except PydanticOmit:
                    if not required:
                        continue
                    raise UnsupportedSpec(
                        "SkipJsonSchema",
                        "a field that must be there is left out of the schema",
                        where=self._where(),
                        hint="give it a default",
                    ) from None
                if "title" not in found and self.field_title_should_be_set(one):
                    found["title"] = self.get_title_from_name(
                        str(path[-1]) if len(path) == 1 else name
                    )
            members[name] = Member(found, required, path, others)
        extra = schema.get("extra_behavior") or config.get(
            "extra_fields_behavior", config.get("extra")
        )
        extras = schema.get("extras_schema")
        if schema.get("extras_keys_schema") not in (None, {"type": "str"}) and extra == "allow":
            raise UnsupportedSpec(
                "extras", "keys of extra members are not enforced", hint="use a dict for them"
            )
        return object_schema(
            members, extra, None if extras is None else self.generate_inner(extras)
        )

    def _default_holds(self, field: Core) -> bool:
        """Whether a field may be left out: a default that is read like a value must be one."""
        schema = field["schema"]
        checked = schema.get("validate_default", self._configs[-1].get("validate_default"))
        if schema["type"] != "default" or not checked or "default" not in schema:
            return True
        try:
            SchemaValidator(schema).validate_python(schema["default"])
        except ValidationError:
            return False
        except SchemaError:  # it needs definitions from elsewhere
            return True
        return True

    def tagged_union_schema(self, schema: Core) -> JsonSchemaValue:
        """Each choice with its tag, which must be there: reading looks at it first."""
        tag = schema["discriminator"]
        if callable(tag):
            raise UnsupportedSpec(
                "callable discriminator",
                f"which choice {_name_of(tag)} takes is known only to its code",
                hint="use the name of a field as discriminator, or a union without one",
            )
        paths = (
            [[tag]] if isinstance(tag, str) else [p if isinstance(p, list) else [p] for p in tag]
        )
        if isinstance(tag, list) and tag and all(isinstance(step, str | int) for step in tag):
            paths = [tag] if len(tag) > 1 else [[tag[0]]]
        choices: dict[int, tuple[Core, list[Any]]] = {}
        for value, choice in schema["choices"].items():
            choices.setdefault(id(choice), (choice, []))[1].append(value)
        found = [self._tagged(choice, values, paths) for choice, values in choices.values()]
        return found[0] if len(found) == 1 else {"anyOf": found}

    def _tagged(self, choice: Core, values: list[Any], paths: list[list[Any]]) -> JsonSchemaValue:
        written = self.generate_inner(choice)
        try:
            members = self.resolve_ref_schema(written).get("properties", {})
        except RuntimeError:  # defined further on
            members = {}
        heads = [path[0] for path in paths if len(path) == 1]
        name = next((head for head in heads if head in members), heads[0] if heads else None)
        if name is None:
            raise UnsupportedSpec(
                "discriminator", "a tag inside another member is not enforced", hint="use a field"
            )
        tags = [json.loads(json.dumps(to_jsonable_python(value))) for value in values]
        one = {"const": tags[0]} if len(tags) == 1 else {"enum": tags}
        bare = {key: value for key, value in written.items() if key not in ANNOTATIONS}
        return {**{"allOf": [bare]}, "properties": {name: one}, "required": [name]}

    # Containers

    def dict_schema(self, schema: Core) -> JsonSchemaValue:
        return self._mapping(schema)

    def frozendict_schema(self, schema: Core) -> JsonSchemaValue:
        return self._mapping(schema)

    def ordered_dict_schema(self, schema: Core) -> JsonSchemaValue:
        return self._mapping(schema)

    def counter_schema(self, schema: Core) -> JsonSchemaValue:
        return self._mapping(schema)

    def _mapping(self, schema: Core) -> JsonSchemaValue:
        values = self.generate_inner(schema["values_schema"]) if "values_schema" in schema else {}
        values = {key: value for key, value in values.items() if key != "title"}
        found: JsonSchemaValue = {"type": "object", "additionalProperties": values or True}
        keys = schema.get("keys_schema")
        if keys is not None:
            names = self._keys(keys)
            if names != {"type": "string"}:
                found["propertyNames"] = names
        self._counted(found, schema, keys, "Properties")
        return found

    def _keys(self, keys: Core) -> JsonSchemaValue:
        before, self._key = self._key, True
        try:
            found = self.generate_inner(keys)
        finally:
            self._key = before
        return {key: value for key, value in found.items() if key not in ANNOTATIONS}

    def _as_key(self, schema: Core) -> Core:
        """A core schema to be read from a key, where no definition is shared."""
        kind = schema["type"]
        if kind == "definition-ref":
            schema = self._refs.get(schema["schema_ref"], schema)
            kind = schema["type"]
        if kind not in KEYS:
            raise UnsupportedSpec(
                "key", f"a key of kind {kind} is not read from JSON", hint="use str or int keys"
            )
        return {key: value for key, value in schema.items() if key != "ref"}

    def set_schema(self, schema: Core) -> JsonSchemaValue:
        return self._set(schema)

    def frozenset_schema(self, schema: Core) -> JsonSchemaValue:
        return self._set(schema)

    def _set(self, schema: Core) -> JsonSchemaValue:
        """A list, with repeats, which reading drops; without them where a size must be reached."""
        items = schema.get("items_schema")
        found: JsonSchemaValue = {
            "type": "array",
            "items": self.generate_inner(items) if items else {},
        }
        if (schema.get("min_length") or 0) > 1:
            found["uniqueItems"] = True
        self._counted(found, schema, items, "Items")
        return found

    def _counted(self, found: JsonSchemaValue, schema: Core, items: Core, what: str) -> None:
        """Sizes that hold after reading, which may make two JSON values one."""
        least, most = schema.get("min_length"), schema.get("max_length")
        if least:
            found[f"min{what}"] = least
        if most is not None:
            found[f"max{what}"] = most
        if (least or 0) > 1 and not self._told_apart(items):
            raise UnsupportedSpec(
                "min_length",
                "values that differ as JSON may be the same when they are read, so that too few "
                "are left",
                hint="use a list, items of str, int or Literal, or min_length=1",
            )

    def _told_apart(self, core: Core) -> bool:
        """Whether values that differ as JSON differ when they are read."""
        core = core or {"type": "any"}
        if core["type"] == "definition-ref":
            core = self._refs.get(core["schema_ref"], core)
        if core["type"] in ("enum", "literal"):
            values = [m.value for m in core["members"]] if "members" in core else core["expected"]
            return all(isinstance(value, str) for value in values) or all(
                type(value) is int for value in values
            )
        changed = any(
            core.get(name) or self._configs[-1].get(f"str_{name}")
            for name in ("to_lower", "to_upper")
        )
        return core["type"] in ONCE and not changed

    def tuple_schema(self, schema: Core) -> JsonSchemaValue:
        variadic = schema.get("variadic_item_index")
        if variadic is not None and variadic + 1 < len(schema["items_schema"]):
            raise UnsupportedSpec(
                "tuple", "items after those of any number are not enforced", hint="put them before"
            )
        return super().tuple_schema(schema)

    # Texts and numbers

    def any_schema(self, schema: Core) -> JsonSchemaValue:
        return {"type": "string"} if self._key else {}

    def bool_schema(self, schema: Core) -> JsonSchemaValue:
        return {"enum": ["true", "false"]} if self._key else {"type": "boolean"}

    def int_schema(self, schema: Core) -> JsonSchemaValue:
        return numbers.integer_schema(schema, text=self._key)

    def float_schema(self, schema: Core) -> JsonSchemaValue:
        allowed = schema.get("allow_inf_nan")
        if allowed is None:
            allowed = self._configs[-1].get("allow_inf_nan", True)
        return numbers.float_schema(schema, not allowed, text=self._key)

    def decimal_schema(self, schema: Core) -> JsonSchemaValue:
        return numbers.decimal_schema(schema, text=self._key)

    def fraction_schema(self, schema: Core) -> JsonSchemaValue:
        return numbers.fraction_schema(schema, text=self._key)

    def complex_schema(self, schema: Core) -> JsonSchemaValue:
        return numbers.complex_schema(text=self._key)

    def str_schema(self, schema: Core) -> JsonSchemaValue:
        return string_schema(schema, self._configs[-1])

    def bytes_schema(self, schema: Core) -> JsonSchemaValue:
        """The text whose UTF-8 they are, or what the model's settings say; lengths are of bytes."""
        written = self._configs[-1].get("val_json_bytes", "utf8")
        least, most = schema.get("min_length") or 0, schema.get("max_length")
        end = "" if most is None else most
        if written == "hex":
            return {"type": "string", "pattern": f"^(?:[0-9a-f]{{2}}){{{least},{end}}}$"}
        if written == "base64":
            if least or most is not None:
                raise UnsupportedSpec(
                    "bytes length", "lengths of base64 are not enforced", hint="leave them out"
                )
            return {"type": "string", "pattern": f"^{base64_pattern(BASE64URL)}$"}
        found: JsonSchemaValue = {"type": "string"}
        if least:
            found["minLength"] = least
        if most is not None:
            found |= {"maxLength": most, "pattern": "^[\\x00-\\x7f]*$"}
        return found

    def uuid_schema(self, schema: Core) -> JsonSchemaValue:
        return uuid_schema(schema.get("version"))

    def date_schema(self, schema: Core) -> JsonSchemaValue:
        return temporal.date_schema(schema)

    def time_schema(self, schema: Core) -> JsonSchemaValue:
        return temporal.time_schema(schema)

    def datetime_schema(self, schema: Core) -> JsonSchemaValue:
        return temporal.datetime_schema(schema)

    def timedelta_schema(self, schema: Core) -> JsonSchemaValue:
        return temporal.duration_schema(schema)

    def url_schema(self, schema: Core) -> JsonSchemaValue:
        return url_schema(schema.get("allowed_schemes"), schema.get("max_length"))

    def multi_host_url_schema(self, schema: Core) -> JsonSchemaValue:
        return self.url_schema(schema)

    def literal_schema(self, schema: Core) -> JsonSchemaValue:
        return self._values(schema, schema["expected"])

    def enum_schema(self, schema: Core) -> JsonSchemaValue:
        said = super().enum_schema(schema)
        rest = {key: said[key] for key in ("title", "description") if key in said}
        return {**rest, **self._values(schema, schema["members"])}

    def _values(self, schema: Core, values: Any) -> JsonSchemaValue:
        """The values whose JSON is read: tried one by one, since not each is."""
        bare = {key: value for key, value in schema.items() if key not in ("ref", "metadata")}
        reader = SchemaValidator({"type": "dict", "keys_schema": bare} if self._key else bare)
        written = []
        for value in values:
            try:
                found = json.loads(
                    json.dumps(to_jsonable_python(getattr(value, "value", value)), allow_nan=False)
                )
                text = found
                if self._key:
                    text = found if isinstance(found, str) else json.dumps(found)
                    found = {text: 0}
                reader.validate_json(json.dumps(found))
            except (ValidationError, ValueError, TypeError) as error:
                raise UnsupportedSpec(
                    "value",
                    f"{value!r} is not read from JSON",
                    hint="use a text or a number for it",
                ) from error
            written.append(text)
        if len(written) == 1:
            found = {"const": written[0]}
        else:
            found = {"enum": written}
        names = {bool: "boolean", str: "string", int: "integer", float: "number", list: "array"}
        kinds = {type(value) for value in written}
        if len(kinds) == 1 and kinds <= set(names):
            found["type"] = names[kinds.pop()]
        return found

    # Code

    def function_before_schema(self, schema: Core) -> JsonSchemaValue:
        return self._function(schema, super().function_before_schema)

    def function_after_schema(self, schema: Core) -> JsonSchemaValue:
        return self._function(schema, super().function_after_schema)

    def function_wrap_schema(self, schema: Core) -> JsonSchemaValue:
        return self._function(schema, super().function_wrap_schema)

    def function_plain_schema(self, schema: Core) -> JsonSchemaValue:
        return self._function(schema, super().function_plain_schema)

    def _function(self, schema: Core, said: Callable[[Core], JsonSchemaValue]) -> JsonSchemaValue:
        function = schema["function"]["function"]
        name = _name_of(function)
        if not _of_pydantic(function):
            before, self._converted = self._converted, self._converted or _converts(schema)
            try:
                return said(schema)
            finally:
                self._converted = before
        if _is_harmless(schema):
            return said(schema)
        if name in CHECKS and isinstance(function, functools.partial):
            inner = self._checked(schema["schema"], CHECKS[name], function)
            if inner is not None:
                return self.generate_inner(inner)
        self._places.setdefault(name, self._where())
        if name == "ByteSize._validate":
            size = r"^(?:[0-9]{1,9}|[0-9]{1,9}\.[0-9]{1,3})(?: ?(?:(?:[kKMGTPE]i?)?[bB]))?$"
            return {
                "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": size}]
            }
        inside = self.generate_inner(schema["schema"]) if "schema" in schema else {}
        return {**inside, CODE: name}

    def _checked(self, core: Core, bound: str, function: functools.partial[Any]) -> Core | None:
        """The core schema with a bound that a function checks, where its kind knows such a bound."""
        kind = core["type"]
        if kind == "union":
            choices = [one[0] if isinstance(one, tuple) else one for one in core["choices"]]
            within = [self._checked(one, bound, function) for one in choices]
            return None if None in within else {**core, "choices": within}
        step = INSIDE.get(kind)
        if step is not None:
            if kind.startswith("function-") and not _keeps_bounds(core, bound):
                return None
            within = self._checked(core[step], bound, function)
            return None if within is None else {**core, step: within}
        values = [*function.args, *function.keywords.values()]
        kinds = LENGTHS if bound.endswith("length") else NUMBERS
        if kind == "url":  # is written anew, and so may become shorter, or longer by what it lacks
            kinds = ("url",) if bound == "max_length" and "default_port" not in core else ()
        if kind not in kinds or len(values) != 1:
            return None
        return {**core, bound: _tighter(bound, core.get(bound), values[0])}

    def chain_schema(self, schema: Core) -> JsonSchemaValue:
        first, *rest = schema["steps"]
        found = self.generate_inner(first)
        for step in rest:
            if step["type"] == "is-instance" and step["cls"] is Hashable:
                found = _narrowed(found, {"type": ["string", "number", "boolean", "null"]})
            elif not (step["type"].startswith("function-") and "schema" not in step):
                raise UnsupportedSpec(
                    "chain",
                    f"a second step of kind {step['type']} is not enforced",
                    hint="declare one type",
                )
        return found

    def is_subclass_schema(self, schema: Core) -> JsonSchemaValue:
        raise UnsupportedSpec("type[...]", "classes are not read from JSON", hint="use a Literal")

    def json_schema(self, schema: Core) -> JsonSchemaValue:
        raise UnsupportedSpec(
            "Json", "a text that holds JSON is not enforced", hint="use the type inside Json itself"
        )

    def nullable_schema(self, schema: Core) -> JsonSchemaValue:
        if self._key:
            return self.generate_inner(schema["schema"])
        return super().nullable_schema(schema)


def _check_class(cls: type) -> None:
    if inspect.isabstract(cls):
        raise UnsupportedSpec(
            "abstract class",
            f"nothing can be read as the abstract class {cls.__qualname__}",
            hint="use a union of the classes that are not abstract",
        )


def _tighter(bound: str, one: Any, other: Any) -> Any:
    if one is None:
        return other
    return max(one, other) if bound in ("gt", "ge", "min_length") else min(one, other)


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def _of_pydantic(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    module = getattr(function, "__module__", None) or type(function).__module__
    return str(module).partition(".")[0] in ("pydantic", "pydantic_core", "pydantic_extra_types")


def _is_harmless(schema: Core) -> bool:
    """Whether a function accepts all that the schema inside lets through."""
    function = schema["function"]["function"]
    return _of_pydantic(function) and _name_of(function).endswith(HARMLESS)


def _keeps_bounds(schema: Core, bound: str) -> bool:
    """Whether what a function makes of a value has the length, or the order, of that value."""
    name = _name_of(schema["function"]["function"])
    sized = _is_harmless(schema) and not name.startswith("Secret.") and name.endswith(SIZED)
    return name in CHECKS or (sized and bound.endswith("length"))


def _converts(schema: Core) -> bool:
    """Whether a user's code sees the JSON before the schema inside: what was declared counts then."""
    before = schema["type"] in ("function-before", "function-wrap", "function-plain")
    return before and not _of_pydantic(schema["function"]["function"])


def _codes(schema: Any) -> Iterator[str]:
    """The names of unknown code in a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get(CODE), str):
            yield schema[CODE]
        for value in schema.values():
            yield from _codes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _codes(value)


def _narrowed(said: JsonSchemaValue, plain: JsonSchemaValue) -> JsonSchemaValue:
    """Both: `said`, which keeps its annotations, and `plain` beside it where that says more."""
    meant = {key: value for key, value in said.items() if key not in ANNOTATIONS}
    known = {key: value for key, value in plain.items() if key not in ANNOTATIONS}
    if meant == known or not known:
        return said
    extra = set(meant) - set(known)
    if (
        all(key in meant and meant[key] == value for key, value in known.items())
        and extra <= NARROWING
    ):
        return said
    if set(meant) <= {"type"} and all(known.get(key) == value for key, value in meant.items()):
        return {**said, **known}
    return {**said, "allOf": [*said.get("allOf", ()), known]}
