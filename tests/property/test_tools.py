"""Laws of tool calls, for tools and arguments at random, against `jsonschema`."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from constrained.spec.tools import as_tool, react, tool_call

NAMES = st.text("abcXYZ_-", min_size=1, max_size=8)
MEMBERS = st.sampled_from(
    [
        ({"type": "integer", "minimum": -3, "maximum": 12}, st.integers(-3, 12)),
        ({"type": "boolean"}, st.booleans()),
        ({"enum": ["red", 'a "b"', None, 2.5]}, st.sampled_from(["red", 'a "b"', None, 2.5])),
        ({"type": "string", "maxLength": 3}, st.text(st.characters(codec="utf-8"), max_size=3)),
        (
            {"type": "array", "items": {"$ref": "#/$defs/item"}, "maxItems": 2},
            st.lists(st.integers(0, 9), max_size=2),
        ),
    ]
)


@st.composite
def tools_with_calls(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[tuple[str, Any]]]:
    """Definitions of tools, and a call of each that fits."""
    definitions, calls = [], []
    for name in draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)):
        members = draw(st.dictionaries(st.sampled_from("abcde"), MEMBERS, max_size=4))
        required = draw(st.sets(st.sampled_from(sorted(members)))) if members else set()
        schema = {
            "type": "object",
            "properties": {key: found[0] for key, found in members.items()},
            "required": sorted(required),
            "additionalProperties": False,
            "$defs": {"item": {"type": "integer", "minimum": 0, "maximum": 9}},
        }
        definitions.append({"name": name, "parameters": schema})
        written = {
            key: draw(values)
            for key, (_, values) in members.items()
            if key in required or draw(st.booleans())
        }
        calls.append((name, written))
    return definitions, calls


def schema_of(definitions: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = (d["parameters"] for d in definitions if d["name"] == name)
    return dict(found)


@settings(max_examples=40, deadline=None)
@given(tools_with_calls(), st.sampled_from(["openai", "hermes", "llama3"]), st.integers(0, 99))
def test_examples_are_calls_of_known_tools_with_valid_arguments(
    drawn: Any, style: Any, seed: int
) -> None:
    definitions, _ = drawn
    spec = tool_call(definitions, style=style)
    for text in spec.examples(6, seed=seed):
        call = spec.parse(text)
        assert call.name in {d["name"] for d in definitions}
        jsonschema.validate(call.arguments, schema_of(definitions, call.name))
        body = text.removeprefix("<tool_call>\n").removesuffix("\n</tool_call>")
        key = "parameters" if style == "llama3" else "arguments"
        assert json.loads(body) == {"name": call.name, key: call.arguments}


@settings(max_examples=40, deadline=None)
@given(tools_with_calls())
def test_every_call_that_fits_is_accepted_and_read_back(drawn: Any) -> None:
    definitions, calls = drawn
    spec = tool_call(definitions, parallel=True)
    text = json.dumps([{"name": name, "arguments": arguments} for name, arguments in calls])
    assert [(call.name, call.arguments) for call in spec.parse(text)] == calls
    steps = react(definitions)
    for name, arguments in calls:
        written = f"Thought: go\nAction: {name}\nAction Input: {json.dumps(arguments)}"
        action = steps.parse(written).action
        assert action is not None
        assert (action.name, action.arguments) == (name, arguments)


@settings(max_examples=40, deadline=None)
@given(tools_with_calls(), NAMES, st.data())
def test_a_name_or_arguments_that_do_not_fit_are_rejected(
    drawn: Any, stranger: str, data: st.DataObject
) -> None:
    definitions, calls = drawn
    spec, steps = tool_call(definitions), react(definitions)
    _, arguments = data.draw(st.sampled_from(calls))
    other = data.draw(st.sampled_from([*(d["name"] for d in definitions), stranger]))
    known = other in {d["name"] for d in definitions}
    fits = known and jsonschema.Draft202012Validator(schema_of(definitions, other)).is_valid(
        arguments
    )
    # members are written in the order of the schema, which other tools need not share
    ordered = known and list(arguments) == [
        key for key in schema_of(definitions, other)["properties"] if key in arguments
    ]
    text = json.dumps({"name": other, "arguments": arguments})
    step = f"Thought: go\nAction: {other}\nAction Input: {json.dumps(arguments)}"
    assert spec.matches(text) is (fits and ordered)
    assert steps.matches(step) is (fits and ordered)


def test_the_schema_of_a_function_is_what_its_definition_says() -> None:
    def move(x: int, y: int = 0, fast: bool = False) -> None: ...

    schema = as_tool(move).parameters
    spec = tool_call([move])
    for arguments in ({"x": 1}, {"x": 1, "y": 2}, {"x": 1, "y": 2, "fast": True}, {"y": 1}, {}):
        valid = jsonschema.Draft202012Validator(schema).is_valid(arguments)
        assert spec.matches(json.dumps({"name": "move", "arguments": arguments})) is valid
