"""Every pass keeps the language, or removes exactly what it says; the oracle decides."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constrained.errors import UnsatisfiableSpec, UnsupportedSpec, VocabularyError
from constrained.grammar import (
    ANY_CHAR,
    Cat,
    Grammar,
    Node,
    Not,
    Ref,
    cat,
    complement,
    intersect,
    literal,
    repeat,
)
from constrained.grammar.passes import (
    check_productive,
    check_regular,
    left_recursive_rules,
    nullable_rules,
    prepared,
    productive_rules,
    reachable_rules,
    restrict,
    without_dead_parts,
    without_left_recursion,
)
from constrained.grammar.passes.walk import walk
from constrained.grammar.spelling import spelling_of
from tests.oracle import OracleError, members
from tests.property.strategies import grammars, regular_nodes

ALPHABET = b"ab\xc3\xa9"
SIZE = 4


@given(grammars(left=True))
@settings(max_examples=400, deadline=None)
def test_left_recursion_goes_and_the_language_stays(grammar: Grammar) -> None:
    straight = without_left_recursion(grammar)
    assert left_recursive_rules(straight) == []
    assert members(straight, SIZE, ALPHABET) == members(grammar, SIZE, ALPHABET)
    assert (straight is grammar) == (left_recursive_rules(grammar) == [])


@given(grammars(left=True))
@settings(max_examples=200, deadline=None)
def test_nullable_and_productive_are_what_the_oracle_finds(grammar: Grammar) -> None:
    nullable, productive = nullable_rules(grammar), productive_rules(grammar)
    for name in reachable_rules(grammar):
        words = members(Grammar(Ref(name), grammar.rules), SIZE, ALPHABET)
        assert (name in nullable) == (b"" in words)
        assert name in productive or not words


@given(grammars(left=True))
@settings(max_examples=200, deadline=None)
def test_dead_parts_go_and_the_language_stays(grammar: Grammar) -> None:
    pruned = without_dead_parts(grammar)
    assert members(pruned, SIZE, ALPHABET) == members(grammar, SIZE, ALPHABET)
    assert productive_rules(pruned) == set(reachable_rules(pruned))


@given(grammars(left=True))
@settings(max_examples=200, deadline=None)
def test_a_prepared_grammar_has_the_same_language_or_a_reason(grammar: Grammar) -> None:
    try:
        ready = prepared(grammar)
    except UnsatisfiableSpec:
        assert members(grammar, SIZE, ALPHABET) == set()
    else:
        check_regular(ready)
        check_productive(ready)
        assert members(ready, SIZE, ALPHABET) == members(grammar, SIZE, ALPHABET)


@given(grammars(left=True), st.frozensets(st.sampled_from("abé😀"), max_size=4))
@settings(max_examples=300, deadline=None)
def test_restricting_keeps_what_can_be_spelled(grammar: Grammar, spellable: frozenset[str]) -> None:
    expected = {
        word
        for word in members(grammar, SIZE, ALPHABET)
        if set(word.decode("utf-8", "surrogateescape")) <= spellable
    }
    try:
        restricted = restrict(grammar, spelling_of(char.encode() for char in spellable))
    except VocabularyError:
        assert expected == set()
    else:
        found = members(restricted, SIZE, ALPHABET)
        spelled = {byte for char in spellable for byte in char.encode()}
        assert expected <= found or any(isinstance(n, Not) for n in nodes(grammar))
        assert all(word in expected or not is_text(word) for word in found)
        assert all(spelled.issuperset(word) for word in found)


@given(regular_nodes(), regular_nodes(), st.frozensets(st.sampled_from("abé"), max_size=3))
@settings(max_examples=200, deadline=None)
def test_restricting_texts_without_some_is_exact(
    body: Node, removed: Node, spellable: frozenset[str]
) -> None:
    texts = repeat(ANY_CHAR)
    grammar = Grammar(intersect(texts, body, complement(removed)))
    whole = members(grammar, SIZE, ALPHABET)
    expected = {word for word in whole if set(word.decode()) <= spellable}
    try:
        assert (
            members(
                restrict(grammar, spelling_of(char.encode() for char in spellable)), SIZE, ALPHABET
            )
            == expected
        )
    except VocabularyError:
        assert expected == set()


def nodes(grammar: Grammar) -> Iterator[Node]:
    return walk([grammar.start], grammar.rules)


def is_text(word: bytes) -> bool:
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(grammars(left=True), st.sampled_from(["r0", "r1", "r2"]))
@settings(max_examples=200, deadline=None)
def test_no_grammar_without_a_meaning_passes(grammar: Grammar, name: str) -> None:
    """A rule put below its own complement is refused, or the rule is not needed after all."""
    rules = dict(grammar.rules)
    rules[name] = Cat((rules[name], Not(cat(literal("b"), Ref(name)))))
    bad = Grammar(cat(Ref(name), grammar.start), rules)
    with pytest.raises((UnsupportedSpec, UnsatisfiableSpec)) as caught:
        prepared(bad)
    if isinstance(caught.value, UnsupportedSpec):
        assert caught.value.feature in ("recursion through & or !", "nesting below & or !")
    else:
        with contextlib.suppress(OracleError):
            assert members(bad, SIZE, ALPHABET) == set()
