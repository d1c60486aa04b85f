"""The text layer: whitespace styles and spellings, against `json` itself."""

from __future__ import annotations

import itertools
import json as std_json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrained.engine import ByteEngine
from constrained.errors import InvalidSpec, UnsupportedSpec
from constrained.grammar import (
    ANY_CHAR,
    Grammar,
    Node,
    alt,
    cat,
    char_class,
    intersect,
    literal,
    literals,
    minus,
    repeat,
)
from constrained.spec.json_schema import json
from constrained.spec.json_style import JsonStyle
from constrained.spec.json_text import spelled, spelled_char

NESTED = {"a": [1, {"b": [[], {}, "x"]}], "c": {"d": {"e": 1}}}


def matches(node: Node, text: str) -> bool:
    engine = ByteEngine(Grammar(node))
    state = engine.advance_bytes(engine.start, text.encode())
    return state is not None and engine.accepting(state)


@pytest.mark.parametrize(
    ("whitespace", "options"),
    [
        ("compact", {"separators": (",", ":")}),
        ("spaced", {}),
        ("indented", {"indent": 2}),
        (JsonStyle(indent="\t"), {"indent": "\t"}),
        (JsonStyle(indent="    "), {"indent": 4}),
        (JsonStyle(comma=("",), colon=(" ",)), {"separators": (",", ": ")}),
    ],
)
def test_a_style_is_exactly_what_json_dumps_writes(
    whitespace: Any, options: dict[str, Any]
) -> None:
    spec = json({"type": "object"}, whitespace=whitespace)
    others = [{}, {"separators": (",", ":")}, {"indent": 2}, {"indent": 4}, {"indent": "\t"},
              {"separators": (",", ": ")}]  # fmt: skip
    for other in others:
        assert spec.matches(std_json.dumps(NESTED, **other)) == (other == options)


def test_indentation_beyond_the_limit_is_loose_but_bounded() -> None:
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    spec = json({"type": "array"}, whitespace="indented")
    assert spec.matches(std_json.dumps(deep, indent=2))
    shallow = JsonStyle(indent="  ", indent_depth=2, indent_limit=4)
    spec = json({"type": "array"}, whitespace=shallow)
    assert spec.matches("[\n  [\n [\n   1\n]\n  ]\n]")
    assert not spec.matches("[\n [\n  1\n ]\n]")
    assert not spec.matches("[\n  [\n     1\n  ]\n]")


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(InvalidSpec) as caught:
        json(True, whitespace="pretty")
    assert str(caught.value) == (
        "unknown whitespace style 'pretty' (use 'flexible', 'compact', 'spaced', 'indented' or a "
        "JsonStyle)"
    )
    with pytest.raises(InvalidSpec, match="a JSON style may hold whitespace only"):
        JsonStyle(comma=("x",))


CHARACTERS = (
    "\x00\x07\b\t\n\x0b\f\r\x1f !\"'/09AZ\\az~\x7f\x80é\u07ff\u2028\ud7ff\ue000\uffff😀\U0010ffff"
)


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("character", CHARACTERS)
def test_every_character_is_spelled_as_json_writes_it(character: str, ascii_only: bool) -> None:
    body = std_json.dumps(character, ensure_ascii=ascii_only)[1:-1]
    node = spelled_char(((ord(character), ord(character)),))
    assert matches(node, body)
    assert matches(spelled_char(((0, 0x10FFFF),)), body)
    if body.startswith("\\u"):
        assert matches(node, body.upper().replace("\\U", "\\u"))
    for other in CHARACTERS:
        if other != character:
            assert not matches(node, std_json.dumps(other, ensure_ascii=ascii_only)[1:-1])


def test_escapes_of_a_style() -> None:
    schema = {"const": "é"}
    styles = {name: JsonStyle(escapes=name) for name in ("either", "raw", "ascii")}  # type: ignore[arg-type]
    found = {
        name: list(json(schema, whitespace=style).enumerate()) for name, style in styles.items()
    }
    assert found == {
        "either": ['"\\u00E9"', '"\\u00e9"', '"é"'],
        "raw": ['"é"'],
        "ascii": ['"\\u00E9"', '"\\u00e9"'],
    }


PIECES = ["a", "b", '"', "\\", "\n", "\x01", "é", "u", "n", "0"]


def nodes() -> st.SearchStrategy[Node]:
    leaves = st.one_of(
        st.sampled_from(PIECES).map(literal),
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(literals),
        st.just(ANY_CHAR),
        st.sampled_from(
            [char_class((0x20, 0x62)), char_class((0, 0x1F)), char_class((0x80, 0xFF))]
        ),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda two: cat(*two)),
            st.tuples(inner, inner).map(lambda two: alt(*two)),
            st.tuples(inner, inner).map(lambda two: intersect(*two)),
            inner.map(lambda node: repeat(node, 0, 2)),
            inner.map(lambda node: minus(repeat(ANY_CHAR), node)),
        ),
        max_leaves=4,
    )


SAMPLES = ["".join(parts) for size in range(3) for parts in itertools.product(PIECES, repeat=size)]


@given(nodes())
def test_spelling_is_the_inverse_image_of_decoding(node: Node) -> None:
    plain, written = _engine(node), _engine(spelled(node))
    for text in SAMPLES:
        expected = _accepts(plain, text)
        for ascii_only in (False, True):
            body = std_json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            assert _accepts(written, body) == expected, (text, body)


def _engine(node: Node) -> ByteEngine | None:
    from constrained.errors import UnsatisfiableSpec

    try:
        return ByteEngine(Grammar(node))
    except UnsatisfiableSpec:
        return None


def _accepts(engine: ByteEngine | None, text: str) -> bool:
    if engine is None:
        return False
    state = engine.advance_bytes(engine.start, text.encode())
    return state is not None and engine.accepting(state)


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(UnsupportedSpec, match="lone surrogate"):
        json({"properties": {"\udc00": {}}})
