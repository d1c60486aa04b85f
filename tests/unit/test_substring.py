"""`substring_of`: against Python's own `in`, by units, in JSON, and on texts as long as books."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import constrained as ct
from constrained.engine import ByteEngine, Engine
from constrained.errors import InvalidSpec, LimitExceeded, UnsatisfiableSpec
from constrained.grammar import Grammar, substrings
from constrained.grammar.text import print_grammar, read_grammar
from constrained.spec.so_far import Unfinished, so_far
from constrained.testing import ByteTokenizer, ScriptedModel, byte_vocabulary, outputs_of

ESSAY = 'Phones "distract".\nThey also connect people; naïve? 日本.'
LETTERS = 'ab é日😀\n"\\'
SPELLED = st.text(LETTERS, min_size=1, max_size=9)


def pieces(units: list[str] | str) -> set[str]:
    """What several neighbours of `units` make, by trying all."""
    ends = range(len(units) + 1)
    return {"".join(units[i:j]) for i in ends for j in ends if i < j} - {""}


@pytest.mark.parametrize(
    ("piece", "by_characters", "by_words"),
    [
        ("They also", True, True),
        (" also ", True, True),
        ("hey", True, False),
        ("people; naïve", True, True),
        ("naï", True, False),
        ('"distract".', True, True),
        ('distract"', True, False),
        ('"distract', True, True),
        ("日", True, False),
        ("日本", True, True),
        (ESSAY, True, True),
        ("They  also", False, False),
        ("", False, False),
        ("they", False, False),
    ],
)
def test_a_piece_stands_in_the_text(piece: str, by_characters: bool, by_words: bool) -> None:
    assert ct.substring_of(ESSAY).matches(piece) == by_characters
    assert ct.substring_of(ESSAY, "words").matches(piece) == by_words


@settings(max_examples=150, deadline=None)
@given(SPELLED, st.integers(0, 3), st.none() | st.integers(0, 4), st.booleans(), st.booleans())
def test_the_outputs_are_the_pieces_that_python_finds(
    text: str, least: int, more: int | None, words: bool, quoted: bool
) -> None:
    most = None if more is None else least + more
    units = re.findall(r"\w+|\s+|[^\w\s]+", text) if words else text
    expected = {
        piece
        for piece in pieces(units) | {""}
        if least <= len(piece) and (most is None or len(piece) <= most)
    }
    options: dict[str, Any] = {"unit": "words" if words else "characters", "quoted": quoted}
    if not expected:
        with pytest.raises(UnsatisfiableSpec):
            ct.substring_of(text, min_length=least, max_length=most, **options)
        return
    spec = ct.substring_of(text, min_length=least, max_length=most, **options)
    listed = list(spec.enumerate())
    assert [spec.parse(output) for output in listed] == (
        [json.loads(output) for output in listed] if quoted else listed
    )
    assert {spec.parse(output) for output in listed} == expected
    assert len(listed) == len(expected)
    assert spec.summary().outputs == len(expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("ab é", max_size=3), min_size=1, max_size=6), st.booleans())
def test_units_of_your_own_are_never_cut(units: list[str], quoted: bool) -> None:
    expected = pieces(units)
    if not expected:
        with pytest.raises(UnsatisfiableSpec, match="the text is empty"):
            ct.substring_of(units)
        return
    spec = ct.substring_of(units, quoted=quoted)
    assert {spec.parse(output) for output in spec.enumerate()} == expected


@settings(max_examples=60, deadline=None)
@given(SPELLED, st.lists(SPELLED, max_size=4), st.data())
def test_a_mask_has_the_tokens_after_which_a_piece_goes_on(
    text: str, words: list[str], data: st.DataObject
) -> None:
    spec = ct.substring_of(text)
    vocabulary = byte_vocabulary([*words, "a", text[:4], "é日".encode()[1:4]])
    engine = Engine(spec.grammar, vocabulary)
    piece = data.draw(outputs_of(spec)).encode()
    before = piece[: data.draw(st.integers(0, len(piece)))]
    state = engine.advance_bytes(engine.start, before)
    assert state is not None
    encoded = {p.encode() for p in pieces(text)}
    begun = {p[:end] for p in encoded for end in range(1, len(p) + 1)}
    expected = {t for t, token in enumerate(vocabulary.tokens) if token and before + token in begun}
    ends = {256} if before in encoded else set()
    assert set(engine.allowed(state).tolist()) == expected | ends


def test_equal_futures_are_one_state() -> None:
    engine = ByteEngine(substring_grammar("one two three. " * 2))
    ways = {engine.advance_bytes(engine.start, piece) for piece in (b"e two", b"one two", b" two")}
    assert len(ways) == 1


def substring_grammar(text: str) -> Grammar:
    return Grammar(substrings(text))


def test_the_text_form_of_a_grammar_holds_texts_and_units() -> None:
    for written in ('%"abc é" ;', '%{"one", " ", "two"} "!" ;'):
        grammar = read_grammar(written)
        assert print_grammar(grammar) == written
    assert read_grammar('%{"a", "b"} ;').start == substrings("ab", [1])
    for damaged in ("% ;", '%"a" ;', '%"" ;', '%{"a"} ;', '%{"a", ""} ;', "%{} ;"):
        with pytest.raises(InvalidSpec, match="1:"):
            read_grammar(damaged)


def test_texts_of_one_unit_are_plain_texts() -> None:
    assert ct.substring_of("é").grammar == Grammar(substrings("é")) == ct.as_spec("é").grammar
    assert list(ct.substring_of(["a b"]).enumerate()) == ["a b"]


def test_a_quote_stands_in_a_template_and_in_an_object() -> None:
    spec = ct.template("Quote: {q} ({score:0..10})", q=ct.substring_of(ESSAY, "words"))
    assert spec.parse("Quote: connect people (7)") == {"q": "connect people", "score": 7}
    assert not spec.matches("Quote: connected people (7)")
    quote = ct.substring_of(ESSAY, quoted=True)
    found = ct.template('{{"quote": {q}, "score": {s:0..10}}}', q=quote)
    output = json.dumps({"quote": '"distract".\nThey', "score": 3})
    assert found.parse(output) == {"q": '"distract".\nThey', "s": 3}


def test_lists_of_quotes_and_quotes_of_two_texts() -> None:
    quotes = ct.many(ct.substring_of("a-b"), 1, 2, separator=" | ")
    assert quotes.parse("a- | b") == ["a-", "b"]
    either = ct.substring_of("abc") | ct.substring_of("xbc")
    assert {"ab", "xb", "bc"} <= set(either.enumerate())
    assert not either.matches("xab")


def test_a_compiled_quote_is_loaded_as_bytes() -> None:
    for spec in (ct.substring_of(ESSAY), ct.substring_of(ESSAY, "words", max_length=9)):
        loaded = ct.Spec.from_bytes(spec.to_bytes(), read=str)
        assert list(loaded.enumerate()) == list(spec.enumerate())


def test_the_piece_grows_while_it_is_written() -> None:
    assert repr(so_far(ct.substring_of(ESSAY), "They al")) == "Unfinished('They al')"
    shown = so_far(ct.substring_of(ESSAY, quoted=True), '"They\\nal')
    assert isinstance(shown, Unfinished)
    assert shown == "They\nal"


def test_a_budget_ends_at_a_cut() -> None:
    model = ScriptedModel(257, lambda ids: {ids[-1]: 0.0})
    generator = ct.Generator(model, ByteTokenizer())
    for unit in ("characters", "words"):
        spec = ct.template("{q}!", q=ct.substring_of(ESSAY, unit))
        for budget in (12, 14, 20):
            result = generator("Quote: ", spec, max_new_tokens=budget, seed=budget)
            assert result.complete
            assert spec.parse(result.text)["q"] in ESSAY


def test_the_probabilities_of_few_pieces_are_exact() -> None:
    model = ScriptedModel(257, lambda _: {ord("a"): 0.5, 256: 0.25})
    found = ct.Generator(model, ByteTokenizer()).distribution("Quote: ", ct.substring_of("aba"))
    assert set(found.pmf) == {"a", "ab", "aba", "b", "ba"}
    assert sum(found.pmf.values()) == pytest.approx(1)
    with pytest.raises(LimitExceeded, match="max_outputs"):
        ct.substring_of(numbered(40)).enumerate(limits=ct.Limits(max_outputs=1_000))


def numbered(count: int) -> str:
    """A text of words and numbers, of some six characters for each."""
    draws = random.Random(7)
    return " ".join(f"{draws.choice(['so', 'is', 'the', 'as'])} {i}." for i in range(count))


@pytest.mark.parametrize("unit", ["characters", "words"])
def test_a_text_of_a_book_is_quoted_at_once(unit: Any) -> None:
    text = numbered(16_000)
    assert len(text) > 100_000
    spec = ct.substring_of(text, unit)
    vocabulary = byte_vocabulary(["the 15", " as", ". is ", "zz"])
    engine = Engine(spec.grammar, vocabulary)
    row = np.zeros(engine.words, np.int32)
    engine.fill_mask(engine.start, row)
    assert engine.stats["terms"] < 2_000
    assert {257, 258, 259} <= set(engine.allowed(engine.start).tolist())
    assert 260 not in engine.allowed(engine.start)
    place = text.index(" ", 70_000)
    assert spec.matches(text[place : place + 5_001]) == (
        unit == "characters" or text[place + 5_000] == " "
    )
    assert not spec.matches(text[place : place + 5_000] + "no")
    assert spec.examples(3)


def fibonacci_word(length: int) -> str:
    before, word = "b", "a"
    while len(word) < length:
        before, word = word, word + before
    return word[:length]


@pytest.mark.parametrize(
    "text",
    [fibonacci_word(3_000), "".join(random.Random(1).choices("ab", k=3_000)), numbered(500) * 2],
    ids=["fibonacci", "random", "twice"],
)
def test_pieces_of_long_texts_are_those_that_python_finds(text: str) -> None:
    spec, draws = ct.substring_of(text), random.Random(2)
    for _ in range(300):
        begin = draws.randrange(len(text))
        piece = text[begin : begin + draws.randint(1, 60)]
        changed = draws.randrange(len(piece))
        other = piece[:changed] + draws.choice("ab 1") + piece[changed + 1 :]
        assert spec.matches(piece)
        assert spec.matches(other) == (other in text)


@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "ab" * 50_000, "a" * 50_000 + "b" + "a" * 49_999, "\n" * 30_000 + "x"],
    ids=["a", "ab", "aba", "lines"],
)
def test_texts_that_repeat_themselves_cost_no_more(text: str) -> None:
    spec = ct.substring_of(text)
    assert spec.matches(text)
    assert spec.matches(text[len(text) // 2 :])
    assert not spec.matches(text + "a")
    assert spec.engine.stats["terms"] < 250_000


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: ct.substring_of(""),
            UnsatisfiableSpec,
            "the text is empty, and so are its pieces (pass min_length=0 for the empty piece)",
        ),
        (
            lambda: ct.substring_of("abc", min_length=4),
            UnsatisfiableSpec,
            "no piece has at least 4 characters: the text has 3",
        ),
        (
            lambda: ct.substring_of("several others", "words", min_length=9, max_length=13),
            UnsatisfiableSpec,
            "no piece has at least 9 and at most 13 characters",
        ),
        (
            lambda: ct.substring_of("a", "sentences"),  # type: ignore[arg-type]
            InvalidSpec,
            "unit must be 'characters' or 'words', got 'sentences'",
        ),
        (
            lambda: ct.substring_of(7),  # type: ignore[arg-type]
            InvalidSpec,
            "7 is no text (pass a str, or a list of the pieces to choose from)",
        ),
        (
            lambda: ct.substring_of(["a", "b"], "words"),
            InvalidSpec,
            "a list of texts says what the units are, and unit says something else (leave unit "
            'out, or pass "".join(texts))',
        ),
        (
            lambda: ct.substring_of(["a", 7]),  # type: ignore[list-item]
            InvalidSpec,
            "7 is no text (pass a str)",
        ),
        (
            lambda: ct.substring_of("a\ud800"),
            InvalidSpec,
            "'a\\ud800' holds half a character (a lone surrogate) at position 1 (write the whole "
            "character)",
        ),
        (
            lambda: ct.substring_of("a", min_length=-1),
            InvalidSpec,
            "min_length must be an integer of at least 0, not -1",
        ),
    ],
    ids=["empty", "long", "between", "unit", "number", "both", "member", "half", "negative"],
)
def test_what_is_no_quote_is_refused_by_name(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


def test_texts_beyond_the_limits_are_refused_when_they_are_needed() -> None:
    spec = ct.substring_of("ab" * 9_000)
    with pytest.raises(LimitExceeded, match="max_nodes"):
        Engine(spec.grammar, byte_vocabulary(), ct.Limits(max_nodes=1_000))
    assert list(ct.substring_of("", min_length=0).enumerate()) == [""]


@pytest.mark.parametrize(
    ("written", "spec"),
    [
        ('{"substring_words": "to be or"}', ct.substring_of("to be or", "words", min_length=0)),
        ('{"substring_chars": "tobe"}', ct.substring_of("tobe", min_length=0)),
        ('{"substring_chunks": ["to", " be", ""]}', ct.substring_of(["to", " be"], min_length=0)),
        ('{"substring_chars": ""}', ct.as_spec("")),
    ],
    ids=["words", "characters", "chunks", "nothing"],
)
def test_grammars_of_lark_may_hold_the_pieces_of_a_text(written: str, spec: ct.Spec[str]) -> None:
    for grammar in (f"start: %regex {written}", f"start: QUOTE\nQUOTE: %regex {written}"):
        assert list(ct.grammar(grammar).enumerate()) == list(spec.enumerate())
    named = ct.grammar(f'start: "<" QUOTE ">" QUOTE\nQUOTE: %regex {written}\n%ignore " "')
    longest = list(spec.enumerate())[-1]
    assert named.matches(f"<{longest}> {longest}")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('{"substring_words": ["a"]}', "at 1:8: substring_words takes a text"),
        ('{"substring_chunks": "a"}', "at 1:8: substring_chunks takes a list of texts"),
        ('{"substring_chunks": [1]}', "at 1:8: substring_chunks: 1 is no text"),
        ("", "at 1:15: %regex needs its text in JSON: Expecting value"),
    ],
)
def test_pieces_of_no_text_are_refused_with_their_place(written: str, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        ct.grammar(f"start: %regex {written}")
    assert str(caught.value) == message
