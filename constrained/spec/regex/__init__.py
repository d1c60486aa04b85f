"""Regular expressions: Python's `re` as a spec, and both dialects as grammar nodes.

`parser` with `python_dialect` and `ecma_dialect` read a pattern into the tree of `syntax`, with the
characters of `classes`. `references`, `reduce` (with `pieces` and `settle`), `compile`, `rests` and
`loops` (with `holes`) turn the tree into a node, with the functions of `languages`. What matches is
exactly what `re.fullmatch` matches, or the pattern is refused.
"""

from __future__ import annotations

import re
from typing import Literal

from constrained.arguments import whole_number
from constrained.errors import InvalidSpec, UnsatisfiableSpec
from constrained.grammar import Grammar, Node, Nothing
from constrained.limits import DEFAULT_LIMITS, Limits, check_limits
from constrained.spec.regex.compile import compile_tree
from constrained.spec.regex.ecma_dialect import EcmaParser
from constrained.spec.regex.parser import Parser
from constrained.spec.regex.python_dialect import PythonParser
from constrained.spec.regex.references import written_out
from constrained.spec.so_far import text_so_far
from constrained.spec.spec import Spec

__all__ = ["pattern_node", "regex"]

LOOKS_BEYOND = (
    "the pattern is the whole text, so nothing comes before or after it to be looked at: write "
    "what a look-ahead or look-behind looks for as part of the text"
)


def regex(
    pattern: str | re.Pattern[str], flags: int = 0, *, limits: Limits = DEFAULT_LIMITS
) -> Spec[str]:
    r"""Texts that `re.fullmatch(pattern, text, flags)` matches; they are read as themselves.

    Raises `InvalidSpec` for what `re.compile` rejects, `UnsupportedSpec` for what is not regular
    (back-references, conditional groups) or not compiled exactly, `UnsatisfiableSpec` for a pattern
    that plainly matches nothing, `LimitExceeded` when assertions or repeats need more than
    `limits.max_nodes` nodes. Positions count characters of the pattern from 0.

    >>> regex(r"Score: ([0-9]|10)")
    regex('Score: ([0-9]|10)')
    """
    if isinstance(pattern, re.Pattern):
        if flags:
            raise InvalidSpec(
                "flags for a pattern that is compiled already",
                hint="give them to re.compile, or pass the pattern's text",
            )
        flags, pattern = pattern.flags & ~int(re.UNICODE), pattern.pattern
    check_limits(limits)
    whole_number(flags, "flags", InvalidSpec, least=0)
    node = pattern_node(pattern, flags=flags, limits=limits)
    shown = f", {re.RegexFlag(flags)!r}" if flags else ""
    source = f"regex({pattern!r}{shown})"
    if isinstance(node, Nothing):
        looks = any(mark in pattern for mark in ("(?=", "(?!", "(?<=", "(?<!"))
        hint = LOOKS_BEYOND if looks else "look for ^ or $ inside the text"
        raise UnsatisfiableSpec(f"no text matches {source}", hint=hint)
    return Spec(source, Grammar(node), _as_it_is, read_so_far=text_so_far, limits=limits)


def _as_it_is(text: str) -> str:
    return text


def pattern_node(
    pattern: str,
    *,
    dialect: Literal["python", "ecma"] = "python",
    search: bool = False,
    flags: int = 0,
    where: str = "",
    limits: Limits = DEFAULT_LIMITS,
) -> Node:
    r"""The strings that a pattern matches whole or, with `search`, contains a match of.

    The node is made of characters and texts only (`Chars`, `Literal`, `Literals`), `Cat`, `Alt`,
    `Repeat`, `And` and `Not`. `dialect` is Python's `re`, or ECMA-262 with the `u` flag, which is
    what JSON Schema's `pattern` means (with `search`). `flags` are those of `re`, for Python only.
    `where` is put before the position in errors. Raises as `regex` does, but a pattern that
    matches nothing gives `Nothing`.

    >>> pattern_node("ab?")
    Cat(parts=(Literal(data=b'a'), Repeat(body=Literal(data=b'b'), least=0, most=1)))
    """
    if not isinstance(pattern, str):
        raise InvalidSpec(
            f"a pattern is text, not {type(pattern).__name__}",
            where=where,
            hint="decode bytes patterns first",
        )
    parser: Parser
    if dialect == "python":
        parser = PythonParser(pattern, where, flags)
    elif flags:
        raise InvalidSpec("flags are for Python patterns", where=where, hint="leave them out")
    else:
        parser = EcmaParser(pattern, where)
    tree = parser.parse()
    if parser.references:
        tree = written_out(tree, resets=dialect == "ecma")
    return compile_tree(tree, search=search, where=where, limits=limits)
