"""The laws of docs/explanation/engine.md, on random grammars, vocabularies and walks."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from constrained.engine import ByteEngine, Engine
from constrained.errors import LimitExceeded, TokenRejected, UnsatisfiableSpec, VocabularyError
from constrained.grammar import Bytes, Grammar, Node, Not
from constrained.grammar.passes import left_recursive_rules, prepared
from constrained.grammar.passes.walk import walk as nodes
from constrained.vocabulary import Vocabulary
from tests.oracle import Language, matches
from tests.property.strategies import (
    alphabet_of,
    grammars,
    text_vocabulary,
    texts_of_models,
    tokens_of_pieces,
    vocabularies,
)

LAWS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def law(test: Callable[..., None]) -> Callable[..., None]:
    """A property of the engine.

    Reaching a limit is an answer too, but only for the grammars that mean the same text in
    exponentially many ways; here these come from left recursion through empty matches.
    """

    @LAWS
    @wraps(test)
    def held(grammar: Grammar, *args: object, **kwargs: object) -> None:
        try:
            test(grammar, *args, **kwargs)
        except LimitExceeded:
            if not left_recursive_rules(grammar):
                raise
            reject()

    return held


def continuing(grammar: Grammar, text: bytes, most: int = 99) -> frozenset[bytes]:
    """Members that begin with `text`, at most `most` bytes longer, as far as the oracle can see.

    It lists every text over the alphabet, so it must look less far when there are more letters.
    """
    alphabet = set(alphabet_of(grammar) + text)
    length = {2: 7, 3: 5, 4: 4}.get(len(alphabet), 3)
    if len(text) > length:
        return frozenset()
    length = min(length, len(text) + most)
    return Language(grammar, length, bytes(alphabet)).continuing(text)


def engine_of(grammar: Grammar, vocabulary: Vocabulary) -> Engine:
    try:
        return Engine(prepared(grammar), vocabulary)
    except UnsatisfiableSpec:
        assert not continuing(grammar, b"")
        assume(False)
        raise


def walk(engine: Engine, choices: list[int]) -> list[tuple[int, bytes]]:
    """States along a random walk (until the output ends), with the text so far."""
    path = [(engine.start, b"")]
    for choice in choices:
        state, text = path[-1]
        allowed = engine.allowed(state)
        token = int(allowed[choice % len(allowed)])
        if token in engine.vocabulary.end_ids:
            break
        path.append((engine.advance(state, token), text + engine.vocabulary.tokens[token]))
    return path


choices = st.lists(st.integers(0, 2**16), max_size=5)


@given(grammars(left=True), vocabularies(), choices)
@law
def test_the_mask_is_what_advance_bytes_keeps_alive(
    grammar: Grammar, vocabulary: Vocabulary, steps: list[int]
) -> None:
    engine = engine_of(grammar, vocabulary)
    for state, _ in walk(engine, steps):
        expected = {
            token
            for token, data in enumerate(vocabulary.tokens[: vocabulary.width])
            if data and engine.advance_bytes(state, data) is not None
        }
        if engine.accepting(state):
            expected |= vocabulary.end_ids
        assert set(engine.allowed(state).tolist()) == expected
        assert expected  # a mask never leads into a dead end
        row = np.full(engine.words, -1, dtype=np.int32)
        engine.fill_mask(state, row)
        bits = np.unpackbits(row.view(np.uint8), bitorder="little")
        assert set(np.flatnonzero(bits).tolist()) == expected
        for token in expected - vocabulary.end_ids:
            data = vocabulary.tokens[token]
            assert engine.advance(state, token) == engine.advance_bytes(state, data)


@given(grammars(left=True), st.lists(tokens_of_pieces, max_size=3), tokens_of_pieces)
@law
def test_advance_bytes_agrees_with_the_oracle(
    grammar: Grammar, pieces: list[bytes], more: bytes
) -> None:
    try:
        engine = ByteEngine(prepared(grammar))
    except UnsatisfiableSpec:
        assert not continuing(grammar, b"")
        return
    state: int | None = engine.start
    text = b""
    for data in [*pieces, more]:
        following = engine.advance_bytes(state, data)
        assert engine.advance_bytes(engine.start, text + data) == following
        if following is None:
            assert not continuing(grammar, text + data)
            for end in range(len(data) + 1):
                assert not matches(grammar, text + data + data[:end])
            break
        state, text = following, text + data
        assert engine.accepting(state) == matches(grammar, text)
        assert matches(grammar, text + engine.completion(state))


@given(grammars(left=True))
@law
def test_every_member_is_accepted_and_nothing_else(grammar: Grammar) -> None:
    alphabet = alphabet_of(grammar)
    language = Language(grammar, 4 if len(alphabet) < 4 else 3, alphabet)
    try:
        engine = ByteEngine(prepared(grammar))
    except UnsatisfiableSpec:
        assert not language.words
        return
    prefixes = {word[:n] for word in language.words for n in range(len(word) + 1)}
    for prefix in prefixes | {prefix + bytes([b]) for prefix in prefixes for b in alphabet}:
        state = engine.advance_bytes(engine.start, prefix)
        if len(prefix) <= language.length:
            accepted = state is not None and engine.accepting(state)
            assert accepted == (prefix in language.words)
        if prefix in prefixes:
            assert state is not None


@given(grammars(left=True), vocabularies(), choices)
@law
def test_completions_are_shortest_and_costs_are_achievable(
    grammar: Grammar, vocabulary: Vocabulary, steps: list[int]
) -> None:
    engine = engine_of(grammar, vocabulary)
    for state, text in walk(engine, steps):
        rest = engine.completion(state)
        assert len(rest) == engine.distance(state)
        assert engine.completion(state) == rest
        assert matches(grammar, text + rest)
        assert (rest == b"") == engine.accepting(state)
        assert not rest or not continuing(grammar, text, len(rest) - 1)
        for n in range(len(rest) + 1):
            assert engine.completion(engine.advance_bytes(state, rest[:n])) == rest[n:]
        assert engine.cost(state) == fewest_tokens(rest, vocabulary)


def fewest_tokens(data: bytes, vocabulary: Vocabulary) -> int:
    spelled = {token for token in vocabulary.tokens[: vocabulary.width] if token}
    best = [0]
    for end in range(1, len(data) + 1):
        ways = [best[begin] + 1 for begin in range(end) if data[begin:end] in spelled]
        best.append(min(ways, default=len(data) + 1))  # one byte may not be a token
    return best[-1]


@given(grammars(left=True), vocabularies(), choices)
@law
def test_budgets_are_kept(grammar: Grammar, vocabulary: Vocabulary, steps: list[int]) -> None:
    engine = engine_of(grammar, vocabulary)
    for state, _ in walk(engine, steps):
        cost = engine.cost(state)
        for budget in {0, 1, cost, cost + 1, cost + 3}:
            row = np.full(engine.words, -1, dtype=np.int32)
            engine.fill_mask_within(state, row, budget)
            bits = np.unpackbits(row.view(np.uint8), bitorder="little")
            inside = set(np.flatnonzero(bits).tolist())
            expected = {
                token
                for token in engine.allowed(state).tolist()
                if token in vocabulary.end_ids
                or engine.cost(engine.advance(state, token)) <= budget - 1
            }
            assert inside == expected
            assert inside or budget < cost
    state = engine.start
    for left in range(engine.cost(state) + 2, 0, -1):  # the longest way that the budget allows
        row = np.zeros(engine.words, dtype=np.int32)
        engine.fill_mask_within(state, row, left)
        bits = np.unpackbits(row.view(np.uint8), bitorder="little")
        usable = [t for t in np.flatnonzero(bits).tolist() if t not in vocabulary.end_ids]
        if not usable:
            break
        state = engine.advance(state, usable[-1])
    assert engine.accepting(state)


@given(grammars(left=True), vocabularies(), choices)
@law
def test_forced_text_is_certain_and_the_longest(
    grammar: Grammar, vocabulary: Vocabulary, steps: list[int]
) -> None:
    engine = engine_of(grammar, vocabulary)
    for state, text in walk(engine, steps):
        forced = engine.forced(state)
        for n in range(len(forced)):
            here = engine.advance_bytes(state, forced[:n])
            assert not engine.accepting(here)
            assert [data for data, _ in engine.transitions(here)] == [forced[n : n + 1]]
        after = engine.advance_bytes(state, forced)
        ways = sum(len(data) for data, _ in engine.transitions(after))
        assert ways != 1 or engine.accepting(after)
        for word in continuing(grammar, text):
            assert word.startswith(text + forced)


@given(grammars(left=True), vocabularies(), choices)
@law
def test_transitions_are_every_way_on(
    grammar: Grammar, vocabulary: Vocabulary, steps: list[int]
) -> None:
    engine = engine_of(grammar, vocabulary)
    for state, _ in walk(engine, steps):
        transitions = engine.transitions(state)
        found = {byte: target for data, target in transitions for byte in data}
        assert len(found) == sum(len(data) for data, _ in transitions)
        for byte in range(256):
            assert engine.advance_bytes(state, bytes([byte])) == found.get(byte)
        assert engine.final(state) == (engine.accepting(state) and not transitions)
        assert engine.expected(state)


@given(grammars(left=True), vocabularies())
@law
def test_tokens_outside_the_mask_are_rejected(grammar: Grammar, vocabulary: Vocabulary) -> None:
    engine = engine_of(grammar, vocabulary)
    allowed = set(engine.allowed(engine.start).tolist())
    outside = set(range(vocabulary.width + 40)) - allowed | {-1, 2**31}
    for token in outside:
        with pytest.raises(TokenRejected) as caught:
            engine.advance(engine.start, token)
        assert (caught.value.state, caught.value.token) == (engine.start, token)
    end = min(vocabulary.end_ids)
    if end in allowed:
        ended = engine.advance(engine.start, end)
        assert ended == engine.ended
        assert set(engine.allowed(ended).tolist()) == vocabulary.end_ids
        assert engine.advance(ended, end) == ended
        assert engine.accepting(ended)
        assert engine.final(ended)
        assert engine.cost(ended) == engine.distance(ended) == 0
        assert engine.forced(ended) == engine.completion(ended) == b""
        with pytest.raises(TokenRejected):
            engine.advance(ended, 300)


SPELLABLE = ["a", "b", "é", "😀"]


@pytest.mark.filterwarnings("ignore::constrained.errors.SpellingWarning")
@given(
    grammars(left=True),
    st.sets(st.sampled_from(SPELLABLE)),
    st.lists(tokens_of_pieces, max_size=6),
    choices,
)
@law
def test_what_a_vocabulary_cannot_spell_is_never_begun(
    grammar: Grammar, spelled: set[str], longer: list[bytes], steps: list[int]
) -> None:
    assume(not any(isinstance(n, (Bytes, Not)) for n in nodes([grammar.start], grammar.rules)))
    usable = [token for token in longer if is_text(token) and set(token.decode()) <= spelled]
    tokens = [*(char.encode() for char in sorted(spelled)), *usable, None]
    vocabulary = Vocabulary(tokens, end_ids=[len(tokens) - 1])
    alphabet = b"".join(char.encode() for char in spelled)
    length = {0: 6, 1: 6, 2: 6, 3: 4, 4: 4}.get(len(alphabet), 3)
    expected = {w for w in Language(grammar, length, alphabet).words if is_text(w)}
    try:
        engine = Engine(prepared(grammar), vocabulary)
    except (UnsatisfiableSpec, VocabularyError):
        assert not expected
        return
    for word in expected:
        state = engine.advance_bytes(engine.start, word)
        assert state is not None
        assert engine.accepting(state)
    for state, text in walk(engine, steps):
        assert len(engine.allowed(state)) > 0
        assert set(engine.completion(state).decode()) <= spelled
        assert engine.cost(state) == fewest_tokens(engine.completion(state), vocabulary)
        assert matches(grammar, text + engine.completion(state))


def is_text(data: bytes) -> bool:
    return data.decode("utf-8", "replace").encode() == data


TEXTS = text_vocabulary()


@given(texts_of_models(), st.lists(st.integers(0, 2**16), max_size=8))
@LAWS
def test_masks_of_text_are_what_advance_bytes_keeps_alive(node: Node, steps: list[int]) -> None:
    """Engines of one vocabulary share masks: all of these meet in one store."""
    try:
        engine = Engine(Grammar(node), TEXTS)
    except UnsatisfiableSpec:
        reject()
    for state, _ in walk(engine, steps):
        expected = {
            token
            for token, data in enumerate(TEXTS.tokens)
            if data and engine.advance_bytes(state, data) is not None
        }
        if engine.accepting(state):
            expected |= TEXTS.end_ids
        assert set(engine.allowed(state).tolist()) == expected
        cost = engine.cost(state)
        for budget in (cost, cost + 1, cost + 5):
            row = np.zeros(engine.words, dtype=np.int32)
            engine.fill_mask_within(state, row, budget)
            bits = np.unpackbits(row.view(np.uint8), bitorder="little")
            assert set(np.flatnonzero(bits).tolist()) == {
                token
                for token in expected
                if token in TEXTS.end_ids or engine.cost(engine.advance(state, token)) <= budget - 1
            }


CALLS = ["allowed", "forced", "distance", "completion", "cost", "transitions", "final", "expected"]


@given(
    grammars(left=True),
    vocabularies(),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 2**16)), max_size=40),
)
@law
def test_calls_in_any_order_give_the_same_answers(
    grammar: Grammar, vocabulary: Vocabulary, orders: list[tuple[int, int, int]]
) -> None:
    """Forks, rollbacks and questions in a hostile order; a second engine gets them in reverse."""
    engine = engine_of(grammar, vocabulary)
    known: list[tuple[int, bytes]] = [(engine.start, b"")]
    answers: dict[tuple[bytes, str], object] = {}

    def ask(engine: Engine, state: int, call: str) -> object:
        answer = getattr(engine, call)(state)
        if call == "transitions":
            return sorted(data for data, _ in answer)
        return answer.tolist() if call == "allowed" else answer

    for which, call_number, choice in orders:
        state, text = known[which % len(known)]
        call = CALLS[call_number % len(CALLS)]
        answer = ask(engine, state, call)
        assert answers.setdefault((text, call), answer) == answer
        allowed = engine.allowed(state)
        token = int(allowed[choice % len(allowed)])
        if token not in vocabulary.end_ids:
            data = vocabulary.tokens[token]
            known.append((engine.advance(state, token), text + data))
            assert engine.advance_bytes(engine.start, text + data) == known[-1][0]
    other = Engine(prepared(grammar), vocabulary)
    for (text, call), answer in reversed(answers.items()):
        assert ask(other, other.advance_bytes(other.start, text), call) == answer
