"""Masks inside the continuous batching of transformers 5, against plain `generate`."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from transformers import GenerationConfig
from transformers.generation.configuration_utils import ContinuousBatchingConfig
from transformers.generation.continuous_batching.requests import RequestState

import constrained as ct
from constrained.errors import GenerationError, Truncated
from constrained.generation import LogitsMask
from constrained.generation.continuous import generate_batch
from tests.matrix.models import Subject, subject

GRADE = ct.template("Essay score: {score} / 10", score=range(11))
GRADES = {f"Essay score: {i} / 10" for i in range(11)}
LABEL = ct.choice(["positive", "negative", "neutral"])
PROMPTS = ["The essay argues well, but its ending is weak.", "Bad.", "a", "def grade", "10"]
SMALL = {"num_blocks": 16, "page_size": 32, "max_batch_tokens": 64, "max_requests_per_batch": 3}


def answers(asked: Subject, prompts: Any, specs: Any, **settings: Any) -> list[str]:
    config = ContinuousBatchingConfig(**{**SMALL, **settings.pop("config", {})})
    settings = {"max_new_tokens": 40, "do_sample": False, **settings}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return generate_batch(
            asked.model,
            asked.tokenizer,
            prompts,
            specs,
            width=asked.width,
            config=config,
            **settings,
        )


@pytest.fixture(params=["llama", "gpt2", "opt", "glm", "gemma3_text", "qwen3"])
def asked(request: Any) -> Subject:
    return subject(request.param)


def test_greedy_texts_are_those_of_generate(asked: Subject) -> None:
    mask = LogitsMask(GRADE, asked.tokenizer, width=asked.width)
    alone = [
        asked.text(asked.generate([prompt], mask, do_sample=False)[0][0]) for prompt in PROMPTS
    ]
    assert answers(asked, PROMPTS, GRADE) == alone


def test_a_spec_for_each_prompt_and_none_is_free() -> None:
    asked = subject("qwen3")
    first, free, label = answers(asked, PROMPTS[:3], [GRADE, None, LABEL], max_new_tokens=16)
    assert first in GRADES
    assert LABEL.matches(label)
    assert free not in GRADES


def test_sampled_texts_are_valid_and_the_mask_comes_before_top_k() -> None:
    asked = subject("llama")
    texts = answers(asked, PROMPTS * 4, GRADE, do_sample=True, top_k=2, temperature=3.0)
    assert set(texts) <= GRADES
    assert len(set(texts)) > 1


def test_requests_that_are_evicted_go_on_where_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    evicted: list[int] = []
    requeued = RequestState.create_equivalent_initial_request

    def count(state: RequestState) -> RequestState:
        evicted.append(len(state.generated_tokens))
        return requeued(state)

    monkeypatch.setattr(RequestState, "create_equivalent_initial_request", count)
    asked = subject("gpt2")
    spec = ct.regex("(good |bad ){20}end")
    alone = answers(asked, PROMPTS[:1], spec, max_new_tokens=120)
    tight = {"num_blocks": 10, "page_size": 8, "max_requests_per_batch": 6}
    crowded = answers(
        asked,
        PROMPTS[:1] * 6,
        spec,
        max_new_tokens=120,
        config={**tight, "allow_block_sharing": False},
    )
    assert any(evicted)
    assert spec.matches(alone[0])
    assert crowded == alone * 6


def test_budgets_end_in_complete_outputs_or_are_refused() -> None:
    asked = subject("llama")
    spec = ct.regex("(good |bad )*end")
    for budget in (4, 6, 9):
        for text in answers(asked, PROMPTS[:2], spec, max_new_tokens=budget):
            assert spec.matches(text)
    with pytest.raises(Truncated) as error:
        answers(asked, PROMPTS[:1], GRADE, max_new_tokens=2)
    assert str(error.value) == (
        "no output of template('Essay score: {score} / 10', score=range(0, 11)) fits into "
        "max_new_tokens=2"
    )


def test_what_cannot_be_shared_out_is_refused() -> None:
    asked = subject("llama")
    with pytest.raises(GenerationError) as error:
        answers(asked, PROMPTS, [GRADE, LABEL])
    assert str(error.value) == ("2 specs for 5 prompts; pass one for all, or one per prompt")
    with pytest.raises(GenerationError, match="repeat the prompt for more"):
        answers(asked, PROMPTS, GRADE, num_return_sequences=2)


def test_transformers_itself_drops_a_logits_processor_in_silence() -> None:
    """Why there is a function for it; when this fails, transformers has learnt to say something."""
    asked = subject("llama")
    mask = LogitsMask(GRADE, asked.tokenizer, width=asked.width)
    settings = GenerationConfig(max_new_tokens=12, do_sample=False, eos_token_id=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = asked.model.generate_batch(
            [asked.tokenizer.encode("Bad.")],
            generation_config=settings,
            continuous_batching_config=ContinuousBatchingConfig(**SMALL),
            logits_processor=[mask],
        )
    (output,) = found.values()
    allowed = [mask.vocabulary.tokens[token] or b"" for token in output.generated_tokens]
    assert not b"".join(allowed).startswith(b"Essay")


def test_rows_without_their_tokens_are_refused() -> None:
    """What continuous batching shows to a processor: the last token of each request only."""
    asked = subject("llama")
    mask = LogitsMask(GRADE, asked.tokenizer, width=asked.width)
    with pytest.raises(GenerationError) as error:
        mask(torch.tensor([5, 6]), torch.zeros(2, asked.width))
    assert str(error.value) == (
        "the masks need the tokens of every row, shape (rows, length), and got shape (2,); "
        "continuous batching shows no more than the last token of each request: use "
        "constrained.generation.continuous.generate_batch"
    )
