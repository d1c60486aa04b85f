"""attrs classes, as types that pydantic reads: by the names and types of their attributes.

attrs itself reads no JSON. A class is read from an object with a member for each attribute of its
``__init__``, as `attrs.asdict` writes it; the validators that attrs offers as bounds (`ge`,
`max_len`, `in_`, `matches_re`) hold in the mask, other code when the class is called.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from enum import EnumMeta
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from constrained.errors import InvalidSpec, UnsupportedSpec
from constrained.spec.generics import arguments_by_class, filled

__all__ = ["MADE", "is_attrs", "with_attrs"]

MADE = "attrs class"
"""The metadata of a core schema that says which class is called."""

BOUNDS = {">=": "ge", ">": "gt", "<=": "le", "<": "lt"}

Filled = tuple[type, tuple[Any, ...]]
"""A class, and the arguments of a generic one."""

_OPEN: ContextVar[tuple[Filled, ...]] = ContextVar("attrs classes being read", default=())


def is_attrs(kind: Any) -> bool:
    """Whether this is a class that attrs made."""
    return isinstance(kind, type) and "__attrs_attrs__" in vars(kind) and "attr" in sys.modules


def with_attrs(kind: Any) -> Any:
    """The type, its attrs classes marked so that pydantic reads them.

    >>> with_attrs(list[int])
    list[int]
    """
    if "attr" not in sys.modules:
        return kind
    if is_attrs(kind):
        return Annotated[kind, _Attrs(kind)]
    origin, parts = get_origin(kind), get_args(kind)
    if origin is None or origin is Literal or not parts:
        return kind
    if is_attrs(origin):
        return Annotated[kind, _Attrs(origin, parts)]
    if origin is Annotated:
        inner = with_attrs(parts[0])
        return kind if inner is parts[0] else Annotated[(inner, *parts[1:])]
    marked = tuple(map(with_attrs, parts))
    if all(one is other for one, other in zip(parts, marked, strict=True)):
        return kind
    return reduce(or_, marked) if origin in (Union, types.UnionType) else origin[marked]


class _Attrs:
    """Tells pydantic how a class of attrs is read; `arguments` are those of a generic one."""

    def __init__(self, cls: type, arguments: tuple[Any, ...] = ()) -> None:
        self.cls = cls
        self.arguments = arguments

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        cls = self.cls
        ref = f"{cls.__module__}.{cls.__qualname__}:{id(cls)}"
        if self.arguments:
            ref += f":{self.arguments!r}"
        if (cls, self.arguments) in _OPEN.get():
            return core_schema.definition_reference_schema(ref)
        token = _OPEN.set((*_OPEN.get(), (cls, self.arguments)))
        try:
            return self._schema(ref, handler)
        finally:
            _OPEN.reset(token)

    def _schema(self, ref: str, handler: GetCoreSchemaHandler) -> CoreSchema:
        attributes = [one for one in vars(self.cls)["__attrs_attrs__"] if one.init]
        try:
            hints = get_type_hints(self.cls, include_extras=True)
        except NameError as error:
            raise InvalidSpec(
                f"the types of {self.cls.__qualname__} cannot be read: {error}",
                hint="write them where the class is defined",
            ) from error
        variables = arguments_by_class(self.cls, self.arguments)
        fields = {}
        for one in attributes:
            kind = hints.get(one.name, one.type if one.type is not None else Any)
            kind = filled(kind, variables[_owner(self.cls, one.name)])
            kind = with_attrs(_bounded(kind, one.validator, f"{self.cls.__qualname__}.{one.name}"))
            optional = one.default is not sys.modules["attr"].NOTHING and _default_holds(one)
            fields[one.name] = core_schema.typed_dict_field(
                handler.generate_schema(kind), required=not optional
            )
        members = core_schema.typed_dict_schema(fields, cls_name=self.cls.__qualname__)
        return core_schema.no_info_after_validator_function(
            _maker(self.cls, {one.name: one.alias for one in attributes}),
            members,
            ref=ref,
            metadata={MADE: self.cls},
        )


def _owner(cls: type, name: str) -> type:
    """The class that says the type of an attribute."""
    return next((one for one in cls.__mro__ if name in vars(one).get("__annotations__", {})), cls)


def _default_holds(one: Any) -> bool:
    """Whether an attribute may be left out: its default satisfies its validator, if it has one."""
    if one.validator is None:
        return True
    default = one.default
    if isinstance(default, sys.modules["attr"].Factory):
        if default.takes_self:
            return True
        default = default.factory()
    try:
        one.validator(None, one, default)
    except (ValueError, TypeError):
        return False
    return True


def _maker(cls: type, names: Mapping[str, str]) -> Callable[[dict[str, Any]], Any]:
    def make(members: dict[str, Any]) -> Any:
        return cls(**{names[name]: value for name, value in members.items()})

    return make


def _bounded(kind: Any, validator: Any, place: str) -> Any:
    """The type within the bounds that validators of attrs set; other code stays outside."""
    if validator is None or not type(validator).__module__.startswith("attr."):
        return kind
    name = type(validator).__name__
    if name == "_AndValidator":
        for one in validator._validators:  # noqa: SLF001  # attrs has no public name for them
            kind = _bounded(kind, one, place)
        return kind
    if name == "_InstanceOfValidator":
        within = _instances(kind, validator.type)
        if within is not None:
            return within
    if name == "_OptionalValidator":
        inner = _bounded(kind, validator.validator, place)
        return kind if inner is kind else inner | None
    if name == "_NumberValidator":
        return Annotated[kind, Field(**{BOUNDS[validator.compare_op]: validator.bound})]
    if name == "_MaxLengthValidator":
        return Annotated[kind, Field(max_length=validator.max_length)]
    if name == "_MinLengthValidator":
        return Annotated[kind, Field(min_length=validator.min_length)]
    if name == "_InValidator":
        options = tuple(validator.options)
        members = _members_of(kind, options)
        if members is not None:
            return members
        if isinstance(kind, type):
            options = tuple(option for option in options if isinstance(option, kind))
        if all(isinstance(option, str | int | bool) for option in options):
            return Literal[options]
    if name == "_MatchesReValidator":
        pattern = validator.pattern.pattern
        how = getattr(validator.match_func, "__name__", "")
        start, end = "" if how == "search" else "^", "$" if how == "fullmatch" else ""
        return Annotated[kind, Field(pattern=f"{start}(?:{pattern}){end}")]
    raise UnsupportedSpec(
        name.strip("_"),
        f"the validator {validator!r} of {place} is not enforced",
        hint="use the bounds of attrs.validators, or leave it to code of your own",
    )


def _members_of(kind: Any, options: tuple[Any, ...]) -> Any:
    """An enum (or None) of these options only, by what JSON has for them; None for other types."""
    parts = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    enums = [part for part in parts if part is not type(None)]
    if len(enums) != 1 or not isinstance(enums[0], EnumMeta):
        return None
    allowed = [option for option in options if isinstance(option, enums[0])]
    if len(parts) > 1 and None in options:
        allowed.append(None)
    if len(allowed) == len(list(enums[0])) + len(parts) - 1:
        return kind
    written = [getattr(option, "value", None) for option in allowed]
    return Annotated[kind, Field(json_schema_extra={"enum": written})]


def _instances(kind: Any, classes: Any) -> Any:
    """The part of a type whose values are instances of the classes; None where that is not known.

    >>> _instances(int | str | None, str)
    <class 'str'>
    """
    classes = classes if isinstance(classes, tuple) else (classes,)
    origin = get_origin(kind)
    if kind is Any:
        return reduce(or_, classes)
    if origin in (Union, types.UnionType):
        parts = [part for part in get_args(kind) if _instances(part, classes) is not None]
        return reduce(or_, parts) if parts else None
    if origin is Literal:
        return kind if all(isinstance(value, classes) for value in get_args(kind)) else None
    if origin is Annotated:
        return None if _instances(get_args(kind)[0], classes) is None else kind
    held = origin or kind
    return kind if isinstance(held, type) and issubclass(held, classes) else None
