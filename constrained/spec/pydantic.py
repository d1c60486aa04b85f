"""Python types as JSON: the schema that pydantic gives them, and typed reading.

A type means exactly its own members: objects of models, dataclasses and TypedDicts are closed
unless they ask for extra members, since pydantic would drop those silently.
"""

from __future__ import annotations

from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from constrained.errors import InvalidSpec, TextRejected, UnsupportedSpec

__all__ = ["TypeReader", "type_schema"]

INTEGER_KEY = {"pattern": "^-?(0|[1-9][0-9]*)$"}


class _ClosedSchema(GenerateJsonSchema):
    """pydantic's JSON Schema, made to mean what its own validation accepts."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return _closed(super().model_schema(schema))

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return _closed(super().dataclass_schema(schema))

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return _closed(super().typed_dict_schema(schema))

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """A number; the strings that pydantic also reads would escape the bounds."""
        found: JsonSchemaValue = {"type": "number"}
        self.update_with_validations(found, schema, self.ValidationsMapping.numeric)
        return found

    def set_schema(self, schema: core_schema.SetSchema) -> JsonSchemaValue:
        return _as_list(super().set_schema(schema))

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> JsonSchemaValue:
        return _as_list(super().frozenset_schema(schema))

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        found = super().dict_schema(schema)
        if schema.get("keys_schema", {}).get("type") == "int":
            found["propertyNames"] = INTEGER_KEY
        return found


def _closed(schema: JsonSchemaValue) -> JsonSchemaValue:
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


def _as_list(schema: JsonSchemaValue) -> JsonSchemaValue:
    """A set may be written with repeats, which reading drops, unless it must have a size."""
    if not schema.get("minItems"):
        schema.pop("uniqueItems", None)
    return schema


def type_schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """The JSON Schema of a type.

    Raises `UnsupportedSpec` for types that JSON cannot hold.
    """
    try:
        return adapter.json_schema(schema_generator=_ClosedSchema)
    except PydanticInvalidForJsonSchema as error:
        raise UnsupportedSpec(
            "type",
            f"no JSON Schema describes this type: {str(error).splitlines()[0]}",
            hint="use types that JSON can hold",
        ) from error


class TypeReader:
    """Reads a JSON text as a value of a type."""

    def __init__(self, kind: Any, source: str) -> None:
        self.source = source
        try:
            self.adapter: TypeAdapter[Any] = (
                kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)
            )
        except (PydanticUserError, NameError, TypeError) as error:
            raise InvalidSpec(
                f"{source} is neither a JSON Schema nor a type that pydantic reads: "
                f"{str(error).splitlines()[0]}",
                hint="pass a dict, a bool, or a type such as a pydantic model",
            ) from error

    def __call__(self, text: str) -> Any:
        """The value; `TextRejected` where the type refuses it for a reason no schema says."""
        try:
            return self.adapter.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            place = ".".join(str(step) for step in first["loc"])
            reason = f"{place}: {first['msg']}" if place else first["msg"]
            raise TextRejected(text, 0, f"what {self.source} accepts ({reason})") from error
