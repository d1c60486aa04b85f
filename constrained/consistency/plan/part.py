"""`Part`: what all parts of a plan have in common, and the values that they may hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from constrained.arguments import shown
from constrained.errors import InvalidSpec

__all__ = ["Part", "json_value", "plain_value", "written"]

LONGEST_NUMBER = 10_000
"""Bits of a whole number; Python does not write much longer ones."""


class Part(BaseModel):
    """Frozen; unknown names are refused; copies and pickles hold the fields, nothing worked out."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The part with some fields changed, checked again.

        Pydantic's own writes the changes into what `__copy__` gives: here, into the part itself.
        """
        if not update:
            return super().model_copy(deep=deep)
        said = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**said, **update})

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        fields = type(self).model_fields
        return {**state, "__dict__": {k: v for k, v in state["__dict__"].items() if k in fields}}


def plain_value(value: Any) -> Any:
    """A value of an item's field as JSON can hold it: what is stored is what was asked.

    NaN counts as missing (None), as tables use it; dates, decimals and the like become texts.
    Raises `InvalidSpec` for bytes and for texts that hold half a character.

    >>> import datetime
    >>> plain_value({"when": datetime.date(2026, 11, 22), "marks": (1, float("nan"))})
    {'when': '2026-11-22', 'marks': [1, None]}
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if value.bit_length() > LONGEST_NUMBER:
            raise InvalidSpec("a field holds a number of thousands of digits", hint="as a text?")
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else (value if math.isfinite(value) else str(value))
    if isinstance(value, Mapping):
        return {str(name): plain_value(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(one) for one in value]
    if isinstance(value, bytes | bytearray):
        raise InvalidSpec("a field holds bytes, not text", hint="decode them first")
    text = str(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        problem = f"a text holds half a character (a lone surrogate) at {error.start}"
        raise InvalidSpec(problem, hint="mend the encoding of the file") from error
    return text


def json_value(value: Any) -> Any:
    """`value` as it comes back from JSON; `InvalidSpec` when JSON cannot hold it as it is.

    >>> json_value({"choice": (1, 2)})
    {'choice': [1, 2]}
    """
    try:
        text = json.dumps(value, allow_nan=False)
        text.encode("ascii")
        made = json.loads(text)
        json.dumps(made, ensure_ascii=False).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        hint = "write texts, numbers, lists and mappings, so that the plan can be stored"
        raise InvalidSpec(f"{shown(value, 200)} cannot be written as JSON", hint=hint) from error
    return made


def written(value: Any) -> str:
    """A field's value in a prompt: texts as they are, everything else as JSON writes it.

    >>> written("naïve"), written(7), written(True), written(["a", 1])
    ('naïve', '7', 'true', '["a", 1]')
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
