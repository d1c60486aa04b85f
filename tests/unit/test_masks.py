"""Masks of a vocabulary with many tokens, long and odd ones, against trying every token."""

from __future__ import annotations

import json as json_text
from typing import Any

import pytest

from constrained.engine import Engine
from constrained.spec.json_schema import json
from constrained.vocabulary import Vocabulary

STARTS = ["", " ", '"', ' "', '{"', '": "', '", "', "\n    ", "a", "é", "\u2028"]
WORDS = [
    "a",
    "b",
    "ab",
    "id",
    "name",
    "word ",
    "x" * 9,
    "x" * 30,
    "ab" * 25,
    "word " * 14,
    "7",
    "12",
    "é",
    "漢字",
]
ENDS = ["", '"', '":', '",', '": ', '"}', '"]', ",", "}", ' "', "\\n", "\u00a0", "\u3000b", "\n"]


def many_tokens() -> Vocabulary:
    texts = {s + w + e for s in STARTS for w in WORDS for e in ENDS} | set(STARTS) | set(ENDS)
    texts |= {"\n" + " " * n for n in range(1, 40)} | {" " * n for n in range(2, 90, 3)}
    pieces = {text.encode() for text in texts if text} | {bytes([b]) for b in range(256)}
    cut_short = {piece[:-1] for piece in pieces if piece[-1] > 0x7F and len(piece) > 1}
    return Vocabulary([*sorted(pieces | cut_short), None], end_ids=[len(pieces | cut_short)])


TOKENS = many_tokens()


def tried(engine: Engine, state: int) -> list[int]:
    tokens = enumerate(engine.vocabulary.tokens)
    alive = [i for i, t in tokens if t and engine.advance_bytes(state, t) is not None]
    return alive + list(engine.vocabulary.end_ids if engine.accepting(state) else ())


def text_of(**keywords: Any) -> dict[str, Any]:
    return {"type": "string", **keywords}


WORDS_AND_LENGTH = r"^(?:\S+\s+){0,3}\S+$"
SCHEMAS: dict[str, tuple[dict[str, Any], Any]] = {
    "at most": (text_of(maxLength=41), "word word é " + "x" * 29),
    "at least": (text_of(minLength=27), "ab" * 16),
    "exactly": (text_of(minLength=30, maxLength=30), "word " * 6),
    "short": (text_of(maxLength=7), "abab 漢字"),
    "beyond all tokens": (text_of(maxLength=400), "abab"),
    "pattern and length": (
        text_of(pattern=WORDS_AND_LENGTH, maxLength=60),
        "word ab word " + "x" * 47,
    ),
    "pattern and a near length": (text_of(pattern=WORDS_AND_LENGTH, maxLength=9), "ab ab ab"),
    "pattern that must go on": (
        text_of(pattern=r"^a.*xxxxxxxx$", maxLength=30),
        "ab ab " + "x" * 20,
    ),
    "pattern and both lengths": (text_of(pattern=r"^[ab]+$", minLength=9, maxLength=44), "ab" * 10),
    "pattern beyond the length": (text_of(pattern=r"^(ab)*(\u00e9)?$", maxLength=25), "ab" * 12),
    "no separators": (text_of(pattern=r"^.*b$"), "é漢字 ab"),
    "no spaces": (text_of(pattern=r"^\S+$"), "é漢字ab"),
    "ideographs": (text_of(pattern="^[\u3000-\u9fff]+$"), "漢字\u3000漢"),
    "objects": (
        {
            "type": "object",
            "properties": {"id": {"type": "integer"}, "name": text_of(maxLength=12), "a": {}},
            "required": ["id"],
            "additionalProperties": text_of(pattern="^[a-z ]*$"),
        },
        {"id": 12, "name": "ab", "a": [1, "b", {"id": None}], "ab": "word word"},
    ),
    "arrays": ({"type": "array", "items": {"enum": ["a", "ab", 7, None]}}, ["a", 7, None, "ab"]),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_masks_agree_with_trying_every_token(name: str) -> None:
    schema, value = SCHEMAS[name]
    engine = Engine(json(schema).grammar, TOKENS)
    for indent in (None, 2):
        text = json_text.dumps(value, ensure_ascii=False, indent=indent).encode()
        states = [engine.advance_bytes(engine.start, text[:n]) for n in range(len(text) + 1)]
        assert None not in states
        # From the end as well: what is known then must not depend on the order.
        for state in [*states[::7], *reversed(states)]:
            assert state is not None
            assert engine.allowed(state).tolist() == tried(engine, state)
