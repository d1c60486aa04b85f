"""JSON Schema against the `jsonschema` library, in both directions."""

from __future__ import annotations

import json as std_json
from itertools import islice
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from constrained.errors import LimitExceeded, UnsatisfiableSpec, UnsupportedSpec
from constrained.spec.json_schema import json
from tests.property.json_schemas import in_python, orderings, schemas, values

RELAXED = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def is_valid(schema: Any, value: Any) -> bool:
    return jsonschema.Draft202012Validator(in_python(schema)).is_valid(value)


def accepted(spec: Any, value: Any) -> bool:
    """Whether the spec matches the value written with its members in any order."""
    return any(
        spec.matches(std_json.dumps(ordered, ensure_ascii=False))
        for ordered in islice(orderings(value), 200)
    )


def compiled(schema: Any) -> Any:
    """The spec, None when nothing satisfies it, or the schema is refused by name."""
    try:
        return json(schema)
    except UnsatisfiableSpec:
        return None


def check(schema: Any, samples: list[Any]) -> None:
    try:
        spec = compiled(schema)
    except UnsupportedSpec as error:
        if error.feature not in ("uniqueItems", "minProperties"):
            raise
        return
    except LimitExceeded:
        return
    for value in samples:
        assert is_valid(schema, value) == (spec is not None and accepted(spec, value)), value
    if spec is not None:
        for text in spec.examples(5):
            assert is_valid(schema, std_json.loads(text)), text


@RELAXED
@given(schemas(counted=False, negative=False), st.lists(values(), min_size=3, max_size=8))
def test_what_matches_is_what_jsonschema_accepts(schema: Any, samples: list[Any]) -> None:
    check(schema, samples)


@RELAXED
@given(schemas(counted=True, negative=False), st.lists(values(), min_size=3, max_size=8))
def test_counted_members_match_as_jsonschema_says(schema: Any, samples: list[Any]) -> None:
    check(schema, samples)


@RELAXED
@given(schemas(counted=True, negative=True), st.lists(values(), min_size=3, max_size=8))
def test_negation_and_branches_match_as_jsonschema_says(schema: Any, samples: list[Any]) -> None:
    check(schema, samples)
