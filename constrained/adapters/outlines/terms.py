"""Terms of Outlines' regex DSL as grammars.

Outlines joins the patterns of a term to one regular expression. Here each becomes a grammar of its
own, so that JSON and grammars can stand inside a term with everything they demand. A pattern that
looks beyond itself (an anchor, a lookaround, an atomic group) means something only in the joined
expression; then that one is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from outlines.types import dsl

from constrained.adapters.outlines.schemas import schema_spec
from constrained.errors import InvalidSpec, UnsupportedSpec
from constrained.grammar import Grammar, literal, literals, repeat
from constrained.grammar.combine import concatenate, unite
from constrained.spec.cfg import grammar_of
from constrained.spec.regex import pattern_node
from constrained.spec.regex.python_dialect import PythonParser
from constrained.spec.regex.syntax import (
    Anchor,
    Atomic,
    BackReference,
    Boundary,
    Conditional,
    Look,
    Quantified,
    Syntax,
)

__all__ = ["python_term", "term_grammar"]

OUTWARD = (Anchor, Boundary, Look, Atomic)
COUNTED = (BackReference, Conditional)

COUNTS: dict[type, tuple[int | str, int | str | None]] = {
    dsl.KleeneStar: (0, None),
    dsl.KleenePlus: (1, None),
    dsl.Optional: (0, 1),
    dsl.QuantifyExact: ("count", "count"),
    dsl.QuantifyMinimum: ("min_count", None),
    dsl.QuantifyMaximum: (0, "max_count"),
    dsl.QuantifyBetween: ("min_count", "max_count"),
}
"""How often each quantifier repeats its term: numbers, or the attributes that hold them."""


def term_grammar(term: dsl.Term) -> Grammar:
    """The texts of a term. Raises `UnsupportedSpec` for what cannot be expressed exactly."""
    if isinstance(term, dsl.Regex):
        return Grammar(pattern_node(term.pattern))
    leaves = list(_leaves(term))
    trees = [_tree(leaf.pattern) for leaf in leaves if isinstance(leaf, dsl.Regex)]
    if not any(_reaches_out(part) for tree in trees for part in _walk(tree)):
        return _structural(term)
    if any(isinstance(leaf, (dsl.JsonSchema, dsl.CFG)) for leaf in leaves):
        raise UnsupportedSpec(
            "anchor",
            "a pattern with an anchor, a lookaround or an atomic group looks beyond itself, which "
            "cannot be followed into JSON or a grammar beside it",
            hint="write that pattern without them",
        )
    if len(trees) > 1 and any(isinstance(part, COUNTED) for tree in trees for part in _walk(tree)):
        raise UnsupportedSpec(
            "back-reference",
            "groups would be counted differently in the joined pattern",
            hint="write the whole as one Regex",
        )
    return Grammar(pattern_node(_pattern(term)))


def python_term(item: Any) -> dsl.Term:
    """The term that Outlines makes of a Python value or type."""
    try:
        return dsl.python_types_to_terms(item)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSpec(
            f"{item!r} is no output type of Outlines: {error}", hint="pass a type or a term"
        ) from error


def _inner(term: dsl.Term) -> list[dsl.Term]:
    """The terms that a term is made of; none for those with a text, a pattern or a schema."""
    if isinstance(term, dsl.Choice):
        return [python_term(item) for item in term.items]
    if isinstance(term, (dsl.Alternatives, dsl.Sequence)):
        return term.terms
    if type(term) in COUNTS:
        return [term.term]  # type: ignore[attr-defined]
    if isinstance(term, (dsl.String, dsl.Regex, dsl.JsonSchema, dsl.CFG)):
        return []
    raise UnsupportedSpec(
        type(term).__name__, f"there is no grammar for the term {term!r}", hint="use another term"
    )


def _leaves(term: dsl.Term) -> Iterator[dsl.Term]:
    inner = _inner(term)
    if not inner:
        yield term
    for part in inner:
        yield from _leaves(part)


def _structural(term: dsl.Term) -> Grammar:
    if isinstance(term, dsl.String):
        return Grammar(literal(term.value))
    if isinstance(term, dsl.Regex):
        return Grammar(pattern_node(term.pattern))
    if isinstance(term, dsl.JsonSchema):
        return schema_spec(term).grammar
    if isinstance(term, dsl.CFG):
        return grammar_of(term.definition)
    inner = _inner(term)
    if type(term) in COUNTS:
        body = _structural(inner[0])
        least, most = _counts(term)
        return Grammar(repeat(body.start, least, most), body.rules)
    if isinstance(term, dsl.Sequence):
        return concatenate(*map(_structural, inner))
    texts = [part.value for part in inner if isinstance(part, dsl.String)]
    others = [part for part in inner if not isinstance(part, dsl.String)]
    listed = [Grammar(literals(texts))] if texts else []
    return unite(*listed, *map(_structural, others))


def _counts(term: dsl.Term) -> tuple[int, int | None]:
    least, most = COUNTS[type(term)]
    return (
        getattr(term, least) if isinstance(least, str) else least,
        getattr(term, most) if isinstance(most, str) else most,
    )


def _pattern(term: dsl.Term) -> str:
    """The term as one pattern; every part is a group that is not counted."""
    if isinstance(term, dsl.String):
        return re.escape(term.value)
    if isinstance(term, dsl.Regex):
        return f"(?:{term.pattern})"
    inner = [_pattern(part) for part in _inner(term)]
    if type(term) in COUNTS:
        least, most = _counts(term)
        return f"(?:{inner[0]}){{{least},{'' if most is None else most}}}"
    return "".join(inner) if isinstance(term, dsl.Sequence) else f"(?:{'|'.join(inner)})"


def _tree(pattern: str) -> Syntax:
    return PythonParser(pattern, "", 0).parse()


def _walk(tree: Any) -> Iterator[Syntax]:
    if isinstance(tree, tuple):
        for item in tree:
            yield from _walk(item)
    elif isinstance(tree, Syntax):
        yield tree
        yield from _walk(tree.held())


def _reaches_out(part: Syntax) -> bool:
    return isinstance(part, OUTWARD) or (isinstance(part, Quantified) and part.possessive)
