"""Limits of schemas whose rules are built lazily: before the first mask, or never."""

from __future__ import annotations

import contextlib
import json
import random
import time
import warnings
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import constrained as ct
from constrained.engine import ByteEngine, Engine
from constrained.errors import (
    InvalidSpec,
    LeftOutWarning,
    LimitExceeded,
    UnsatisfiableSpec,
    UnsupportedSpec,
)
from constrained.limits import Limits
from constrained.spec.json_schema.key_sets import apart, within
from constrained.spec.json_schema.languages import pattern_language
from constrained.vocabulary import Vocabulary

BYTES = Vocabulary([*(bytes([b]) for b in range(256)), b'{"', b'": ', b'", "', None], end_ids=[259])


def closed(letter: str, count: int, **more: Any) -> dict[str, Any]:
    """A closed object whose keys are known by patterns."""
    patterns = {f"^{letter}{i} ": {"type": "integer"} for i in range(count)}
    return {
        "type": "object",
        "patternProperties": patterns,
        "additionalProperties": False,
        **more,
    }


def walked(engine: Engine, rng: random.Random, steps: int) -> str:
    """A random output, completed after some steps; every state on the way gave a mask."""
    state, out = engine.start, bytearray()
    for _ in range(steps):
        ids = engine.allowed(state)
        ids = ids[ids != 259]
        if not len(ids):
            break
        token = int(rng.choice(ids))
        out += BYTES.tokens[token] or b""
        state = engine.advance(state, token)
    return (out + engine.completion(state)).decode()


# ------------------------------------------------------------------ many patterns


PATTERNED: dict[str, Any] = {
    "oneOf of 6 and 9": {"oneOf": [closed("k", 6), closed("m", 9)]},
    "oneOf of 6 and 30": {"oneOf": [closed("k", 6), closed("m", 30)]},
    "oneOf of three": {"oneOf": [closed(letter, 9) for letter in "kmn"]},
    "not": {"type": "object", "not": closed("k", 20)},
    "not in allOf": {"allOf": [closed("k", 12), {"not": closed("k", 6)}]},
    "if": {"if": closed("k", 12), "then": closed("k", 5), "else": closed("m", 12)},
    "anyOf with unevaluated keys": {
        "anyOf": [closed("k", 9), closed("m", 9)],
        "unevaluatedProperties": False,
    },
    "dependent schemas": {
        "type": "object",
        "dependentSchemas": {"a": closed("k", 9), "b": closed("m", 9)},
    },
    "propertyNames": {
        "oneOf": [closed("k", 9), closed("m", 9)],
        "propertyNames": {"oneOf": [{"pattern": f"^{c}"} for c in "kmnopqrs"]},
    },
    "values of every kind": {
        "oneOf": [
            closed("k", 9, additionalProperties={"type": "string"}),
            closed("k", 9, additionalProperties=True, properties={"a": {"type": "null"}}),
        ]
    },
}


@pytest.mark.parametrize("name", PATTERNED)
def test_objects_with_many_patterns_compile_at_once(name: str) -> None:
    schema = PATTERNED[name]
    begin = time.process_time()
    spec = ct.json(schema)
    texts = spec.examples(5)
    assert time.process_time() - begin < 1.5  # under 0.3 s each on a quiet machine
    for text in texts:
        jsonschema.Draft202012Validator(schema).validate(json.loads(text))


OVERLAPPING: dict[str, Any] = {
    "letters anywhere": [f"{c}{i}" for i in range(6) for c in "xyz"],
    "ends": [f"{i}$" for i in range(16)],
    "lengths": [f"^.{{{i},{2 * i + 1}}}$" for i in range(1, 20)],
    "prefixes": ["^" + "a" * i for i in range(1, 25)],
}


@pytest.mark.parametrize("combined", ["oneOf", "anyOf", "allOf", "not"])
@pytest.mark.parametrize("name", OVERLAPPING)
def test_patterns_that_overlap_work_or_are_refused_soon(name: str, combined: str) -> None:
    patterns = OVERLAPPING[name]
    values = [{"type": "integer"}, {"type": "string"}, {"type": "array"}]
    branches = [
        {
            "type": "object",
            "patternProperties": {p: values[(i + k) % 3] for i, p in enumerate(patterns)},
        }
        for k in range(3)
    ]
    schema = {combined: branches[0] if combined == "not" else branches}
    begin = time.process_time()
    with contextlib.suppress(LimitExceeded):
        spec = ct.json(schema)
        assert spec.engine.completion(spec.engine.start)
    assert time.process_time() - begin < 4  # under a second on a quiet machine


def test_how_two_patterns_lie_is_read_off_their_automata() -> None:
    k, m, any_k = (pattern_language(text) for text in ("^k[0-9]", "^m[0-9]", "^k"))
    assert apart(k, m)
    assert not apart(k, any_k)
    assert within(k, any_k)
    assert not within(any_k, k)
    assert not within(k, m)


@given(
    st.lists(
        st.sampled_from(["^a", "^b", "^ab", "a$", "^[a-c]$", "^.b", "c"]), min_size=1, unique=True
    ),
    st.lists(
        st.sampled_from(["^a", "^b", "^ab", "a$", "^[a-c]$", "^.b", "c"]), min_size=1, unique=True
    ),
    st.sampled_from(["oneOf", "anyOf", "allOf"]),
    st.tuples(st.booleans(), st.booleans()),
    st.dictionaries(st.text("abc", max_size=3), st.sampled_from([1, "x", None]), max_size=2),
)
@settings(max_examples=60, deadline=None)
def test_splitting_keys_by_patterns_changes_no_meaning(
    first: list[str],
    second: list[str],
    combined: str,
    open_: tuple[bool, bool],
    value: dict[str, Any],
) -> None:
    schema = {
        combined: [
            {
                "type": "object",
                "patternProperties": {pattern: {"type": kind} for pattern in patterns},
                "additionalProperties": more,
            }
            for patterns, kind, more in ((first, "integer", open_[0]), (second, "string", open_[1]))
        ]
    }
    says = jsonschema.Draft202012Validator(schema).is_valid(value)
    try:
        spec = ct.json(schema)
    except UnsatisfiableSpec:
        assert not says
        return
    said = spec.matches(json.dumps(value))
    # A wanted member may not be followed by a key that could be the same one again.
    assert said == says or (says and len(value) > 1)


# ------------------------------------------------------------------ unique items


@pytest.mark.parametrize("whitespace", ["flexible", "indented"])
@pytest.mark.parametrize(
    "items",
    [
        {"enum": [f"v{i}" for i in range(16)]},
        {"enum": [{"a": i, "b": "x" * (i % 3)} for i in range(14)]},
        {"type": "integer", "minimum": 1, "maximum": 16},
    ],
    ids=["texts", "objects", "integers"],
)
def test_unique_items_of_sixteen_values(items: dict[str, Any], whitespace: str) -> None:
    schema = {"type": "array", "items": items, "uniqueItems": True, "minItems": 12}
    engine = ByteEngine(ct.json(schema, whitespace=whitespace).grammar)
    shortest = engine.completion(engine.start)
    assert len(shortest) == engine.distance(engine.start)
    values = json.loads(shortest)
    jsonschema.validate(values, schema)
    assert len(values) == 12
    spec = ct.json(schema)
    assert spec.matches(json.dumps(values))
    assert not spec.matches(json.dumps([*values, values[0]]))


def test_seventeen_values_are_refused_before_the_first_mask() -> None:
    items = {"enum": [f"v{i}" for i in range(17)]}
    with pytest.raises(UnsupportedSpec, match=r"^at #/uniqueItems: uniqueItems is enforced for"):
        ct.json({"type": "array", "items": items, "uniqueItems": True})


# ------------------------------------------------------------------ late limits


def heavy(depth: int) -> dict[str, Any]:
    """A schema whose records do not fit a small limit; it stands so many objects deep."""
    branches = [{"properties": {f"p{k}{i}": {"maxLength": i} for i in range(4)}} for k in range(4)]
    hard = {"type": "object", "allOf": [{"anyOf": branches[k:] + branches[:k]} for k in range(4)]}
    schema: dict[str, Any] = {"type": "object", "properties": {"hard": hard}}
    for level in range(depth):
        schema = {
            "type": "object",
            "properties": {f"in{level}": schema, "ok": {"type": "boolean"}},
            "additionalProperties": False,
        }
    return schema


def test_what_cannot_be_built_is_left_out_with_a_warning_once_a_mask_was_given() -> None:
    spec = ct.json(heavy(3), limits=Limits(max_nodes=2_000))
    with pytest.warns(LeftOutWarning, match=r"left out of the answers: at #/properties/in2/.*hard"):
        engine = Engine(spec.grammar, BYTES)
    rng = random.Random(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        for _ in range(20):
            text = walked(engine, rng, 60)
            jsonschema.validate(json.loads(text), heavy(3))
            assert '"hard"' not in text


def test_a_text_with_a_part_that_is_left_out_is_not_called_wrong() -> None:
    spec = ct.json(heavy(3), limits=Limits(max_nodes=2_000))
    text = '{"in2": {"in1": {"in0": {"hard": {}}}}}'
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        said = []
        for _ in range(2):
            with pytest.raises(LimitExceeded) as caught:
                spec.matches(text)
            said.append(str(caught.value))
        with pytest.raises(LimitExceeded):
            spec.to_bytes()
    assert said[0] == said[1]
    assert said[0] == (
        "at #/properties/in2/properties/in1/properties/in0/properties/hard: limit max_nodes=2,000 "
        "reached while combining the branches of a JSON Schema (simplify the spec, or pass "
        "Limits(max_nodes=...))"
    )
    assert spec.matches('{"in2": {"ok": true}}')


def test_a_hard_part_at_the_root_is_refused() -> None:
    with pytest.raises(LimitExceeded, match=r"^at #/properties/hard: limit max_nodes=2,000"):
        ct.json(heavy(0), limits=Limits(max_nodes=2_000))


def test_schemas_that_only_refer_to_one_another_are_refused_however_deep() -> None:
    schema: dict[str, Any] = {"$ref": "#/$defs/a"}
    for level in range(5):
        schema = {"type": "object", "properties": {f"in{level}": schema}}
    schema["$defs"] = {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}
    with pytest.raises(InvalidSpec, match="refers to itself without describing any value"):
        ct.json(schema)


def test_counted_objects_may_hold_themselves() -> None:
    node: dict[str, Any] = {
        "type": "object",
        "properties": {"next": {"$ref": "#/$defs/node"}, "id": {"type": "integer"}},
        "maxProperties": 2,
        "minProperties": 1,
    }
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/node"}},
        "$defs": {"node": node},
    }
    spec = ct.json(schema)
    assert spec.matches('{"a": {"next": {"next": {"id": 1}}}}')
    assert not spec.matches('{"a": {"next": {}}}')


def test_a_hundred_constants_beside_a_hundred_patterns_are_few_records() -> None:
    tasks = [f"Task{i}@{i % 7}" for i in range(150)]
    schema = {
        "type": "object",
        "properties": {"task": {"anyOf": [{"enum": [task]} for task in tasks]}, "inputs": {}},
        "additionalProperties": False,
        "anyOf": [
            {
                "properties": {"task": {"pattern": f"^{task}$"}, "inputs": {"required": [f"i{n}"]}},
                "required": ["task"],
            }
            for n, task in enumerate(tasks)
        ],
    }
    nested = {"type": "object", "properties": {"steps": {"type": "array", "items": schema}}}
    spec = ct.json(nested, limits=Limits(max_nodes=50_000))
    assert spec.matches('{"steps": [{"task": "Task9@2", "inputs": {"i9": 1}}]}')
    assert not spec.matches('{"steps": [{"task": "Task9@2", "inputs": {"i8": 1}}]}')


def large(rng: random.Random, kinds: int) -> dict[str, Any]:
    """A schema of many definitions that refer to one another, as published ones do."""

    def ref() -> dict[str, Any]:
        return {"$ref": f"#/definitions/d{rng.randrange(kinds)}"}

    def one(number: int) -> dict[str, Any]:
        names = [f"{rng.choice('abcdef')}{i}" for i in range(rng.randint(1, 8))]
        properties = {
            name: rng.choice([ref(), {"type": "array", "items": ref()}]) for name in names
        }
        properties["size"] = {"type": "integer", "minimum": number}
        shape: dict[str, Any] = {"type": "object", "properties": properties}
        if rng.random() < 0.6:
            shape["additionalProperties"] = False
        if rng.random() < 0.3:
            shape["required"] = ["size"]
        if rng.random() < 0.3:
            shape["maxProperties"] = rng.randint(3, 9)
        if rng.random() < 0.3:
            later = {"$ref": f"#/definitions/d{min(number + 1 + rng.randrange(9), kinds - 1)}"}
            others = [later] if number < kinds - 1 else []
            return {"anyOf": [shape, {"type": "string", "pattern": f"^n{number}"}, *others]}
        if rng.random() < 0.2:
            return {"oneOf": [shape, {"type": ["boolean", "null"]}]}
        return shape

    definitions = {f"d{n}": one(n) for n in range(kinds)}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": definitions,
        "type": "object",
        "properties": {f"p{i}": ref() for i in range(9)},
    }


@pytest.mark.parametrize("seed", range(8))
def test_no_limit_ends_a_walk_over_a_large_schema(seed: int) -> None:
    rng = random.Random(seed)
    schema = large(rng, 120)
    spec = ct.json(schema, limits=Limits(max_nodes=60_000))
    engine = Engine(spec.grammar, BYTES, Limits(max_nodes=5_000, max_terms=100_000))
    row = np.zeros(engine.words, np.int32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        for steps in (5, 40, 90, 160):
            text = walked(engine, rng, steps)
            jsonschema.Draft7Validator(schema).validate(json.loads(text))
        engine.fill_mask_within(engine.start, row, engine.cost(engine.start) + 40)
    assert row.any()


def test_a_shortest_output_needs_only_the_rules_on_its_way() -> None:
    refs = {f"p{n}": {"$ref": f"#/definitions/d{n}"} for n in range(60)}
    schema = {
        "type": "object",
        "properties": refs,
        "definitions": {
            f"d{n}": {"type": "object", "properties": refs, "required": [f"p{n + 1}"]}
            for n in range(59)
        }
        | {"d59": {"type": "object", "properties": {"x": {"type": "null"}}}},
    }
    spec = ct.json({**schema, "required": ["p56"]})
    rules: Any = spec.grammar.rules
    engine = ByteEngine(spec.grammar)
    assert engine.completion(engine.start) == b'{"p56":{"p57":{"p58":{"p59":{}}}}}'
    built = [name for name in rules._emission._built if " " not in name]
    assert len(built) < 100  # of 3,600


def test_texts_of_few_characters_between_wide_ones_have_a_mask() -> None:
    versions = [f"^{major}.{minor}.0$" for major in (1, 2) for minor in (0, 1)]
    spec = ct.json({"oneOf": [{"type": "string", "pattern": pattern} for pattern in versions]})
    engine = Engine(spec.grammar, BYTES, Limits(max_steps=60_000))
    state = engine.advance_bytes(engine.start, b'"2')
    assert state is not None
    assert len(engine.allowed(state)) > 10


# ------------------------------------------------------------------ numbers and strings below


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "multipleOf": 1_234_567_891},
        {"type": ["string", "integer"], "allOf": [{"multipleOf": 97}, {"multipleOf": 89}]},
        {"type": "number", "multipleOf": 1e300},
        {"type": "integer", "not": {"multipleOf": 12_345_678}},
        {"type": "string", "allOf": [{"pattern": f"(a|b)*{c}(a|b){{25}}$"} for c in "ab"]},
    ],
)
@pytest.mark.parametrize("required", [[], ["a"]])
def test_numbers_and_strings_that_are_too_hard_are_refused_with_their_place(
    schema: dict[str, Any], required: list[str]
) -> None:
    with pytest.raises(LimitExceeded, match=r"^at #/properties/a: limit max_"):
        ct.json({"type": "object", "properties": {"a": schema}, "required": required})


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "(ab|ba){50}", "maxLength": 101},
        {"pattern": r"\d.{10}\d.{10}\d", "maxLength": 50},
        {"pattern": r"\d.{10}\d.{10}\d", "minLength": 30, "maxLength": 50},
        {"pattern": "(a|b)*a(a|b){25}$", "maxLength": 40},
        {"pattern": "(a|b)*a(a|b){25}$", "maxLength": 60},
        {"pattern": r"([^a]\S\S){8}$", "minLength": 26, "maxLength": 42},
        {"pattern": "b.{6}a", "not": {"pattern": "a.{6}b"}},
    ],
)
@pytest.mark.parametrize("place", ["property", "item", "key"])
def test_counters_under_a_length_end_no_walk(schema: dict[str, Any], place: str) -> None:
    text = {"type": "string", **schema}
    whole: dict[str, Any] = {
        "property": {"type": "object", "properties": {"a": text}, "required": ["a"]},
        "item": {"type": "array", "items": text, "minItems": 1},
        "key": {"type": "object", "propertyNames": text, "minProperties": 1},
    }[place]
    engine = Engine(ct.json(whole).grammar, BYTES)
    for seed in range(5):
        found = walked(engine, random.Random(seed), 60)
        jsonschema.validate(json.loads(found), whole)


def test_numbers_that_are_too_hard_far_below_are_left_out_with_a_warning() -> None:
    hard = {"allOf": [{"type": "integer", "multipleOf": 97}, {"multipleOf": 89}]}
    schema: dict[str, Any] = {"type": "object", "properties": {"a": hard}}
    for _ in range(4):
        schema = {"type": "object", "properties": {"b": schema}, "additionalProperties": False}
    grammar = ct.json(schema).grammar

    def texts() -> list[str]:
        engine = Engine(grammar, BYTES)
        return [walked(engine, random.Random(seed), 60) for seed in range(10)]

    with pytest.warns(LeftOutWarning, match="properties/a: limit max_nodes=250,000 reached"):
        found = texts()
    for text in found:
        jsonschema.validate(json.loads(text), schema)


def test_numbers_use_the_limits_of_the_call() -> None:
    schema = {"type": "integer", "multipleOf": 1_009}
    with pytest.raises(LimitExceeded):
        ct.json(schema)
    assert ct.json(schema, limits=Limits(max_nodes=300_000)).matches("2018")


def overlapping(kinds: int) -> dict[str, Any]:
    """Objects whose keys any of some patterns may hold for, with values of their own each."""
    patterns = {f"{chr(97 + i)}.{{0,3}}x": {"minimum": i} for i in range(kinds)}
    return {"type": "object", "patternProperties": patterns}


def test_keys_of_too_many_overlapping_patterns_are_refused_with_their_place() -> None:
    with pytest.raises(LimitExceeded) as caught:
        ct.json(overlapping(6))
    assert str(caught.value) == (
        "at #: limit max_steps=1,000,000 reached while telling 64 kinds of keys apart (write "
        "patterns of keys that do not overlap, or pass Limits(max_steps=...))"
    )


def test_keys_of_too_many_overlapping_patterns_below_are_left_out_with_a_warning() -> None:
    def texts() -> list[str]:
        engine = Engine(ct.json({"type": "array", "items": overlapping(6)}).grammar, BYTES)
        return [walked(engine, random.Random(seed), 40) for seed in range(10)]

    with pytest.warns(LeftOutWarning, match="^a part of the schema is left out.*: at #/items: "):
        found = texts()
    for text in found:
        jsonschema.validate(json.loads(text), {"type": "array", "items": overlapping(6)})
