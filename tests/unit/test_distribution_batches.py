"""Distributions of many prompts, specs and temperatures at once; joint and conditional ones."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import numpy as np
import pydantic
import pytest
import torch
from scipy.stats import chisquare

import constrained as ct
from constrained.errors import GenerationError
from constrained.generation import Distribution, Generator
from constrained.testing import ByteTokenizer, ScriptedModel
from tests import tiny
from tests.unit.test_generation_batches import shapes_of

GRADE = ct.template("Essay score: {score} / 10", score=range(11))
LABEL = ct.choice(["positive", "negative", "neutral", "posit"])
HEAD = "The essay argues well. The answer is positive. " * 8
PROMPTS = ["Bad.\n", "The essay argues well.\n", HEAD + "Bad.", HEAD + "Good, a", "a"]


def generator_of(kind: str, **options: Any) -> Generator:
    tokenizer = tiny.unigram() if kind == "t5" else tiny.byte_level()
    ids = {"end": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id}
    return Generator(tiny.model(kind, len(tokenizer), **ids), tokenizer, **options)


def same(found: Distribution[Any], expected: Distribution[Any], within: float = 1e-5) -> None:
    assert found.by_text.keys() == expected.by_text.keys()
    for text, probability in expected.by_text.items():
        assert found.by_text[text] == pytest.approx(probability, abs=within)
        assert found.global_.by_text[text] == pytest.approx(
            expected.global_.by_text[text], abs=within
        )
    assert found.removed_mass == pytest.approx(expected.removed_mass, abs=within)
    assert found.removed_by_step == pytest.approx(expected.removed_by_step, abs=within)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom", "mistral", "t5"])
def test_prompts_and_specs_together_are_as_each_alone(kind: str) -> None:
    generator = generator_of(kind)
    prompts = [p.strip() for p in PROMPTS] if kind == "t5" else PROMPTS
    prompts, specs = prompts * 2, [GRADE] * 5 + [LABEL] * 5
    together = generator.distribution(prompts, specs)
    assert len(together) == 10
    for prompt, spec, found in zip(prompts, specs, together, strict=True):
        same(found, generator.distribution(prompt, spec))


def test_specs_of_one_prompt_share_its_pass() -> None:
    generator = generator_of("llama")
    with shapes_of(generator) as shapes:
        generator.distribution([HEAD] * 4, [GRADE, LABEL, ct.integer(0, 10), GRADE])
    assert len(shapes) == 1
    assert shapes[0][0] == 1


def test_prompts_that_begin_alike_share_that_beginning() -> None:
    generator = generator_of("llama")
    prompts = [HEAD + f"essay {i}" for i in range(6)]  # six times the head would be over 500
    with shapes_of(generator) as shapes:
        generator.distribution(prompts, GRADE)
    given = sum(rows * tokens for rows, tokens in shapes)
    head = len(generator.tokenizer.encode(HEAD))
    assert len(shapes) == 2
    assert given < head + 6 * 50


def test_prompts_of_very_different_length_are_not_padded_to_one() -> None:
    generator = generator_of("llama")
    with shapes_of(generator) as shapes:
        generator.distribution(["a", "b", HEAD, "Bad."], LABEL)
    assert sorted(rows for rows, _ in shapes) == [1, 3]


def test_a_batch_size_bounds_the_prompts_of_a_pass() -> None:
    generator = generator_of("llama", batch_size=2)
    with shapes_of(generator) as shapes:
        generator.distribution(["a", "b", "c", "d", "e"], LABEL)
    assert [rows for rows, _ in shapes] == [2, 2, 1]


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom"])
def test_kept_apart_distributions_do_not_depend_on_the_call(kind: str) -> None:
    generator = generator_of(kind, batch_invariant=True)
    specs = [GRADE, LABEL, GRADE, LABEL, GRADE]
    together = generator.distribution(PROMPTS, specs)
    for prompt, spec, found in zip(PROMPTS, specs, together, strict=True):
        alone = generator.distribution(prompt, spec)
        assert alone.outcomes == found.outcomes
        assert alone.removed_by_step == found.removed_by_step


def test_one_pass_answers_for_all_temperatures() -> None:
    generator = generator_of("llama")
    grid = [0.0, 0.3, 1.0, 2.0]
    with shapes_of(generator) as shapes:
        found = generator.distribution(PROMPTS[1], GRADE, temperature=grid, top_k=3)
    assert len(shapes) == 1
    assert [one.temperature for one in found] == grid
    for temperature, one in zip(grid, found, strict=True):
        same(one, generator.distribution(PROMPTS[1], GRADE, temperature=temperature, top_k=3))
    several = generator.distribution(PROMPTS[:2], GRADE, temperature=(0.5, 1.0))
    assert [len(one) for one in several] == [2, 2]
    same(several[0][1], generator.distribution(PROMPTS[0], GRADE))
    with pytest.raises(GenerationError) as error:
        generator.distribution("a", GRADE, temperature=[])
    assert str(error.value) == "there is no temperature: the list of temperatures is empty"


@pytest.mark.parametrize(
    "cut", [{"top_k": 2}, {"top_p": 0.7}, {"top_k": 4, "top_p": 0.9}, {"temperature": 0.5}], ids=str
)
def test_samples_agree_under_every_cut(cut: dict[str, Any]) -> None:
    """Numbers of one to three digits: each token is cut on its own, as sampling does."""
    generator = generator_of("gpt2")
    spec, settings = ct.integer(0, 130), {"temperature": 1.3} | cut
    exact = generator.distribution(PROMPTS[1], spec, **settings).by_text
    drawn: Counter[str] = Counter()
    for seed in range(3):
        results = generator(PROMPTS[1], spec, samples=2000, seed=seed, **settings)
        drawn.update(result.text for result in results)
    assert all(exact[text] > 0 for text in drawn)
    total = sum(drawn.values())
    likely = [text for text, p in exact.items() if p * total >= 5]
    seen = [drawn[text] for text in likely] + [total - sum(drawn[text] for text in likely)]
    wanted = [exact[text] * total for text in likely]
    wanted.append(max(total - sum(wanted), 1e-9))
    if wanted[-1] < 1:
        assert seen.pop() <= 5
        wanted.pop()
        wanted = [w * sum(seen) / sum(wanted) for w in wanted]
    if len(seen) > 1:
        assert chisquare(seen, wanted).pvalue > 1e-3


def test_a_thousand_options_are_scored_in_few_passes() -> None:
    generator = generator_of("llama", spellings="canonical")
    spec = ct.choice([f"code {i:03d}" for i in range(1000)])
    with shapes_of(generator) as shapes:
        found = generator.distribution("a", spec)
    assert len(found.outcomes) == 1000
    assert sum(found.by_text.values()) == pytest.approx(1)
    assert len(shapes) <= 4
    tokenizer, prompt = generator.tokenizer, generator.tokenizer.encode("a")
    ids = tokenizer.encode("code 427")
    with torch.inference_mode():
        logits = generator.model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
    said = torch.log_softmax(logits.double(), -1)[range(len(ids)), ids].sum().exp()
    outcome = next(o for o in found.outcomes if o.text == "code 427")
    assert outcome.free == pytest.approx(float(said), rel=1e-3)


class Verdict(pydantic.BaseModel):
    label: Literal["good", "bad"]
    score: Literal[1, 2, 3]
    passed: bool


def test_an_objects_fields_have_joint_and_conditional_distributions() -> None:
    generator = generator_of("llama")
    found = generator.distribution("The essay", ct.json(Verdict, whitespace="compact"))
    assert len(found.outcomes) == 12
    weights = {(o.value.label, o.value.score, o.value.passed): o.local for o in found.outcomes}
    joint = found.joint("label", "score")
    for label in ("good", "bad"):
        assert found["label"].pmf[label] == pytest.approx(
            sum(w for (name, _, _), w in weights.items() if name == label)
        )
        inside = found.given(label=label)
        for score in (1, 2, 3):
            expected = sum(w for (a, b, _), w in weights.items() if (a, b) == (label, score))
            assert joint.pmf[label, score] == pytest.approx(expected)
            assert inside["score"].pmf[score] == pytest.approx(expected / found["label"].pmf[label])
    passed = found.given(lambda value: value.passed and value.score > 1)
    assert {o.value.score for o in passed.outcomes} == {2, 3}
    with pytest.raises(GenerationError) as error:
        found.given(label="good", score=9)
    assert str(error.value) == "no output has label='good', score=9"


def test_independent_fields_are_independent() -> None:
    """The model by rule draws both letters from fixed odds, so the joint is their product."""
    generator = Generator(
        ScriptedModel(257, lambda _: {ord("a"): 0.6, ord("b"): 0.2, ord("-"): 0.1}), ByteTokenizer()
    )
    found = generator.distribution("x", ct.template("{first:a|b}-{second:a|b}"))
    assert found["first"].pmf == pytest.approx({"a": 0.75, "b": 0.25})
    assert found.joint("second", "first").pmf == pytest.approx(
        {("a", "a"): 0.5625, ("a", "b"): 0.1875, ("b", "a"): 0.1875, ("b", "b"): 0.0625}
    )
    assert found.given(first="b")["second"].pmf == pytest.approx({"a": 0.75, "b": 0.25})
    assert np.isclose(found.removed_mass, 1 - 0.8 * 0.1 * 0.8)
