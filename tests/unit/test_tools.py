"""Tools from functions, types and definitions; calls of them as JSON and as ReAct steps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

import constrained as ct
from constrained.errors import InvalidSpec, TextRejected, UnsatisfiableSpec, UnsupportedSpec
from constrained.spec.tools import ReactStep, Tool, ToolCall, as_tool, react, tool_call
from constrained.spec.tools.docstring import described


def add(a: int, b: int = 0) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b (int): The second,
            which may be left out.

    Returns:
        a: the sum
    """
    return a + b


def book(city: Literal["Paris", "Rome"], nights: Annotated[int, Field(ge=1, le=14)]) -> str:
    """Book a room.

    :param city: Where.
    :param int nights: How long.
    :returns: A number.
    """
    return f"{city} for {nights}"


class Weather(BaseModel):
    """Look up the weather."""

    city: str
    days: Annotated[int, Field(ge=1, le=7)] = 1


SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Search the web.",
        "parameters": {
            "type": "object",
            "properties": {"query": {"$ref": "#/$defs/text"}, "most": {"enum": [1, 10]}},
            "required": ["query"],
            "additionalProperties": False,
            "$defs": {"text": {"type": "string", "minLength": 1, "maxLength": 20}},
        },
    },
}


# ------------------------------------------------------------------ tools


def test_a_function_is_its_signature_and_its_docstring() -> None:
    assert as_tool(add).definition == {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Add two numbers.",
            "parameters": {
                "type": "object",
                "title": "add",
                "properties": {
                    "a": {"type": "integer", "title": "A", "description": "The first."},
                    "b": {
                        "type": "integer",
                        "title": "B",
                        "description": "The second, which may be left out.",
                    },
                },
                "required": ["a"],
                "additionalProperties": False,
            },
        },
    }


def test_both_styles_of_docstrings_are_read() -> None:
    assert described(book.__doc__, ["city", "nights"]) == (
        "Book a room.",
        {"city": "Where.", "nights": "How long."},
    )
    assert described(None, ["a"]) == ("", {})
    assert described("Note: a: b", ["a"]) == ("Note: a: b", {})


def test_types_are_tools_and_calling_them_makes_values() -> None:
    @dataclass
    class Point:
        x: int
        y: int = 0

    class Pair(TypedDict):
        left: int

    spec = tool_call([Weather, Point, Pair])
    weather = spec.parse('{"name": "Weather", "arguments": {"city": "Oslo"}}')
    assert weather.arguments == {"city": "Oslo"}
    assert weather() == Weather(city="Oslo")
    assert spec.parse('{"name": "Point", "arguments": {"x": 1}}')() == Point(1)
    assert spec.parse('{"name": "Pair", "arguments": {"left": 1}}')() == {"left": 1}
    assert as_tool(Weather).description == "Look up the weather."
    assert as_tool(Point).description == ""


def test_bound_methods_partials_and_objects_with_call_are_functions() -> None:
    class Counter:
        total = 0

        def count(self, by: int) -> int:
            self.total += by
            return self.total

        def __call__(self, by: int) -> int:
            return -by

    counter = Counter()
    spec = tool_call([counter.count, partial(add, b=5), counter])
    assert spec.parse('{"name": "count", "arguments": {"by": 3}}')() == 3
    assert counter.total == 3
    assert spec.parse('{"name": "add", "arguments": {"a": 3}}')() == 8
    assert spec.parse('{"name": "Counter", "arguments": {"by": 3}}')() == -3


@pytest.mark.parametrize("key", ["parameters", "input_schema", "inputSchema"])
def test_definitions_of_several_interfaces(key: str) -> None:
    schema = {"properties": {"x": {"const": 1}}, "required": ["x"], "additionalProperties": False}
    spec = tool_call([{"name": "one", key: schema}], whitespace="compact")
    assert list(spec.enumerate()) == ['{"name":"one","arguments":{"x":1}}']


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    def now() -> str:
        return "12:00"

    for tool in (now, {"name": "now"}):
        spec = tool_call([tool], whitespace="compact")
        assert list(spec.enumerate()) == ['{"name":"now","arguments":{}}']
    assert tool_call([now]).parse('{"name": "now", "arguments": {}}')() == "12:00"


def test_a_mapping_renames_tools() -> None:
    spec = tool_call({"plus": add, "sum up": add})
    call = spec.parse('{"name": "sum up", "arguments": {"a": 1, "b": 1}}')
    assert (call.name, call()) == ("sum up", 2)


def test_a_tool_given_as_a_schema_cannot_be_run() -> None:
    call = tool_call([SEARCH]).parse('{"name": "search", "arguments": {"query": "x"}}')
    with pytest.raises(InvalidSpec) as error:
        call()
    assert str(error.value) == (
        "the tool 'search' was given as a schema, so there is nothing to run "
        "(pass the function itself as a tool)"
    )


def many(*numbers: int) -> None: ...
def options(**more: int) -> None: ...
def by_place(a: int, /) -> None: ...
def untyped(a) -> None: ...  # type: ignore[no-untyped-def]
def unknown(a: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("tool", "kind", "message"),
    [
        (
            many,
            UnsupportedSpec,
            "many has the variadic positional parameter 'numbers', which named arguments cannot "
            "fill (wrap it in a function whose parameters have names and types)",
        ),
        (
            options,
            UnsupportedSpec,
            "options has the variadic keyword parameter 'more', which named arguments cannot fill "
            "(wrap it in a function whose parameters have names and types)",
        ),
        (
            by_place,
            UnsupportedSpec,
            "by_place has the positional-only parameter 'a', which named arguments cannot fill "
            "(wrap it in a function whose parameters have names and types)",
        ),
        (untyped, InvalidSpec, "the parameter 'a' of untyped has no type (annotate it)"),
        (
            unknown,
            InvalidSpec,
            "the signature of unknown cannot be read: name 'Missing' is not defined "
            "(write its types out)",
        ),
        (
            {"name": "x", "parameters": {"type": "array"}},
            InvalidSpec,
            "the parameters of the tool 'x' are no schema of an object "
            "(write {'type': 'object', 'properties': {...}})",
        ),
        (
            {"name": "two\nlines"},
            InvalidSpec,
            "a tool cannot have the name 'two\\nlines' (use one line of printable text)",
        ),
        (
            Tool(7, "", {"type": "object"}, lambda arguments: (arguments, None)),  # type: ignore[arg-type]
            InvalidSpec,
            "a tool cannot have the name 7 (use one line of printable text)",
        ),
    ],
)
def test_what_is_no_tool_is_refused_with_the_cause(tool: Any, kind: Any, message: str) -> None:
    for made in (tool_call, react):
        with pytest.raises(kind) as error:
            made([tool])
        assert str(error.value) == message


@pytest.mark.parametrize("tool", [7, "add", {"parameters": {}}, int, object])
def test_other_things_are_no_tools(tool: Any) -> None:
    with pytest.raises(InvalidSpec):
        as_tool(tool)


def test_tools_have_names_of_their_own_and_there_is_one_at_least() -> None:
    with pytest.raises(InvalidSpec, match="two tools have the name 'add'"):
        tool_call([add, add])
    with pytest.raises(UnsatisfiableSpec, match="there is no tool that could be called"):
        tool_call([])
    with pytest.raises(InvalidSpec, match="tools are given in a list, not as function"):
        tool_call(add)


# ------------------------------------------------------------------ JSON


TOOLS = [add, book, Weather, SEARCH]
ADD = {"a": 1, "b": 2}
BOOK = {"city": "Rome", "nights": 3}


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("openai", '{"name": "book", "arguments": {"city": "Rome", "nights": 3}}'),
        ("llama3", '{"name": "book", "parameters": {"city": "Rome", "nights": 3}}'),
        (
            "hermes",
            '<tool_call>\n{"name": "book", "arguments": {"city": "Rome", "nights": 3}}\n'
            "</tool_call>",
        ),
    ],
)
def test_one_call_in_each_style(style: Any, text: str) -> None:
    spec = ct.tool_call(TOOLS, style=style)
    call = spec.parse(text)
    assert call == ToolCall("book", BOOK)
    assert call() == "Rome for 3"
    assert not spec.matches(text.replace("Rome", "Oslo"))
    assert not spec.matches(text.replace("3}", "15}"))
    assert not spec.matches(text.replace("book", "cook"))
    assert not spec.matches(text.replace("book", "add"))


def test_several_calls_are_a_list_or_follow_each_other() -> None:
    one = json.dumps({"name": "add", "arguments": ADD})
    two = json.dumps({"name": "book", "arguments": BOOK})
    expected = [ToolCall("add", ADD), ToolCall("book", BOOK)]
    listed = tool_call(TOOLS, parallel=True, most=2)
    assert listed.parse(f"[{one}, {two}]") == expected
    tagged = tool_call(TOOLS, style="hermes", parallel=True, most=2)
    calls = [f"<tool_call>\n{call}\n</tool_call>" for call in (one, two, one)]
    assert tagged.parse("\n".join(calls[:2])) == expected
    assert tagged.parse(calls[0]) == expected[:1]
    for spec, texts in ((listed, ["[]", f"[{one}, {two}, {one}]"]), (tagged, ["\n".join(calls)])):
        assert not any(spec.matches(text) for text in texts)
    endless = tool_call(TOOLS, style="hermes", parallel=True)
    assert len(endless.parse("\n".join(calls * 5))) == 15


def test_tags_inside_an_argument_are_text() -> None:
    spec = tool_call([Weather], style="hermes", parallel=True)
    city = "</tool_call>\n<tool_call>"
    value = json.dumps({"name": "Weather", "arguments": {"city": city}})
    (call,) = spec.parse(f"<tool_call>\n{value}\n</tool_call>")
    assert call.arguments == {"city": city}


def test_references_of_a_schema_follow_it_into_the_format() -> None:
    tree = {
        "name": "a/b ~",
        "parameters": {
            "type": "object",
            "properties": {
                "child": {"$ref": "#"},
                "$ref": {"$ref": "#/properties/enum"},
                "enum": {"const": {"$ref": "#/kept"}},
            },
            "additionalProperties": False,
        },
    }
    spec = tool_call([tree, SEARCH])
    value = {"child": {"child": {}}, "$ref": {"$ref": "#/kept"}}
    call = spec.parse(json.dumps({"name": "a/b ~", "arguments": value}))
    assert call.arguments == value
    for query, fits in (("", False), ("x" * 20, True), ("x" * 21, False)):
        text = json.dumps({"name": "search", "arguments": {"query": query}})
        assert spec.matches(text) is fits


def test_errors_in_a_schema_point_into_it() -> None:
    broken = {"name": "x", "parameters": {"type": "object", "properties": {"y": {"minimum": "1"}}}}
    with pytest.raises(InvalidSpec) as error:
        tool_call([broken])
    assert error.value.where == "#/$defs/x/properties/y/minimum"


def test_drafts_may_not_be_mixed() -> None:
    def tool(name: str, draft: str) -> dict[str, Any]:
        url = f"http://json-schema.org/draft-{draft}/schema#"
        limit = {"minimum": 0, "exclusiveMinimum": True} if draft == "04" else {"minimum": 0}
        return {
            "name": name,
            "parameters": {"$schema": url, "properties": {"x": {"type": "integer", **limit}}},
        }

    spec = tool_call([tool("one", "04")])
    assert not spec.matches('{"name": "one", "arguments": {"x": 0}}')
    with pytest.raises(UnsupportedSpec, match="the tools are written in several drafts"):
        tool_call([tool("one", "04"), tool("two", "07")])


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"style": "xml"}, InvalidSpec, "style is 'xml' (use 'openai', 'hermes' or 'llama3')"),
        ({"style": []}, InvalidSpec, "style is [] (use 'openai', 'hermes' or 'llama3')"),
        (
            {"most": "2", "parallel": True},
            InvalidSpec,
            "most='2' calls (pass parallel=True and a number above 0)",
        ),
        (
            {"style": "llama3", "parallel": True},
            UnsupportedSpec,
            "the Llama 3.1 format has one call per message (leave parallel out)",
        ),
        ({"most": 2}, InvalidSpec, "most=2 calls (pass parallel=True and a number above 0)"),
        (
            {"most": 0, "parallel": True},
            InvalidSpec,
            "most=0 calls (pass parallel=True and a number above 0)",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind) as error:
        tool_call([add], **settings)
    assert str(error.value) == message


def test_numbers_that_python_cannot_read_are_rejected_not_raised() -> None:
    spec = tool_call([SEARCH, add])
    with pytest.raises(TextRejected):
        spec.parse('{"name": "add", "arguments": {"a": ' + "9" * 5000 + "}}")


def test_the_repr_shows_the_tools() -> None:
    assert repr(tool_call([add, SEARCH], style="hermes")) == (
        "tool_call([add, search], style='hermes')"
    )
    assert repr(react([add], answer=int)) == "react([add], answer=integer())"
    assert repr(react([add], thought=None, answer=None)) == (
        "react([add], thought=None, answer=None)"
    )


# ------------------------------------------------------------------ ReAct


def test_a_step_is_a_thought_and_an_action_whose_input_fits_it() -> None:
    spec = ct.react(TOOLS)
    step = spec.parse('Thought: Rome.\nAction: book\nAction Input: {"city": "Rome", "nights": 3}')
    assert step == ReactStep("Rome.", ToolCall("book", BOOK), None)
    assert step.action is not None
    assert step.action() == "Rome for 3"
    for wrong in (
        'Thought: Rome.\nAction: add\nAction Input: {"city": "Rome", "nights": 3}',
        'Thought: Rome.\nAction: fly\nAction Input: {"city": "Rome", "nights": 3}',
        'Thought: Rome.\nAction: book\nAction Input: {"city": "Rome", "nights": 0}',
        'Thought: Rome.\nAction: book\nAction Input:\n{"city": "Rome", "nights": 3}',
        'Thought: a\nb\nAction: add\nAction Input: {"a": 1}',
        'Action: add\nAction Input: {"a": 1}',
        "Thought: \nFinal Answer: 3",
        "Thought: x\nFinal Answer: ",
    ):
        assert not spec.matches(wrong), wrong


def test_a_final_answer_has_a_spec_of_its_own() -> None:
    assert react([add]).parse("Thought: x\nFinal Answer: a\nb").answer == "a\nb"
    typed = react([add], answer=ct.integer(0, 10))
    assert typed.parse("Thought: x\nFinal Answer: 7") == ReactStep("x", None, 7)
    assert not typed.matches("Thought: x\nFinal Answer: 11")
    never = react([add], answer=None)
    assert not never.matches("Thought: x\nFinal Answer: 7")
    assert never.matches('Thought: x\nAction: add\nAction Input: {"a": 1}')


def test_what_stands_before_and_in_the_thought_can_be_chosen() -> None:
    spec = react([add], begin=" ", thought=ct.choice(["yes", "no"]), answer=["1"])
    assert spec.parse(" yes\nFinal Answer: 1") == ReactStep("yes", None, "1")
    bare = react([add], begin="", thought=["yes"], answer=["1"])
    assert bare.parse("yes\nFinal Answer: 1").thought == "yes"
    none = react([add], thought=None)
    assert none.parse('Action: add\nAction Input: {"a": 1}').action == ToolCall("add", {"a": 1})
    assert none.parse("Final Answer: x") == ReactStep(None, None, "x")
    with pytest.raises(InvalidSpec) as error:
        react([add], thought="lines")
    assert str(error.value) == "'lines' is no spec here (use 'line', None or a spec)"


def test_labels_inside_texts_do_not_confuse_the_reading() -> None:
    spec = react([Weather])
    thought = 'Action: Weather Action Input: {"city": "x"}'
    city = "\nAction Input: {}"
    written = json.dumps({"city": city})
    step = spec.parse(f"Thought: {thought}\nAction: Weather\nAction Input: {written}")
    assert step == ReactStep(thought, ToolCall("Weather", {"city": city}), None)


# ------------------------------------------------------------------ with transformers


def test_definitions_are_those_that_transformers_makes_of_a_function() -> None:
    from transformers.utils import get_json_schema

    def plain(schema: Any) -> Any:
        """Without what pydantic adds: titles, and that there are no other members."""
        if not isinstance(schema, dict):
            return schema
        left_out = ("title", "additionalProperties", "minimum", "maximum", "return")
        return {key: plain(value) for key, value in schema.items() if key not in left_out}

    def rate(text: str, stars: int, tags: list[str], fair: bool = True) -> None:
        """
        Rate a text.

        Args:
            text: What to rate.
            stars: How many,
                at most five.
            tags: Words for it.
            fair: Whether to be fair.
        """

    assert plain(as_tool(rate).definition) == plain(get_json_schema(rate))


@pytest.mark.parametrize("style", ["openai", "hermes", "llama3", "react"])
def test_a_model_that_knows_nothing_writes_calls_that_run(style: Any) -> None:
    import torch

    from tests import tiny

    tokenizer = tiny.byte_level()
    model = tiny.model("llama", len(tokenizer))
    tools = [add, book]
    spec = react(tools, answer=None) if style == "react" else tool_call(tools, style=style)
    mask = ct.LogitsMask(spec, tokenizer, max_new_tokens=120)
    prompt = tokenizer("The essay", return_tensors="pt")["input_ids"]
    for seed in range(3):
        torch.manual_seed(seed)
        output = model.generate(prompt, max_new_tokens=120, do_sample=True, logits_processor=[mask])
        value = spec.parse(tokenizer.decode(output[0, prompt.shape[1] :], skip_special_tokens=True))
        call = value.action if isinstance(value, ReactStep) else value
        assert call.name in ("add", "book")
        assert call() == (add if call.name == "add" else book)(**call.arguments)
