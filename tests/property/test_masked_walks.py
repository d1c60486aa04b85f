"""Two laws of masks for specs: what they let through is valid, and what is valid they let through.

Every text that a walk under the masks ends in passes a checker that shares no code with the
library (`re`, `jsonschema`, pydantic, plain Python); every text that a spec's own strategy draws is
accepted under any division into tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import constrained as ct
from constrained.testing import byte_vocabulary, outputs_of

WORDS = [
    '{"',
    '":',
    '", "',
    "},",
    "]]",
    ": ",
    "10",
    "12",
    "0.5",
    "ab",
    "abc",
    "é",
    "\n  ",
    " / ",
    "tru",
]
VOCABULARY = byte_vocabulary(WORDS)
END = 256

PATTERN = r"(?i)[a-c]{2,4}(-\d+)?|x\s*y"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "ab": {"type": "integer", "minimum": -3, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["ab", "é", None]}, "maxItems": 2},
        "share": {"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.25},
    },
    "required": ["ab"],
    "additionalProperties": {"type": "string", "maxLength": 3},
}


class Grade(BaseModel):
    score: Annotated[int, Field(ge=0, le=10)]
    word: Annotated[str, Field(max_length=4)]


def satisfies_schema(text: str) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(json.loads(text))


def is_grade(text: str) -> bool:
    return isinstance(Grade.model_validate_json(text), Grade)


def is_half_point(text: str) -> bool:
    return float(text) * 2 == int(float(text) * 2) and 0 <= float(text) <= 6


CASES: dict[str, tuple[Callable[[], ct.Spec[Any]], Callable[[str], object]]] = {
    "regex": (lambda: ct.regex(PATTERN), lambda text: re.fullmatch(PATTERN, text)),
    "schema": (lambda: ct.json(SCHEMA), satisfies_schema),
    "pydantic": (lambda: ct.json(Grade), is_grade),
    "number": (lambda: ct.number(0, 6, step=0.5), is_half_point),
    "template": (
        lambda: ct.template("Essay score: {score:0..10} / 10"),
        lambda text: re.fullmatch(r"Essay score: (\d|10) / 10", text),
    ),
}


@cache
def engine_of(case: str) -> tuple[ct.Spec[Any], ct.Engine]:
    spec = CASES[case][0]()
    return spec, ct.Engine(spec.grammar, VOCABULARY)


@pytest.mark.parametrize("case", CASES)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_walks_under_the_masks_end_in_valid_texts(case: str, data: st.DataObject) -> None:
    spec, engine = engine_of(case)
    state, text, budget = engine.start, b"", 60
    row = np.zeros(engine.words, dtype=np.int32)
    while True:
        engine.fill_mask_within(state, row, budget)
        allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
        token = int(allowed[data.draw(st.integers(0, len(allowed) - 1))])
        if token == END:
            break
        text += VOCABULARY.tokens[token] or b""
        state, budget = engine.advance(state, token), budget - 1
    output = text.decode("utf-8")
    assert CASES[case][1](output)
    assert spec.matches(output)


@pytest.mark.parametrize("case", CASES)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_drawn_outputs_are_accepted_under_every_division_into_tokens(
    case: str, data: st.DataObject
) -> None:
    spec, engine = engine_of(case)
    output = data.draw(outputs_of(spec))
    assert CASES[case][1](output)
    left, state = output.encode("utf-8"), engine.start
    while left:
        fitting = [
            i for i, token in enumerate(VOCABULARY.tokens) if token and left.startswith(token)
        ]
        token = data.draw(st.sampled_from(fitting))
        assert token in engine.allowed(state)
        state = engine.advance(state, token)
        left = left[len(VOCABULARY.tokens[token] or b"") :]
    assert END in engine.allowed(state)
