"""GBNF as a spec: what each notation matches, and what a mistake says."""

from __future__ import annotations

import json
import re
from itertools import product

import pytest

from constrained.errors import InvalidSpec, UnsupportedSpec
from constrained.spec.cfg import grammar, grammar_of
from tests.oracle import members

EXPRESSIONS = [
    ('"ab" "a"', "aba"),
    ('"a" | "b" "a"', "a|ba"),
    ('"a"? "b"* ("a" "b")+', "a?b*(ab)+"),
    ('"a"{2} "b"{1,} | "b"{0,1}', "a{2}b+|b?"),
    ('"a"{0, -1} "b"{1,-1}', "a*b+"),
    ("[ab] [a-b]", "[ab][a-b]"),
    ("[^a] [^b-z]", "[^a][^b-z]"),
    (". [a-]", ".[a-]"),
    (r"[\x61\-]", "[a-]"),
    (r'"\x61\u0062"', "ab"),
    ('"" | x', "|ab?"),
    ('"a" | # a comment\n  "b"', "a|b"),
    ('("a" |\n "b")\n "a"', "[ab]a"),
]


@pytest.mark.parametrize(("text", "pattern"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_expressions_mean_what_llama_cpp_says(text: str, pattern: str) -> None:
    alphabet = "ab-c"
    words = members(
        grammar_of(f'root ::= {text}\nx ::= "a" "b"?', dialect="gbnf"), 4, alphabet.encode()
    )
    texts = ("".join(t) for n in range(5) for t in product(alphabet, repeat=n))
    assert words == {text.encode() for text in texts if re.fullmatch(pattern, text)}


JSON = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [1-9] [0-9]{0,15})? ws
# spaces
ws ::= | " " | "\n" [ \t]{0,20}
"""


def test_json_written_as_a_grammar() -> None:
    spec = grammar(JSON, dialect="gbnf")
    value = {"a": [1, -2.5, {"b": None}], "": "x\\y é", "c": [[], {}]}
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False)):
        assert spec.matches(text)
        assert not spec.matches(text[:-1])
        assert not spec.matches(text + "}")
    assert not spec.matches('{"a": 012}')


def test_left_recursion_and_another_start() -> None:
    text = 'root ::= "x"\nsum ::= sum "+" num | num\nnum ::= [0-9]+'
    spec = grammar(text, dialect="gbnf", start="sum")
    assert spec.matches("1+23+4")
    assert not spec.matches("1+")


MISTAKES = [
    ("", "there is no rule 'root' to start with (known rules: none; or pass start=...)"),
    ('a ::= "x"', "there is no rule 'root' to start with (known rules: a; or pass start=...)"),
    ('"x"', "at 1:1: expected `name ::=`, not '\"x\"'"),
    ('root ::= x', "at 1:10: x is not defined (known rules: root)"),
    ('root ::= "x"\nroot ::= "y"', "at 2:1: root is defined twice"),
    ('root ::= ("x"', "at 1:10: this ( is never closed"),
    ('root ::= "x")', "at 1:13: ) closes nothing"),
    ("root ::= *", "at 1:10: nothing before * to repeat"),
    ('root ::= "x"{3,2}', "at 1:13: the repetition 3 to 2 counts down"),
    ("root ::= [z-a]", "at 1:10: a range in [z-a] counts down"),
    (r"root ::= [\d]", r"at 1:10: unknown escape \d in [\d] (write \\ for a backslash)"),
    ("root ::= 'x'", "at 1:10: unexpected \"'\""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_says_where_and_what(text: str, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        grammar(text, dialect="gbnf")
    assert str(caught.value) == message


@pytest.mark.parametrize("token", ["<[1000]>", "<think>", "!<think>"])
def test_token_literals_are_refused(token: str) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        grammar(f"root ::= {token}", dialect="gbnf")
    assert caught.value.feature == "token literals"
    assert str(caught.value) == (
        f"at 1:10: {token} stands for a token, not for text (write the text of the token)"
    )


@pytest.mark.parametrize("macro", ["TagDispatch", "TokenTagDispatch", "Regex", "Token"])
def test_macros_are_refused_by_name(macro: str) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        grammar(f'root ::= {macro}("a")', dialect="gbnf")
    assert caught.value.feature == macro
    assert str(caught.value) == (
        "at 1:10: a macro is not part of the notation (write the texts it stands for as rules)"
    )


def test_look_ahead_assertions_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        grammar('root ::= "a" (="b")', dialect="gbnf")
    assert caught.value.feature == "look-ahead assertion"
    assert str(caught.value) == (
        "at 1:14: what follows a rule is not the rule's to say"
        " (leave the assertion out, or write its text where it follows)"
    )
