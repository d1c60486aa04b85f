"""Rows and their neighbours: shared beginnings, seeds, bits, progress and cancelling."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import constrained as ct
from constrained.errors import GenerationError
from constrained.generation import Generator, Progress
from constrained.generation.heads import common_head
from constrained.generation.pass_cost import worthwhile
from tests import tiny

GRADE = ct.template("Essay score: {score} / 10", score=range(11))
REASON = ct.template("{why} Score: {score:0..10}", why=ct.text(stop=".", max_length=12))
HEAD = "The essay argues well. The answer is positive. " * 8
PROMPTS = [HEAD + end for end in ("Bad.", "Good.\n", "a", "Score: 7 / 10")]


def generator_of(kind: str, **options: Any) -> Generator:
    tokenizer = tiny.byte_level()
    return Generator(tiny.model(kind, len(tokenizer)), tokenizer, **options)


@contextmanager
def shapes_of(generator: Generator) -> Iterator[list[tuple[int, ...]]]:
    """(rows, new tokens) of every pass."""
    shapes: list[tuple[int, ...]] = []
    handle = generator.model.register_forward_hook(
        lambda _m, _a, kwargs, _o: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    try:
        yield shapes
    finally:
        handle.remove()


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("spec", [GRADE, REASON, None], ids=["grade", "reason", "free"])
def test_a_common_head_is_given_once_and_answers_stay(kind: str, spec: Any) -> None:
    generator = generator_of(kind)
    settings_: dict[str, Any] = {"temperature": 1.0, "seed": 3, "max_new_tokens": 30}
    head = generator.tokenizer.encode(HEAD)
    with shapes_of(generator) as shapes:
        together = generator(PROMPTS, spec, **settings_)
    assert shapes[0][0] == 1
    assert len(head) - 2 <= shapes[0][1] <= len(head) + 1
    assert shapes[1][0] == len(PROMPTS)
    assert shapes[1][1] < 30
    for prompt, result in zip(PROMPTS, together, strict=True):
        alone = generator(prompt, spec, **settings_)
        assert alone.token_ids == result.token_ids
        assert alone.logprob == pytest.approx(result.logprob, abs=1e-3)


@pytest.mark.parametrize("kind", ["bloom", "mistral"])
def test_models_that_count_slots_get_no_shared_head(kind: str) -> None:
    generator = generator_of(kind)
    with shapes_of(generator) as shapes:
        generator(PROMPTS, GRADE)
    assert shapes[0][0] == len(PROMPTS)


LENGTHS = ["a", HEAD + "Bad.", "The essay is good.\n", "Score: 7 / 10. " * 9, HEAD + "Good, a"]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("spec", [GRADE, REASON, None], ids=["grade", "reason", "free"])
def test_prompts_of_different_length_are_not_padded_to_one(kind: str, spec: Any) -> None:
    generator = generator_of(kind)
    settings_: dict[str, Any] = {"temperature": 1.0, "seed": 5, "max_new_tokens": 20}
    with shapes_of(generator) as shapes:
        together = generator(LENGTHS, spec, **settings_)
    first = [shape for shape in shapes if shape[1] > 4]
    assert sorted(rows for rows, _ in first[:4]) == [1, 1, 2, 2]
    sizes = [len(generator.tokenizer.encode(prompt)) for prompt in LENGTHS]
    given = sum(rows * tokens for rows, tokens in first)
    assert given < sum(sizes) + 100 < len(sizes) * max(sizes)
    for prompt, result in zip(LENGTHS, together, strict=True):
        alone = generator(prompt, spec, **settings_)
        assert alone.token_ids == result.token_ids
        assert alone.logprob == pytest.approx(result.logprob, abs=1e-3)
        assert alone.forward_passes == result.forward_passes


def test_answers_of_one_pass_are_exact_in_any_batch_of_different_lengths() -> None:
    generator = generator_of("llama")
    prompts = ["a", "The essay argues well. " * 12, "Score: 7 / 10. " * 30]
    together = generator(prompts, GRADE, temperature=1.0, seed=2)
    for prompt, result in zip(prompts, together, strict=True):
        assert generator(prompt, GRADE, temperature=1.0, seed=2) == result


def test_a_short_head_is_not_worth_a_pass() -> None:
    generator = generator_of("llama")
    with shapes_of(generator) as shapes:
        generator(["The essay is bad.", "The essay is good."], GRADE)
    assert shapes[0][0] == 2


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=4))
def test_the_common_head_is_what_all_begin_with(prompts: list[list[int]]) -> None:
    expected = 0
    while all(len(p) > expected + 1 for p in prompts) and (
        len({p[expected] for p in prompts}) == 1
    ):
        expected += 1
    assert common_head(prompts) == expected


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom", "mistral"])
def test_a_row_of_eight_equals_the_row_alone_bit_for_bit(kind: str) -> None:
    generator = generator_of(kind, batch_invariant=True)
    prompts = [*PROMPTS, "Bad.\n", "The essay", "a", "no yes"]
    specs = [GRADE, REASON, None, REASON, ct.integer(0, 999), GRADE, None, REASON]
    settings_: dict[str, Any] = {"temperature": 1.0, "seed": 11, "max_new_tokens": 24}
    together = generator(prompts, specs, **settings_)
    for place in (3, 1, 2, 6, 7):
        assert generator(prompts[place], specs[place], **settings_) == together[place]
    assert generator(prompts[::-1], specs[::-1], **settings_)[::-1] == together


# The tokenizer of T5 has no tokens for most characters of free text.
@pytest.mark.filterwarnings("ignore::constrained.errors.SpellingWarning")
@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_rows_behind_an_encoder_can_be_kept_apart(kind: str) -> None:
    tokenizer = tiny.unigram()
    model = tiny.model(kind, len(tokenizer), end=1, pad=0)
    generator = Generator(model, tokenizer, batch_invariant=True)
    prompts = ["The essay argues well.", "Bad.", "a", "Score: 7"]
    settings_: dict[str, Any] = {"temperature": 1.0, "seed": 2, "max_new_tokens": 20}
    together = generator(prompts, [GRADE, None, REASON, REASON], **settings_)
    for place, spec in enumerate([GRADE, None, REASON, REASON]):
        assert generator(prompts[place], spec, **settings_) == together[place]
    samples = generator(prompts[0], REASON, samples=4, **settings_)
    assert generator(prompts[0], REASON, samples=2, **settings_) == samples[:2]


def test_samples_share_a_prefill_when_rows_are_kept_apart() -> None:
    apart, plain = generator_of("llama", batch_invariant=True), generator_of("llama")
    with shapes_of(apart) as shapes:
        results = apart(HEAD, REASON, samples=6, temperature=1.0, seed=1)
    assert sum(tokens > 60 for _, tokens in shapes) == 1
    assert {rows for rows, _ in shapes} == {1}
    assert apart(HEAD, REASON, samples=2, temperature=1.0, seed=1) == results[:2]
    batched = plain(HEAD, REASON, samples=6, temperature=1.0, seed=1)
    assert [r.token_ids for r in batched] == [r.token_ids for r in results]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("spec", [REASON, None], ids=["reason", "free"])
def test_samples_of_a_long_prompt_are_branches_of_one_row(kind: str, spec: Any) -> None:
    generator, apart = generator_of(kind), generator_of(kind, batch_invariant=True)
    settings_: dict[str, Any] = {"temperature": 1.0, "seed": 3, "max_new_tokens": 20}
    with shapes_of(generator) as shapes:
        results = generator(HEAD, spec, samples=7, **settings_)
    assert {rows for rows, _ in shapes} == {1}
    assert max(tokens for _, tokens in shapes[1:]) >= 7
    expected = apart(HEAD, spec, samples=7, **settings_)
    assert [r.token_ids for r in results] == [r.token_ids for r in expected]
    for found, one in zip(results, expected, strict=True):
        assert found.logprob == pytest.approx(one.logprob, abs=1e-3)
        assert found.forward_passes == one.forward_passes


def test_every_prompt_may_have_its_own_seed() -> None:
    generator = generator_of("llama")
    settings_: dict[str, Any] = {"temperature": 1.0, "max_new_tokens": 20}
    prompts = ["The essay"] * 6
    results = generator(prompts, REASON, seed=[5, 6, 7, 8, 5, 9], **settings_)
    for seed, result in zip([5, 6, 7, 8], results, strict=False):
        assert generator("The essay", REASON, seed=seed, **settings_).text == result.text
    assert len({r.text for r in results}) > 3
    assert results[4].text != results[0].text  # the second row of that seed and prompt
    with pytest.raises(GenerationError) as error:
        generator(prompts, REASON, seed=[1, 2], **settings_)
    assert str(error.value) == (
        "there are 2 seeds for 6 prompts; pass one seed for all, or a list with one per prompt"
    )


def test_twenty_samples_cost_one_prefill() -> None:
    generator = generator_of("llama")
    prompt = generator.tokenizer.encode(HEAD * 4)[:500]
    with shapes_of(generator) as one:
        generator(prompt, GRADE, temperature=1.0, seed=1)
    with shapes_of(generator) as many:
        generator(prompt, GRADE, samples=20, temperature=1.0, seed=1)
    given_one = sum(rows * tokens for rows, tokens in one)
    given_many = sum(rows * tokens for rows, tokens in many)
    assert given_many <= 2 * given_one
    assert len(many) <= len(one) + 1


@settings(deadline=None, max_examples=25)
@given(
    budgets=st.integers(12, 40),
    seed=st.integers(0, 99),
    specs=st.lists(
        st.sampled_from(
            [GRADE, REASON, ct.regex("(good|bad)(, (good|bad))*\\."), ct.integer(0, 99999)]
        ),
        min_size=2,
        max_size=4,
    ),
    temperature=st.sampled_from([0.0, 1.0, 3.0]),
)
def test_any_batch_ends_complete_within_any_budget(
    budgets: int, seed: int, specs: list[Any], temperature: float
) -> None:
    generator = generator_of("llama")
    results = generator(
        PROMPTS[: len(specs)], specs, max_new_tokens=budgets, temperature=temperature, seed=seed
    )
    for spec, result in zip(specs, results, strict=True):
        assert result.complete
        assert spec.matches(result.text)
        assert len(result.token_ids) <= budgets


def test_a_text_hole_ends_at_its_stop() -> None:
    generator = generator_of("llama")
    spec = ct.template("{why}Score: {score:0..10}", why=ct.text(stop="##", max_length=20))
    for result in generator("The essay", spec, samples=8, temperature=2.0, seed=2):
        why, _, score = result.text.partition("##Score: ")
        assert result.value == {"why": why, "score": int(score)}
        assert "##" not in why


def test_progress_is_told_after_every_pass() -> None:
    generator = generator_of("llama")
    told: list[Progress] = []
    with shapes_of(generator) as shapes:
        results = generator(PROMPTS, REASON, temperature=1.0, seed=2, progress=told.append)
    last = told[-1]
    assert (last.answers, last.of) == (4, 4)
    assert last.tokens == sum(len(r.token_ids) for r in results)
    assert last.passes + 1 == len(shapes)  # the common head is part of the first step
    assert [p.tokens for p in told] == sorted(p.tokens for p in told)


@pytest.mark.parametrize("size", [None, 1, 2])
def test_cancelling_stops_promptly_and_says_so(size: int | None) -> None:
    generator = generator_of("llama", batch_size=size)
    event = threading.Event()

    def stop_after_three(progress: Progress) -> None:
        if progress.passes == 3:
            event.set()

    with shapes_of(generator) as shapes:
        results = generator(
            ["a", "The", "no"], None, max_new_tokens=50, progress=stop_after_three, cancel=event
        )
    assert len(shapes) == 3
    assert {r.finish_reason for r in results} == {"cancelled"}
    assert not any(r.complete for r in results)
    assert {r.value for r in results} == {None}
    assert all(len(r.token_logprobs) == len(r.token_ids) for r in results)


def test_answers_that_had_ended_before_are_kept() -> None:
    generator = generator_of("llama")
    results = generator(
        ["a", "The"], [GRADE, None], max_new_tokens=50, cancel=iter([False] * 3 + [True]).__next__
    )
    assert results[0] == generator("a", GRADE)
    assert results[1].finish_reason == "cancelled"


def test_chunks_carry_what_is_settled() -> None:
    generator = generator_of("llama")
    chunks = list(generator.stream("The essay", REASON, temperature=1.0, seed=4))
    values = [chunk.value for chunk in chunks if chunk.value is not None]
    assert chunks[-1].value == chunks[-1].result.value  # type: ignore[union-attr]
    whys = [str(value["why"]) for value in values]
    assert all(later.startswith(earlier) for earlier, later in pairwise(whys))
    assert any("score" not in value for value in values)


def test_free_text_is_unfinished_until_the_end() -> None:
    from constrained.spec.so_far import Unfinished

    chunks = list(generator_of("llama").stream("a", None, max_new_tokens=6))
    assert all(isinstance(chunk.value, Unfinished) for chunk in chunks[:-1])
    assert not isinstance(chunks[-1].value, Unfinished)
    assert chunks[-1].value == "".join(chunk.text for chunk in chunks)


def test_a_cancelled_stream_ends_with_what_it_has() -> None:
    generator, event = generator_of("llama"), threading.Event()
    chunks = []
    with shapes_of(generator) as shapes:
        for chunk in generator.stream("a", None, max_new_tokens=50, cancel=event):
            chunks.append(chunk)
            event.set()
    assert len(shapes) <= 3
    assert chunks[-1].result is not None
    assert chunks[-1].result.finish_reason == "cancelled"
    assert chunks[-1].result.text == "".join(chunk.text for chunk in chunks)


def test_closing_a_stream_frees_the_cache() -> None:
    import gc
    import weakref

    from transformers import DynamicCache

    generator = generator_of("llama")
    stream = generator.stream("a", None, max_new_tokens=50)
    next(stream)
    caches = [weakref.ref(o) for o in gc.get_objects() if type(o) is DynamicCache]
    assert any(ref() is not None for ref in caches)
    stream.close()
    gc.collect()
    assert not any(ref() is not None for ref in caches)


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.lists(st.floats(0.05, 1), max_size=6)),
        min_size=1,
        max_size=8,
    )
)
def test_a_pass_takes_the_tokens_of_most_use_for_its_time(
    waiting: list[tuple[int, list[float]]],
) -> None:
    chances = [[1.0] * certain + sorted(likely, reverse=True) for certain, likely in waiting]
    for padded in (True, False):

        def rate(most: int, padded: bool = padded) -> float:
            taken = [row[:most] for row in chances]
            tokens = len(taken) * most if padded else sum(map(len, taken))
            cost = 50 + tokens if tokens > 1 else 25
            return sum(map(sum, taken)) / cost

        longest = max(map(len, chances))
        best = max(map(rate, range(1, longest + 1)))
        assert rate(worthwhile(chances, "cpu", padded=padded)) == pytest.approx(best, rel=1e-12)


def test_rows_wait_for_one_another_rather_than_be_padded() -> None:
    generator = generator_of("llama")
    spec = ct.template(
        "{why} is the reason, so the score is {score:0..10}", why=ct.text(stop=" ", max_length=5)
    )
    asked: dict[str, Any] = {"temperature": 1.0, "seed": 7}
    with shapes_of(generator) as shapes:
        together = generator(PROMPTS * 2, spec, **asked)
    passed = sum(rows * tokens for rows, tokens in shapes[2:])
    written = sum(len(result.token_ids) for result in together)
    alone = len(generator.tokenizer.encode(" is the reason, so the score is "))
    assert passed < 1.6 * written
    assert (
        max(tokens for _, tokens in shapes[2:]) >= alone // 2
    )  # several tokens a pass all the same
    for prompt, result in zip(PROMPTS, together, strict=False):
        assert generator(prompt, spec, **asked).token_ids == result.token_ids
