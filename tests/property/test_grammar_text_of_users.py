"""Damaged grammars give a typed error or a spec, never anything else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constrained.errors import ConstrainedError
from constrained.grammar.text import read_grammar
from constrained.spec.cfg import grammar_of

LARK = r"""
start: sum | [CALL{"x"}] -> y
sum: sum "+" NUMBER~1..3 | "a".."z" | _list{sum, ";"}
_list{item, sep}: item (sep item)*
NUMBER.2: /[0-9]+(\.[0-9]+)?/i | "\x41"i
%import common.WS -> SPACE
%ignore SPACE
%json {"type": "integer"}
"""
GBNF = r"""
root ::= "a" ([^b-c\x41] | x{1,3})? # comment
x ::= . "\"" x | ""
"""
TEXT = r'"a\xff" (b & !"c"+ | @[a-z]{2,}) ; b = {"x", "y"} | <00 10-ff> . `q r`? ; `q r` = "" ;'
PIECES = st.sampled_from([*'"/()[]{}|:;~?*+!@&%.-><#\\=,^', "..", "->", "::=", "\n", "a", "A", "0"])


def damaged(text: str) -> st.SearchStrategy[str]:
    edits = st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, 3), PIECES), max_size=4)

    def apply(changes: list[tuple[int, int, str]]) -> str:
        result = text
        for place, removed, added in changes:
            result = result[:place] + added + result[place + removed :]
        return result

    return edits.map(apply)


@pytest.mark.parametrize(("text", "dialect"), [(LARK, "lark"), (GBNF, "gbnf")])
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_grammars_give_typed_errors(text: str, dialect: str, data: st.DataObject) -> None:
    broken = data.draw(st.one_of(damaged(text), st.text(max_size=20)))
    with contextlib.suppress(ConstrainedError):
        grammar_of(broken, dialect=dialect)  # type: ignore[arg-type]


@given(st.one_of(damaged(TEXT), st.text(max_size=20)))
@settings(max_examples=300, deadline=None)
def test_damaged_text_forms_give_typed_errors(text: str) -> None:
    with contextlib.suppress(ConstrainedError):
        read_grammar(text)
