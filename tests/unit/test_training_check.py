"""Training targets against what generation writes: tokens, borders, spaces, templates."""

from __future__ import annotations

import pytest

from constrained.errors import GenerationError
from constrained.generation import Generator, TrainingCheck, training_check
from constrained.spec import choice, json, template, text
from tests import chats, tiny

SCORE = template("Essay score: {score} / 10", score=range(11))
TARGETS = [f"Essay score: {score} / 10" for score in range(11)]
CHATML = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


@pytest.fixture
def chat_tokenizer(monkeypatch):
    tokenizer = tiny.byte_level(bos=True)
    monkeypatch.setattr(tokenizer, "chat_template", CHATML)
    return tokenizer


def kinds(check: TrainingCheck) -> list[str]:
    return [finding.kind for finding in check.findings]


@pytest.mark.parametrize("tokenizer", [tiny.byte_level(), tiny.byte_level(digits=False)])
def test_targets_that_the_tokenizer_split_itself_are_the_same(tokenizer):
    check = training_check(SCORE, tokenizer, TARGETS, ["Grade this.\n"] * 11)
    assert check
    assert (check.matching, check.same_tokens, check.first_difference) == (11, 11, None)
    assert repr(check) == (
        "TrainingCheck of 11 targets: 100% match the spec, 100% are tokenised as in generation"
    )


@pytest.mark.parametrize(
    "spec",
    [SCORE, template("Essay score: {score}, {why}", score=range(11), why=text(max_length=9))],
)
def test_what_it_calls_generated_is_what_a_generator_writes(spec):
    tokenizer = tiny.byte_level()
    generator = Generator(tiny.model("llama", len(tokenizer)), tokenizer)
    results = generator(["Grade this.\n"] * 6, spec, temperature=1.5, seed=3)
    check = training_check(spec, tokenizer, [result.token_ids for result in results])
    assert check.token_share == 1.0


def test_ids_split_otherwise_are_shown_at_their_first_difference():
    tokenizer = tiny.byte_level()
    bytes_only = [tokenizer.convert_tokens_to_ids(c) for c in "EssayĠscore:Ġ7Ġ/Ġ10"]
    good = tokenizer(TARGETS[7])["input_ids"]
    check = training_check(SCORE, tokenizer, [good, bytes_only])
    assert not check
    assert kinds(check) == ["tokens"]
    assert (check.match_share, check.token_share) == (1.0, 0.5)
    difference = check.first_difference
    first = tokenizer.decode(good[:1])
    assert (difference.place, difference.token) == (1, 0)
    assert difference.training == tuple(first)
    assert difference.generation == (first,)
    assert f"    training   {' '.join(map(repr, first))}\n" in repr(check)


def test_end_tokens_in_targets_are_no_difference():
    tokenizer = tiny.byte_level()
    assert training_check(SCORE, tokenizer, [target + "<|end|>" for target in TARGETS])


@pytest.mark.parametrize(
    ("target", "kind"),
    [(" Essay score: 7 / 10", "leading space"), ("Essay score: 7 / 10\n", "trailing space")],
)
def test_space_around_a_target_is_named(target, kind):
    check = training_check(SCORE, tiny.byte_level(), [TARGETS[0], target])
    assert kinds(check) == [kind]
    (finding,) = check.findings
    assert (finding.place, finding.count) == (1, 1)
    assert repr(target) in finding.problem


def test_a_space_that_only_the_spec_has_is_named():
    check = training_check(" " + SCORE, tiny.byte_level(), TARGETS)
    assert kinds(check) == ["leading space"]
    assert check.findings[0].remedy == "take that space out of the spec"


def test_a_tokenizer_that_puts_a_space_before_every_text_is_caught_when_targets_stand_alone():
    """Llama 2's tokenizer splits a lone target otherwise than the same text after a prompt."""
    alone = training_check(SCORE, tiny.sentencepiece(), TARGETS)
    assert kinds(alone) == ["leading space"]
    assert training_check(SCORE, tiny.sentencepiece(), TARGETS, encoder_decoder=True)


def test_a_prompt_that_ends_inside_a_token_is_named():
    tokenizer = tiny.byte_level()
    joined = tokenizer("score: 7")["input_ids"]
    apart = tokenizer("sco")["input_ids"] + tokenizer("re: 7")["input_ids"]
    assert joined != apart
    check = training_check(template("re: {n}", n=range(11)), tokenizer, ["re: 7"], ["sco"])
    assert kinds(check) == ["border"]
    assert check.token_share == 0.0
    assert check.findings[0].problem == (
        "the last token of the prompt and the first of the target 're: 7' are one token when both "
        "are tokenised together"
    )


def test_a_target_that_does_not_match_says_where():
    check = training_check(SCORE, tiny.byte_level(), ["Essay score: 11 / 10", *TARGETS])
    assert kinds(check) == ["no match"]
    assert check.findings[0].problem.startswith("'Essay score: 11 / 10' differs at byte 14: ")
    assert check.matching == 11


def test_a_doubled_bos_token_is_named(chat_tokenizer):
    prompts = ["<|start|>user\nHi<|end|>\n<|start|>assistant\n", "Hi\n"]
    check = training_check(SCORE, chat_tokenizer, TARGETS[:2], prompts)
    assert chat_tokenizer(prompts[0])["input_ids"][:2] == [chat_tokenizer.bos_token_id] * 2
    assert kinds(check) == ["double bos"]
    assert check.findings[0].count == 1


@pytest.mark.parametrize("text_", ["Hi", "<|start|>user\nHi<|end|>\n<|start|>assistant\n"])
@pytest.mark.parametrize("rendered", [True, False])
def test_a_template_inside_a_template_is_named(chat_tokenizer, text_, rendered):
    prompt = [{"role": "user", "content": text_}]
    if rendered:
        prompt = chat_tokenizer.apply_chat_template(
            prompt, tokenize=False, add_generation_prompt=True
        )
    check = training_check(SCORE, chat_tokenizer, TARGETS[:1], [prompt])
    assert ("nested template" in kinds(check)) == (text_ != "Hi")


def test_earlier_rounds_are_no_nested_template(chat_tokenizer):
    rounds = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Grade."},
    ]
    prompt = chat_tokenizer.apply_chat_template(rounds, tokenize=False, add_generation_prompt=True)
    check = training_check(SCORE, chat_tokenizer, TARGETS[:2], [rounds, prompt])
    assert kinds(check) == ["double bos"]  # of the rendered one


def test_parts_of_the_prompt_format_inside_a_target_are_named(chat_tokenizer):
    check = training_check(SCORE, chat_tokenizer, ["<|start|>assistant\nEssay score: 7 / 10"])
    assert kinds(check) == ["template in target"]
    assert check.findings[0].problem == "the target holds the special token '<|start|>'"


def test_json_with_other_spaces_than_the_spec_writes_is_no_match():
    spec = json({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
    check = training_check(spec, tiny.byte_level(), ['{"a":   1}'])
    assert kinds(check) == ["no match"]


def test_bad_calls_are_refused():
    with pytest.raises(GenerationError, match="there is nothing to check: pass a list"):
        training_check(SCORE, tiny.byte_level(), [])
    with pytest.raises(GenerationError, match="pass a list"):
        training_check(SCORE, tiny.byte_level(), "Essay score: 7 / 10")
    with pytest.raises(GenerationError) as caught:
        training_check(SCORE, tiny.byte_level(), TARGETS, ["one"])
    assert str(caught.value) == "there are 1 prompts for 11 targets; pass one prompt each"


ASKED = [{"role": "user", "content": "Grade."}]


def test_white_space_that_a_template_writes_before_an_answer_is_part_of_training():
    tokenizer = chats.llama()
    check = training_check(choice(["good", "bad"]), tokenizer, ["good", "bad"], [ASKED, ASKED])
    assert check
    assert check.token_share == 1.0
    twice = training_check(choice(["good", "bad"]), tokenizer, [" good"], [ASKED])
    assert kinds(twice) == ["leading space"]


def test_words_that_a_template_writes_before_an_answer_are_named():
    tokenizer = chats.with_template(chats.THINKS)
    check = training_check(choice(["good", "bad"]), tokenizer, ["good", "bad"], [ASKED, ASKED])
    assert [(finding.kind, finding.count) for finding in check.findings] == [("opening", 2)]
    assert check.findings[0].problem == (
        "the chat template does not let an answer begin at once: before an answer it writes "
        "'<think>\\n\\n</think>\\n\\n', which a prompt leaves to the model"
    )
    off = {"enable_thinking": False}
    assert training_check(
        choice(["good", "bad"]), tokenizer, ["good"], [ASKED], chat_template_kwargs=off
    )
    with pytest.raises(GenerationError, match="does not read the argument 'thinks'"):
        training_check(
            choice(["good"]), tokenizer, ["good"], [ASKED], chat_template_kwargs={"thinks": 1}
        )
