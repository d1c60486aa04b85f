"""Types with parameters: what a generic class or alias means with its arguments in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar, get_args, get_origin, get_type_hints

from constrained.errors import InvalidSpec, UnsupportedSpec

__all__ = ["alias_value", "arguments_by_class", "filled"]


def filled(kind: Any, arguments: Mapping[Any, Any]) -> Any:
    """The type with its variables replaced; a variable without an argument means anything.

    >>> T = TypeVar("T")
    >>> filled(dict[str, T], {T: int})
    dict[str, int]
    """
    if isinstance(kind, TypeVar):
        return arguments.get(kind, _unbound(kind))
    wanted = getattr(kind, "__parameters__", ())
    if not wanted or (isinstance(kind, type) and get_origin(kind) is None):
        return kind
    return kind[tuple(filled(one, arguments) for one in wanted)]


def _unbound(variable: TypeVar) -> Any:
    return Any if variable.__bound__ is None else variable.__bound__


def arguments_by_class(cls: type, arguments: tuple[Any, ...] = ()) -> dict[type, dict[Any, Any]]:
    """What the variables of a class and of its bases stand for, by the class that has them.

    Raises `UnsupportedSpec` for parameters that are no plain variables.
    """
    wanted = getattr(cls, "__parameters__", ())
    if not all(isinstance(one, TypeVar) for one in wanted):
        raise UnsupportedSpec(
            "generic",
            f"{cls.__qualname__} has parameters that are no TypeVar",
            hint="use a TypeVar for each",
        )
    own = dict(zip(wanted, arguments or map(_unbound, wanted), strict=True))
    found = {cls: own}
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        origin = get_origin(base) or base
        if isinstance(origin, type) and origin not in (Generic, Protocol, object):
            given = tuple(filled(one, own) for one in get_args(base))
            found = {**arguments_by_class(origin, given), **found}
    return found


def alias_value(kind: Any) -> Any:
    """What a `TypeAliasType` stands for, with its arguments in place; None for what is no alias.

    >>> alias_value(int) is None
    True
    """
    alias = get_origin(kind) or kind
    if isinstance(alias, type) or not hasattr(alias, "__type_params__"):
        return None
    if type(alias).__name__ != "TypeAliasType":
        return None
    try:
        # in a class of the same module, so that names in quotation marks are looked up there
        body = {"__annotations__": {"value": alias.__value__}, "__module__": alias.__module__}
        value = get_type_hints(type("Alias", (), body), include_extras=True)["value"]
    except NameError as error:
        raise InvalidSpec(
            f"what {alias} stands for cannot be read: {error}",
            hint="write the alias where its names are known",
        ) from error
    given = get_args(kind)
    return filled(value, dict(zip(alias.__type_params__, given, strict=False)))
