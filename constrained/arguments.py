"""Checks of what callers pass, for the places where a wrong kind would be taken for another."""

from __future__ import annotations

from collections.abc import Callable, Collection
from numbers import Integral, Real
from typing import Any

__all__ = ["check_switch", "real_number", "text_argument", "whole_number"]

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
        raise refusal(f"{name} must be a whole number, got {_shown(value)}")
    if least is not None and value < least:
        raise refusal(f"{name} must be at least {least}, got {value}")
    return int(value)


def real_number(value: Any, name: str, refusal: Refusal) -> float:
    """`value` as a float, ``inf`` and ``nan`` included; booleans and texts are refused."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise refusal(f"{name} must be a number, got {_shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise refusal(f"{name} is too large: {_shown(value)}") from None


def check_switch(value: Any, name: str, refusal: Refusal, *, known: Collection[Any]) -> None:
    """Refuse what is not one of a few settings: ``1`` is not ``True`` here."""
    if not any(value is one or (isinstance(one, str) and value == one) for one in known):
        raise refusal(f"{name} must be {_listed(known)}, got {_shown(value)}")


def text_argument(value: Any, name: str, refusal: Refusal) -> str:
    """`value`, if it is a text."""
    if not isinstance(value, str):
        raise refusal(f"{name} must be a text, got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _listed(known: Collection[Any]) -> str:
    *most, last = map(repr, known)
    return f"{', '.join(most)} or {last}" if most else last
