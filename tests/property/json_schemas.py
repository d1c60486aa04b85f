"""Random JSON Schemas and values that are likely to meet: few keys, few numbers, short texts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

NAMES = ("a", "b", "ab")
TEXTS = ("", "a", "b", "ab", "ba", "abc", "é", '"', "a\nb")
NUMBERS = (-2, -1, 0, 1, 2, 3, 5, 10, 0.5, 1.5, -0.5, 0.1)
PATTERNS = ("a", "^a", "b$", "^ab?$", "^[^a]*$", '"|\\n', "^[ab]{2}$")


def scalars() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.sampled_from([None, False, True]), st.sampled_from(NUMBERS), st.sampled_from(TEXTS)
    )


def values() -> st.SearchStrategy[Any]:
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from((*NAMES, "é")), inner, max_size=3),
        ),
        max_leaves=5,
    )


def _some(options: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=options)


def numeric() -> st.SearchStrategy[dict[str, Any]]:
    return _some(
        {
            "minimum": st.sampled_from(NUMBERS),
            "maximum": st.sampled_from(NUMBERS),
            "exclusiveMinimum": st.sampled_from(NUMBERS),
            "exclusiveMaximum": st.sampled_from(NUMBERS),
            "multipleOf": st.sampled_from((1, 2, 3, 0.5, 0.25)),
        }
    )


def textual() -> st.SearchStrategy[dict[str, Any]]:
    return _some(
        {
            "minLength": st.integers(0, 3),
            "maxLength": st.integers(0, 3),
            "pattern": st.sampled_from(PATTERNS),
        }
    )


def arrays(inner: st.SearchStrategy[Any], counted: bool) -> st.SearchStrategy[dict[str, Any]]:
    options = {
        "items": inner,
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 3),
    }
    if counted:
        options["contains"] = inner
        options["uniqueItems"] = st.booleans()
        options["unevaluatedItems"] = inner
    plain = _some(options)
    return st.tuples(plain, st.integers(0, 2), st.integers(1, 2)).map(
        lambda drawn: (
            {**drawn[0], "minContains": drawn[1], "maxContains": drawn[2]}
            if counted and "contains" in drawn[0] and drawn[1] <= drawn[2]
            else drawn[0]
        )
    )


def objects(inner: st.SearchStrategy[Any], counted: bool) -> st.SearchStrategy[dict[str, Any]]:
    options: dict[str, st.SearchStrategy[Any]] = {
        "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
        "required": st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
        "additionalProperties": inner,
        "patternProperties": st.dictionaries(st.sampled_from(("a", "^b", "b$")), inner, max_size=2),
    }
    if counted:
        options |= {
            "minProperties": st.integers(0, 2),
            "maxProperties": st.integers(0, 3),
            "propertyNames": textual(),
            "dependentRequired": st.dictionaries(
                st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=1), max_size=1
            ),
            "dependentSchemas": st.dictionaries(st.sampled_from(NAMES), inner, max_size=1),
            "unevaluatedProperties": inner,
        }
    return _some(options)


def _applied(inner: st.SearchStrategy[Any], negative: bool) -> st.SearchStrategy[dict[str, Any]]:
    branches = st.lists(inner, min_size=1, max_size=3)
    options = {"allOf": branches, "anyOf": branches}
    if negative:
        options |= {"oneOf": branches, "not": inner, "if": inner, "then": inner, "else": inner}
    return st.one_of(*(value.map(lambda v, k=key: {k: v}) for key, value in options.items()))


def _merged(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


def schemas(*, counted: bool = True, negative: bool = True) -> st.SearchStrategy[Any]:
    """Schemas of the supported keywords; `counted` and `negative` open the harder halves."""
    kinds = st.one_of(
        st.sampled_from(TYPES).map(lambda name: {"type": name}),
        st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True).map(
            lambda names: {"type": names}
        ),
        st.just({}),
    )
    finite = st.one_of(
        st.lists(values(), min_size=1, max_size=3).map(lambda found: {"enum": found}),
        values().map(lambda value: {"const": value}),
    )
    leaves = st.one_of(
        st.booleans(),
        finite,
        st.tuples(kinds, st.one_of(numeric(), textual())).map(_merged),
        st.tuples(kinds, finite).map(_merged),
        st.sampled_from(NAMES).map(lambda name: {"required": [name]}),
        st.tuples(st.sampled_from(NAMES), finite).map(lambda pair: {"properties": dict([pair])}),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(kinds, arrays(inner, counted)).map(_merged),
            st.tuples(kinds, objects(inner, counted)).map(_merged),
            st.tuples(
                st.one_of(kinds, arrays(inner, counted), objects(inner, counted), numeric()),
                _applied(inner, negative),
            ).map(_merged),
        ),
        max_leaves=6,
    )


def in_python(schema: Any) -> Any:
    """The schema with patterns as Python means them: ``$`` is the very end in ECMA-262."""
    if isinstance(schema, list):
        return [in_python(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if key == "pattern" and isinstance(value, str):
            found[key] = _end(value)
        elif key == "patternProperties":
            found[key] = {_end(pattern): in_python(inner) for pattern, inner in value.items()}
        elif key in ("enum", "const"):
            found[key] = value
        else:
            found[key] = in_python(value)
    return found


def _end(pattern: str) -> str:
    return pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern


def orderings(value: Any) -> Iterator[Any]:
    """The value with the members of every object in every order."""
    if isinstance(value, list):
        for items in itertools.product(*(list(orderings(item)) for item in value)):
            yield list(items)
    elif isinstance(value, dict):
        for keys in itertools.permutations(value):
            for items in itertools.product(*(list(orderings(value[key])) for key in keys)):
                yield dict(zip(keys, items, strict=True))
    else:
        yield value
