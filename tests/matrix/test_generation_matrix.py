"""`LogitsMask` in `model.generate`: (mode x architecture x padding), on tiny random models.

Two oracles that know nothing of engines or masks. Outputs: a text counts as valid if it is in a
set that is written down here. Masks: at every step of greedy decoding each token of the vocabulary
is tried, and the best-scored one that keeps the text a beginning of an output must be what the
model wrote.
"""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
import torch._inductor.config
import transformers

import constrained as ct
from constrained.errors import GenerationError
from constrained.generation import LogitsMask
from tests import tiny
from tests.matrix.models import DECODERS, KINDS, Subject, subject
from tests.matrix.reference import check_greedy

GRADE = ct.template("Essay score: {score} / 10", score=range(11))
GRADES = {f"Essay score: {i} / 10" for i in range(11)}
LABEL = ct.choice(["positive", "negative", "neutral"])
LABELS = {"positive", "negative", "neutral"}
NUMBER = ct.regex(r"[0-9]{1,3}(\.[0-9])?")

PROMPTS = ["The essay argues well, but its ending is weak.", "Bad.", "a"]
ECHO = ["Essay score: 3 / 10\nEssay score: 9 / 10\n"]
"""A prompt whose own words are drafts for the answer."""

MODES: dict[str, dict[str, Any]] = {
    "greedy": {"do_sample": False},
    "sampling": {"do_sample": True, "top_k": 0},
    "several sequences": {"do_sample": True, "num_return_sequences": 3},
    "beams": {"num_beams": 3, "do_sample": False},
    "beams, several": {"num_beams": 4, "num_return_sequences": 3, "do_sample": False},
    "beam sampling": {"num_beams": 3, "do_sample": True},
    "static cache": {"do_sample": False, "cache_implementation": "static"},
}
DRAFTS: dict[str, dict[str, Any]] = {
    "prompt lookup": {"prompt_lookup_num_tokens": 4},
    "assisted": {"assistant_model": True},
}


def mask_of(specs: Any, asked: Subject) -> LogitsMask:
    return LogitsMask(specs, asked.tokenizer, width=asked.width)


def texts_of(asked: Subject, prompts: Sequence[str], mask: Any, **settings: Any) -> list[str]:
    return [asked.text(row) for row in asked.generate(prompts, mask, **settings)[0]]


# ------------------------------------------------------------------ every text is valid


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_text_is_valid(kind: str, mode: str, side: str) -> None:
    asked = subject(kind)
    texts = texts_of(asked, PROMPTS, mask_of(GRADE, asked), side=side, **MODES[mode])
    assert set(texts) <= GRADES
    assert len(texts) == len(PROMPTS) * MODES[mode].get("num_return_sequences", 1)


@pytest.mark.parametrize("mode", DRAFTS)
@pytest.mark.parametrize("kind", KINDS)
def test_drafts_change_nothing(kind: str, mode: str) -> None:
    asked = subject(kind)
    settings = dict(DRAFTS[mode])
    if "assistant_model" in settings:
        settings["assistant_model"] = subject(kind, seed=3).model
    mask = mask_of(GRADE, asked)
    plain = texts_of(asked, ECHO, mask, do_sample=False)
    assert set(plain) <= GRADES
    assert texts_of(asked, ECHO, mask_of(GRADE, asked), do_sample=False, **settings) == plain
    for seed in range(2):
        assert set(texts_of(asked, ECHO, mask, do_sample=True, seed=seed, **settings)) <= GRADES


@pytest.mark.parametrize("mode", ["greedy", "beams, several"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_row_has_its_own_spec_and_none_is_free(kind: str, mode: str) -> None:
    asked = subject(kind)
    copies = MODES[mode].get("num_return_sequences", 1)
    mask = mask_of([GRADE, None, LABEL], asked)
    rows, _ = asked.generate(PROMPTS, mask, max_new_tokens=24, **MODES[mode])
    assert {asked.text(row) for row in rows[:copies]} <= GRADES
    assert {asked.text(row) for row in rows[2 * copies :]} <= LABELS
    free, _ = asked.generate(PROMPTS, None, max_new_tokens=24, **MODES[mode])
    width = min(len(free[0]), len(rows[0]))
    middle = slice(copies, 2 * copies)
    assert [row[:width] for row in rows[middle]] == [row[:width] for row in free[middle]]


# ------------------------------------------------------------------ masks by brute force


def begins_a_grade(text: bytes) -> bool:
    return any(grade.encode().startswith(text) for grade in GRADES)


def begins_a_number(text: bytes) -> bool:
    return re.fullmatch(rb"|[0-9]{1,3}(\.[0-9]?)?", text) is not None


ORACLES: dict[str, tuple[Any, Callable[[bytes], bool], Callable[[bytes], bool]]] = {
    "template": (GRADE, begins_a_grade, lambda text: text.decode() in GRADES),
    "regex": (
        NUMBER,
        begins_a_number,
        lambda text: re.fullmatch(rb"[0-9]{1,3}(\.[0-9])?", text) is not None,
    ),
}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("mode", ["greedy", "static cache"])
@pytest.mark.parametrize("kind", KINDS)
def test_greedy_text_is_the_best_that_brute_force_finds(
    kind: str, mode: str, oracle: str, side: str
) -> None:
    asked = subject(kind)
    spec, begins, complete = ORACLES[oracle]
    mask = LogitsMask(spec, asked.vocabulary)
    rows, output = asked.generate(PROMPTS, mask, side=side, output_logits=True, **MODES[mode])
    for number, row in enumerate(rows):
        logits = [scores[number] for scores in output.logits]
        check_greedy(asked.vocabulary, logits, row, begins, complete)


@pytest.mark.parametrize("kind", DECODERS)
def test_wide_beams_find_the_most_probable_output(kind: str) -> None:
    """With more beams than outputs nothing is pruned, so every output is scored by hand here."""
    asked = subject(kind)
    end = asked.tokenizer.eos_token_id
    mask = mask_of(GRADE, asked)
    for prompt in PROMPTS:
        ids = asked.inputs([prompt])["input_ids"][0]
        rows, _ = asked.generate([prompt], mask, num_beams=24, do_sample=False, length_penalty=0.0)
        scored: dict[str, float] = {}
        for grade in GRADES:
            whole = asked.tokenizer.encode("\n" + grade, add_special_tokens=False)
            path = [*whole[whole.index(first_token_of(asked, whole)) :], end]
            with torch.inference_mode():
                logits = asked.model(torch.cat([ids, torch.tensor(path)])[None]).logits[0]
            chances = logits[len(ids) - 1 : -1].log_softmax(-1)
            scored[grade] = float(chances[range(len(path)), path].sum())
        assert asked.text(rows[0]) == max(scored, key=lambda grade: scored[grade])


def first_token_of(asked: Subject, ids: list[int]) -> int:
    """The token with which the output begins, after the line break before it."""
    return next(i for i in ids if (asked.vocabulary.tokens[i] or b"").startswith(b"E"))


SCHEMA = {
    "type": "object",
    "properties": {
        "score": {"type": "integer", "minimum": 0, "maximum": 10},
        "tags": {"type": "array", "items": {"enum": ["good", "bad"]}, "maxItems": 3},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 12},
    },
    "required": ["score", "name"],
    "additionalProperties": False,
}


# T5 has no token for a backslash, so its strings have no escapes.
@pytest.mark.filterwarnings("ignore::constrained.errors.SpellingWarning")
@pytest.mark.parametrize("mode", ["sampling", "beams"])
@pytest.mark.parametrize("kind", KINDS)
def test_objects_are_complete_and_valid_when_the_tokens_run_out(kind: str, mode: str) -> None:
    asked = subject(kind)
    spec = ct.json(SCHEMA, whitespace="compact")
    mask = LogitsMask(spec, asked.tokenizer, width=asked.width, max_new_tokens=60)
    for text in texts_of(asked, PROMPTS, mask, max_new_tokens=60, **MODES[mode]):
        jsonschema.validate(json.loads(text), SCHEMA)


# ------------------------------------------------------------------ other settings of generate


@pytest.mark.parametrize(
    "settings",
    [
        {"repetition_penalty": 1.5},
        {"guidance_scale": 1.5},
        {"renormalize_logits": True, "num_beams": 2},
        {"remove_invalid_values": True, "do_sample": True},
        {"temperature": 3.0, "top_k": 3, "top_p": 0.5, "do_sample": True},
        {"min_p": 0.5, "do_sample": True},
        {"min_new_tokens": 3},
    ],
    ids=str,
)
def test_other_processors_beside_the_mask(settings: dict[str, Any]) -> None:
    asked = subject("gpt2")
    assert set(texts_of(asked, PROMPTS, mask_of(GRADE, asked), **settings)) <= GRADES


@pytest.mark.parametrize("mode", ["greedy", "sampling", "beams"])
@pytest.mark.parametrize("settings", [{"no_repeat_ngram_size": 1}, {"min_new_tokens": 40}], ids=str)
def test_settings_that_forbid_everything_are_refused(mode: str, settings: dict[str, Any]) -> None:
    """transformers would write the first token of the vocabulary, or fail in sampling."""
    asked = subject("gpt2")
    with pytest.raises(GenerationError) as error:
        asked.generate(ECHO, mask_of(GRADE, asked), **settings, **MODES[mode])
    assert str(error.value) == (
        "every token that the spec allows is forbidden by another setting of generate, such as "
        "no_repeat_ngram_size, min_new_tokens, bad_words_ids, suppress_tokens or "
        "return_timestamps; leave it out"
    )


@pytest.mark.parametrize("size", [300, 700])
@pytest.mark.parametrize("do_sample", [False, True])
def test_an_assistant_with_another_vocabulary(size: int, do_sample: bool) -> None:
    asked = subject("gpt2")
    other = tiny.byte_level(size, digits=False)
    ids = {"end": other.eos_token_id, "pad": other.pad_token_id}
    assistant = tiny.model("gpt2", len(other), seed=5, **ids)
    mask = LogitsMask(GRADE, asked.tokenizer, width=asked.width, foreign_assistant=True)
    texts = texts_of(
        asked,
        ECHO,
        mask,
        do_sample=do_sample,
        assistant_model=assistant,
        tokenizer=asked.tokenizer,
        assistant_tokenizer=other,
    )
    assert set(texts) <= GRADES
    if not do_sample:
        assert texts == texts_of(asked, ECHO, mask_of(GRADE, asked), do_sample=False)


# ------------------------------------------------------------------ one object, many calls


@pytest.mark.parametrize("kind", KINDS)
def test_one_object_serves_calls_of_different_shapes(kind: str) -> None:
    asked = subject(kind)
    mask = mask_of(GRADE, asked)
    first = texts_of(asked, PROMPTS, mask, do_sample=False)
    for count, mode in ((1, "beams"), (2, "sampling"), (3, "several sequences"), (1, "greedy")):
        assert set(texts_of(asked, PROMPTS[:count], mask, **MODES[mode])) <= GRADES
    assert texts_of(asked, PROMPTS, mask, do_sample=False) == first


@pytest.mark.parametrize("end_is_kept", [True, False])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("t5", "whisper", "llava")])
def test_a_second_turn_begins_with_the_first(kind: str, end_is_kept: bool) -> None:
    asked = subject(kind)
    mask = mask_of(GRADE, asked)
    ids = asked.inputs(["The essay argues well.\n"])["input_ids"]
    more = asked.tokenizer("\nAnd now:", return_tensors="pt", add_special_tokens=False)
    for _ in range(3):
        output = asked.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=48,
            logits_processor=[mask],
            do_sample=False,
        )
        answer = output[:, ids.shape[1] :]
        assert asked.text(answer[0].tolist()) in GRADES
        kept = output if end_is_kept else output[:, :-1]
        ids = torch.cat([kept, more["input_ids"]], dim=1)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_share_one_object(kind: str) -> None:
    asked = subject(kind)
    mask = mask_of(GRADE, asked)
    inputs = {prompt: asked.inputs([prompt]) for prompt in PROMPTS}

    def answer(prompt: str) -> list[int]:
        found = asked.model.generate(
            **inputs[prompt], max_new_tokens=48, logits_processor=[mask], do_sample=False
        )
        return list(found[0].tolist())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {prompt: answer(prompt) for prompt in PROMPTS}
        found: dict[str, list[int]] = {}
        threads = [
            threading.Thread(target=lambda p=prompt: found.__setitem__(p, answer(p)))
            for prompt in PROMPTS
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == expected


def test_a_thread_may_go_on_where_another_stopped() -> None:
    """The same rows mean a prompt in one thread and a step in another."""
    asked = subject("gpt2")
    mask = LogitsMask(ct.regex("(ab|c)+d"), asked.vocabulary)
    a, b = (asked.vocabulary.tokens.index(text) for text in (b"a", b"b"))
    scores = torch.zeros(1, asked.width)
    mask(torch.tensor([[7, 8]]), scores)
    assert torch.isfinite(mask(torch.tensor([[7, 8, a]]), scores))[0, b]
    seen: list[bool] = []

    def work() -> None:
        allowed = torch.isfinite(mask(torch.tensor([[7, 8, a]]), scores))[0]
        seen.extend([bool(allowed[a]), bool(allowed[b])])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True, False]


# ------------------------------------------------------------------ pipelines and compilation


@pytest.mark.parametrize("kind", ["llama", "gpt2", "qwen3"])
def test_text_generation_pipelines(kind: str) -> None:
    asked = subject(kind)
    pipe = transformers.pipeline(
        "text-generation", model=asked.model, tokenizer=asked.tokenizer, device="cpu"
    )
    mask = mask_of(GRADE, asked)
    for settings in ({}, {"batch_size": 2}, {"num_beams": 2}, {"num_return_sequences": 2}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = pipe(
                PROMPTS,
                logits_processor=[mask],
                return_full_text=False,
                max_new_tokens=48,
                do_sample="num_return_sequences" in settings,
                **settings,
            )
        texts = [answer["generated_text"] for row in answers for answer in row]
        assert {text.removeprefix(" ") for text in texts} <= GRADES
        assert len(texts) == len(PROMPTS) * settings.get("num_return_sequences", 1)


@pytest.mark.slow
@pytest.mark.parametrize("cache", [None, "static"])
def test_a_compiled_forward(cache: str | None) -> None:
    asked = subject("llama")
    plain = texts_of(asked, PROMPTS, mask_of(GRADE, asked), do_sample=False)
    forward = asked.model.forward
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked.model.forward = torch.compile(forward, backend="aot_eager")
        try:
            mask = mask_of(GRADE, asked)
            assert plain == texts_of(
                asked, PROMPTS, mask, do_sample=False, cache_implementation=cache
            )
        finally:
            asked.model.forward = forward


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "mode"), [("llama", "greedy"), ("gpt2", "beams")])
def test_a_forward_compiled_to_machine_code(
    kind: str, mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By Inductor, the compiler that torch takes unless told; on a CPU it writes C++."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    asked = subject(kind)
    plain = texts_of(asked, PROMPTS, mask_of(GRADE, asked), **MODES[mode])
    settings = {**MODES[mode], "cache_implementation": "static"}
    forward = asked.model.forward
    no_workers = torch._inductor.config.patch(compile_threads=1)
    with warnings.catch_warnings(), no_workers:
        warnings.simplefilter("ignore")
        asked.model.forward = torch.compile(forward)
        try:
            assert texts_of(asked, PROMPTS, mask_of(GRADE, asked), **settings) == plain
        finally:
            asked.model.forward = forward
            torch.compiler.reset()
    assert any(tmp_path.rglob("*.cpp"))
