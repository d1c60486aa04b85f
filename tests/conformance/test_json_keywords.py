"""Each keyword, with texts that a value of the schema may have and texts that it must not.

The cases are those in which other engines ignore a keyword, refuse valid text or write a wrong
number; every verdict that a value decides is checked against `jsonschema` as well.
"""

from __future__ import annotations

import json as std_json
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from constrained.errors import InvalidSpec, UnsatisfiableSpec, UnsupportedSpec
from constrained.spec.json_schema import json

SCORE = {"type": "integer", "minimum": 1, "maximum": 6}
OPTIONAL_A = {"properties": {"a": {"type": "integer"}}}
NODE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}},
            "required": ["value"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
DEEP = '{"value":1,"next":' * 4 + '{"value":5}' + "}" * 4

CASES: list[tuple[str, Any, list[str], list[str]]] = [
    ("integer bounds", SCORE, ["1", "6"], ["0", "7", "89080", "1.5", '"3"', "-1"]),
    ("number bounds", {"type": "number", "minimum": 0, "maximum": 10},
     ["0", "10", "9.75", "10.0", "0.0000001", "1e-07"], ["10.5", "-1", "10.00001", "1e2"]),
    ("exclusiveMinimum", {"type": "number", "exclusiveMinimum": 0.5}, ["0.51", "1"], ["0.5", "0"]),
    ("exclusiveMaximum", {"type": "integer", "exclusiveMaximum": 3}, ["2", "-7"], ["3", "4"]),
    ("draft 4 exclusive bounds", {"minimum": 1, "exclusiveMinimum": True, "type": "integer",
      "$schema": "http://json-schema.org/draft-04/schema#"}, ["2"], []),
    ("nullable bounds", {"type": ["integer", "null"], "minimum": 1, "maximum": 6},
     ["null", "3"], ["0", "7", '"a"']),
    ("multipleOf half", {"type": "number", "multipleOf": 0.5}, ["3.5", "-1", "0"], ["3.3", "0.25"]),
    ("multipleOf hundredth", {"type": "number", "multipleOf": 0.01}, ["0.07", "19.99"], ["0.005"]),
    ("multipleOf five", {"type": "integer", "multipleOf": 5}, ["0", "-15", "1000000"], ["3", "51"]),
    ("enum with a sibling", {"enum": [1, 5, 9], "maximum": 6}, ["1", "5"], ["9"]),
    ("$ref with a sibling", {"$ref": "#/$defs/s", "maximum": 3, "$defs": {"s": SCORE}},
     ["1", "3"], ["0", "4", "6"]),
    ("const decimal", {"const": 0.1}, ["0.1"], ["0.10000000000000001", "0.2"]),
    ("enum decimal", {"enum": [0.3, 0.7]}, ["0.3", "0.7"], ["0.29999999999999999", "0.1"]),
    ("enum of every type", {"enum": [None, True, 3, "x", [1, "a"], {"k": [None]}]},
     ["null", "true", "3", '"x"', '[1, "a"]', '{"k": [null]}'], ["false", "1", "[1]", "{}"]),
    ("allOf joins bounds", {"type": "integer", "allOf": [{"minimum": 1}, {"maximum": 6}]},
     ["1", "3", "6"], ["0", "7", "36"]),
    ("oneOf excludes overlaps", {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 2}]},
     ["1", "2.5"], ["2", "3", "1.5"]),
    ("oneOf of objects", {"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object"},
     ['{"a": 1}', '{"b": 1}', '{"c": 0, "a": 1}'], ["{}", '{"a": 1, "b": 2}']),
    ("not", {"type": "integer", "not": {"minimum": 3, "maximum": 5}}, ["2", "6"], ["3", "4", "5"]),
    ("not a string", {"not": {"type": "string"}}, ["1", "{}", "null"], ['"a"', '""']),
    ("not a constant", {"type": "number", "not": {"const": 1}}, ["1.5", "2", "0"], ["1", "1.0"]),
    ("if then else", {"properties": {"kind": {"enum": ["a", "b"]}, "n": {"type": "integer"}},
      "required": ["kind"], "type": "object", "additionalProperties": False,
      "if": {"properties": {"kind": {"const": "a"}}}, "then": {"required": ["n"]},
      "else": {"properties": {"n": False}}},
     ['{"kind": "a", "n": 1}', '{"kind": "b"}'], ['{"kind": "a"}', '{"kind": "b", "n": 1}']),
    ("uniqueItems of an enum", {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True},
     ["[]", "[1]", "[3, 1, 2]"], ["[1, 1]", "[1, 2, 1]", "[1, 2, 3, 4]"]),
    ("uniqueItems of booleans", {"type": "array", "items": {"type": "boolean"},
      "uniqueItems": True}, ["[true, false]", "[false]"], ["[true, true]"]),
    ("contains", {"type": "array", "contains": {"const": 7}, "items": {"type": "integer"}},
     ["[7]", "[1, 7]", "[7, 7, 2]"], ["[]", "[1]", "[17]"]),
    ("minContains and maxContains", {"type": "array", "contains": {"type": "string"},
      "minContains": 2, "maxContains": 3}, ['["a", 1, "b"]', '["a", "b", "c"]'],
     ['["a"]', '["a", "b", "c", "d"]']),
    ("dependentRequired", {"type": "object", "properties": {"a": {}, "b": {}},
      "dependentRequired": {"a": ["b"]}, "additionalProperties": False},
     ["{}", '{"b": 1}', '{"a": 1, "b": 2}'], ['{"a": 1}']),
    ("dependentSchemas", {"type": "object", "properties": {"a": {}, "b": {}},
      "dependentSchemas": {"a": {"properties": {"b": {"type": "string"}}}}},
     ['{"b": 1}', '{"a": 1, "b": "x"}', '{"a": 1}'], ['{"a": 1, "b": 2}']),
    ("dependencies", {"type": "object", "properties": {"a": {}, "b": {}},
      "$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}},
     ['{"a": 1, "b": 2}'], []),
    ("propertyNames", {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}},
     ["{}", '{"ab": 1}'], ['{"A": 1}', '{"a1": 1}', '{"": 1}']),
    ("patternProperties search", {"type": "object", "additionalProperties": False,
      "patternProperties": {"^s_": {"type": "string"}, "_n$": {"type": "integer"}}},
     ['{"s_a": "x"}', '{"a_n": 1}', '{"s_": "", "x_n": 2}'],
     ['{"s_a": 1}', '{"a_n": "x"}', '{"b": 1}', '{"s_n": 1}', '{"s_n": "x"}']),
    ("patternProperties and properties", {"type": "object", "properties": {"ab": {"minimum": 3}},
      "patternProperties": {"b": {"type": "integer"}}, "additionalProperties": False},
     ['{"ab": 3}', '{"b": 0}'], ['{"ab": 2}', '{"ab": 3.5}', '{"a": 1}']),
    ("pattern searches", {"type": "string", "pattern": "a"}, ['"xax"', '"a"'], ['"x"', '""']),
    ("pattern anchored", {"type": "string", "pattern": "^[a-z]{1,200}$"},
     ['"' + "a" * 200 + '"'], ['""', '"' + "a" * 201 + '"', '"A"']),
    ("pattern with lengths", {"type": "string", "pattern": "^a*b*$", "minLength": 2,
      "maxLength": 3}, ['"ab"', '"aaa"', '"bb"'], ['"a"', '"aabb"', '"ba"']),
    ("pattern of a quote", {"type": "string", "pattern": '^"+$'}, [r'"\""', r'"\"\""'],
     ['"a"', '""']),
    ("pattern of a line break", {"type": "string", "pattern": "^\\n$"}, [r'"\n"'], ['"n"']),
    ("two patterns", {"allOf": [{"pattern": "a"}, {"pattern": "b"}], "type": "string"},
     ['"ab"', '"b a"'], ['"a"', '"b"']),
    ("lengths count code points", {"type": "string", "maxLength": 2},
     [r'"\n\""', '"😀😀"', r'"\ud83d\ude00\u00e9"', '"é"'], ['"abc"', r'"\n\n\n"']),
    ("format date", {"type": "string", "format": "date"}, ['"2024-02-29"', '"1999-12-31"'],
     ['"hello"', '"2023-02-29"', '"2024-02-31"', '"2024-13-01"', '"2024-1-1"']),
    ("unknown format", {"type": "string", "format": "shoe-size"}, ['"43"', '""'], ["43"]),
    ("minProperties", {"type": "object", "minProperties": 1}, ['{"x": 1}'], ["{}"]),
    ("maxProperties", {"type": "object", "maxProperties": 1}, ["{}", '{"x": 1}'],
     ['{"x": 1, "y": 2}']),
    ("members beyond the properties", OPTIONAL_A,
     ['{"a": 1, "b": "x"}', '{"b": null}', "{}"], ['{"a": "x"}', '{"b": 1, "a": "x"}']),
    ("recursion", NODE, [DEEP, '{"value":1}'], [DEEP.replace("5", '"x"'), '{"next":{"value":1}}']),
    ("number with an exponent", {"type": "number"}, ["1e3", "1E-7", "2.5e+10"], ["1e", "01", ".5"]),
    ("integer minus zero", {"type": "integer"}, ["-0", "0", "-12"], ["1.5", "00"]),
    ("keys that need escaping", {"type": "object", "properties": {'a"\n': {"type": "integer"}},
      "required": ['a"\n'], "additionalProperties": False}, [r'{"a\"\n": 1}'], ['{"a": 1}']),
    ("keys beyond ASCII", {"type": "object", "properties": {"größe": {"type": "integer"}},
      "additionalProperties": {"type": "string"}},
     ['{"größe": 1}', r'{"gr\u00f6\u00dfe": 1}', '{"grösse": "x"}'],
     ['{"größe": "x"}', r'{"gr\u00f6\u00dfe": "x"}']),
    ("prefixItems", {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}],
      "items": False}, ["[]", "[1]", '[1, "a"]'], ['["a"]', '[1, "a", 2]', "[1, 2]"]),
    ("items lengths", {"type": "array", "items": {"type": "null"}, "minItems": 2, "maxItems": 3},
     ["[null, null]", "[null, null, null]"], ["[null]", "[]", "[null, null, null, null]"]),
    ("anyOf", {"anyOf": [{"type": "string", "maxLength": 1}, {"type": "integer"}]},
     ['"a"', "5"], ['"ab"', "1.5", "null"]),
    ("unevaluatedProperties", {"type": "object", "properties": {"a": {}},
      "anyOf": [{"properties": {"b": {"const": 1}}, "required": ["b"]},
                {"properties": {"c": {"const": 2}}, "required": ["c"]}],
      "unevaluatedProperties": False},
     ['{"a": 0, "b": 1}', '{"a": 0, "c": 2}', '{"b": 1, "c": 2}'],
     ['{"a": 0}', '{"b": 1, "d": 0}', '{"b": 1, "c": 3}']),
    ("unevaluatedItems", {"type": "array", "prefixItems": [{"type": "integer"}],
      "contains": {"const": "x"}, "unevaluatedItems": {"type": "null"}},
     ['[1, "x"]', '[1, null, "x"]'], ['[1, "y", "x"]', "[1]", "[1, null]"]),
    ("boolean schemas", {"properties": {"a": True, "b": False}, "type": "object"},
     ["{}", '{"a": [1]}'], ['{"b": 1}']),
]  # fmt: skip


def exactly(text: str) -> Any:
    """The JSON value with decimals as they are written, not as binary fractions."""
    return std_json.loads(text, parse_float=Decimal)


@pytest.mark.parametrize(
    ("schema", "good", "bad"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_keyword(schema: Any, good: list[str], bad: list[str]) -> None:
    spec = json(schema)
    assert [text for text in good if not spec.matches(text)] == []
    assert [text for text in bad if spec.matches(text)] == []
    validator = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)(
        exactly(std_json.dumps(schema)), format_checker=jsonschema.FormatChecker(["date"])
    )
    assert [text for text in good if not validator.is_valid(exactly(text))] == []
    for text in bad:
        try:
            value = exactly(text)
        except ValueError:
            continue  # not JSON at all
        assert not validator.is_valid(value), text


def test_whitespace_is_flexible_but_never_endless() -> None:
    spec = json({"type": "object", "properties": {"a": {"type": "array"}}, "required": ["a"]})
    value = {"a": [1, {"b": []}, []], "c": {}}
    for options in ({}, {"separators": (",", ":")}, {"indent": 2}, {"indent": 4}, {"indent": "\t"}):
        assert spec.matches(std_json.dumps(value, **options)), options  # type: ignore[arg-type]
    assert not spec.matches('{"a": [1,' + " " * 200 + "2]}")
    assert not spec.matches('{\n\n"a": []}')
    assert not spec.matches(' {"a": []}')


def test_additional_members_never_repeat_a_named_key() -> None:
    spec = json(OPTIONAL_A)
    assert not spec.matches('{"a": 1, "a": "x"}')
    assert not spec.matches(r'{"b": 1, "\u0061": "x"}')


UNSATISFIABLE = [
    ({"type": "integer", "minimum": 6, "maximum": 1},
     "at #/minimum: minimum 6 and maximum 1 leave no value"),
    ({"enum": ["a", "b"], "type": "integer"},
     "at #/enum: no value of enum satisfies the keywords beside it"),
    ({"allOf": [{"type": "string"}, {"type": "integer"}]},
     "at #: the schemas that must all hold contradict each other: #/allOf/0, #/allOf/1"),
    ({"type": "object", "properties": {"a": False}, "required": ["a"]},
     "at #/properties/a: the schema is false, so nothing satisfies it"),
    ({"type": "object", "properties": {"x": {"type": "array", "minItems": 1, "items":
      {"type": "string", "minLength": 3, "maxLength": 2}}}, "required": ["x"]},
     "at #/properties/x/items/minLength: minLength 3 and maxLength 2 leave no value"),
    ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
     "at #: only an endless value would satisfy the schema: it always requires itself again"),
    ({"type": "string", "pattern": r"[^\s\S]"},
     r"at #/pattern: no text matches the pattern '[^\\s\\S]'"),
    ({"type": "string", "pattern": "a(?=b)$"},
     "at #/pattern: no text matches the pattern 'a(?=b)$': what stands around it is not what its "
     "look-aheads and look-behinds ask for"),
    ({"type": "object", "properties": {"x": {"type": "string", "pattern": "a$b"}},
      "required": ["x"]},
     r"at #/properties/x/pattern: no text matches the pattern 'a$b': look for ^, $, \b or \B where "
     "none can be"),
    ({"type": "string", "pattern": "^a$", "minLength": 3},
     "at #: its keywords contradict each other, so no value satisfies all of them"),
    ({"enum": []}, "at #/enum: an empty enum allows no value"),
    ({"not": {}}, "at #/not: nothing satisfies not and what is beside it"),
    (False, "at #: the schema is false, so nothing satisfies it"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "message"), UNSATISFIABLE)
def test_contradictions_are_found_with_their_place(schema: Any, message: str) -> None:
    with pytest.raises(UnsatisfiableSpec) as caught:
        json(schema)
    assert str(caught.value) == message


def test_a_dead_branch_is_pruned() -> None:
    spec = json({"anyOf": [{"type": "integer", "minimum": 2, "maximum": 1}, {"const": "x"}]})
    assert list(spec.enumerate()) == ['"x"']
    assert json({"type": "object", "properties": {"a": False}}).matches("{}")


REFUSED = [
    ({"type": "array", "uniqueItems": True, "items": {"type": "string"}}, "uniqueItems",
     "at #/uniqueItems: uniqueItems is enforced for items of at most 16 values (enum, const, "
     "boolean, small integer ranges, small arrays and objects of these), and for items that no "
     "other can equal (remove uniqueItems, or list the values the items may have in an enum)"),
    ({"properties": {"a": {"minProperties": 3}}}, "minProperties",
     "at #/properties/a/minProperties: at least 3 members cannot be kept apart when their keys "
     "are open, since a JSON text may repeat a key (name the properties, or limit the keys with "
     "propertyNames and an enum)"),
    ({"items": {"$ref": "https://example.com/s.json"}}, "remote $ref",
     "at #/items/$ref: $ref 'https://example.com/s.json' points outside the document, and nothing "
     "is fetched (copy the schema it points at into $defs)"),
    ({"format": "idn-hostname"}, "format idn-hostname",
     "at #/format: format 'idn-hostname' is not enforced (use hostname, or pass "
     "formats='annotation')"),
    ({"const": "\ud800"}, "lone surrogate",
     "at #/const: '\\ud800' holds half a character (a lone surrogate), which UTF-8 cannot write "
     "(write the whole character)"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "feature", "message"), REFUSED)
def test_what_is_not_enforced_is_refused_by_name(schema: Any, feature: str, message: str) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        json(schema)
    assert (caught.value.feature, str(caught.value)) == (feature, message)


MALFORMED = [
    ({"properties": 3}, "at #/properties: properties must be an object of schemas, not 3"),
    ({"type": "text"},
     "at #/type: type must be the name of a JSON type or a list of them, not 'text'"),
    ({"items": 3}, "at #/items: a schema must be an object or a boolean, not a number"),
    ({"anyOf": []}, "at #/anyOf: anyOf must be a non-empty array of schemas, not an array"),
    ({"minLength": -1},
     "at #/minLength: minLength must be a whole number of at least 0, not -1"),
    ({"multipleOf": 0}, "at #/multipleOf: multipleOf must be a number above 0, not 0"),
    ({"minimum": "3"}, "at #/minimum: minimum must be a number, not '3'"),
    ({"required": "a"}, "at #/required: required must be an array of strings, not 'a'"),
    ({"$ref": "#/$defs/x"},
     "at #/$ref: $ref '#/$defs/x' points at nothing (check the spelling of the reference)"),
    ({"$ref": "#"}, "at #: the schema refers to itself without describing any value "
     "(a recursive $ref must stand below properties or items)"),
    ({"properties": {"a/b": {"pattern": 1}}},
     "at #/properties/a~1b/pattern: pattern must be a string, not 1"),
    ("{}", "a str is not a JSON Schema (pass json.loads(text) for a schema in a text, or "
     "as_spec(text) for literal text)"),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "message"), MALFORMED)
def test_malformed_schemas_name_the_place(schema: Any, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        json(schema)
    assert type(caught.value) is InvalidSpec
    assert str(caught.value) == message
