"""Output formats on the command line: one option each, or ``kind:text`` in one argument."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from constrained import spec as specs
from constrained.errors import InvalidSpec
from constrained.files import file_text
from constrained.spec.spec import Spec

__all__ = ["KINDS", "chosen_spec", "read_spec", "read_text"]


def read_spec(text: str) -> Spec[Any]:
    """The spec that ``kind:text`` means; a text with ``{holes}`` alone is a template.

    Raises `InvalidSpec` when the kind is none of `KINDS`.

    >>> read_spec("integer:0..10").matches("7")
    True
    >>> read_spec("Essay score: {score:0..10} / 10").parse("Essay score: 7 / 10")
    {'score': 7}
    """
    kind, colon, rest = text.partition(":")
    if colon and kind in KINDS:
        return KINDS[kind](rest)
    if re.search(r"\{[^{}\d][^{}]*\}", text):
        return specs.template(text)
    known = ", ".join(f"{name}:" for name in KINDS)
    hint = f"begin with one of {known} or write a template with a hole such as {{score:0..10}}"
    raise InvalidSpec(f"{text!r} does not say what kind of format it is", hint=hint)


def chosen_spec(
    *,
    spec: str | None,
    template: str | None,
    regex: str | None,
    choice: Sequence[str],
    integer: str | None,
    schema: Path | None,
    grammar: Path | None,
) -> Spec[Any]:
    """The spec that the options of a command ask for; `InvalidSpec` unless it is exactly one.

    >>> chosen_spec(spec=None, template=None, regex=None, choice=["yes", "no"], integer=None,
    ...             schema=None, grammar=None).matches("yes")
    True
    """
    given: dict[str, tuple[Callable[[Any], Spec[Any]], Any]] = {
        "--spec": (read_spec, spec),
        "--template": (specs.template, template),
        "--regex": (specs.regex, regex),
        "--choice": (specs.choice, list(choice) or None),
        "--integer": (integer_range, integer),
        "--schema": (schema_file, schema),
        "--grammar": (grammar_file, grammar),
    }
    asked = {name: pair for name, pair in given.items() if pair[1] is not None}
    if len(asked) != 1:
        problem = f"{' and '.join(asked)} are given" if asked else "no output format is given"
        raise InvalidSpec(problem, hint=f"pass exactly one of {', '.join(given)}")
    ((read, value),) = asked.values()
    return read(value)


def choices(text: str) -> Spec[Any]:
    """`yes|no|maybe`: one of these texts."""
    return specs.choice(text.split("|"))


def integer_range(text: str) -> Spec[Any]:
    """`0..10`, `0..100 step 5`, `..10`, `1..`, or nothing for any integer."""
    low, high, step = bounds(text, int, "an integer")
    return specs.integer(low, high, **({} if step is None else {"step": step}))


def number_range(text: str) -> Spec[Any]:
    """`0..10`, `0..10 step 0.5`, and open ends as for integers."""
    low, high, step = bounds(text, decimal, "a number")
    return specs.number(low, high, **({} if step is None else {"step": step}))


def any_range(text: str) -> Spec[Any]:
    """`0..10` for integers, and with a point in a part, `0..5 step 0.5`, for numbers."""
    point = "." in text.replace("..", "")
    return number_range(text) if point else integer_range(text)


def likert_labels(text: str) -> Spec[Any]:
    """`never|sometimes|always`: labels of a scale, from low to high."""
    return specs.likert(text.split("|"))


def bounds(text: str, read: Callable[[str], Any], what: str) -> tuple[Any, Any, Any]:
    """Low, high and step of `low..high step n`; None for what is left out."""
    hint = "write low..high, for example 0..10 or 0..10 step 2; either end may be left out"
    span, _, step = (part.strip() for part in text.partition("step"))
    low, dots, high = span.partition("..")
    if span and not dots:
        raise InvalidSpec(f"{text!r} is not a range", hint=hint)
    try:
        return tuple(read(part) if part.strip() else None for part in (low, high, step))  # type: ignore[return-value]
    except ValueError as error:
        raise InvalidSpec(f"{text!r} holds something that is not {what}", hint=hint) from error


def decimal(text: str) -> Decimal:
    """A decimal number, exactly as written."""
    try:
        return Decimal(text.strip())
    except InvalidOperation as error:
        raise ValueError(text) from error


LONGEST_LENGTH = 20
"""Digits of a length: more is no length of a text."""


def length(text: str) -> Spec[Any]:
    """`200`: free text of at most so many characters."""
    if not text.strip().isdecimal() or len(text) > LONGEST_LENGTH:
        raise InvalidSpec(
            f"{text!r:.60} is not a length", hint="write a number, for example text:200"
        )
    return specs.text(max_length=int(text))


def schema_file(path: str | Path) -> Spec[Any]:
    """JSON text that satisfies the JSON Schema in a file."""
    content = read_text(Path(path), "the schema file")
    try:
        schema = json.loads(content)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise InvalidSpec(f"the schema file is not JSON: {error.msg}", where=where) from error
    except RecursionError:
        raise InvalidSpec("the schema file is nested too deeply", where=str(path)) from None
    except ValueError:  # Python refuses to read integers of thousands of digits
        raise InvalidSpec(
            "the schema file has a number of thousands of digits", where=str(path)
        ) from None
    return specs.json(schema)


def grammar_file(path: str | Path) -> Spec[Any]:
    """Text that the Lark-style grammar in a file derives."""
    return specs.grammar(read_text(Path(path), "the grammar file"))


def text_file(path: str | Path) -> Spec[Any]:
    """Any piece of the text in a file."""
    return specs.substring_of(read_text(Path(path), "the text file"))


def read_text(path: Path, what: str) -> str:
    """A UTF-8 file's text; `InvalidSpec` where there is none."""
    try:
        return file_text(path)
    except OSError as error:
        raise InvalidSpec(f"cannot read {what}: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InvalidSpec(f"{what} is not UTF-8 text", where=str(path)) from error


KINDS: dict[str, Callable[[str], Spec[Any]]] = {
    "template": specs.template,
    "regex": specs.regex,
    "choice": choices,
    "likert": likert_labels,
    "range": any_range,
    "integer": integer_range,
    "number": number_range,
    "text": length,
    "schema": schema_file,
    "grammar": grammar_file,
    "substring": text_file,
}
"""What may stand before the colon of a SPEC."""
