"""Rules that engines fetch when they need them: the same masks as if all had been there at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from constrained.engine import ByteEngine, Engine
from constrained.errors import InvalidSpec, LimitExceeded
from constrained.grammar import EMPTY, Grammar, LaterRules, Node, Ref, alt, cat, literal
from constrained.limits import Limits
from constrained.spec.json_schema import schema_grammar
from constrained.vocabulary import Vocabulary

SCHEMA = {
    "type": "object",
    "properties": {
        f"part{i}": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 5},
                "next": {"$ref": f"#/properties/part{(i + 1) % 4}"},
                "sizes": {"type": "array", "items": {"type": "integer", "multipleOf": 5}},
            },
            "required": ["name"],
        }
        for i in range(4)
    },
    "additionalProperties": False,
}
TEXTS = [
    '{"part0": {"name": "a", "next": {"name": "b", "sizes": [5, 10]}}}',
    '{"part1": {"name": "a"}, "part2": {"name": "\\"", "sizes": []}}',
    '{"part3": {"name": "abcde", "next": {"name": "x", "next": {"name": "y"}}}}',
]
TOKENS = [bytes([b]) for b in range(256)] + [b'{"', b'": ', b"name", b"part", b'", "', b'"}', b"}}"]


def vocabulary() -> Vocabulary:
    return Vocabulary([*TOKENS, None], end_ids=[len(TOKENS)])


def at_once(monkeypatch: pytest.MonkeyPatch, nodes: int, at_a_fetch: int = 0) -> None:
    module = sys.modules["constrained._core.lowering"]
    monkeypatch.setattr(module, "AT_ONCE", nodes)
    monkeypatch.setattr(module, "AT_A_FETCH", at_a_fetch)


def masks_along(engine: Engine, text: str) -> Iterator[list[int]]:
    state: int | None = engine.start
    for byte in text.encode():
        assert state is not None
        yield engine.allowed(state).tolist()
        state = engine.advance_bytes(state, bytes([byte]))
    assert state is not None
    assert engine.accepting(state)


@pytest.mark.parametrize("at_a_fetch", [0, 30, 10**9])
@pytest.mark.parametrize("nodes", [0, 60, 10**9])
@pytest.mark.parametrize("text", TEXTS)
def test_masks_do_not_depend_on_when_rules_are_loaded(
    monkeypatch: pytest.MonkeyPatch, nodes: int, at_a_fetch: int, text: str
) -> None:
    lazy = schema_grammar(SCHEMA)
    assert isinstance(lazy.rules, LaterRules)
    whole = Engine(Grammar(lazy.start, dict(schema_grammar(SCHEMA).rules)), vocabulary())
    at_once(monkeypatch, nodes, at_a_fetch)
    assert list(masks_along(Engine(lazy, vocabulary()), text)) == list(masks_along(whole, text))


def test_distance_and_completion_reach_into_rules_that_were_not_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once(monkeypatch, 0)
    engine = ByteEngine(schema_grammar(SCHEMA))
    state = engine.advance_bytes(engine.start, b'{"part2": ')
    assert state is not None
    completion = engine.completion(state)
    assert len(completion) == engine.distance(state)
    assert json.loads(b'{"part2": ' + completion) == {"part2": {"name": ""}}


class Watched(LaterRules):
    """Which rules were built, in order: a leads to b, b to a or an end, c to nothing."""

    def __init__(self) -> None:
        self.bodies = {
            "a": cat(literal("a"), Ref("b")),
            "b": alt(cat(literal("b"), Ref("a")), literal("!")),
            "c": literal("c"),
        }
        self.built: list[str] = []

    def __contains__(self, name: object) -> bool:
        return name in self.bodies

    def __getitem__(self, name: str) -> Node:
        self.built.append(name)
        return self.bodies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.bodies)

    def __len__(self) -> int:
        return len(self.bodies)


WATCHED_START = cat(literal(">"), alt(cat(literal("x"), Ref("a")), Ref("c")))


def test_rules_near_a_fetched_one_come_with_it_and_once_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once(monkeypatch, 0, at_a_fetch=100)
    rules = Watched()
    engine = ByteEngine(Grammar(WATCHED_START, rules))
    assert rules.built == []
    state = engine.advance_bytes(engine.start, b">xababa!")
    assert state is not None
    assert engine.final(state)
    assert sorted(rules.built) == ["a", "b", "c"]
    assert engine.advance_bytes(engine.start, b">xaa") is None


def test_only_rules_on_the_way_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch, 0)
    rules = Watched()
    built = rules.built
    engine = ByteEngine(Grammar(WATCHED_START, rules))
    assert built == []
    state = engine.advance_bytes(engine.start, b">x")
    assert state is not None
    assert engine.advance_bytes(state, b"a") is not None
    assert built.count("a") == 1
    assert "b" not in built


def test_rules_that_take_long_wait_however_near_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch, 10**9)
    built: list[str] = []

    class Slow(LaterRules):
        def __getitem__(self, name: str) -> Node:
            built.append(name)
            return {"a": literal("a"), "b": literal("b")}[name]

        def must_wait(self, name: str) -> bool:
            return name == "a"

        def __iter__(self) -> Iterator[str]:
            return iter("ab")

        def __len__(self) -> int:
            return 2

    engine = ByteEngine(Grammar(cat(literal(">"), alt(Ref("a"), Ref("b"))), Slow()))
    assert set(built) == {"b"}
    assert engine.forced(engine.start) == b">"
    assert engine.completion(engine.start) in (b">a", b">b")
    assert set(built) == {"a", "b"}


def test_numbers_and_formats_are_made_when_a_state_needs_them() -> None:
    schema = {
        "properties": {
            "count": {"type": "integer", "minimum": 3},
            "link": {"type": "string", "format": "uri"},
            "label": {"type": "string"},
        },
        "type": "object",
        "additionalProperties": False,
        "required": ["count", "link", "label"],
    }
    grammar = schema_grammar(schema)
    made = grammar.rules
    assert isinstance(made, LaterRules)
    looked_up: list[str] = []

    class Watched(LaterRules):
        def __getitem__(self, name: str) -> Node:
            looked_up.append(name)
            return made[name]

        def may_wait(self, name: str) -> bool:
            return made.may_wait(name)

        def must_wait(self, name: str) -> bool:
            return made.must_wait(name)

        def __iter__(self) -> Iterator[str]:
            return iter(made)

        def __len__(self) -> int:
            return len(made)

        def __contains__(self, name: object) -> bool:
            return name in made

    engine = Engine(Grammar(grammar.start, Watched()), vocabulary())
    engine.fill_mask(engine.start, np.zeros(engine.words, dtype=np.int32))
    assert looked_up == ["#"]
    state = engine.advance_bytes(engine.start, b'{"count": 12, "link": "a:b", "label": ""}')
    assert state is not None
    assert engine.accepting(state)
    assert looked_up == ["#", "#/properties/count", "#/properties/link"]
    assert engine.advance_bytes(engine.start, b'{"count": 2,') is None


def test_threads_fetch_rules_while_others_fill_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch, 0)
    shared = vocabulary()

    def walk(number: int) -> list[list[int]]:
        engine = Engine(schema_grammar(SCHEMA), shared)
        rows = np.zeros((2, engine.words), dtype=np.int32)
        engine.fill_masks([engine.start, engine.start], rows, threads=2)
        return list(masks_along(engine, TEXTS[number % len(TEXTS)]))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(walk, range(24)))
    assert found == [walk(number) for number in range(24)]


class OneRule(LaterRules):
    def __init__(self, body: Node | Exception) -> None:
        self.body = body

    def __getitem__(self, name: str) -> Node:
        if isinstance(self.body, Exception):
            raise self.body
        return self.body

    def __iter__(self) -> Iterator[str]:
        return iter(["later"])

    def __len__(self) -> int:
        return 1


def test_a_rule_that_breaks_the_promise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch, 0)
    engine = ByteEngine(Grammar(cat(literal("a"), Ref("later")), OneRule(EMPTY)))
    state = engine.advance_bytes(engine.start, b"a")
    assert state is not None
    with pytest.raises(
        InvalidSpec,
        match=r"^a rule that is fetched later must match something, and never the empty",
    ):
        engine.advance_bytes(state, b"b")


def test_an_error_while_a_rule_is_built_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch, 0)
    error = LimitExceeded("max_nodes", 1, "writing a rule")
    engine = ByteEngine(Grammar(cat(literal("a"), Ref("later")), OneRule(error)))
    state = engine.advance_bytes(engine.start, b"a")
    assert state is not None
    for _ in range(2):  # and nothing stays locked or half made
        with pytest.raises(LimitExceeded, match="writing a rule"):
            engine.transitions(state)


def test_nodes_of_later_rules_count_towards_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once(monkeypatch, 0)
    body = alt(*(literal(f"{i:04d}") for i in range(300)))
    engine = ByteEngine(
        Grammar(cat(literal("a"), Ref("later")), OneRule(body)), Limits(max_nodes=100)
    )
    state = engine.advance_bytes(engine.start, b"a")
    assert state is not None
    with pytest.raises(LimitExceeded, match="max_nodes"):
        engine.advance_bytes(state, b"0")
