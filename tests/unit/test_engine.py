"""The engine's contract where examples say more than laws: errors, limits, threads, widths."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from constrained.engine import ByteEngine, Engine
from constrained.errors import (
    InvalidSpec,
    LimitExceeded,
    SpellingWarning,
    TokenRejected,
    UnsatisfiableSpec,
    VocabularyError,
)
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
from constrained.limits import Limits
from constrained.vocabulary import Vocabulary

SCORE = Grammar(
    cat(literal("Essay score: "), alt(byte_class((48, 57)), literal("10")), literal(" / 10"))
)
BYTES: list[bytes | None] = [bytes([b]) for b in range(256)]
EXTRA = [b"Essay", b" score", b": ", b"10", b" /", b" / 10", b"e: 1", b"\xc3\xa9", b"aa", b"aaaa"]
VOCABULARY = Vocabulary([*BYTES, *EXTRA, None], end_ids=[266], width=300)


def walk(engine: Engine, text: bytes) -> int:
    state = engine.advance_bytes(engine.start, text)
    assert state is not None
    return state


def test_forced_text_stops_at_the_choice() -> None:
    engine = Engine(SCORE, VOCABULARY)
    assert engine.forced(engine.start) == b"Essay score: "
    assert engine.forced(walk(engine, b"Essay score: 1")) == b""
    assert engine.forced(walk(engine, b"Essay score: 7")) == b" / 10"


def test_a_choice_that_includes_ending_is_not_forced() -> None:
    engine = ByteEngine(Grammar(cat(literal("a"), optional(literal("b")))))
    assert engine.forced(engine.start) == b"a"


def test_the_mask_is_as_wide_as_the_logits() -> None:
    engine = Engine(SCORE, VOCABULARY)
    row = np.full(engine.words, -1, dtype=np.int32)
    engine.fill_mask(engine.start, row)
    allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
    assert allowed.tolist() == [ord("E"), 256]


def test_end_bits_stand_exactly_where_the_output_may_end() -> None:
    engine = Engine(Grammar(cat(literal("a"), optional(literal("b")))), VOCABULARY)
    assert 266 not in engine.allowed(engine.start)
    assert engine.allowed(walk(engine, b"a")).tolist() == [ord("b"), 266]
    assert engine.allowed(engine.ended).tolist() == [266]


def test_an_end_token_leads_to_the_ended_state_and_stays_there() -> None:
    engine = Engine(SCORE, VOCABULARY)
    done = walk(engine, b"Essay score: 7 / 10")
    assert engine.final(done)
    ended = engine.advance(done, 266)
    assert ended == engine.ended
    assert engine.advance(ended, 266) == engine.ended
    assert engine.accepting(ended)
    assert engine.final(ended)
    assert engine.cost(ended) == engine.distance(ended) == 0


def test_a_rejected_token_says_what_was_expected() -> None:
    engine = Engine(SCORE, VOCABULARY)
    state = walk(engine, b"Essay score: 1")
    with pytest.raises(TokenRejected) as caught:
        engine.advance(state, ord("2"))
    assert caught.value.token == ord("2")
    assert caught.value.expected == "' ' or '0'"
    assert str(caught.value).endswith("expected ' ' or '0'")


@pytest.mark.parametrize("token", [-1, 266, 299, 300, 10**6])
def test_tokens_without_text_are_rejected_not_crashes(token: int) -> None:
    engine = Engine(SCORE, VOCABULARY)
    with pytest.raises(TokenRejected):
        engine.advance(engine.start, token)


def test_ids_beyond_the_width_are_never_allowed() -> None:
    narrow = Vocabulary([*BYTES, None, *EXTRA], end_ids=[256], width=257)
    engine = Engine(SCORE, narrow)
    assert engine.allowed(engine.start).tolist() == [ord("E")]
    with pytest.raises(TokenRejected):
        engine.advance(engine.start, 257)


@pytest.mark.parametrize(
    "row",
    [
        np.zeros(10, dtype=np.int64),
        np.zeros(20, dtype=np.int32)[::2],
        np.zeros(9, dtype=np.int32),
        np.zeros((1, 10), dtype=np.int32),
    ],
    ids=["int64", "strided", "short", "two-dimensional"],
)
def test_a_row_that_cannot_be_written_in_place_is_refused(row: np.ndarray) -> None:
    engine = Engine(SCORE, VOCABULARY)
    with pytest.raises((TypeError, ValueError)):
        engine.fill_mask(engine.start, row)


def test_a_state_of_no_engine_is_refused() -> None:
    engine = ByteEngine(SCORE)
    with pytest.raises(IndexError):
        engine.forced(10**8)


def test_an_empty_intersection_is_unsatisfiable() -> None:
    with pytest.raises(UnsatisfiableSpec, match="no text matches this spec"):
        ByteEngine(Grammar(intersect(literals(["a", "b"]), literals(["c", "d"]))))


def test_a_rule_that_never_ends_is_unsatisfiable() -> None:
    with pytest.raises(UnsatisfiableSpec):
        ByteEngine(Grammar(Ref("r"), {"r": cat(literal("a"), Ref("r"))}))


def test_a_rule_whose_intersection_is_empty_takes_its_callers_along() -> None:
    empty = intersect(literals(["a", "b"]), literals(["c", "d"]))
    nested = alt(cat(literal("("), Ref("r"), literal(")")), cat(literal("x"), empty))
    with pytest.raises(UnsatisfiableSpec):
        ByteEngine(Grammar(Ref("r"), {"r": nested}))


def test_left_recursion_is_named_not_looped() -> None:
    rules = {"r": alt(cat(Ref("r"), literal("a")), literal("b"))}
    engine = ByteEngine(Grammar(Ref("r"), rules))
    with pytest.raises(InvalidSpec, match="a rule is left recursive"):
        engine.advance_bytes(engine.start, b"b")


@pytest.mark.parametrize(
    "around", [lambda own: intersect(own, repeat(ANY_CHAR)), complement], ids=["and", "not"]
)
def test_a_rule_that_needs_its_own_intersection_or_complement_is_refused(
    around: Callable[[Node], Node],
) -> None:
    rules = {"r": alt(literal("b"), cat(literal("a"), around(Ref("r"))))}
    with pytest.raises(
        InvalidSpec, match=r"^a rule is recursive through an intersection or a complement$"
    ):
        ByteEngine(Grammar(Ref("r"), rules))


def test_an_undefined_rule_names_the_rules_there_are() -> None:
    with pytest.raises(InvalidSpec) as caught:
        ByteEngine(Grammar(cat(Ref("a"), Ref("b")), {"a": literal("x")}))
    assert str(caught.value) == "no rule named 'b' (rules: a)"


def test_a_tokenizer_that_cannot_spell_the_format_is_named() -> None:
    letters = Vocabulary([b"a", b"b", None], end_ids=[2])
    with pytest.raises(VocabularyError):
        Engine(SCORE, letters)


def test_parts_that_cannot_be_spelled_are_left_out_with_a_warning() -> None:
    letters = Vocabulary([b"a", b"b", None], end_ids=[2])
    grammar = Grammar(alt(repeat(char_class("abz")), char_class("CDE"), *map(literal, "fghij")))
    with pytest.warns(SpellingWarning) as caught:
        engine = Engine(grammar, letters)
    assert str(caught[0].message) == (
        'the tokenizer cannot spell [C-E], "f", "g", "h" and 2 more, and in other classes \'z\': '
        "outputs with that are left out (use a tokenizer with byte tokens to have them)"
    )
    assert engine.allowed(engine.start).tolist() == [0, 1, 2]
    with warnings.catch_warnings(action="error"):
        Engine(Grammar(repeat(char_class("ab"))), letters)


def test_the_first_grammar_to_need_too_much_says_which_limit() -> None:
    with pytest.raises(LimitExceeded) as caught:
        ByteEngine(SCORE, Limits(max_terms=3))
    assert caught.value.limit == "max_terms"
    assert str(caught.value) == (
        "limit max_terms=3 reached while the grammar needs too many states "
        "(simplify the spec, or pass Limits(max_terms=...))"
    )


def many_options(n: int) -> Grammar:
    return Grammar(literals(f"option {i}" for i in range(n)))


def nested_repeats(depth: int) -> Grammar:
    node = byte_class((97, 97))
    for _ in range(depth):
        node = repeat(cat(byte_class((97, 97)), node), 0, 2)
    return Grammar(node)


@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        (Grammar(repeat(byte_class((97, 97)), 10**9, 10**9)), b"a"),
        (nested_repeats(2_000), b"a" * 30),
        (
            Grammar(
                cat(
                    repeat(byte_class((97, 98))),
                    literal("a"),
                    repeat(byte_class((97, 98)), 400, 400),
                )
            ),
            b"ab" * 200,
        ),
    ],
    ids=["a thousand million copies", "repeats in repeats", "exponentially many states"],
)
def test_hostile_grammars_end_in_a_second(grammar: Grammar, text: bytes) -> None:
    begin = time.process_time()
    longest = 0.0
    try:
        engine = Engine(grammar, VOCABULARY, Limits(max_terms=200_000))
        state = engine.start
        row = np.zeros(engine.words, dtype=np.int32)
        for byte in text:
            engine.fill_mask(state, row)
            state = engine.advance_bytes(state, bytes([byte])) or state
            now = time.process_time()
            longest, begin = max(longest, now - begin), now
        engine.cost(state)
    except LimitExceeded:
        pass
    longest = max(longest, time.process_time() - begin)
    assert longest < 2.0, f"one call took {longest:.2f} s of processor time"


def test_an_enormous_choice_is_refused_quickly() -> None:
    grammar = many_options(400_000)
    begin = time.process_time()
    with pytest.raises(LimitExceeded, match="max_nodes=250,000"):
        ByteEngine(grammar)
    assert time.process_time() - begin < 1.0


def test_deep_nesting_costs_no_python_or_c_stack() -> None:
    text = b"(" * 20_000
    rules = {"r": alt(cat(literal("("), Ref("r"), literal(")")), literal("x"))}
    engine = ByteEngine(Grammar(Ref("r"), rules))
    state = engine.advance_bytes(engine.start, text)
    assert state is not None
    assert engine.distance(state) == 20_001
    assert engine.completion(state) == b"x" + b")" * 20_000


def test_budgets_leave_only_tokens_that_can_be_completed() -> None:
    engine = Engine(Grammar(cat(literal("a"), repeat(literal("bc")), literal("."))), VOCABULARY)
    state = walk(engine, b"a")
    row = np.zeros(engine.words, dtype=np.int32)

    def within(budget: int) -> list[int]:
        engine.fill_mask_within(state, row, budget)
        return np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()

    assert engine.cost(state) == 1
    assert within(0) == []
    assert within(1) == within(2) == [ord(".")]
    assert within(3) == [ord("."), ord("b")]


def test_completions_of_free_text_read_like_text() -> None:
    engine = ByteEngine(Grammar(cat(literal("<"), repeat(ANY_CHAR, 3), literal(">"))))
    assert engine.completion(engine.start) == b"<aaa>"


def brute_force(engine: Engine, state: int) -> list[int]:
    tokens = engine.vocabulary.tokens[: engine.width]
    alive = [i for i, t in enumerate(tokens) if t and engine.advance_bytes(state, t) is not None]
    return sorted(alive + list(engine.vocabulary.end_ids if engine.accepting(state) else ()))


PLAIN = char_class((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x10FFFF))
QUOTED = cat(literal('"'), repeat(PLAIN), literal('"'))
WORDY = Vocabulary(
    [
        *BYTES,
        b'a"',
        b'":',
        b'", "',
        b"ab",
        b"abc",
        b'abc"',
        b'id"',
        b'id":',
        b"\xc3\xa9t\xc3",
        None,
    ],
    end_ids=[265],
)


@pytest.mark.parametrize(
    "node",
    [
        lexeme(QUOTED),
        lexeme(cat(literal('"'), repeat(PLAIN, 0, 3), literal('"'))),
        lexeme(cat(literal('"'), repeat(PLAIN, 2, 3), repeat(PLAIN, 0, 1), literal('"'))),
        lexeme(minus(QUOTED, literals(['"id"', '"abc"', '"ab"', '""']))),
        lexeme(
            minus(cat(literal('"'), repeat(PLAIN, 0, 2), literal('"')), literals(['"id"', '"ab"']))
        ),
        lexeme(minus(QUOTED, cat(literal('"a'), repeat(PLAIN), literal('"')))),
        lexeme(repeat(char_class((48, 57)), 1)),
        alt(lexeme(QUOTED), lexeme(repeat(char_class((48, 57)), 1)), literal("null")),
        repeat(PLAIN, 0, 2),
    ],
    ids=[
        "string",
        "bounded",
        "split",
        "exceptions",
        "few",
        "regular exception",
        "digits",
        "union",
        "text",
    ],
)
def test_every_shortcut_to_a_mask_agrees_with_trying_every_token(node) -> None:
    whole = Grammar(cat(literal("["), optional(literal(" ")), node, literals([":", ", ", "]"])))
    engine = Engine(whole, WORDY)
    for text in [
        b"",
        b"[",
        b"[ ",
        b'["',
        b'["a',
        b'["ab',
        b'["id',
        b'["zz',
        b"[1",
        b'["\xc3\xa9',
        b'["ab"',
    ]:
        state = engine.advance_bytes(engine.start, text)
        if state is not None:
            assert engine.allowed(state).tolist() == brute_force(engine, state), text


def test_masks_are_the_same_after_the_memo_was_dropped() -> None:
    grammar = Grammar(cat(lexeme(QUOTED), literal(": "), lexeme(QUOTED)))
    small = Engine(grammar, WORDY, Limits(max_mask_bytes=1))
    large = Engine(grammar, WORDY)
    for text in [b"", b'"', b'"ab', b'"ab"', b'"": "x', b'"": "x"'] * 2:
        assert (
            small.allowed(walk(small, text)).tolist() == large.allowed(walk(large, text)).tolist()
        )


def test_threads_agree_with_one_another() -> None:
    grammar = Grammar(repeat(alt(cat(lexeme(QUOTED), literal(",")), complement_of_words()), 0, 50))
    texts = [b'"a",', b'"ab","c",', b"wor", b'"\xc3', b'"",' * 10, b"wo"] * 20
    alone = Engine(grammar, WORDY)
    expected = [alone.allowed(walk(alone, text)).tolist() for text in texts]
    for _ in range(5):
        shared = Engine(grammar, Vocabulary(WORDY.tokens, end_ids=[265]))
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(partial(mask_after, shared), texts))
        assert found == expected


def mask_after(engine: Engine, text: bytes) -> list[int]:
    return engine.allowed(walk(engine, text)).tolist()


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_batch_of_masks_equals_its_rows(threads: int) -> None:
    grammar = Grammar(repeat(alt(cat(lexeme(QUOTED), literal(",")), complement_of_words()), 0, 50))
    engine = Engine(grammar, Vocabulary(WORDY.tokens, end_ids=[265]))
    texts = [b'"a",', b'"ab","c",', b"wor", b'"\xc3', b'"",' * 10, b"wo", b"wor", b""]
    states = [*(walk(engine, text) for text in texts), engine.ended]
    rows = np.full((len(states), engine.words), -1, dtype=np.int32)
    engine.fill_masks(states, rows, threads=threads)
    one = np.zeros(engine.words, dtype=np.int32)
    for state, row in zip(states, rows, strict=True):
        engine.fill_mask(state, one)
        assert np.array_equal(row, one)


def test_a_batch_that_meets_a_limit_raises_it() -> None:
    letters = alt(literal("ab"), literal("ac"), char_class((0x20, 0x7E)))
    engine = Engine(Grammar(repeat(letters, 0, 7)), WORDY, Limits(max_steps=30))
    rows = np.zeros((3, engine.words), dtype=np.int32)
    with pytest.raises(LimitExceeded, match="max_steps"):
        engine.fill_masks([engine.start] * 3, rows, threads=2)


def complement_of_words():
    letters = repeat(char_class((97, 122)), 1)
    return cat(intersect(letters, complement(literals(["word", "no"]))), literal(";"))


def test_engines_of_one_vocabulary_share_their_terms() -> None:
    vocabulary = Vocabulary(WORDY.tokens, end_ids=[265])
    first = Engine(Grammar(cat(literal("{"), lexeme(QUOTED), literal("}"))), vocabulary)
    first.allowed(walk(first, b'{"a'))
    before = first.stats["store_terms"]
    second = Engine(Grammar(cat(literal("{"), lexeme(QUOTED), literal("}"))), vocabulary)
    assert second.start == first.start
    assert second.stats["store_terms"] == before
