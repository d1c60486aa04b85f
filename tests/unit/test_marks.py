"""Marks: tokens such as <tool_call> are no part of free text, only of formats that write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

import constrained as ct
from constrained.engine import Engine
from constrained.errors import TokenRejected, VocabularyError
from constrained.generation import Generator, LogitsMask
from constrained.marks import is_mark
from constrained.testing import ScriptedModel
from constrained.vocabulary import Vocabulary
from tests import tiny

USER = "<\uff5cUser\uff5c>"
MARKS = ["<tool_call>", "</tool_call>", "<unused1>", "<unused2>", USER]
TOKENS = [bytes([byte]) for byte in range(256)] + [mark.encode() for mark in MARKS]
IDS = {mark: 256 + place for place, mark in enumerate(MARKS)}
END = len(TOKENS)


def vocabulary(marks: Any) -> Vocabulary:
    return Vocabulary([*TOKENS, None], end_ids=[END], marks=marks)


VOCABULARY = vocabulary(tuple(IDS.values()))


def marks_after(spec: ct.Spec[Any], text: str = "") -> set[str]:
    """The marks in the mask of the state after `text`."""
    engine = Engine(spec.grammar, VOCABULARY)
    state = engine.advance_bytes(engine.start, text.encode())
    assert state is not None
    masked = set(engine.allowed(state).tolist())
    for mark, index in IDS.items():
        assert engine.allows(state, index) == (index in masked)
        if index not in masked:
            with pytest.raises(TokenRejected):
                engine.advance(state, index)
        else:
            after = engine.advance_bytes(state, mark.encode())
            assert engine.advance(state, index) == after
    return {mark for mark, index in IDS.items() if index in masked}


TEXT = ct.text(max_length=40)
OBJECT = {
    "type": "object",
    "properties": {"<unused1>": {"type": "integer"}, "note": {"type": "string"}},
}


@pytest.mark.parametrize(
    ("spec", "text", "expected"),
    [
        (ct.text(), "", set()),
        (ct.regex(".+"), "<", set()),
        (ct.regex("[<a-z_>]+"), "", set()),
        (ct.json({"type": "string"}), '"a', set()),
        (ct.json({"type": "array", "items": {"type": "string"}}), '["a", "', set()),
        (ct.choice(["<tool_call>", "zz"]), "", {"<tool_call>"}),
        (ct.choice(["<unused1>", "<unused2>", "<x>"]), "", {"<unused1>", "<unused2>"}),
        (ct.template("<tool_call>{x}</tool_call>", x=TEXT), "", {"<tool_call>"}),
        (ct.template("<tool_call>{x}</tool_call>", x=TEXT), "<tool_call>ab", {"</tool_call>"}),
        (ct.template("{x}" + USER, x=TEXT), "ab", {USER}),
        (ct.json({"enum": ["a<tool_call>", 5]}), '"a', {"<tool_call>"}),
        (ct.json(OBJECT), '{"', {"<unused1>"}),
        (ct.json(OBJECT), '{"note": "', set()),
        (ct.json({"anyOf": [{"const": "<unused1>"}, {"type": "integer"}]}), '"', {"<unused1>"}),
        (ct.regex("<unused1>[0-9]+|.*"), "", {"<unused1>"}),
        (ct.grammar('start: "<tool_call>" start "</tool_call>" | /[a-z]+/'), "", {"<tool_call>"}),
        (ct.grammar('start: "<tool_call>" start "</tool_call>" | /[a-z]+/'), "a", set()),
    ],
    # The order of a set differs between processes, and names of tests must not.
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_a_mark_is_allowed_where_the_format_writes_it(
    spec: ct.Spec[Any], text: str, expected: set[str]
) -> None:
    assert marks_after(spec, text) == expected


def test_the_characters_of_a_mark_may_be_written_in_other_tokens() -> None:
    engine = Engine(ct.text().grammar, VOCABULARY)
    state = engine.start
    for byte in b"<tool_call>":
        state = engine.advance(state, byte)
    assert engine.accepting(state)


def test_marks_are_text_when_asked_for() -> None:
    engine = Engine(ct.text().grammar, vocabulary(marks=()))
    assert set(IDS.values()) <= set(engine.allowed(engine.start).tolist())


def test_budgets_hold_for_marks_as_well() -> None:
    engine = Engine(ct.template("<tool_call>{x}", x=ct.integer(0, 9)).grammar, VOCABULARY)
    row = np.zeros(engine.words, dtype=np.int32)

    def within(budget: int) -> list[int]:
        engine.fill_mask_within(engine.start, row, budget)
        return np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()

    assert within(1) == []
    assert within(2) == [IDS["<tool_call>"]]
    assert within(12) == [ord("<"), IDS["<tool_call>"]]


def test_a_batch_of_masks_has_the_same_marks() -> None:
    engine = Engine(ct.template("<tool_call>{x}</tool_call>", x=TEXT).grammar, VOCABULARY)
    states = [engine.start, engine.advance(engine.start, IDS["<tool_call>"])]
    rows = np.zeros((2, engine.words), dtype=np.int32)
    engine.fill_masks(states, rows, threads=2)
    for state, row in zip(states, rows, strict=True):
        alone = np.zeros(engine.words, dtype=np.int32)
        engine.fill_mask(state, alone)
        assert (alone == row).all()


def test_marks_are_ids_of_tokens() -> None:
    with pytest.raises(VocabularyError) as caught:
        vocabulary(marks=[256, 900])
    assert str(caught.value) == "marks [900] are outside the 262 tokens; pass ids of tokens"


@pytest.mark.parametrize("marks", ["12", 5, [None]])
def test_marks_are_a_list_of_ids(marks: Any) -> None:
    with pytest.raises(VocabularyError, match=r"marks must be a list of token ids|an id of marks"):
        vocabulary(marks=marks)


@given(st.text("<>abc_", max_size=12), st.integers(0, 11))
@settings(deadline=None)
def test_literals_around_a_mark_allow_it_there_and_nowhere_else(text: str, place: int) -> None:
    before, after = text[:place], text[place:]
    written = f"{before}<unused1>{after}"
    engine = Engine(ct.choice([written, "#"]).grammar, VOCABULARY)
    for cut in range(len(written)):
        state = engine.advance_bytes(engine.start, written[:cut].encode())
        assert state is not None
        assert engine.allows(state, IDS["<unused1>"]) == written.startswith("<unused1>", cut)


# ------------------------------------------------------------------ tokenizers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<tool_call>", True),
        ("</think>", True),
        ("<|fim_prefix|>", True),
        (USER, True),
        ("<unused42>", True),
        ("[multimodal]", True),
        ("|||EMAIL_ADDRESS|||", True),
        (">>TITLE<<", True),
        ("@@date@@", True),
        ("<table>", False),
        ("</h1>", False),
        ("\n\n", False),
        ("    ", False),
        ("{", False),
        ("<", False),
        ("<>", False),
        ("```", False),
        ("covfefe", False),
        ("日本", False),
        ("", False),
    ],
)
def test_what_a_mark_looks_like(text: str, expected: bool) -> None:
    assert is_mark(text) is expected


def with_added_tokens() -> Any:
    import copy

    tokenizer = copy.deepcopy(tiny.byte_level())
    tokenizer.add_tokens(
        [AddedToken(text, special=False) for text in ("<tool_call>", "</tool_call>", "    ", "<b>")]
    )
    return tokenizer


def test_a_tokenizers_marks_are_left_out_of_free_text() -> None:
    tokenizer = with_added_tokens()
    call, spaces, bold = tokenizer.convert_tokens_to_ids(["<tool_call>", "    ", "<b>"])
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert vocabulary.marks == {call, call + 1}
    engine = Engine(ct.text().grammar, vocabulary)
    assert {spaces, bold, call} & set(engine.allowed(engine.start).tolist()) == {spaces, bold}
    asked = Vocabulary.from_tokenizer(tokenizer, marks_in_text=True)
    assert asked is not vocabulary
    engine = Engine(ct.text().grammar, asked)
    assert call in engine.allowed(engine.start).tolist()


def scripted(tokenizer: Any, text: str) -> Any:
    ids = [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]
    prompt = len(tokenizer("Go")["input_ids"])

    def rule(row: Any) -> dict[int, float]:
        return {ids[min(len(row) - prompt, len(ids) - 1)]: 0.99}

    return ScriptedModel(len(tokenizer), rule), ids[:-1]


@pytest.mark.parametrize("asked", [False, True])
def test_a_generator_writes_marks_where_the_format_does(asked: bool) -> None:
    tokenizer = with_added_tokens()
    spec = ct.template("<tool_call>{x}</tool_call>", x=ct.regex("[a-z<>/_]{1,30}"))
    model, ids = scripted(tokenizer, "<tool_call>abc</tool_call>")
    result = Generator(model, tokenizer, marks_in_text=asked)("Go", spec)
    assert list(result.token_ids) == ids
    assert result.value == {"x": "abc"}


def test_a_generator_keeps_marks_out_of_strings() -> None:
    tokenizer = with_added_tokens()
    call = tokenizer.convert_tokens_to_ids("<tool_call>")
    model, _ = scripted(tokenizer, '"ab<tool_call>"')
    spec = ct.json({"type": "string", "maxLength": 14})
    assert call not in Generator(model, tokenizer)("Go", spec, max_new_tokens=40).token_ids
    loose = Generator(model, tokenizer, marks_in_text=True)("Go", spec, max_new_tokens=40)
    assert call in loose.token_ids
    assert LogitsMask(spec, tokenizer).vocabulary.marks == {call, call + 1}
    assert LogitsMask(spec, tokenizer, marks_in_text=True).vocabulary.marks == frozenset()
