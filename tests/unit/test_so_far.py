"""What a beginning of an output means: worked by hand, and against the whole output's value."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import constrained as ct
from constrained.spec.so_far import Unfinished, json_so_far, so_far
from constrained.testing import outputs_of


def shown(value: Any) -> str:
    return repr(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "{'why': Unfinished('')}"),
        ("It is", "{'why': Unfinished('It is')}"),
        ("It is good.", "{'why': 'It is good'}"),
        ("It is good. Score: 1", "{'why': 'It is good'}"),
        ("It is good. Score: 10", "{'why': 'It is good', 'score': 10}"),
        ("It is good. Score: 7", "{'why': 'It is good', 'score': 7}"),
        ("It is good. Score: 1 of", "{'why': 'It is good', 'score': 1}"),
    ],
)
def test_holes_are_shown_once_nothing_can_change_them(text: str, expected: str) -> None:
    spec = ct.template("{why} Score: {score:0..10} of 10", why=ct.text(stop="."))
    assert shown(so_far(spec, text)) == expected


def test_text_that_might_be_the_following_literal_is_held_back() -> None:
    spec = ct.template("{why}\nScore: {score:0..10}", why=ct.text(lines=1))
    assert shown(so_far(spec, "It is good.\nSco")) == "{'why': 'It is good.'}"
    several = ct.template("{why}\nScore: {score:0..10}", why=ct.text())
    assert shown(so_far(several, "It is.\nSco")) == "{'why': Unfinished('It is.')}"
    assert shown(so_far(several, "It is.\nSo")) == "{'why': Unfinished('It is.\\nSo')}"


def test_a_stop_of_several_characters_is_held_back_as_far_as_it_has_come() -> None:
    spec = ct.text(stop="END")
    assert [str(so_far(spec, t)) for t in ("aE", "aEN", "aEND", "aEx")] == ["a", "a", "a", "aEx"]


def test_specs_without_names_are_tuples_and_single_holes_their_value() -> None:
    pair = ct.integer(0, 3) + "," + ct.integer(0, 3)
    assert so_far(pair, "2,") == (2,)
    assert so_far(pair, "2,1") == (2, 1)
    assert so_far("n=" + ct.integer(0, 3), "n=2") == 2
    assert so_far(ct.integer(0, 30), "2") is None


def test_an_alternative_speaks_once_it_is_the_only_one() -> None:
    spec = ct.template("no: {why}", why=ct.text(stop=".")) | ct.template("yes {n:0..3}")
    assert so_far(spec, "") is None
    assert so_far(spec, "no: be") == {"why": "be"}
    assert so_far(spec, "yes 2") == {"n": 2}


class Grade(pydantic.BaseModel):
    name: str
    score: int
    tags: list[str]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "None"),
        ('{"na', "{}"),
        ('{"name": "', "{'name': Unfinished('')}"),
        ('{"name": "A\\u00', "{'name': Unfinished('A')}"),
        ('{"name": "Ann", "score": 1', "{'name': 'Ann'}"),
        ('{"name": "Ann", "score": 12,', "{'name': 'Ann', 'score': 12}"),
        ('{"name": "Ann", "score": 1, "tags": ["a", "b',
         "{'name': 'Ann', 'score': 1, 'tags': ['a', Unfinished('b')]}"),
        ('{"name": "Ann", "score": 1, "tags": ["a", "b"]',
         "{'name': 'Ann', 'score': 1, 'tags': ['a', 'b']}"),
    ],
)  # fmt: skip
def test_objects_show_finished_fields_and_growing_lists(text: str, expected: str) -> None:
    assert shown(so_far(ct.json(Grade), text)) == expected


def test_json_inside_a_template() -> None:
    spec = ct.template("Answer: {it}!", it=ct.json(Grade))
    text = 'Answer: {"name": "A", "score": 4, "tags": []}'
    assert shown(so_far(spec, text[:-6])) == "{'it': {'name': 'A', 'score': 4}}"
    assert so_far(spec, text) == {"it": Grade(name="A", score=4, tags=[])}


def settled(part: Any, whole: Any) -> bool:
    """Whether everything in `part` is in `whole` too, growing text as its beginning."""
    if isinstance(part, Unfinished):
        return isinstance(whole, str) and whole.startswith(part)
    if isinstance(part, dict):
        return all(name in whole and settled(value, whole[name]) for name, value in part.items())
    if isinstance(part, (list, tuple)):
        return len(part) <= len(whole) and all(
            settled(a, b) for a, b in zip(part, whole, strict=False)
        )
    return bool(part == whole)


SPECS = [
    ct.template("{why} {n:0..120}/{m:1..5}", why=ct.text(stop=".")),
    ct.template("{a}\n{b:x|xy|y}{c}", a=ct.text(lines=1), c=ct.text(max_length=3)),
    ct.integer(0, 99) + ct.choice(["", "%", "%%"]) + ct.text(alphabet="%a", max_length=4),
    ct.json({"type": "array", "items": {"type": "integer"}, "maxItems": 4}),
    ct.json(
        {
            "type": "object",
            "properties": {
                "s": {"type": "string", "maxLength": 5},
                "n": {"type": "number"},
                "l": {"type": "array", "items": {"type": ["boolean", "string"]}, "maxItems": 3},
            },
            "required": ["s", "n", "l"],
            "additionalProperties": False,
        }
    ),
]


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SPECS), st.data())
def test_what_is_settled_is_never_taken_back(spec: Any, data: st.DataObject) -> None:
    text = data.draw(outputs_of(spec, max_choices=12))
    whole = spec.parse(text)
    cut = data.draw(st.integers(0, len(text)))
    found = so_far(spec, text[:cut])
    assert found is None or settled(found, whole), (text[:cut], found, whole)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(json_values, st.data())
def test_any_json_text_is_settled_member_by_member(value: Any, data: st.DataObject) -> None:
    import json

    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()))
    found = json_so_far(text[: data.draw(st.integers(0, len(text)))])
    assert found is None or settled(found, value)
