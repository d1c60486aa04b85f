"""Python types as JSON: the schema that pydantic gives them, and typed reading.

A type means exactly its own members: objects of models, dataclasses and TypedDicts are closed
unless they ask for extra members, since pydantic would drop those silently.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from constrained.errors import InvalidSpec, TextRejected, UnsupportedSpec
from constrained.spec.typed.core import TypeSchema

__all__ = ["TypeReader", "type_schema"]


def type_schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """The JSON Schema of a type.

    Raises `UnsupportedSpec` for types that JSON cannot hold.
    """
    try:
        settings = partial(TypeSchema, config=getattr(adapter, "_config", None))
        return adapter.json_schema(schema_generator=cast(type[TypeSchema], settings))
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
        except Exception as error:  # a validator's own code, which may raise anything
            reason = f"{type(error).__name__}: {error}"
            raise TextRejected(text, 0, f"what {self.source} accepts ({reason})") from error
