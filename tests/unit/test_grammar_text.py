"""The grammar's notation: what each piece means, how it prints, and what a mistake says."""

from __future__ import annotations

import pytest

from constrained.errors import InvalidSpec, LimitExceeded
from constrained.grammar import (
    ANY_CHAR,
    EMPTY,
    NOTHING,
    Alt,
    And,
    Bytes,
    Cat,
    Chars,
    Grammar,
    Lexeme,
    Literal,
    Literals,
    Node,
    Not,
    Ref,
    Repeat,
    alt,
    literal,
)
from constrained.grammar.text import line_and_column, print_grammar, print_node, read_grammar
from constrained.limits import Limits

a, b, c = Literal(b"a"), Literal(b"b"), Literal(b"c")

NOTATION: list[tuple[str, Node]] = [
    ('"a"', a),
    ('""', EMPTY),
    ("[]", NOTHING),
    (".", ANY_CHAR),
    (r'"\"\\\n\t\xff€\u{200b}"', Literal(b'"\\\n\t\xff' + "€\u200b".encode())),
    ('{"", "no", "yes"}', Literals((b"", b"no", b"yes"))),
    ("[a-z]", Chars(((97, 122),))),
    (r"[\-\[-\^é😀]", Chars(((45, 45), (91, 94), (233, 233), (0x1F600, 0x1F600)))),
    ("<00-7f ff>", Bytes(((0, 127), (255, 255)))),
    ("name", Ref("name")),
    ("`#/$defs/a b`", Ref("#/$defs/a b")),
    ('"a" "b" "c"', Cat((a, b, c))),
    ('"a" ("b" "c")', Cat((a, Cat((b, c))))),
    ('"a" | "b" "c"', Alt((a, Cat((b, c))))),
    ('("a" | "b") "c"', Cat((Alt((a, b)), c))),
    ('"a" & "b" | "c"', Alt((And((a, b)), c))),
    ('"a" & ("b" | "c")', And((a, Alt((b, c))))),
    ('"a"?', Repeat(a, 0, 1)),
    ('"a"*+', Repeat(Repeat(a, 0, None), 1, None)),
    ('"a"{3}{2,}{0,5}', Repeat(Repeat(Repeat(a, 3, 3), 2, None), 0, 5)),
    ('!"a"*', Not(Repeat(a, 0, None))),
    ('(!"a")*', Repeat(Not(a), 0, None)),
    ('@!("a" "b") "c"', Cat((Lexeme(Not(Cat((a, b)))), c))),
    ('!"a" {"b", "c"}', Cat((Not(a), Literals((b"b", b"c"))))),
]


@pytest.mark.parametrize(("text", "node"), NOTATION, ids=[text for text, _ in NOTATION])
def test_each_notation_prints_and_reads(text: str, node: Node) -> None:
    assert print_node(node) == text
    assert read_grammar(text + ";") == Grammar(node)


def test_a_grammar_prints_its_start_and_then_its_rules() -> None:
    text = 's "." ;\ns = "a" `b c`? ;\n`b c` = [0-9] ;'
    grammar = read_grammar(text)
    assert grammar.start == Cat((Ref("s"), Literal(b".")))
    assert list(grammar.rules) == ["s", "b c"]
    assert print_grammar(grammar) == text
    assert read_grammar("# a comment\n" + text.replace(" ", "  # another\n ", 1)) == grammar


def test_long_choices_take_a_line_for_each_option() -> None:
    options = [literal(letter * 40) for letter in "ab"] + [Alt((a, b))]
    grammar = Grammar(Alt(tuple(options)), {"r": Alt(tuple(options))})
    text = print_grammar(grammar)
    assert text.splitlines()[4:] == [
        "r =",
        f'    "{"a" * 40}"',
        f'  | "{"b" * 40}"',
        '  | ("a" | "b") ;',
    ]
    assert read_grammar(text) == grammar


def test_what_is_not_normal_is_read_as_a_person_means_it() -> None:
    assert read_grammar("[za-cb] ;").start == Chars(((97, 99), (122, 122)))
    assert read_grammar("[.*] ;").start == Chars(((42, 42), (46, 46)))
    assert read_grammar("<ff 00-10 0F> ;").start == Bytes(((0, 16), (255, 255)))
    assert read_grammar('{"b" , "a"} ;').start == Literals((b"a", b"b"))
    assert read_grammar('"a"{ 2 , } ;').start == Repeat(a, 2, None)


MISTAKES = [
    ('"a"', "at 1:4: expected ;"),
    ("", "at 1:1: expected ;"),
    ('"a" ;\n ? = "b" ;', "at 2:2: a rule begins with its name, not with '?'"),
    ('"a" ; r "b" ;', "at 1:9: expected = after the rule name r"),
    ('"a" ; r = "b" ; r = "c" ;', "at 1:17: rule r is defined twice"),
    (
        'r = "a" ;',
        "at 1:1: expected ; before the rule r"
        " (the first statement is the start expression, rules follow it)",
    ),
    ('("a" ;', "at 1:6: unexpected ';'"),
    ('("a"', "at 1:1: this parenthesis is never closed"),
    ('"a") ;', "at 1:4: unexpected ')'"),
    ('"a" | ;', """at 1:7: expected an expression before ';' (write "" for the empty text)"""),
    ("() ;", """at 1:2: expected an expression before ')' (write "" for the empty text)"""),
    ('"a" & ! ;', """at 1:9: expected an expression before ';' (write "" for the empty text)"""),
    ("* ;", "at 1:1: nothing before * to repeat"),
    ('"a"{3,2} ;', "at 1:4: {3,2} counts down"),
    ('"abc ;', "at 1:1: unexpected '\"'"),
    (r'"a\q" ;', r"at 1:3: unknown escape \q"),
    (r'"a\x1" ;', r"at 1:3: a damaged escape (write \xNN or \u{N...})"),
    (r'"\u{110000}" ;', "at 1:2: there is no code point 110000"),
    (r'"\u{d800}" ;', "at 1:1: a surrogate has no UTF-8 form"),
    (r"[\xff] ;", "at 1:1: a class holds characters only (bytes stand in <>)"),
    ("[z-a] ;", r"at 1:1: a range of the class [z-a] is not low-high"
     r" (write \- for the sign itself)"),
    ("[a-] ;", r"at 1:1: a range of the class [a-] is not low-high (write \- for the sign itself)"),
    ("[a-b-c] ;", r"at 1:1: a range of the class [a-b-c] is not low-high"
     r" (write \- for the sign itself)"),
    (
        "<0-7f> ;",
        "at 1:1: '0-7f' is not a byte or a range of bytes"
        " (bytes are two hexadecimal digits, as in <00-7f ff>)",
    ),
    ('{"a"} ;', "at 1:1: {...} needs two different texts"),
    ('{"a" "b"} ;', "at 1:6: expected , or } in {...}"),
    ("{a} ;", 'at 1:2: expected "text" in {...}'),
    (r"`a\xff` ;", "at 1:1: a rule name holds characters only"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_says_where_and_what(text: str, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        read_grammar(text)
    assert str(caught.value) == message


def test_printing_a_shared_node_everywhere_stops_at_the_limit() -> None:
    node: Node = alt(a, b)
    for _ in range(40):
        node = Cat((node, node))  # 41 objects, 2 ** 42 nodes on paper
    with pytest.raises(LimitExceeded, match="limit max_nodes=1,000 reached while printing a gramm"):
        print_grammar(Grammar(node), Limits(max_nodes=1000))


def test_line_and_column_count_from_one() -> None:
    assert line_and_column("ab\ncd", 0) == "1:1"
    assert line_and_column("ab\ncd", 2) == "1:3"
    assert line_and_column("ab\ncd", 4) == "2:2"
