"""Six real tokenizers: what their ids spell, and that formats run on them.

Needs their files: a folder with one folder per tokenizer (``tokenizer.json`` and its config), named
in the environment variable ``CONSTRAINED_TOKENIZERS``. Without it nothing in this file is
collected, so that the README's test command neither needs the files nor reports skips::

    CONSTRAINED_TOKENIZERS=/path/to/tokenizers pytest tests/conformance/test_tokenizers.py
"""

from __future__ import annotations

import functools
import os
import random
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

import constrained as ct
from constrained.engine import Engine
from constrained.generation import Generator
from constrained.generation.canonical import Speller
from constrained.generation.policy import guide_of
from constrained.testing import ScriptedModel
from constrained.tokenizers import PROBES
from constrained.vocabulary import Vocabulary

FOLDER = os.environ.get("CONSTRAINED_TOKENIZERS", "")
__test__ = bool(FOLDER)
NAMES = sorted(path.name for path in Path(FOLDER).iterdir()) if FOLDER else []

every_tokenizer = pytest.mark.parametrize("name", NAMES)


@functools.cache
def load(name: str) -> Any:
    return AutoTokenizer.from_pretrained(Path(FOLDER) / name)


@every_tokenizer
def test_texts_are_spelled_by_their_tokens(name: str) -> None:
    tokenizer = load(name)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    normalizer = tokenizer.backend_tokenizer.normalizer
    for text in (
        *PROBES,
        "\n\n\n",
        "        return",
        "<0x0A>",
        "▁x",
        "\u00a0",
        "x" * 300,
        " " * 70,
    ):
        ids = tokenizer.encode(text, add_special_tokens=False)
        spelled = vocabulary.spell(ids).decode("utf-8")
        composed = normalizer.normalize_str(text) if normalizer is not None else text
        forms = {text, composed.replace("▁", " "), text.replace("▁", " ")}
        assert spelled in forms | {" " + form for form in forms}
    assert vocabulary.spells is None


@every_tokenizer
def test_random_ids_spell_what_the_tokenizer_decodes(name: str) -> None:
    tokenizer = load(name)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    draws = random.Random(0)
    usable = [i for i, token in enumerate(vocabulary.tokens) if token is not None]
    for _ in range(500):
        ids = draws.choices(usable, k=4)
        decoded = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        spelled = vocabulary.spell(ids).decode("utf-8", errors="replace")
        # Some decoders write one replacement character per byte, others one per run of bytes.
        assert spelled.strip(" \ufffd").replace("\ufffd", "") == decoded.strip(" \ufffd").replace(
            "\ufffd", ""
        )


@every_tokenizer
def test_every_id_spells_what_the_tokenizer_decodes(name: str) -> None:
    tokenizer = load(name)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    usable = [i for i, token in enumerate(vocabulary.tokens) if token is not None]
    decoded = tokenizer.backend_tokenizer.decode_batch([[i] for i in usable])
    for index, text in zip(usable, decoded, strict=True):
        spelled = (vocabulary.tokens[index] or b"").decode("utf-8", errors="replace")
        # Some decoders drop a space at the start, or write one mark per byte that is no text.
        assert text.strip(" \ufffd") == spelled.strip(" \ufffd"), index


@every_tokenizer
def test_marks_are_left_out_of_strings_and_kept_for_formats(name: str) -> None:
    tokenizer = load(name)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    added = tokenizer.added_tokens_decoder
    plain = {i for i, token in added.items() if not token.special}
    known = {"deepseek_v3": 14, "qwen3": 12, "gemma3": 6245}  # Gemma: 6,242 unused and 3 more
    assert len(vocabulary.marks) == known.get(name, 0)
    assert vocabulary.marks <= plain
    engine = Engine(ct.json({"type": "string"}).grammar, vocabulary)
    inside = engine.advance_bytes(engine.start, b'"a')
    assert inside is not None
    allowed = set(engine.allowed(inside).tolist())
    assert not allowed & vocabulary.marks
    texts = {i: (vocabulary.tokens[i] or b"").decode() for i in plain - vocabulary.marks}
    assert all("\n" in text or "\t" in text or i in allowed for i, text in texts.items())
    for index in sorted(vocabulary.marks)[:20]:
        named = Engine(ct.choice([added[index].content, "no"]).grammar, vocabulary)
        assert index in named.allowed(named.start).tolist()


@every_tokenizer
def test_formats_with_spaces_run_and_stay_canonical(name: str) -> None:
    tokenizer = load(name)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    spec = ct.template("Essay score: {score} / 10", score=range(11))
    comma = tokenizer.encode(",", add_special_tokens=False)
    for policy in ("auto", "all"):
        for score in (0, 7, 10):
            text = f"Essay score: {score} / 10"
            wanted = tokenizer.encode("," + text, add_special_tokens=False)
            assert wanted[: len(comma)] == comma
            wanted = [*wanted[len(comma) :], tokenizer.eos_token_id]
            prompt = tokenizer("Grade this,")["input_ids"]

            def rule(ids: Any, wanted: Any = wanted, start: int = len(prompt)) -> dict[int, float]:
                return {wanted[min(len(ids) - start, len(wanted) - 1)]: 0.99}

            model = ScriptedModel(vocabulary.width, rule)
            result = Generator(model, tokenizer, spellings=policy)("Grade this,", spec)
            assert result.value == {"score": score}
            assert list(result.token_ids) == wanted[:-1]
            assert result.forward_passes <= 2


@every_tokenizer
def test_every_output_can_be_written_in_its_canonical_tokens(name: str) -> None:
    tokenizer = load(name)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    speller = Speller(tokenizer, vocabulary)
    spec = ct.json(
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 12},
                "score": {"type": "number"},
            },
            "required": ["name", "score"],
        }
    )
    guide = guide_of(spec, vocabulary, speller)
    for text in spec.examples(20):
        ids = speller.within(text.encode())
        if ids is None:
            continue
        node = guide.start
        for token in ids:
            assert token in guide.allowed(node)
            node = guide.advance(node, token)
        assert guide.accepting(node)


@pytest.mark.parametrize("name", [name for name in NAMES if name == "gemma3"])
def test_a_model_with_fewer_logits_than_its_tokenizer_has_ids(name: str) -> None:
    tokenizer = load(name)
    assert len(tokenizer) == 262_145
    vocabulary = Vocabulary.from_tokenizer(tokenizer, width=262_144)
    engine = Engine(ct.regex(r"[^\n]*\.").grammar, vocabulary)
    assert int(engine.allowed(engine.start).max()) < 262_144
