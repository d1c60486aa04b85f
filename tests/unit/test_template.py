"""`template`: holes, inline holes, escapes, and refusals with their place."""

from __future__ import annotations

import enum
import re
from typing import Any, Literal

import pytest

from constrained.errors import InvalidSpec, TextRejected, UnsatisfiableSpec, UnsupportedSpec
from constrained.spec import Hole, choice, integer, number, regex, template, text

EXAMPLES = "{score:0..10}, {score:0..5 step 0.5}, {label:good|bad} or {code:/[A-Z]+/}"


class Grade(enum.Enum):
    A = "A"
    B = "B"


def test_holes_take_whatever_as_spec_takes() -> None:
    spec = template(
        "{a},{b},{c},{d},{e},{f}",
        a=range(11),
        b=["x", "y"],
        c=Grade,
        d=Literal[1, 2],
        e=number(0, 1, step=0.5),
        f=re.compile("z*"),
    )
    value = spec.parse("10,y,B,2,0.5,zz")
    assert value == {"a": 10, "b": "y", "c": Grade.B, "d": 2, "e": 0.5, "f": "zz"}
    assert list(value) == ["a", "b", "c", "d", "e", "f"]
    assert not spec.matches("11,y,B,2,0.5,zz")


@pytest.mark.parametrize(
    ("inline", "same_as"),
    [
        ("0..10", integer(0, 10)),
        ("-5..5", integer(-5, 5)),
        ("-9..-7", integer(-9, -7)),
        ("0..", integer(0)),
        ("..0", integer(high=0)),
        ("..", integer()),
        ("1..9 step 2", integer(1, 9, step=2)),
        ("0..5 step 0.5", number(0, 5, step=0.5)),
        ("0.25..1 step 0.25", number(0.25, 1, step=0.25)),
        ("good|bad|ugly", choice(["good", "bad", "ugly"])),
        ("1|2", choice(["1", "2"])),
        ("very good|/", choice(["very good", "/"])),
        ("/[A-Z]{3}[0-9]/", regex("[A-Z]{3}[0-9]")),
        ("/a:b|[{]/", regex("a:b|[{]")),
        ("/", None),
    ],
)
def test_a_hole_can_say_itself_what_it_takes(inline: str, same_as: Any) -> None:
    if same_as is None:
        with pytest.raises(InvalidSpec, match="a hole is not closed"):
            template("{x:" + inline + "}")
        return
    (hole,) = template("{x:" + inline + "}").holes
    assert hole.spec.examples(20, 3) == same_as.examples(20, 3)
    for output in hole.spec.examples(5):
        assert hole.spec.parse(output) == same_as.parse(output)
        assert type(hole.spec.parse(output)) is type(same_as.parse(output))


def test_doubled_braces_are_braces() -> None:
    spec = template('{{"score": {score:0..10}}}{{}}')
    assert spec.parse('{"score": 7}{}') == {"score": 7}


def test_text_without_holes_is_itself() -> None:
    spec = template("just {{text}}")
    assert spec.parse("just {text}") == {}
    assert template("").parse("") == {}


def test_parts_are_texts_and_named_holes_in_order() -> None:
    spec = template("Score: {score:0..10} / 10, {label:good|bad}")
    texts = [part if isinstance(part, str) else part.name for part in spec.parts]
    assert texts == ["Score: ", "score", " / 10, ", "label"]
    assert [hole.name for hole in spec.holes] == ["score", "label"]
    assert all(isinstance(hole, Hole) for hole in spec.holes)
    assert spec.holes[0].spec.summary().outputs == 11


def test_adjacent_holes_are_as_long_as_they_can_be_from_the_left() -> None:
    spec = template("{a}{b}", a=integer(0, 99), b=integer(0, 99))
    assert spec.parse("12") == {"a": 1, "b": 2}
    assert spec.parse("123") == {"a": 12, "b": 3}
    assert spec.parse("105") == {"a": 10, "b": 5}
    assert not spec.matches("1005")


def test_free_text_before_a_literal_ends_at_its_last_place() -> None:
    spec = template("{why}. Score: {score:0..10}", why=text(lines=1))
    assert spec.parse("Good. Score: 3. Score: 7") == {"why": "Good. Score: 3", "score": 7}


def test_holes_may_be_templates() -> None:
    inner = template("{x:0..9}-{y:0..9}")
    spec = template("[{point}]", point=inner)
    assert spec.parse("[3-4]") == {"point": {"x": 3, "y": 4}}


def test_a_text_that_does_not_match_is_rejected_where_it_goes_wrong() -> None:
    spec = template("Score: {score:0..10} / 10")
    with pytest.raises(TextRejected) as caught:
        spec.parse("Score: 12 / 10")
    assert caught.value.position == 8
    assert str(caught.value) == "'Score: 12 / 10' does not match at byte 8: expected ' ' or '0'"
    with pytest.raises(TextRejected, match=r"does not match at byte 8: expected ' ' or '0'"):
        spec.parse("Score: 1")


@pytest.mark.parametrize(
    ("source", "holes", "error", "message"),
    [
        (
            "Score: {scor}",
            {"score": int},
            InvalidSpec,
            f"at 1:8: unknown hole 'scor' (pass scor=..., or write {EXAMPLES}; known names: score)",
        ),
        (
            "Score:\n  {score}",
            {},
            InvalidSpec,
            f"at 2:3: unknown hole 'score' (pass score=..., or write {EXAMPLES}; "
            "known names: none)",
        ),
        (
            "Score: {score:0..10}",
            {"label": str, "extra": str},
            InvalidSpec,
            "there is no hole 'label' in the template (its holes: score)",
        ),
        (
            "{x} and {x}",
            {"x": int},
            InvalidSpec,
            "at 1:9: hole 'x' appears twice (give each hole its own name)",
        ),
        (
            "{x:0..3}",
            {"x": int},
            InvalidSpec,
            "at 1:1: hole 'x' is described both in the template and by an argument "
            "(keep one of them)",
        ),
        (
            "a } b",
            {},
            InvalidSpec,
            "at 1:3: a closing brace without an opening one (write }} for a brace in the text)",
        ),
        (
            "a {x",
            {"x": int},
            InvalidSpec,
            "at 1:3: a hole is not closed (write {{ for a brace in the text)",
        ),
        (
            '{"score": {score}}',
            {"score": int},
            InvalidSpec,
            "at 1:1: a hole is not closed (write {{ for a brace in the text)",
        ),
        (
            "{x:/[0-9]+}",
            {},
            InvalidSpec,
            "at 1:1: a hole is not closed (end a regular expression with /})",
        ),
        (
            "{}",
            {},
            InvalidSpec,
            "at 1:1: a hole needs a name, not '' "
            "(write {name}, or {{ and }} for braces in the text)",
        ),
        (
            "{:0..10}",
            {},
            InvalidSpec,
            "at 1:1: a hole needs a name, not '' "
            "(write {name}, or {{ and }} for braces in the text)",
        ),
        (
            "{2x:0..10}",
            {},
            InvalidSpec,
            "at 1:1: a hole needs a name, not '2x' "
            "(write {name}, or {{ and }} for braces in the text)",
        ),
        (
            "{x:good}",
            {},
            InvalidSpec,
            f"at 1:1: hole 'x': cannot read 'good' (write {EXAMPLES})",
        ),
        (
            "{x:0..1.5}",
            {},
            InvalidSpec,
            "at 1:1: hole 'x': '0..1.5' needs a step (write 0..1.5 step 0.5)",
        ),
        (
            "{x:good | bad}",
            {},
            InvalidSpec,
            "at 1:1: hole 'x': an option of 'good | bad' is empty, or begins or ends with a space "
            "(leave no space around the bars, or pass the options as an argument)",
        ),
        (
            "ab {x:9..5}",
            {},
            UnsatisfiableSpec,
            "at 1:4: hole 'x': no integer is at least 9 and at most 5",
        ),
        (
            "{x}",
            {"x": []},
            UnsatisfiableSpec,
            "at 1:1: hole 'x': a choice needs at least one option",
        ),
    ],
)
def test_a_mistake_is_reported_with_its_place(
    source: str, holes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        template(source, **holes)
    assert type(caught.value) is error
    assert str(caught.value) == message


def test_what_a_hole_cannot_enforce_keeps_its_feature() -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        template(r"{x:/(a+)\1/}")
    assert caught.value.where == "1:1"
    assert caught.value.feature
    assert str(caught.value).startswith("at 1:1: hole 'x': ")


@pytest.mark.parametrize(
    "source",
    [
        "template('Score: {score:0..10}')",
        "template('{a} {b}', a=range(0, 3), b=int)",
        "template('{a}', a=integer(0, 3))",
        "template('{a}', a=Grade)",
        "template('{a}', a=['x', 'y'])",
    ],
)
def test_the_repr_makes_the_spec_again(source: str) -> None:
    spec = eval(source)
    assert repr(spec) == source
    assert eval(repr(spec)).examples() == spec.examples()


def test_a_hole_may_be_called_text() -> None:
    assert template("{text:a|b}").parse("b") == {"text": "b"}
    assert template("{text}", text=["a"]).parse("a") == {"text": "a"}
