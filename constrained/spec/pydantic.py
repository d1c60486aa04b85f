"""Python types as JSON: the schema that pydantic gives them, and typed reading.

A type means exactly its own members: objects of models, dataclasses and TypedDicts are closed
unless they ask for extra members, since pydantic would drop those silently.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from constrained.errors import ConstrainedError, InvalidSpec, TextRejected, UnsupportedSpec
from constrained.spec.typed.attrs_types import with_attrs
from constrained.spec.typed.kinds import TypeSchema
from constrained.spec.typed.msgspec_types import MsgspecReader, is_msgspec

__all__ = ["Reader", "TypeReader", "type_reader", "type_schema"]


class Reader(Protocol):
    """Reads a JSON text as a value of a type, whose JSON Schema it has."""

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of all that may be written."""

    def __call__(self, text: str) -> Any:
        """The value. Raises `TextRejected`."""


def type_reader(kind: Any, source: str) -> Reader:
    """What reads a type: msgspec its own types, pydantic all others.

    `source` is how errors call the type. Raises `InvalidSpec` for what is no type.

    >>> type_reader(int, "int").schema
    {'type': 'integer'}
    """
    return MsgspecReader(kind, source) if is_msgspec(kind) else TypeReader(kind, source)


def type_schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """The JSON Schema of all that may be written of a type.

    Raises `UnsupportedSpec` with the field for types that JSON cannot hold, and for what cannot be
    enforced.
    """
    generator = TypeSchema(config=getattr(adapter, "_config", None))
    made = partial(_same, generator)
    try:
        return adapter.json_schema(schema_generator=cast(type[TypeSchema], made))
    except PydanticInvalidForJsonSchema as error:
        raise UnsupportedSpec(
            "type",
            f"no JSON Schema describes this type: {str(error).splitlines()[0]}",
            where=generator.invalid_at,
            hint="use types that JSON can hold",
        ) from error
    except ConstrainedError:
        raise
    except RecursionError as error:
        raise _too_deep() from error
    except Exception as error:  # of a class that is not complete yet, or of its own code
        raise InvalidSpec(
            f"the JSON Schema of this type cannot be made: {_reason(error)}",
            where=generator.invalid_at,
            hint="complete the type first",
        ) from error


def _too_deep() -> UnsupportedSpec:
    return UnsupportedSpec(
        "nesting",
        "the type has too many types inside each other",
        hint="use fewer levels, or a class that holds itself",
    )


def _reason(error: Exception) -> str:
    """What an error says in its first line, and in those that it leads to."""
    said, *more = str(error).splitlines() or [type(error).__name__]
    while said.endswith(":") and more:
        said = f"{said} {more.pop(0).strip()}"
    return said


def _same(generator: TypeSchema, **_: Any) -> TypeSchema:
    """Where pydantic makes a generator, the one whose findings are looked at later."""
    return generator


class TypeReader:
    """Reads a JSON text as a value of a type, with pydantic."""

    def __init__(self, kind: Any, source: str) -> None:
        self.source = source
        try:
            self.adapter: TypeAdapter[Any] = (
                kind if isinstance(kind, TypeAdapter) else TypeAdapter(with_attrs(kind))
            )
        except ConstrainedError:
            raise
        except RecursionError as error:
            raise _too_deep() from error
        except Exception as error:  # of pydantic, or of what the type itself does when it is asked
            raise InvalidSpec(
                f"{source} is neither a JSON Schema nor a type that pydantic reads: "
                f"{_reason(error)}",
                hint="pass a dict, a bool, or a type such as a pydantic model",
            ) from error

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of all that may be written."""
        return type_schema(self.adapter)

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
