"""Fuzzed schemas against `jsonschema`: what walks end in is valid, what is valid can be written."""

from __future__ import annotations

import json as std_json
import warnings
from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning, UnsatisfiedAssumption
from hypothesis_jsonschema import from_schema

from constrained.engine import ByteEngine
from constrained.spec.json_schema import json, schema_grammar
from tests.property.json_schema_fuzz import (
    LEAVES,
    check,
    disagreements,
    mutated,
    values_near,
    walk,
    writable,
)
from tests.property.json_schemas import orderings
from tests.property.realistic_schemas import REALISTIC
from tests.property.reference_validator import NoReference, is_valid, reading

RELAXED = settings(
    max_examples=50, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


COUNTS = {"type": "integer", "minimum": 0, "maximum": 3}
NAMES = {"enum": ["a", "b", "é"]}


def of_schemas(depth: int) -> dict[str, Any]:
    """A schema of schemas as lists of [keyword, value], nested so deep and no deeper.

    Lists, since no released version of hypothesis-jsonschema draws objects with this Hypothesis.
    """
    inner: dict[str, Any] = {"enum": list(LEAVES)}
    if depth:
        inner = {"anyOf": [inner, of_schemas(depth - 1)]}
    few = {"type": "array", "items": inner, "minItems": 1, "maxItems": 2}
    named = {
        "type": "array",
        "items": {"type": "array", "items": [NAMES, inner], "minItems": 2, "maxItems": 2},
        "maxItems": 3,
    }
    values: dict[str, Any] = {
        "type": {"enum": ["object", "array", "string", "integer", ["number", "null"]]},
        "properties": named,
        "required": {"type": "array", "items": NAMES, "uniqueItems": True, "maxItems": 2},
        "additionalProperties": {"anyOf": [{"type": "boolean"}, inner]},
        "items": inner,
        "prefixItems": few,
        "contains": inner,
        "minItems": COUNTS,
        "maxProperties": COUNTS,
        "minimum": {"enum": [-1, 0, 0.5, 3]},
        "maxLength": COUNTS,
        "pattern": {"enum": ["^a", "b$", "^[a-z]*$", "[0-9]"]},
        "enum": {"enum": [[1, "a"], [None, 0.5, {"a": 1}], ["b", [], True]]},
        "allOf": few,
        "anyOf": few,
        "oneOf": few,
        "not": inner,
    }
    pairs = [
        {"type": "array", "items": [{"const": keyword}, value], "minItems": 2, "maxItems": 2}
        for keyword, value in values.items()
    ]
    return {"type": "array", "items": {"anyOf": pairs}, "minItems": 1, "maxItems": 4}


def from_pairs(drawn: Any) -> Any:
    """The schema that a list of [keyword, value] stands for."""
    if not isinstance(drawn, list):
        return drawn
    return {keyword: _value(keyword, value) for keyword, value in drawn}


def _value(keyword: str, value: Any) -> Any:
    if keyword == "properties":
        return {name: from_pairs(schema) for name, schema in value}
    if keyword in ("prefixItems", "allOf", "anyOf", "oneOf"):
        return [from_pairs(schema) for schema in value]
    return value if keyword in ("type", "required", "enum") else from_pairs(value)


def like(schema: Any) -> st.SearchStrategy[Any]:
    """Values near a schema: objects by their `properties`, the rest by hypothesis-jsonschema."""
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        return from_schema(schema)
    members = {name: like(inner) for name, inner in schema["properties"].items()}
    needed = {name: members.pop(name) for name in schema.get("required", []) if name in members}
    return st.fixed_dictionaries(needed, optional=members)


def instances(data: st.DataObject, schema: Any) -> list[Any]:
    """Values for a schema; none where hypothesis-jsonschema cannot draw them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HypothesisWarning)
            return [data.draw(like(schema)) for _ in range(2)]
    except UnsatisfiedAssumption:
        raise  # how Hypothesis ends an example
    except Exception:
        return []


@pytest.mark.parametrize("name", REALISTIC)
def test_a_realistic_schema_holds_in_both_directions(name: str) -> None:
    schema, value = REALISTIC[name]
    assert json(schema).matches(std_json.dumps(value))
    near = Random(name)
    values = [value] + [values_near(value, near) for _ in range(40)]
    assert check(schema, values, near) == ""


@RELAXED
@given(st.sampled_from(list(REALISTIC)), st.randoms(use_true_random=False), st.data())
def test_changed_schemas_hold_in_both_directions(
    name: str, pick: Random, data: st.DataObject
) -> None:
    schema, value = REALISTIC[name]
    changed = mutated(schema, pick)
    values = [value, *instances(data, changed)]
    check(changed, values + [values_near(v, pick) for v in values for _ in range(2)], pick)


def random_schemas() -> st.SearchStrategy[Any]:
    return from_schema(of_schemas(1)).map(from_pairs)


@RELAXED
@given(st.deferred(random_schemas), st.randoms(use_true_random=False), st.data())
def test_schemas_of_hypothesis_jsonschema_hold_in_both_directions(
    schema: Any, pick: Random, data: st.DataObject
) -> None:
    values = instances(data, schema)
    check(schema, values + [values_near(v, pick) for v in (*values, [], {}, 1, "a")], pick)


@RELAXED
@given(st.sampled_from(list(REALISTIC)), st.randoms(use_true_random=False))
def test_walks_with_exact_formats_and_escapes_are_valid(name: str, pick: Random) -> None:
    schema, _ = REALISTIC[name]
    engine = ByteEngine(schema_grammar(schema))
    text = walk(engine, pick, 60)
    assert is_valid(schema, reading(text)), text


# ------------------------------------------------------------------ the checks can fail


def test_a_schema_that_allows_too_much_or_too_little_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tests.property.json_schema_fuzz as fuzz

    right = fuzz.compiled
    for schema, other in (
        ({"type": "integer"}, {"type": "number"}),
        ({"enum": [1, 2]}, {"const": 1}),
    ):
        monkeypatch.setattr(fuzz, "compiled", lambda _, order, o=other: right(o, order))
        assert list(disagreements(schema, [1, 2, 0.5], Random(0)))


def test_members_are_tried_in_every_order() -> None:
    schema = {"properties": {"a": {}, "b": {}}, "additionalProperties": False, "type": "object"}
    engine = ByteEngine(schema_grammar(schema))
    assert writable(engine, {"b": [1, {"c": None}], "a": 0.5})
    assert not writable(engine, {"b": 1, "c": 2})


def test_the_reference_reads_numbers_exactly_and_patterns_as_ecma_does() -> None:
    assert is_valid({"multipleOf": 0.01}, 19.99)
    assert is_valid({"const": 0.1}, reading("0.1000"))
    assert not is_valid({"minimum": 0}, reading("-1e-5000000000"))
    assert not is_valid({"pattern": "^a$"}, "a\n")
    assert not is_valid({"pattern": r"^\d$"}, "\u0663")
    assert is_valid({"pattern": r"^[\s[]+$"}, "\ufeff[")
    assert not is_valid({"not": {"pattern": "^.$"}}, "a")
    assert is_valid({"not": {"pattern": "^.$"}}, "\u2028")
    with pytest.raises(NoReference):
        is_valid({"pattern": r"\p{L}"}, "a")


@given(st.sampled_from(list(REALISTIC)), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_mutations_leave_the_schema_as_it_was(name: str, pick: Random) -> None:
    schema, _ = REALISTIC[name]
    before = std_json.dumps([schema, LEAVES])
    changed = mutated(schema, pick)
    assume(changed != schema)
    assert std_json.dumps([schema, LEAVES]) == before


@pytest.mark.parametrize("name", REALISTIC)
def test_with_any_order_the_members_of_a_realistic_value_may_come_in_every_order(
    name: str,
) -> None:
    schema, value = REALISTIC[name]
    spec = json(schema, order="any")
    for ordered in islice(orderings(value), 120):
        assert spec.matches(std_json.dumps(ordered))
