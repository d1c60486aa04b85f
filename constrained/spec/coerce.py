"""`as_spec`: anything that describes an output, as a spec."""

from __future__ import annotations

import dataclasses
import enum
import re
import types
import typing
from collections import abc
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Annotated, Any

from constrained.errors import InvalidSpec, UnsatisfiableSpec, UnsupportedSpec
from constrained.grammar import Grammar, intersect
from constrained.spec.compose import literal_text, united
from constrained.spec.generics import alias_value
from constrained.spec.lookalikes import refuse_lookalike, refuse_value
from constrained.spec.numbers import exactly, integer, number
from constrained.spec.numbers_json import in_decimals, integer_grammar, plain, signed_grammar
from constrained.spec.numbers_magnitude import Congruence, Magnitudes
from constrained.spec.spec import Spec
from constrained.spec.text import text
from constrained.spec.types import boolean, choice

__all__ = ["as_spec"]

ACCEPTED = (
    "accepted: a Spec, a str (that text), a range, a list, tuple or set of options, int, float, "
    "bool, str, None, Literal[...], an Enum class, Optional, Union, Annotated, a compiled regular "
    "expression, a pydantic model, a dataclass, a TypedDict, a JSON Schema as a dict; for JSON of "
    "other types that pydantic reads, json(...)"
)


def as_spec(obj: Any) -> Spec[Any]:
    """The spec that `obj` describes.

    ==================================  =====================================================
    a `Spec`                            itself
    a `str`                             that text, unless it has a hole or is a range
    `range(0, 11)`                      those integers (`integer`)
    a list, tuple, set of options       one of them (`choice`)
    `int`, `float`, `bool`, `str`       `integer()`, `number()`, `boolean()`, `text()`
    `None`                              ``null``
    `Literal[...]`, an `Enum` class     one of the values (`choice`)
    `Optional[X]`, `X | Y`              any of them; a text that several match is read by the first
    `Annotated[X, Field(ge=0)]`         X within ge, gt, le, lt, multiple_of, lengths, pattern
    `re.compile(...)`                   the texts that it matches in full (`regex`)
    a pydantic model or `TypeAdapter`,  its JSON (`json`)
    a dataclass, TypedDict, NamedTuple,
    ``list[...]``, a schema
    a `TypeAliasType`                   what it stands for
    ==================================  =====================================================

    Raises `InvalidSpec` for anything else, `UnsupportedSpec` for metadata of `Annotated` that
    cannot be enforced.

    >>> as_spec(range(0, 11))
    integer(0, 10)
    >>> as_spec(["a", "b"]) + " / " + as_spec(int)
    choice(['a', 'b']) + ' / ' + integer()
    """
    if isinstance(obj, Spec):
        return obj
    if isinstance(obj, str) and not isinstance(obj, enum.Enum):
        refuse_lookalike(obj)
        return literal_text(obj)
    if isinstance(obj, range):
        return _range(obj)
    refuse_value(obj)
    if isinstance(obj, list | tuple | set | frozenset):
        return choice(sorted(obj, key=repr) if isinstance(obj, set | frozenset) else obj)
    if obj is None or obj is type(None):
        return choice([None])
    if isinstance(obj, re.Pattern):
        from constrained.spec.regex import regex

        return regex(obj)
    if isinstance(obj, Mapping) or _is_structured(obj):
        return _json(obj)
    value = alias_value(obj)
    if value is not None:
        return _alias(obj, value)
    if isinstance(obj, typing.NewType):
        return as_spec(obj.__supertype__)
    origin = typing.get_origin(obj)
    if origin is typing.Literal:
        return choice(obj)
    if origin is typing.Annotated:
        return _annotated(*typing.get_args(obj))
    if origin is typing.Union or isinstance(obj, types.UnionType):
        first, *others = map(as_spec, typing.get_args(obj))
        for other in others:
            first = united(first, other)
        return first
    if isinstance(obj, type):
        return _type(obj)
    raise InvalidSpec(f"{obj!r} ({type(obj).__name__}) describes no output", hint=ACCEPTED)


def _alias(alias: Any, value: Any) -> Spec[Any]:
    try:
        return as_spec(value)
    except RecursionError as error:
        raise InvalidSpec(
            f"{alias} is made of itself with nothing around it",
            hint="put it into a list, a dict or a class",
        ) from error


STRUCTURES = (list, dict, tuple, set, frozenset, abc.Sequence, abc.Mapping)
SCALARS: Mapping[type, Callable[..., Spec[Any]]] = {
    bool: boolean,
    int: integer,
    float: number,
    str: text,
}


def _type(kind: type) -> Spec[Any]:
    if kind in SCALARS:
        return SCALARS[kind]()
    if issubclass(kind, enum.Enum):
        return choice(kind)
    raise InvalidSpec(f"the type {kind.__qualname__} describes no output", hint=ACCEPTED)


def _is_structured(kind: Any) -> bool:
    """Whether values of the type are written as JSON."""
    origin = typing.get_origin(kind)
    if origin in STRUCTURES or kind in STRUCTURES:
        return True
    if isinstance(origin, type):  # a generic class with arguments
        return _is_structured(origin)
    if not isinstance(kind, type):
        return hasattr(kind, "validate_json") and hasattr(kind, "json_schema")  # a TypeAdapter
    return bool(
        dataclasses.is_dataclass(kind)
        or hasattr(kind, "__required_keys__")  # a TypedDict, of typing or typing_extensions
        or (issubclass(kind, tuple) and hasattr(kind, "_fields"))  # a NamedTuple
        or hasattr(kind, "__get_pydantic_core_schema__")
        or hasattr(kind, "__attrs_attrs__")
        or hasattr(kind, "__struct_fields__")  # a Struct of msgspec
    )


def _json(schema: Any) -> Spec[Any]:
    from constrained.spec.json_schema import json

    return json(schema)


def _range(obj: range) -> Spec[int]:
    if obj.start == obj.stop or (obj.start < obj.stop) != (obj.step > 0):
        raise UnsatisfiableSpec(f"{obj!r} is empty")
    low, high = min(obj[0], obj[-1]), max(obj[0], obj[-1])
    return integer(low, high, step=abs(obj.step) if low < high else 1)


def _annotated(base: Any, *metadata: Any) -> Spec[Any]:
    """A type within the bounds that `annotated_types` or pydantic metadata set."""
    value = alias_value(base)
    if value is not None:
        return _alias(base, Annotated[(value, *metadata)])
    if any(getattr(item, "discriminator", None) is not None for item in metadata):
        return _json(Annotated[(base, *metadata)])  # the tag of a union is a matter of JSON
    bounds: dict[str, Any] = {}
    for name, value in _bounds(metadata):
        if name in bounds and bounds[name] != value:
            raise UnsupportedSpec(
                name, f"{name} is given twice: {bounds[name]!r} and {value!r}", hint="keep one"
            )
        bounds[name] = value
    if not bounds:
        return as_spec(base)
    if _is_structured(base):
        return _json(Annotated[(base, *metadata)])
    if base not in (int, float, str):
        raise UnsupportedSpec(next(iter(bounds)), f"cannot apply {', '.join(bounds)} to {base!r}")
    known = STRING_BOUNDS if base is str else NUMBER_BOUNDS
    for name, value in bounds.items():
        if name not in known:
            raise UnsupportedSpec(name, f"cannot enforce {name}={value!r} on {base.__name__}")
    if base is str:
        return _bounded_text(bounds)
    return _bounded_number(base, bounds)


NUMBER_BOUNDS = frozenset({"ge", "gt", "le", "lt", "multiple_of"})
STRING_BOUNDS = frozenset({"min_length", "max_length", "pattern"})
SAYS_NOTHING = frozenset({"strict", "allow_inf_nan"})
"""Settings of pydantic that hold of every text of these formats anyway."""


def _bounds(metadata: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """The settings among the metadata of an `Annotated`, as (name, value)."""
    for item in metadata:
        if item is None or isinstance(item, str):  # documentation
            continue
        inner = getattr(item, "metadata", None)
        if isinstance(inner, list):  # pydantic's Field
            yield from _bounds(inner)
            continue
        settings: Mapping[str, Any] = getattr(item, "__dict__", {})
        if dataclasses.is_dataclass(item) and not isinstance(item, type):
            settings = {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
        if callable(item) or "func" in settings or not settings:  # validators, predicates
            raise UnsupportedSpec(type(item).__name__, f"cannot enforce {item!r}")
        for name, value in settings.items():
            if value is not None and name not in SAYS_NOTHING:
                yield name, value


def _bounded_number(base: type, bounds: Mapping[str, Any]) -> Spec[Any]:
    low, exclusive_low = _tighter(bounds, "ge", "gt", max)
    high, exclusive_high = _tighter(bounds, "le", "lt", min)
    if base is int:
        least = None if low is None else floor(low) + 1 if exclusive_low else ceil(low)
        most = None if high is None else ceil(high) - 1 if exclusive_high else floor(high)
    if "multiple_of" not in bounds:
        if base is int:
            return integer(least, most)
        return number(
            bounds["gt" if exclusive_low else "ge"] if low is not None else None,
            bounds["lt" if exclusive_high else "le"] if high is not None else None,
            exclusive_low=exclusive_low,
            exclusive_high=exclusive_high,
        )
    # multiples count from 0 here, as in JSON Schema; the steps of `integer` from the lower bound
    step = exactly(bounds["multiple_of"], "multiple_of")
    if step <= 0:
        raise InvalidSpec(f"multiple_of must be above 0, not {bounds['multiple_of']!r}")
    if base is int:
        grammar = integer_grammar(
            least, most, multiple_of=step.numerator, negative_zero=False, exact=True
        )
    else:
        notation = Magnitudes(
            exclusive_low=exclusive_low,
            exclusive_high=exclusive_high,
            congruence=Congruence(in_decimals(step)),
            zeros="none",
        )
        condition = f"a multiple of {plain(step)}"
        grammar = signed_grammar(low, high, notation, doubles=True, condition=condition)
    settings = ", ".join(f"{name}={value!r}" for name, value in bounds.items())
    source = f"as_spec(Annotated[{base.__name__}, Field({settings})])"
    return Spec(source, grammar, base)


def _tighter(
    bounds: Mapping[str, Any],
    inclusive: str,
    exclusive: str,
    pick: Callable[[Fraction, Fraction], Fraction],
) -> tuple[Fraction | None, bool]:
    """The bound that counts of two, and whether it is excluded."""
    included, excluded = (
        exactly(bounds[name], name) if name in bounds else None for name in (inclusive, exclusive)
    )
    if excluded is None:
        return included, False
    if included is None or pick(included, excluded) == excluded:
        return excluded, True
    return included, False


def _bounded_text(bounds: Mapping[str, Any]) -> Spec[str]:
    lengths = {name: value for name, value in bounds.items() if name != "pattern"}
    if "pattern" not in bounds:
        return text(**lengths)
    from constrained.spec.regex import pattern_node

    node = pattern_node(str(bounds["pattern"]), search=True, where="pattern")
    if lengths:
        node = intersect(node, text(**lengths).grammar.start)
    settings = ", ".join(f"{name}={value!r}" for name, value in bounds.items())
    return Spec(f"as_spec(Annotated[str, Field({settings})])", Grammar(node), str)
