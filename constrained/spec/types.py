"""`choice`: one of finitely many texts, each with its typed value; `boolean` and `likert`."""

from __future__ import annotations

import enum
import math
import typing
from collections.abc import Iterable, Iterator, Mapping, Sized
from decimal import Decimal
from itertools import islice
from typing import Any

from constrained.errors import InvalidSpec, LimitExceeded, UnsatisfiableSpec
from constrained.grammar import Grammar, literals
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.compose import check_text
from constrained.spec.numbers_json import LONGEST_BOUND
from constrained.spec.spec import Spec

__all__ = ["boolean", "choice", "likert"]

SHOWN_OPTIONS = 100
"""A repr lists so many; more are only counted."""


def choice(options: Any, *more: Any, limits: Limits = DEFAULT_LIMITS) -> Spec[Any]:
    """One of the options; the value is the option itself.

    `options` is one of:

    * a list, tuple, set or other iterable of texts, numbers, booleans and None. They are written
      as JSON writes them, texts without quotes: ``7``, ``0.5``, ``true``, ``null``
    * a mapping from texts to values of any kind: ``choice({"yes": True, "no": False})``
    * an `enum.Enum` class: the texts are those of the members' values, the values the members
    * a `typing.Literal` type

    Raises `InvalidSpec` when two different options have the same text, `UnsatisfiableSpec` when
    there is no option and `LimitExceeded` when there are more than `limits.max_nodes`.

    >>> choice(["good", "bad"]).parse("bad")
    'bad'
    >>> choice({"yes": True, "no": False}).parse("yes")
    True
    """
    if more:
        shown = ", ".join(f"{option!r:.30}" for option in (options, *more[:3]))
        raise InvalidSpec(
            f"a choice needs its options in one list, not {1 + len(more)} arguments",
            hint=f"write choice([{shown}{', ...' if len(more) > 3 else ''}])",
        )
    values: dict[str, Any] = {}
    if isinstance(options, Iterator):
        options = list(islice(options, limits.max_nodes + 1))
    if isinstance(options, Sized) and len(options) > limits.max_nodes:
        raise LimitExceeded("max_nodes", limits.max_nodes, "listing the options of a choice")
    for text, value in _pairs(options):
        check_text(text)
        if text in values and not _same(values[text], value):
            raise InvalidSpec(
                f"the options {values[text]!r} and {value!r} are both written {text!r}",
                hint="give their texts in a mapping: choice({'text': value, ...})",
            )
        values[text] = value
    if not values:
        raise UnsatisfiableSpec("a choice needs at least one option")
    return Spec(
        _source(options, values), Grammar(literals(values)), values.__getitem__, limits=limits
    )


def boolean(true: str = "true", false: str = "false") -> Spec[bool]:
    """A text for True or a text for False.

    >>> boolean("yes", "no").parse("no")
    False
    """
    check_text(true)
    check_text(false)
    if true == false:
        raise InvalidSpec(f"True and False are both written {true!r}")
    return choice({true: True, false: False})


def likert(labels: Iterable[str]) -> Spec[int]:
    """One of the labels of a rating scale; the value is its position, the first is 1.

    >>> likert(["disagree", "neutral", "agree"]).parse("agree")
    3
    """
    if isinstance(labels, str | bytes) or not isinstance(labels, Iterable):
        raise InvalidSpec(f"the labels of a scale are a list of texts, not {labels!r:.60}")
    positions: dict[str, int] = {}
    for position, label in enumerate(labels, 1):
        check_text(label)
        if positions.setdefault(label, position) != position:
            raise InvalidSpec(f"the label {label!r} appears twice")
    return choice(positions)


def _pairs(options: Any) -> Iterable[tuple[str, Any]]:
    """Each option's text and value."""
    if isinstance(options, Mapping):
        for text, value in options.items():
            if not isinstance(text, str):
                raise InvalidSpec(
                    f"a choice maps texts to values, and {text!r} is not a text",
                    hint="write choice({'text': value, ...})",
                )
            yield text, value
    elif isinstance(options, type) and issubclass(options, enum.Enum):
        for member in options:
            yield _written(member.value, f"{options.__name__}.{member.name}"), member
    elif typing.get_origin(options) is typing.Literal:
        for value in typing.get_args(options):
            yield _written(value), value
    elif isinstance(options, Iterable) and not isinstance(options, str | bytes):
        for value in options:
            yield _written(value), value
    else:
        raise InvalidSpec(
            f"a choice needs its options in a list, not {options!r}",
            hint="or a mapping from texts to values, an Enum class or a Literal type",
        )


def _written(value: object, name: str | None = None) -> str:
    """The text of an option that is not given in a mapping."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, str):
        return str(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) >= 10**LONGEST_BOUND:
            raise InvalidSpec(f"an option has more than {LONGEST_BOUND:,} digits")
        return str(int(value))
    if isinstance(value, float | Decimal) and math.isfinite(value):
        return repr(float(value)) if isinstance(value, float) else str(value)
    raise InvalidSpec(
        f"option {name or repr(value)} is neither a text, a finite number, a boolean nor None",
        hint="give its text in a mapping: choice({'text': value, ...})",
    )


def _same(one: object, other: object) -> bool:
    return one is other or (type(one) is type(other) and one == other)


def _source(options: Any, values: Mapping[str, Any]) -> str:
    if isinstance(options, type):
        return f"choice({options.__qualname__})"
    if len(values) > SHOWN_OPTIONS:
        return f"choice([... {len(values):,} options])"
    if isinstance(options, Mapping):
        return f"choice({dict(options)!r})"
    listed = ", ".join(map(repr, values.values()))
    literal = typing.get_origin(options) is typing.Literal
    return f"choice(Literal[{listed}])" if literal else f"choice([{listed}])"
