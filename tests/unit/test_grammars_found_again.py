"""Schemas read lately: their grammars, and all that engines know of them, are found again."""

from __future__ import annotations

import copy
import decimal
import json
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import constrained as ct
from constrained.engine import ByteEngine, Engine
from constrained.errors import InvalidSpec
from constrained.limits import Limits
from constrained.spec.json_schema import schema_grammar
from constrained.vocabulary import Vocabulary

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "tags": {"type": "array", "items": {"enum": ["good", "bad"]}},
        "inner": {"type": "object", "properties": {"score": {"type": "integer", "minimum": 0}}},
    },
    "required": ["name"],
}
TEXT = b'{"name": "Ada", "tags": ["good", "bad"], "inner": {"score": 7}}'


def vocabulary(**options: Any) -> Vocabulary:
    tokens: list[bytes | None] = [bytes([byte]) for byte in range(256)]
    return Vocabulary([*tokens, b'": "', b'", "', b"name", None], end_ids=[259], **options)


def walked(engine: Engine) -> list[list[int]]:
    masks = []
    state: int | None = engine.start
    for byte in TEXT:
        assert state is not None
        masks.append(engine.allowed(state).tolist())
        state = engine.advance_bytes(state, bytes([byte]))
    return masks


def test_an_equal_schema_has_the_same_grammar_and_engines_share_all_of_it() -> None:
    known = vocabulary()
    first = Engine(ct.json(SCHEMA).grammar, known)
    masks = walked(first)
    terms = first.stats["store_terms"]
    second = Engine(ct.json(copy.deepcopy(SCHEMA)).grammar, known)
    assert second.grammar is first.grammar
    assert walked(second) == masks
    assert second.stats["store_terms"] == terms
    assert walked(Engine(first.grammar, vocabulary())) == masks
    assert Engine(first.grammar, known, Limits(max_depth=300)).limits.max_depth == 300


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        ({"const": 1}, {"const": True}, "1"),
        ({"const": "1"}, {"const": 1}, '"1"'),
        ({"const": [1]}, {"const": [[1]]}, "[1]"),
        ({"enum": [None]}, {"enum": [False]}, "null"),
    ],
)
def test_schemas_that_python_takes_for_equal_or_alike_are_told_apart(
    one: Any, other: Any, text: str
) -> None:
    for first, second in ((one, other), (other, one)):
        specs = {id(schema): ct.json(schema) for schema in (first, second)}
        assert specs[id(one)].matches(text)
        assert not specs[id(other)].matches(text)


def test_settings_are_told_apart() -> None:
    schema = {"type": "object", "properties": {"a": {"format": "date"}, "b": {"type": "null"}}}
    settings_: list[dict[str, Any]] = [
        {},
        {"whitespace": "compact"},
        {"formats": "annotation"},
        {"order": "any"},
        {"limits": Limits(max_nodes=9_999)},
    ]
    assert len({id(schema_grammar(schema, **one)) for one in settings_}) == len(settings_)


def test_a_schema_that_is_changed_later_changes_no_grammar() -> None:
    schema = copy.deepcopy(SCHEMA)
    spec = ct.json(schema)
    schema["properties"]["tags"]["items"]["enum"].append("ugly")
    schema["properties"]["inner"]["properties"]["score"]["minimum"] = 10
    for made in (spec, ct.json(SCHEMA)):
        assert made.matches(TEXT.decode())
        assert not made.matches('{"name": "Ada", "tags": ["ugly"]}')
    assert ct.json(schema).matches('{"name": "Ada", "tags": ["ugly"]}')
    assert not ct.json(schema).matches(TEXT.decode())


def test_schemas_of_more_than_plain_values_are_read_as_ever() -> None:
    assert ct.json(OrderedDict(type="integer", minimum=4)).matches("4")
    assert not ct.json({"const": decimal.Decimal("0.1")}).matches("0.2")


def test_a_very_large_schema_is_read_from_a_copy_and_not_kept() -> None:
    large = {"description": "x" * 2**20, "type": "array", "items": {"enum": ["a", "b"]}}
    first = ct.json(large)
    assert ct.json(large).grammar is not first.grammar
    large["items"] = {"type": "null"}
    assert first.matches('["a", "b"]')


def test_a_schema_that_holds_itself_is_read_as_ever() -> None:
    schema: dict[str, Any] = {"type": "object", "additionalProperties": False}
    schema["properties"] = {"next": schema}
    assert ct.json(schema).matches('{"next": {"next": {}}}')
    assert not ct.json(schema).matches('{"next": 1}')


def test_what_is_no_limits_is_refused() -> None:
    for wrong in (None, []):
        for make in (
            lambda limits: ct.json({"type": "null"}, limits=limits),
            lambda limits: ByteEngine(ct.regex("a").grammar, limits),
            lambda limits: Engine(ct.regex("a").grammar, vocabulary(), limits),
        ):
            with pytest.raises(InvalidSpec, match=r"^limits must be a Limits object, got "):
                make(wrong)


def test_a_store_that_has_grown_is_not_kept() -> None:
    small = vocabulary(store_bytes=0)
    grammar = ct.json(SCHEMA).grammar
    first, second = Engine(grammar, small), Engine(grammar, small)
    before = second.stats["store_terms"]
    masks = walked(first)
    assert second.stats["store_terms"] == before
    assert walked(second) == masks


def test_threads_that_read_one_schema_agree() -> None:
    schema = {**SCHEMA, "$comment": "read by many threads first"}
    known = vocabulary()
    with ThreadPoolExecutor(8) as pool:
        engines = list(pool.map(lambda _: Engine(ct.json(schema).grammar, known), range(16)))
        found = list(pool.map(walked, engines))
    assert all(masks == found[0] for masks in found)
    assert found[0] == walked(Engine(ct.json(SCHEMA).grammar, vocabulary()))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(values, values)
@settings(max_examples=300, deadline=None)
def test_a_constant_matches_its_own_text_and_no_other(one: Any, other: Any) -> None:
    mine, its = json.dumps(one, sort_keys=True), json.dumps(other, sort_keys=True)
    assert ct.json({"const": json.loads(mine)}).matches(mine)
    assert ct.json({"const": json.loads(its)}).matches(mine) == (mine == its)


def test_a_schema_that_is_changed_later_changes_no_repr() -> None:
    schema = {"type": "string", "maxLength": 3}
    spec = ct.json(schema)
    schema["maxLength"] = 9
    assert repr(spec) == "json({'type': 'string', 'maxLength': 3})"
