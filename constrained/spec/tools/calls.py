"""`tool_call`: calls of tools as JSON, in the forms that models are trained to write."""

from __future__ import annotations

from collections.abc import Mapping
from json import JSONDecoder
from typing import Any, Literal
from urllib.parse import quote

from constrained.errors import InvalidSpec, TextRejected, UnsupportedSpec
from constrained.grammar import Grammar, cat, literal, repeat
from constrained.spec.json_schema import schema_grammar
from constrained.spec.json_schema.rewriting import rewritten
from constrained.spec.json_style import JsonStyle
from constrained.spec.source import call_source
from constrained.spec.spec import Spec
from constrained.spec.tools.tool import Tool, ToolCall, as_tools

__all__ = ["arguments_grammar", "read_json", "tool_call"]

Style = Literal["openai", "hermes", "llama3"]

ARGUMENTS = {"openai": "arguments", "hermes": "arguments", "llama3": "parameters"}
"""What each style calls the arguments."""
OPENING, CLOSING = "<tool_call>\n", "\n</tool_call>"


def tool_call(
    tools: Any,
    *,
    style: Style = "openai",
    parallel: bool = False,
    most: int | None = None,
    whitespace: str | JsonStyle = "flexible",
) -> Spec[Any]:
    """A call of one of the tools; the arguments follow the schema of the tool that is named.

    `tools` is a list of functions, pydantic models, dataclasses, TypedDicts or definitions (see
    `as_tool`), or a mapping from names to them. The value is a `ToolCall`, and with `parallel` a
    list of one to `most` of them.

    ==========  =============================================  ===============================
    style       one call                                       parallel
    ==========  =============================================  ===============================
    ``openai``  ``{"name": "add", "arguments": {"a": 1}}``     a JSON list of them
    ``hermes``  the same between the lines ``<tool_call>``     one after another
                and ``</tool_call>``
    ``llama3``  ``{"name": "add", "parameters": {"a": 1}}``    refused
    ==========  =============================================  ===============================

    `whitespace` is as for `json`. Raises `InvalidSpec` for what is no tool, `UnsupportedSpec` for
    schemas that cannot be enforced exactly, with a JSON pointer in which ``#/$defs/add`` is the
    schema of the tool ``add``, and what `as_tool` raises. Sources: the model cards of Hermes 2 Pro
    and Llama 3.1, OpenAI's chat completions.

    >>> def add(a: int, b: int = 0) -> int:
    ...     return a + b
    >>> call = tool_call([add]).parse('{"name": "add", "arguments": {"a": 1, "b": 2}}')
    >>> call, call()
    (ToolCall(name='add', arguments={'a': 1, 'b': 2}), 3)
    """
    named = as_tools(tools)
    if style not in tuple(ARGUMENTS):
        raise InvalidSpec(f"style is {style!r}", hint="use 'openai', 'hermes' or 'llama3'")
    if parallel and style == "llama3":
        raise UnsupportedSpec(
            "parallel", "the Llama 3.1 format has one call per message", hint="leave parallel out"
        )
    if most is not None and (not parallel or type(most) is not int or most < 1):
        raise InvalidSpec(f"most={most!r} calls", hint="pass parallel=True and a number above 0")
    key = ARGUMENTS[style]
    one = {"anyOf": [_call_schema(tool, key) for tool in named.values()]}
    listed = parallel and style == "openai"
    schema: dict[str, Any] = one
    if listed:
        schema = {"type": "array", "items": one, "minItems": 1}
        schema |= {} if most is None else {"maxItems": most}
    grammar = schema_grammar({**schema, **_definitions(named)}, whitespace=whitespace)
    if style == "hermes":
        call = cat(literal(OPENING), grammar.start, literal(CLOSING))
        rest = None if most is None else most - 1
        more = repeat(cat(literal("\n"), call), 0, rest if parallel else 0)
        grammar = Grammar(cat(call, more), grammar.rules)

    def called(value: Any) -> ToolCall:
        return named[value["name"]].call(value[key])

    def read(text: str) -> Any:
        if style == "hermes":
            calls = [called(value) for value in _tagged(text)]
            return calls if parallel else calls[0]
        value = read_json(text)
        return [called(item) for item in value] if listed else called(value)

    options: dict[str, tuple[object, object]] = {
        "style": (style, "openai"),
        "parallel": (parallel, False),
        "most": (most, None),
        "whitespace": (whitespace, "flexible"),
    }
    return Spec(call_source("tool_call", [f"[{', '.join(named)}]"], options), grammar, read)


def arguments_grammar(tool: Tool, whitespace: str | JsonStyle) -> Grammar:
    """The JSON texts of a tool's arguments alone."""
    return schema_grammar(tool.parameters, whitespace=whitespace)


def read_json(text: str) -> Any:
    """The value of a JSON text; `TextRejected` where Python refuses to read it."""
    return _value_at(text, 0)[0]


def _value_at(text: str, position: int) -> tuple[Any, int]:
    try:
        return JSONDecoder().raw_decode(text, position)
    except ValueError as error:  # Python refuses to read integers of thousands of digits
        raise TextRejected(text, position, f"JSON that Python reads ({error})") from error
    except RecursionError as error:
        raise TextRejected(text, position, "JSON nested less deeply") from error


def _tagged(text: str) -> list[Any]:
    """The values between the tags; texts inside a value may hold tags themselves."""
    values, position = [], 0
    while position < len(text):
        value, end = _value_at(text, position + len(OPENING))
        values.append(value)
        position = end + len(CLOSING) + 1
    return values


def _pointer(tool: Tool) -> str:
    return "#/$defs/" + quote(tool.name.replace("~", "~0").replace("/", "~1"))


def _call_schema(tool: Tool, key: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": tool.name}, key: {"$ref": _pointer(tool)}},
        "required": ["name", key],
        "additionalProperties": False,
    }


def _definitions(tools: Mapping[str, Tool]) -> dict[str, Any]:
    """The schemas of the tools as definitions of one document."""
    drafts = {tool.parameters.get("$schema") for tool in tools.values()} - {None}
    if len(drafts) > 1:
        raise UnsupportedSpec(
            "$schema",
            f"the tools are written in several drafts: {', '.join(sorted(map(str, drafts)))}",
            hint="leave $schema out, or write them in one draft",
        )
    definitions = {name: _moved(tool.parameters, _pointer(tool)) for name, tool in tools.items()}
    return {"$defs": definitions} | ({"$schema": drafts.pop()} if drafts else {})


def _moved(schema: Any, place: str) -> Any:
    """A whole schema as it reads at another place of a document: its references follow it."""

    def move(part: dict[str, Any]) -> dict[str, Any]:
        moved = {key: value for key, value in part.items() if key != "$schema"}
        target = moved.get("$ref")
        if isinstance(target, str) and f"{target}/".startswith("#/"):
            moved["$ref"] = place + target[1:]
        return moved

    return rewritten(schema, move)
