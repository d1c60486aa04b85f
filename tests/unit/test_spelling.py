"""What vocabularies with holes can write: what tokens can be joined to, no less and no more."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest

import constrained as ct
from constrained.engine import Engine
from constrained.errors import SpellingWarning, VocabularyError
from constrained.grammar.spelling import Spelling, spelling_of
from constrained.vocabulary import Vocabulary

BYTES = [bytes([byte]) for byte in range(256)]
SMOLLM2 = [b"\x04", b"\x06", b"\x13", b"\x14", b"\x16", b"\x1d", b"\xf1", b"\xf2"]
"""The bytes of UTF-8 that SmolLM2 has no token for."""

WORDS = ["日本語", "한국어", "ไทย", "👍", "e\u0301", "naïve"]


def without(*missing: bytes, more: tuple[bytes, ...] = ()) -> Vocabulary:
    tokens = [token for token in BYTES if token not in missing] + list(more)
    return Vocabulary([*tokens, None], end_ids=[len(tokens)])


def written(engine: Engine, text: str) -> bool:
    """Whether some tokens of the masks write the text: shortest tokens first, all ways."""
    data, tokens = text.encode(), engine.vocabulary.tokens
    pending = [(engine.start, 0)]
    while pending:
        state, place = pending.pop()
        if place == len(data):
            return engine.accepting(state)
        for token in engine.allowed(state).tolist():
            spelled = tokens[token]
            if spelled is not None and data.startswith(spelled, place):
                pending.append((engine.advance(state, token), place + len(spelled)))
    return False


@pytest.mark.parametrize("word", WORDS)
def test_bytes_of_no_use_take_no_text_away(word: str) -> None:
    vocabulary = without(*SMOLLM2)
    assert vocabulary.spells is not None
    assert set(word) <= vocabulary.spells
    with warnings.catch_warnings(action="error"):
        for spec in (ct.text(), ct.regex(".+"), ct.choice([word, "zz"]), ct.regex(r"\w*|.*")):
            assert written(Engine(spec.grammar, vocabulary), word)
        quoted = Engine(ct.json({"type": "string"}).grammar, vocabulary)
        assert written(quoted, f'"{word}"')


def test_what_needs_a_missing_byte_is_left_out_and_nothing_more() -> None:
    vocabulary = without(b"\x97")
    assert vocabulary.spells is not None
    lost = {chr(point) for point in range(0x3000) if b"\x97" in chr(point).encode()}
    assert lost == {chr(point) for point in range(0x3000) if chr(point) not in vocabulary.spells}
    with pytest.warns(SpellingWarning) as caught:
        engine = Engine(ct.text().grammar, vocabulary)
    assert written(engine, "本語")
    assert not written(engine, "日")
    said = r"cannot spell \d,\d{3} characters \('.', 'ė', 'ŗ', .*, \.\.\.\): outputs with that"
    assert re.search(said, str(caught[0].message))


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (ct.text(), "'z'"),
        (ct.regex(".+"), "'z'"),
        (ct.json({"type": "string"}), "'z'"),
        (ct.regex("[x-z]+"), "'z'"),
        (ct.regex("(zz|yy)x*"), '"zz"'),
        (ct.regex("[\x04a]+"), None),
    ],
    ids=["text", "any", "json", "class", "literal", "all there"],
)
def test_what_is_left_out_is_named(spec: ct.Spec[Any], named: str | None) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Engine(spec.grammar, without(b"z"))
    assert [str(w.message) for w in caught] == (
        []
        if named is None
        else [
            f"the tokenizer cannot spell {named}: outputs with that are left out (use a tokenizer "
            "with byte tokens to have them)"
        ]
    )


def test_a_control_character_is_named_where_a_format_lists_it() -> None:
    with pytest.warns(SpellingWarning, match=r"cannot spell '\\x04':"):
        Engine(ct.regex("[\x04a]+").grammar, without(*SMOLLM2))
    with pytest.raises(VocabularyError, match=r"it has no tokens for '\\x04', '\\x06'"):
        Engine(ct.regex("[\x04\x06]").grammar, without(*SMOLLM2))


def test_tokens_that_lead_nowhere_are_no_part_of_a_mask() -> None:
    """日 is E6 97 A5: the byte E6 alone would begin it, and no token goes on with 97."""
    vocabulary = without(b"\x97", more=(b"\xe6\x97", "日本".encode()))
    engine = Engine(ct.choice(["日本語", "日曜", "zz"]).grammar, vocabulary)
    allowed = [vocabulary.tokens[i] for i in engine.allowed(engine.start).tolist()]
    assert allowed == [b"z", b"\xe6\x97", "日本".encode()]
    assert not engine.allows(engine.start, 0xE5)  # b"\xe6", one place further down without 97
    assert engine.cost(engine.start) == 2
    assert engine.completion(engine.start) == b"zz"
    for text in ("日本語", "日曜", "zz"):
        assert written(engine, text)


def test_a_character_out_of_pieces_only() -> None:
    spelling = Spelling([b"\xe6\x97", b"\xa5", b"a"])
    assert list(spelling.characters) == ["a", "日"]
    assert spelling.joins("a日a".encode())
    assert not spelling.joins("旦".encode())


def test_whole_words_write_what_their_letters_cannot() -> None:
    labels = Vocabulary([b"yes", b"no", b"!", None], end_ids=[3])
    with warnings.catch_warnings(action="error"):
        engine = Engine(ct.regex("(yes|no)!*").grammar, labels)
    assert engine.allowed(engine.start).tolist() == [0, 1]
    with pytest.warns(SpellingWarning, match="cannot spell some outputs, such as 'Yes':"):
        engine = Engine(ct.regex("[Yy]es!?").grammar, labels)
    assert engine.allowed(engine.start).tolist() == [0]
    with pytest.raises(VocabularyError) as caught:
        Engine(ct.regex("[Yy]e[sp]p").grammar, labels)
    assert str(caught.value) == (
        "the tokenizer cannot spell the spec: no output can be joined from its tokens (use a "
        "tokenizer with byte tokens, or ask for other texts)"
    )


def test_an_added_tag_is_written_where_its_brackets_are_no_tokens() -> None:
    letters = [bytes([byte]) for byte in b"abcdefghijklmnopqrstuvwxyz0123456789 "]
    tokens = [*letters, b"<answer>", b"</answer>", None]
    vocabulary = Vocabulary(tokens, end_ids=[len(tokens) - 1], marks=[37, 38])
    assert vocabulary.marks == frozenset()  # nothing else writes them, so they are text
    spec = ct.template("<answer>{x}</answer>", x=range(10))
    assert written(Engine(spec.grammar, vocabulary), "<answer>7</answer>")


def test_every_byte_needs_no_look_at_the_tokens() -> None:
    assert spelling_of([*BYTES, b"ab", None]) is None
    assert spelling_of(BYTES[:0xF5]) is None
