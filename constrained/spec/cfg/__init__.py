"""Context-free grammars as specs: Lark's EBNF and llama.cpp's GBNF.

`lark` and `gbnf` read the two notations, `expression` builds their nodes, `terminals` knows what
terminals are made of, `walks` refuses what no engine can follow. What a notation means, and where
that departs from the tools it comes from, is in ``docs/reference/grammar.md``.
"""

from __future__ import annotations

from reprlib import Repr
from typing import Literal

from constrained.arguments import text_argument
from constrained.errors import InvalidSpec
from constrained.grammar import Grammar
from constrained.grammar.passes import prepared
from constrained.limits import DEFAULT_LIMITS, Limits, check_limits
from constrained.spec.cfg.gbnf import read_gbnf
from constrained.spec.cfg.lark import read_lark
from constrained.spec.cfg.walks import check_walks
from constrained.spec.so_far import text_so_far
from constrained.spec.source import call_source
from constrained.spec.spec import Spec

__all__ = ["grammar", "grammar_of"]

Dialect = Literal["lark", "gbnf"]

_FIRST = {"lark": "start", "gbnf": "root"}
"""The rule to begin with, by dialect."""
_SHORT = Repr()
_SHORT.maxstring = 60


def grammar(
    text: str,
    *,
    start: str | None = None,
    dialect: Dialect = "lark",
    limits: Limits = DEFAULT_LIMITS,
) -> Spec[str]:
    r'''Texts that a context-free grammar derives; they are read as themselves.

    `text` is in Lark's EBNF (rules, terminals, ``%ignore``, ``%import common.X``, templates,
    ``%json {...}``) or, with ``dialect="gbnf"``, in llama.cpp's GBNF. `start` names the rule to
    begin with: ``start`` in Lark's notation, ``root`` in GBNF if not given. The language is that of
    the characters: there is no lexer that would prefer the longest terminal.

    Raises `InvalidSpec` with line:column for a mistake, `UnsupportedSpec` for a feature that
    cannot be enforced exactly, `UnsatisfiableSpec` when the start derives nothing.

    >>> spec = grammar("""
    ...     start: sum
    ...     sum: sum "+" NUMBER | NUMBER
    ...     NUMBER: /[0-9]+/
    ...     %ignore " "
    ... """)
    >>> spec.matches("1 + 23"), spec.matches("1 +")
    (True, False)
    '''
    options: dict[str, tuple[object, object]] = {
        "start": (start, None),
        "dialect": (dialect, "lark"),
    }
    source = call_source("grammar", [_SHORT.repr(text)], options)
    compiled = grammar_of(text, start=start, dialect=dialect, limits=limits)
    return Spec(source, compiled, str, read_so_far=text_so_far, limits=limits)


def grammar_of(
    text: str,
    *,
    start: str | None = None,
    dialect: Dialect = "lark",
    limits: Limits = DEFAULT_LIMITS,
) -> Grammar:
    """The grammar that the engine runs; arguments and errors as for `grammar`."""
    if not isinstance(text, str):
        raise InvalidSpec(f"a grammar is text, not {type(text).__name__}")
    check_limits(limits)
    if start is not None:
        text_argument(start, "start", InvalidSpec)
    if dialect not in _FIRST:
        raise InvalidSpec(f"dialect is {dialect!r}", hint="use 'lark' or 'gbnf'")
    first = _FIRST[dialect] if start is None else start
    read = read_gbnf(text, first) if dialect == "gbnf" else read_lark(text, first, limits)
    compiled = prepared(read, limits)
    check_walks(compiled, limits)
    return compiled
