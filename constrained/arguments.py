"""Checks of what callers pass, for the places where a wrong kind would be taken for another."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection
from numbers import Integral, Real
from typing import Any

__all__ = ["check_switch", "real_number", "shown", "text_argument", "whole_number"]

Refusal = Callable[[str], Exception]
"""Makes the error of a sentence that says what is wrong."""


def whole_number(value: Any, name: str, refusal: Refusal, *, least: int | None = None) -> int:
    """`value` as an int; numpy's count, booleans, texts and fractions do not.

    >>> whole_number(3, "samples", ValueError, least=1)
    3
    >>> whole_number(0, "samples", ValueError, least=1)
    Traceback (most recent call last):
    ValueError: samples must be at least 1, got 0
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise refusal(f"{name} must be a whole number, got {shown(value)}")
    if least is not None and value < least:
        raise refusal(f"{name} must be at least {least}, got {value}")
    return int(value)


def real_number(value: Any, name: str, refusal: Refusal) -> float:
    """`value` as a float, ``inf`` and ``nan`` included; booleans and texts are refused."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise refusal(f"{name} must be a number, got {shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise refusal(f"{name} is too large: {shown(value)}") from None


def check_switch(value: Any, name: str, refusal: Refusal, *, known: Collection[Any]) -> None:
    """Refuse what is not one of a few settings: ``1`` is not ``True`` here."""
    if not any(value is one or (isinstance(one, str) and value == one) for one in known):
        raise refusal(f"{name} must be {_listed(known)}, got {shown(value)}")


def text_argument(value: Any, name: str, refusal: Refusal) -> str:
    """`value`, if it is a text."""
    if not isinstance(value, str):
        raise refusal(f"{name} must be a text, got {shown(value)}")
    return value


PIECES = reprlib.Repr()
PIECES.maxlevel, PIECES.maxdict, PIECES.maxlist, PIECES.maxtuple = 3, 6, 6, 6
PIECES.maxset = PIECES.maxfrozenset = 6
PIECES.maxstring = PIECES.maxother = PIECES.maxlong = 200


def shown(value: Any, most: int = 60) -> str:
    """`repr(value)` of at most so many characters, whatever it holds.

    Values inside values are cut while they are written: a few aliases in a file can stand for more
    text than there is memory.

    >>> shown([1, "two"]), shown("a" * 100, 10)
    ("[1, 'two']", "'aaaaaa...")
    """
    try:
        text = PIECES.repr(value) if isinstance(value, list | tuple | dict | set) else repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python writes
        text = f"a value of the type {type(value).__name__}"
    return text if len(text) <= most else text[: most - 3] + "..."


def _listed(known: Collection[Any]) -> str:
    *most, last = map(repr, known)
    return f"{', '.join(most)} or {last}" if most else last
