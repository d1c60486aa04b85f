"""Output formats: each front end is a function that returns a `Spec`.

===================  =====================================================================
`template`           literal text with typed holes
`choice`             one of finitely many texts; `boolean`, `likert`
`integer`, `number`  numbers in a range, on a step
`text`               free text, bounded by length, alphabet, lines or a stop
`regex`              what a Python regular expression matches in full
`json`               JSON of a pydantic model, a dataclass, a TypedDict or a JSON Schema
`grammar`            a context-free grammar, as Lark or llama.cpp write it
`tool_call`          calls of tools as JSON; `react`: steps in the ReAct style
`substring_of`       a piece of a given text: a quote
`many`               a format repeated: a list, with a separator
`as_spec`            any of these, and Python's own ways to say it (``range(0, 11)``, ``int``)
===================  =====================================================================

Specs are joined by ``+``, alternatives by ``|``; ``spec * 3`` is three of them.
"""

from constrained.spec.cfg import grammar
from constrained.spec.coerce import as_spec
from constrained.spec.json_schema import json
from constrained.spec.json_style import JsonStyle
from constrained.spec.many import many
from constrained.spec.numbers import integer, number
from constrained.spec.regex import regex
from constrained.spec.spec import Hole, Part, Spec
from constrained.spec.substring import substring_of
from constrained.spec.summary import Summary
from constrained.spec.template import template
from constrained.spec.text import text
from constrained.spec.tools import ReactStep, Tool, ToolCall, as_tool, react, tool_call
from constrained.spec.types import boolean, choice, likert

__all__ = [
    "Hole",
    "JsonStyle",
    "Part",
    "ReactStep",
    "Spec",
    "Summary",
    "Tool",
    "ToolCall",
    "as_spec",
    "as_tool",
    "boolean",
    "choice",
    "grammar",
    "integer",
    "json",
    "likert",
    "many",
    "number",
    "react",
    "regex",
    "substring_of",
    "template",
    "text",
    "tool_call",
]
