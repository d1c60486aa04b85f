"""`many`: lists of a format, read as every division of their text says, and while they grow."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import constrained as ct
from constrained.errors import InvalidSpec, TextRejected, UnsatisfiableSpec, UnsupportedSpec
from constrained.spec.so_far import Unfinished, so_far
from constrained.testing import ByteTokenizer, ScriptedModel, outputs_of, values_of

SCORES = ct.many(ct.integer(0, 10), 1, 3, separator=", ")


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", [7]), ("7, 10", [7, 10]), ("1, 2, 3", [1, 2, 3])],
)
def test_the_value_is_the_list_of_the_values(text: str, value: list[int]) -> None:
    assert SCORES.parse(text) == value


@pytest.mark.parametrize("text", ["", "7,", "7, ", "7,8", "11", "1, 2, 3, 4", ", 1"])
def test_what_is_no_such_list_is_rejected(text: str) -> None:
    assert not SCORES.matches(text)
    with pytest.raises(TextRejected):
        SCORES.parse(text)


def test_a_spec_times_a_number_is_so_many_of_them() -> None:
    digit = ct.integer(0, 9)
    assert (digit * 3).parse("123") == (3 * digit).parse("123") == [1, 2, 3]
    assert not (digit * 3).matches("12")
    assert (digit * 0).parse("") == []
    assert repr(digit * 2) == "many(integer(0, 9), 2, 2)"
    assert ("No. " + digit * 2 + "!").parse("No. 42!") == [4, 2]


@pytest.mark.parametrize(
    ("spec", "source"),
    [
        (ct.many("a"), "many(as_spec('a'))"),
        (ct.many("a", 2), "many(as_spec('a'), 2)"),
        (ct.many("a", most=2), "many(as_spec('a'), 0, 2)"),
        (SCORES, "many(integer(0, 10), 1, 3, separator=', ')"),
    ],
    ids=["any", "least", "most", "separator"],
)
def test_a_list_is_shown_as_it_is_written(spec: ct.Spec[Any], source: str) -> None:
    assert repr(spec) == source


def test_finite_lists_are_counted_and_listed() -> None:
    bits = ct.many(ct.choice(["0", "1"]), 1, 2, separator="-")
    assert list(bits.enumerate()) == ["0", "0-0", "0-1", "1", "1-0", "1-1"]
    assert bits.summary().outputs == 6
    assert SCORES.summary().outputs == 11 + 11**2 + 11**3
    endless = ct.many("a", separator=",")
    assert endless.summary().finite is False
    with pytest.raises(UnsupportedSpec, match="infinitely many outputs"):
        endless.enumerate()


def test_lists_of_lists_of_objects_and_in_templates() -> None:
    rows = ct.many(ct.many(ct.integer(0, 9), 1, separator=","), separator=";")
    assert rows.parse("1,2;3") == [[1, 2], [3]]
    line = ct.json({"type": "object", "properties": {"a": {"type": "integer"}}})
    lines = ct.many(line, separator="\n")
    assert lines.parse('{"a": 1}\n{"a": 2}') == [{"a": 1}, {"a": 2}]
    both = ct.template("{xs} and {ys}", xs=ct.integer(0, 9) * 2, ys=SCORES)
    assert both.parse("12 and 7, 8") == {"xs": [1, 2], "ys": [7, 8]}


def test_items_with_rules_of_their_own_may_stand_beside_separators_with_rules() -> None:
    nested = ct.grammar('start: "(" start ")" | "x"')
    between = ct.grammar('start: "[" start "]" | "-"')
    spec = ct.many(nested, 2, 2, separator=between)
    assert spec.parse("((x))[-]x") == ["((x))", "x"]


def test_compiled_lists_are_loaded_as_bytes() -> None:
    loaded = ct.Spec.from_bytes(SCORES.to_bytes(), read=str)
    assert list(loaded.enumerate()) == list(SCORES.enumerate())


@given(values_of(SCORES))
def test_values_of_lists_can_be_drawn(value: list[int]) -> None:
    assert 1 <= len(value) <= 3
    assert SCORES.parse(", ".join(map(str, value))) == value


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: ct.many("a", 5, 3),
            UnsatisfiableSpec,
            "no list has at least 5 and at most 3 items",
        ),
        (
            lambda: ct.many(ct.text()),
            UnsupportedSpec,
            "text() may be empty, so a text would be lists of any number of items (pass most=, or "
            "a separator, or an item that is never empty)",
        ),
        (lambda: ct.many("a", -1), InvalidSpec, "least must be at least 0, got -1"),
        (lambda: ct.many("a", True), InvalidSpec, "least must be a whole number, got True"),
        (lambda: ct.many("a", most=0.5), InvalidSpec, "most must be a whole number, got 0.5"),
        (lambda: ct.many("a", 2**31), InvalidSpec, "least must be at most 2,147,483,647"),
        (
            lambda: ct.integer() * 2.5,
            InvalidSpec,
            "the number of copies must be a whole number, got 2.5",
        ),
        (
            lambda: -1 * ct.integer(),
            InvalidSpec,
            "the number of copies must be at least 0, got -1",
        ),
    ],
    ids=["backwards", "empty", "negative", "switch", "fraction", "huge", "times", "minus"],
)
def test_what_no_list_can_be_is_refused_by_name(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == message


def test_items_that_may_be_empty_are_as_few_as_may_be() -> None:
    lines = ct.many(ct.text(lines=1), separator="\n")
    assert lines.parse("") == []
    assert lines.parse("a\n\nb") == ["a", "", "b"]
    runs = ct.many(ct.regex("a*"), 2, 5)
    assert runs.parse("aaa") == ["aaa", ""]


def test_a_list_shows_the_items_that_nothing_can_change() -> None:
    text = "7, 1, 10"
    found = [so_far(SCORES, text[:end]) for end in range(len(text) + 1)]
    assert found == [
        None, [7], [7], [7], [7], [7, 1], [7, 1], [7, 1], [7, 1, 10],
    ]  # fmt: skip
    lines = ct.many(ct.text(lines=1), separator="\n")
    assert repr(so_far(lines, "one\ntw")) == "['one', Unfinished('tw')]"
    assert isinstance(so_far(lines, "one\ntw")[1], Unfinished)


def test_long_lists_are_read_in_a_moment() -> None:
    numbers = ct.many(ct.integer(), separator=",")
    assert numbers.parse(",".join(map(str, range(3_000)))) == list(range(3_000))
    assert ct.many(ct.regex("a+"), most=2_000).parse("a" * 3_000) == ["a" * 3_000]


ITEMS = (
    "a", "ab|a", "a|aa|b", "a*", "[ab]", "a+b?", "b|", "é|a",
)  # fmt: skip
SEPARATORS = ("", "a", "b", ",")
COUNTS = ((0, None), (1, None), (2, None), (0, 2), (1, 3), (2, 2), (0, 0))


def divisions(
    item: ct.Spec[Any], separator: str, counts: tuple[int, int | None], text: str
) -> Iterator[tuple[int, ...]]:
    """Where items begin and end, in every division of `text`: by trying all."""
    least, most = counts

    def items_from(place: int, found: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        count = len(found) // 2
        if place == len(text) and count >= least:
            yield found
        if count == (len(text) + least + 1 if most is None else most):
            return
        if found and not text.startswith(separator, place):
            return
        begin = place + len(separator) if found else place
        for end in range(begin, len(text) + 1):
            if item.matches(text[begin:end]):
                yield from items_from(end, (*found, begin, end))

    return items_from(0, ())


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(ITEMS),
    st.sampled_from(SEPARATORS),
    st.sampled_from(COUNTS),
    st.text("abé,", max_size=6),
    st.data(),
)
def test_of_all_divisions_the_one_with_the_longest_parts_is_read(
    pattern: str, separator: str, counts: tuple[int, int | None], text: str, data: st.DataObject
) -> None:
    item = ct.regex(pattern)
    try:
        spec = ct.many(item, *counts, separator=separator)
    except UnsupportedSpec:
        assert item.matches("")
        assert (separator, counts[1]) == ("", None)
        return
    if data.draw(st.booleans()):
        text = data.draw(outputs_of(spec, max_choices=4))[:7]
    best = max(divisions(item, separator, counts, text), key=lambda c: (*c, inf), default=None)
    assert spec.matches(text) == (best is not None)
    if best is None:
        return
    expected = [text[a:b] for a, b in zip(best[::2], best[1::2], strict=True)]
    assert spec.parse(text) == expected
    for end in range(len(text) + 1):
        settled = [v for v in so_far(spec, text[:end]) or [] if not isinstance(v, Unfinished)]
        assert settled == expected[: len(settled)]


def test_a_model_writes_lists_within_its_budget_and_knows_how_likely_each_is() -> None:
    pytest.importorskip("torch")
    model = ScriptedModel(257, lambda _: {ord(","): 0.5, 256: 0.25})
    generator = ct.Generator(model, ByteTokenizer())
    found = generator.distribution("List: ", ct.many(ct.choice(["a", "b"]), 1, 2, separator=","))
    assert set(found.pmf) == {(x,) for x in "ab"} | {(x, y) for x in "ab" for y in "ab"}
    assert found.pmf["a", "b"] == pytest.approx(1 / 6)
    endless = ct.many(ct.integer(), 2, separator=", ")
    result = generator("List: ", endless, max_new_tokens=6)
    assert result.complete
    assert len(result.value) >= 2
