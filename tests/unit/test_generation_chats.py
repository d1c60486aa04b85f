"""Chats in a `Generator`: where answers end, how they are spelled, what reaches the template."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import peft
import pytest

from constrained import choice, template, text
from constrained.chat import PROBE, PromptIds
from constrained.errors import ChatWarning, GenerationError
from constrained.generation import Generator
from constrained.models import load_model
from constrained.prompts import prompt_format
from tests import chats, tiny

CHAT = [{"role": "user", "content": "Grade this."}]
GRADE = template("Essay score: {score:0..10} / 10")


def generator(tokenizer: Any, **settings: Any) -> Generator:
    return Generator(tiny.model("llama", len(tokenizer)), tokenizer, **settings)


def asked(tokenizer: Any, ends: int | list[int] | None) -> Generator:
    """A generator whose model names these end ids itself."""
    model = copy.deepcopy(tiny.model("llama", len(tokenizer)))
    model.config.eos_token_id = model.generation_config.eos_token_id = ends
    return Generator(model, tokenizer)


def test_a_generator_says_where_its_ends_were_found() -> None:
    tokenizer = chats.with_template(chats.ENDING["a token of its own"][0])
    eot = tokenizer.convert_tokens_to_ids("<|eot|>")
    made = generator(tokenizer, end_ids=[7])
    assert {end.id: end.sources for end in made.ends} == {
        tokenizer.eos_token_id: ("eos_token", "generation_config"),
        eot: ("template",),
        7: ("given",),
    }
    assert made.vocabulary.end_ids == {end.id for end in made.ends}


def test_another_template_of_the_tokenizer_has_an_end_of_its_own() -> None:
    tokenizer = chats.with_template(
        {"default": chats.ENDING["the end of sequence"][0], "other": chats.THINKS}
    )
    eot = tokenizer.convert_tokens_to_ids("<|eot|>")
    assert eot not in generator(tokenizer).vocabulary.end_ids
    made = generator(tokenizer, chat_template_kwargs={"chat_template": "other"})
    assert eot in made.vocabulary.end_ids


@pytest.mark.parametrize("spec", [GRADE, text(max_length=9), choice(["good", "bad"])])
def test_white_space_before_an_answer_is_spelled_as_in_training(spec: Any) -> None:
    """Llama 2 learnt `▁Essay` after `[/INST]`, never `E` `ss` `ay`."""
    tokenizer = chats.llama()
    made = generator(tokenizer)
    result = made(CHAT, spec, max_new_tokens=40)
    assert spec.matches(result.text)
    assert made.vocabulary.spell(result.token_ids) == b" " + result.text.encode()
    if spec is not GRADE:
        return
    whole = tokenizer.apply_chat_template(
        [*CHAT, {"role": "assistant", "content": result.text}], return_dict=False
    )
    prompt = tokenizer.apply_chat_template(CHAT, return_dict=False)
    assert whole[: len(prompt)] == prompt
    assert tuple(whole[len(prompt) :][: len(result.token_ids)]) == result.token_ids


def test_a_question_about_the_word_that_probes_a_template_is_one_like_others() -> None:
    asked = [{"role": "user", "content": f"What is {PROBE}, or {PROBE}z?"}]
    result = generator(chats.llama())(asked, GRADE, max_new_tokens=40)
    assert generator(chats.llama()).vocabulary.spell(result.token_ids).startswith(b" ")


def test_every_way_to_answer_leaves_out_the_white_space() -> None:
    made = generator(chats.llama())
    exact = made.distribution(CHAT, GRADE)
    assert set(exact.by_text) == set(GRADE.enumerate())
    assert sum(exact.pmf.values()) == pytest.approx(1)
    *_, last = made.stream(CHAT, GRADE)
    assert last.result is not None
    assert GRADE.matches(last.result.text)
    assert "".join(chunk.text for chunk in made.stream(CHAT, GRADE)) == last.result.text
    drawn = made.distribution(CHAT, text(max_length=4), samples=2, seed=0)
    assert all(len(sample.result.text) <= 4 for sample in drawn.samples)
    nested = made.nested_distribution(CHAT, GRADE, "score", samples=2, seed=0)
    assert set(nested.pmf) == set(range(11))


def test_a_format_with_white_space_of_its_own_gets_no_second() -> None:
    made = generator(chats.llama())
    result = made(CHAT, choice([" good", " bad"]))
    assert made.vocabulary.spell(result.token_ids) == result.text.encode()


def test_the_lead_is_the_prompts_and_not_the_generators() -> None:
    """Ids and texts stay as they are; `PromptIds` says what a format writes before an answer."""
    tokenizer = chats.llama()
    made = generator(tokenizer)
    ids = prompt_format("template").encode("Grade this.", tokenizer)
    assert not made.vocabulary.spell(made(ids, GRADE).token_ids).startswith(b" ")
    prompt = prompt_format("template").prompt_ids("Grade this.", tokenizer)
    assert prompt == PromptIds(tuple(ids), " ")
    assert made(prompt, GRADE) == made(CHAT, GRADE)
    assert made([prompt, CHAT], GRADE) == made([CHAT, CHAT], GRADE)


def test_a_chat_that_its_template_writes_nothing_for_is_empty() -> None:
    with pytest.raises(GenerationError, match="prompt 0 is empty"):
        generator(chats.with_template("{{ '' }}"))(CHAT, GRADE)


def test_an_answer_that_was_begun_goes_on_where_it_is() -> None:
    made = generator(chats.llama())
    result = made([*CHAT, {"role": "assistant", "content": "My answer:"}], choice(["a", "b"]))
    assert not made.vocabulary.spell(result.token_ids).startswith(b" ")


def test_arguments_of_the_template_are_those_of_the_call_over_those_of_all_calls() -> None:
    tokenizer = chats.with_template(chats.THINKS)
    tokens = len(tokenizer("<think>\n\n</think>\n\n", add_special_tokens=False)["input_ids"])
    plain, off = (
        generator(tokenizer),
        generator(tokenizer, chat_template_kwargs={"enable_thinking": False}),
    )
    spec = choice(["a", "b"])
    with pytest.warns(ChatWarning):
        size = plain(CHAT, spec).prompt_tokens
    assert off(CHAT, spec).prompt_tokens == size + tokens
    with pytest.warns(ChatWarning):
        thinks = off(CHAT, spec, chat_template_kwargs={"enable_thinking": True})
    assert thinks.prompt_tokens == size
    asked = {"chat_template_kwargs": {"enable_thinking": False}}
    assert plain(CHAT, spec, **asked) == off(CHAT, spec)
    assert plain.distribution(CHAT, spec, **asked).pmf == off.distribution(CHAT, spec).pmf
    assert [c.text for c in plain.stream(CHAT, spec, **asked)] == [
        c.text for c in off.stream(CHAT, spec)
    ]
    nested = plain.nested_distribution(CHAT, GRADE, "score", samples=1, seed=0, **asked)
    assert nested.pmf == off.nested_distribution(CHAT, GRADE, "score", samples=1, seed=0).pmf
    assert plain.remember(CHAT, **asked) == off.remember(CHAT)


def test_words_before_an_answer_are_said_once_with_what_cures_them() -> None:
    made = generator(chats.with_template(chats.THINKS))
    with pytest.warns(ChatWarning) as said:
        made(CHAT, choice(["a", "b"]))
    assert str(said[0].message) == (
        "the chat template does not let an answer begin at once: before an answer it writes "
        "'<think>\\n\\n</think>\\n\\n', which a prompt leaves to the model; "
        "chat_template_kwargs={'enable_thinking': False} cures that"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(CHAT, choice(["a", "b"]))
        made.distribution(CHAT, choice(["a", "b"]))


def test_arguments_that_reach_no_template_are_refused() -> None:
    tokenizer = chats.with_template(chats.THINKS)
    with pytest.raises(GenerationError, match="does not read the argument 'thinking'"):
        generator(tokenizer, chat_template_kwargs={"thinking": False})
    made = generator(tokenizer)
    with pytest.raises(GenerationError) as caught:
        made(CHAT, GRADE, chat_template_kwargs={"thinking": False})
    assert "did you mean 'enable_thinking'?" in str(caught.value)
    with pytest.raises(GenerationError) as caught:
        made([CHAT, [1, 2]], GRADE, chat_template_kwargs={"enable_thinking": False})
    assert str(caught.value) == (
        "chat_template_kwargs are for chats, and prompt 1 is none; pass a list of messages such as "
        '{"role": "user", "content": "..."}'
    )


def warned(made: Generator, *prompts: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for prompt in prompts:
            made(prompt, choice(["a", "b"]))
    assert all(one.category is ChatWarning for one in seen)
    assert all(one.filename == __file__ for one in seen)
    return [str(one.message) for one in seen]


def test_a_plain_text_for_a_chat_model_is_remarked_on_once() -> None:
    tokenizer = chats.with_template(chats.ENDING["the end of sequence"][0])
    made = generator(tokenizer)
    assert made.for_chat
    assert warned(made, CHAT, [5, 6], "Grade this.", "And this.", ["One.", "Two."]) == [
        "a plain text was given to a model for chat, and is used as it is: outside of its chat "
        "template such a model may give no probability to what you ask for; pass messages instead, "
        'such as [{"role": "user", "content": "..."}] (token ids keep a text as it is, and are not '
        "remarked on)"
    ]
    with pytest.warns(ChatWarning):
        generator(tokenizer).distribution("Grade this.", GRADE)


def test_a_text_that_went_through_a_template_is_none_of_that() -> None:
    tokenizer = chats.with_template(chats.ENDING["the end of sequence"][0])
    rendered = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    assert warned(generator(tokenizer), rendered) == []


def test_a_model_that_ends_elsewhere_is_not_plainly_one_for_chat() -> None:
    """Base models carry their family's template, and end where texts end."""
    tokenizer = chats.with_template(chats.ENDING["a token of its own"][0])
    assert not generator(tokenizer).for_chat
    assert warned(generator(tokenizer), "Once upon a time") == []
    ids = tokenizer.convert_tokens_to_ids(["<|end|>", "<|eot|>"])
    assert asked(tokenizer, ids).for_chat
    assert not generator(tiny.byte_level()).for_chat


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of peft's, about transformers
def test_an_adapted_model_may_have_learnt_any_format() -> None:
    tokenizer = chats.with_template(chats.ENDING["the end of sequence"][0])
    base = copy.deepcopy(tiny.model("llama", len(tokenizer)))
    model = peft.get_peft_model(base, peft.LoraConfig(r=1, target_modules=["q_proj"]))
    assert not Generator(model.eval(), tokenizer).for_chat


@pytest.fixture(scope="module")
def smollm2() -> Any:
    return load_model("smollm2", dtype="float32")


@pytest.mark.slow
def test_smollm2_ends_its_turn_where_its_template_does(smollm2: Any) -> None:
    model, tokenizer = copy.copy(smollm2[0]), copy.deepcopy(smollm2[1])
    tokenizer.eos_token = "<|endoftext|>"
    model.config = copy.deepcopy(model.config)
    model.generation_config = copy.deepcopy(model.generation_config)
    model.config.eos_token_id = model.generation_config.eos_token_id = None
    made = Generator(model, tokenizer)
    assert [(end.token, end.sources) for end in made.ends] == [
        ("<|endoftext|>", ("eos_token",)),
        ("<|im_end|>", ("template",)),
    ]
    question = [{"role": "user", "content": "What is the capital of France?"}]
    result = made(question, text(max_length=400))
    assert result.text == "The capital of France is Paris."
    assert result.finish_reason == "stop"


@pytest.mark.slow
def test_smollm2_is_plainly_for_chat(smollm2: Any) -> None:
    made = Generator(*smollm2)
    with pytest.warns(ChatWarning):
        plain = made.distribution("Grade this essay from 0 to 10: I like phones.", GRADE)
    assert plain.removed_mass > 0.999
