"""The tokenizers that mistral-common ships, as transformers wraps them.

Collected where mistral-common is installed (``pip install mistral-common sentencepiece``; both are
Apache-2.0, but some of what the first needs is not as freely licensed, so tests do not ask for it).
"""

from __future__ import annotations

import functools
import importlib.util
import random
from pathlib import Path
from typing import Any

import pytest

import constrained as ct
from constrained.generation import Generator
from constrained.generation.canonical import Speller
from constrained.generation.inputs import prompt_ids
from constrained.prompts import prompt_format
from constrained.testing import ScriptedModel
from constrained.vocabulary import Vocabulary

FOUND = importlib.util.find_spec("mistral_common")
__test__ = FOUND is not None
SHIPPED = Path(FOUND.origin or "").parent / "data" if FOUND is not None else Path()
NAMES = sorted(
    path.name
    for path in (SHIPPED.iterdir() if __test__ else ())
    if path.name.startswith("tekken") or ".model.v" in path.name
)
every_tokenizer = pytest.mark.parametrize("name", NAMES)


@functools.cache
def load(name: str) -> Any:
    from transformers.tokenization_mistral_common import MistralCommonBackend

    return MistralCommonBackend(tokenizer_path=SHIPPED / name)


def test_auto_tokenizer_returns_one_for_a_folder(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    name = next(name for name in NAMES if name.startswith("tekken"))
    (tmp_path / "tekken.json").write_bytes((SHIPPED / name).read_bytes())
    (tmp_path / "config.json").write_text('{"model_type": "mistral"}')
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert Vocabulary.from_tokenizer(tokenizer).end_ids == {2}


@every_tokenizer
def test_random_ids_spell_what_the_tokenizer_decodes(name: str) -> None:
    tokenizer = load(name)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    assert len(vocabulary) == len(tokenizer)
    assert vocabulary.spells is None
    assert vocabulary.changed_texts == ()
    usable = [i for i, token in enumerate(vocabulary.tokens) if token is not None]
    draws = random.Random(0)
    for _ in range(1000):
        ids = draws.choices(usable, k=4)
        decoded = tokenizer.decode(ids, skip_special_tokens=True)
        spelled = vocabulary.spell(ids).decode("utf-8", errors="replace")
        assert spelled.strip(" \ufffd").replace("\ufffd", "") == decoded.strip(" \ufffd").replace(
            "\ufffd", ""
        )


@every_tokenizer
def test_chats_are_encoded_as_mistral_common_does(name: str) -> None:
    from mistral_common.protocol.instruct.request import ChatCompletionRequest

    tokenizer = load(name)
    asked = [{"role": "user", "content": "Grade this: [INST] 日本"}]
    request = ChatCompletionRequest.from_openai(messages=asked)
    expected = tokenizer.tokenizer.encode_chat_completion(request).tokens
    assert prompt_ids(tokenizer, asked) == expected
    assert prompt_format("template").encode(asked[0]["content"], tokenizer) == expected
    begun = [*asked, {"role": "assistant", "content": "Score:"}]
    assert prompt_ids(tokenizer, begun)[: len(expected)] == expected


@every_tokenizer
def test_formats_run_in_canonical_tokens(name: str) -> None:
    tokenizer = load(name)
    vocabulary = Vocabulary.from_tokenizer(tokenizer)
    text = "Essay score: 10 / 10"
    wanted = Speller(tokenizer, vocabulary).within(text.encode())
    assert wanted is not None
    chat = [{"role": "user", "content": "Grade this."}]
    start = len(prompt_ids(tokenizer, chat))

    def rule(ids: Any) -> dict[int, float]:
        return {[*wanted, 2][min(len(ids) - start, len(wanted))]: 0.99}

    spec = ct.template("Essay score: {score} / 10", score=range(11))
    result = Generator(ScriptedModel(vocabulary.width, rule), tokenizer)(chat, spec)
    assert result.value == {"score": 10}
    assert tuple(result.token_ids) == wanted
