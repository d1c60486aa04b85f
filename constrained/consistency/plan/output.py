"""`OutputFormat`: an output format as a plan writes it, so that it can be stored and hashed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from typing import Any

from pydantic import Field, TypeAdapter, field_validator, model_validator

from constrained import spec as specs
from constrained.arguments import shown
from constrained.consistency.plan.part import Part, json_value
from constrained.errors import InvalidSpec
from constrained.spec.spec import Spec

__all__ = ["OutputFormat", "range_parts"]

LONGEST_NUMBER = 400
"""Digits of a number in a range: more than any double has."""

NUMERAL = r"[+-]?[0-9]+(?:\.[0-9]+)?"
RANGE = re.compile(rf"\s*({NUMERAL})?\s*\.\.\s*({NUMERAL})?\s*(?:step\s*({NUMERAL}))?\s*")
HOLE = re.compile(r"\{[^{}\d][^{}]*\}")


class OutputFormat(Part):
    """One way to say a `Spec`: its `kind`, the `value` that the kind takes, holes of a template.

    ==============  =====================================================================
    ``template``    text with ``{score:0..10}`` holes; `fields` describe holes without a colon
    ``range``       ``0..10``, ``0..100 step 5``; numbers where a part has a point
    ``choice``      texts, or a mapping from texts to scores
    ``likert``      labels of a rating scale, from 1 up
    ``regex``       a Python regular expression
    ``schema``      a JSON Schema
    ``pydantic``    ``package.module:Model``
    ``grammar``     a Lark-style grammar
    ``text``        free text of at most so many characters
    ``substring``   any piece of a text
    ==============  =====================================================================

    May be given as ``{kind: value}``, as ``"kind:value"``, or as the text of a template.

    >>> OutputFormat.model_validate("Score: {score:0..10}").spec.parse("Score: 7")
    {'score': 7}
    >>> OutputFormat.model_validate({"choice": {"good": 2, "bad": 0}}).spec.parse("good")
    2
    """

    kind: str
    value: Any
    fields: dict[str, OutputFormat] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, said: Any) -> Any:
        if isinstance(said, OutputFormat):
            return said
        if isinstance(said, str):
            said = _from_text(said)
        elif isinstance(said, range | list | tuple):
            said = _from_python(said)
        if not isinstance(said, Mapping):
            raise InvalidSpec(f"{shown(said, 200)} is no output format", hint=HINT)
        if "kind" not in said:
            said = _one_kind(said)
        if said["kind"] not in KINDS:
            raise _no_kind(said["kind"])
        if said["kind"] == "pydantic" and isinstance(said.get("value"), str):
            model = _imported(said["value"])
            specs.json(model)  # what cannot be enforced is refused when the plan is made
            said = {**said, "value": {"path": said["value"], "schema": _schema_of(model)}}
        return said

    @field_validator("value")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        return json_value(value)

    @cached_property
    def spec(self) -> Spec[Any]:
        """The compiled format; raises `SpecError` as the functions of `constrained.spec` do."""
        holes = {name: field.spec for name, field in self.fields.items()}
        if holes and self.kind != "template":
            raise InvalidSpec(f"a {self.kind} has no holes for fields", hint="leave fields out")
        return KINDS[self.kind](self.value, holes)


def range_parts(text: Any) -> tuple[Any, Any, Any, bool]:
    """Low, high, step of ``low..high step n`` (None: left out), and whether a part has a point.

    Raises `InvalidSpec` for anything else.

    >>> range_parts("0..10 step 2")
    (0, 10, 2, False)
    >>> range_parts("0..5 step 0.5")
    (Decimal('0'), Decimal('5'), Decimal('0.5'), True)
    """
    from decimal import Decimal

    found = RANGE.fullmatch(str(text))
    if found is None:
        hint = "write low..high, for example 0..10 or 0..5 step 0.5"
        raise InvalidSpec(f"{shown(text, 200)} is not a range", hint=hint)
    point = any("." in part for part in found.groups() if part)
    if max(len(part or "") for part in found.groups()) > LONGEST_NUMBER:
        raise InvalidSpec(f"{shown(text, 60)} has a number of too many digits")
    read: Callable[[str], Any] = Decimal if point else int
    low, high, step = (None if part is None else read(part) for part in found.groups())
    return low, high, step, point


def _range(text: Any, _: Mapping[str, Any]) -> Spec[Any]:
    low, high, step, point = range_parts(text)
    options = {} if step is None else {"step": step}
    return specs.number(low, high, **options) if point else specs.integer(low, high, **options)


def _integer(text: Any, _: Mapping[str, Any]) -> Spec[Any]:
    low, high, step, point = range_parts(text)
    if point:
        raise InvalidSpec(
            f"{shown(text, 200)} is no range of integers", hint="write number, or no point"
        )
    return specs.integer(low, high, **({} if step is None else {"step": step}))


def _number(text: Any, _: Mapping[str, Any]) -> Spec[Any]:
    low, high, step = range_parts(text)[:3]
    return specs.number(low, high, **({} if step is None else {"step": step}))


def _text(length: Any, _: Mapping[str, Any]) -> Spec[Any]:
    digits = str(length).strip()
    if isinstance(length, bool) or not digits.isdecimal() or len(digits) > LONGEST_NUMBER:
        raise InvalidSpec(
            f"{shown(length, 200)} is not a length", hint="write a number of characters"
        )
    return specs.text(max_length=int(digits))


def _choice(options: Any, _: Mapping[str, Any]) -> Spec[Any]:
    if isinstance(options, str):
        options = _in_one_line(options.split("|"))
    if not isinstance(options, list | tuple | Mapping):
        raise InvalidSpec(
            f"{shown(options, 200)} are no options", hint="write a list, or text: score pairs"
        )
    return specs.choice(options)


def _in_one_line(options: list[str]) -> Any:
    """Options that are all numbers are scores, written as they stand; others are texts."""
    if not all(re.fullmatch(NUMERAL, option) for option in options):
        return options
    return {option: float(option) if "." in option else int(option) for option in options}


def _likert(labels: Any, _: Mapping[str, Any]) -> Spec[Any]:
    labels = labels.split("|") if isinstance(labels, str) else labels
    if not isinstance(labels, list | tuple) or not all(isinstance(one, str) for one in labels):
        raise InvalidSpec(
            f"{shown(labels, 200)} are no labels", hint="write a list of texts, low to high"
        )
    return specs.likert(labels)


def _pydantic(value: Any, _: Mapping[str, Any]) -> Spec[Any]:
    if not isinstance(value, Mapping) or not isinstance(value.get("path"), str):
        raise InvalidSpec(f"{shown(value, 200)} does not name a class", hint=IMPORTABLE)
    model = _imported(value["path"])
    if _schema_of(model) != value.get("schema"):
        raise InvalidSpec(
            f"{value['path']} is not the model that it was when the plan was made",
            hint="make the plan again, or go back to the code of then",
        )
    return specs.json(model)


def _schema_of(model: Any) -> Any:
    return json_value(TypeAdapter(model).json_schema())


def _schema(value: Any, _: Mapping[str, Any]) -> Spec[Any]:
    if not isinstance(value, Mapping | bool):
        raise InvalidSpec(
            f"{shown(value, 200)} is no JSON Schema",
            hint="write the schema, or {file: path} in a plan file",
        )
    return specs.json(dict(value) if isinstance(value, Mapping) else value)


def _written(make: Callable[..., Spec[Any]]) -> Callable[[Any, Mapping[str, Any]], Spec[Any]]:
    """`make` for a text alone."""

    def made(value: Any, holes: Mapping[str, Any]) -> Spec[Any]:
        if not isinstance(value, str):
            raise InvalidSpec(f"{shown(value, 200)} is not a text", hint="put it in quotes")
        return make(value, **holes)

    return made


KINDS: dict[str, Callable[[Any, Mapping[str, Any]], Spec[Any]]] = {
    "template": _written(specs.template),
    "range": _range,
    "integer": _integer,
    "number": _number,
    "choice": _choice,
    "likert": _likert,
    "regex": _written(specs.regex),
    "schema": _schema,
    "pydantic": _pydantic,
    "grammar": _written(specs.grammar),
    "substring": _written(specs.substring_of),
    "text": _text,
}
IMPORTABLE = "write package.module:Model; the module has to be importable where the plan runs"
HINT = f"write one of {', '.join(KINDS)} with its value"


def _from_text(text: str) -> dict[str, Any]:
    kind, colon, rest = text.partition(":")
    if colon and kind in KINDS:
        return {"kind": kind, "value": rest}
    if HOLE.search(text):
        return {"kind": "template", "value": text}
    raise InvalidSpec(f"{shown(text, 200)} does not say what kind of format it is", hint=HINT)


def _from_python(said: Any) -> dict[str, Any]:
    if isinstance(said, range):
        step = f" step {said.step}" if said.step != 1 else ""
        return {"kind": "range", "value": f"{said[0]}..{said[-1]}{step}"} if said else {}
    return {"kind": "choice", "value": list(said)}


def _one_kind(said: Mapping[str, Any]) -> dict[str, Any]:
    """``{kind: value}`` as ``{"kind": kind, "value": value}``."""
    given = [key for key in said if key != "fields"]
    if len(given) != 1:
        problem = f"{' and '.join(given)} are given" if given else "no output format is given"
        raise InvalidSpec(problem, hint=HINT)
    (kind,) = given
    if kind not in KINDS:
        raise _no_kind(kind)
    return {"kind": kind, "value": said[kind], "fields": said.get("fields", {})}


def _no_kind(kind: Any) -> InvalidSpec:
    near = get_close_matches(str(kind)[:40], KINDS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else HINT
    return InvalidSpec(f"there is no output format {shown(kind, 200)}", hint=hint)


def _imported(path: str) -> Any:
    """The class that ``package.module:Class`` names."""
    module, colon, name = str(path).partition(":")
    hint = IMPORTABLE
    if not colon or not module or not name:
        raise InvalidSpec(f"{shown(path, 200)} does not name a class", hint=hint)
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever that module does when it is imported
        raise InvalidSpec(f"{shown(path, 200)} cannot be imported: {error}", hint=hint) from error
    if not isinstance(found, type):
        raise InvalidSpec(f"{shown(path, 200)} is no class", hint=hint)
    return found
