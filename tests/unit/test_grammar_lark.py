"""Lark's EBNF as a spec: what each notation matches, and what a mistake says."""

from __future__ import annotations

import json
import re
from itertools import product

import pytest

from constrained.errors import (
    InvalidSpec,
    LimitExceeded,
    UnsatisfiableSpec,
    UnsupportedSpec,
)
from constrained.limits import Limits
from constrained.spec.cfg import grammar, grammar_of
from constrained.spec.cfg.terminals import COMMON
from tests.oracle import matches, members


def language(text: str, length: int, alphabet: bytes) -> set[str]:
    return {word.decode() for word in members(grammar_of(text), length, alphabet)}


def same_as(text: str, pattern: str, length: int = 4, alphabet: str = "ab") -> None:
    """The grammar's short texts are those that Python's `re` matches in full."""
    texts = ("".join(t) for n in range(length + 1) for t in product(alphabet, repeat=n))
    expected = {text for text in texts if re.fullmatch(pattern, text)}
    assert language(text, length, alphabet.encode()) == expected


EXPRESSIONS = [
    ('"ab" "a"', "aba"),
    ('"a" | "b" "a"', "a|ba"),
    ('"a"? "b"* ("a" "b")+', "a?b*(ab)+"),
    ('["a"] "b"', "a?b"),
    ('["a" | "b" "b"] "b"', "(a|bb)?b"),
    ('"a"~2 "b"~0..1', "a{2}b{0,1}"),
    ('("a" "b"~1..2)~1..2', "(ab{1,2}){1,2}"),
    ('"a".."b" "a"', "[a-b]a"),
    ('"A"i "bA"i', "[aA][bB][aA]"),
    ("/[ab]a|b/", "[ab]a|b"),
    ("/A B/xi", "ab|aB|Ab|AB"),
    (r"/a\/?/", "a/?"),
    (r'"\x61\u0062"', "ab"),
    ('| "a"', "|a"),
    ('"a" |', "a|"),
    ('"a" -> first\n  | "b" -> second', "a|b"),
    ('"a" // a comment\n   | "b" # another', "a|b"),
    (r"/(?!ab)[ab][ab]/", "(?!ab)[ab][ab]"),
    (r"/[ab]b(?<!ab)/", "bb"),
    ('"a"{2} "b"{1,2}', "a{2}b{1,2}"),
    ('"a"{2,} ("b" | "a" "b"){,1}', "a{2,}(b|ab)?"),
]


@pytest.mark.parametrize(("text", "pattern"), EXPRESSIONS, ids=[text for text, _ in EXPRESSIONS])
def test_expressions_mean_what_lark_says(text: str, pattern: str) -> None:
    alphabet = "abAB" if "i" in text.rsplit('"')[-1] + text.rsplit("/")[-1] else "ab/"
    same_as(f"start: {text}\n", pattern, 4 if alphabet == "ab/" else 3, alphabet)


TERMINALS = [
    ("/[ab]+/ & /a.*/ & /.*b/", "a[ab]*b"),
    ('"a" "b"* & "a" "b" | "b"', "ab|b"),
    ('/[ab]*/ & ~("a" | "b" "a")', "(?!(a|ba)$)[ab]*"),
    ('~/.*b.*/ "b"', "a*b"),
    ('(~"a"){1} & /a*/', "(?!a$)a*"),
    ('"a"~2 & ~"b"', "aa"),
    ("/[ab]*/ & (/a*/ & /../ | /b/)", "aa|b"),
    ("B{2} & ~C\nB: /[ab]/\nC: /b+/", "aa|ab|ba"),
]


@pytest.mark.parametrize(("text", "pattern"), TERMINALS, ids=[text for text, _ in TERMINALS])
def test_terminals_have_intersections_and_complements(text: str, pattern: str) -> None:
    same_as(f"start: T\nT: {text}\n", pattern)


def test_a_complement_is_of_texts() -> None:
    spec = grammar("start: A\nA: ~/a/")
    assert spec.matches("é\n😀")
    assert spec.matches("")
    assert not spec.matches("a")
    assert not matches(grammar_of("start: A\nA: ~/a/"), b"\xff")


@pytest.mark.parametrize("pattern", ["a*b", "[ab]*b", "a|ab|b", "b[ab]*a|", "(ab)+", "[ab]{2,3}"])
def test_a_lazy_rule_ends_where_it_first_can(pattern: str) -> None:
    texts = ["".join(t) for n in range(5) for t in product("ab", repeat=n)]
    whole = {text for text in texts if re.fullmatch(pattern, text)}
    first = {text for text in whole if not any(text[:n] in whole for n in range(len(text)))}
    assert language(f"start: r\nr[lazy]: /{pattern}/", 4, b"ab") == first


def test_a_suffix_ends_a_rule_where_it_first_stands() -> None:
    same_as('start: r "a"\nr[suffix="b"]: /[ab]*/', "a*ba")
    same_as('start: r "a"\nr[capture, suffix="ab"]: /.*/\n%ignore "b"', "b*(?:(?!ab)[ab])*abb*ab*")


def test_a_header_without_options_is_read() -> None:
    same_as('%llguidance {}\nstart: "a" "b"?', "ab?")


def test_a_capture_changes_no_language() -> None:
    same_as('start: r\nr[capture="x"]: "a" r | "b"', "a*b")


def test_rules_terminals_and_their_modifiers() -> None:
    same_as(
        """
        ?start: a | B _c
        !a.2: "a" B?
        _c: "b"
        B.-3: _D "b"
        _D: "a"
          | "b"
        """,
        "a([ab]b)?|[ab]bb",
    )


def test_recursion_on_either_side() -> None:
    left = 'start: start "+" "1" | "1"'
    right = 'start: "1" "+" start | "1"'
    both = 'start: start "+" start | "1"'
    for text in (left, right, both):
        same_as(text, r"1(\+1)*", 6, "1+")


def test_an_empty_rule_ends_where_the_next_one_begins() -> None:
    same_as('start: "a" none\nnone:\nother: "b"', "a")


def test_nesting_is_not_regular() -> None:
    assert language('start: "(" start ")" | ', 6, b"()") == {"", "()", "(())", "((()))"}


def test_ignored_terminals_stand_around_every_terminal() -> None:
    text = """
        start: "a" B | ("b" "b")~2
        B: "b" "a"
        %ignore " "
        %ignore /-+/
    """
    same_as(text, "[ -]*a[ -]*ba[ -]*|[ -]*b[ -]*b[ -]*b[ -]*b[ -]*", 5, "ab -")


def test_ignored_terminals_stand_alone_where_nothing_else_must() -> None:
    same_as('start: "a"*\n%ignore " "', "[a ]*", 4, "a ")


def test_start_may_be_any_rule_or_terminal() -> None:
    text = 'start: "a"\nother: "b" N\nN: "1"'
    assert grammar(text, start="other").matches("b1")
    assert grammar(text, start="N").matches("1")


def test_templates() -> None:
    same_as(
        """
        start: _list{"a", "b"} | _list{_pair{"b"}, SEMI}
        _list{item, separator}: item (separator item)*
        _pair{x}: x x
        SEMI: ";"
        """,
        "a(ba)*|bb(;bb)*",
        5,
        "ab;",
    )


def test_templates_may_be_recursive() -> None:
    text = 'start: nest{"a"}\nnest{x}: "(" nest{x} ")" | x'
    assert language(text, 5, b"()a") == {"a", "(a)", "((a))"}


def test_ignored_text_reaches_into_templates() -> None:
    text = 'start: two{"a"}\ntwo{x}: x x\n%ignore " "'
    same_as(text, " *a *a *", 4, "a ")


def test_imports_from_common() -> None:
    text = """
        start: NUMBER | NAME | [ESCAPED_STRING]
        %import common.NUMBER
        %import common.CNAME -> NAME
        %import common (ESCAPED_STRING, WS)
        %ignore WS
    """
    spec = grammar(text)
    for good in ("12", "1.5e-3", " x_1\n", '"a\\"b"', "", "\t"):
        assert spec.matches(good), good
    for bad in ("1x", "1 2", '"a', '"a"b"', "e-3"):
        assert not spec.matches(bad), bad


COMMON_EXAMPLES = {
    "DIGIT": ("7", "77"),
    "HEXDIGIT": ("F", "G"),
    "INT": ("007", "-7"),
    "SIGNED_INT": ("-7", "7.0"),
    "DECIMAL": ("1.", "1"),
    "FLOAT": ("1e5", "1"),
    "SIGNED_FLOAT": ("-.5E+5", "-5"),
    "NUMBER": ("1", "-1"),
    "SIGNED_NUMBER": ("+1", "++1"),
    "ESCAPED_STRING": ('"\\\\"', '"\\"'),
    "_EXP": ("e-5", "e"),
    "_STRING_INNER": ('a"', "\n"),
    "LCASE_LETTER": ("a", "A"),
    "UCASE_LETTER": ("A", "a"),
    "LETTER": ("A", "1"),
    "WORD": ("Ab", "a1"),
    "CNAME": ("_a1", "1a"),
    "WS_INLINE": ("\t ", "\n"),
    "WS": ("\n\f ", ""),
    "CR": ("\r", "\n"),
    "LF": ("\n", "\r"),
    "NEWLINE": ("\r\n\n", "\r"),
    "SH_COMMENT": ("# x", "# x\n"),
    "CPP_COMMENT": ("// /", "/ x"),
    "C_COMMENT": ("/***/", "/**/*/"),
    "SQL_COMMENT": ("--", "-"),
}


@pytest.mark.parametrize("name", COMMON)
def test_common_terminals(name: str) -> None:
    good, bad = COMMON_EXAMPLES[name]
    spec = grammar(f"start: {name}\n%import common.{name}")
    assert spec.matches(good)
    assert not spec.matches(bad)


def test_schemas_are_embedded() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"$ref": "#/$defs/n"}},
        "required": ["n"],
        "additionalProperties": False,
        "$defs": {
            "n": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/n"}}]}
        },
    }
    spec = grammar(
        f'start: "Call:" call ("," call)*\ncall: NAME %json {json.dumps(schema)}\nNAME: "f"'
    )
    assert spec.matches('Call:f{"n": [null, []]}')
    assert spec.matches('Call:f{"n":null},f{"n":[]}')
    assert not spec.matches('Call:f{"n":1}')
    with pytest.raises(UnsatisfiableSpec, match=r"^at 2:4 #/"):
        grammar('start: a\na: %json {"type": "integer", "minimum": 2, "maximum": 1}')


def test_characters_beyond_ascii() -> None:
    spec = grammar('start: "é".."ü" "→"i /[^a]/')
    assert spec.matches("ö→😀")
    assert not spec.matches("ö→a")


def test_the_value_is_the_text_and_the_repr_is_short() -> None:
    spec = grammar("start: " + '"a" ' * 50)
    assert spec.parse("a" * 50) == "a" * 50
    assert len(repr(spec)) < 90
    assert repr(grammar('s: "a"', start="s")) == "grammar('s: \"a\"', start='s')"


JSON = r"""
    ?start: value
    ?value: object | array | ESCAPED_STRING | SIGNED_NUMBER | "true" | "false" | "null"
    array: "[" [value ("," value)*] "]"
    object: "{" [pair ("," pair)*] "}"
    pair: ESCAPED_STRING ":" value
    %import common.ESCAPED_STRING
    %import common.SIGNED_NUMBER
    %import common.WS
    %ignore WS
"""


def test_json_written_as_a_grammar() -> None:
    spec = grammar(JSON)
    value = {"a": [1, -2.5e3, {"b": None}], "": "x\\y", "c": [[], {}]}
    for text in (
        json.dumps(value),
        json.dumps(value, indent=2),
        json.dumps(value, separators=(",", ":")),
    ):
        assert spec.matches(text)
        assert not spec.matches(text[:-1])
        assert not spec.matches(text + "]")


def test_an_ambiguous_grammar_stays_cheap_on_long_texts() -> None:
    spec = grammar('start: e\ne: e "+" e | e "*" e | "-" e | "(" e ")" | /[0-9]+/\n%ignore " "')
    text = " + ".join(f"({i} * -{i})" for i in range(2000))
    assert spec.matches(text)
    assert spec.engine.stats["terms"] < 1000


MISTAKES = [
    ("", "there is no rule 'start' to start with (known rules: none; or pass start=...)"),
    ("a: \"b\"", "there is no rule 'start' to start with (known rules: a; or pass start=...)"),
    ("start{x}: x", "the template 'start' cannot be the start"),
    ("start: x", "at 1:8: x is not defined (known names: start)"),
    ('start: "a" X\n', "at 1:12: X is not defined (known names: start)"),
    ("start \"a\"", "at 1:1: expected a definition, not 'start'"
     " (rules are `name: ...`, terminals `NAME: ...`, each on a line of its own)"),
    ('start: "a"\n  "b" : "c"', "at 2:7: unexpected ':'"),
    ('start: "a"\nstart: "b"', "at 2:1: start is defined twice"),
    ('%import common.WS\nWS: " "\nstart: WS', "at 2:1: WS is defined twice"),
    ('Start: "a"', "at 1:1: Start is neither upper case (terminal) nor lower (rule)"),
    ('start: ("a"', "at 1:8: this ( is never closed"),
    ('start: "a")', "at 1:11: ) closes nothing"),
    ('start: ["a")', "at 1:12: ) closes nothing"),
    ("start: *", "at 1:8: nothing before * to repeat"),
    ('start: "a"~3..2', "at 1:11: the repetition 3 to 2 counts down"),
    ('start: "a"~9999999', "at 1:11: a repetition of more than 1,000,000"),
    ('start: "a"~x', "at 1:12: expected a number, not 'x'"
     " (write x~2 or x~1..3; a complement (~x) stands in a terminal)"),
    ('start: "a"{2', "at 1:12: expected }, not the end (write x{2} or x{1,3})"),
    ('start: "a"{3,2}', "at 1:11: the repetition 3 to 2 counts down"),
    ('start: "a" & "b"',
     "at 1:12: & stands between parts of a terminal (write NAME: ... & ...)"),
    ('start: A\nA: "a" ~', "at 2:8: nothing after ~ to complement"),
    ('start: A\nA: (~)', "at 2:5: nothing after ~ to complement"),
    ('start: A\nA: ~ | "a"', "at 2:4: nothing after ~ to complement"),
    ('start: A\nA: ~"a"*', "at 2:8: * after a complement could mean two things"
     " (write (~x)* or ~(x*))"),
    ('start: a\na[lazy]: b\nb: "b"', "at 2:10: a terminal cannot be made of the rule b"),
    ('start: "ab".."c"', "at 1:8: a range is one character, .. and a later one"),
    ('start: "c".."a"', "at 1:8: a range is one character, .. and a later one"),
    ('start: "a', "at 1:8: unexpected '\"'"),
    (r'start: "\d"', r'at 1:8: unknown escape \d in "\d" (write \\ for a backslash)'),
    (r'start: "\ud800"', r"at 1:8: \ud800 is no character"),
    ("start: /a/q", "at 1:8: unknown flag q of a regular expression"),
    ('start: A\nA: "a" b\nb: "b"', "at 2:8: a terminal cannot be made of the rule b"),
    ('start: A\nA: "a" B | "a"\nB: A',
     "at 2:1: the terminal A contains itself (write it as a rule)"),
    ('start: ("a" -> x)', "at 1:13: an alias (-> name) ends an alternative of a rule"),
    ('start: "a" -> x "b"', "at 1:12: an alias (-> name) ends an alternative of a rule"),
    ('start: a{"x", "y"}\na{p}: p', "at 1:8: the template a takes 1 arguments, not 2"),
    ('start: b{"x"}\nb: "x"', "at 1:8: there is no template b"),
    ("start: a\na{p}: p", "at 1:8: the template a needs its 1 arguments"),
    ('start: A\nA{x}: x', "at 2:1: a template is a rule: its name is lower case"),
    ("start: a{\"x\"}\na{p}: a{[p]}", "at 2:7: the template a takes over 1000 different arguments"
     " (a template must not need itself with larger ones)"),
    ("%ignore\nstart: ", "at 1:1: %ignore needs a terminal"),
    ("start: %json {", "at 1:15: %json needs a JSON Schema: "
     "Expecting property name enclosed in double quotes"),
    ("%import common.NOPE\nstart: NOPE",
     f"at 1:16: `common` has no NOPE (it has {', '.join(sorted(COMMON))})"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_says_where_and_what(text: str, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        grammar(text)
    assert str(caught.value) == message


REFUSED = [
    ("%declare A\nstart: A", "%declare", "at 1:1: %declare changes a grammar from outside of it"
     " (define the terminal or rule here)"),
    ("%override a: \"b\"\nstart: a", "%override", "at 1:1: %override changes a grammar from outside"
     " of it (define the terminal or rule here)"),
    ("%extend a: \"b\"\nstart: a", "%extend", "at 1:1: %extend changes a grammar from outside of it"
     " (define the terminal or rule here)"),
    ('%llguidance {"no_forcing": true}\nstart: ', "%llguidance",
     "at 1:1: its options are not enforced here (write %llguidance {})"),
    ('start: %json {"x-guidance": {"whitespace_pattern": " "}}', "x-guidance",
     "at 1:8: options of how JSON is written are not enforced here (leave x-guidance out)"),
    ("%unknown\nstart: ", "%unknown", "at 1:1: %unknown is not a directive that can be"
     " enforced (use %ignore, %import common.NAME or %json {...})"),
    ("%import python.NAME\nstart: NAME", "%import", "at 1:9: only the library `common` can be"
     " imported from, not python (define the terminal here)"),
    ("%import .other.NAME\nstart: NAME", "%import", "at 1:9: only the library `common` can be"
     " imported from, not .other.NAME (define the terminal here)"),
    ("start: /a(?=b)/ /./", "an assertion in a terminal", "at 1:8, position 1: this looks at what"
     " stands before or after the terminal (write what the terminal itself is made of)"),
    (r"start: /if\b/ /./", "an assertion in a terminal", "at 1:8, position 2: this looks at what"
     " stands before or after the terminal (write what the terminal itself is made of)"),
    ("start: /^a/", "an assertion in a terminal", "at 1:8, position 0: this looks at what"
     " stands before or after the terminal (write what the terminal itself is made of)"),
    ("start: /(?<=a)b/", "an assertion in a terminal", "at 1:8, position 0: this looks at what"
     " stands before or after the terminal (write what the terminal itself is made of)"),
    ("start: /a++/ /./", "a possessive end of a terminal", "at 1:8, position 1: this must not be"
     " followed by more of the same (write what the terminal itself is made of)"),
    ("start: /x(?>a*)b?/", "a possessive end of a terminal", "at 1:8, position 1: this must not be"
     " followed by more of the same (write what the terminal itself is made of)"),
    ("start: /(?:[ab]?+c?)*/", "a possessive end of a terminal", "at 1:8, position 7: this must not"
     " be followed by more of the same (write what the terminal itself is made of)"),
    ("start: <[5]>", "token literals",
     "at 1:8: <[5]> stands for a token, not for text (write the text of the token)"),
    ("start: A\nA: <|tool|>", "token literals",
     "at 2:4: <|tool|> stands for a token, not for text (write the text of the token)"),
    ("start: @other", "sub-grammars", "at 1:8: @other is a grammar from outside of this one"
     " (write its rules in this grammar)"),
    ('start: %lark { start: "a" }', "%lark", "at 1:8: a grammar in a grammar has names of its own"
     " (write its rules in the outer grammar, each under another name)"),
    ('start: %regex {"pattern": "a b"}', "%regex", "at 1:8: only the pieces of a text can be"
     " written so (one of 'substring_words', 'substring_chars', 'substring_chunks' with its text)"),
    ('start: a\na[stop="x"]: /b/', "attribute stop", "at 2:3: the attribute stop cannot be enforced"
     ' so (use lazy, suffix="text" or capture, or leave it out)'),
    ("start: a\na[max_tokens=5]: /b/", "attribute max_tokens", "at 2:3: the attribute max_tokens"
     ' cannot be enforced so (use lazy, suffix="text" or capture, or leave it out)'),
    ("start: /a/l", "flag l", "at 1:8: a pattern must not depend on the locale (leave out l)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "feature", "message"), REFUSED, ids=[text for text, _, _ in REFUSED]
)
def test_what_cannot_be_exact_is_refused_by_name(text: str, feature: str, message: str) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        grammar(text)
    assert caught.value.feature == feature
    assert str(caught.value) == message


def test_possessive_repeats_are_kept_where_the_terminal_itself_goes_on() -> None:
    pattern = "(?:a++|[ab]?+)c[0-9]{2}+"
    texts = {"".join(w) for size in range(6) for w in product("abc1", repeat=size)}
    spec = grammar(f"start: /{pattern}/")
    assert {t for t in texts if spec.matches(t)} == {t for t in texts if re.fullmatch(pattern, t)}


def test_the_limits_of_the_caller_hold_for_terminals_and_embedded_schemas() -> None:
    terminal = "start: /(?!ab)[ab][ab](?!cd)[cd][cd]/"
    schema = 'start: %json {"pattern": "^(?:(?=a*b)[ab]|(?=c*d)[cd]){1,2}[a-d]$"}'
    for text in (terminal, schema):
        assert grammar(text)
        with pytest.raises(LimitExceeded, match="while compiling a regular expression"):
            grammar(text, limits=Limits(max_nodes=20))


def test_a_mistake_in_a_pattern_has_both_places() -> None:
    with pytest.raises(InvalidSpec, match=r"^at 2:4, position 1: "):
        grammar("start: A\nA: /a(/")


def test_a_grammar_that_derives_nothing_is_unsatisfiable() -> None:
    with pytest.raises(UnsatisfiableSpec) as caught:
        grammar('start: "a" start')
    assert str(caught.value) == "at rule start: nothing can match: this rule has no way to end"


def test_wrong_arguments() -> None:
    with pytest.raises(InvalidSpec, match=r"^a grammar is text, not bytes$"):
        grammar(b"start: ")  # type: ignore[arg-type]
    with pytest.raises(InvalidSpec, match=r"^dialect is 'ebnf' \(use 'lark' or 'gbnf'\)$"):
        grammar("start: ", dialect="ebnf")  # type: ignore[arg-type]


def test_hostile_grammars_end_in_a_spec_or_a_limit() -> None:
    deep = "(" * 20_000 + '"a"' + ")" * 20_000
    assert matches(grammar_of(f"start: {deep}"), b"a")
    bomb = 'start: t{t{t{t{"a"}}}}\nt{x}: x x x x x x x x x x\n'
    assert grammar(bomb).matches("a" * 10**4)
    assert not grammar(bomb).matches("a" * (10**4 - 1))
    chain = "\n".join(f"r{i}: r{i + 1} r{i + 1}" for i in range(300))
    assert grammar(f'start: r0\n{chain}\nr300: ""').matches("")
    ring = "\n".join(f'r{i}: r{(i + 1) % 300} "a" | "b"' for i in range(300))
    with pytest.raises(LimitExceeded):
        grammar(f"start: r0\n{ring}", limits=Limits(max_nodes=20_000))


MANY_READINGS = {
    "three in a row": 'start: e\ne: e e e | e e | "a" | "b"',
    "one in another": 'start: a\na: a b | b a | "x"\nb: b a | a b | "y"',
    "repeated around": 'start: e\ne: e* "a" e* | "b"',
    "left out in places": 'start: e\ne: e? e? e? "a" | e e',
}


@pytest.mark.parametrize("text", MANY_READINGS.values(), ids=MANY_READINGS)
def test_a_grammar_that_reads_texts_in_too_many_ways_is_refused_before_any_mask(text):
    with pytest.raises(LimitExceeded) as caught:
        grammar(text)
    assert str(caught.value) == (
        "limit max_steps=1,000,000 reached while following a text that the grammar reads in very "
        "many ways (let rules repeat with * or +, where they name themselves more than once, or "
        "pass Limits(max_steps=...))"
    )


FEW_READINGS = {
    "two in a row": 'start: e\ne: e e | e "+" e | "a" | "(" e ")"',
    "operators": 'start: e\ne: e "+" e | e "*" e | "-" e | "(" e ")" | /[0-9]+/',
    "large": "start: s\ns: "
    + " | ".join(f'"key{i} " s{i}' for i in range(300))
    + "".join(
        f'\ns{i}: "({i}" s{(i + 1) % 300} ")" s{i * 7 % 300} | "{i}" | "[" s "]"'
        for i in range(300)
    ),
}


@pytest.mark.parametrize("text", FEW_READINGS.values(), ids=FEW_READINGS)
def test_an_ambiguous_grammar_that_can_be_followed_is_read(text):
    assert grammar(text).examples(1)
