"""Whatever a text, a file or a value holds, a spec is made of it or an error says why: quickly."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from time import process_time
from typing import Any

import pytest

import constrained as ct
from constrained.cli.formats import grammar_file, read_spec, schema_file
from constrained.errors import ConstrainedError, InvalidSpec, UnsupportedSpec
from constrained.spec.members import all_outputs

DEEP = 100_000
DIGITS = "7" * 5_000
LARGE = 10**5_000


def nested_schema() -> Any:
    schema: Any = True
    for _ in range(DEEP):
        schema = {"not": schema}
    return schema


SCHEMA_FILES = [
    "[" * DEEP,
    "[" * DEEP + "]" * DEEP,
    '{"not":' * DEEP + "true" + "}" * DEEP,
    f'{{"const":{DIGITS}}}',
    f'{{"minimum":{DIGITS}}}',
    '{"const":1e400}',
    '{"minimum":-1e400}',
    '{"const":NaN}',
    '{"const":"\\ud800"}',
    '"text"',
    "5",
    "",
]
VALUES: dict[str, Callable[[], object]] = {
    "schema nested": lambda: ct.json(nested_schema()),
    "minimum": lambda: ct.json({"type": "number", "minimum": LARGE}),
    "multipleOf": lambda: ct.json({"type": "number", "multipleOf": Decimal(f"0.{DIGITS}")}),
    "const": lambda: ct.json({"const": LARGE}),
    "enum in arrays": lambda: ct.json({"enum": [[{"a": LARGE}]]}),
    "lark brackets": lambda: ct.grammar("start: " + "(" * DEEP + '"a"' + ")" * DEEP),
    "lark options": lambda: ct.grammar("start: " + "[" * DEEP + '"a"' + "]" * DEEP),
    "lark repeats": lambda: ct.grammar('start: "a"' + "?" * DEEP),
    "lark count": lambda: ct.grammar(f'start: "a"~{DIGITS}'),
    "lark regex": lambda: ct.grammar("start: /" + "(" * DEEP + ")" * DEEP + "/"),
    "gbnf brackets": lambda: ct.grammar("root ::= " + "(" * DEEP, dialect="gbnf"),
    "regex brackets": lambda: ct.regex("(" * DEEP + ")" * DEEP),
    "regex count": lambda: ct.regex(f"a{{{DIGITS}}}"),
    "integer": lambda: ct.integer(LARGE),
    "integer high": lambda: ct.integer(0, LARGE, leading_zeros=True),
    "integer step": lambda: ct.integer(0, step=LARGE),
    "number": lambda: ct.number(Decimal(f"0.{DIGITS}")),
    "number fraction": lambda: ct.number(Fraction(1, LARGE)),
    "number step": lambda: ct.number(step=Decimal("1e-99999")),
    "number in huge steps": lambda: ct.number(-1e308, step=1e300),
    "number in many huge steps": lambda: ct.number(-1e308, 1e308, step=7e250),
    "range": lambda: ct.as_spec(range(LARGE)),
    "choice": lambda: ct.choice([LARGE]),
    "text": lambda: ct.text(max_length=LARGE),
    "template": lambda: ct.template(f"{{a:0..{DIGITS}}}"),
    "template point": lambda: ct.template(f"{{a:0..0.{DIGITS} step 0.1}}"),
    "option integer": lambda: read_spec(f"integer:0..{DIGITS}"),
    "option number": lambda: read_spec(f"number:0..0.{DIGITS}"),
    "option exponent": lambda: read_spec("number:0..1e999999999"),
    "option text": lambda: read_spec(f"text:{DIGITS}"),
    "option holes": lambda: read_spec("{a}" * DEEP),
    "file with NUL": lambda: schema_file("a\0b"),
    "endless file": lambda: grammar_file("/dev/zero"),
}


def refused_quickly(make: Callable[[], object]) -> None:
    begin = process_time()
    with pytest.raises(ConstrainedError) as caught:
        make()
    assert process_time() - begin < 2  # half of it on a quiet machine
    assert len(str(caught.value)) < 12_000


@pytest.mark.parametrize("content", SCHEMA_FILES, ids=lambda text: f"{text[:14]} {len(text)}")
def test_a_schema_file_of_any_content_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(content)
    refused_quickly(lambda: schema_file(path))


@pytest.mark.parametrize("kind", VALUES)
def test_specs_without_measure_are_refused_by_name(kind: str) -> None:
    refused_quickly(VALUES[kind])


def test_numbers_in_a_template_mean_what_is_written() -> None:
    spec = ct.template("{a:0.12345678901234567890..0.5 step 0.00000000000000000001}")
    assert spec.matches("0.1234567890123456789")
    assert spec.matches("0.12345678901234567891")
    assert not spec.matches("0.12345678901234567889")


LONG = [
    ct.json({"type": "array", "items": {"type": "integer"}, "minItems": 10**9}),
    ct.json({"type": "string", "minLength": 10**7}),
    ct.json({"type": "string", "minLength": 10**5_000}),
    ct.regex("((a{1000}){1000}){1000}"),
    ct.regex("(a{2000}){2000}"),
    ct.grammar("start: a~1000\na: b~1000\nb: c~1000\nc: start2~1000\nstart2: /x{1000}/"),
]


@pytest.mark.parametrize("spec", LONG, ids=repr)
def test_outputs_too_long_to_draw_are_refused_at_once(spec: ct.Spec[Any]) -> None:
    begin = process_time()
    with pytest.raises(UnsupportedSpec, match=r"bytes or more, which are too many to draw"):
        spec.examples()
    assert process_time() - begin < 1


def test_examples_keep_to_outputs_that_can_be_drawn() -> None:
    begin = process_time()
    assert ct.regex("b|a{1000000}|c{30000}").examples() != []
    nested = {"type": "array", "items": {"enum": [1]}, "minItems": 5_000}
    spec = ct.json({"anyOf": [{"enum": [1, 2]}, {"type": "array", "items": nested}]})
    assert {"1", "2"} <= set(spec.examples(30))
    assert process_time() - begin < 4


def test_all_outputs_of_long_texts_take_steps_not_copies() -> None:
    spec = ct.regex("b|a{20000}")
    assert [len(text) for text in spec.enumerate()] == [20_000, 1]
    assert list(all_outputs(spec.engine, 5)) == []
    assert list(all_outputs(spec.engine, 30_000)) == [b"a" * 20_000, b"b"]


def test_an_empty_range_is_refused_however_large_its_numbers_are() -> None:
    for empty in (range(0), range(5, 5), range(5, 2), range(2, 5, -1), range(10**50, 10**40)):
        with pytest.raises(ConstrainedError, match="is empty"):
            ct.as_spec(empty)
    assert ct.as_spec(range(10**50, 10**50 + 3)).examples() == [str(10**50 + i) for i in range(3)]
    with pytest.raises(InvalidSpec, match="high has more than 1,000 digits"):
        ct.as_spec(range(10**2_000))
