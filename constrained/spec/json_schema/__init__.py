"""`json`: a spec from a JSON Schema or from any type that pydantic understands."""

from __future__ import annotations

import json as _json
from collections.abc import Callable
from typing import Any
from typing import Literal as OneOf

from constrained.errors import InvalidSpec, UnsatisfiableSpec
from constrained.grammar import Grammar
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.json_schema.document import Document
from constrained.spec.json_schema.emit import Emission
from constrained.spec.json_schema.keywords import demand_of
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_text import JsonStyle, style_named
from constrained.spec.spec import Spec

__all__ = ["JsonStyle", "json", "schema_grammar"]


def schema_grammar(
    schema: dict[str, Any] | bool,
    *,
    whitespace: str | JsonStyle = "flexible",
    formats: OneOf["exact", "annotation"] = "exact",
    limits: Limits = DEFAULT_LIMITS,
) -> Grammar:
    """The grammar of a schema's JSON texts; its rules are built when first looked up.

    Raises `InvalidSpec`, `UnsupportedSpec` and `UnsatisfiableSpec` with JSON pointers, and
    `LimitExceeded`.
    """
    style = style_named(whitespace)
    document = Document(schema, limits)
    meaning = Meaning(document, formats == "exact")
    plain = meaning.read_all()
    emission = Emission(meaning, style)
    root = demand_of(document.root)
    if not emission.alive(root):
        raise UnsatisfiableSpec("no value satisfies the schema", where="#")
    start = emission.value(root, style.level(1))
    if not plain:
        emission.all_rules()
    return Grammar(start, emission.rules)


def json(
    schema: Any,
    *,
    whitespace: str | JsonStyle = "flexible",
    formats: OneOf["exact", "annotation"] = "exact",
    limits: Limits = DEFAULT_LIMITS,
) -> Spec[Any]:
    """JSON that satisfies a schema."""
    grammar = schema_grammar(schema, whitespace=whitespace, formats=formats, limits=limits)
    return Spec("json(...)", grammar, _json.loads)
