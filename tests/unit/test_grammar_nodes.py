"""Nodes are values: copies of them are equal."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given

from constrained.grammar import Alt, Cat, Lexeme, Literal, Node, Nothing, Repeat, alt, literal
from tests.property.strategies import grammars

DEEP = 200_000


def deep() -> Node:
    node: Node = literal("a")
    for _ in range(DEEP):
        node = Lexeme(node)
    return node


@given(grammars())
def test_copies_and_pickles_are_equal_and_have_the_same_hash(grammar: object) -> None:
    node = grammar.start  # type: ignore[attr-defined]
    for other in (copy.copy(node), copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
        assert other == node
        assert hash(other) == hash(node)
        assert repr(other) == repr(node)


def test_nodes_of_different_kinds_with_equal_parts_differ() -> None:
    parts = (literal("a"), literal("b"))
    assert Cat(parts) != Alt(parts)
    assert Cat(parts) == Cat(parts)
    assert Nothing() == Nothing()
    assert Literal(b"a") != b"a"


def test_a_node_says_how_it_is_made() -> None:
    assert (
        repr(Repeat(literal("a"), 1, None)) == "Repeat(body=Literal(data=b'a'), least=1, most=None)"
    )
    assert repr(Nothing()) == "Nothing()"


def test_nodes_match_by_position() -> None:
    match Repeat(literal("a"), 2, 3):
        case Repeat(Literal(data), least, most):
            assert (data, least, most) == (b"a", 2, 3)
        case _:
            pytest.fail("no match")


def test_deeply_nested_nodes_can_be_hashed_joined_and_dropped() -> None:
    node = deep()
    assert hash(node) == hash(Lexeme(Lexeme(literal("a"))))  # of parts only the kinds count
    assert isinstance(alt(node, literal("b")), Alt)
    with pytest.raises(RecursionError):
        repr(node)
    with pytest.raises(RecursionError):
        assert node == deep()
    del node
