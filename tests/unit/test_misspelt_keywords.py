"""Keys of a JSON Schema that look like keywords and enforce nothing."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import constrained as ct
from constrained.errors import InvalidSpec, SchemaWarning
from constrained.spec.json_schema.keywords import ANNOTATIONS, KEYWORDS
from constrained.spec.json_schema.misspelt import MEANT, SHORTEST, meant_by, misspelt_keywords

MISSPELT = [
    ("minlength", "minLength"),
    ("min_length", "minLength"),
    ("MaxLength", "maxLength"),
    ("minDigits", "minLength"),
    ("additonalProperties", "additionalProperties"),
    ("additional-properties", "additionalProperties"),
    ("properites", "properties"),
    ("requred", "required"),
    ("mimimum", "minimum"),
    ("minimum:", "minimum"),
    ("anyof", "anyOf"),
    ("item", "items"),
    ("enums", ""),  # four letters, as short as many words
    ("ref", "$ref"),
    ("ge", "minimum"),
    ("regex", "pattern"),
]

ANNOTATION_KEYS = [
    "$comment",
    "nullable",
    "discriminator",
    "xml",
    "example",
    "externalDocs",
    "x-minimum",
    "X-Type",
    "_format",
    "note",
    "notes",
    "markdownDescription",
    "enumDescriptions",
    "defaultSnippets",
    "doNotSuggest",
    "deprecationMessage",
    "tsType",
    "javaType",
    "title",
    "description",
    "extends",
    "disallow",
    "divisibleBy",
    "enumNames",
    "propertyOrder",
    "links",
    "media",
    "colour",
    "unit",
    "label",
    "name",
    "value",
    "kind",
    "id",
    "readonly",
    "ui:widget",
    "defs",
    "refs",
    "markdownEnumDescriptions",
    "enumItemLabels",
    "errorMessage",
    "patternErrorMessage",
    "suggestSortText",
    "allowComments",
    "allowTrailingCommas",
    "tsEnumNames",
    "existingJavaType",
    "optional",
    "formatMinimum",
    "formatMaximum",
    "formatExclusiveMinimum",
    "order",
    "base",
    "options",
    "contents",
]


@pytest.mark.parametrize(("key", "meant"), MISSPELT)
def test_a_misspelt_keyword_is_told_from_an_annotation(key: str, meant: str) -> None:
    assert meant_by(key) == meant


@pytest.mark.parametrize("key", ANNOTATION_KEYS)
def test_known_annotations_and_far_words_are_no_misspelt_keywords(key: str) -> None:
    assert meant_by(key) == ""


def test_no_keyword_of_the_standard_is_taken_for_another() -> None:
    assert not [key for key in (*KEYWORDS, *ANNOTATIONS.split()) if meant_by(key)]


def test_every_single_slip_in_a_long_keyword_is_found() -> None:
    known = {*KEYWORDS, *ANNOTATIONS.split(), "contents"}
    missed = []
    for word in MEANT:
        if len(word) < SHORTEST + 1:
            continue
        for at in range(1, len(word)):
            cut = word[:at] + word[at + 1 :]
            twice = word[:at] + word[at] + word[at:]
            swapped = word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
            missed += [
                key for key in (cut, twice, swapped) if key not in known and not meant_by(key)
            ]
    assert not missed


def test_one_warning_names_every_place() -> None:
    schema = {
        "type": "object",
        "properties": {"a/b": {"type": "string", "minlength": 2}},
        "additionalproperties": False,
    }
    with pytest.warns(SchemaWarning) as caught:
        ct.json(schema)
    assert [str(one.message) for one in caught] == [
        "nothing is enforced by what is no keyword of JSON Schema, "
        "at #: additionalproperties (meant is additionalProperties?), "
        "at #/properties/a~1b: minlength (meant is minLength?); "
        "correct the spelling, or pass misspelt='ignore' if these are annotations"
    ]
    assert caught[0].filename == __file__


def test_misspelt_keywords_can_be_errors() -> None:
    with pytest.raises(InvalidSpec) as caught:
        ct.json({"items": {"minlength": 2}}, misspelt="error")
    assert str(caught.value) == (
        "at #/items: minlength is no keyword of JSON Schema, so it would limit nothing "
        "(write minLength, or pass misspelt='ignore' if it is an annotation)"
    )


def test_misspelt_keywords_can_be_ignored_and_change_no_text() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec = ct.json({"type": "string", "minlength": 2}, misspelt="ignore")
    assert spec.matches('"a"')


def test_another_way_to_report_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="misspelt is 'loud'"):
        ct.json({}, misspelt="loud")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"properties": {"minlength": {"type": "string"}}}, []),
        ({"enum": [{"minlength": 1}]}, []),
        ({"default": {"minlength": 1}, "examples": [{"anyof": 1}]}, []),
        ({"minLength": 1, "minlength": 1}, []),
        ({"oneOf": [{}, {"anyof": []}]}, [("anyof", "anyOf", "#/oneOf/1")]),
        ({"type": "array", "min": 1}, [("min", "minItems", "#")]),
        ({"type": "string", "max": 9}, [("max", "maxLength", "#")]),
        ({"type": ["string", "null"], "max": 9}, [("max", "maximum", "#")]),
        ({"$defs": {"unused": {"ge": 1}}}, [("ge", "minimum", "#/$defs/unused")]),
    ],
    ids=["property", "enum", "values", "beside", "branch", "array", "string", "types", "unused"],
)
def test_only_keys_of_schemas_are_looked_at(schema: Any, found: list[Any]) -> None:
    assert misspelt_keywords(schema) == found


def test_a_property_marked_required_is_named() -> None:
    schema = {"properties": {"a": {"type": "string", "required": True}}}
    with pytest.warns(SchemaWarning, match=r"at #/properties/a: required: true \(meant is a list"):
        ct.json(schema)


def test_deep_and_shared_schemas_are_walked_once() -> None:
    deep: Any = {"minlength": 1}
    for _ in range(50_000):
        deep = {"items": deep}
    assert len(misspelt_keywords(deep)) == 1
    shared: Any = {"minlength": 1}
    for _ in range(200):
        shared = {"allOf": [shared, shared]}
    assert len(misspelt_keywords(shared)) == 1
