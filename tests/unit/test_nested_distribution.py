"""Nested distributions against the joint distribution of the whole format, and by hand."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

import constrained as ct
from constrained.errors import GenerationError, InvalidSpec, LimitExceeded, UnsupportedSpec
from constrained.generation import Generator
from constrained.generation.focus import focus_of
from constrained.testing import ByteTokenizer, ScriptedModel
from tests import tiny
from tests.unit.test_generation_batches import shapes_of

FINITE = ct.template("{why} Score: {score:0..10} of {of:10|20}", why=["good", "bad", "go"])
REASON = ct.template("{why} Score: {score:0..10}", why=ct.text(stop=".", max_length=12))
OBJECT = ct.json(
    {
        "type": "object",
        "properties": {
            "why": {"type": "string", "maxLength": 6},
            "score": {"type": "integer", "minimum": 0, "maximum": 12},
            "note": {"type": "string", "maxLength": 4},
        },
        "required": ["why", "score", "note"],
        "additionalProperties": False,
    },
    whitespace="compact",
)


def generator_of(kind: str = "llama", **options: Any) -> Generator:
    tokenizer = tiny.unigram() if kind == "t5" else tiny.byte_level()
    ids = {"end": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id}
    return Generator(tiny.model(kind, len(tokenizer), **ids), tokenizer, **options)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "mistral", "t5"])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_each_draw_is_the_conditional_of_the_joint(kind: str, temperature: float) -> None:
    generator = generator_of(kind)
    joint = generator.distribution("The essay", FINITE, temperature=temperature)
    nested = generator.nested_distribution(
        "The essay", FINITE, "score", samples=40, temperature=temperature, seed=1
    )
    assert len(nested.draws) == 40
    for draw in nested.draws:
        (why,) = [o for o in ("good", "bad", "go") if draw.text.split(" ")[0] == o]
        expected = joint.given(why=why)["score"].pmf
        assert draw.distribution.pmf == pytest.approx(expected, abs=1e-4)


def test_the_average_finds_the_exact_mean_and_variance() -> None:
    generator = generator_of()
    exact = generator.distribution("The essay", FINITE, temperature=2.0)["score"]
    nested = generator.nested_distribution(
        "The essay", FINITE, "score", samples=400, temperature=2.0, seed=3
    )
    assert abs(nested.mean - exact.mean) < 4 * nested.standard_error + 1e-6
    assert nested.variance == pytest.approx(exact.sd**2, rel=0.1)
    assert nested.variance == nested.within + nested.between
    assert nested.standard_error < exact.sd / 20  # what 400 plain samples would give


def test_the_first_field_needs_no_sampling() -> None:
    generator = generator_of(spellings="all")
    spec = ct.template("{score:0..10} because {why}", why=ct.text(max_length=30))
    with shapes_of(generator) as shapes:
        nested = generator.nested_distribution("The essay", spec, "score", samples=5, seed=1)
    assert len(shapes) == 1
    assert {draw.text for draw in nested.draws} == {""}
    assert nested.between == 0
    plain = generator.distribution("The essay", ct.template("{score:0..10} because "))
    assert nested.pmf == pytest.approx(plain["score"].pmf, abs=1e-5)


def samples_of(generator: Generator, spec: Any, field: str, n: int) -> Counter[Any]:
    drawn: Counter[Any] = Counter()
    for result in generator("The essay", spec, samples=n, temperature=1.5, seed=77):
        drawn[result.value[field]] += 1
    return drawn


@pytest.mark.parametrize("spec", [REASON, OBJECT], ids=["template", "object"])
def test_the_average_agrees_with_plain_samples(spec: Any) -> None:
    generator = generator_of()
    nested = generator.nested_distribution(
        "The essay", spec, "score", samples=300, temperature=1.5, seed=2
    )
    drawn = samples_of(generator, spec, "score", 600)
    exact = nested.pmf
    likely = [value for value, p in exact.items() if p * 600 >= 5]
    seen = np.array([drawn[v] for v in likely] + [600 - sum(drawn[v] for v in likely)])
    wanted = np.array([exact[v] * 600 for v in likely])
    wanted = np.append(wanted, 600 - wanted.sum())
    keep = wanted > 1
    # The nested estimate has an error of its own, so the level is strict.
    assert chisquare(seen[keep], wanted[keep] * seen[keep].sum() / wanted[keep].sum()).pvalue > 1e-4


def test_beginnings_are_those_of_plain_samples() -> None:
    generator = generator_of(batch_invariant=True)
    settings = {"temperature": 1.5, "seed": 5, "samples": 10}
    nested = generator.nested_distribution("The essay", REASON, "score", **settings)
    plain = generator("The essay", REASON, **settings)
    for draw, result in zip(nested.draws, plain, strict=True):
        assert result.text.startswith(draw.text)
        assert "." in draw.text


def test_worked_by_hand() -> None:
    """After "a" the score is 1 with odds 3 to 1, after "b" with odds 1 to 1."""

    def rule(ids: Any) -> dict[int, float]:
        text = bytes(i for i in ids if i < 256).decode()
        if text.endswith("="):
            return {ord("1"): 0.6, ord("2"): 0.2} if "a" in text else {ord("1"): 0.4, ord("2"): 0.4}
        return {ord("a"): 0.3, ord("b"): 0.3, ord(";"): 0.2, 256: 0.1}

    generator = Generator(ScriptedModel(257, rule), ByteTokenizer())
    spec = ct.template("{why}={score:1|2}", why=ct.regex("[ab];"))
    nested = generator.nested_distribution("x", spec, "score", samples=50, seed=4)
    for draw in nested.draws:
        expected = {"1": 0.75, "2": 0.25} if draw.text.startswith("a") else {"1": 0.5, "2": 0.5}
        assert draw.distribution.pmf == pytest.approx(expected)
    share = sum(draw.text.startswith("a") for draw in nested.draws) / 50
    assert nested.pmf["1"] == pytest.approx(0.5 + 0.25 * share)
    assert "50 draws" in repr(nested)
    with pytest.raises(GenerationError, match="mean and sd need numbers"):
        nested.mean  # noqa: B018


def test_reasons_after_one_prompt_share_it() -> None:
    generator = generator_of()
    prompt = "The essay argues well. " * 20
    size = len(generator.tokenizer.encode(prompt))
    with shapes_of(generator) as shapes:
        generator.nested_distribution(prompt, REASON, "score", samples=16, seed=1)
    assert sum(rows * tokens for rows, tokens in shapes) < 3 * size + 16 * 60


def test_white_space_after_a_member_is_not_part_of_it() -> None:
    generator = generator_of()
    spec = ct.json(
        {
            "type": "object",
            "properties": {"why": {"type": "string", "maxLength": 3}, "n": {"enum": [1, 10, 7]}},
            "required": ["why", "n"],
            "additionalProperties": False,
        },
        whitespace="flexible",
    )
    nested = generator.nested_distribution("a", spec, "n", samples=6, seed=1)
    assert set(nested.pmf) == {1, 7, 10}


@pytest.mark.parametrize(
    ("spec", "field", "error", "message"),
    [
        (REASON, "grade", InvalidSpec, "there is no hole 'grade' in"),
        (REASON, "why", None, None),
        (ct.template("{a} {n}", a=ct.text(stop="."), n=int), "n", UnsupportedSpec,
         "hole 'n' has infinitely many outputs, so its distribution cannot be listed"),
        (ct.json({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
                  "additionalProperties": False}), "n", LimitExceeded,
         "limit max_outputs=100,000 reached while listing"),
        (ct.integer(0, 10), "score", UnsupportedSpec, "has no fields to look into"),
        (ct.template("{a}{n:1|2}", a=ct.text()), "n", UnsupportedSpec,
         "'n' is never settled before the end of the output"),
    ],
)  # fmt: skip
def test_what_cannot_be_nested_is_refused(spec: Any, field: str, error: Any, message: Any) -> None:
    generator = generator_of()
    if error is None:
        return
    with pytest.raises(error, match=message):
        generator.nested_distribution("a", spec, field, samples=4, seed=1, max_new_tokens=12)


def test_one_prompt_and_a_spec_are_needed() -> None:
    generator = generator_of()
    with pytest.raises(GenerationError, match="nested_distribution takes one prompt"):
        generator.nested_distribution(["a", "b"], REASON, "score")
    with pytest.raises(GenerationError, match="free text has no fields"):
        generator.nested_distribution("a", None, "score")
    single = generator.nested_distribution("a", REASON, "score", samples=1, seed=1)
    with pytest.raises(GenerationError, match="needs at least 2 samples, and there is 1"):
        single.between  # noqa: B018


values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=3), values, min_size=1, max_size=4), st.data())
def test_members_are_found_where_json_has_them(value: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(value)))
    text = json.dumps(value, indent=data.draw(st.sampled_from([None, 1])))
    focus = focus_of(OBJECT, name)
    assert focus.read(text)[1] == value[name]
    encoded, cut = text.encode(), data.draw(st.integers(0, len(text)))
    reader = focus.start.advance(encoded[:cut])
    if focus.decided(reader):
        assert focus.read(encoded[:cut].decode())[1] == value[name]
    assert focus.reached(reader) or not focus.decided(reader)
    assert focus.decided(reader.advance(encoded[cut:]))
