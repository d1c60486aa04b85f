"""JSON Schema terms of Outlines, and patterns of its terms inside pydantic models."""

from __future__ import annotations

import re
from json import loads
from typing import Any

from outlines.types.dsl import JsonSchema, Term, to_regex

from constrained.engine import ByteEngine
from constrained.errors import InvalidSpec, UnsatisfiableSpec, UnsupportedSpec
from constrained.grammar import Grammar, Node, minus
from constrained.spec import JsonStyle, Spec, json, regex
from constrained.spec.json_schema import schema_grammar
from constrained.spec.json_schema.rewriting import rewritten
from constrained.spec.json_style import FLEXIBLE
from constrained.spec.pydantic import TypeReader, type_schema
from constrained.spec.regex import pattern_node

__all__ = ["schema_spec", "structured_spec"]

STYLE = JsonStyle(comma=("", " "), colon=("", " "), around=("", " "), escapes="raw")
"""What Outlines writes when no whitespace is asked for: one space at most."""
COMPOSING = frozenset({"allOf", "not", "if", "dependentSchemas", "unevaluatedProperties", "oneOf"})
"""With these, what one schema leaves open may be settled by another."""
OTHERS = frozenset({"additionalProperties", "patternProperties"})
MOST_GAPS = 64


def schema_spec(term: JsonSchema) -> Spec[Any]:
    """JSON of a schema term; the value is what `json.loads` gives.

    Objects that list their members have no others, as Outlines writes them, unless the schema
    speaks of others or composes schemas.
    """
    schema = loads(term.schema)
    style = _style(term.whitespace_pattern)
    grammar = schema_grammar(_closed(schema), whitespace=style)
    return Spec(f"from_outlines({term!r})", grammar, json(True).read)


def structured_spec(kind: Any) -> Spec[Any]:
    """JSON of a pydantic model, a dataclass or a TypedDict; the value is one of it."""
    source = f"from_outlines({kind.__qualname__})"
    reader = TypeReader(kind, source)
    schema = type_schema(reader.adapter)
    patterns = {to_regex(term) for term in _terms(reader.adapter.core_schema)}
    if patterns:
        schema = _anchored(schema, patterns)
    return Spec(source, schema_grammar(schema, whitespace=STYLE), reader)


def _closed(schema: Any) -> Any:
    """The schema with its open objects closed, where that is all it takes."""
    if any(COMPOSING & part.keys() and "discriminator" not in part for part in _parts(schema)):
        return schema

    def close(part: dict[str, Any]) -> dict[str, Any]:
        silent = not OTHERS & part.keys() and "$ref" not in part
        return {**part, "additionalProperties": False} if "properties" in part and silent else part

    return rewritten(schema, close)


def _parts(schema: Any) -> list[dict[str, Any]]:
    """Every schema in a schema."""
    found: list[dict[str, Any]] = []

    def note(part: dict[str, Any]) -> dict[str, Any]:
        found.append(part)
        return part

    rewritten(schema, note)
    return found


def _style(pattern: str | None) -> JsonStyle:
    """The style whose gaps are the texts of a whitespace pattern.

    This library never writes whitespace before a comma or a colon, so a pattern has to allow none.
    Of a pattern without end, the gaps of the flexible style are taken, if it allows those.
    """
    if pattern is None:
        return STYLE
    gaps = regex(pattern)
    try:
        texts = tuple(gaps.enumerate(MOST_GAPS + 1))
    except UnsupportedSpec:
        flexible = FLEXIBLE.opening(0)
        if _within(flexible, gaps.grammar.start):
            return FLEXIBLE
        texts = ()
    if "" not in texts or len(texts) > MOST_GAPS or any(text.strip(" \t\r\n") for text in texts):
        raise UnsupportedSpec(
            "whitespace_pattern",
            f"the whitespace pattern {pattern!r} cannot be followed exactly",
            hint="use one that allows no whitespace and few other gaps, such as '[ ]?'",
        )
    return JsonStyle(comma=texts, colon=texts, around=texts, escapes="raw")


def _within(inner: Node, outer: Node) -> bool:
    """Whether every text of `inner` is one of `outer`."""
    try:
        ByteEngine(Grammar(minus(inner, outer)))
    except UnsatisfiableSpec:
        return True
    return False


def _terms(core: Any) -> list[Term]:
    """The Outlines terms that a pydantic core schema holds as types of members."""
    if isinstance(core, (list, tuple)):
        return [term for item in core for term in _terms(item)]
    if not isinstance(core, dict):
        return []
    functions = (core.get("metadata") or {}).get("pydantic_js_functions", ())
    owners = [getattr(function, "__self__", None) for function in functions]
    found = [owner for owner in owners if isinstance(owner, Term)]
    return found + [term for value in core.values() for term in _terms(value)]


def _anchored(schema: Any, patterns: set[str]) -> Any:
    """The schema with the patterns of terms in the dialect of JSON Schema, and matched whole."""

    def anchor(part: dict[str, Any]) -> dict[str, Any]:
        pattern = part.get("pattern")
        return {**part, "pattern": _ecma(pattern)} if pattern in patterns else part

    return rewritten(schema, anchor)


ESCAPED = re.compile(r"\\([^\w^$\\.*+?()\[\]{}|/]|.)", re.DOTALL)


def _ecma(pattern: str) -> str:
    r"""A Python pattern in the dialect of JSON Schema, checked to match nothing else.

    ``\d``, ``\w`` and ``\s`` are narrower there.
    """

    def escape(found: re.Match[str]) -> str:
        char = found[1]
        return found[0] if char.isalnum() or char in "^$\\.*+?()[]{}|/" else f"\\x{ord(char):02x}"

    written = f"^(?:{ESCAPED.sub(escape, pattern)})$"
    try:
        if _within(pattern_node(written, dialect="ecma", search=True), pattern_node(pattern)):
            return written
    except InvalidSpec:
        pass
    raise UnsupportedSpec(
        "term",
        f"the pattern {pattern!r} of a term inside a model means something else in JSON Schema",
        hint="use Annotated[str, Field(pattern=...)] there",
    )
