"""Chat templates: what ends an answer, what stands before it, and which arguments are taken."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrained.chat import (
    answer_turn,
    before_answer,
    check_arguments,
    ends_of,
    render_chat,
    takes_chats,
    template_end,
    template_variables,
)
from constrained.errors import GenerationError
from constrained.testing import ByteTokenizer
from constrained.vocabulary import Vocabulary
from tests import chats, tiny

ASKED = [{"role": "user", "content": "Grade this."}]


@pytest.mark.parametrize("name", chats.ENDING)
def test_the_end_of_a_turn_is_what_the_template_writes_after_an_answer(name: str) -> None:
    template, wanted = chats.ENDING[name]
    tokenizer = chats.with_template(template)
    found = template_end(tokenizer)
    assert (None if found is None else tokenizer.convert_ids_to_tokens(found)) == wanted
    ends = Vocabulary.from_tokenizer(tokenizer).end_ids
    assert ends == {tokenizer.eos_token_id} | ({found} - {None})


def test_an_added_token_ends_a_turn_though_it_is_not_special() -> None:
    tokenizer = copy.deepcopy(tiny.byte_level())
    tokenizer.add_tokens(["<turn>"])
    tokenizer.chat_template = chats.TURN + "<turn>{% endfor %}"
    assert template_end(tokenizer) == tokenizer.convert_tokens_to_ids("<turn>")


def test_white_space_that_was_added_as_a_token_ends_nothing() -> None:
    tokenizer = copy.deepcopy(tiny.byte_level())
    tokenizer.add_tokens(["\n\n"])
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}\n\n{% endfor %}"
    assert template_end(tokenizer) is None


def test_one_template_of_several_is_chosen_as_transformers_chooses() -> None:
    tokenizer = chats.with_template(
        {
            "default": chats.ENDING["a token of its own"][0],
            "other": chats.ENDING["the end of sequence"][0],
        }
    )
    ids = tokenizer.convert_tokens_to_ids(["<|eot|>", "<|end|>"])
    assert [template_end(tokenizer), template_end(tokenizer, {"chat_template": "other"})] == ids


def test_tokens_that_are_set_later_are_read_again() -> None:
    tokenizer = chats.with_template(chats.TURN + "{{ eos_token }}{% endfor %}")
    assert template_end(tokenizer) == tokenizer.convert_tokens_to_ids("<|end|>")
    tokenizer.eos_token = "<|eot|>"
    assert template_end(tokenizer) == tokenizer.convert_tokens_to_ids("<|eot|>")
    tokenizer.chat_template = chats.TURN + "<turn>{% endfor %}"
    assert template_end(tokenizer) is None
    tokenizer.add_tokens(["<turn>"])
    assert template_end(tokenizer) == tokenizer.convert_tokens_to_ids("<turn>")


def test_each_end_says_where_it_was_found() -> None:
    tokenizer = chats.with_template(chats.ENDING["a token of its own"][0])
    eot, end = tokenizer.convert_tokens_to_ids(["<|eot|>", "<|end|>"])
    found = {end.token: end.sources for end in ends_of(tokenizer, model=[end, eot], given=[eot, 5])}
    assert found.pop("<|end|>") == ("eos_token", "generation_config")
    assert found.pop("<|eot|>") == ("generation_config", "template", "given")
    assert list(found.values()) == [("given",)]


def test_an_end_that_the_model_has_no_logit_for_is_left_out() -> None:
    tokenizer = chats.with_template(chats.ENDING["a token of its own"][0])
    eot = template_end(tokenizer)
    assert eot is not None
    assert eot in Vocabulary.from_tokenizer(tokenizer, width=eot + 1).end_ids
    assert eot not in Vocabulary.from_tokenizer(tokenizer, width=eot).end_ids


@given(st.text(alphabet="ab \n<|eot>", max_size=8), st.text(alphabet=" \n\t", max_size=3))
def test_only_a_marker_that_comes_first_ends_a_turn(text: str, space: str) -> None:
    tokenizer = chats.with_template(chats.TURN + "{{ '" + "' }}{% endfor %}")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['content'] }}" + repr_jinja(space + text) + "{% endfor %}"
    )
    first = text.lstrip()
    wanted = next((m for m in [*chats.MARKERS, "<|end|>"] if first.startswith(m)), None)
    if not first:  # the next message follows at once, and begins with a word
        wanted = None
    found = template_end(tokenizer)
    assert (None if found is None else tokenizer.convert_ids_to_tokens(found)) == wanted


def repr_jinja(text: str) -> str:
    return "{{ " + repr(text) + " }}"


LEADS = {"a space": " ", "a line feed": "\n", "two line feeds": "\n\n", "nothing": ""}


@pytest.mark.parametrize("name", LEADS)
def test_white_space_before_an_answer_is_read_off_the_template(name: str) -> None:
    lead = LEADS[name]
    answer = "{% if m['role'] == 'assistant' %}" + repr_jinja(lead) + "{% endif %}"
    template = chats.TURN.replace("{{ m['content'] }}", answer + "{{ m['content'] }}")
    tokenizer = chats.with_template(template + "<|eot|>{% endfor %}" + chats.ASK)
    turn = answer_turn(tokenizer)
    assert turn.lead == lead
    prompt = before_answer(tokenizer, turn.prompt, lead)
    assert prompt.lead == lead
    joint = tokenizer(turn.prompt + lead + "Essay", add_special_tokens=False)["input_ids"]
    assert tuple(joint[: len(prompt.ids)]) == prompt.ids


def test_a_space_that_only_the_tokenizer_puts_there_counts() -> None:
    """Llama 2's tokenizer writes a space after a special token, whatever the template says."""
    tokenizer = chats.llama()
    prompt = before_answer(tokenizer, "<s>", "")
    joint = tokenizer("<s>Zanswerz", add_special_tokens=False)["input_ids"]
    assert prompt.lead == tokenizer.decode(joint)[len("<s>") : -len("Zanswerz")]


def test_a_lead_that_is_one_token_with_the_end_of_the_prompt_takes_it_along() -> None:
    tokenizer = chats.with_template(None)
    tokenizer.add_tokens([":\n\n"])
    tokenizer.add_tokens(["\n\n\n"])
    prompt = before_answer(tokenizer, "Answer\n", "\n\n")
    assert (tokenizer.decode(prompt.ids), prompt.lead) == ("Answer", "\n\n\n")


def test_anything_but_white_space_is_left_to_the_model() -> None:
    turn = answer_turn(chats.with_template(chats.THINKS))
    assert turn.lead == "<think>\n\n</think>\n\n"
    assert before_answer(chats.with_template(None), "A", turn.lead).lead == ""


def test_another_conversation_after_an_answer_is_told_apart() -> None:
    opened = (
        chats.ENDING["a token of its own"][0] + "{% if add_generation_prompt %}<think>{% endif %}"
    )
    turn = answer_turn(chats.with_template(opened))
    assert (turn.lead, turn.after) == (None, "<|eot|>")


def test_the_names_that_a_template_reads() -> None:
    assert template_variables(chats.THINKS) == {
        "messages",
        "add_generation_prompt",
        "enable_thinking",
    }
    assert template_variables("{% generation %}{{ x }}{% endgeneration %}") == {"x"}
    assert template_variables("{% for %}") is None


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("{% if a %}{% set x = 1 %}{% endif %}{{ x }}", "a"),
        ("{% if a %}{% elif b %}{% set x = 1 %}{% endif %}{{ x }}", "a b"),
        ("{% if x is not defined %}{% set x = 1 %}{% endif %}{{ x }}", "x"),
        ("{% set x = x | default(1) %}{{ x }}", "x"),
        ("{% for x in a if x %}{{ loop.index }}{{ x }}{% endfor %}", "a"),
        ("{% for x in a %}{% set y = x %}{% endfor %}{{ y }}", "a y"),
        ("{% for k, v in a.items() %}{{ k }}{{ v }}{% else %}{{ k }}{% endfor %}", "a k"),
        ("{% macro f(x, y=z) %}{{ x }}{{ y }}{{ w }}{% endmacro %}{% set w = 1 %}{{ f() }}", "z"),
        ("{% set ns = namespace(a=1) %}{% set ns.b = c %}{{ ns.b }}{{ range(3) }}", "c"),
        ("{% set x %}{{ y }}{% endset %}{{ x }}", "y"),
        ("{% call(u) f(g) %}{{ u }}{% endcall %}", "f g"),
        ("{% with a = b %}{{ a }}{% endwith %}{{ a }}", "a b"),
        ("{% filter upper %}{{ x }}{% endfilter %}", "x"),
        ("{% if custom %}{% set tools = custom %}{% endif %}{{ tools }}", "custom tools"),
        ("{% if a %}{% set tools = 1 %}{% else %}{% set tools = 2 %}{% endif %}{{ tools }}", "a"),
    ],
)
def test_names_that_a_template_sets_on_some_path_are_its_own(text: str, free: str) -> None:
    assert template_variables(text) == {*free.split()}


def test_names_of_the_templates_own_are_no_arguments() -> None:
    own = "{% for m in messages %}{% set content = m.content %}{{ content }}{% endfor %}{{ tone }}"
    tokenizer = chats.with_template(own + "{{ bos_token }}{{ raise_exception }}")
    assert check_arguments(tokenizer, {"tone": "mild"}) == {"tone": "mild"}
    for name in ("m", "content", "loop", "range", "namespace"):
        with pytest.raises(GenerationError, match=f"does not read the argument '{name}'"):
            check_arguments(tokenizer, {name: 1})
    for name in ("eos_token", "raise_exception", "strftime_now"):
        with pytest.raises(GenerationError) as caught:
            check_arguments(tokenizer, {name: 1})
        assert str(caught.value) == (
            f"the argument {name!r} of a chat template is given by the tokenizer; leave it out of "
            "chat_template_kwargs"
        )


def test_an_argument_that_a_template_needs_is_named() -> None:
    tokenizer = chats.with_template("{{ functions.names }}{{ messages }}")
    with pytest.raises(GenerationError) as caught:
        render_chat(tokenizer, ASKED)
    assert str(caught.value) == (
        "the tokenizer's chat template does not take this conversation: 'functions' is undefined; "
        "pass it as chat_template_kwargs={'functions': ...}"
    )


@pytest.mark.parametrize("known", [True, False])
def test_chats_go_through_a_template_or_through_mistral_common(known: bool) -> None:
    inner = SimpleNamespace(n_words=1, is_special=bool)
    request = SimpleNamespace(instruct_tokenizer=SimpleNamespace(tokenizer=inner if known else 1))
    tokenizer = SimpleNamespace(tokenizer=request, apply_chat_template=list)
    assert takes_chats(tokenizer) == known
    assert takes_chats(chats.with_template(chats.THINKS))
    assert not takes_chats(ByteTokenizer())


def test_arguments_reach_the_template() -> None:
    tokenizer = chats.with_template(chats.THINKS)
    assert "<think>" not in render_chat(tokenizer, ASKED)
    assert render_chat(tokenizer, ASKED, {"enable_thinking": False}).endswith("</think>\n\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"enable_thinkin": False},
            "the chat template does not read the argument 'enable_thinkin', so it would change "
            "nothing; did you mean 'enable_thinking'?",
        ),
        (
            {"date_string": "1 May"},
            "the chat template does not read the argument 'date_string', so it would change "
            "nothing; it reads enable_thinking",
        ),
        (
            {"tokenize": True},
            "the argument 'tokenize' of a chat template is set by this library; leave it out of "
            "chat_template_kwargs",
        ),
        (
            [("enable_thinking", False)],
            "chat_template_kwargs must be a mapping from names to values, got "
            "[('enable_thinking', False)]",
        ),
    ],
)
def test_an_argument_that_would_change_nothing_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(GenerationError) as caught:
        check_arguments(chats.with_template(chats.THINKS), arguments)
    assert str(caught.value) == message


def test_arguments_without_a_template_are_refused() -> None:
    with pytest.raises(GenerationError) as caught:
        check_arguments(ByteTokenizer(), {"enable_thinking": False})
    assert str(caught.value) == (
        "there is no chat template to take the argument 'enable_thinking': this tokenizer has "
        "none; leave chat_template_kwargs out"
    )


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('no') }}",
        "{{ messages.append(1) }}",
        "{{ 1 // 0 }}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ messages | tojson(indent='x') }}{{ nothing.there }}",
        "{% if %}",
        "{{ '%5000d' % 1 | int }}{{ raise_exception('x' * 100000) }}",
    ],
)
def test_whatever_a_template_raises_is_one_short_error(template: str) -> None:
    with pytest.raises(GenerationError) as caught:
        render_chat(chats.with_template(template), ASKED)
    assert str(caught.value).startswith("the tokenizer's chat template does not take this ")
    assert len(str(caught.value)) < 400
    assert template_end(chats.with_template(template)) is None
