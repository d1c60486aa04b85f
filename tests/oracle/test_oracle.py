"""The oracle's two halves agree with each other and with Python's `re`."""

from __future__ import annotations

import re
from itertools import product

import pytest

from constrained.grammar import (
    ANY_CHAR,
    Grammar,
    Node,
    Ref,
    alt,
    byte_class,
    cat,
    char_class,
    complement,
    intersect,
    lexeme,
    literal,
    literals,
    minus,
    optional,
    repeat,
)
from tests.oracle import OracleError, alive, mask, matches, members, shortest, spans

a, b = literal("a"), literal("b")
ab = alt(a, b)
any_byte = byte_class((0, 255))

CASES: list[tuple[Node, str]] = [
    (repeat(ab, 1, 3), "[ab]{1,3}"),
    (cat(repeat(a), b), "a*b"),
    (alt(cat(a, repeat(b, 2)), literals(["ab", "ba", "bab"])), "abb+|ab|ba|bab"),
    (repeat(repeat(a, 0, 2), 2, 2), "(a{0,2}){2}"),
    (repeat(optional(cat(a, b)), 3, None), "((ab)?){3,}"),
    (complement(repeat(cat(a, b))), "(?!(ab)*$).*"),
    (intersect(repeat(ab, 2), complement(cat(repeat(ab), a, a, repeat(ab)))), "(?!.*aa)[ab]{2,}"),
    (minus(repeat(lexeme(cat(ab, ab))), literal("abab")), "(?!abab$)([ab][ab])*"),
    (Ref("right"), "(aa|b)*a"),
    (Ref("left"), "b(ab?)*"),
    (minus(Ref("right"), literal("a")), "(?!a$)(aa|b)*a"),
]
RULES = {
    "right": alt(cat(a, a, Ref("right")), cat(b, Ref("right")), a),
    "left": alt(b, cat(Ref("left"), a, optional(b))),
}


@pytest.mark.parametrize(("node", "pattern"), CASES, ids=[pattern for _, pattern in CASES])
def test_both_halves_agree_with_re(node: Node, pattern: str) -> None:
    grammar = Grammar(node, RULES)
    texts = ["".join(t) for n in range(6) for t in product("ab", repeat=n)]
    expected = {text.encode() for text in texts if re.fullmatch(pattern, text)}
    assert members(grammar, 5, b"ab") == expected
    assert {text.encode() for text in texts if matches(grammar, text.encode())} == expected


def test_recursion_is_a_least_fixpoint() -> None:
    nested = Grammar(
        Ref("s"), {"s": alt(cat(literal("("), Ref("s"), literal(")"), Ref("s")), cat())}
    )
    assert members(nested, 4, b"()") == {b"", b"()", b"()()", b"(())"}
    assert matches(nested, b"(()())")
    assert not matches(nested, b"(()")
    hidden = Grammar(Ref("s"), {"s": alt(cat(optional(b), Ref("s"), a), Ref("s"), b)})
    assert members(hidden, 3, b"ab") == {b"b", b"ba", b"bba", b"baa"}
    assert spans(hidden, b"bbaa") == {1, 3, 4}
    assert members(Grammar(Ref("s"), {"s": Ref("s")}), 3, b"ab") == set()


def test_characters_are_utf_8() -> None:
    grammar = Grammar(cat(ANY_CHAR, char_class("é", (0x20AC, 0x20AC))))
    for text in ("aé", "é€", "😀é"):
        assert matches(grammar, text.encode())
    assert not matches(grammar, b"\xff\xc3\xa9")
    assert not matches(grammar, b"\xed\xa0\x80\xc3\xa9")  # a surrogate is no character
    assert members(grammar, 4, "é".encode()) == {"éé".encode()}
    assert b"\xff" in members(Grammar(complement(ANY_CHAR)), 1, b"a\xff")


def test_lookahead_finds_shortest_completions_and_masks() -> None:
    grammar = Grammar(cat(literal("ab"), repeat(b, 2, 3), optional(any_byte)))
    assert shortest(grammar, b"ab", 3, b"ab") == b"bb"
    assert not alive(grammar, b"a", 2, b"ab")
    assert alive(grammar, b"a", 3, b"ab")
    assert not alive(grammar, b"aa", 5, b"ab")
    tokens = [b"a", b"b", b"ba", None, b"", b"bb", b"bbbbb", b"b"]
    assert mask(grammar, tokens, b"ab", 3, b"ab") == {1, 5, 7}


def test_a_rule_that_needs_its_own_complement_has_no_meaning() -> None:
    liar = Grammar(Ref("s"), {"s": cat(a, complement(Ref("s")))})
    assert matches(liar, b"ab")  # consuming a byte first gives every position a meaning
    with pytest.raises(OracleError, match="its own complement"):
        matches(Grammar(Ref("s"), {"s": complement(Ref("s"))}), b"a")
    with pytest.raises(OracleError, match="no rule 'x'"):
        matches(Grammar(Ref("x")), b"a")
