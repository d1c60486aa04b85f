"""What pydantic found wrong with a plan, as one error that names the place and the remedy."""

from __future__ import annotations

import re
import types
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from constrained.arguments import shown
from constrained.errors import InvalidSpec, SpecError

__all__ = ["Place", "first_problem", "invalid", "read_place", "written_place"]

Place = tuple[str | int, ...]

NUMBER, WHOLE = "there should be a number here", "there should be a whole number here"
WORDS = {
    "tuple_type": "there should be a list here",
    "dict_type": "there should be keys and values here",
    "model_type": "there should be keys and values here",
    "string_type": "there should be a text here",
    "bool_type": "there should be true or false here",
    "bool_parsing": "there should be true or false here",
    "int_type": WHOLE,
    "int_parsing": WHOLE,
    "int_from_float": WHOLE,
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "finite_number": "there should be a finite number here",
}
"""What pydantic's types of errors are to someone who writes YAML."""


def invalid(error: ValidationError, model: type[BaseModel]) -> InvalidSpec:
    """The first problem that pydantic found while it read `model`, as `InvalidSpec`."""
    place, problem, hint = first_problem(error, model)
    return InvalidSpec(problem, where=written_place(place), hint=hint)


def first_problem(error: ValidationError, model: type[BaseModel]) -> tuple[Place, str, str]:
    """(place, problem, hint) of the first problem; unknown keys first, as they explain others.

    `model` is the class that was read, for the names that it knows.
    """
    found = error.errors(include_url=False)
    details = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    place: Place = tuple(details["loc"])
    if details["type"] == "extra_forbidden":
        known = _known_names(model, place[:-1])
        near = get_close_matches(str(place[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else ""
        if not hint and known:
            hint = f"known: {', '.join(known)}"
        return place, f"there is no key {shown(str(place[-1]), 200)} here", hint
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, SpecError):
        if not place:
            return read_place(cause.where), cause.problem, cause.hint
        inner = f"at {cause.where}: {cause.problem}" if cause.where else cause.problem
        return place, inner, cause.hint
    if details["type"] == "missing":
        return place[:-1], f"the key {shown(str(place[-1]), 200)} is missing", ""
    if details["type"] in ("too_short", "string_too_short"):
        return place, "there is nothing in it", ""
    problem = WORDS.get(details["type"], details["msg"][:1].lower() + details["msg"][1:])
    return place, f"{problem}, not {shown(details['input'], 200)}", ""


def written_place(place: Sequence[str | int]) -> str:
    """A place in nested values as people write it.

    >>> written_place(("variants", 0, "dtype"))
    'variants[0].dtype'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def read_place(text: str) -> Place:
    """What `written_place` wrote, as a place.

    >>> read_place("variants[0].dtype")
    ('variants', 0, 'dtype')
    """
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", text)
    return tuple(int(index) if index else name for index, name in parts)


def _known_names(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys that a model knows at a place."""
    kind: Any = model
    for part in place:
        fields = getattr(kind, "model_fields", {})
        kind = _model_in(fields[part].annotation) if part in fields else kind
    return list(getattr(kind, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    """The model that an annotation holds: itself, in a tuple, or beside None."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation
    held = (_model_in(argument) for argument in get_args(annotation))
    return next((one for one in held if hasattr(one, "model_fields")), annotation)
