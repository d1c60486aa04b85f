"""Arguments of the wrong kind are refused by name: never ignored, never taken for another one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch

from constrained.arguments import real_number, whole_number
from constrained.errors import ConstrainedError, GenerationError, ModelError, VocabularyError
from constrained.generation import Generator, LogitsMask, training_check
from constrained.models import load_model
from constrained.prompts import prompt_format
from constrained.spec import as_spec, integer, template, text
from constrained.testing import ByteTokenizer, ScriptedModel
from constrained.vocabulary import Vocabulary

SPEC = integer(0, 3)
FIELDS = template("{r} {s}", r=text(stop=".", max_length=3), s=range(3))
WRONG: tuple[Any, ...] = ("x", "5", 1.5, float("nan"), True, [], {}, [1.5], ..., b"x")
"""No number of tokens, samples or seeds is one of these."""


def model() -> ScriptedModel:
    return ScriptedModel(257, lambda _: {ord("1"): 0.6, ord("2"): 0.2})


def generator(**settings: Any) -> Generator:
    return Generator(model(), ByteTokenizer(), **settings)


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
@pytest.mark.parametrize("name", ["max_new_tokens", "top_k", "samples", "seed"])
def test_numbers_of_a_call_are_whole_numbers(name: str, wrong: Any) -> None:
    ask = generator()
    for call in (
        lambda: ask("a", SPEC, **{"temperature": 1.0, name: wrong}),
        lambda: ask.nested_distribution("a", FIELDS, "s", **{"samples": 1, name: wrong}),
        lambda: ask.distribution("a", SPEC, **{"samples": 2, name: wrong}),
    ):
        with pytest.raises(GenerationError):
            call()


def test_the_message_names_the_argument_and_what_was_passed() -> None:
    ask = generator()
    for settings, message in (
        ({"max_new_tokens": "5"}, "max_new_tokens must be a whole number, got '5'"),
        ({"samples": 1.5}, "samples must be a whole number, got 1.5"),
        ({"seed": 1.5}, "seed must be a whole number, got 1.5"),
        ({"seed": ["a"]}, "seed 0 must be a whole number, got 'a'"),
        ({"temperature": "hot"}, "temperature must be a number, got 'hot'"),
        ({"temperature": True}, "temperature must be a number, got True"),
        ({"top_p": [0.5]}, "top_p must be a number, got [0.5]"),
        ({"partial": 1}, "partial must be True or False, got 1"),
        ({"cancel": 1}, "cancel must be a threading.Event or a function that gives a bool, got 1"),
        ({"progress": "x"}, "progress must be a function that takes a Progress, got 'x'"),
    ):
        with pytest.raises(GenerationError) as caught:
            ask("a", SPEC, **settings)
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": -1}, "batch_size must be at least 1, got -1"),
        ({"spellings": "any"}, "spellings must be 'auto', 'canonical' or 'all', got 'any'"),
        ({"device_masks": "cuda"}, "device_masks must be None, True or False, got 'cuda'"),
        ({"batch_invariant": "no"}, "batch_invariant must be True or False, got 'no'"),
        ({"head_bytes": -1}, "head_bytes must be at least 0, got -1"),
        ({"limits": 5}, "limits must be a Limits object, got 5"),
    ],
)
def test_settings_of_a_generator_are_refused_when_it_is_made(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(GenerationError) as caught:
        generator(**settings)
    assert str(caught.value) == message


@pytest.mark.parametrize("wrong", [None, "57", 57, [1.5], [True], ["57"]], ids=repr)
def test_end_ids_are_a_list_of_ids(wrong: Any) -> None:
    for make in (
        lambda: generator(end_ids=wrong),
        lambda: Vocabulary([b"a", None], end_ids=wrong),
        lambda: Vocabulary.from_tokenizer(ByteTokenizer(), end_ids=wrong),
        lambda: LogitsMask(SPEC, ByteTokenizer(), end_ids=wrong),
    ):
        with pytest.raises(VocabularyError, match=r"end.id"):
            make()


@pytest.mark.parametrize(
    "settings",
    [
        {"max_new_tokens": "9"},
        {"max_new_tokens": 0},
        {"spellings": "any"},
        {"device_masks": 1},
        {"foreign_assistant": "yes"},
        {"width": "257"},
    ],
    ids=repr,
)
def test_settings_of_a_mask_are_refused_when_it_is_made(settings: dict[str, Any]) -> None:
    with pytest.raises(ConstrainedError, match="must be"):
        LogitsMask(SPEC, ByteTokenizer(), **settings)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (["a", None], "not NoneType: prompt 1 is None"),
        (["a", 3], "not int: prompt 1 is 3"),
        ([1.5], "not float: prompt 0 is 1.5"),
        ([b"abc"], "not bytes: prompt 0 is b'abc'"),
        ({"a"}, "not set"),
        ([["a", "b"]], "token 0 of prompt 0 must be a whole number, got 'a'"),
        ([1, {"role": "user"}], "token 1 of prompt 0 must be a whole number, got {'role': 'user'}"),
        ([True], "token 0 of prompt 0 must be a whole number, got True"),
        ("\ud800", "prompt 0 holds half a character (a lone surrogate) at position 0"),
    ],
)
def test_a_prompt_of_the_wrong_kind_is_refused_with_its_place(prompt: Any, message: str) -> None:
    with pytest.raises(GenerationError) as caught:
        generator()(prompt, SPEC)
    assert message in str(caught.value)


class Chatty(ByteTokenizer):
    """A tokenizer whose template is as strict as some are."""

    chat_template = "strict"

    def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> str:
        if messages[0]["role"] != "user":
            raise KeyError("Conversation roles must alternate user/assistant/user/assistant/...")
        return messages[0]["content"]


def test_what_a_chat_template_does_not_take_is_a_generation_error() -> None:
    ask = Generator(model(), Chatty())
    with pytest.raises(GenerationError) as caught:
        ask([{"role": "tool", "content": "x"}], SPEC)
    assert str(caught.value) == (
        "the tokenizer's chat template does not take prompt 0: 'Conversation roles must alternate "
        "user/assistant/user/assistant/...'"
    )
    with pytest.raises(GenerationError, match="message 1 of prompt 0 has no role"):
        ask([{"role": "user", "content": "x"}, {"content": "x"}], SPEC)


def test_what_is_no_model_and_no_tokenizer_is_named() -> None:
    with pytest.raises(GenerationError, match="no transformers model but 'gpt2'; load one"):
        Generator("gpt2", ByteTokenizer())
    with pytest.raises(GenerationError, match="pass the model before its tokenizer"):
        Generator(ByteTokenizer(), model())
    for wrong in ("gpt2", None):
        with pytest.raises(VocabularyError, match="this is no tokenizer but"):
            Generator(model(), wrong)
    for nameless in (None, 5):
        with pytest.raises(ModelError, match="the model must be a text"):
            load_model(nameless)  # type: ignore[arg-type]
    for name in ("device", "dtype", "adapter"):
        with pytest.raises(ModelError, match=f"{name} must be a text, got 1.5"):
            load_model("smollm2", **{name: 1.5})  # type: ignore[arg-type]


def test_paths_and_torchs_own_objects_say_which_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the folder has no config\.json"):
        load_model(tmp_path, device=torch.device("cpu"), dtype=torch.float32)


def test_numbers_of_numpy_are_numbers() -> None:
    ask = generator(batch_size=np.int64(2), head_bytes=np.int64(0))
    seeds: Any = np.array([1, 2])
    settings: Any = {
        "temperature": np.float32(1.0),
        "top_k": np.int64(3),
        "max_new_tokens": np.int32(4),
    }
    ours = ask(["a", "b"], SPEC, seed=seeds, **settings)
    assert [one.text for one in ours] == [
        one.text for one in ask(["a", "b"], SPEC, seed=[1, 2], temperature=1.0, top_k=3)
    ]
    assert ask([np.array([97]), np.array([98])], SPEC)[0].text == ask("a", SPEC).text
    assert ask("a", SPEC, cancel=Event()).complete


def test_numbers_are_checked_as_numbers() -> None:
    assert real_number(np.float32(0.5), "high", ValueError) == 0.5
    with pytest.raises(ValueError, match=r"^high is too large: 10{56}\.\.\.$"):
        real_number(10**400, "high", ValueError)
    with pytest.raises(ValueError, match=r"^samples must be at least 2, got 1$"):
        whole_number(1, "samples", ValueError, least=2)
    with pytest.raises(ValueError, match=r"^samples must be a whole number, got '9{56}\.\.\.$"):
        whole_number("9" * 100, "samples", ValueError)


def test_a_list_of_texts_is_not_guessed_at() -> None:
    ask = generator()
    for call in (ask, ask.distribution):
        with pytest.raises(GenerationError) as caught:
            call(["a", "b"], ["yes", "no"])
        assert str(caught.value) == (
            "['yes', 'no'] could be options of one answer or one text for each prompt; pass "
            "choice([...]) for options, as_spec(...) around each text otherwise"
        )
    assert [one.text for one in ask(["a", "b"], [as_spec("yes"), as_spec("no")])] == ["yes", "no"]
    assert ask(["a", "b"], ("2", "1"))[0].text == "1"


@pytest.mark.parametrize(
    ("ids", "scores", "message"),
    [
        (None, torch.zeros(1, 257), "a mask takes tensors of ids and scores, got NoneType and"),
        (torch.ones(1, 1).long(), [0.0], "a mask takes tensors of ids and scores, got Tensor and"),
        (torch.ones(1, 1).long(), torch.zeros(1, 257).long(), "scores of a floating type, got"),
        (torch.ones(1, 1).long(), torch.zeros(2, 257), "scores have shape (2, 257) for 1 rows"),
        (torch.ones(1, 1).long(), torch.zeros(1, 1, 257), "scores have shape (1, 1, 257) for 1"),
    ],
)
def test_a_mask_takes_ids_and_scores_that_belong_together(
    ids: Any, scores: Any, message: str
) -> None:
    mask: Any = LogitsMask(SPEC, ByteTokenizer())
    with pytest.raises(GenerationError) as caught:
        mask(ids, scores)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("targets", "prompts", "message"),
    [
        (-1, None, "there is nothing to check: pass a list of training targets"),
        ([1], None, "target 0 must be a text or token ids, got 1"),
        ([[1.5]], None, "an id of target 0 must be a whole number, got 1.5"),
        (["1"], 5, "prompts must be a list with one for each target, got 5"),
        (["1"], "x", "prompts must be a list with one for each target, got 'x'"),
    ],
)
def test_a_training_check_takes_lists(targets: Any, prompts: Any, message: str) -> None:
    with pytest.raises(GenerationError) as caught:
        training_check(SPEC, ByteTokenizer(), targets, prompts)
    assert str(caught.value) == message


def test_prompt_formats_take_texts() -> None:
    with pytest.raises(ConstrainedError, match="the name of a prompt format must be a text, got 5"):
        prompt_format(5)  # type: ignore[arg-type]
    chat: Any = prompt_format("guanaco")
    wrong: list[tuple[Callable[[], Any], str]] = [
        (lambda: chat.render(None), "text must be a text, got None"),
        (lambda: chat.render("a", system=1), "system must be a text, got 1"),
        (lambda: chat.render("a", history=["hi"]), "history must be a list of pairs"),
        (lambda: chat.render("a", history=None), "history must be a list of pairs"),
        (lambda: chat.encode("a", "gpt2"), "this is no tokenizer but 'gpt2'"),
    ]
    for ask, message in wrong:
        with pytest.raises(GenerationError, match=message):
            ask()


def test_distributions_are_asked_with_shares_and_conditions() -> None:
    found: Any = generator().distribution("a", SPEC)
    with pytest.raises(GenerationError, match="share must be a number, got 'x'"):
        found.quantile("x")
    with pytest.raises(GenerationError, match="a condition must be a function of a value, got 5"):
        found.given(5)
