"""Laws of guides and of `LogitsMask`, whatever the order in which rows are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import constrained as ct
from constrained.errors import TokenRejected
from constrained.generation import LogitsMask
from constrained.generation.bits import pack, unpack
from constrained.generation.canonical import Speller
from constrained.generation.guide import ENDED
from constrained.generation.policy import guide_of
from constrained.testing import outputs_of
from constrained.vocabulary import Vocabulary
from tests import tiny

TOKENIZERS = [tiny.byte_level, lambda: tiny.byte_level(digits=False), tiny.sentencepiece]
SPECS = [
    ct.template("Essay score: {s:0..10} / 10"),
    ct.regex("(good|bad)(, (good|bad))*\\."),
    ct.choice(["positive", "posit", "negative", ""]),
    ct.regex("[0-9]{1,3}(\\.[0-9])? points?"),
    ct.regex("[^x]{0,5}"),
]
guides = st.tuples(
    st.sampled_from(TOKENIZERS), st.sampled_from(SPECS), st.sampled_from(["auto", "all"])
)


def build(choice: Any) -> tuple[Any, Any, Any]:
    make, spec, policy = choice
    vocabulary = Vocabulary.from_tokenizer(make())
    return (
        guide_of(spec, vocabulary, Speller(make(), vocabulary), spellings=policy),
        spec,
        vocabulary,
    )


@settings(deadline=None)
@given(choice=guides, data=st.data())
def test_every_walk_spells_an_output_within_any_budget_that_fits(
    choice: Any, data: st.DataObject
) -> None:
    guide, spec, vocabulary = build(choice)
    budget = data.draw(st.integers(guide.cost(guide.start), 30), label="budget")
    node, ids, left = guide.start, [], budget
    while True:
        allowed = guide.allowed(node, left).tolist()
        assert allowed or (guide.accepting(node) and left == 0)
        if not allowed:
            break
        token = data.draw(st.sampled_from(allowed))
        assert token in guide.allowed(node).tolist()
        node = guide.advance(node, token)
        if node == ENDED:
            assert token in vocabulary.end_ids
            break
        ids.append(token)
        left -= 1
        assert guide.cost(node) <= left
    assert len(ids) <= budget
    assert spec.matches(guide.text(ids))


@settings(deadline=None)
@given(choice=guides, data=st.data())
def test_marks_and_single_tokens_agree_with_the_mask(choice: Any, data: st.DataObject) -> None:
    guide, _, vocabulary = build(choice)
    node, marks = guide.start, {}
    while True:
        allowed = guide.allowed(node).tolist()
        ids = range(-1, vocabulary.width + 1)
        assert [token for token in ids if guide.allows(node, token)] == allowed
        assert marks.setdefault(guide.mark(node), allowed) == allowed
        if node == ENDED:
            break
        node = guide.advance(node, data.draw(st.sampled_from(allowed)))
        if len(marks) > 12:
            break


@settings(deadline=None)
@given(choice=guides, data=st.data())
def test_forced_tokens_are_the_only_way_and_end_tokens_mark_accepting(
    choice: Any, data: st.DataObject
) -> None:
    guide, _, vocabulary = build(choice)
    node = guide.start
    row = np.zeros((vocabulary.width + 31) // 32, dtype=np.int32)
    for _ in range(data.draw(st.integers(0, 12))):
        allowed = guide.allowed(node).tolist()
        guide.fill(node, row)
        assert unpack(row).tolist() == allowed
        forced = guide.forced(node)
        if forced:
            assert allowed == [forced[0]]
            assert not guide.accepting(node)
        assert (vocabulary.end_ids <= set(allowed)) == guide.accepting(node)
        assert guide.final(node) == (set(allowed) == vocabulary.end_ids)
        going_on = [token for token in allowed if token not in vocabulary.end_ids]
        if not going_on:
            break
        node = guide.advance(node, data.draw(st.sampled_from(going_on)))


@settings(deadline=None)
@given(data=st.data(), choice=guides)
def test_any_output_can_be_written_in_its_own_tokens(data: st.DataObject, choice: Any) -> None:
    guide, spec, vocabulary = build(choice)
    text = data.draw(outputs_of(spec, max_choices=10))
    ids = Speller(choice[0](), vocabulary).within(text.encode())
    if ids is None:
        return
    node = guide.start
    for token in ids:
        assert token in guide.allowed(node)
        node = guide.advance(node, token)
    assert guide.accepting(node)
    assert guide.text(ids) == text


@settings(deadline=None)
@given(st.lists(st.integers(0, 199), unique=True).map(sorted))
def test_packed_bits_are_the_ids(ids: list[int]) -> None:
    row = np.zeros(7, dtype=np.int32)
    pack(np.array(ids, dtype=np.int32), row)
    assert unpack(row).tolist() == ids


VOCABULARY = Vocabulary([b"a", b"b", b"ab", b"ba", b"c", None], end_ids=[5])
AB = ct.regex("(a|b){2,5}c?")


def truth(tokens: list[int]) -> set[int] | None:
    """The ids that may follow; None when the tokens are no prefix of an output."""
    engine = AB.engine
    state: int | None = engine.start
    for token in tokens:
        data = VOCABULARY.tokens[token]
        if data is None or state is None:
            return None
        state = engine.advance_bytes(state, data)
    if state is None:
        return None
    alive = {
        i
        for i, data in enumerate(VOCABULARY.tokens)
        if data is not None and engine.advance_bytes(state, data) is not None
    }
    return alive | ({5} if engine.accepting(state) else set())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_masks_depend_on_the_row_alone(data: st.DataObject) -> None:
    """Rows are reordered, repeated, drafted ahead and taken back, as beams and drafts do."""
    mask = LogitsMask(AB, VOCABULARY)
    prompt = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    rows = [[], [], []]
    for _ in range(data.draw(st.integers(1, 6))):
        drafts = [list(row) for row in rows]
        for _ in range(data.draw(st.integers(1, 3))):  # drafted one by one, some of them wrong
            scores = mask(torch.tensor([prompt + row for row in drafts]), torch.zeros(3, 6))
            for row, found in zip(drafts, scores, strict=True):
                expected = truth(row)
                if any(truth(other) is not None for other in drafts) and expected is not None:
                    assert set(torch.isfinite(found).nonzero().flatten().tolist()) == expected
            drafts = [[*row, data.draw(st.integers(0, 4))] for row in drafts]
        grown = []
        for row in data.draw(st.permutations(rows)):  # verified again, one step, reordered
            options = sorted((truth(row) or set()) - {5})
            grown.append([*row, data.draw(st.sampled_from(options))] if options else row)
        if len({len(row) for row in grown}) > 1 or any(not truth(row) for row in grown):
            return
        rows = grown


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=6))
def test_rejected_tokens_lead_nowhere(tokens: list[int]) -> None:
    guide = guide_of(AB, VOCABULARY, None)
    node = guide.start
    for place, token in enumerate(tokens):
        if node == ENDED:
            return
        allowed = truth(tokens[:place]) or set()
        assert set(guide.allowed(node).tolist()) == allowed
        try:
            node = guide.advance(node, token)
            assert token in allowed
        except TokenRejected:
            assert token not in allowed
            return
