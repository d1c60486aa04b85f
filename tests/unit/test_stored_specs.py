"""Compiled specs as bytes: the same outputs after loading; damaged or other bytes are refused."""

from __future__ import annotations

import json as stdlib_json
import zlib
from array import array
from collections.abc import Callable
from contextlib import suppress
from itertools import islice, pairwise
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import constrained as ct
from constrained._core.native import Program
from constrained._core.stored import StoredGrammar, grammar_bytes, grammar_from_bytes
from constrained.engine import ByteEngine, Engine
from constrained.errors import ConstrainedError, InvalidSpec, LimitExceeded
from constrained.grammar import Grammar
from constrained.grammar.text import print_grammar
from constrained.spec.spec import Spec
from constrained.spec.stored import FORMAT
from constrained.vocabulary import Vocabulary
from tests.property.strategies import grammars

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "multipleOf": 5},
        "next": {"$ref": "#"},
    },
    "required": ["name"],
}
SPECS: list[tuple[Spec[Any], list[str]]] = [
    (ct.json(SCHEMA), ['{"name": "ab", "age": 15}', '{"name": "a", "next": {"name": "b"}}']),
    (ct.json({"enum": [1, "é", None]}), ["1", '"é"', "null"]),
    (ct.regex("(?i)ab+c|[^x]{2,3}"), ["ABBc", "yz", "日本"]),
    (ct.template("Score: {n} / 10", n=range(11)), ["Score: 7 / 10"]),
    (ct.grammar('start: "(" start? ")"'), ["(())"]),
]


@pytest.mark.parametrize(("spec", "texts"), SPECS, ids=lambda value: str(value)[:20])
def test_a_loaded_spec_has_the_same_outputs_and_the_same_masks(
    spec: Spec[Any], texts: list[str]
) -> None:
    loaded = Spec.from_bytes(spec.to_bytes(), read=spec.read)
    vocabulary = Vocabulary(
        [*(bytes([b]) for b in range(256)), b'{"', b'name"', None], end_ids=[258]
    )
    before, after = Engine(spec.grammar, vocabulary), Engine(loaded.grammar, vocabulary)
    for text in texts:
        assert loaded.parse(text) == spec.parse(text)
        for cut in range(len(text.encode())):
            data = text.encode()[:cut]
            states = (
                before.advance_bytes(before.start, data),
                after.advance_bytes(after.start, data),
            )
            assert states[0] is not None
            assert states[1] is not None
            assert before.allowed(states[0]).tolist() == after.allowed(states[1]).tolist()
    assert not loaded.matches(texts[0] + "!")
    assert grammar_bytes(loaded.grammar) == grammar_bytes(
        Spec.from_bytes(loaded.to_bytes(), read=str).grammar
    )


@given(grammars())
@settings(max_examples=60, deadline=None)
def test_nodes_made_from_bytes_lower_to_the_same_bytes(grammar: Grammar) -> None:
    stored = grammar_from_bytes(grammar_bytes(grammar))
    assert grammar_bytes(Grammar(stored.start, stored.rules)) == grammar_bytes(stored)


def test_values_of_json_schemas_are_read_as_json_without_a_reader() -> None:
    loaded = Spec.from_bytes(ct.json(SCHEMA).to_bytes())
    assert loaded.parse('{"name": "ab", "age": 15}') == {"name": "ab", "age": 15}
    assert repr(loaded) == repr(ct.json(SCHEMA))


def test_a_spec_with_its_own_reader_asks_for_one() -> None:
    data = ct.integer(0, 10).to_bytes()
    with pytest.raises(InvalidSpec) as caught:
        Spec.from_bytes(data)
    assert str(caught.value) == (
        "integer(0, 10) has a reader of its own, and bytes hold no code (pass read=, a function "
        "from a text that matches to its value (read=str for the text itself))"
    )
    assert Spec.from_bytes(data, read=int).parse("7") == 7


def test_other_bytes_are_refused() -> None:
    for other in (b"\x80\x04pickle", b"", "a str", None):
        with pytest.raises(InvalidSpec, match=r"^these bytes are not a compiled spec"):
            Spec.from_bytes(other)  # type: ignore[arg-type]


def test_a_header_that_says_something_else_is_damaged() -> None:
    good = ct.json(SCHEMA).to_bytes()
    for was, now in ((b'"json"', b'"custom"'), (b"json(", b"jsom(")):
        assert good.count(was) == 1
        with pytest.raises(InvalidSpec, match="damaged"):
            Spec.from_bytes(good.replace(was, now), read=str)


def test_another_version_is_refused_by_its_number() -> None:
    magic, header, body = ct.json(True).to_bytes().split(b"\n", 2)
    fields = stdlib_json.loads(header) | {"format": 7}
    data = b"\n".join([magic, stdlib_json.dumps(fields).encode(), body])
    with pytest.raises(InvalidSpec, match=r"has format 7, and this version reads format 1"):
        Spec.from_bytes(data)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_are_refused(data: st.DataObject) -> None:
    good = bytearray(ct.json(SCHEMA).to_bytes())
    start = good.index(b"\n", good.index(b"\n") + 1) + 1
    place = data.draw(st.integers(start, len(good) - 1))
    good[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidSpec, match="damaged"):
        Spec.from_bytes(bytes(good))


@given(st.lists(st.integers(-3, 14) | st.integers(-(2**31), 2**31 - 1), max_size=40), st.data())
@settings(max_examples=400, deadline=None)
def test_invented_programs_run_or_are_refused(code: list[int], data: st.DataObject) -> None:
    bodies = data.draw(st.lists(st.integers(-1, 12), max_size=3))
    start = data.draw(st.integers(-1, 12))
    program = Program(array("i", code).tobytes(), b"some text", array("i", bodies).tobytes(), start)
    try:
        engine = ByteEngine(StoredGrammar(program), ct.Limits(max_nodes=1000, max_steps=10_000))
        engine.transitions(engine.start)
        engine.completion(engine.start)
    except ConstrainedError:
        pass


def test_a_grammar_cut_short_is_refused() -> None:
    raw = zlib.decompress(grammar_bytes(ct.json(SCHEMA).grammar))
    for cut in (0, 3, 15, 100, len(raw) - 1):
        with pytest.raises(InvalidSpec, match="hold no grammar"):
            grammar_from_bytes(zlib.compress(raw[:cut]))


def test_engines_share_states_and_masks_until_these_have_grown() -> None:
    tokens = [bytes([b]) for b in range(256)]
    small = Vocabulary([*tokens, None], end_ids=[256], store_bytes=100_000)
    sizes = []
    for i in range(10):
        engine = Engine(ct.regex(f"[a-f{i}]{{3,90}}").grammar, small)
        sizes.append(engine.stats["store_bytes"])
        state: int | None = engine.start
        for _ in range(60):
            assert state is not None
            engine.allowed(state)
            state = engine.advance_bytes(state, b"a")
        del engine
    falls = sum(after < before for before, after in pairwise(sizes))
    assert 1 <= falls < 9, sizes
    assert max(sizes) < 60_000


def stored_with(raw: bytes) -> bytes:
    """A compiled spec with these bytes as its grammar, and the right checksum."""
    body = zlib.compress(raw, 1)
    header = {"format": FORMAT, "source": "x", "reads": "json"}
    header["crc"] = zlib.crc32(body, zlib.crc32(stdlib_json.dumps(["x", "json"]).encode()))
    return b"constrained spec\n" + stdlib_json.dumps(header).encode() + b"\n" + body


GRAMMARS = [zlib.decompress(grammar_bytes(spec.grammar)) for spec, _ in SPECS]
USES: list[Callable[[Spec[Any]], object]] = [
    lambda spec: spec.summary(),
    lambda spec: list(islice(spec.enumerate(), 20)),
    lambda spec: f"{spec} {spec.grammar} {spec.grammar!r}",
    lambda spec: print_grammar(spec.grammar),
    lambda spec: ("x" + spec).matches("x1"),
    lambda spec: (spec | "y").matches("y"),
    lambda spec: spec.examples(),
    lambda spec: spec.matches("1"),
    lambda spec: spec.to_bytes(),
]


@given(
    st.sampled_from(GRAMMARS),
    st.lists(
        st.tuples(
            st.integers(0, 2**31),
            st.integers(-3, 40) | st.sampled_from([2**31 - 1, 10**9, -(2**31)]),
        ),
        min_size=1,
        max_size=3,
    ),
)
@settings(max_examples=200, deadline=None)
def test_changed_numbers_with_a_right_checksum_are_refused_or_a_grammar(
    raw: bytes, changes: list[tuple[int, int]]
) -> None:
    numbers = array("i", raw[: len(raw) // 4 * 4])
    code = 4 + numbers[0] + numbers[1]
    for place, value in changes:
        numbers[place % code] = value
    try:
        spec = Spec.from_bytes(stored_with(numbers.tobytes() + raw[len(raw) // 4 * 4 :]))
    except ConstrainedError:
        return
    for use in USES:
        with suppress(ConstrainedError):
            use(spec)


def test_a_grammar_that_unpacks_to_gigabytes_is_refused_at_once() -> None:
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(300)) + packer.flush()
    before = process_time()
    with pytest.raises(LimitExceeded, match="max_nodes=250,000 reached while unpacking"):
        grammar_from_bytes(packed)
    assert process_time() - before < 1


def test_a_grammar_beyond_the_limits_is_neither_stored_nor_read() -> None:
    spec = ct.choice([str(n) for n in range(1_000)])
    with pytest.raises(LimitExceeded, match="max_nodes=100 reached"):
        spec.to_bytes(limits=ct.Limits(max_nodes=100))
    data = spec.to_bytes()
    with pytest.raises(LimitExceeded, match="max_nodes=500 reached"):
        Spec.from_bytes(data, read=str, limits=ct.Limits(max_nodes=500))
    assert Spec.from_bytes(data, read=str, limits=ct.Limits(max_nodes=1_001)).matches("7")


@pytest.mark.parametrize("header", [b"[" * 100_000, b"1" * 5_000, b"[]", b"null", b"{}", b"\xff"])
def test_a_header_of_any_kind_is_damaged(header: bytes) -> None:
    with pytest.raises(InvalidSpec, match="this compiled spec is damaged"):
        Spec.from_bytes(b"constrained spec\n" + header + b"\n")
