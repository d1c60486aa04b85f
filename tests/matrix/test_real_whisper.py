"""`LogitsMask` in the real Whisper base: what it hears decides, and what it writes is valid.

Whisper's own settings bring suppressed tokens and a prompt of special tokens only, which tiny
random models do not have. Oracles: what the recordings are known to say, what CTranslate2's own
runtime makes of the same file, and every token of the vocabulary tried. Audio of more than 30
seconds is no part of this: transformers wants timestamps for it, which a mask leaves no room for.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import torch

import constrained as ct
from constrained.errors import GenerationError
from constrained.generation import LogitsMask
from constrained.vocabulary import Vocabulary
from tests.matrix.real_whisper import (
    END,
    PROMPT,
    SPOKEN,
    START,
    WIDTH,
    features,
    text_of,
    transcribe,
    whisper,
)
from tests.matrix.reference import check_greedy

pytestmark = pytest.mark.slow

TIMER = ct.template(" Set a timer for {minutes} minutes.", minutes=range(1, 100))
TIMERS = {f" Set a timer for {i} minutes." for i in range(1, 100)}
COMMANDS = [
    " Turn the lights on.",
    " Turn the lights off.",
    " Turn the radio off.",
    " Set a timer for six minutes.",
    " Set a timer for seven minutes.",
]
"""With the space that Whisper begins a transcript with."""
COMMAND = ct.choice(COMMANDS)
NUMBER = ct.regex(r" ?[0-9]{1,3}(\.[0-9])?")

MODES: dict[str, dict[str, Any]] = {
    "greedy": {"do_sample": False},
    "several sequences": {"do_sample": True, "num_return_sequences": 2},
    "beams": {"num_beams": 3, "do_sample": False},
    "beam sampling": {"num_beams": 2, "do_sample": True},
    "static cache": {"do_sample": False, "cache_implementation": "static"},
}


def mask_of(specs: Any) -> LogitsMask:
    return LogitsMask(specs, whisper()[1], width=WIDTH)


# ------------------------------------------------------------------ the model is the real one


HEARD_AS_ENGLISH = {"lights_on": 0.9892910, "lights_off": 0.9865913, "timer": 0.9726666}
"""How likely English is, by CTranslate2 4.8.5 with the same file and recordings, in float32."""


def test_the_weights_are_read_as_their_own_runtime_reads_them() -> None:
    model, _ = whisper()
    codes = list(model.generation_config.lang_to_id.values())
    heard = features(*HEARD_AS_ENGLISH)["input_features"]
    with torch.inference_mode():
        logits = model(heard, decoder_input_ids=torch.full((len(heard), 1), START)).logits[:, 0]
    chances = logits[:, codes].softmax(-1)[
        :, codes.index(model.generation_config.lang_to_id["<|en|>"])
    ]
    assert chances.tolist() == pytest.approx(list(HEARD_AS_ENGLISH.values()), abs=1e-5)


def test_without_a_mask_it_writes_what_was_said() -> None:
    rows, _ = transcribe(list(SPOKEN), None)
    assert [text_of(row).strip() for row in rows] == list(SPOKEN.values())


# ------------------------------------------------------------------ every text is valid


@pytest.mark.parametrize("mode", MODES)
def test_every_text_is_valid_and_certain_words_are_heard(mode: str) -> None:
    rows, _ = transcribe(["lights_off", "timer"], mask_of(TIMER), **MODES[mode])
    texts = [text_of(row) for row in rows]
    copies = MODES[mode].get("num_return_sequences", 1)
    assert len(texts) == 2 * copies
    assert set(texts) <= TIMERS
    if not MODES[mode].get("do_sample"):
        assert texts[-1] == " Set a timer for 7 minutes."


@pytest.mark.parametrize("mode", ["greedy", "beams"])
def test_what_was_said_is_chosen_among_commands(mode: str) -> None:
    rows, _ = transcribe(list(SPOKEN), mask_of(COMMAND), **MODES[mode])
    assert [text_of(row) for row in rows] == [f" {said}" for said in SPOKEN.values()]


def test_drafts_from_the_words_before_change_nothing() -> None:
    mask = mask_of(TIMER)
    plain, _ = transcribe(["timer"], mask)
    drafted, _ = transcribe(["timer"], mask, prompt_lookup_num_tokens=3)
    assert drafted == plain
    assert text_of(plain[0]) == " Set a timer for 7 minutes."


def test_every_row_has_its_own_spec_and_none_is_free() -> None:
    names = ["timer", "lights_off", "lights_on"]
    rows, _ = transcribe(names, mask_of([TIMER, None, COMMAND]))
    assert [text_of(row) for row in rows] == [
        " Set a timer for 7 minutes.",
        " Turn the lights off.",
        " Turn the lights on.",
    ]


# ------------------------------------------------------------------ by brute force


BEGINNINGS = {timer.encode()[:end] for timer in TIMERS for end in range(len(timer) + 1)}


def begins_a_timer(text: bytes) -> bool:
    return text in BEGINNINGS


def begins_a_number(text: bytes) -> bool:
    return re.fullmatch(rb"| ?([0-9]{1,3}(\.[0-9]?)?)?", text) is not None


def is_a_number(text: bytes) -> bool:
    return re.fullmatch(rb" ?[0-9]{1,3}(\.[0-9])?", text) is not None


ORACLES: dict[str, Any] = {
    "template": (TIMER, begins_a_timer, lambda text: text.decode() in TIMERS),
    "regex": (NUMBER, begins_a_number, is_a_number),
}


@pytest.mark.parametrize(
    ("oracle", "mode"),
    [("template", "greedy"), ("template", "static cache"), ("regex", "greedy")],
)
def test_greedy_text_is_the_best_that_brute_force_finds(oracle: str, mode: str) -> None:
    model, tokenizer = whisper()
    spec, begins, complete = ORACLES[oracle]
    vocabulary = Vocabulary.from_tokenizer(tokenizer, width=WIDTH)
    names = ["lights_off", "timer"]
    rows, output = transcribe(
        names, LogitsMask(spec, vocabulary), output_logits=True, **MODES[mode]
    )
    never = set(model.generation_config.suppress_tokens)
    not_first = never | set(model.generation_config.begin_suppress_tokens)
    for number, row in enumerate(rows):
        logits = [scores[number] for scores in output.logits]
        check_greedy(
            vocabulary, logits, row, begins, complete, lambda place: never if place else not_first
        )


def test_wide_beams_find_the_most_probable_command() -> None:
    """With more beams than commands nothing is pruned, so every command is scored by hand here."""
    model, tokenizer = whisper()
    settings = {"num_beams": 7, "length_penalty": 0.0, "output_scores": True}
    names = ["lights_on", "timer"]
    rows, output = transcribe(names, mask_of(COMMAND), **settings)
    for place, name in enumerate(names):
        scored = {}
        for command in COMMANDS:
            path = [*tokenizer.encode(command, add_special_tokens=False), END]
            with torch.inference_mode():
                logits = model(
                    features(name)["input_features"],
                    decoder_input_ids=torch.tensor([PROMPT + path]),
                ).logits[0]
            chances = logits[len(PROMPT) - 1 : -1].log_softmax(-1)
            scored[command] = float(chances[range(len(path)), path].sum())
        best = max(COMMANDS, key=lambda command: scored[command])
        assert text_of(rows[place]) == best
        assert float(output.sequences_scores[place]) == pytest.approx(scored[best], abs=1e-3)


# ------------------------------------------------------------------ Whisper's own settings


DEVICE = {
    "type": "object",
    "properties": {
        "device": {"enum": ["lights", "timer", "radio"]},
        "state": {"enum": ["on", "off"]},
    },
    "required": ["device", "state"],
    "additionalProperties": False,
}
FORBIDDEN = (
    "every token that the spec allows is forbidden by another setting of generate, such as "
    "no_repeat_ngram_size, min_new_tokens, bad_words_ids, suppress_tokens or "
    "return_timestamps; leave it out"
)


@pytest.mark.parametrize("mode", ["greedy", "beams"])
def test_json_needs_the_symbols_that_whisper_suppresses(mode: str) -> None:
    """Whisper's settings forbid braces and quotation marks; with them no object can be written."""
    mask = mask_of(ct.json(DEVICE))
    with pytest.raises(GenerationError) as error:
        transcribe(["lights_off"], mask, **MODES[mode])
    assert str(error.value) == FORBIDDEN
    rows, _ = transcribe(["lights_off"], mask, suppress_tokens=None, **MODES[mode])
    answer = json.loads(text_of(rows[0]))
    assert answer.keys() == {"device", "state"}
    assert answer["device"] in {"lights", "timer", "radio"}
    assert answer["state"] in {"on", "off"}


def test_timestamps_cannot_be_asked_for_beside_a_mask() -> None:
    """They are tokens that spell nothing, and Whisper's settings demand one before the text."""
    with pytest.raises(GenerationError) as error:
        transcribe(["timer"], mask_of(TIMER), return_timestamps=True)
    assert str(error.value) == FORBIDDEN
