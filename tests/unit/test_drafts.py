"""Drafts save passes and change no answer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

import constrained as ct
from constrained.errors import LimitExceeded
from constrained.generation import Generator, row
from constrained.generation.drafts import Drafts
from constrained.generation.engine_guide import EngineGuide
from constrained.generation.guide import ENDED, Mark
from constrained.models import load_model
from tests import tiny

STYLE = ct.json(
    {
        "type": "object",
        "properties": {
            name: {"enum": ["low", "high", 3]} for name in ("clarity", "style", "logic")
        },
        "required": ["clarity", "style", "logic"],
        "additionalProperties": False,
    },
    whitespace="flexible",
)
LIST = ct.regex("(yes, |no, ){2,8}(yes|no)\\.")
WORDS = ct.template("{why} Score: {score:0..10}", why=ct.text(stop=".", max_length=24))
PROMPTS = ["Grade: yes, no, yes, no, yes, no.\n", "a", '{"clarity": 3, "style": 3, "logic": 3}\n']
DRAFTED = ["llama", "gpt2", "bloom", "mistral"]


def generator_of(kind: str, **options: Any) -> Generator:
    tokenizer = tiny.byte_level()
    return Generator(tiny.model(kind, len(tokenizer)), tokenizer, **options)


def without_drafts(monkeypatch: pytest.MonkeyPatch, ask: Any) -> Any:
    with monkeypatch.context() as patch:
        patch.setattr(row, "MOST_DRAFTED", 0)
        return ask()


@pytest.mark.parametrize("kind", DRAFTED)
@pytest.mark.parametrize("temperature", [0.0, 0.6])
@pytest.mark.parametrize("spec", [STYLE, LIST, WORDS, None], ids=["json", "list", "words", "free"])
def test_no_answer_depends_on_drafts(
    kind: str, temperature: float, spec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = generator_of(kind)

    def ask() -> Any:
        return generator(PROMPTS, spec, temperature=temperature, seed=3, max_new_tokens=60)

    expected = without_drafts(monkeypatch, ask)
    for found, one in zip(ask(), expected, strict=True):
        assert found.token_ids == one.token_ids
        assert found.finish_reason == one.finish_reason
        assert found.logprob == pytest.approx(one.logprob, abs=1e-3)
        assert [p is None for p in found.token_logprobs] == [p is None for p in one.token_logprobs]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_branches_of_a_long_prompt_draft_too(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = generator_of(kind)

    def ask() -> Any:
        return generator(PROMPTS[0] * 8, LIST, samples=5, temperature=0.5, seed=1)

    expected = without_drafts(monkeypatch, ask)
    found = ask()
    assert [r.token_ids for r in found] == [r.token_ids for r in expected]
    assert sum(r.forward_passes for r in found) < sum(r.forward_passes for r in expected)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_tokens_drawn_on_a_device_are_the_same_with_drafts(
    temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = generator_of("llama", device_masks=True)

    def ask() -> Any:
        return generator(PROMPTS, [STYLE, LIST, WORDS], temperature=temperature, seed=5)

    expected = without_drafts(monkeypatch, ask)
    assert [r.token_ids for r in ask()] == [r.token_ids for r in expected]


@pytest.mark.parametrize("batch", [1, 3])
def test_what_a_row_repeats_costs_fewer_passes(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = load_model("smollm2")
    generator = Generator(model, tokenizer)
    texts = ["Grade the essay.\n", "Write a JSON object.\n", "How clear is it?\n"][:batch]
    prompts = [tokenizer(text)["input_ids"] for text in texts]

    def ask() -> Any:
        return generator(prompts, STYLE)

    expected = without_drafts(monkeypatch, ask)
    found = ask()
    assert [r.text for r in found] == [r.text for r in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.forward_passes < 0.8 * other.forward_passes


@pytest.mark.parametrize("spec", [STYLE, LIST], ids=["json", "list"])
def test_what_a_draft_runs_into_is_no_error_of_the_answer(
    spec: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every node that the answers do not pass is made to cost more than the limits allow."""
    asked: dict[str, Any] = {"temperature": 0.6, "seed": 3, "max_new_tokens": 60}
    generator = generator_of("llama", spellings="all")
    known, advance = {ENDED}, EngineGuide.advance

    def recorded(self: EngineGuide, node: int, token: int) -> int:
        known.update((node, advance(self, node, token)))
        return advance(self, node, token)

    with monkeypatch.context() as patch:
        patch.setattr(EngineGuide, "advance", recorded)
        expected = without_drafts(monkeypatch, lambda: generator(PROMPTS, spec, **asked))

    refused = []

    def refuse(node: int) -> None:
        if node not in known:
            refused.append(node)
            raise LimitExceeded("max_steps", 1, "too much work in one call")

    def limited(self: EngineGuide, node: int, token: int) -> int:
        after = advance(self, node, token)
        refuse(after)
        return after

    allows = EngineGuide.allows

    def asked_of(self: EngineGuide, node: int, token: int) -> bool:
        if allows(self, node, token):
            refuse(advance(self, node, token))
        return allows(self, node, token)

    monkeypatch.setattr(EngineGuide, "advance", limited)
    monkeypatch.setattr(EngineGuide, "allows", asked_of)
    found = generator(PROMPTS, spec, **asked)
    assert [r.token_ids for r in found] == [r.token_ids for r in expected]
    assert refused


def test_samples_are_distributed_as_without_drafts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong guess leaves no trace in the next draw: 1,600 samples against the exact shares."""
    generator = generator_of("llama", batch_invariant=True)
    spec = ct.regex("(yes|no)(, (yes|no)){2}")
    exact = generator.distribution(PROMPTS[0], spec).by_text

    def ask() -> Any:
        return generator(PROMPTS[0], spec, samples=1600, temperature=1.0, seed=9)

    drawn, plain = ask(), without_drafts(monkeypatch, ask)
    assert [r.token_ids for r in drawn] == [r.token_ids for r in plain]
    assert sum(r.forward_passes for r in drawn) < 0.9 * sum(r.forward_passes for r in plain)
    counts = Counter(result.text for result in drawn)
    expected = [1600 * p for p in exact.values()]
    assert chisquare([counts[text] for text in exact], expected).pvalue > 1e-3


MARK = Mark(ids=2, digest=77)


def anything(token: int) -> bool:
    return token >= 0


def test_guesses_that_come_true_are_trusted_and_others_are_not() -> None:
    drafts = Drafts([])
    assert drafts.guess([1], MARK, anything) is None
    drafts.chosen([1], MARK, anything, 3)
    first = drafts.guess([1], MARK, anything)
    assert first is not None
    assert first.token == 3
    for _ in range(5):
        drafts.chosen([1], MARK, anything, 3)
    trusted = drafts.guess([1], MARK, anything)
    assert trusted is not None
    assert trusted.chance > first.chance
    for turn in range(20):
        drafts.chosen([1], MARK, anything, 3 + turn % 2)
    doubted = drafts.guess([1], MARK, anything)
    assert doubted is not None
    assert doubted.chance < first.chance


def test_a_guess_that_could_not_be_made_is_no_mistake() -> None:
    drafts = Drafts([])
    drafts.chosen([1, 2], None, anything, 3)
    before = drafts.guess([1, 2], None, anything)
    drafts.chosen([1, 2], None, lambda token: token != 3, 4)
    drafts.chosen([1, 2], None, lambda token: token != 4, 3)
    assert drafts.guess([1, 2], None, anything) == before


@given(
    seen=st.lists(st.integers(0, 5), max_size=30),
    before=st.lists(st.integers(0, 5), max_size=5),
    allowed=st.sets(st.integers(0, 5)),
)
def test_a_guess_is_allowed_and_was_seen_after_the_same_tokens(
    seen: list[int], before: list[int], allowed: set[int]
) -> None:
    guess = Drafts(seen).guess(before, None, allowed.__contains__)
    places = [i for i in range(2, len(seen)) if seen[i - 2 : i] == before[-2:]]
    if guess is None:
        assert not places or seen[places[-1]] not in allowed
    else:
        assert guess.token in allowed
        assert 0 < guess.chance < 1
        assert guess.token in [seen[i] for i in places]
