"""What callers give to readers, checked: their mistakes are theirs, and not said of a file."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping
from typing import Any

from constrained.arguments import real_number, text_argument
from constrained.errors import RecordError

__all__ = ["check_given"]

LISTS = frozenset({"ignore", "prompts", "rooms", "variants"})
OTHERS = frozenset({"columns", "options", "scale", "spec"})


def check_given(paths: Collection[Any], given: Mapping[str, Any]) -> None:
    """`RecordError` for a path or an option of a reader that is of another kind.

    >>> check_given(["a.csv"], {"ignore": "judge"})
    Traceback (most recent call last):
    constrained.errors.RecordError: ignore must be a list of texts, got 'judge'
    """
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            raise RecordError(f"a path must be a text or a Path, got {path!r:.60}")
    for name, value in given.items():
        if name in LISTS:
            _check_list(name, value)
        elif name not in OTHERS:
            text_argument(value, name, RecordError)
    _check_mapping("columns", given.get("columns"))
    for key, number in _check_mapping("options", given.get("options")).items():
        _finite(number, f"options[{key!r}]")
    for name, column in (given.get("columns") or {}).items():
        text_argument(column, f"columns[{name!r}]", RecordError)
    _check_scale(given.get("scale", ()))


def _check_list(name: str, value: Any) -> None:
    texts = isinstance(value, Collection) and not isinstance(value, str | bytes)
    if not texts or not all(isinstance(one, str) for one in value):
        raise RecordError(f"{name} must be a list of texts, got {value!r:.60}")
    listed = list(value)
    twice = [one for one in listed if listed.count(one) > 1] if name == "rooms" else []
    if twice:
        raise RecordError(f"rooms names {twice[0]!r} twice; its scores would count twice")


def _check_mapping(name: str, value: Any) -> Mapping[Any, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise RecordError(f"{name} must be a dict by text, got {value!r:.60}")
    return value


def _check_scale(scale: Any) -> None:
    listed = hasattr(scale, "__len__") and hasattr(scale, "__iter__")  # arrays are no Collection
    if not listed or isinstance(scale, str | bytes | Mapping):
        raise RecordError(f"scale must be a list of numbers, got {scale!r:.60}")
    for point in scale:
        _finite(point, "each point of the scale")


def _finite(value: Any, name: str) -> None:
    if not math.isfinite(real_number(value, name, RecordError)):
        raise RecordError(f"{name} must be a finite number, got {value!r:.60}")
