"""Exact distributions against brute force over token paths, and against samples."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

import constrained as ct
from constrained.errors import GenerationError, LimitExceeded, UnsupportedSpec, VocabularyError
from constrained.generation import Distribution, Generator, LogitsMask, Outcome, Pmf
from constrained.generation.model import LanguageModel
from constrained.generation.paths import grow
from constrained.generation.sampling import Sampling
from constrained.generation.scoring import Request, distribution_of, score
from constrained.limits import DEFAULT_LIMITS
from tests import tiny

GRADE = ct.template("Essay score: {score} / 10", score=range(11))
SCORES = ct.integer(0, 10)
LABELS = ct.choice(["positive", "negative", "neutral", "posit"])
PROMPT = "The essay argues well.\n"


def free_probabilities(model: Any, prompt: list[int], output: list[int], t: float) -> np.ndarray:
    """Softmax rows after the prompt and after each output token: one pass, no cache."""
    with torch.inference_mode():
        logits = model(torch.tensor([prompt + output])).logits[0, len(prompt) - 1 :]
    return torch.softmax(logits.double() / t, dim=-1).numpy()


def brute_force(
    model: Any, prompt: list[int], paths: dict[str, list[list[int]]], end: int, t: float = 1.0
) -> tuple[dict[str, float], dict[str, float]]:
    """Local and free probability of each text: its paths walked token by token."""
    every = {tuple(path) for spelled in paths.values() for path in spelled}
    local, free = dict.fromkeys(paths, 0.0), dict.fromkeys(paths, 0.0)
    for text, spelled in paths.items():
        for path in spelled:
            rows = free_probabilities(model, prompt, path, t)
            inside = outside = 1.0
            for place in range(len(path) + 1):
                before = tuple(path[:place])
                going_on = {p[place] for p in every if p[:place] == before and len(p) > place}
                ending = {end} if before in every else set()
                if place == len(path) and not going_on:
                    break  # nothing can follow: the output ends by itself
                token = path[place] if place < len(path) else end
                allowed = sorted(going_on | ending)
                inside *= rows[place][token] / rows[place][allowed].sum()
                outside *= rows[place][token]
            local[text] += inside
            free[text] += outside
    return local, free


def spellings(vocabulary: Any, text: bytes) -> list[list[int]]:
    """Every token sequence that spells `text`."""
    if not text:
        return [[]]
    return [
        [token, *rest]
        for token, data in enumerate(vocabulary.tokens)
        if data and text.startswith(data)
        for rest in spellings(vocabulary, text[len(data) :])
    ]


def agree(found: Distribution[Any], local: dict[str, float], free: dict[str, float]) -> None:
    assert set(found.by_text) == set(local)
    total = sum(free.values())
    for text in local:
        assert found.by_text[text] == pytest.approx(local[text], abs=1e-5)
        assert found.global_.by_text[text] == pytest.approx(free[text] / total, abs=1e-5)
    assert found.removed_mass == pytest.approx(1 - total, abs=1e-5)
    assert found.divergence == pytest.approx(
        sum(abs(local[t] - free[t] / total) for t in local) / 2, abs=2e-5
    )


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom", "mistral"])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
@pytest.mark.parametrize("digits", [True, False])
def test_agrees_with_brute_force_over_canonical_tokens(
    kind: str, temperature: float, digits: bool
) -> None:
    tokenizer = tiny.byte_level(digits=digits)  # with digits split, "10" is two tokens
    model = tiny.model(kind, len(tokenizer))
    prompt = tokenizer.encode(PROMPT)
    for spec, texts in (
        (SCORES, [str(i) for i in range(11)]),
        (GRADE, [f"Essay score: {i} / 10" for i in range(11)]),
        (LABELS, ["positive", "negative", "neutral", "posit"]),
    ):
        paths = {text: [tokenizer.encode(text)] for text in texts}
        found = Generator(model, tokenizer).distribution(PROMPT, spec, temperature=temperature)
        agree(found, *brute_force(model, prompt, paths, 0, temperature))


def test_agrees_with_brute_force_over_all_spellings() -> None:
    tokenizer = tiny.byte_level(digits=False)
    model = tiny.model("llama", len(tokenizer))
    generator = Generator(model, tokenizer)
    prompt = tokenizer.encode(PROMPT)
    texts = ["good", "bad", "go", "100"]
    paths = {text: spellings(generator.vocabulary, text.encode()) for text in texts}
    assert sum(map(len, paths.values())) > 8
    from constrained.engine import Engine
    from constrained.generation.engine_guide import EngineGuide

    spec = ct.choice(texts)
    guide = EngineGuide(Engine(spec.grammar, generator.vocabulary), generator.vocabulary, None)
    every = grow(guide, DEFAULT_LIMITS, lambda text: (text, spec.parse(text)))
    (scored,) = score(LanguageModel(model), [Request(tuple(prompt), every)], [1.0])
    found = distribution_of(scored, Sampling(1.0))
    agree(found, *brute_force(model, prompt, paths, 0))
    assert [o.spellings for o in found.outcomes] == [len(paths[t]) for t in sorted(texts)]


def test_every_output_is_listed_in_the_order_of_its_bytes() -> None:
    tokenizer = tiny.byte_level()
    found = Generator(tiny.model("gpt2", len(tokenizer)), tokenizer).distribution(PROMPT, GRADE)
    assert [o.text for o in found.outcomes] == list(GRADE.enumerate())
    assert sum(found.pmf.values()) == pytest.approx(1)
    assert [o.token_ids for o in found.outcomes] == [
        tuple(tokenizer.encode(o.text)) for o in found.outcomes
    ]


def test_t5_outputs_start_with_the_tokenizers_own_space() -> None:
    tokenizer = tiny.unigram()
    model = tiny.model("t5", len(tokenizer), end=1, pad=0)
    found = Generator(model, tokenizer).distribution("The essay.", SCORES)
    ids = torch.tensor([tokenizer.encode("The essay.")])
    paths = {str(i): tokenizer.encode(str(i), add_special_tokens=False) for i in range(11)}
    every = {tuple(path) for path in paths.values()}
    for text, path in paths.items():
        with torch.inference_mode():
            logits = model(input_ids=ids, decoder_input_ids=torch.tensor([[0, *path]])).logits[0]
        rows = torch.softmax(logits.double(), dim=-1).numpy()
        expected = 1.0
        for place in range(len(path) + 1):
            before = tuple(path[:place])
            on = {p[place] for p in every if p[:place] == before and len(p) > place}
            if place == len(path) and not on:
                break
            token = path[place] if place < len(path) else 1
            allowed = sorted(on | ({1} if before in every else set()))
            expected *= rows[place][token] / rows[place][allowed].sum()
        assert found.by_text[text] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("policy", ["canonical", "all"])
def test_twenty_thousand_samples_of_the_generator_agree(policy: Any) -> None:
    tokenizer = tiny.byte_level(digits=True)
    generator = Generator(tiny.model("llama", len(tokenizer)), tokenizer, spellings=policy)
    spec = SCORES | ct.choice(["ten", "none"])
    exact = generator.distribution(PROMPT, spec).by_text
    drawn = Counter[str]()
    for seed in range(10):
        results = generator(PROMPT, spec, samples=2000, temperature=1.0, seed=seed)
        drawn.update(result.text for result in results)
    assert _fits(drawn, exact)


def test_twenty_thousand_samples_of_generate_agree() -> None:
    tokenizer = tiny.byte_level(digits=True)
    model = tiny.model("llama", len(tokenizer))
    exact = Generator(model, tokenizer).distribution(PROMPT, SCORES).by_text
    mask = LogitsMask(SCORES, tokenizer)
    inputs = tokenizer(PROMPT, return_tensors="pt")
    torch.manual_seed(5)
    drawn = Counter[str]()
    for _ in range(20):
        output = model.generate(
            **inputs,
            do_sample=True,
            top_k=0,
            max_new_tokens=4,
            num_return_sequences=1000,
            logits_processor=[mask],
        )
        new = output[:, inputs["input_ids"].shape[1] :]
        drawn.update(tokenizer.batch_decode(new, skip_special_tokens=True))
    assert _fits(drawn, exact)


def _fits(drawn: Counter[str], exact: dict[str, float]) -> bool:
    assert set(drawn) <= set(exact)
    total = sum(drawn.values())
    likely = [text for text in exact if exact[text] * total >= 5]
    seen = [drawn[text] for text in likely]
    wanted = np.array([exact[text] for text in likely])
    rest = total - sum(seen)
    if rest or wanted.sum() < 1 - 1e-9:
        seen, wanted = [*seen, rest], np.append(wanted, 1 - wanted.sum())
    keep = wanted * total > 1e-6
    seen_kept, wanted_kept = np.array(seen)[keep], wanted[keep]
    return bool(
        chisquare(seen_kept, wanted_kept / wanted_kept.sum() * seen_kept.sum()).pvalue > 1e-3
    )


def test_greedy_is_a_point_and_top_k_cuts_inside_the_mask() -> None:
    tokenizer = tiny.byte_level(digits=False)
    generator = Generator(tiny.model("llama", len(tokenizer)), tokenizer)
    full = generator.distribution(PROMPT, LABELS)
    greedy = generator.distribution(PROMPT, LABELS, temperature=0.0)
    assert max(greedy.pmf.values()) == 1.0
    assert greedy.mode == generator(PROMPT, LABELS).value
    cut = generator.distribution(PROMPT, SCORES, top_k=2).pmf
    kept = {value for value, p in cut.items() if p > 0}
    best = generator.distribution(PROMPT, SCORES).pmf
    assert len(kept) in (2, 3)
    assert max(best, key=best.__getitem__) in kept
    assert sum(full.pmf.values()) == pytest.approx(1)


def test_the_logprob_of_a_result_is_its_local_probability() -> None:
    tokenizer = tiny.byte_level()
    generator = Generator(tiny.model("gpt2", len(tokenizer)), tokenizer)
    for temperature in (0.0, 1.0, 0.5):
        exact = generator.distribution(PROMPT, GRADE, temperature=temperature or 1.0)
        for seed in range(4):
            result = generator(PROMPT, GRADE, temperature=temperature, seed=seed)
            assert result.logprob == pytest.approx(math.log(exact.by_text[result.text]), abs=1e-4)


def test_what_is_certain_after_the_last_choice_may_be_left_out() -> None:
    tokenizer = tiny.byte_level()
    generator = Generator(tiny.model("llama", len(tokenizer)), tokenizer)
    whole = generator.distribution(PROMPT, GRADE)
    short = generator.distribution(PROMPT, GRADE, tails=False)
    for text, probability in whole.by_text.items():
        assert short.by_text[text] == pytest.approx(probability, abs=1e-6)
    with pytest.raises(GenerationError) as error:
        short.removed_mass  # noqa: B018
    assert str(error.value) == (
        "the global distribution was left out; ask for it with "
        "generator.distribution(..., tails=True)"
    )
    assert "removed_mass" not in repr(short)


def test_one_pass_scores_the_prompt_and_the_tree() -> None:
    tokenizer = tiny.byte_level()
    model = tiny.model("llama", len(tokenizer))
    passes: list[Any] = []
    handle = model.register_forward_hook(
        lambda _module, _args, kwargs, _out: passes.append(kwargs["input_ids"].shape),
        with_kwargs=True,
    )
    try:
        generator = Generator(model, tokenizer)
        generator.distribution(PROMPT, SCORES)
        assert [tuple(shape) for shape in passes] == [(1, len(tokenizer.encode(PROMPT)) + 1)]
        passes.clear()
        generator.distribution(PROMPT, ct.choice(["good"]), tails=False)
        assert len(passes) == 1
    finally:
        handle.remove()


def test_fields_have_marginals() -> None:
    tokenizer = tiny.byte_level()
    generator = Generator(tiny.model("llama", len(tokenizer)), tokenizer)
    spec = ct.template("{label:good|bad} {score:0..3}")
    both = generator.distribution(PROMPT, spec)
    assert len(both.pmf) == 8
    for label in ("good", "bad"):
        expected = sum(o.local for o in both.outcomes if o.value["label"] == label)
        assert both["label"].pmf[label] == pytest.approx(expected)
    assert both["score"].mean == pytest.approx(
        sum(o.local * o.value["score"] for o in both.outcomes)
    )
    with pytest.raises(GenerationError, match="has no field 'grade'"):
        both["grade"]


def outcomes(*triples: tuple[str, Any, float]) -> Distribution[Any]:
    made = tuple(Outcome(text, value, p, p / 2, ()) for text, value, p in triples)
    return Distribution(made, (0.5,), 1.0)


def test_spellings_of_one_value_add_up() -> None:
    found = outcomes(("7", 7, 0.25), ("7.0", 7.0, 0.25), ("8", 8, 0.5))
    assert found.pmf == {7: 0.5, 8: 0.5}
    assert found.by_text == {"7": 0.25, "7.0": 0.25, "8": 0.5}
    assert (found.mean, found.sd, found.entropy) == (7.5, 0.5, 1.0)
    assert [found.quantile(q) for q in (0, 0.5, 0.51, 1)] == [7, 7, 8, 8]
    assert found.removed_mass == 0.5
    assert found.bars() == [("7", 0.5), ("8", 0.5)]
    assert repr(found) == (
        "Distribution({7: 0.500, 8: 0.500}, mean=7.500, sd=0.500, entropy=1.000 bits, "
        "removed_mass=0.500)"
    )


def test_words_have_no_mean() -> None:
    found = outcomes(("good", "good", 0.5), ("bad", "bad", 0.5))
    with pytest.raises(GenerationError) as error:
        found.mean  # noqa: B018
    assert str(error.value) == (
        "mean and sd need numbers, and 'bad' is none; use pmf, or dist[name] for one field of an "
        "object"
    )
    with pytest.raises(GenerationError, match="between 0 and 1"):
        Pmf([("a", 1, 1.0)]).quantile(1.5)


def test_infinite_specs_are_refused() -> None:
    tokenizer = tiny.byte_level()
    generator = Generator(tiny.model("llama", len(tokenizer)), tokenizer)
    with pytest.raises(UnsupportedSpec, match="needs a finite spec") as error:
        generator.distribution(PROMPT, ct.regex("a*"))
    assert "has infinitely many outputs (bound its repeats and numbers, or draw samples)" in str(
        error.value
    )
    with pytest.raises(GenerationError, match="free text has no finite one"):
        generator.distribution(PROMPT, None)


def test_too_many_paths_are_refused() -> None:
    from constrained.limits import Limits

    tokenizer = tiny.byte_level()
    model = tiny.model("llama", len(tokenizer))
    generator = Generator(model, tokenizer, limits=Limits(max_outputs=50))
    with pytest.raises(LimitExceeded, match="max_outputs=50"):
        generator.distribution(PROMPT, ct.integer(0, 999))


def test_an_output_that_cannot_be_spelled_is_refused() -> None:
    tokenizer = tiny.unigram()
    generator = Generator(tiny.model("t5", len(tokenizer), end=1, pad=0), tokenizer)
    with pytest.raises(VocabularyError) as error:
        generator.distribution("The essay", ct.choice(["good", "Δ"]))
    assert str(error.value) == (
        "the tokenizer has no token for 'Δ', so the output 'Δ' could never be generated; leave it "
        "out of the spec, or use a tokenizer with byte fallback"
    )


def test_a_narrow_model_cannot_reach_what_needs_its_missing_tokens() -> None:
    tokenizer = tiny.unigram()
    ids = {tokenizer.encode(w, add_special_tokens=False)[-1] for w in ("7", "8")}
    width = max(ids)
    model = tiny.model("llama", width, end=1, pad=0)
    with pytest.raises(VocabularyError):
        Generator(model, tokenizer, spellings="canonical").distribution(
            "The essay", ct.choice(["7", "8"])
        )
