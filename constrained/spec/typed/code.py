"""Functions in core schemas: which of pydantic's own check nothing, or a bound that is known."""

from __future__ import annotations

import functools
from typing import Any

__all__ = [
    "BYTE_SIZE",
    "SHOWN",
    "converts",
    "explained",
    "is_harmless",
    "name_of",
    "of_pydantic",
    "with_bound",
]

Core = Any

HARMLESS = (
    "sequence_validator",
    "defaultdict_validator",
    "deque_validator",
    "dequeue_validator",
    "path_validator",
    "SecretStr",
    "SecretBytes",
    "wrap_val",
    "Secret.__get_pydantic_core_schema__.<locals>.<lambda>",
    "_literal_schema.<locals>.<lambda>",
)
"""Functions of pydantic that accept every value which the schema inside lets through."""

SIZED = (
    "sequence_validator",
    "defaultdict_validator",
    "deque_validator",
    "dequeue_validator",
    "wrap_val",
    "SecretStr",
    "SecretBytes",
)
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

NUMBERS = frozenset(
    ["int", "float", "decimal", "fraction", "date", "time", "datetime", "timedelta"]
)
LENGTHS = frozenset(
    [
        "list",
        "set",
        "frozenset",
        "tuple",
        "dict",
        "deque",
        "generator",
        "str",
        "bytes",
        "frozendict",
        "ordered-dict",
        "counter",
    ]
)

INSIDE = {
    "json-or-python": "json_schema",
    "lax-or-strict": "lax_schema",
    "function-after": "schema",
    "function-wrap": "schema",
}
"""Where a kind that only leads to another has it."""

SHOWN = {
    "apply_known_metadata.<locals>.val_func": "a predicate of annotated_types",
    "apply_known_metadata.<locals>.<lambda>": "a predicate of annotated_types",
}
"""How functions are called in errors whose own names say nothing."""

BYTE_SIZE = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {
            "type": "string",
            "pattern": r"^(?:[0-9]{1,9}|[0-9]{1,9}\.[0-9]{1,3})(?: ?(?:[kKMGTPE]i?)?[bB])?$",
        },
    ]
}
"""What `ByteSize` reads: its own schema says nothing of the units."""


def name_of(function: Any) -> str:
    """The qualified name of a function, of the one inside a partial.

    >>> name_of(functools.partial(int.bit_length))
    'int.bit_length'
    """
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def of_pydantic(function: Any) -> bool:
    """Whether a function is pydantic's own, or of the types that it ships apart."""
    while isinstance(function, functools.partial):
        function = function.func
    module = getattr(function, "__module__", None) or type(function).__module__
    return str(module).partition(".")[0] in ("pydantic", "pydantic_core", "pydantic_extra_types")


def is_harmless(schema: Core) -> bool:
    """Whether the function of a node accepts all that the schema inside lets through."""
    function = schema["function"]["function"]
    return of_pydantic(function) and name_of(function).endswith(HARMLESS)


def converts(schema: Core) -> bool:
    """Whether a user's code sees the JSON before the schema inside: declarations count then."""
    before = schema["type"] in ("function-before", "function-wrap", "function-plain")
    return before and not of_pydantic(schema["function"]["function"])


def explained(name: str) -> bool:
    """Whether a `format` can say what this function of pydantic checks."""
    return name not in CHECKS and not name.startswith(MORE_THAN_TEXT)


def with_bound(schema: Core) -> Core | None:
    """For a node whose function checks a bound: the schema inside with it, if its kind knows it."""
    function = schema["function"]["function"]
    bound = CHECKS.get(name_of(function))
    if bound is None or not isinstance(function, functools.partial):
        return None
    values = [*function.args, *function.keywords.values()]
    return _bounded(schema["schema"], bound, values[0]) if len(values) == 1 else None


def _bounded(core: Core, bound: str, value: Any) -> Core | None:
    kind = core["type"]
    if kind == "union":
        choices = [one[0] if isinstance(one, tuple) else one for one in core["choices"]]
        within = [_bounded(one, bound, value) for one in choices]
        return None if None in within else {**core, "choices": within}
    step = INSIDE.get(kind)
    if step is not None:
        if kind.startswith("function-") and not _keeps_bounds(core, bound):
            return None
        inner = _bounded(core[step], bound, value)
        return None if inner is None else {**core, step: inner}
    if kind == "url":  # is written anew, and so may become shorter, or longer by what it lacks
        known = bound == "max_length" and "default_port" not in core
    else:
        known = kind in (LENGTHS if bound.endswith("length") else NUMBERS)
    if not known:
        return None
    before = core.get(bound)
    if before is not None:
        value = (max if bound in ("gt", "ge", "min_length") else min)(before, value)
    return {**core, bound: value}


def _keeps_bounds(schema: Core, bound: str) -> bool:
    """Whether what a function makes of a value has the length, or the order, of that value."""
    name = name_of(schema["function"]["function"])
    sized = is_harmless(schema) and name.endswith(SIZED)
    return name in CHECKS or (sized and bound.endswith("length"))
