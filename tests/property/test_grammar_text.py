"""Reading a printed grammar gives the same grammar."""

from __future__ import annotations

from hypothesis import given, settings

from constrained.grammar import Grammar, Node, Not, Ref, literal
from constrained.grammar.text import print_grammar, read_grammar
from tests.property.strategies import any_grammars, grammars


@given(any_grammars())
@settings(max_examples=300, deadline=None)
def test_reading_what_was_printed_gives_the_same_grammar(grammar: Grammar) -> None:
    assert read_grammar(print_grammar(grammar)) == grammar


@given(grammars(left=True))
@settings(max_examples=100, deadline=None)
def test_so_does_it_for_grammars_with_a_meaning(grammar: Grammar) -> None:
    text = print_grammar(grammar)
    assert read_grammar(text) == grammar
    assert print_grammar(read_grammar(text)) == text


def test_nesting_far_beyond_pythons_recursion_prints_and_reads() -> None:
    node: Node = Ref("x")
    for _ in range(20_000):
        node = Not(node)
    text = print_grammar(Grammar(node))
    assert text == "!" * 20_000 + "x ;"
    assert print_grammar(read_grammar(text)) == text
    groups = "(" * 20_000 + '"a"' + ")*" * 20_000 + " ;"
    assert print_grammar(read_grammar(groups)) == '"a"' + "*" * 20_000 + " ;"
    assert read_grammar("(" * 20_000 + '"a"' + ")" * 20_000 + ";").start == literal("a")
