"""``+`` and ``|``: values, reprs, and grammars whose rules have the same names."""

from __future__ import annotations

from itertools import product

import pytest

from constrained.engine import ByteEngine
from constrained.errors import TextRejected
from constrained.grammar import Grammar, Node, Ref, cat, literal, optional
from constrained.grammar.combine import concatenate, unite
from constrained.spec import Spec, as_spec, choice, integer, template, text
from constrained.spec.numbers import integer_grammar


def test_a_sequence_has_the_values_of_its_parts_that_are_not_text() -> None:
    assert ("Score: " + integer(0, 10)).parse("Score: 7") == 7
    assert (integer(0, 10) + "/" + integer(0, 10)).parse("7/10") == (7, 10)
    assert (as_spec("a") + "b").parse("ab") == "ab"
    assert (as_spec("") + integer(0, 3)).parse("2") == 2


def test_sequences_are_flat_and_templates_are_one_part() -> None:
    three = integer(0, 3) + "," + (integer(0, 3) + "," + integer(0, 3))
    assert three.parse("1,2,3") == (1, 2, 3)
    assert [part if isinstance(part, str) else repr(part.spec) for part in three.parts] == [
        "integer(0, 3)", ",", "integer(0, 3)", ",", "integer(0, 3)",
    ]  # fmt: skip
    dated = template("{x:0..3}") + "!" + integer(0, 3)
    assert dated.parse("1!2") == ({"x": 1}, 2)
    assert ("> " + template("{x:0..3}")).parse("> 1") == {"x": 1}


def test_a_union_in_a_sequence_is_one_part() -> None:
    spec = (integer(0, 9) | "none") + "; " + choice(["a", "b"])
    assert spec.parse("none; a") == ("none", "a")
    assert spec.parse("7; b") == (7, "b")
    assert repr(spec) == "(integer(0, 9) | as_spec('none')) + '; ' + choice(['a', 'b'])"


def test_a_text_that_several_alternatives_match_is_read_by_the_first() -> None:
    number_first = integer(0, 9) | choice(["7", "x"])
    text_first = choice(["7", "x"]) | integer(0, 9)
    assert (number_first.parse("7"), text_first.parse("7")) == (7, "7")
    assert (number_first.parse("x"), text_first.parse("5")) == ("x", 5)
    assert repr(number_first | "y") == "integer(0, 9) | choice(['7', 'x']) | as_spec('y')"


def test_free_text_gives_way_only_where_it_must() -> None:
    spec = text() + "=" + integer()
    assert spec.parse("a=b=12") == ("a=b", 12)
    long = "x=" * 2_000 + "7"
    assert spec.parse(long) == (long[:-2], 7)


def test_a_division_that_needs_going_back_is_found() -> None:
    spec = choice(["a", "aa", "aaa"]) + choice(["a", "aa"]) + choice(["ab", "b"])
    options = product(("a", "aa", "aaa"), ("a", "aa"), ("ab", "b"))
    longest: dict[str, tuple[str, ...]] = {}
    for pieces in sorted(options, key=lambda p: tuple(-len(piece) for piece in p)):
        longest.setdefault("".join(pieces), pieces)
    for output, pieces in longest.items():
        assert spec.parse(output) == pieces


def test_parts_are_cut_between_characters_only() -> None:
    any_bytes = Spec("bytes", Grammar(optional(literal(b"\xc3"))), str)
    spec = any_bytes + choice(["é", "e"])
    assert spec.parse("é") == ("", "é")


def test_many_parts_are_no_problem() -> None:
    spec: Spec[object] = as_spec("")
    for _ in range(100):
        spec = spec + integer(0, 9) + ","
    assert spec.parse("7," * 100) == (7,) * 100


def test_rejections_of_the_whole_name_the_byte() -> None:
    with pytest.raises(TextRejected) as caught:
        (integer(0, 9) + "é" + integer(0, 9)).parse("1éx")
    assert (caught.value.position, caught.value.expected) == (3, "'0'-'9'")


# --- grammars -------------------------------------------------------------------------------------


def nested(opening: str, closing: str) -> Grammar:
    """Balanced brackets, by a rule called `inner`."""
    body = optional(cat(literal(opening), Ref("inner"), literal(closing)))
    return Grammar(Ref("inner"), {"inner": body})


def matches(grammar: Grammar, output: str) -> bool:
    engine = ByteEngine(grammar)
    state = engine.advance_bytes(engine.start, output.encode())
    return state is not None and engine.accepting(state)


def test_rules_of_one_name_and_different_bodies_are_kept_apart() -> None:
    both = concatenate(nested("(", ")"), nested("[", "]"))
    assert matches(both, "(())[[]]")
    assert not matches(both, "([])")
    assert set(both.rules) == {"inner", "inner~2"}
    third = unite(both, nested("{", "}"))
    assert set(third.rules) == {"inner", "inner~2", "inner~3"}
    assert matches(third, "{{}}")


def test_rules_of_one_name_and_body_are_shared() -> None:
    both = concatenate(nested("(", ")"), nested("(", ")"))
    assert set(both.rules) == {"inner"}
    sevens = integer_grammar(0, None, multiple_of=7)
    assert unite(sevens, sevens).rules == sevens.rules


def test_rules_that_lead_to_a_renamed_one_are_renamed_too() -> None:
    def grammar(leaf: str) -> Grammar:
        rules: dict[str, Node] = {"outer": cat(literal("<"), Ref("leaf")), "leaf": literal(leaf)}
        return Grammar(Ref("outer"), rules)

    both = concatenate(grammar("a"), grammar("b"))
    assert matches(both, "<a<b")
    assert not matches(both, "<a<a")
    assert set(both.rules) == {"outer", "leaf", "outer~2", "leaf~2"}


def test_a_single_grammar_with_rules_keeps_them_unread() -> None:
    class Lazy(dict[str, Node]):
        def __iter__(self) -> None:  # type: ignore[override]
            raise AssertionError("the rules were listed")

    lazy = Lazy({"r": literal("x")})
    joined = concatenate(Grammar(literal("a")), Grammar(Ref("r"), lazy), Grammar(literal("b")))
    assert joined.rules is lazy
    assert matches(Grammar(joined.start, dict(lazy.items())), "axb")


def test_deeply_nested_bodies_are_joined() -> None:
    def deep(letter: str) -> Grammar:
        node: Node = literal(letter)
        for _ in range(3_000):
            node = optional(cat(literal("("), node))
        return Grammar(Ref("deep"), {"deep": node})

    both = concatenate(deep("a"), deep("b"))
    assert len(both.rules) == 2
