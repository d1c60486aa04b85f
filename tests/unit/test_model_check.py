"""`check_model`: what it finds in tokenizers and templates, sound ones and others."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import decoders

import constrained
from constrained import choice, template
from constrained.cli import run
from constrained.errors import InvalidSpec, ModelError
from constrained.model_check import ModelCheck, check_model
from constrained.model_check.template import check_template
from tests import chats, tiny

GRADE = template("Essay score: {score:0..10} / 10")
SOUND, _ = chats.ENDING["the end of sequence"]


def problem(check: ModelCheck) -> str:
    (only,) = check.problems
    return only


def test_a_sound_model_has_nothing_wrong_with_it() -> None:
    tokenizer = chats.with_template(SOUND)
    check = check_model(tokenizer, {"grade": GRADE}, width=len(tokenizer) + 3)
    assert check
    assert check.problems == ()
    assert check.tokens is not None
    assert (check.tokens.agreeing, check.tokens.differing) == (check.tokens.ids, ())
    assert (check.tokens.padding, check.tokens.beyond, check.tokens.missing_bytes) == (3, 0, ())
    assert [end.sources for end in check.ends] == [("eos_token", "template")]
    assert check.template is not None
    assert (check.template.prompt, check.template.lead) == ("<|assistant|>", "")
    assert (check.template.after, check.template.arguments) == ("<|end|>", ())
    assert {text.format for text in check.spelled} == {"", "grade"}
    assert all(text.same for text in check.spelled)
    assert set(check.seconds) == {"vocabulary", "mask"}


def test_every_text_of_a_format_is_spelled_as_the_template_spells_it() -> None:
    """Llama 2's space before the answer is part of the first token."""
    check = check_model(chats.llama(), GRADE)
    assert check
    shown = [text for text in check.spelled if text.format]
    assert shown
    assert all(text.same and text.ours[0].startswith(" ") for text in shown)
    assert check.notes == (
        "the chat template: it writes ' ' before an answer; the model is made to write it",
    )


WRONG: dict[str, tuple[str, str]] = {
    "thinking that an argument switches off": (
        chats.THINKS,
        "the chat template: before an answer it writes '<think>\\n\\n</think>\\n\\n', which a "
        "prompt leaves to the model; chat_template_kwargs={'enable_thinking': False} cures that",
    ),
    "another text in a conversation": (
        SOUND + "{% if add_generation_prompt %}<think>\n{% endif %}",
        "the chat template: a prompt has '<think>\\n' where a conversation with an answer has ''; "
        "no argument of the template is known to cure that",
    ),
    "a block that is opened and never closed": (
        chats.TURN.replace(
            "{{ '<|' + m['role'] + '|>' }}",
            "{{ '<|' + m['role'] + '|>' }}{% if m['role'] == 'assistant' %}<think>{% endif %}",
        )
        + "{{ eos_token }}{% endfor %}"
        + chats.ASK.replace("<|assistant|>", "<|assistant|><think>"),
        "the chat template: a prompt opens '<think>', and nothing closes it before the answer; "
        "no argument of the template is known to cure that",
    ),
    "no generation prompt": (
        chats.TURN + "{{ eos_token }}{% endfor %}",
        "the chat template: before an answer it writes '<|assistant|>', which a prompt leaves to "
        "the model; no argument of the template is known to cure that",
    ),
    "an end that is ordinary text": (
        "{% for m in messages %}{{ m['content'] }}\n### Human: {% endfor %}",
        "the chat template: it ends an answer with '\\n### Human: ', which begins with no special "
        "token: an open format does not end there",
    ),
    "nothing after an answer": (
        "{% for m in messages %}{{ m['content'] }}\n{% endfor %}",
        "the chat template: it writes nothing after an answer, so nothing in it says where one "
        "ends",
    ),
    "a template that takes no conversation": (
        "{{ raise_exception('never') }}",
        "the chat template: what ends an answer, and how one begins, cannot be read off it: the "
        "tokenizer's chat template does not take this conversation: never",
    ),
}


@pytest.mark.parametrize(
    "way",
    [
        "{% if not thinks is defined %}{% set thinks = true %}{% endif %}",
        "{% if thinks is not defined %}{% set thinks = true %}{% endif %}",
        "{% set thinks = thinks | default(true) %}",
        "{% set thinks = thinks if thinks is defined else true %}",
    ],
)
def test_an_argument_with_a_default_is_one_that_the_template_reads(way: str) -> None:
    own = (
        "{% for m in messages %}{% if loop.last %}{% set own = 1 %}{% endif %}{{ own }}{% endfor %}"
    )
    mode = "{% if continue_final_message %}{% endif %}"
    tokenizer = chats.with_template(way + "{{ thinks }}" + own + mode + chats.TURN + "{% endfor %}")
    found = check_template(tokenizer, {})
    assert found is not None
    assert found.arguments == ("thinks",)


@pytest.mark.parametrize(
    ("asked", "wrote", "fine"),
    [
        ("<think>\n</think>\n\n", "", True),
        ("<|channel>thought\n<channel|>", "", True),
        ("<think></think>", "</think>", True),
        ("<think>\n", "", False),
        ("<think></think><think>", "", False),
        ("<think></thought>", "", False),
        ("Reasons:\n", "", False),
    ],
)
def test_a_block_that_the_prompt_closes_is_no_harm(asked: str, wrote: str, fine: bool) -> None:
    wrote = "{% if m['role'] == 'assistant' %}" + wrote + "{% endif %}"
    turn = chats.TURN.replace("{{ m['content'] }}", wrote + "{{ m['content'] }}")
    ask = chats.ASK.replace("<|assistant|>", "<|assistant|>" + asked)
    found = check_template(chats.with_template(turn + "<|eot|>{% endfor %}" + ask), {})
    assert found is not None
    assert (found.problems == ()) is fine


def test_an_argument_that_takes_words_is_tried_with_those_that_the_template_knows() -> None:
    template = chats.THINKS.replace(
        "enable_thinking is defined and enable_thinking is false", 'thinking_mode == "disabled"'
    )
    found = check_template(chats.with_template(template), {})
    assert found is not None
    assert found.problems[0].endswith(
        "chat_template_kwargs={'thinking_mode': 'disabled'} cures that"
    )


@pytest.mark.parametrize("name", WRONG)
def test_what_would_be_wrong_in_silence_is_said(name: str) -> None:
    written, wanted = WRONG[name]
    check = check_model(chats.with_template(written))
    assert problem(check) == wanted
    assert not check


def test_an_argument_that_cures_a_template_makes_it_sound() -> None:
    tokenizer = chats.with_template(chats.THINKS)
    assert not check_model(tokenizer)
    assert check_model(tokenizer, chat_template_kwargs={"enable_thinking": False})


def test_two_tokens_at_the_beginning_are_too_many() -> None:
    tokenizer = chats.with_template("{{ bos_token }}{{ bos_token }}" + SOUND, bos=True)
    assert problem(check_model(tokenizer)) == (
        "the chat template: a prompt begins with 2 tokens '<|start|>': models have learnt one"
    )
    once = check_model(chats.with_template("{{ bos_token }}" + SOUND, bos=True))
    assert once
    assert once.template is not None
    assert once.template.begins == 1
    none = check_model(chats.with_template(SOUND, bos=True))
    assert none
    assert none.notes == (
        "the chat template: it writes no '<|start|>' in front, which the tokenizer puts before "
        "plain text; chats go without, as in transformers",
    )


def test_an_end_in_the_template_only_is_worth_a_note() -> None:
    check = check_model(chats.with_template(chats.ENDING["a token of its own"][0]))
    assert check
    assert check.notes == (
        "'<|eot|>' ends an answer in the chat template only: Generator and LogitsMask know it, "
        "model.generate by itself does not",
    )


def test_an_end_id_that_is_ordinary_text_is_said() -> None:
    tokenizer = chats.with_template(SOUND)
    newline = tokenizer("\n")["input_ids"][0]
    assert problem(check_model(tokenizer, end_ids=[newline])) == (
        f"the end id {newline} (generation_config) is ordinary text, b'\\n': no answer could hold "
        "it; take it out of the settings"
    )


def test_a_format_with_a_space_that_the_template_takes_away_is_said() -> None:
    trims = SOUND.replace("m['content']", "m['content'] | trim")
    check = check_model(chats.with_template(trims), {"yes or no": choice([" yes", " no"])})
    assert problem(check) == (
        "the format yes or no: ' no' is not what the template writes for such an answer (it "
        "changes white space); take that out of the format"
    )


def test_a_tokenizer_that_loses_text_is_refused_in_the_result() -> None:
    tokenizer = chats.with_template(SOUND)
    tokenizer.backend_tokenizer.decoder = decoders.WordPiece()
    check = check_model(tokenizer)
    assert not check
    assert check.tokens is None
    assert "refused" in repr(check)


def test_the_page_fits_on_one_screen() -> None:
    lines = repr(check_model(chats.with_template(chats.THINKS), GRADE)).splitlines()
    assert lines[0].endswith(": not to be trusted as it is")
    assert len(lines) <= 24
    assert {line[2:11].strip() for line in lines[1:]} == {
        "",
        "ids",
        "ends",
        "template",
        "spelled",
        "seconds",
        "wrong",
        "note",
    }


def test_the_value_is_offered_at_the_top() -> None:
    assert constrained.check_model is check_model
    assert constrained.ModelCheck is ModelCheck


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    """A model whose generation config names the end of its template."""
    path: Path = tmp_path_factory.mktemp("checked")
    tokenizer = chats.with_template(chats.THINKS)
    tokenizer.save_pretrained(path)
    model = copy.deepcopy(tiny.model("llama", len(tokenizer) + 2))
    model.generation_config.eos_token_id = [0, tokenizer.convert_tokens_to_ids("<|eot|>")]
    model.save_pretrained(path)
    (path / "model.safetensors").unlink()  # weights are not looked at
    return path


def test_settings_of_a_folder_count(folder: Path) -> None:
    check = check_model(folder, chat_template_kwargs={"enable_thinking": False})
    assert check
    assert [end.sources for end in check.ends] == [
        ("eos_token", "generation_config"),
        ("generation_config", "template"),
    ]
    assert check.tokens is not None
    assert check.tokens.padding == 2


def test_a_folder_with_a_tokenizer_alone_will_do(tmp_path: Path) -> None:
    chats.with_template(SOUND).save_pretrained(tmp_path)
    check = check_model(tmp_path)
    assert check
    assert check.tokens is not None
    assert check.tokens.width is None


def test_the_command_ends_with_1_when_something_is_wrong(folder: Path, capsys: Any) -> None:
    spec = "Essay score: {score:0..10} / 10"
    assert run(["check", str(folder), "--format", spec]) == 1
    page = capsys.readouterr().out
    assert "chat_template_kwargs={'enable_thinking': False} cures that" in page
    off = ["--chat-template-arg", "enable_thinking=false"]
    assert run(["check", str(folder), "--format", spec, *off, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["ends"][1] == {
        "id": found["ends"][1]["id"],
        "token": "<|eot|>",
        "sources": ["generation_config", "template"],
    }
    assert {text["format"] for text in found["spelled"]} == {"", spec}
    assert all(text["same"] for text in found["spelled"])


def test_what_is_no_model_or_no_format_is_bad_input(tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(ModelError):
        check_model(tmp_path / "nowhere")
    with pytest.raises(InvalidSpec):
        check_model(chats.with_template(SOUND), {"x": 7})
    assert run(["check", str(tmp_path / "nowhere")]) == 2
    assert run(["check", str(tmp_path), "--chat-template-arg", "x"]) == 2
    assert "write name=value" in capsys.readouterr().err
