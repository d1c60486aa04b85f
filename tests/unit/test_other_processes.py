"""What workers get: vocabularies and masks are pickled whole, everything else refuses by name."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch

import constrained as ct
from constrained.engine import ByteEngine, Engine
from constrained.errors import GenerationError, UnsupportedSpec
from constrained.generation import Generator, LogitsMask
from constrained.testing import ScriptedModel
from constrained.vocabulary import Vocabulary
from tests import tiny

SPECS = [
    ct.template("Essay score: {x} / 10", x=range(11)),
    None,
    ct.json({"type": "object", "properties": {"a": {"type": "string"}}}),
    ct.regex("[a-z]+"),
]


def masks_of(mask: LogitsMask, rows: list[list[int]]) -> torch.Tensor:
    width = mask.vocabulary.width
    return torch.isinf(mask(torch.tensor(rows), torch.zeros(len(rows), width)))


@pytest.mark.parametrize("make", [tiny.byte_level, tiny.unigram, tiny.sentencepiece])
@pytest.mark.filterwarnings("ignore::constrained.errors.SpellingWarning")
def test_a_mask_crosses_process_borders(make: Any) -> None:
    tokenizer = make()
    specs = SPECS if make is not tiny.unigram else [SPECS[0], None, SPECS[3], None]
    mask = LogitsMask(specs, tokenizer, max_new_tokens=30, width=len(tokenizer) + 7)
    prompt = tokenizer.encode("grade", add_special_tokens=False)[:2]
    rows = [prompt] * 4
    first = masks_of(mask, rows)
    there = pickle.loads(pickle.dumps(mask))
    assert there.max_new_tokens == 30
    assert torch.equal(masks_of(there, rows), first)
    chosen = [[*row, int((~taken).nonzero()[0])] for row, taken in zip(rows, first, strict=True)]
    assert torch.equal(masks_of(there, chosen), masks_of(mask, chosen))
    assert torch.equal(masks_of(copy.deepcopy(mask), rows), first)


def test_a_mask_over_a_vocabulary_crosses_process_borders() -> None:
    vocabulary = Vocabulary.from_tokenizer(tiny.byte_level())
    there = pickle.loads(pickle.dumps(LogitsMask(ct.regex("a+b"), vocabulary)))
    assert there.vocabulary.tokens == vocabulary.tokens
    assert (~masks_of(there, [[5]])).sum() >= 1


def test_a_tokenizer_that_cannot_be_pickled_is_named() -> None:
    tokenizer = copy.deepcopy(tiny.byte_level())
    tokenizer.opened = lambda: None
    with pytest.raises(GenerationError) as caught:
        pickle.dumps(LogitsMask(ct.regex("a+b"), tokenizer))
    assert str(caught.value).startswith("the tokenizer of this mask cannot be pickled (")
    assert str(caught.value).endswith(
        "); make the mask in the other process, or make it with a Vocabulary"
    )


def test_engines_refuse_by_name() -> None:
    vocabulary = Vocabulary.from_tokenizer(tiny.byte_level())
    grammar = ct.regex("a+b").grammar
    for engine in (Engine(grammar, vocabulary), ByteEngine(grammar)):
        with pytest.raises(UnsupportedSpec) as caught:
            pickle.dumps(engine)
        assert str(caught.value) == (
            "an engine cannot be pickled (send the spec's to_bytes() and the vocabulary, and make "
            "the engine there)"
        )


def test_a_generator_refuses_by_name() -> None:
    tokenizer = tiny.byte_level()
    generator = Generator(ScriptedModel(len(tokenizer), lambda _: {}), tokenizer)
    with pytest.raises(GenerationError) as caught:
        pickle.dumps(generator)
    assert str(caught.value) == (
        "a Generator cannot be pickled; send the model's name and load it in the other process"
    )
