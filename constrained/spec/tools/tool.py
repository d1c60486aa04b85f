"""`Tool`: a name, a schema for its arguments, and what to run; `ToolCall`: one call of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from json import dumps
from typing import Any, NotRequired

from constrained.errors import InvalidSpec, UnsatisfiableSpec, UnsupportedSpec
from constrained.spec.tools.docstring import described

__all__ = ["Tool", "ToolCall", "as_tool", "as_tools"]

ACCEPTED = (
    "accepted: a function whose parameters have types, a pydantic model, a dataclass, a TypedDict, "
    "a definition as a dict with name and parameters (OpenAI's form included), a Tool"
)
SCHEMA_KEYS = ("parameters", "input_schema", "inputSchema")
"""Where OpenAI, Anthropic and MCP put the schema of the arguments."""
KINDS = inspect.Parameter


@dataclass(frozen=True)
class ToolCall:
    """A call that a model wrote: the tool's name and its arguments, typed where types are known.

    Calling it runs the tool. Arguments that the model left out are left to the tool's defaults.

    >>> ToolCall("add", {"a": 1, "b": 2}, run=lambda: 3)()
    3
    """

    name: str
    arguments: dict[str, Any]
    run: Callable[[], Any] | None = field(default=None, repr=False, compare=False)

    def __call__(self) -> Any:
        """What the tool returns. Raises `InvalidSpec` for a tool given as a schema only."""
        if self.run is None:
            raise InvalidSpec(
                f"the tool {self.name!r} was given as a schema, so there is nothing to run",
                hint="pass the function itself as a tool",
            )
        return self.run()


@dataclass(frozen=True)
class Tool:
    """Something that a model may call: see `as_tool`.

    `parameters` is a JSON Schema of an object. `typed` turns arguments as JSON has them into a
    mapping of typed ones and, if there is something to run, a function without parameters.

    >>> def add(a: int, b: int = 0) -> int:
    ...     return a + b
    >>> as_tool(add).name, as_tool(add).parameters["required"]
    ('add', ['a'])
    """

    name: str
    description: str
    parameters: dict[str, Any]
    typed: Callable[[dict[str, Any]], tuple[dict[str, Any], Callable[[], Any] | None]] = field(
        repr=False
    )

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as OpenAI's interface and chat templates describe one."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": self.parameters,
            },
        }

    def call(self, arguments: dict[str, Any]) -> ToolCall:
        """The call with these arguments, as JSON has them."""
        return ToolCall(self.name, *self.typed(arguments))


def as_tool(thing: Any, *, name: str | None = None) -> Tool:
    """The tool that a function, a type or a definition describes; `name` replaces its own name.

    The parameters of a function become members of the arguments, those with a default optional;
    the docstring describes them. Raises `InvalidSpec` for what is none of these and for a
    parameter without a type, `UnsupportedSpec` for parameters that JSON cannot fill
    (``*args``, ``**kwargs``, positional-only ones).

    >>> def add(a: int, b: int = 0) -> int:
    ...     return a + b
    >>> as_tool(add).parameters["required"]
    ['a']
    >>> as_tool({"name": "now"}).parameters
    {'type': 'object', 'properties': {}, 'additionalProperties': False}
    """
    if isinstance(thing, Tool):
        made = thing
    elif isinstance(thing, Mapping):
        made = _defined(thing)
    elif isinstance(thing, type):
        made = _structured(thing)
    elif callable(thing):
        made = _function(thing)
    else:
        raise InvalidSpec(f"{thing!r} ({type(thing).__name__}) is no tool", hint=ACCEPTED)
    if name is not None:
        made = Tool(name, made.description, made.parameters, made.typed)
    printable = isinstance(made.name, str) and made.name.isprintable()
    if not printable or not made.name or made.name != made.name.strip():
        raise InvalidSpec(
            f"a tool cannot have the name {made.name!r}", hint="use one line of printable text"
        )
    return made


def as_tools(things: Any) -> dict[str, Tool]:
    """The tools by name.

    `things` is a list of tools, or a mapping from names to tools. Raises `InvalidSpec` when two
    have the same name, `UnsatisfiableSpec` when there is none.
    """
    if isinstance(things, Mapping) and all(not isinstance(t, str) for t in things.values()):
        tools = [as_tool(thing, name=name) for name, thing in things.items()]
    elif isinstance(things, Iterable) and not isinstance(things, str | bytes | Mapping):
        tools = [as_tool(thing) for thing in things]
    else:
        raise InvalidSpec(
            f"tools are given in a list, not as {type(things).__name__}",
            hint="write [tool], or {'name': tool}",
        )
    named: dict[str, Tool] = {}
    for made in tools:
        if made.name in named:
            raise InvalidSpec(
                f"two tools have the name {made.name!r}",
                hint="pass {'name': tool, ...} to give them names of their own",
            )
        named[made.name] = made
    if not named:
        raise UnsatisfiableSpec("there is no tool that could be called")
    return named


def _defined(definition: Mapping[str, Any]) -> Tool:
    inner = definition.get("function", definition)
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        raise InvalidSpec(f"a tool's definition needs a name: {dict(definition)!r}", hint=ACCEPTED)
    name = inner["name"]
    given = [inner[key] for key in SCHEMA_KEYS if inner.get(key) is not None]
    schema = given[0] if given else {"properties": {}, "additionalProperties": False}
    if not isinstance(schema, Mapping) or schema.get("type", "object") != "object":
        raise InvalidSpec(
            f"the parameters of the tool {name!r} are no schema of an object",
            hint="write {'type': 'object', 'properties': {...}}",
        )
    return Tool(
        name,
        str(inner.get("description") or ""),
        {"type": "object", **schema},
        lambda arguments: (arguments, None),
    )


def _structured(kind: type) -> Tool:
    """A model, a dataclass or a TypedDict: its members are the arguments, calling it makes one."""
    from constrained.spec.pydantic import TypeReader, type_schema

    reader = TypeReader(kind, kind.__qualname__)
    schema = type_schema(reader.adapter)
    if schema.get("type", "object") != "object" or ("$ref" not in schema and "type" not in schema):
        raise InvalidSpec(f"the type {kind.__qualname__} has no members", hint=ACCEPTED)

    def typed(arguments: dict[str, Any]) -> tuple[dict[str, Any], Callable[[], Any]]:
        value = reader(dumps(arguments))
        members = value if isinstance(value, dict) else vars(value)
        return {key: members.get(key, arguments[key]) for key in arguments}, lambda: value

    doc = kind.__doc__ or ""
    if doc.startswith(f"{kind.__name__}("):  # what dataclass writes where there is none
        doc = ""
    return Tool(kind.__name__, described(doc, ())[0], {"type": "object", **schema}, typed)


def _function(function: Callable[..., Any]) -> Tool:
    from constrained.spec.pydantic import TypeReader, type_schema

    named = function.func if isinstance(function, partial) else function
    name = getattr(named, "__name__", type(named).__name__)
    reader = TypeReader(_arguments_type(function, name), name)
    schema = {"type": "object", **type_schema(reader.adapter)}
    description, texts = described(named.__doc__, schema.get("properties", {}))
    for parameter, text in texts.items():
        schema["properties"][parameter].setdefault("description", text)

    def typed(arguments: dict[str, Any]) -> tuple[dict[str, Any], Callable[[], Any]]:
        values = reader(dumps(arguments))
        return values, partial(function, **values)

    return Tool(name, description, schema, typed)


def _arguments_type(function: Callable[..., Any], name: str) -> Any:
    """A TypedDict of the parameters: pydantic reads it, whatever they are called."""
    from typing_extensions import TypedDict  # the one that pydantic reads on every Python

    try:
        signature = inspect.signature(function, eval_str=True)
    except (ValueError, TypeError, NameError, SyntaxError, AttributeError) as error:
        raise InvalidSpec(
            f"the signature of {name} cannot be read: {error}", hint="write its types out"
        ) from error
    members: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind in (KINDS.VAR_POSITIONAL, KINDS.VAR_KEYWORD, KINDS.POSITIONAL_ONLY):
            raise UnsupportedSpec(
                str(parameter.kind.description),
                f"{name} has the {parameter.kind.description} parameter {parameter.name!r}, which "
                "named arguments cannot fill",
                hint="wrap it in a function whose parameters have names and types",
            )
        if parameter.annotation is KINDS.empty:
            raise InvalidSpec(
                f"the parameter {parameter.name!r} of {name} has no type", hint="annotate it"
            )
        required = parameter.default is KINDS.empty
        members[parameter.name] = (
            parameter.annotation if required else NotRequired[parameter.annotation]
        )
    typed_dict: Any = TypedDict  # mypy knows it with literal members only
    return typed_dict(name, members)
