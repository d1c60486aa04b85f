"""`Generator`: its loop against brute force, `model.generate` and itself, row by row."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import peft
import pytest
import torch
import transformers

import constrained as ct
from constrained.errors import GenerationError, Truncated, VocabularyError
from constrained.generation import Generator, LogitsMask
from constrained.testing import ScriptedModel
from tests import tiny

GRADE = ct.template("Essay score: {score} / 10", score=range(11))
LABEL = ct.choice(["positive", "negative", "neutral"])
NUMBER = ct.regex("[0-9]{1,3}(\\.[0-9])?")
OBJECT = ct.json(
    {
        "type": "object",
        "properties": {"name": {"enum": ["Ann", "Bob"]}, "score": {"type": "integer"}},
        "required": ["name", "score"],
        "additionalProperties": False,
    }
)
LIST = ct.regex("(good|bad)(, (good|bad))*\\.")
PROMPTS = ["The essay argues well.\n", "Bad.\n", "Essay score: 10 / 10\nNext: ", "a"]
KINDS = ["llama", "gpt2", "bloom", "mistral", "t5", "bart"]


def tokenizer_of(kind: str) -> Any:
    return tiny.unigram() if kind in ("t5", "bart") else tiny.byte_level()


def generator_of(kind: str, **settings: Any) -> Generator:
    tokenizer = tokenizer_of(kind)
    ids = {"end": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id}
    return Generator(tiny.model(kind, len(tokenizer), **ids), tokenizer, **settings)


def walk_greedily(model: Any, prompt: list[int], paths: list[list[int]], end: int) -> list[int]:
    """The greedy path through the paths, by whole passes and without masks."""
    output: list[int] = []
    while True:
        allowed = {
            p[len(output)] for p in paths if p[: len(output)] == output and len(p) > len(output)
        }
        if output in paths:
            if not allowed:
                return output
            allowed.add(end)
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + output])).logits[0, -1]
        best = max(sorted(allowed), key=lambda token: float(logits[token]))
        if best == end:
            return output
        output.append(best)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom", "mistral"])
def test_greedy_equals_brute_force_over_canonical_paths(kind: str) -> None:
    tokenizer, generator = tokenizer_of(kind), generator_of(kind)
    for spec, texts in (
        (GRADE, [f"Essay score: {i} / 10" for i in range(11)]),
        (ct.integer(0, 120), [str(i) for i in range(121)]),
        (LABEL, ["positive", "negative", "neutral"]),
    ):
        paths = [tokenizer.encode(text) for text in texts]
        for prompt in PROMPTS:
            expected = walk_greedily(generator.model, tokenizer.encode(prompt), paths, 0)
            assert list(generator(prompt, spec).token_ids) == expected


@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5"])
@pytest.mark.parametrize(
    "spec", [GRADE, NUMBER, OBJECT, LABEL], ids=["grade", "number", "object", "label"]
)
def test_greedy_equals_the_mask_inside_generate(kind: str, spec: Any) -> None:
    if kind == "t5" and spec is OBJECT:
        spec = LIST  # its tokenizer has no braces in every run
    tokenizer, generator = tokenizer_of(kind), generator_of(kind)
    mask = LogitsMask(spec, tokenizer, max_new_tokens=60)
    for prompt in PROMPTS:
        inputs = tokenizer(prompt.strip() if kind == "t5" else prompt, return_tensors="pt")
        output = generator.model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=60,
            do_sample=False,
            logits_processor=[mask],
        )[0]
        new = output[1:] if kind == "t5" else output[inputs["input_ids"].shape[1] :]
        ids = [int(i) for i in new if int(i) not in generator.vocabulary.end_ids]
        result = generator(prompt.strip() if kind == "t5" else prompt, spec, max_new_tokens=60)
        assert list(result.token_ids) == ids


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom", "mistral"])
def test_a_free_row_is_what_generate_writes(kind: str) -> None:
    tokenizer, generator = tokenizer_of(kind), generator_of(kind)
    for prompt in PROMPTS:
        inputs = tokenizer(prompt, return_tensors="pt")
        output = generator.model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=12,
            do_sample=False,
        )[0, inputs["input_ids"].shape[1] :]
        result = generator(prompt, None, max_new_tokens=12)
        assert list(result.token_ids) == [i for i in output.tolist() if i != 0]
        assert result.value == result.text
        assert result.finish_reason == ("stop" if 0 in output.tolist() else "length")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_rows_in_a_batch_equal_the_same_rows_alone(kind: str, temperature: float) -> None:
    generator = generator_of(kind)
    specs = [GRADE, None, LABEL, ct.integer(0, 999)]
    settings: dict[str, Any] = {"temperature": temperature, "seed": 7, "max_new_tokens": 24}
    together = generator(PROMPTS, specs, **settings)
    for prompt, spec, row in zip(PROMPTS, specs, together, strict=True):
        alone = generator(prompt, spec, **settings)
        assert alone.token_ids == row.token_ids
        assert alone.text == row.text
        assert alone.logprob == pytest.approx(row.logprob, abs=1e-3)
    backwards = generator(PROMPTS[::-1], specs[::-1], **settings)
    assert [r.token_ids for r in backwards[::-1]] == [r.token_ids for r in together]
    in_twos = generator_of(kind, batch_size=2)(PROMPTS, specs, **settings)
    assert [r.token_ids for r in in_twos] == [r.token_ids for r in together]


def test_rows_that_jump_by_different_lengths_share_their_passes() -> None:
    generator = generator_of("llama")
    specs = [ct.template("{a:1|2}" + " and then some" * i + "{b:1|2}") for i in range(4)]
    together = generator(PROMPTS, specs)
    assert [r.text for r in together] == [
        generator(p, s).text for p, s in zip(PROMPTS, specs, strict=True)
    ]
    assert {r.forward_passes for r in together} <= {2, 3}  # the longest run may be cut in two


def test_samples_share_the_prompts_pass_and_differ() -> None:
    generator = generator_of("llama")
    shapes: list[tuple[int, ...]] = []
    handle = generator.model.register_forward_hook(
        lambda _m, _a, kwargs, _o: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    try:
        results = generator("The essay argues well.\n", GRADE, samples=40, temperature=1.0, seed=1)
    finally:
        handle.remove()
    assert shapes[0][0] == 1
    assert len({r.text for r in results}) > 3
    assert all(GRADE.matches(r.text) for r in results)
    again = generator("The essay argues well.\n", GRADE, samples=5, temperature=1.0, seed=1)
    assert [r.text for r in again] == [r.text for r in results[:5]]
    other = generator("The essay argues well.\n", GRADE, samples=40, temperature=1.0, seed=2)
    assert [r.text for r in other] != [r.text for r in results]


def test_the_shape_of_the_answer_follows_the_question() -> None:
    generator = generator_of("gpt2")
    assert generator("a", LABEL).value in ("positive", "negative", "neutral")
    assert [len(rows) for rows in generator(["a", "b"], LABEL, samples=3)] == [3, 3]
    assert len(generator(["a"], LABEL)) == 1
    ids = tokenizer_of("gpt2").encode("a")
    assert generator(ids, LABEL).text == generator("a", LABEL).text
    assert generator(torch.tensor([ids]), LABEL)[0].text == generator("a", LABEL).text


def test_values_are_typed() -> None:
    generator = generator_of("llama")
    result = generator("The essay.\n", GRADE)
    assert result.value == {"score": int(re.sub(r"Essay score: (\d+) / 10", r"\1", result.text))}
    assert isinstance(generator("The essay.\n", ct.integer(0, 10)).value, int)
    value = generator("The essay.\n", OBJECT, max_new_tokens=40).value
    assert value["name"] in ("Ann", "Bob")
    assert isinstance(value["score"], int)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    "spec", [GRADE, NUMBER, OBJECT, LIST], ids=["grade", "number", "object", "list"]
)
@pytest.mark.parametrize("policy", ["auto", "all"])
def test_every_budget_ends_in_a_complete_output_or_before_the_start(
    temperature: float, spec: Any, policy: Any
) -> None:
    generator = generator_of("llama", spellings=policy)
    fitted = False
    for budget in range(1, 41):
        settings: dict[str, Any] = {
            "max_new_tokens": budget,
            "temperature": temperature,
            "seed": budget,
        }
        try:
            results = generator(PROMPTS[:2], spec, **settings)
        except Truncated as error:
            assert not fitted, "a larger budget must fit as well"
            assert f"fits into {budget} tokens (max_new_tokens={budget})" in str(error)  # noqa: PT017
            continue
        fitted = True
        for result in results:
            assert result.complete
            assert spec.matches(result.text)
            assert len(result.token_ids) <= budget
    assert fitted


def test_partial_output_must_be_asked_for() -> None:
    generator = generator_of("llama")
    with pytest.raises(Truncated) as error:
        generator(["a", "The essay.\n"], [None, GRADE], max_new_tokens=4)
    assert str(error.value) == (
        "no output for prompt 1 fits into 4 tokens (max_new_tokens=4): the shortest way to "
        "complete one takes 9; allow more, or pass partial=True"
    )
    assert error.value.finish_reason == "length"
    result = generator("The essay.\n", GRADE, max_new_tokens=4, partial=True)
    assert (result.value, result.complete, result.finish_reason) == (None, False, "length")
    assert "Essay score: ".startswith(result.text)
    assert len(result.token_ids) == 4
    assert "length, incomplete" in repr(result)


def test_the_models_context_bounds_the_budget() -> None:
    generator = generator_of("gpt2")  # holds 256 tokens
    long = [10] * 250
    with pytest.raises(
        Truncated, match="the 256 tokens of the model's context less 250 of the prompt"
    ):
        generator(long, GRADE)
    assert generator([10] * 240, GRADE).complete
    with pytest.raises(GenerationError, match="prompt 0 has 256 tokens and the model can hold 256"):
        generator([10] * 256, GRADE)


def test_an_output_without_a_choice_needs_no_pass() -> None:
    generator = generator_of("llama")
    result = generator("a", ct.choice(["good"]))
    assert (result.text, result.forward_passes, result.logprob) == ("good", 0, 0.0)
    assert set(result.token_logprobs) == {None}


def test_one_choice_is_one_pass_and_the_rest_is_not_scored() -> None:
    result = generator_of("llama")("The essay.\n", ct.template("Essay score: {s:2|3} / 10"))
    assert result.forward_passes == 1
    scored = [p is not None for p in result.token_logprobs]
    assert scored == [True] * 5 + [False] * 4
    assert [p is not None for p in result.removed_mass] == scored
    assert len(result.tokens) == len(result.token_ids) == 9


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_logprobs_and_removed_mass_are_the_models(kind: str) -> None:
    tokenizer, generator = tokenizer_of(kind), generator_of(kind)
    result = generator(PROMPTS[0], GRADE, temperature=1.0, seed=3)
    prompt = tokenizer.encode(PROMPTS[0])
    with torch.inference_mode():
        logits = generator.model(torch.tensor([prompt + list(result.token_ids)])).logits[0]
    rows = torch.log_softmax(logits[len(prompt) - 1 :].double(), dim=-1)
    digits = [tokenizer.convert_tokens_to_ids(str(d)) for d in range(10)]
    for place, (token, found) in enumerate(
        zip(result.token_ids, result.token_logprobs, strict=True)
    ):
        if found is None:
            continue
        assert found == pytest.approx(float(rows[place][token]), abs=1e-4)
        allowed = digits if place == 4 else [token]
        removed = 1 - float(rows[place][allowed].exp().sum())
        if place != 5:  # after "1" there are two ways on
            assert result.removed_mass[place] == pytest.approx(removed, abs=1e-5)


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_streamed_pieces_make_up_the_text(kind: str) -> None:
    generator = generator_of(kind)
    spec = LIST if kind == "llama" else GRADE
    chunks = list(generator.stream("The essay.", spec, max_new_tokens=30, temperature=1.0, seed=4))
    whole = generator("The essay.", spec, max_new_tokens=30, temperature=1.0, seed=4)
    assert "".join(chunk.text for chunk in chunks) == whole.text
    assert [chunk.result is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1].result == whole


def test_streaming_never_splits_a_character() -> None:
    generator = generator_of("llama")
    chunks = list(generator.stream("a", ct.regex("(é|日|😀){8}"), max_new_tokens=80))
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(chunk.text for chunk in chunks)
    assert len(chunks) > 2


def test_closing_a_stream_stops_the_model() -> None:
    passes = []
    generator = generator_of("llama")
    handle = generator.model.register_forward_hook(lambda *_: passes.append(1))
    try:
        stream = generator.stream("a", None, max_new_tokens=50)
        next(stream)
        stream.close()
        assert len(passes) < 4
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ("", "prompt 0 is empty, so there is nothing to continue; write a prompt, or pass token "
             "ids such as [tokenizer.bos_token_id]"),
        (["a", ""], "prompt 1 is empty, so there is nothing to continue; write a prompt, or pass "
                    "token ids such as [tokenizer.bos_token_id]"),
        ([], "there is no prompt: the list of prompts is empty"),
        ([{"role": "user", "content": "hi"}],
         "a chat needs a chat template, and this tokenizer has none; pass the prompt as one string "
         "in the format that the model was trained on"),
        ([9999], "prompt 0 holds ids [9999], which the model does not have (it knows 420)"),
    ],
)  # fmt: skip
def test_bad_prompts_are_refused(prompts: Any, message: str) -> None:
    with pytest.raises(GenerationError) as error:
        generator_of("llama")(prompts, GRADE)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, got 0"),
        ({"temperature": -1.0}, "temperature must be 0 (greedy) or more, got -1.0"),
        ({"temperature": float("nan")}, "temperature must be 0 (greedy) or more, got nan"),
        ({"top_k": 0}, "top_k must be at least 1, got 0"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, got 0.0"),
        ({"samples": 0}, "samples must be at least 1, got 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(GenerationError) as error:
        generator_of("llama")("a", GRADE, **settings)
    assert str(error.value) == message


def test_specs_must_be_one_or_as_many_as_prompts() -> None:
    with pytest.raises(GenerationError) as error:
        generator_of("llama")(["a", "b", "c"], [GRADE, None])
    assert str(error.value) == (
        "there are 2 specs for 3 prompts; pass one spec for all, or a list with one per prompt"
    )


def test_broken_weights_are_named() -> None:
    with pytest.raises(
        GenerationError, match="the model gives no finite logit to any allowed token"
    ):
        Generator(ScriptedModel(420, lambda _: dict.fromkeys(range(420), 0.0)), tiny.byte_level())(
            "a", LABEL
        )


def prompt_seen(generator: Generator, prompt: Any) -> list[int]:
    seen: list[list[int]] = []
    handle = generator.model.register_forward_hook(
        lambda _m, _a, kwargs, _o: seen.append(kwargs["input_ids"][0].tolist()), with_kwargs=True
    )
    try:
        generator(prompt, LABEL)
    finally:
        handle.remove()
    return seen[0]


def test_a_start_token_is_never_doubled_and_text_never_wrapped() -> None:
    tokenizer = tiny.byte_level(digits=False, bos=True)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        eos_token="<|end|>",
        bos_token="<|start|>",
    )
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    generator = Generator(tiny.model("llama", len(tokenizer)), tokenizer)
    plain = tokenizer.encode("Hello", add_special_tokens=False)
    assert prompt_seen(generator, "Hello") == [1, *plain]
    assert prompt_seen(generator, "<|start|>Hello") == [1, *plain]
    chat = tokenizer.encode("[user] Hello\n[assistant] ", add_special_tokens=False)
    assert prompt_seen(generator, [{"role": "user", "content": "Hello"}]) == [1, *chat]


def test_an_end_token_that_the_tokenizer_adds_does_not_end_the_prompt() -> None:
    tokenizer = tiny.unigram()  # adds </s> to every text, as T5's does
    generator = Generator(tiny.model("llama", len(tokenizer), end=1, pad=0), tokenizer)
    assert prompt_seen(generator, "The essay")[-1] != 1


def adapt(model: Any, config: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft reads a renamed attribute
        return peft.get_peft_model(model, config).eval()


def test_lora_adapters_work() -> None:
    tokenizer = tiny.byte_level()
    torch.manual_seed(1)
    base = transformers.AutoModelForCausalLM.from_config(tiny.model("llama", len(tokenizer)).config)
    config = peft.LoraConfig(
        task_type="CAUSAL_LM", init_lora_weights=False, target_modules=["q_proj"]
    )
    adapted = adapt(base, config)
    result = Generator(adapted, tokenizer)("The essay.\n", GRADE)
    expected = walk_greedily(
        adapted,
        tokenizer.encode("The essay.\n"),
        [tokenizer.encode(f"Essay score: {i} / 10") for i in range(11)],
        0,
    )
    assert list(result.token_ids) == expected


def test_recurrent_models_are_refused() -> None:
    config = transformers.MambaConfig(
        vocab_size=420, hidden_size=16, num_hidden_layers=1, state_size=4
    )
    with pytest.raises(GenerationError, match="carries a recurrent state"):
        Generator(transformers.MambaForCausalLM(config), tiny.byte_level())


@pytest.mark.parametrize("width", [360, 512])
def test_a_model_wider_or_narrower_than_its_tokenizer(width: int) -> None:
    tokenizer = tiny.byte_level(digits=False)
    generator = Generator(tiny.model("gpt2", width), tokenizer)
    prompt = [i for i in tokenizer.encode("The essay.\n") if i < width]
    for result in generator(prompt, GRADE, samples=8, temperature=2.0, seed=0):
        assert GRADE.matches(result.text)
        assert max(result.token_ids) < width
    free = generator(prompt, None, max_new_tokens=8)
    assert max(free.token_ids) < width


def test_end_ids_beyond_the_model_are_refused() -> None:
    tokenizer = tiny.byte_level()
    with pytest.raises(VocabularyError, match=r"end ids \[400\] are outside the 300 logits"):
        Generator(tiny.model("gpt2", 300), tokenizer, end_ids=[400])


def test_every_end_id_of_the_model_ends_an_output() -> None:
    tokenizer = tiny.byte_level()
    model = tiny.model("gpt2", len(tokenizer), seed=9)
    model.generation_config.eos_token_id = [0, 5]
    try:
        assert Generator(model, tokenizer).vocabulary.end_ids == {0, 5}
    finally:
        model.generation_config.eos_token_id = 0


def test_a_model_by_rule_gives_answers_worked_out_by_hand() -> None:
    tokenizer = tiny.byte_level()
    one, zero, seven = (tokenizer.convert_tokens_to_ids(d) for d in "107")

    def rule(ids: Any) -> dict[int, float]:
        return {0: 0.25, zero: 0.5} if ids[-1] == one else {one: 0.5, seven: 0.25}

    generator = Generator(ScriptedModel(420, rule), tokenizer)
    found = generator.distribution("Score ", ct.choice(["1", "10", "7"]))
    assert found.by_text == pytest.approx({"1": 2 / 9, "10": 4 / 9, "7": 1 / 3}, abs=1e-6)
    free = {"1": 0.125, "10": 0.25, "7": 0.25}
    assert found.global_.by_text == pytest.approx({k: v / 0.625 for k, v in free.items()}, abs=1e-6)
    assert found.removed_mass == pytest.approx(0.375, abs=1e-6)
    assert found.removed_by_step == pytest.approx((0.25, 0.25), abs=1e-6)
    assert generator("Score ", ct.choice(["1", "10", "7"])).text == "10"


def test_sampling_probabilities_follow_their_definition() -> None:
    from constrained.generation.sampling import Sampling

    logits = np.log([0.5, 0.3, 0.15, 0.05])
    assert Sampling(1.0).probabilities(logits) == pytest.approx([0.5, 0.3, 0.15, 0.05])
    squared = np.array([0.25, 0.09, 0.0225, 0.0025])
    assert Sampling(0.5).probabilities(logits) == pytest.approx(squared / squared.sum())
    assert Sampling(1.0, top_k=2).probabilities(logits) == pytest.approx([0.625, 0.375, 0, 0])
    assert Sampling(1.0, top_p=0.8).probabilities(logits) == pytest.approx([0.625, 0.375, 0, 0])
    assert Sampling(1.0, top_p=0.81).probabilities(logits)[2] > 0
    assert Sampling(0.0).probabilities(logits) == pytest.approx([1, 0, 0, 0])
