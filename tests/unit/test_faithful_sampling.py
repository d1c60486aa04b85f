"""Faithful samples against exact global distributions, and against series worked out by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

import constrained as ct
from constrained.errors import GenerationError, Truncated, UnsupportedSpec
from constrained.generation import Generator, SampledDistribution
from constrained.testing import ByteTokenizer, ScriptedModel
from tests import tiny

END = 256
GRADE = ct.template("Essay score: {score} / 10", score=range(11))
LABEL = ct.choice(["positive", "negative", "neutral", "posit"])


def scripted(rule: Any) -> Generator:
    return Generator(ScriptedModel(257, rule), ByteTokenizer())


def trap(ids: Sequence[int]) -> Mapping[int, float]:
    """ "a" is likely but leads out of the spec; "b" is not and stays inside."""
    last = chr(ids[-1])
    if last == "a":
        return {ord("1"): 0.02, ord("2"): 0.02, ord("z"): 0.9}
    if last == "b":
        return {ord("1"): 0.5, ord("2"): 0.4}
    return {ord("a"): 0.8, ord("b"): 0.1}


def fits(drawn: Counter[Any], exact: Mapping[Any, float]) -> bool:
    assert set(drawn) <= set(exact)
    total = sum(drawn.values())
    likely = [key for key, p in exact.items() if p * total >= 5]
    seen = np.array([drawn[key] for key in likely] + [total - sum(drawn[k] for k in likely)])
    wanted = np.array([exact[key] * total for key in likely])
    wanted = np.append(wanted, max(total - wanted.sum(), 0))
    keep = wanted > 0.5
    return bool(
        chisquare(seen[keep], wanted[keep] * seen[keep].sum() / wanted[keep].sum()).pvalue > 1e-3
    )


def test_masks_bend_and_weights_bend_back() -> None:
    generator = scripted(trap)
    spec = ct.template("{who:a|b}{n:1|2}")
    exact = generator.distribution("x", spec)
    assert exact["who"].pmf["a"] > 0.85
    assert exact.global_.by_text["a1"] < 0.15
    found = generator.distribution("x", spec, samples=400, seed=1)
    assert isinstance(found, SampledDistribution)
    for text, probability in exact.global_.by_text.items():
        assert found.weighted.by_text[text] == pytest.approx(probability, abs=0.08)
    assert found.removed_mass == pytest.approx(exact.removed_mass, abs=0.02)


def test_weights_even_out_as_the_bounds_get_tight() -> None:
    found = scripted(trap).distribution("x", ct.template("{who:a|b}{n:1|2}"), samples=320, seed=1)
    first, last = found.log_weights[:16], found.log_weights[-16:]
    assert np.exp(first).std() > 0.1 * np.exp(first).mean()
    assert np.exp(last) == pytest.approx(np.full(16, 0.122), abs=1e-3)  # .8 * .04 + .1 * .9
    late = [sample.accepted for sample in found.samples[-100:]]
    assert sum(late) > 45  # every other draw is for rejection
    assert found.effective_sample_size > 230


def test_the_mean_weight_is_unbiased_at_every_round() -> None:
    """400 runs of three rounds: draws of each round have the same expected weight."""
    generator, spec = scripted(trap), ct.template("{who:a|b}{n:1|2}")
    weights = np.array(
        [
            np.exp(generator.distribution("x", spec, samples=40, seed=seed).log_weights)
            for seed in range(100)
        ]
    )
    for part in (weights[:, :16], weights[:, 16:32:2], weights[:, 17:32:2], weights[:, 32:]):
        means = part.mean(axis=1)
        assert abs(means.mean() - 0.122) < 4 * means.std() / np.sqrt(len(means)) + 1e-4


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_samples_agree_with_the_exact_global_distribution(kind: str, temperature: float) -> None:
    tokenizer = tiny.byte_level()
    generator = Generator(tiny.model(kind, len(tokenizer)), tokenizer)
    for spec in (ct.integer(0, 30), LABEL, GRADE):
        exact = generator.distribution("The essay", spec, temperature=temperature)
        found = generator.distribution(
            "The essay", spec, samples=600, temperature=temperature, seed=7
        )
        mass = sum(outcome.free or 0.0 for outcome in exact.outcomes)
        weights = np.exp(found.log_weights)
        assert abs(weights.mean() - mass) < 5 * weights.std() / np.sqrt(600) + 1e-3 * mass
        distance = sum(
            abs(found.weighted.by_text.get(text, 0.0) - p)
            for text, p in exact.global_.by_text.items()
        )
        assert distance / 2 < 3 * np.sqrt(len(exact.outcomes) / found.effective_sample_size) / 2
        accepted = Counter(result.text for result in found.accepted)
        assert fits(accepted, exact.global_.by_text)


def test_an_infinite_spec_against_its_series() -> None:
    """P(a^n) = .5^n * .2, so the spec has .4 in all, and n given the spec is geometric."""
    generator = scripted(lambda _: {ord("a"): 0.5, ord("b"): 0.3, END: 0.2})
    found = generator.distribution("x", ct.regex("a*"), samples=1200, seed=3, max_new_tokens=40)
    assert found.removed_mass == pytest.approx(0.6, abs=0.03)
    lengths = Counter(len(result.text) for result in found.accepted)
    assert len(found.accepted) > 200
    assert fits(lengths, {n: 0.5 ** (n + 1) for n in range(41)})
    mean = sum(
        weight * len(sample.result.text)
        for weight, sample in zip(found.weights, found.samples, strict=True)
    )
    assert mean == pytest.approx(1.0, abs=0.2)
    masked = generator("x", ct.regex("a*"), samples=400, temperature=1.0, seed=3, max_new_tokens=40)
    assert np.mean([len(result.text) for result in masked]) > 2  # 2.5: what masks make of it


def test_every_sample_is_complete_within_the_budget() -> None:
    tokenizer = tiny.byte_level()
    generator = Generator(tiny.model("llama", len(tokenizer)), tokenizer)
    spec = ct.regex("(good|bad)(, (good|bad))*\\.")
    found = generator.distribution("The essay", spec, samples=40, seed=1, max_new_tokens=12)
    for sample in found.samples:
        assert sample.result.complete
        assert spec.matches(sample.result.text)
        assert len(sample.result.token_ids) <= 12
        assert sample.log_weight <= 1e-6
    with pytest.raises(Truncated):
        generator.distribution("The essay", spec, samples=4, seed=1, max_new_tokens=1)


def test_numbers_have_moments_and_fields_their_own() -> None:
    generator = scripted(lambda _: {ord("1"): 0.3, ord("2"): 0.3, END: 0.3})
    found = generator.distribution("x", ct.integer(1, 2), samples=300, seed=2)
    assert abs(found.mean - 1.5) < 4 * found.standard_error
    assert found.standard_error == pytest.approx(0.5 / np.sqrt(300), rel=0.1)
    assert found.sd == pytest.approx(0.5, abs=0.05)
    assert sum(found.pmf.values()) == pytest.approx(1)
    assert "300 samples, effective 300.0, accepted" in repr(found)
    pair = generator.distribution("x", ct.template("{n:1|2}{m:1|2}"), samples=64, seed=2)
    assert set(pair["n"].pmf) == {"1", "2"}
    assert pair.effective_sample_size == pytest.approx(64)


def test_draws_repeat_and_prompts_keep_their_place() -> None:
    generator = scripted(trap)
    spec = ct.template("{who:a|b}{n:1|2}")
    one = generator.distribution("x", spec, samples=20, seed=5)
    again, other = generator.distribution(["x", "y"], spec, samples=20, seed=5)
    assert [s.result.text for s in again.samples] == [s.result.text for s in one.samples]
    assert [s.result.text for s in other.samples] != [s.result.text for s in one.samples]


@pytest.mark.parametrize(
    "settings", [{"temperature": 0.0}, {"top_k": 3}, {"top_p": 0.9}, {"temperature": [0.5, 1.0]}]
)
def test_settings_that_cut_texts_off_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(GenerationError) as error:
        scripted(trap).distribution("x", LABEL, samples=5, **settings)
    assert str(error.value) == (
        "samples take one temperature above 0, and neither top_k nor top_p: those would cut texts "
        "off that the weights have to count"
    )


def test_samples_are_asked_for() -> None:
    generator = scripted(trap)
    with pytest.raises(UnsupportedSpec, match="or draw samples"):
        generator.distribution("x", ct.regex("a*"))
    with pytest.raises(GenerationError, match="samples must be at least 1, got 0"):
        generator.distribution("x", LABEL, samples=0)
    with pytest.raises(GenerationError, match="free text has no finite one"):
        generator.distribution("x", None, samples=3)
