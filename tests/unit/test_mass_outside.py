"""What a mask left out of a model whose logits are no numbers somewhere: not known, never 0."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch

import constrained as ct
from constrained.errors import GenerationError
from constrained.generation import Generator
from tests import tiny


@pytest.fixture(scope="module")
def broken() -> Any:
    """A generator whose model has NaN as the logit of one token that no number begins with."""
    tokenizer = tiny.byte_level()
    model = copy.deepcopy(tiny.model("llama", len(tokenizer)))  # others use that one too
    (letter,) = tokenizer.encode("z", add_special_tokens=False)
    with torch.no_grad():
        model.get_output_embeddings().weight[letter] = math.nan
    return Generator(model, tokenizer)


def test_a_distribution_says_that_the_removed_mass_is_not_known(broken: Any) -> None:
    found = broken.distribution("Score: ", range(11))
    assert sum(found.pmf.values()) == pytest.approx(1.0)
    assert math.isnan(found.removed_mass)
    assert math.isnan(found.removed_by_step[0])
    with pytest.raises(GenerationError, match="does not allow are NaN"):
        found.global_.mean  # noqa: B018


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_an_answer_says_that_the_removed_mass_is_not_known(broken: Any, temperature: float) -> None:
    result = broken("Score: ", ct.integer(0, 9), temperature=temperature, seed=1)
    assert 0 <= result.value <= 9
    assert math.isnan(result.removed_mass[0])
