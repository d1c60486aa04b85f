"""`text`: lengths in characters, stops, alphabets, lines."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constrained.errors import InvalidSpec, UnsatisfiableSpec
from constrained.spec import template, text


def test_any_text_is_text() -> None:
    for output in ["", "two words", "naïve\n日本語 😀", "\0\x7f\u2028"]:
        assert text().parse(output) == output
    assert not text().matches("half \ud83d")


def test_lengths_count_characters() -> None:
    spec = text(min_length=2, max_length=3)
    assert [spec.matches(t) for t in ("é", "日本", "日本語", "日本語😀")] == [
        False,
        True,
        True,
        False,
    ]


def test_a_stop_ends_the_output_and_is_not_in_the_value() -> None:
    spec = text(stop="\n")
    assert spec.parse("a line\n") == "a line"
    assert spec.parse("\n") == ""
    for output in ["a line", "two\nlines\n", "a\n\n"]:
        assert not spec.matches(output)


@settings(max_examples=40, deadline=None)
@given(
    stop=st.sampled_from(["a", "aa", "ab", "aba", "abab"]),
    alphabet=st.sampled_from(["a", "b", "ab"]),
    least=st.integers(0, 2),
    more=st.none() | st.integers(0, 3),
    lines=st.sampled_from([None, 1, 2]),
)
def test_the_stop_is_where_it_first_appears(
    stop: str, alphabet: str, least: int, more: int | None, lines: int | None
) -> None:
    letters = alphabet + ("\n" if lines else "")
    most = None if more is None else least + more
    expected = {
        output
        for length in range(7)
        for output in map("".join, product("ab\n", repeat=length))
        if output.find(stop) == len(output) - len(stop) >= 0
        for body in [output[: len(output) - len(stop)]]
        if set(body) <= set(letters) and least <= len(body) <= (99 if most is None else most)
        if lines is None or body.count("\n") < lines
    }
    try:
        spec = text(stop=stop, alphabet=letters, min_length=least, max_length=most, lines=lines)
    except UnsatisfiableSpec:
        assert not expected
        return
    found = {
        output
        for length in range(7)
        for output in map("".join, product("ab\n", repeat=length))
        if spec.matches(output)
    }
    assert found == expected
    for output in found:
        assert spec.parse(output) == output[: len(output) - len(stop)]


def test_lines_are_divided_by_line_feeds() -> None:
    spec = text(lines=2)
    assert [spec.matches(t) for t in ("", "one", "one\ntwo", "\n", "one\ntwo\n")] == [
        True, True, True, True, False,
    ]  # fmt: skip
    assert not text(lines=1).matches("one\n")
    assert text(lines=1).matches("\r\u2028")
    assert list(text(lines=2, max_length=2, alphabet="\n").enumerate()) == ["", "\n"]


def test_an_alphabet_lists_the_characters_allowed() -> None:
    spec = text(alphabet="01é", max_length=2)
    assert spec.matches("1é")
    assert not spec.matches("2")
    assert spec.summary().outputs == 13
    assert list(text(alphabet="", max_length=3).enumerate()) == [""]


def test_a_stop_works_inside_a_template() -> None:
    spec = template("{why}Score: {score:0..10}", why=text(stop="\n", max_length=40))
    assert spec.parse("Well argued.\nScore: 8") == {"why": "Well argued.", "score": 8}


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"stop": ""}, InvalidSpec,
         "stop is empty (leave it out, or give the text that ends it)"),
        ({"stop": 3}, InvalidSpec, "3 is no text (pass a str)"),
        ({"min_length": -1}, InvalidSpec,
         "min_length must be an integer of at least 0, not -1"),
        ({"min_length": None}, InvalidSpec,
         "min_length must be an integer of at least 0, not None"),
        ({"max_length": 1.5}, InvalidSpec,
         "max_length must be an integer of at least 0, not 1.5"),
        ({"lines": 0}, InvalidSpec, "lines must be an integer of at least 1, not 0"),
        ({"lines": True}, InvalidSpec, "lines must be an integer of at least 1, not True"),
        ({"min_length": 5, "max_length": 4}, UnsatisfiableSpec,
         "no text has at least 5 and at most 4 characters"),
        ({"min_length": 1, "alphabet": ""}, UnsatisfiableSpec,
         "no text matches text(min_length=1, alphabet='')"),
        ({"min_length": 1, "alphabet": "a", "stop": "a"}, UnsatisfiableSpec,
         "no text matches text(min_length=1, stop='a', alphabet='a')"),
        ({"min_length": 3, "alphabet": "a", "stop": "aa"}, UnsatisfiableSpec,
         "no text matches text(min_length=3, stop='aa', alphabet='a')"),
        ({"min_length": 3, "alphabet": "\n", "lines": 2}, UnsatisfiableSpec,
         "no text matches text(min_length=3, alphabet='\\n', lines=2)"),
        ({"stop": "\ud800"}, InvalidSpec,
         "'\\ud800' holds half a character (a lone surrogate) at position 0 "
         "(write the whole character)"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        text(**settings)
    assert type(caught.value) is error
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "source",
    ["text()", "text(max_length=9, min_length=1, stop='\\n', alphabet='ab', lines=2)"],
)
def test_the_repr_makes_the_spec_again(source: str) -> None:
    assert repr(eval(source)) == source
