"""What looks like one thing and would be taken for another: refused, with the remedy for each.

A text given as a spec stands for itself. One with a hole in it, or one that is a range, is most
likely meant as a template or as numbers; it would be answered without asking a model.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from typing import Any

from constrained.errors import InvalidSpec

__all__ = ["RANGE", "refuse_inline", "refuse_lookalike", "refuse_value"]

NUMERAL = r"-?[0-9]+(?:\.[0-9]+)?"
RANGE = re.compile(rf"({NUMERAL})?\.\.({NUMERAL})?(?: step ({NUMERAL}))?")
"""Low, high and step, as templates and the command line write them."""

HOLE = re.compile(r"\{[^\W\d]\w*(?::[^{}\n]+)?\}|\{[^\W\d]\w*:/[^\n]*/\}")
KINDS = re.compile(r"(?:integer|number):")
OPTIONS = re.compile(r"(?:choice:)?[^\s|](?:[^|\n]*[^\s|])?(?:\|[^\s|](?:[^|\n]*[^\s|])?)+")
PATTERN = re.compile(r"/[^\n]+/")


def refuse_lookalike(text: str) -> None:
    """Raise `InvalidSpec` for a text that looks like a template or a range.

    >>> refuse_lookalike("Essay score: ")
    >>> refuse_lookalike("0..10")
    Traceback (most recent call last):
    constrained.errors.InvalidSpec: the text '0..10' would be written as it is, but looks like a \
range (write integer(0, 10) for a number, or choice(['0..10']) for this very text)
    """
    hole = HOLE.search(text)
    if hole is not None:
        raise _refused(text, f"has the hole {hole[0]}", f"template({text!r}) for a template")
    ranged = RANGE.fullmatch(KINDS.sub("", text.strip(), count=1).strip())
    if ranged is not None and any(ranged.groups()):
        raise _refused(text, "looks like a range", f"{_range(*ranged.groups())} for a number")


def refuse_inline(text: str) -> None:
    """The same for the text of a hole, where also options and patterns look like themselves."""
    refuse_lookalike(text)
    if OPTIONS.fullmatch(text):
        options = text.removeprefix("choice:").split("|")
        raise _refused(text, "looks like options", f"{options!r} for one of them")
    if PATTERN.fullmatch(text):
        raise _refused(text, "looks like a pattern", f"regex({text[1:-1]!r}) for what it matches")


def refuse_value(given: Any) -> None:
    """Raise `InvalidSpec` for a value whose class describes an output: the class is wanted."""
    if isinstance(given, type):
        return
    kind = type(given)
    if not (
        isinstance(given, enum.Enum)
        or dataclasses.is_dataclass(kind)
        or hasattr(kind, "model_fields")  # a pydantic model
        or hasattr(kind, "__attrs_attrs__")
        or hasattr(kind, "__struct_fields__")  # msgspec
        or (isinstance(given, tuple) and hasattr(kind, "_fields"))  # a NamedTuple
    ):
        return
    raise InvalidSpec(
        f"{given!r:.60} is a value of {kind.__qualname__}, and a format is described by a class",
        hint=f"pass {kind.__qualname__} itself",
    )


def _refused(text: str, seems: str, meant: str) -> InvalidSpec:
    shown = text if len(text) <= 60 else text[:57] + "..."
    return InvalidSpec(
        f"the text {shown!r} would be written as it is, but {seems}",
        hint=f"write {meant}, or choice([{text!r}]) for this very text",
    )


def _range(low: str | None, high: str | None, step: str | None) -> str:
    whole = not any("." in numeral for numeral in (low, high, step) if numeral)
    bounds = [low or "None"] + ([high] if high else [])
    steps = [f"step={step}"] if step else []
    return f"{'integer' if whole else 'number'}({', '.join(bounds + steps)})"
