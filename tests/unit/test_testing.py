"""`constrained.testing`: what it draws matches, and its model says what its rule says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

import constrained as ct
from constrained.generation import Generator
from constrained.testing import ByteTokenizer, ScriptedModel, byte_vocabulary, outputs_of, values_of
from constrained.vocabulary import Vocabulary

EMAIL = re.compile(r"[a-z]{1,8}@[a-z]{1,8}\.(com|org)")


@settings(deadline=None)
@given(outputs_of(ct.regex(EMAIL.pattern)))
def test_drawn_outputs_match_by_an_independent_engine(text: str) -> None:
    assert EMAIL.fullmatch(text)


@settings(deadline=None)
@given(outputs_of(ct.regex("(a|bc)*d"), max_choices=5))
def test_endless_specs_end(text: str) -> None:
    assert re.fullmatch("(a|bc)*d", text)
    assert len(text) <= 15


@pytest.mark.parametrize("text", ["0", "7", "10"])
def test_every_output_can_be_drawn(text: str) -> None:
    assert find(outputs_of(ct.integer(0, 10)), lambda drawn: drawn == text) == text


@given(outputs_of(ct.regex("[é-日]{1,4}")))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_characters_are_whole(text: str) -> None:
    assert all("é" <= character <= "日" for character in text)


@settings(deadline=None)
@given(values_of(ct.template("{label:good|bad}: {score:0..10}")))
def test_values_are_typed(value: dict[str, Any]) -> None:
    assert value["label"] in ("good", "bad")
    assert value["score"] in range(11)


def test_anything_that_is_a_spec_will_do() -> None:
    @settings(deadline=None)
    @given(outputs_of(range(1, 7)))
    def check(text: str) -> None:
        assert int(text) in range(1, 7)

    check()


@settings(deadline=None)
@given(st.text(max_size=20))
def test_the_byte_vocabulary_spells_everything(text: str) -> None:
    vocabulary = byte_vocabulary(["word"])
    assert vocabulary.spell(text.encode()) == text.encode()
    assert vocabulary.end_ids == {256}
    assert vocabulary.tokens[257] == b"word"
    assert vocabulary.spells is None


def test_the_byte_tokenizer_has_the_byte_vocabulary() -> None:
    vocabulary = Vocabulary.from_tokenizer(ByteTokenizer())
    assert vocabulary.tokens == byte_vocabulary().tokens[:256]
    assert vocabulary.width == byte_vocabulary().width
    assert vocabulary.end_ids == byte_vocabulary().end_ids


def test_the_scripted_model_says_what_its_rule_says() -> None:
    def rule(ids: Any) -> dict[int, float]:
        said = bytes(ids).partition(b"?")[2]
        return {b"7 of 10."[len(said)]: 0.9}

    model = ScriptedModel(257, rule)
    generator = Generator(model, ByteTokenizer())
    result = generator(["How many?", "Of what?"], ct.regex("[0-9] of [0-9]+\\."))
    assert [r.text for r in result] == ["7 of 10.", "7 of 10."]
    assert result[0].token_logprobs[0] == pytest.approx(-0.10536, abs=1e-4)
    assert model.calls == result[0].forward_passes
