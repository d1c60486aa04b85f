"""Output types of Outlines as specs: Python types first, terms through `terms`."""

from __future__ import annotations

import datetime
import typing
from collections.abc import Callable
from typing import Any

from outlines import grammars, types
from outlines.types import dsl
from outlines.types import utils as kinds

from constrained.adapters.outlines.schemas import schema_spec, structured_spec
from constrained.adapters.outlines.terms import python_term, term_grammar
from constrained.errors import InvalidSpec, TextRejected, UnsupportedSpec
from constrained.grammar import Grammar, cat, intersect, literal, optional, repeat
from constrained.grammar.combine import concatenate, unite
from constrained.spec import Spec, as_spec, choice, grammar
from constrained.spec.tools import as_tool

__all__ = ["spec_of"]

Reader = Callable[[str], Any]

SCALARS: list[tuple[Callable[[Any], bool], dsl.Regex, Reader]] = [
    (kinds.is_int, types.integer, int),
    (kinds.is_float, types.number, float),
    (kinds.is_bool, types.boolean, lambda text: text == "True"),
    (kinds.is_str, types.string, lambda text: text[1:-1]),
    (kinds.is_time, types.time, datetime.time.fromisoformat),
    (kinds.is_date, types.date, datetime.date.fromisoformat),
    (kinds.is_datetime, types.datetime, datetime.datetime.fromisoformat),
]
STRUCTURES: list[Callable[[Any], bool]] = [
    kinds.is_dataclass,
    kinds.is_typed_dict,
    kinds.is_pydantic_model,
]
QUOTE = literal('"')


def spec_of(kind: Any) -> Spec[Any]:
    """See `constrained.adapters.outlines.from_outlines`."""
    if isinstance(kind, Spec):
        return kind
    source = f"from_outlines({_name(kind)})"
    if isinstance(kind, dsl.Term):
        return _term(kind, source)
    for fits, term, read in SCALARS:
        if fits(kind):
            return _scalar(kind, term, read, source)
    if kinds.is_native_dict(kind):
        return grammar(grammars.json)
    if any(fits(kind) for fits in STRUCTURES):
        return structured_spec(kind)
    if kinds.is_genson_schema_builder(kind):
        return schema_spec(dsl.JsonSchema(kind))
    values = _values(kind)
    if values is not None:
        options = _choice(values)
        return Spec(source, options.grammar, options.read)
    if kinds.is_union(kind):
        first, *others = (_member(arg) for arg in _args(kind))
        for other in others:
            first = first | other
        return first
    if kinds.is_typing_list(kind) or kinds.is_typing_tuple(kind) or kinds.is_typing_dict(kind):
        return Spec(source, _container(kind), str)
    if kinds.is_callable(kind):
        tool = as_tool(kind)
        spec = schema_spec(dsl.JsonSchema(tool.parameters))
        return Spec(source, spec.grammar, lambda text: tool.call(spec.read(text)).arguments)
    if isinstance(kind, (bool, int, float, str)):
        return _choice([kind])
    return _term(python_term(kind), source)


def _term(term: dsl.Term, source: str) -> Spec[Any]:
    if isinstance(term, dsl.JsonSchema):
        return schema_spec(term)
    if isinstance(term, dsl.CFG):
        return grammar(term.definition)
    if isinstance(term, dsl.Choice) and all(map(_is_plain, term.items)):
        options = _choice(term.items)
        return Spec(source, options.grammar, options.read)
    return Spec(source, term_grammar(term), str)


def _name(kind: Any) -> str:
    return kind.__qualname__ if isinstance(kind, type) and not _args(kind) else repr(kind)


def _args(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind)


# ------------------------------------------------------------------ scalars


def _scalar(kind: Any, term: dsl.Regex, read: Reader, source: str) -> Spec[Any]:
    """A scalar as Outlines writes it; one with bounds as `as_spec` does, which keeps them."""
    node = term_grammar(term).start

    def value(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:  # the 31st of February, or thousands of digits
            raise TextRejected(text, 0, f"what {source} can read ({error})") from error

    if typing.get_origin(kind) is typing.Annotated:
        base = _args(kind)[0]
        bounded = as_spec(kind)
        if repr(bounded) != repr(as_spec(base)):
            within = bounded.grammar.start
            node = intersect(node, cat(QUOTE, within, QUOTE)) if base is str else within
    return Spec(source, Grammar(node), value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str))


def _values(kind: Any) -> list[Any] | None:
    """The values of a Literal or an Enum; None for any other type."""
    if kinds.is_literal(kind):
        return list(_args(kind))
    if kinds.is_enum(kind):
        members = list(kind)
        terms = python_term(kind)
        plain = all(_is_plain(member.value) for member in members)
        whole = isinstance(terms, dsl.Alternatives) and len(terms.terms) == len(members)
        return members if plain and whole else None
    return None


def _written(value: Any) -> str:
    """A value as Outlines writes it: as `str` does."""
    plain = getattr(value, "value", value)
    if not _is_plain(plain):
        raise InvalidSpec(f"Outlines has no text for the option {value!r}", hint="use a str")
    return str(plain)


def _choice(values: list[Any]) -> Spec[Any]:
    options: dict[str, Any] = {}
    for value in values:  # of two with the same text, the first
        options.setdefault(_written(value), value)
    return choice(options)


def _member(kind: Any) -> Spec[Any]:
    """A member of a union; None is written as Python writes it."""
    return choice({"None": None}) if kind is type(None) or kind is None else spec_of(kind)


# ------------------------------------------------------------------ containers


def _container(kind: Any) -> Grammar:
    """Lists, tuples and dicts as Outlines writes them: a comma and a space between members."""
    args = _args(kind)
    comma, colon = Grammar(literal(", ")), Grammar(literal(":"))
    if kinds.is_typing_dict(kind):
        pair = concatenate(_item(args[0], key=True), colon, _item(args[1]))
        more = concatenate(comma, pair)
        listed = concatenate(pair, Grammar(repeat(more.start), more.rules))
        return _between("{", Grammar(optional(listed.start), listed.rules), "}")
    opening, closing = "[]" if kinds.is_typing_list(kind) else "()"
    if kinds.is_typing_list(kind) and len(args) != 1:
        raise UnsupportedSpec("list", f"{kind!r} has {len(args)} types of members", hint="use one")
    if kinds.is_typing_list(kind) or (len(args) == 2 and args[1] is Ellipsis):
        one = _item(args[0])
        more = concatenate(comma, one)
        return _between(opening, concatenate(one, Grammar(repeat(more.start), more.rules)), closing)
    items = [part for arg in args if arg != () for part in (comma, _item(arg))][1:]
    return _between(opening, concatenate(*items), closing)


def _between(opening: str, body: Grammar, closing: str) -> Grammar:
    return concatenate(Grammar(literal(opening)), body, Grammar(literal(closing)))


def _item(kind: Any, *, key: bool = False) -> Grammar:
    """A member of a container: texts of a choice in quotes, and every key of a dict."""
    if kinds.is_union(kind):
        return unite(*(_item(arg, key=key) for arg in _args(kind)))
    if kind is type(None) or kind is None:
        return Grammar(literal("None"))
    values = [kind] if _is_plain(kind) else _values(kind)
    if values is None and isinstance(kind, dsl.String):
        values = [kind.value]
    if values is not None:
        quoted = [(v, key or isinstance(getattr(v, "value", v), str)) for v in values]
        return _choice([f'"{_written(v)}"' if q else _written(v) for v, q in quoted]).grammar
    found = spec_of(kind).grammar
    plain = any(fits(kind) for fits, _, _ in SCALARS) and not kinds.is_str(kind)
    if key and (plain or (isinstance(kind, dsl.Regex) and kind.pattern != types.string.pattern)):
        return _between('"', found, '"')
    return found
