"""Prompt formats: the published strings letter by letter, and no special token twice."""

# ruff: noqa: RUF001 - the full-width colon of ChatGLM is meant

from __future__ import annotations

from typing import Any

import pytest
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from constrained.chat import PromptIds
from constrained.errors import GenerationError, InvalidSpec
from constrained.models import load_tokenizer
from constrained.prompts import FORMATS, format_names, prompt_format
from tests import tiny

CHAT = [("Hi!", "Hello.")]

PUBLISHED = {
    "plain": "Grade this.",
    "alpaca": (
        "Below is an instruction that describes a task. Write a response that appropriately "
        "completes the request.\n\n### Instruction:\nGrade this.\n\n### Response:"
    ),
    "guanaco": "### Human: Grade this.### Assistant:",
    "chatml": "<|im_start|>user\nGrade this.<|im_end|>\n<|im_start|>assistant\n",
    "chatglm": "[Round 1]\n\n问：Grade this.\n\n答：",
    "vicuna": (
        "A chat between a curious user and an artificial intelligence assistant. The assistant "
        "gives helpful, detailed, and polite answers to the user's questions. "
        "USER: Grade this. ASSISTANT:"
    ),
    "llava": (
        "A chat between a curious human and an artificial intelligence assistant. The assistant "
        "gives helpful, detailed, and polite answers to the human's questions."
        "###Human: Grade this.###Assistant:"
    ),
}

WITH_SYSTEM = {
    "alpaca": "Be fair.\n\n### Instruction:\nGrade this.\n\n### Response:",
    "guanaco": "Be fair.\n### Human: Grade this.### Assistant:",
    "chatml": (
        "<|im_start|>system\nBe fair.<|im_end|>\n"
        "<|im_start|>user\nGrade this.<|im_end|>\n<|im_start|>assistant\n"
    ),
    "chatglm": "Be fair.\n\n[Round 1]\n\n问：Grade this.\n\n答：",
    "vicuna": "Be fair. USER: Grade this. ASSISTANT:",
    "llava": "Be fair.###Human: Grade this.###Assistant:",
}

WITH_HISTORY = {
    "guanaco": "### Human: Hi!### Assistant: Hello.### Human: Grade this.### Assistant:",
    "chatml": (
        "<|im_start|>user\nHi!<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n"
        "<|im_start|>user\nGrade this.<|im_end|>\n<|im_start|>assistant\n"
    ),
    "chatglm": "[Round 1]\n\n问：Hi!\n\n答：Hello.\n\n[Round 2]\n\n问：Grade this.\n\n答：",
    "vicuna": "USER: Hi! ASSISTANT: Hello.</s>USER: Grade this. ASSISTANT:",
    "llava": "###Human: Hi!###Assistant: Hello.###Human: Grade this.###Assistant:",
}

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('no system role') }}{% endif %}"
    "[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)


def words(template: str | None = None, *, bos: bool = True) -> Any:
    """A tokenizer of words that puts `<s>` before every text, as Llama's does."""
    vocabulary = {word: place for place, word in enumerate(["<s>", "</s>", "[UNK]"])}
    for word in ["Grade", "this", ".", "[", "]", "user", "assistant", "system", "Hi", "!"]:
        vocabulary.setdefault(word, len(vocabulary))
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="[UNK]"
    )
    made.chat_template = template
    return made


def test_the_formats_have_names() -> None:
    assert set(format_names()) == {*PUBLISHED, "template"}
    assert all(prompt_format(name).name == name for name in format_names())
    assert all(FORMATS[name].source for name in format_names())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_text_is_written_as_published(name: str) -> None:
    assert prompt_format(name).render("Grade this.") == PUBLISHED[name]


@pytest.mark.parametrize("name", WITH_SYSTEM)
def test_a_system_text_has_its_place(name: str) -> None:
    assert prompt_format(name).render("Grade this.", system="Be fair.") == WITH_SYSTEM[name]
    bare = prompt_format(name).render("Grade this.", system="")
    assert "Be fair" not in bare
    assert WITH_SYSTEM[name].endswith(bare)


@pytest.mark.parametrize("name", WITH_HISTORY)
def test_earlier_rounds_stand_before_the_last(name: str) -> None:
    rendered = prompt_format(name).render("Grade this.", system="", history=CHAT)
    assert rendered == WITH_HISTORY[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_braces_of_a_text_are_only_text(name: str) -> None:
    essay = "{text} {answer} {0} {{ }} %s {% raw %}"
    assert essay in prompt_format(name).render(essay)


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "plain"])
def test_a_text_in_the_format_already_is_not_wrapped_again(name: str) -> None:
    made = prompt_format(name)
    for once in (made.render("Grade this."), made.render("Grade this.", system="")):
        with pytest.raises(GenerationError, match=f"in the format '{name}' already"):
            made.render(once)
    assert prompt_format("plain").render(once) == once


@pytest.mark.parametrize("name", ["vicuna", "guanaco", "llava"])
def test_an_answer_is_spelled_as_behind_the_published_space(name: str) -> None:
    tokenizer = tiny.sentencepiece()
    made = prompt_format(name)
    prompt = made.prompt_ids("Grade this.", tokenizer)
    assert (prompt.ids[0], prompt.lead) == (tokenizer.bos_token_id, " ")
    assert list(prompt.ids) == made.encode("Grade this.", tokenizer)
    whole = tokenizer(made.render("Grade this.") + " Essay")["input_ids"]
    assert tuple(whole[: len(prompt.ids)]) == prompt.ids


@pytest.mark.parametrize("name", ["plain", "alpaca", "chatml", "chatglm"])
def test_other_formats_put_nothing_before_an_answer(name: str) -> None:
    tokenizer = tiny.sentencepiece()
    made = prompt_format(name)
    prompt = made.prompt_ids("Grade this.", tokenizer)
    assert prompt == PromptIds(tuple(made.encode("Grade this.", tokenizer)))


def test_arguments_go_to_the_tokenizers_template_and_nowhere_else() -> None:
    tokenizer = words("{{ mood }}{{ messages[-1]['content'] }}")
    made = prompt_format("template")
    happy: dict[str, Any] = {"chat_template_kwargs": {"mood": "Hi "}}
    assert made.render("Grade this.", tokenizer=tokenizer, **happy) == "Hi Grade this."
    assert made.encode("Grade", tokenizer, **happy) == tokenizer("Hi Grade")["input_ids"][1:]
    assert made.prompt_ids("Grade", tokenizer, **happy).ids == tuple(
        made.encode("Grade", tokenizer, **happy)
    )
    with pytest.raises(GenerationError, match="does not read the argument 'mod'"):
        made.render("Grade.", tokenizer=tokenizer, chat_template_kwargs={"mod": 1})
    with pytest.raises(GenerationError) as caught:
        prompt_format("alpaca").render("Grade this.", **happy)
    assert str(caught.value) == (
        "the format 'alpaca' has no template to take the argument 'mood'; leave "
        "chat_template_kwargs out, or use the format 'template'"
    )


def test_what_a_format_has_no_place_for_is_refused() -> None:
    with pytest.raises(GenerationError) as caught:
        prompt_format("plain").render("Grade this.", system="Be fair.")
    assert str(caught.value) == (
        "the format 'plain' has no place for a system text; write it into the prompt"
    )
    with pytest.raises(GenerationError) as caught:
        prompt_format("alpaca").render("Grade this.", history=CHAT)
    assert str(caught.value) == (
        "the format 'alpaca' has no published form for earlier rounds; pass the last text only"
    )


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidSpec) as caught:
        prompt_format("vicunia")
    assert str(caught.value) == (
        "there is no prompt format 'vicunia' (did you mean 'vicuna'? known are plain, alpaca, "
        "guanaco, chatml, chatglm, vicuna, llava, template)"
    )
    with pytest.raises(InvalidSpec, match=r"\(known are plain,"):
        prompt_format("zzz")


def test_the_tokenizers_own_template_is_what_transformers_applies() -> None:
    tokenizer = words(TEMPLATE)
    made = prompt_format("template")
    assert made.render("Grade this.", tokenizer=tokenizer) == "<s>[user] Grade this.\n[assistant] "
    assert made.render("Grade this.", tokenizer=tokenizer, history=CHAT) == (
        "<s>[user] Hi!\n[assistant] Hello.\n[user] Grade this.\n[assistant] "
    )


def test_a_template_that_is_missing_or_refuses_is_an_error() -> None:
    made = prompt_format("template")
    with pytest.raises(GenerationError) as caught:
        made.render("Grade this.", tokenizer=words())
    assert str(caught.value) == (
        "the format 'template' needs a tokenizer with a chat template, and this one has none; name "
        "the format that the model was trained on"
    )
    with pytest.raises(GenerationError, match="needs a tokenizer with a chat template"):
        made.render("Grade this.")
    with pytest.raises(GenerationError) as caught:
        made.render("Grade this.", "Be fair.", words(TEMPLATE))
    assert str(caught.value) == (
        "the tokenizer's chat template does not take this conversation: no system role"
    )
    with pytest.raises(GenerationError, match="begins with '<s>'"):
        made.render("<s>[user] Grade this.", tokenizer=words(TEMPLATE))


def test_the_beginning_token_stands_once_in_every_format() -> None:
    tokenizer = words(TEMPLATE)
    for name in ("plain", "alpaca", "guanaco", "chatglm", "vicuna", "llava", "template"):
        ids = prompt_format(name).encode("Grade this.", tokenizer)
        assert ids[0] == tokenizer.bos_token_id, name
        assert ids.count(tokenizer.bos_token_id) == 1, name
    chatml = prompt_format("chatml").encode("Grade this.", tokenizer)
    assert tokenizer.bos_token_id not in chatml


def test_the_ids_of_the_template_are_those_of_transformers() -> None:
    tokenizer = words(TEMPLATE)
    messages = [{"role": "user", "content": "Grade this."}]
    wanted = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert prompt_format("template").encode("Grade this.", tokenizer) == list(wanted)


@pytest.mark.slow
def test_chatml_is_what_the_template_of_a_published_chatml_model_writes() -> None:
    tokenizer = load_tokenizer("smollm2")
    system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    chatml, template = prompt_format("chatml"), prompt_format("template")
    for history in ([], CHAT):
        ours = chatml.render("Grade this.", system, history=history)
        assert ours == template.render("Grade this.", tokenizer=tokenizer, history=history)
        ids = chatml.encode("Grade this.", tokenizer, system, history)
        assert ids == template.encode("Grade this.", tokenizer, history=history)
    assert chatml.missing_tokens(tokenizer) == ()


def test_a_tokenizer_without_the_special_tokens_is_told_apart() -> None:
    made = prompt_format("chatml")
    with_tokens = words()
    with_tokens.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    assert made.missing_tokens(with_tokens) == ()
    assert made.missing_tokens(tiny.byte_level()) == ("<|im_start|>", "<|im_end|>")
    assert prompt_format("alpaca").missing_tokens(tiny.byte_level()) == ()
