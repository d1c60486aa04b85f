"""Kinds of core schema with fields: models, dataclasses, TypedDicts, and unions told by a tag."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic_core import (
    PydanticOmit,
    SchemaError,
    SchemaValidator,
    ValidationError,
    to_jsonable_python,
)

from constrained.errors import UnsupportedSpec
from constrained.spec.typed.code import name_of, of_pydantic
from constrained.spec.typed.declared import ANNOTATIONS, both
from constrained.spec.typed.objects import Member, Path, object_schema, place_of
from constrained.spec.typed.walk import Core, Say, Walk

__all__ = ["CLASSES"]

Schema = dict[str, Any]


def _class(walk: Walk, schema: Core) -> Schema:
    """A model or dataclass: its fields, with the title and what its settings add."""
    if inspect.isabstract(schema["cls"]):
        raise UnsupportedSpec(
            "abstract class",
            f"nothing can be read as the abstract class {schema['cls'].__qualname__}",
            hint="use a union of the classes that are not abstract",
        )
    with walk.under(schema.get("config") or {}):
        said = walk.usual(schema)
        plain = walk.plain(schema["schema"])
    if plain is None or "$ref" in said:
        return said
    merged = both(_open(said), _open(plain))
    if "additionalProperties" in plain:
        merged["additionalProperties"] = plain["additionalProperties"]
    return merged


def _open(schema: Schema) -> Schema:
    """Without what pydantic says of other members: whether reading keeps them decides."""
    return {key: value for key, value in schema.items() if key != "additionalProperties"}


def _typed_dict(walk: Walk, schema: Core) -> Schema:
    with walk.under(schema.get("config")):
        found = _fields(walk, schema, schema["fields"].items())
    cls = schema.get("cls")
    if cls is not None:
        found.setdefault("title", cls.__name__)
        doc = inspect.cleandoc(cls.__doc__ or "")
        if doc and doc != inspect.cleandoc(dict.__doc__ or ""):
            found["description"] = doc
    return found


def _dataclass_fields(walk: Walk, schema: Core) -> Schema:
    given = ((one["name"], one) for one in schema["fields"] if one.get("init", True))
    return _fields(walk, schema, given)


def _fields(walk: Walk, schema: Core, fields: Iterable[tuple[str, Core]]) -> Schema:
    config = walk.config
    total = schema.get("total", config.get("typed_dict_total", True))
    members: dict[str, Member] = {}
    for name, one in fields:
        with walk.at(name):
            path, others, before = _place(name, one, config)
            required = walk.field_is_required(one, total) or not _default_holds(walk, one)
            try:
                found = walk.generate_inner(one)
            except PydanticOmit:
                if not required:
                    continue
                raise UnsupportedSpec(
                    "SkipJsonSchema",
                    "a field that must be there is left out of the schema",
                    where=walk.where,
                    hint="give it a default",
                ) from None
            if "title" not in found and walk.field_title_should_be_set(one):
                found["title"] = walk.get_title_from_name(str(path[-1]) if len(path) == 1 else name)
        members[name] = Member(found, required, path, others, before)
    extra = schema.get("extra_behavior") or config.get("extra_fields_behavior", config.get("extra"))
    extras = schema.get("extras_schema")
    if extra == "allow" and schema.get("extras_keys_schema", {"type": "str"}) != {"type": "str"}:
        raise UnsupportedSpec(
            "extras", "keys of extra members are not enforced", hint="use a dict for them"
        )
    return object_schema(members, extra, None if extras is None else walk.generate_inner(extras))


def _default_holds(walk: Walk, field: Core) -> bool:
    """Whether a field may be left out: a default that is read like a value must be one."""
    schema = field["schema"]
    told = {"default", "default_factory"} & schema.keys()
    if schema["type"] == "default" and field["type"] != "typed-dict-field" and not told:
        return False  # it says what an error does (`OnErrorOmit`), and nothing of a default
    checked = schema.get("validate_default", walk.config.get("validate_default"))
    if schema["type"] != "default" or not checked:
        return True
    inner = schema["schema"]
    while isinstance(inner, dict):
        if inner["type"].startswith("function-") and not of_pydantic(inner["function"]["function"]):
            return True  # what a user's code says of the default is known when it runs
        inner = inner.get("schema")
    if schema.get("default_factory_takes_data"):
        return False  # what it makes is known when the other fields are
    try:
        default = schema["default_factory"]() if "default_factory" in schema else schema["default"]
    except Exception:  # of a user's code, which may raise anything
        return False
    whole: Core = schema
    if walk.refs:
        whole = {"type": "definitions", "schema": schema, "definitions": [*walk.refs.values()]}
    settings: Any = dict(walk.config)
    try:
        SchemaValidator(whole, settings).validate_python(default)
    except (ValidationError, SchemaError):  # the second: it needs a definition that comes later
        return False
    return True


def _tagged_union(walk: Walk, schema: Core) -> Schema:
    """Each choice with its tag, which must be there: reading looks at it first."""
    tag = schema["discriminator"]
    if callable(tag):
        raise UnsupportedSpec(
            "callable discriminator",
            f"which choice {name_of(tag)} takes is known only to its code",
            hint="use the name of a field as discriminator, or a union without one",
        )
    if isinstance(tag, str):
        heads: list[Any] = [tag]
    elif tag and isinstance(tag[0], list):
        heads = [path[0] for path in tag if len(path) == 1]
    else:
        heads = [tag[0]] if len(tag) == 1 else []
    if not heads:
        raise UnsupportedSpec(
            "discriminator", "a tag inside another member is not enforced", hint="use a field"
        )
    choices: dict[int, tuple[Core, list[Any]]] = {}
    for value, choice in schema["choices"].items():
        choices.setdefault(id(choice), (choice, []))[1].append(value)
    found = [_tagged(walk, choice, values, heads) for choice, values in choices.values()]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _tagged(walk: Walk, choice: Core, values: list[Any], heads: list[Any]) -> Schema:
    written = walk.generate_inner(choice)
    members = list(_written_names(walk, choice, walk.config, 0))
    name = next((head for head in heads if head in members), None)
    if name is None:
        raise UnsupportedSpec(
            "discriminator",
            f"no choice is written with the tag {' or '.join(map(str, heads))}",
            hint="use a field that is read under its own name",
        )
    tags = [json.loads(json.dumps(to_jsonable_python(value))) for value in values]
    one = {"const": tags[0]} if len(tags) == 1 else {"enum": tags}
    bare = {key: value for key, value in written.items() if key not in ANNOTATIONS}
    return {"allOf": [bare], "properties": {name: one}, "required": [name]}


def _written_names(walk: Walk, core: Core, config: Mapping[str, Any], depth: int) -> Iterator[str]:
    """The members that a choice of a union is written with, as far down as it is one value."""
    if core["type"] == "definition-ref":
        core = walk.refs.get(core["schema_ref"], core)
    if core["type"] in ("model", "dataclass"):
        config = core.get("config") or {}
    elif core["type"] == "typed-dict":
        config = core.get("config", config)
    if core["type"] in ("model-fields", "dataclass-args", "typed-dict"):
        fields = core["fields"]
        named = fields.items() if isinstance(fields, dict) else ((f["name"], f) for f in fields)
        for name, one in named:
            path, *_ = _place(name, one, config)
            if len(path) == 1:
                yield str(path[0])
    choices = core.get("choices") or ()
    within = list(choices.values()) if isinstance(choices, dict) else list(choices)
    within += [core[step] for step in ("schema", "json_schema", "lax_schema") if step in core]
    for inner in within if depth < DEEPEST else ():
        yield from _written_names(
            walk, inner[0] if isinstance(inner, tuple) else inner, config, depth + 1
        )


def _place(
    name: str, field: Core, config: Mapping[str, Any]
) -> tuple[Path, tuple[Path, ...], tuple[Path, ...]]:
    """Where a field is written under the settings of its class."""
    return place_of(
        name,
        field.get("validation_alias"),
        by_alias=config.get("validate_by_alias") is not False,
        by_name=bool(config.get("validate_by_name") or config.get("populate_by_name")),
    )


DEEPEST = 12
"""Wrappers and unions between a choice and its fields."""

CLASSES: Mapping[str, Say] = {
    "model": _class,
    "dataclass": _class,
    "model-fields": lambda walk, schema: _fields(walk, schema, schema["fields"].items()),
    "dataclass-args": _dataclass_fields,
    "typed-dict": _typed_dict,
    "tagged-union": _tagged_union,
}
