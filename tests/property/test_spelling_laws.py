"""What tokens can be joined to, against trying them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from constrained.engine import Engine
from constrained.errors import VocabularyError
from constrained.grammar import (
    Grammar,
    Node,
    alt,
    cat,
    char_class,
    lexeme,
    literal,
    literals,
    optional,
)
from constrained.grammar.spelling import spelling_of
from constrained.vocabulary import Vocabulary
from tests.oracle import members

TEXT = "ab日本é"
"""日 is E6 97 A5, 本 is E6 9C AC: they begin alike."""

pieces = st.one_of(
    st.sampled_from([bytes([byte]) for byte in sorted(set(TEXT.encode()))]),
    st.integers(0, len(TEXT.encode()) - 2).flatmap(
        lambda at: st.integers(at + 2, min(at + 5, len(TEXT.encode()))).map(
            lambda end: TEXT.encode()[at:end]
        )
    ),
    st.text("ab日本é", min_size=1, max_size=3).map(str.encode),
)
token_sets = st.sets(pieces, min_size=1, max_size=9).map(sorted)

texts = st.text(TEXT, min_size=1, max_size=3)
leaves = st.one_of(
    texts.map(literal),
    st.lists(texts, min_size=1, max_size=3).map(literals),
    st.text(TEXT, min_size=1).map(char_class),
)
finite_nodes = st.recursive(
    leaves,
    lambda below: st.one_of(
        st.lists(below, min_size=1, max_size=3).map(lambda parts: cat(*parts)),
        st.lists(below, min_size=1, max_size=3).map(lambda parts: alt(*parts)),
        below.map(optional),
        below.map(lexeme),
    ),
    max_leaves=4,
)


def joins(data: bytes, tokens: list[bytes]) -> bool:
    reached = {0}
    for place in range(len(data)):
        if place in reached:
            reached |= {place + len(t) for t in tokens if data.startswith(t, place)}
    return len(data) in reached


def joined(words: set[bytes], tokens: list[bytes], done: bytes) -> bool:
    """Whether some word goes on after `done` in a way that tokens can be joined to."""
    return any(w.startswith(done) and joins(w[len(done) :], tokens) for w in words)


@given(token_sets, st.text("ab日本é\u65e6", max_size=4))
def test_a_text_can_be_spelled_when_tokens_can_be_joined_to_it(
    tokens: list[bytes], text: str
) -> None:
    spelling = spelling_of(tokens)
    assert spelling is not None
    assert spelling.joins(text.encode()) == joins(text.encode(), tokens)
    for character in text:
        assert (character in spelling.characters) == joins(character.encode(), tokens)
    assert set(spelling.pieces) <= set(tokens)
    assert all(joins(token, sorted(spelling.pieces)) for token in tokens)


@pytest.mark.filterwarnings("ignore::constrained.errors.SpellingWarning")
@given(finite_nodes, token_sets, st.lists(st.integers(0, 30), max_size=6))
@settings(max_examples=400, deadline=None)
def test_masks_hold_the_tokens_after_which_tokens_can_complete_an_output(
    node: Node, tokens: list[bytes], steps: list[int]
) -> None:
    words = members(Grammar(node), 40, TEXT.encode())
    assume(0 < len(words) < 300)
    end = len(tokens)
    vocabulary = Vocabulary([*tokens, None], end_ids=[end])
    try:
        engine = Engine(Grammar(node), vocabulary)
    except VocabularyError:
        assert not joined(words, tokens, b"")
        return
    state, done = engine.start, b""
    for step in steps:
        allowed = engine.allowed(state).tolist()
        expected = [i for i, t in enumerate(tokens) if joined(words, tokens, done + t)]
        assert allowed == expected + [end] * (done in words)
        cost = engine.cost(state)
        assert done + engine.completion(state) in words
        assert joins(engine.completion(state), tokens)
        after = {t: engine.advance(state, t) for t in expected}
        fits = [t for t in expected if engine.cost(after[t]) <= cost - 1]
        assert within(engine, state, cost) == fits + [end] * (done in words)
        assert fits or cost == 0
        assert [t for t in range(end) if engine.allows(state, t)] == expected
        if not expected:
            return
        token = expected[step % len(expected)]
        state, done = after[token], done + tokens[token]


def within(engine: Engine, state: int, budget: int) -> list[int]:
    row = np.zeros(engine.words, dtype=np.int32)
    engine.fill_mask_within(state, row, budget)
    return np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()
