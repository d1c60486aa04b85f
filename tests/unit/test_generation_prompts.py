"""What counts as a prompt, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from constrained.errors import GenerationError
from constrained.generation.inputs import as_batch


def test_one_prompt_and_several_are_told_apart() -> None:
    chat = [{"role": "user", "content": "Hello"}]
    assert as_batch("text") == (["text"], True)
    assert as_batch(["a", "b"]) == (["a", "b"], False)
    assert as_batch([1, 2]) == ([[1, 2]], True)
    assert as_batch(chat) == ([chat], True)


@pytest.mark.parametrize(
    ("prompt", "name"), [(5, "int"), (None, "NoneType"), ({}, "dict"), (b"x", "bytes")]
)
def test_what_is_no_prompt_is_named(prompt: Any, name: str) -> None:
    with pytest.raises(GenerationError) as caught:
        as_batch(prompt)
    assert str(caught.value) == (
        f"a prompt is a text, a list of chat messages or a list of token ids, not {name}"
    )


def test_no_prompts_at_all_are_refused() -> None:
    with pytest.raises(GenerationError, match="the list of prompts is empty"):
        as_batch([])
