"""References, laziness, the order of members, and hostile schemas."""

from __future__ import annotations

import itertools
import json as std_json
import random
import time
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from constrained.errors import ConstrainedError, InvalidSpec, LimitExceeded, UnsupportedSpec
from constrained.limits import Limits
from constrained.spec.json_schema import JsonStyle, json, schema_grammar
from tests.property.json_schemas import orderings


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"$defs": {"a": {"type": "integer"}}, "$ref": "#/$defs/a"}, "1", '"x"'),
        ({"$defs": {"a": {"$anchor": "here", "type": "integer"}}, "$ref": "#here"}, "1", '"x"'),
        ({"$id": "https://x.org/s", "$defs": {"a": {"$id": "t", "type": "null"}},
          "$ref": "https://x.org/t"}, "null", "1"),
        ({"$id": "https://x.org/s", "$ref": "t#/$defs/b", "$defs":
          {"a": {"$id": "t", "$defs": {"b": {"type": "null"}}}}}, "null", "1"),
        ({"$id": "https://x.org/s", "$ref": "#/$defs/a", "$defs": {"a": {"$id": "t",
          "$ref": "#/$defs/b", "$defs": {"b": {"type": "null"}}}}}, "null", "1"),
        ({"$defs": {"a/b~c %": {"type": "null"}}, "$ref": "#/$defs/a~1b~0c%20%25"}, "null", "1"),
        ({"prefixItems": [{"type": "null"}, {"$ref": "#/prefixItems/0"}]},
         "[null,null]", "[null,1]"),
        ({"$defs": {"a": {"$dynamicAnchor": "n", "type": "null"}}, "$dynamicRef": "#n"},
         "null", "1"),
        ({"type": "object", "additionalProperties": {"$recursiveRef": "#"},
          "$schema": "https://json-schema.org/draft/2019-09/schema"},
         '{"a": {"b": {}}}', '{"a": 1}'),
        ({"definitions": {"a": {"id": "#n", "type": "null"}}, "$ref": "#n",
          "$schema": "http://json-schema.org/draft-04/schema#"}, "null", "1"),
    ],
)  # fmt: skip
def test_references_inside_the_document(schema: Any, good: str, bad: str) -> None:
    spec = json(schema)
    assert spec.matches(good)
    assert not spec.matches(bad)


def test_up_to_draft_7_a_reference_hides_what_is_beside_it() -> None:
    schema = {"$ref": "#/$defs/a", "minimum": 3, "$defs": {"a": {"type": "integer"}}}
    assert not json(schema).matches("1")
    assert json({"$schema": "http://json-schema.org/draft-07/schema#", **schema}).matches("1")


def test_a_dynamic_reference_with_several_targets_is_refused() -> None:
    schema = {
        "$defs": {"a": {"$dynamicAnchor": "n"}, "b": {"$id": "b", "$dynamicAnchor": "n"}},
        "$dynamicRef": "#n",
    }
    with pytest.raises(UnsupportedSpec) as caught:
        json(schema)
    assert str(caught.value) == (
        "at #/$dynamicRef: $dynamicRef '#n' may mean any of 2 anchors (use $ref where the target "
        "never changes)"
    )


def test_members_come_in_the_order_of_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"b": {"type": "integer"}, "a": {"type": "integer"}},
        "required": ["a", "z"],
    }
    spec = json(schema, whitespace="compact")
    assert spec.matches('{"b":1,"a":2,"z":3}')
    assert spec.matches('{"a":2,"more":0,"z":3}')
    assert not spec.matches('{"a":2,"b":1,"z":3}')
    assert not spec.matches('{"z":3,"a":2}')


def test_members_come_in_any_order_when_asked_to_and_no_key_twice() -> None:
    schema = {
        "type": "object",
        "properties": {"b": {"type": "integer"}, "a": {"enum": [{"x": 1, "y": 2}]}, "c": False},
        "required": ["b"],
        "additionalProperties": {"type": "null"},
    }
    spec = json(schema, order="any", whitespace="compact")
    assert spec.matches('{"a":{"y":2,"x":1},"z":null,"b":1}')
    assert not spec.matches('{"b":1,"a":{"x":1,"y":2},"b":2}')
    assert not spec.matches('{"a":{"x":1,"y":2}}')
    assert repr(json(True, order="any")) == "json(True, order='any')"
    members = {name: {"type": "integer"} for name in "abcdefghij"}
    closed = {"type": "object", "properties": members, "additionalProperties": False}
    assert json({**closed, "minProperties": 10}, order="any").matches(
        std_json.dumps(dict.fromkeys("jihgfedcba", 1))
    )


def test_more_members_in_any_order_than_states_can_be_made_for_are_refused() -> None:
    members = {name: {"type": "integer"} for name in "abcdefghijk"}
    with pytest.raises(UnsupportedSpec) as caught:
        json({"properties": {"in": {"properties": members}}}, order="any")
    assert caught.value.feature == "order"
    assert str(caught.value) == (
        "at #/properties/in: 11 properties in any order, and the most that can be kept is 10 "
        "(use order='schema', or nest some of the properties in an object)"
    )
    with pytest.raises(InvalidSpec, match=r"^order is 'free' \(use 'schema' or 'any'\)$"):
        json({}, order="free")  # type: ignore[arg-type]


DIFFERENT = [
    {"items": {"enum": [0.5, 1.5]}},
    {"items": {"enum": [[1, 2], [2, 1], {"a": 1, "b": []}, {"b": [], "a": 1.0}, 1.50, "b", None]}},
    {"items": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2}, "maxItems": 3},
    {
        "items": {
            "type": "object",
            "properties": {"a": {"enum": [1, True]}, "b": {"const": 0.25}},
            "required": ["a"],
            "additionalProperties": False,
        }
    },
    {"items": {"pattern": "^[ab]c?$", "type": "string"}},
    {"prefixItems": [{"type": "string"}, {"type": "integer"}, {"enum": ["a", 1]}], "items": False},
    {"prefixItems": [{"enum": ["a", 1, None]}, {"type": ["string", "integer"]}], "maxItems": 2},
    {"items": {"enum": ["a", 1, None]}, "contains": {"type": "string"}, "maxItems": 2},
]


@pytest.mark.parametrize("schema", DIFFERENT, ids=std_json.dumps)
def test_items_differ_wherever_they_can_be_told_apart(schema: dict[str, Any]) -> None:
    one: list[Any] = [
        *("a", "b", "bc", 1, 2, 0.5, 1.5, None, True, [], [1, 2], [2, 1], [True], [False, True]),
        *({"a": 1, "b": []}, {"b": [], "a": 1}, {"a": 1}, {"a": True}, {"a": 1, "b": 0.25}),
    ]  # fmt: skip
    rows = [[], *([item] for item in one), *map(list, itertools.product(one, repeat=2))]
    rows += [["a", 1, None], ["a", 1, "a"], ["a", 1, 1], [[], [True], []], [[], [True], [False]]]
    for limit in ({"uniqueItems": True}, {"not": {"uniqueItems": True}}):
        spec = json({"type": "array", **schema, **limit})
        reference = jsonschema.Draft202012Validator({"type": "array", **schema, **limit})
        for row in rows:
            found = any(spec.matches(std_json.dumps(order)) for order in orderings(row))
            assert found == reference.is_valid(row), row


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer"},
        {"type": "integer", "minimum": 1, "maximum": 25},
        {"type": "integer", "exclusiveMaximum": 2.5, "multipleOf": 2},
        {"type": "integer", "not": {"multipleOf": 3}},
        {"enum": [0, 2, 2.5, 25]},
        {"const": [2]},
    ],
    ids=std_json.dumps,
)
def test_whole_numbers_end_in_a_fraction_of_zeros_where_the_style_says_so(schema: Any) -> None:
    style = JsonStyle(integers="fraction")
    plain, fraction = json(schema, whitespace="spaced"), json(schema, whitespace=style)
    validator = jsonschema.Draft202012Validator(schema)
    for text in ("0", "2", "3", "4", "25", "26", "-2", "-3", "-26"):
        for end in ("", ".0", ".00", ".", ".5", ".50", "e0", ".0e1"):
            one = f"[{text}{end}]" if "const" in schema else text + end
            offered = end in ("", ".0", ".00") or one == "2.5"
            valid = offered and validator.is_valid(std_json.loads(one))
            assert fraction.matches(one) == valid, one
            assert plain.matches(one) == (valid and end in ("", ".5")), one


def test_a_style_with_unknown_integers_is_refused() -> None:
    with pytest.raises(InvalidSpec, match=r"^integers is 'float' \(use 'plain' or 'fraction'\)$"):
        JsonStyle(integers="float")  # type: ignore[arg-type]


def test_one_item_at_most_is_never_repeated() -> None:
    schema = {"type": "array", "items": {"type": "string"}, "maxItems": 1, "uniqueItems": True}
    assert json(schema).matches('["a"]')


def test_rules_are_built_when_first_looked_up() -> None:
    schema = {
        "type": "object",
        "properties": {name: {"type": "object", "properties": {"x": {"type": "object"}}}
                       for name in "abcdefgh"},
    }  # fmt: skip
    grammar = schema_grammar(schema)
    rules: Any = grammar.rules
    assert rules._emission._built.keys() == {"#"}
    assert "#" in rules
    body = rules["#"]
    assert rules["#"] is body
    assert "#/properties/a" in rules
    assert "#/properties/a" not in rules._emission._built
    assert set(rules) >= {f"#/properties/{name}/properties/x" for name in "abcdefgh"}


def test_schemas_that_are_never_referred_to_are_not_read() -> None:
    assert json({"$defs": {"broken": {"type": "text"}}, "type": "null"}).matches("null")


def test_unknown_keywords_are_annotations() -> None:
    assert json({"type": "null", "x-note": {"type": "text"}}).matches("null")


def test_equal_numbers_are_one_value() -> None:
    spec = json({"enum": [1.0, 1, 2.50, 1e2]})
    assert list(spec.enumerate()) == ["1", "1.0", "100", "100.0", "2.5"]


def nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(depth):
        schema = wrap(schema)
    return schema


HOSTILE: dict[str, Callable[[], Any]] = {
    "deep properties": lambda: nested(100_000, lambda s: {"properties": {"a": s}}),
    "deep required": lambda: nested(
        100_000, lambda s: {"type": "object", "properties": {"a": s}, "required": ["a"]}
    ),
    "deep anyOf": lambda: nested(100_000, lambda s: {"anyOf": [s]}),
    "deep not": lambda: nested(100_000, lambda s: {"not": s}),
    "deep if": lambda: nested(100_000, lambda s: {"if": s, "then": s}),
    "deep const": lambda: {"const": nested(100_000, lambda s: [s])},
    "wide enum": lambda: {"enum": [str(n) for n in range(1_000_000)]},
    "many objects": lambda: {"enum": [{"a": n} for n in range(100_000)]},
    "many properties": lambda: {"properties": {str(n): {"minimum": n} for n in range(100_000)}},
    "unions in allOf": lambda: {
        "type": "array",
        "allOf": [{"anyOf": [{"items": {"minimum": n}}, {"maxItems": n}]} for n in range(1, 40)],
    },
    "overlapping oneOf": lambda: {
        "oneOf": [
            {"type": "object", "properties": {f"p{m}": {"maxLength": n + m} for m in range(20)}}
            for n in range(40)
        ]
    },
    "overlapping patterns": lambda: {
        "type": "object",
        "patternProperties": {f"a{n}": {"minimum": n} for n in range(30)},
    },
    "counted members": lambda: {"type": "object", "maxProperties": 10**9},
    "contained items": lambda: {"contains": {"const": 1}, "minContains": 10**9},
    "huge modulus": lambda: {"type": "integer", "multipleOf": 1_234_567_891},
    "huge bound": lambda: {"type": "integer", "minimum": 10**5_000},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_schemas_end_in_a_typed_error_within_a_second(name: str) -> None:
    schema = HOSTILE[name]()
    begin = time.process_time()
    with pytest.raises((LimitExceeded, UnsupportedSpec)) as caught:
        len(json(schema).grammar.rules)  # builds all that can be reached
    assert time.process_time() - begin < 5  # about a second on a quiet machine
    assert isinstance(caught.value, ConstrainedError)


@pytest.mark.parametrize("depth", [500, 5_000])
def test_deep_schemas_within_the_limits_work(depth: int) -> None:
    spec = json(nested(depth, lambda s: {"type": "array", "items": s}), whitespace="compact")
    assert spec.grammar.rules["#"] is not None
    if depth == 500:
        assert spec.matches("[" * 500 + '"x"' + "]" * 500)


def test_limits_are_the_callers() -> None:
    schema = {"enum": [str(n) for n in range(100)]}
    with pytest.raises(LimitExceeded) as caught:
        json(schema, limits=Limits(max_nodes=50))
    assert str(caught.value) == (
        "limit max_nodes=50 reached while reading a JSON Schema (simplify the spec, or pass "
        "Limits(max_nodes=...))"
    )


def test_many_branches_with_a_discriminator_are_told_apart() -> None:
    schema = {
        "oneOf": [
            {"type": "object", "properties": {"kind": {"const": n}, "v": {"type": "string"}},
             "required": ["kind"], "additionalProperties": False}
            for n in range(300)
        ]
    }  # fmt: skip
    spec = json(schema)
    assert spec.matches('{"kind": 299, "v": "x"}')
    assert not spec.matches('{"kind": 300}')


def test_a_self_containing_dict_is_a_recursive_schema() -> None:
    schema: dict[str, Any] = {"type": "array"}
    schema["items"] = schema
    spec = json(schema)
    assert spec.matches("[[], [[]]]")
    assert not spec.matches("[1]")


def test_a_key_that_is_no_text_is_malformed() -> None:
    with pytest.raises(InvalidSpec, match="the key 3 is not a string"):
        json({"properties": {3: {}}})


def test_what_matches_reads_as_json() -> None:
    spec = json({"type": "object", "properties": {"a": {"type": "number"}}})
    for text in spec.examples(10):
        assert spec.parse(text) == std_json.loads(text)


@pytest.mark.parametrize("required", [[], [0], [14], [26], [12, 13]])
@pytest.mark.parametrize("open_", [True, False])
def test_many_optional_properties_in_every_selection(required: list[int], open_: bool) -> None:
    names = [f"p{n}" for n in range(27)]
    schema = {
        "type": "object",
        "properties": {name: {"type": "null"} for name in names},
        "required": [names[n] for n in required],
        "additionalProperties": open_,
    }
    spec = json(schema, whitespace="compact")
    rng = random.Random(0)
    for size in (0, 1, 2, 3, 8, 20, 26, 27) * 8:
        chosen = sorted(rng.sample(range(27), size))
        text = std_json.dumps({names[n]: None for n in chosen}, separators=(",", ":"))
        assert spec.matches(text) == (set(required) <= set(chosen)), text


def test_many_optional_items_up_to_every_length() -> None:
    schema = {
        "type": "array",
        "prefixItems": [{"const": n} for n in range(30)],
        "items": {"type": "null"},
        "minItems": 5,
        "maxItems": 32,
    }
    spec = json(schema, whitespace="compact")
    for size in range(36):
        items = [n if n < 30 else None for n in range(size)]
        text = std_json.dumps(items, separators=(",", ":"))
        assert spec.matches(text) == (5 <= size <= 32), size
        wrong = text.replace("4", "5", 1)
        assert wrong == text or not spec.matches(wrong)


@pytest.mark.parametrize("schema", [True, {"type": "object"}, {"properties": {"a": {}}}])
def test_any_value_is_indented_as_deep_as_it_stands(schema: Any) -> None:
    spec = json(schema, whitespace="indented")
    value = {"a": {"b": [1, {"c": [[{"d": 1}], {}]}]}}
    assert spec.matches(std_json.dumps(value, indent=2))
    assert not spec.matches(std_json.dumps(value, indent=4))
    assert set(spec.grammar.rules) >= {f"any @{depth}" for depth in range(2, 17)}
