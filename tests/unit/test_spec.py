"""`Spec`: matching, rejecting, examples and enumeration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from constrained.errors import LimitExceeded, TextRejected, UnsatisfiableSpec, UnsupportedSpec
from constrained.grammar import NOTHING, Grammar, byte_class, complement, literal, repeat
from constrained.limits import Limits
from constrained.spec import Spec, choice, integer, json, number, regex, template, text


def test_rejections_say_where_and_what_was_expected() -> None:
    spec = integer(0, 10)
    cases = [
        ("11", 1, "'11' does not match at byte 1: expected '0' or the end"),
        ("x", 0, "'x' does not match at byte 0: expected '0' '2'-'9' or '1'"),
        ("", 0, "'' does not match at byte 0: expected '0' '2'-'9' or '1'"),
        ("1 ", 1, "'1 ' does not match at byte 1: expected '0' or the end"),
        (
            "1\ud83d",
            1,
            "'1\\ud83d' does not match at byte 1: "
            "expected a whole character, not half of one (a lone surrogate)",
        ),
    ]
    for wrong, position, message in cases:
        assert not spec.matches(wrong)
        with pytest.raises(TextRejected) as caught:
            spec.parse(wrong)
        assert isinstance(caught.value, ValueError)
        assert (caught.value.position, str(caught.value)) == (position, message)


def test_a_spec_that_matches_nothing_is_refused_when_it_is_first_used() -> None:
    spec = Spec("nothing", Grammar(NOTHING), str)
    with pytest.raises(UnsatisfiableSpec, match="no text matches this spec"):
        spec.matches("x")


def test_enumeration_is_lazy_and_sorted_by_bytes() -> None:
    outputs = choice(["b", "é", "a", "ab", ""]).enumerate()
    assert isinstance(outputs, Iterator)
    assert list(outputs) == ["", "a", "ab", "b", "é"]
    billions = integer(0, 10**12).enumerate(limit=3)
    assert list(billions) == ["0", "1", "10"]
    assert list(integer(0, 3).enumerate(limit=0)) == []


def test_infinitely_many_outputs_are_not_enumerated() -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        integer(0).enumerate(limit=3)
    assert caught.value.feature == "enumerate"
    assert str(caught.value) == (
        "integer(0) has infinitely many outputs: [0-9]* has no upper bound "
        "(bound its lengths, or use examples())"
    )


def test_recursion_is_named_as_the_reason() -> None:
    schema = {
        "$ref": "#/$defs/t",
        "$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}},
    }
    with pytest.raises(UnsupportedSpec, match=r"rule '.*' can contain itself|has no upper bound"):
        json(schema).enumerate()


def test_too_many_outputs_are_refused_before_the_first() -> None:
    with pytest.raises(LimitExceeded) as caught:
        integer(0, 10**6).enumerate()
    assert (caught.value.limit, caught.value.value) == ("max_outputs", 100_000)
    assert len(list(integer(0, 99).enumerate(limits=Limits(max_outputs=100)))) == 100
    with pytest.raises(LimitExceeded):
        integer(0, 100).enumerate(limits=Limits(max_outputs=100))


def test_outputs_are_counted_while_they_are_listed_when_states_are_too_many() -> None:
    outputs = integer(0, 10**6).enumerate(limits=Limits(max_outputs=10, max_states=2))
    found: list[str] = []
    with pytest.raises(LimitExceeded, match="limit max_outputs=10 reached"):
        found.extend(outputs)
    assert len(found) == 10


def test_outputs_that_are_no_text_are_not_listed_in_silence() -> None:
    spec = Spec("bytes", Grammar(byte_class((0x61, 0x61), (0xFF, 0xFF))), str)
    with pytest.raises(UnsupportedSpec, match=r"the output b'\\xff' is not UTF-8 text"):
        list(spec.enumerate())
    assert spec.examples(5) == ["a"]


def test_examples_of_infinite_specs_are_found_and_match() -> None:
    specs = [
        text(),
        text(stop="\n\n"),
        integer(),
        number(),
        regex("(ab|c)*d{3}"),
        template("{why:/[a-z ]+/}: {score:0..10}"),
        json({"type": "object", "properties": {"a": {"type": "array"}}, "required": ["a"]}),
        json({"type": "array", "items": {"$ref": "#"}}),
    ]
    for spec in specs:
        for seed in range(3):
            examples = spec.examples(10, seed)
            assert len(examples) == 10
            assert all(spec.matches(example) for example in examples)
            assert examples == spec.examples(10, seed)
    assert text().examples(10, 0) != text().examples(10, 1)


def test_asking_for_far_more_examples_than_there_are_ends() -> None:
    assert integer(0, 3).examples(10**9) == ["0", "1", "2", "3"]


def test_examples_always_end() -> None:
    endless = Spec("endless", Grammar(complement(repeat(literal("a"), 0, 5))), str)
    assert all(endless.matches(example) for example in endless.examples(10))
    assert integer(0, 3).examples(0) == []


HARD = r"(?=(?:.*\d){3,})(?=(?:.*[a-z]){4,}).{10,100}"
"""Its examples need some thousand steps of the engine."""


@pytest.mark.parametrize(
    "made",
    [
        lambda limits: regex(HARD, limits=limits),
        lambda limits: "Code: " + regex(HARD, limits=limits),
        lambda limits: regex(HARD, limits=limits) | regex("x{3}", limits=limits),
        lambda limits: json({"type": "string", "pattern": f"^{HARD}$"}, limits=limits),
    ],
    ids=["alone", "in a sequence", "in a union", "in a schema"],
)
def test_limits_of_a_spec_hold_for_what_is_asked_of_it(
    made: Callable[[Limits], Spec[Any]],
) -> None:
    with pytest.raises(LimitExceeded) as caught:
        made(Limits(max_steps=100)).examples()
    assert (caught.value.limit, caught.value.value) == ("max_steps", 100)
    wide = made(Limits(max_steps=5_000_000))
    assert wide.limits.max_steps == 5_000_000
    assert wide.examples(2)
    assert wide.engine.limits.max_steps == 5_000_000


def test_limits_of_a_call_come_before_those_of_the_spec() -> None:
    spec = regex("[ab]{0,20}", limits=Limits(max_outputs=3))
    with pytest.raises(LimitExceeded):
        list(spec.enumerate())
    assert len(list(spec.enumerate(5, limits=Limits()))) == 5
