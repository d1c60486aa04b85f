"""Schemas as people write them, small, together using nearly every keyword; with one value each."""

from __future__ import annotations

from typing import Any

__all__ = ["REALISTIC"]

TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}

REALISTIC: dict[str, tuple[Any, Any]] = {
    "essay grade": (
        {
            "type": "object",
            "properties": {
                "score": {"type": "integer", "minimum": 1, "maximum": 6},
                "reason": {"type": "string", "minLength": 1, "maxLength": 40},
                "flags": {"type": "array", "items": {"enum": ["short", "off-topic", "copied"]}},
            },
            "required": ["score", "reason"],
            "additionalProperties": False,
        },
        {"score": 4, "reason": "clear", "flags": ["short"]},
    ),
    "tool call": (
        {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {"name": {"const": "search"}, "query": TEXT},
                    "required": ["name", "query"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"name": {"const": "open"}, "page": COUNT},
                    "required": ["name", "page"],
                },
            ]
        },
        {"name": "open", "page": 3},
    ),
    "address": (
        {
            "type": "object",
            "properties": {
                "street": TEXT,
                "country": {"enum": ["US", "NL", "CA"]},
                "zip": TEXT,
            },
            "required": ["street", "country"],
            "if": {"properties": {"country": {"const": "US"}}, "required": ["country"]},
            "then": {"properties": {"zip": {"pattern": "^[0-9]{5}(-[0-9]{4})?$"}}},
            "else": {"properties": {"zip": {"pattern": "^[0-9]{4} [A-Z]{2}$"}}},
        },
        {"street": "Main St 1", "country": "NL", "zip": "1234 AB"},
    ),
    "tree": (
        {
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {
                        "label": TEXT,
                        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    },
                    "required": ["label"],
                }
            },
            "$ref": "#/$defs/node",
        },
        {"label": "a", "children": [{"label": "b"}]},
    ),
    "linked list": (
        {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "properties": {"head": {"type": "number"}, "tail": {"$ref": "#"}},
                    "required": ["head", "tail"],
                },
            ]
        },
        {"head": 1.5, "tail": None},
    ),
    "money": (
        {
            "type": "object",
            "properties": {
                "amount": {"type": "number", "multipleOf": 0.01, "exclusiveMinimum": 0},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            },
            "required": ["amount", "currency"],
            "minProperties": 2,
            "maxProperties": 3,
        },
        {"amount": 19.99, "currency": "EUR"},
    ),
    "headers": (
        {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z-]{1,12}$"},
            "patternProperties": {"^x-": {"type": "string", "maxLength": 5}},
            "additionalProperties": {"type": ["string", "integer"]},
        },
        {"x-id": "a1", "length": 12},
    ),
    "card or cash": (
        {
            "type": "object",
            "properties": {"card": TEXT, "cvc": {"type": "integer"}, "cash": {"type": "boolean"}},
            "dependentRequired": {"card": ["cvc"]},
            "dependentSchemas": {"cash": {"properties": {"card": False}}},
            "minProperties": 1,
            "additionalProperties": False,
        },
        {"card": "1", "cvc": 123},
    ),
    "old dependencies": (
        {
            "properties": {"billing": TEXT, "name": TEXT, "vat": {"type": "integer"}},
            "dependencies": {
                "billing": ["name"],
                "vat": {"properties": {"name": {"minLength": 2}}, "required": ["billing"]},
            },
        },
        {"billing": "b", "name": "nn", "vat": 1},
    ),
    "point": (
        {
            "type": "array",
            "prefixItems": [{"type": "number"}, {"type": "number"}, TEXT],
            "minItems": 2,
            "items": False,
        },
        [0.5, -2, "m"],
    ),
    "old tuple": (
        {
            "type": "array",
            "items": [{"enum": ["GET", "PUT"]}, TEXT],
            "additionalItems": COUNT,
            "maxItems": 4,
        },
        ["GET", "/", 200, 3],
    ),
    "toppings": (
        {
            "type": "array",
            "items": {"enum": ["ham", "olive", "egg", None, True]},
            "uniqueItems": True,
            "minItems": 1,
        },
        ["egg", None],
    ),
    "team": (
        {
            "type": "array",
            "items": {"type": "object", "properties": {"role": TEXT}, "required": ["role"]},
            "contains": {"properties": {"role": {"const": "lead"}}},
            "minContains": 1,
            "maxContains": 1,
            "maxItems": 3,
        },
        [{"role": "dev"}, {"role": "lead"}],
    ),
    "pet": (
        {
            "allOf": [
                {"properties": {"name": TEXT}, "required": ["name"]},
                {"properties": {"legs": {"type": "integer", "enum": [0, 2, 4]}}},
            ],
            "type": "object",
            "unevaluatedProperties": False,
        },
        {"name": "Rex", "legs": 4},
    ),
    "settings": (
        {
            "type": "object",
            "properties": {
                "theme": {"enum": ["dark", "light", 1, {"rgb": [0, 0, 0]}]},
                "zoom": {"type": "number", "minimum": 0.25, "maximum": 4},
                "language": {"type": ["string", "null"], "pattern": "^[a-z]{2}(_[A-Z]{2})?$"},
            },
            "not": {"required": ["theme", "zoom"]},
        },
        {"zoom": 1.5, "language": "nl_NL"},
    ),
    "range of years": (
        {
            "type": "object",
            "properties": {
                "from": {"type": "integer", "minimum": 1900, "exclusiveMaximum": 2100},
                "to": {"anyOf": [{"type": "integer", "multipleOf": 5}, {"const": "now"}]},
            },
            "required": ["from", "to"],
        },
        {"from": 1999, "to": "now"},
    ),
    "quoted keys": (
        {
            "type": "object",
            "properties": {'say "hi"': TEXT, "tab\t": {"type": "boolean"}, "größe": COUNT},
            "required": ["größe"],
            "additionalProperties": {"type": "null"},
        },
        {'say "hi"': "ö", "größe": 2, "more": None},
    ),
    "identifier": (
        {
            "type": "string",
            "allOf": [{"pattern": "^[a-z0-9-]+$"}, {"pattern": "[0-9]"}],
            "not": {"enum": ["a1", "0"]},
            "minLength": 2,
            "maxLength": 8,
        },
        "b-2",
    ),
    "anchored": (
        {
            "$defs": {"id": {"$anchor": "id", "type": "integer", "minimum": 1}},
            "type": "object",
            "properties": {"a": {"$ref": "#id"}, "b": {"$ref": "#id", "maximum": 9}},
            "required": ["b"],
            "additionalProperties": {"$ref": "#/properties/b"},
        },
        {"a": 10, "b": 9},
    ),
    "matrix": (
        {
            "type": "array",
            "items": {
                "type": "array",
                "items": {"type": "integer", "minimum": -9, "maximum": 9},
                "minItems": 2,
                "maxItems": 2,
            },
            "maxItems": 2,
            "unevaluatedItems": False,
        },
        [[1, -2], [3, 4]],
    ),
    "answer": (
        {
            "properties": {
                "answer": {"type": "boolean"},
                "confidence": {"type": "number", "minimum": 0, "maximum": 1},
                "sources": {"type": "array", "items": {"type": "string", "minLength": 1}},
            },
            "required": ["answer", "confidence"],
            "type": "object",
            "title": "An answer",
            "description": "with how sure it is",
        },
        {"answer": True, "confidence": 0.75, "sources": ["a"]},
    ),
}
