"""`json`: a spec from a JSON Schema or from any type that pydantic understands.

How a schema becomes a grammar::

    document     sub-schemas as numbers, pointers, local references
    keywords     one small function per keyword: what a schema says
    records      constraints on one type; *_records: their algebra
    shapes       the canonical form, closed under intersection and difference
    operations   what each applicator does to a shape; evaluated: the unevaluated* keywords
    meaning      the shape of every schema, worked out when first needed
    misspelt     keys that look like a keyword and are none
    *_machine    members that are counted: which may come next
    liveness     which schemas any finite value satisfies; causes: why none does
    scalars      numbers and strings as nodes; languages, regions: sets of texts and of keys
    emit         shapes to rules, each built when first asked for
    rewriting    schemas as dicts, changed before they are read; shortened: shown in a repr
"""

from __future__ import annotations

import functools
import marshal
import warnings
from inspect import isfunction, ismethod
from json import loads
from typing import Any
from typing import Literal as OneOf

from constrained.collection import collection_paused
from constrained.errors import InvalidSpec, SchemaWarning, TextRejected, UnsupportedSpec
from constrained.grammar import Grammar, Ref
from constrained.limits import DEFAULT_LIMITS, Limits, check_limits
from constrained.spec.json_schema.causes import unsatisfiable
from constrained.spec.json_schema.document import Document
from constrained.spec.json_schema.emit import Emission
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_schema.misspelt import misspelt_keywords
from constrained.spec.json_schema.reading import demand_of
from constrained.spec.json_schema.shortened import shortened
from constrained.spec.json_style import JsonStyle, style_named
from constrained.spec.lookalikes import refuse_value
from constrained.spec.so_far import json_so_far
from constrained.spec.source import call_source
from constrained.spec.spec import Spec
from constrained.visible import visible

__all__ = ["JsonStyle", "json", "read_json", "schema_grammar"]

Formats = OneOf["exact", "annotation"]
Order = OneOf["schema", "any"]
Misspelt = OneOf["warn", "ignore", "error"]
Settings = tuple[JsonStyle, Formats, Order, Limits]

GRAMMARS_KEPT = 64
"""Schemas whose grammars are found again, with all that engines know of them."""

LARGEST_KEPT = 2**20
"""Bytes of a schema beyond which it is read anew each time, rather than take memory for good."""


def json(
    schema: Any,
    *,
    whitespace: str | JsonStyle = "flexible",
    formats: Formats = "exact",
    order: Order = "schema",
    misspelt: Misspelt = "warn",
    limits: Limits = DEFAULT_LIMITS,
) -> Spec[Any]:
    """JSON that satisfies a schema or is a value of a type.

    `schema` is a JSON Schema (a dict or a bool; drafts 4 to 2020-12), or anything that pydantic's
    `TypeAdapter` takes: a model, dataclass, TypedDict, Enum, `Literal`, `list[...]`,
    `Annotated[int, Field(ge=1, le=6)]`; a class of attrs; what msgspec reads, where a Struct or a
    Meta stands in it. Every text of a type is read by the type, or the type is refused. Schemas
    are read with `json.loads`, types as their values. Objects are written in the order of
    `properties`, then other members; those of types have no other members unless the type asks
    for them.

    `whitespace` is ``flexible`` (what `json.dumps` writes by default, with
    ``separators=(",", ":")``, and with any indent), ``compact``, ``spaced``, ``indented``, or a
    `JsonStyle`. `formats` says whether `format` is enforced or an annotation. With `order` ``any``
    members may come in any order; objects with more than 10 properties are refused then.

    The standard ignores keys that it does not know. With `misspelt` ``warn`` one `SchemaWarning`
    names those of a JSON Schema that look like a keyword (``minlength``); ``error`` raises
    `InvalidSpec` for them, ``ignore`` says nothing. The texts that match are the same.

    Raises `InvalidSpec` for a malformed schema, `UnsupportedSpec` for what cannot be enforced
    exactly, `UnsatisfiableSpec` when nothing matches, each with a JSON pointer; `LimitExceeded`
    for schemas beyond `limits`. Source: JSON Schema Core and Validation, draft 2020-12.

    >>> spec = json({"type": "object", "properties": {"score": {"type": "integer", "minimum": 0,
    ...              "maximum": 10}}, "required": ["score"], "additionalProperties": False})
    >>> spec.matches('{"score": 7}'), spec.matches('{"score": 11}')
    (True, False)
    >>> spec.parse('{"score": 7}')
    {'score': 7}
    """
    options: dict[str, tuple[object, object]] = {
        "whitespace": (whitespace, "flexible"),
        "formats": (formats, "exact"),
        "order": (order, "schema"),
    }
    if misspelt not in ("warn", "ignore", "error"):
        raise InvalidSpec(f"misspelt is {misspelt!r}", hint="use 'warn', 'ignore' or 'error'")
    if isinstance(schema, str):
        raise InvalidSpec(
            "a str is not a JSON Schema",
            hint="pass json.loads(text) for a schema in a text, or as_spec(text) for literal text",
        )
    if isfunction(schema) or ismethod(schema):
        raise InvalidSpec(
            f"the function {schema.__name__} is neither a JSON Schema nor a type",
            hint="pass a type that describes its arguments",
        )
    read: Any = read_json
    name = ""
    if not isinstance(schema, (dict, bool)):
        refuse_value(schema)
        from constrained.spec.pydantic import type_reader

        name = call_source("json", [_type_name(schema)], options)
        read = type_reader(schema, name)
        schema = read.schema
    settings = _settings(whitespace, formats, order, limits)
    content = _content(schema)
    try:
        grammar = _grammar(schema, content, settings)
    except UnsupportedSpec as error:
        if read is read_json or error.feature != "uniqueItems":
            raise
        raise _of_set(error) from error
    if misspelt != "ignore" and read is read_json:
        _report_misspelt(schema, misspelt)

    def written() -> str:
        return call_source("json", [shortened(marshal.loads(content))], options)

    if not name and not 0 < len(content) <= LARGEST_KEPT:
        name = call_source("json", [shortened(schema)], options)
    return Spec(name or written, grammar, read, read_so_far=json_so_far, limits=limits)


def schema_grammar(
    schema: dict[str, Any] | bool,
    *,
    whitespace: str | JsonStyle = "flexible",
    formats: Formats = "exact",
    order: Order = "schema",
    limits: Limits = DEFAULT_LIMITS,
) -> Grammar:
    """The grammar of the JSON texts that satisfy a schema; arguments and errors as for `json`.

    Its rules are built when first looked up, unless something in the schema may have to be refused:
    then all of them are built here. A schema that was read lately gives the same grammar again.
    """
    settings = _settings(whitespace, formats, order, limits)
    return _grammar(schema, _content(schema), settings)


def _settings(
    whitespace: str | JsonStyle, formats: Formats, order: Order, limits: Limits
) -> Settings:
    if formats not in ("exact", "annotation"):
        raise InvalidSpec(f"formats is {formats!r}", hint="use 'exact' or 'annotation'")
    if order not in ("schema", "any"):
        raise InvalidSpec(f"order is {order!r}", hint="use 'schema' or 'any'")
    check_limits(limits)
    return style_named(whitespace), formats, order, limits


def _report_misspelt(schema: Any, how: Misspelt) -> None:
    """Warn of keys that look like keywords, or raise `InvalidSpec` for the first of them."""
    found = misspelt_keywords(schema)
    if not found:
        return
    key, meant, where = found[0]
    if how == "error":
        raise InvalidSpec(
            f"{visible(key)} is no keyword of JSON Schema, so it would limit nothing",
            where=where,
            hint=f"write {meant}, or pass misspelt='ignore' if it is an annotation",
        )
    named = [f"at {place}: {visible(one)} (meant is {word}?)" for one, word, place in found[:3]]
    more = f", and {len(found) - 3} more such" if len(found) > 3 else ""
    warnings.warn(
        f"nothing is enforced by what is no keyword of JSON Schema, {', '.join(named)}{more}; "
        "correct the spelling, or pass misspelt='ignore' if these are annotations",
        SchemaWarning,
        stacklevel=3,
    )


def _content(schema: Any) -> bytes:
    """The schema as bytes, which nobody can change; empty for more than JSON's own types."""
    try:
        return marshal.dumps(schema)
    except ValueError:  # or nested beyond what marshal takes
        return b""


def _grammar(schema: dict[str, Any] | bool, content: bytes, settings: Settings) -> Grammar:
    if not content:
        return _read(schema, *settings)
    if len(content) > LARGEST_KEPT:
        return _read(marshal.loads(content), *settings)
    return _grammar_of(content, *settings)


@functools.lru_cache(GRAMMARS_KEPT)
@collection_paused()
def _grammar_of(
    content: bytes, style: JsonStyle, formats: Formats, order: Order, limits: Limits
) -> Grammar:
    # Read from a copy of its own, so that nobody changes the schema behind rules yet to be built.
    return _read(marshal.loads(content), style, formats, order, limits)


@collection_paused()
def _read(
    schema: dict[str, Any] | bool, style: JsonStyle, formats: Formats, order: Order, limits: Limits
) -> Grammar:
    document = Document(schema, limits)
    meaning = Meaning(document, formats == "exact", order == "any")
    may_refuse = meaning.read_all() or meaning.any_order
    emission = Emission(meaning, style)
    root = demand_of(document.root)
    if not emission.alive(root):
        raise unsatisfiable(emission, root)
    start = emission.value(root, style.level(1))
    if isinstance(start, Ref):
        emission.rule(start.name)  # which every first mask needs: what cannot be built is refused
    if may_refuse:
        emission.build_ahead()
    emission.live.refusing = False
    return Grammar(start, emission.rules)


def read_json(text: str) -> Any:
    """The value of a JSON text. Raises `TextRejected` for what Python's reader refuses."""
    try:
        return loads(text)
    except ValueError as error:  # Python refuses to read integers of thousands of digits
        raise TextRejected(text, 0, f"JSON that Python reads ({error})") from error
    except RecursionError as error:
        raise TextRejected(text, 0, "JSON nested less deeply") from error


def _of_set(error: UnsupportedSpec) -> UnsupportedSpec:
    """The refusal of `uniqueItems` for who wrote a type: a set, which has a size to reach."""
    return UnsupportedSpec(
        "min_length",
        error.problem.replace("uniqueItems is", "a set with min_length above 1 is", 1),
        where=error.where.removesuffix("/uniqueItems"),
        hint="use min_length=1, a list, or items of a Literal or an Enum",
    )


def _type_name(kind: Any) -> str:
    if isinstance(kind, type) and not hasattr(kind, "__args__"):
        return kind.__qualname__
    try:
        return shortened(kind)
    except Exception:  # what a type shows of itself may be anything, or too long a number
        return type(kind).__name__
