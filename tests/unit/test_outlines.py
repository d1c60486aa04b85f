"""Outlines 1.3: its output types as specs, and masks behind its generators, with a real model."""

from __future__ import annotations

import datetime
import enum
import json
import re
import threading
import warnings
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NewType, Optional, Union

import jsonschema
import outlines
import pytest
import torch
from genson import SchemaBuilder
from hypothesis import given, settings
from hypothesis import strategies as st
from outlines import types
from outlines.types import dsl
from outlines_core import Guide
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

import constrained as ct
from constrained.adapters.outlines import from_outlines, outlines_processor
from constrained.errors import InvalidSpec, TextRejected, UnsupportedSpec
from tests import tiny

# ------------------------------------------------------------------ terms against `re`

TEXTS = st.text("ab1 .", min_size=1, max_size=3)
LEAVES = st.one_of(
    TEXTS.map(dsl.String),
    st.sampled_from(
        ["[ab]", "a|b", "a*", ".", "(a|1)b?", r"\d", r"^a", "b$", r"(?=a).", r"a\b"]
    ).map(types.Regex),
    st.lists(TEXTS, min_size=1, max_size=3).map(types.Choice),
)
COUNTS = st.integers(0, 2)
TERMS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(dsl.Sequence),
        st.lists(inner, min_size=2, max_size=3).map(dsl.Alternatives),
        inner.map(types.optional),
        inner.map(types.zero_or_more),
        inner.map(types.one_or_more),
        st.tuples(COUNTS, inner).map(lambda pair: types.exactly(*pair)),
        st.tuples(COUNTS, inner).map(lambda pair: types.at_least(*pair)),
        st.tuples(COUNTS, inner).map(lambda pair: types.at_most(*pair)),
        st.tuples(COUNTS, COUNTS, inner).map(lambda t: types.between(min(t[:2]), max(t[:2]), t[2])),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(TERMS, st.lists(st.text("ab1 .", max_size=5), max_size=12), st.integers(0, 9))
def test_a_term_matches_what_outlines_says_it_matches(
    term: dsl.Term, texts: list[str], seed: int
) -> None:
    pattern = re.compile(dsl.to_regex(term))
    try:
        spec = from_outlines(term)
        drawn = spec.examples(4, seed=seed)
    except ct.UnsatisfiableSpec:
        assert not any(pattern.fullmatch(text) for text in texts)
        return
    except (UnsupportedSpec, ct.LimitExceeded):  # assertions that are not followed, or not so far
        assert any(mark in pattern.pattern for mark in ("^", "$", r"\b", "(?="))
        return
    for text in drawn:
        assert pattern.fullmatch(text), text
    for text in texts:
        assert spec.matches(text) is (pattern.fullmatch(text) is not None), text


NAMED = sorted(name for name in types.__all__ if isinstance(getattr(types, name), types.Regex))


@pytest.mark.parametrize("name", NAMED)
def test_every_named_type_of_outlines_is_accepted(name: str) -> None:
    term = getattr(types, name)
    spec = from_outlines(term)
    for text in spec.examples(12):
        assert term.matches(text), text


def test_backreferences_keep_their_groups() -> None:
    spec = from_outlines("x" + types.Regex(r"(a|b)\1") + types.Regex(r"(1|2)\1"))
    assert sorted(spec.enumerate()) == ["xaa11", "xaa22", "xbb11", "xbb22"]
    with pytest.raises(UnsupportedSpec) as error:
        from_outlines(types.Regex(r"^(a|b)\1") + types.Regex("(1)"))
    assert error.value.feature == "back-reference"


def test_json_and_grammars_stand_inside_terms() -> None:
    schema = types.JsonSchema({"type": "integer", "minimum": 1, "maximum": 3})
    spec = from_outlines("n=" + schema + types.optional("!"))
    assert sorted(spec.enumerate()) == [f"n={n}{mark}" for n in "123" for mark in ("", "!")]
    nested = from_outlines(types.cfg('start: "(" start ")" | "x"') + types.Regex("[0-9]"))
    assert nested.matches("((x))7")
    assert not nested.matches("((x)7")
    with pytest.raises(UnsupportedSpec) as error:
        from_outlines(schema + types.Regex("a$"))
    assert str(error.value) == (
        "a pattern with an anchor, a lookaround or an atomic group looks beyond itself, which "
        "cannot be followed into JSON or a grammar beside it (write that pattern without them)"
    )


# ------------------------------------------------------------------ Python types


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


Age = NewType("Age", int)

READ: list[tuple[Any, str, Any]] = [
    (int, "-7", -7),
    (Age, "+7", 7),
    (float, "1.5e3", 1500.0),
    (bool, "True", True),
    (str, '"a b"', "a b"),
    (datetime.date, "2024-02-29", datetime.date(2024, 2, 29)),
    (datetime.time, "23:59:00", datetime.time(23, 59)),
    (datetime.datetime, "2024-02-29 23:59:00", datetime.datetime(2024, 2, 29, 23, 59)),
    (Literal["a", 1, 2.5, True], "2.5", 2.5),
    (Literal["a", 1, 2.5, True], "True", True),
    (Color, "blue", Color.BLUE),
    (types.Choice(["x", 3]), "3", 3),
    (Optional[int], "None", None),  # noqa: UP045
    (Union[int, Literal["many"]], "many", "many"),  # noqa: UP007
    ("yes", "yes", "yes"),
    (7, "7", 7),
    (list[int], "[1, -2]", "[1, -2]"),
    (list[Literal["a", "b"]], '["a", "b"]', '["a", "b"]'),
    (tuple[int, str], '(1, "x")', '(1, "x")'),
    (tuple[bool, ...], "(True, False)", "(True, False)"),
    (dict[str, int], '{"a":1, "b":2}', '{"a":1, "b":2}'),
    (dict[int, Color | None], '{"1":"red", "2":None}', '{"1":"red", "2":None}'),
    (tuple[()], "()", "()"),
]


@pytest.mark.parametrize(("kind", "text", "value"), READ, ids=lambda v: str(v)[:30])
def test_python_types_are_written_as_outlines_writes_them(kind: Any, text: str, value: Any) -> None:
    pattern = re.compile(dsl.to_regex(dsl.python_types_to_terms(kind)))
    assert pattern.fullmatch(text)
    spec = from_outlines(kind)
    assert spec.parse(text) == value
    assert type(spec.parse(text)) is type(value)
    for example in spec.examples(10):
        assert pattern.fullmatch(example), example
    for wrong in (text + " ", text[:-1] + "#", "'" + text):
        assert spec.matches(wrong) is bool(pattern.fullmatch(wrong))


def test_bounds_of_annotated_types_are_kept() -> None:
    score = Annotated[int, Field(ge=0, le=10)]
    assert dsl.python_types_to_terms(score) == types.integer  # Outlines forgets them
    assert sorted(from_outlines(score).enumerate(), key=int) == [str(n) for n in range(11)]
    assert not from_outlines(list[score]).matches("[3, 11]")
    assert from_outlines(list[score]).matches("[3, 10]")
    name = from_outlines(Annotated[str, Field(min_length=2, max_length=3, pattern="^[a-z]+$")])
    assert [name.matches(f'"{text}"') for text in ("a", "ab", "abc", "abcd", "AB", 'a"')] == [
        False, True, True, False, False, False,
    ]  # fmt: skip
    assert from_outlines(Annotated[int, "a note"]).matches("+12")


def test_days_that_do_not_exist_are_rejected_when_read() -> None:
    with pytest.raises(TextRejected, match="can read"):
        from_outlines(datetime.date).parse("2023-02-31")


@pytest.mark.parametrize("kind", [object(), set, list, complex])
def test_what_outlines_does_not_take_is_refused(kind: Any) -> None:
    with pytest.raises((InvalidSpec, UnsupportedSpec)):
        from_outlines(kind)


# ------------------------------------------------------------------ JSON


class User(BaseModel):
    name: Annotated[str, Field(max_length=8)]
    age: Annotated[int, Field(ge=0, le=120)]
    score: Annotated[float, Field(gt=0, lt=1)] | None = None


@dataclass
class Point:
    x: int
    y: int = 0


class Movie(TypedDict):
    title: str


def greet(name: str, times: Annotated[int, Field(ge=1, le=3)] = 1) -> str:
    return name * times


def test_structured_types_become_values_within_their_bounds() -> None:
    user = from_outlines(User)
    assert user.parse('{"name": "Ann", "age": 30}') == User(name="Ann", age=30)
    for wrong in ('{"name": "Ann", "age": 121}', '{"name": "Ann", "age": 3, "more": 1}'):
        assert not user.matches(wrong)
    assert from_outlines(Point).parse('{"x":1}') == Point(1)
    assert from_outlines(Movie).parse('{"title": "M"}') == {"title": "M"}
    called = from_outlines(greet)
    assert called.parse('{"name": "a", "times": 3}') == {"name": "a", "times": 3}
    assert not called.matches('{"name": "a", "times": 4}')
    builder = SchemaBuilder()
    builder.add_object({"a": 1})
    assert from_outlines(builder).parse('{"a": 2}') == {"a": 2}
    assert from_outlines(dict).matches('{"a": [1, "b"]}')


def test_a_schema_term_means_what_json_schema_says() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 3, "multipleOf": 2, "maximum": 9}},
        "required": ["n"],
    }
    spec = from_outlines(types.JsonSchema(schema))
    assert sorted({json.loads(text)["n"] for text in spec.enumerate()}) == [4, 6, 8]
    for text in spec.examples(20):
        jsonschema.validate(json.loads(text), schema)
    assert not spec.matches('{"n": 4, "m": 1}')  # Outlines writes no other members
    open_ = from_outlines(types.JsonSchema({**schema, "additionalProperties": {"const": 1}}))
    assert open_.matches('{"n": 4, "m": 1}')
    composed = from_outlines(types.JsonSchema({**schema, "allOf": [{"required": ["m"]}]}))
    assert composed.matches('{"n": 4, "m": 1}')
    assert not composed.matches('{"n": 4}')


@pytest.mark.parametrize(
    ("pattern", "fits", "fails"),
    [
        (None, ['{"a":[1,2]}', '{ "a": [ 1, 2 ] }'], ['{"a":  [1,2]}', '{\n"a":[1,2]}']),
        ("", ['{"a":[1,2]}'], ['{"a": [1,2]}']),
        ("[ ]{0,2}", ['{"a":  [1, 2]}'], ['{"a":   [1,2]}']),
        (r"[\n\t ]*", ['{"a":[1,2]}', '{\n  "a": [1, 2]\n}'], ['{"a"x:[1,2]}']),
    ],
)
def test_whitespace_patterns(pattern: str | None, fits: list[str], fails: list[str]) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"enum": [1, 2]}}},
        "required": ["a"],
    }
    spec = from_outlines(types.JsonSchema(schema, whitespace_pattern=pattern))
    assert [spec.matches(text) for text in fits + fails] == [True] * len(fits) + [False] * len(
        fails
    )


@pytest.mark.parametrize("pattern", [" ", "[ ]+", "x?", " *"])
def test_whitespace_that_cannot_be_followed_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(UnsupportedSpec) as error:
        from_outlines(types.JsonSchema({"type": "integer"}, whitespace_pattern=pattern))
    assert str(error.value) == (
        f"the whitespace pattern {pattern!r} cannot be followed exactly (use one that allows no "
        "whitespace and few other gaps, such as '[ ]?')"
    )


CODE = types.Regex("[A-Z]-[0-9]") + " x"


def test_terms_inside_a_model_match_whole_strings() -> None:
    class Ticket(BaseModel):
        code: CODE  # type: ignore[valid-type]
        mail: types.email  # type: ignore[valid-type]

    spec = from_outlines(Ticket)
    assert spec.parse('{"code": "A-1 x", "mail": "a@b.cd"}') == Ticket(code="A-1 x", mail="a@b.cd")
    assert not spec.matches('{"code": "AA-1 x", "mail": "a@b.cd"}')
    for text in spec.examples(8):
        spec.parse(text)

    class Odd(BaseModel):
        other: types.Regex(r"\D")  # type: ignore[valid-type]

    with pytest.raises(UnsupportedSpec) as error:
        from_outlines(Odd)
    assert error.value.feature == "term"


# ------------------------------------------------------------------ generators


@pytest.fixture(scope="module")
def model() -> Any:
    tokenizer = tiny.byte_level()
    llama = tiny.model("llama", len(tokenizer) + 12)
    return outlines.from_transformers(llama, tokenizer)


def run(generator: Any, prompt: Any, **settings: Any) -> Any:
    torch.manual_seed(0)
    call = generator.batch if isinstance(prompt, list) else generator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(prompt, **{"max_new_tokens": 60, **settings})


SCORE = types.JsonSchema(
    {
        "type": "object",
        "properties": {"score": {"type": "integer", "minimum": 3, "maximum": 5}},
        "required": ["score"],
    }
)


def test_bounds_hold_where_the_default_backend_drops_them(model: Any) -> None:
    default = outlines.Generator(model, SCORE)
    ours = outlines.Generator(model, processor=outlines_processor(model, SCORE))
    vocabulary = ct.Vocabulary.from_tokenizer(model.hf_tokenizer)
    for score in (3, 5, 6, -1, 77):
        text = f'{{"score": {score}}}'
        tokens = model.hf_tokenizer.encode(text)
        assert Guide(default.logits_processor.index).accepts_tokens(tokens)
        engine = ct.Engine(ours.logits_processor.specs[0].grammar, vocabulary)
        state: int | None = engine.advance_bytes(engine.start, text.encode())
        assert (state is not None and engine.accepting(state)) is (3 <= score <= 5)
    for seed, prompt in enumerate(["The essay argues well.", "Bad.", "a", "The answer is"] * 2):
        torch.manual_seed(seed)
        assert json.loads(ours(prompt, max_new_tokens=24, do_sample=True))["score"] in (3, 4, 5)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_sample": True},
        {"num_beams": 3},
        {"num_beams": 3, "num_return_sequences": 2},
        {"prompt_lookup_num_tokens": 3},
    ],
    ids=str,
)
def test_every_mode_of_generate_behind_an_outlines_generator(model: Any, settings: Any) -> None:
    spec = from_outlines("Essay score: " + types.Regex("[0-9]|10"))
    generator = outlines.Generator(model, processor=outlines_processor(model, spec))
    for _ in range(2):  # one generator, several calls
        found = run(generator, "Essay score: 3", **settings)
        for text in [found] if isinstance(found, str) else found:
            assert spec.matches(text), text


def test_batches_and_a_spec_per_prompt(model: Any) -> None:
    processor = outlines_processor(model, [Color, Annotated[int, Field(ge=10, le=99)], None])
    generator = outlines.Generator(model, processor=processor)
    prompts = ["The essay argues well.", "Bad.", "a"]
    color, number, free = run(generator, prompts)
    assert from_outlines(Color).matches(color)
    assert 10 <= int(number) <= 99
    assert free == run(outlines.Generator(model), prompts)[2]


def test_encoder_decoder_models() -> None:
    tokenizer = tiny.unigram()
    ids = {"end": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id}
    t5 = outlines.from_transformers(tiny.model("t5", len(tokenizer), **ids), tokenizer)
    generator = outlines.Generator(t5, processor=outlines_processor(t5, Literal["good", "bad"]))
    assert run(generator, "The essay") in ("good", "bad")
    assert set(run(generator, ["The essay", "a"], num_beams=2)) <= {"good", "bad"}


def test_a_call_never_continues_the_one_before(model: Any) -> None:
    """A prompt that goes on where a cut answer ended is a prompt."""
    tokenizer = model.hf_tokenizer
    spec = from_outlines(types.Regex("(ab|c)+d"))
    generator = outlines.Generator(model, processor=outlines_processor(model, spec))
    prompt = "The essay"
    first = tokenizer(prompt, return_tensors="pt")["input_ids"]
    cut = generator(prompt, max_new_tokens=2)
    again = tokenizer(prompt + cut, return_tensors="pt")["input_ids"]
    assert torch.equal(again[:, : first.shape[1]], first)
    text = generator(prompt + cut, max_new_tokens=1)
    assert text in ("a", "ab", "c")


def test_threads_share_a_generator(model: Any) -> None:
    spec = from_outlines("Essay score: " + types.Regex("[0-9]|10"))
    generator = outlines.Generator(model, processor=outlines_processor(model, spec))
    prompts = ["The essay argues well.", "Bad.", "a", "The answer is"]
    expected = {prompt: generator(prompt, max_new_tokens=40) for prompt in prompts}
    found: dict[str, str] = {}

    def work(prompt: str) -> None:
        found[prompt] = generator(prompt, max_new_tokens=40)

    threads = [threading.Thread(target=work, args=(prompt,)) for prompt in prompts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_without_outlines_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("constrained.adapters.outlines.find_spec", lambda _name: None)
    with pytest.raises(ct.MissingPackage) as error:
        from_outlines(int)
    assert str(error.value) == (
        "reading output types of Outlines needs the package outlines "
        "(run: pip install 'outlines>=1.3,<1.4'; in a clone: scripts/install outlines)"
    )


def test_models_of_other_libraries_are_refused() -> None:
    with pytest.raises(UnsupportedSpec) as error:
        outlines_processor(object(), int)
    assert str(error.value) == (
        "these masks need a transformers model, not object "
        "(make one with outlines.from_transformers(model, tokenizer))"
    )
