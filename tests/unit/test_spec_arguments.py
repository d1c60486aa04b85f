"""Arguments of formats: the wrong kind is refused by name, whatever function it is passed to."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, NewType

import pydantic
import pytest

from constrained.errors import ConstrainedError, InvalidSpec, TextRejected, UnsupportedSpec
from constrained.limits import Limits
from constrained.spec import (
    Spec,
    as_spec,
    boolean,
    choice,
    grammar,
    integer,
    likert,
    number,
    regex,
    text,
)

SPEC = integer(0, 3)
NO_COUNT: tuple[Any, ...] = (None, "x", "5", 1.5, True, -1, [], {}, ...)


def call(function: Any, *given: Any, **settings: Any) -> Any:
    """Past the type checker."""
    return function(*given, **settings)


@pytest.mark.parametrize("wrong", [None, 7, 1.5, True, b"2", ["2"]], ids=repr)
def test_what_is_no_text_is_rejected_as_a_text_would_be(wrong: Any) -> None:
    for ask in (SPEC.matches, SPEC.parse):
        with pytest.raises(TextRejected) as caught:
            ask(wrong)
        kind = type(wrong).__name__
        assert str(caught.value).endswith(f"does not match at byte 0: expected a str, not {kind}")


@pytest.mark.parametrize("wrong", NO_COUNT, ids=repr)
def test_counts_are_counts(wrong: Any) -> None:
    asked: list[Callable[[], Any]] = [
        lambda: SPEC.examples(wrong),
        lambda: regex("a", wrong),
        lambda: Limits(max_outputs=wrong),
    ]
    if wrong is not None:
        asked.append(lambda: SPEC.enumerate(wrong))
    for ask in asked:
        with pytest.raises(InvalidSpec, match=r"must be (a whole number|at least 0), got"):
            ask()


@pytest.mark.parametrize(
    "ask",
    [
        lambda limits: SPEC.enumerate(limits=limits),
        lambda limits: SPEC.summary(limits=limits),
        lambda limits: SPEC.to_bytes(limits=limits),
        lambda limits: integer(0, 3, limits=limits),
        lambda limits: number(0, 3, limits=limits),
        lambda limits: regex("a", limits=limits),
        lambda limits: grammar('start: "a"', limits=limits),
    ],
)
def test_limits_are_limits(ask: Callable[[Any], Any]) -> None:
    for wrong in (5, "many", {"max_outputs": 5}):
        with pytest.raises(InvalidSpec, match="limits must be a Limits object, got"):
            ask(wrong)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda: call(number, 0, 1, exclusive_low="no"),
            "exclusive_low must be True or False, got 'no'",
        ),
        (lambda: call(number, 0, 1, exact=1), "exact must be True or False, got 1"),
        (lambda: call(integer, 0, 9, plus_sign=None), "plus_sign must be True or False, got None"),
        (
            lambda: call(integer, 0, 9999, thousands_separator=1),
            "thousands_separator must be a text, got 1",
        ),
        (lambda: call(grammar, 'start: "a"', start=1), "start must be a text, got 1"),
        (lambda: call(likert, "abc"), "the labels of a scale are a list of texts, not 'abc'"),
        (lambda: call(likert, 5), "the labels of a scale are a list of texts, not 5"),
        (lambda: call(likert, [1, 2]), "1 is no text (pass a str)"),
        (lambda: call(boolean, 1, 0), "1 is no text (pass a str)"),
        (lambda: call(SPEC.examples, 2, seed="x"), "seed must be a whole number, got 'x'"),
    ],
)
def test_settings_name_themselves(ask: Callable[[], Any], message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        ask()
    assert str(caught.value) == message


@pytest.mark.parametrize("make", [regex, choice, integer, number, likert, grammar, as_spec])
def test_no_object_at_all_gets_past_a_format(make: Callable[[Any], Any]) -> None:
    """Whatever comes in: a spec, or an error of this library."""
    things = [None, "x", "", -1, 0, 1.5, True, [], {}, (), set(), ..., float("nan"), b"x"]
    for thing in [*things, [1], [[1]], {"a": ...}, "\ud800", int, object, len, text()]:
        with suppress(ConstrainedError):
            assert isinstance(make(thing), Spec)


class Pair(NamedTuple):
    number: int
    good: bool


def test_more_types_of_python_are_formats() -> None:
    user = NewType("user", int)
    assert as_spec(user).parse("12") == 12
    assert as_spec(Pair).parse("[1, true]") == Pair(1, True)
    assert as_spec(Sequence[int]).parse("[1,2]") == [1, 2]
    assert as_spec(Mapping[str, int]).parse('{"a":1}') == {"a": 1}
    assert as_spec(pydantic.TypeAdapter(list[int])).parse("[3]") == [3]


def test_a_spec_is_its_own_copy_and_says_why_it_is_no_pickle() -> None:
    assert copy.copy(SPEC) is SPEC
    assert copy.deepcopy({"spec": SPEC})["spec"] is SPEC
    with pytest.raises(UnsupportedSpec) as caught:
        pickle.dumps(SPEC)
    assert str(caught.value) == (
        "integer(0, 3) cannot be pickled (make it anew in the other process, or send to_bytes() "
        "and load it there)"
    )
