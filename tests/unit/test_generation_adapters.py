"""Adapters of every kind in the generator's own loop, against PEFT's own forward pass."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import peft
import pytest
import torch
import transformers

from constrained import choice, integer
from constrained.errors import GenerationError
from constrained.generation import Generator, LogitsMask
from constrained.spec import regex
from tests import tiny

TOKENIZER = tiny.byte_level()
PROMPTS = ["Grade: ", "The essay argues well, but its ending is weak.\n", "Score it.\n"]
WORDS = regex("[a-z]{3,9} [0-9]{1,3}")

VIRTUAL: dict[str, Callable[[], Any]] = {
    "prefix": lambda: peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    "prompt": lambda: peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
    "p-tuning": lambda: peft.PromptEncoderConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=2, encoder_hidden_size=8
    ),
}
INJECTED: dict[str, Callable[[], Any]] = {
    "lora": lambda: peft.LoraConfig(
        task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False
    ),
    "ia3": lambda: peft.IA3Config(
        task_type="CAUSAL_LM",
        target_modules=["k_proj", "down_proj"],
        feedforward_modules=["down_proj"],
        init_ia3_weights=False,
    ),
    "oft": lambda: peft.OFTConfig(
        task_type="CAUSAL_LM", r=0, oft_block_size=4, target_modules=["q_proj"], init_weights=False
    ),
}


def adapted(kind: str, config: Any) -> Any:
    """A tiny model with a random adapter, strong enough to change what the model says."""
    torch.manual_seed(7)
    source = tiny.model(kind, len(TOKENIZER))
    base = type(source)(source.config)
    base.load_state_dict(source.state_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft reads a renamed attribute, and asks for seeds
        tuned = peft.get_peft_model(base, config).eval()
    with torch.no_grad():
        for name, weights in tuned.named_parameters():
            if "prompt_encoder" in name:
                weights.normal_(0, 1.0)
            elif "ia3" in name:
                weights.uniform_(0.2, 3.0)
    for settings in tuned.peft_config.values():
        settings.inference_mode = False
    return tuned


def log_probabilities(model: Any, prompt: str, ids: tuple[int, ...]) -> list[float]:
    """Of each of the ids after the prompt: one pass of PEFT's own forward, no cache, no padding."""
    before = TOKENIZER(prompt)["input_ids"]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*before, *ids]])).logits[0]
    logs = torch.log_softmax(logits[-len(ids) - 1 : -1].double(), dim=-1)
    return [float(row[token]) for row, token in zip(logs, ids, strict=True)]


CASES = [
    *(
        pytest.param(kind, VIRTUAL[name], id=f"{kind}-{name}")
        for kind in ("llama", "gpt2", "mistral")
        for name in VIRTUAL
    ),
    *(pytest.param("llama", make, id=f"llama-{name}") for name, make in INJECTED.items()),
    pytest.param("bloom", VIRTUAL["prompt"], id="bloom-prompt"),
]


@pytest.mark.parametrize(("kind", "make"), CASES)
def test_each_token_has_the_probability_that_peft_gives_it(kind, make):
    model = adapted(kind, make())
    generator = Generator(model, TOKENIZER)
    alone = [generator(prompt, WORDS, temperature=1.0, seed=1) for prompt in PROMPTS]
    batch = generator([*PROMPTS, *[PROMPTS[1]] * 3], WORDS, temperature=1.0, seed=1)
    shared = generator([PROMPTS[1] * 3] * 3, WORDS, temperature=1.0, seed=1)
    asked = [*PROMPTS, *PROMPTS, *[PROMPTS[1]] * 3, *[PROMPTS[1] * 3] * 3]
    for prompt, result in zip(asked, [*alone, *batch, *shared], strict=True):
        expected = log_probabilities(model, prompt, result.token_ids)
        for mine, theirs in zip(result.token_logprobs, expected, strict=True):
            assert mine is None or mine == pytest.approx(theirs, abs=2e-3)


@pytest.mark.parametrize(("kind", "make"), CASES)
def test_the_exact_distribution_is_the_product_of_those(kind, make):
    model = adapted(kind, make())
    found = Generator(model, TOKENIZER).distribution(PROMPTS[1], choice(["good", "bad", "poor"]))
    for outcome in found.outcomes:
        expected = math.exp(sum(log_probabilities(model, PROMPTS[1], outcome.token_ids)))
        assert outcome.free == pytest.approx(expected, rel=5e-3, abs=1e-9)


@pytest.mark.parametrize("name", VIRTUAL)
def test_a_disabled_adapter_leaves_the_base(name):
    model = adapted("llama", VIRTUAL[name]())
    generator = Generator(model, TOKENIZER)
    plain = Generator(tiny.model("llama", len(TOKENIZER)), TOKENIZER)
    spec = integer(0, 10)
    with model.disable_adapter():
        off = generator.distribution(PROMPTS[1], spec).pmf
    on = generator.distribution(PROMPTS[1], spec).pmf
    assert off == pytest.approx(plain.distribution(PROMPTS[1], spec).pmf, abs=1e-5)
    assert max(abs(on[k] - off[k]) for k in on) > 0.01


@pytest.mark.filterwarnings("ignore:Position ids are not supported")  # peft's own, in generate
@pytest.mark.parametrize("name", VIRTUAL)
def test_virtual_tokens_work_in_transformers_own_loop_too(name):
    model = adapted("llama", VIRTUAL[name]())
    inputs = TOKENIZER(PROMPTS[1], return_tensors="pt")
    output = model.generate(
        **inputs,
        max_new_tokens=30,
        do_sample=False,
        logits_processor=[LogitsMask(WORDS, TOKENIZER)],
    )
    ours = Generator(model, TOKENIZER)(PROMPTS[1], WORDS, max_new_tokens=30)
    text = TOKENIZER.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert WORDS.matches(text)
    assert text == ours.text


def test_virtual_tokens_take_up_room_in_the_context():
    model = adapted("gpt2", VIRTUAL["prompt"]())
    prompt = [TOKENIZER.encode("a")[0]] * 250  # the context holds 256, and four are virtual
    result = Generator(model, TOKENIZER)(prompt, None, max_new_tokens=9)
    assert len(result.token_ids) <= 2
    with pytest.raises(GenerationError, match="the model can hold 252, so there is no room"):
        Generator(model, TOKENIZER)([*prompt, 5, 5], None)


def test_virtual_tokens_behind_an_encoder_are_refused():
    base = transformers.T5ForConditionalGeneration(tiny.model("t5", len(TOKENIZER)).config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuned = peft.get_peft_model(
            base, peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=2)
        )
    with pytest.raises(GenerationError, match="its adapter adds virtual tokens that the loop can"):
        Generator(tuned, TOKENIZER)
