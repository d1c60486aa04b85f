"""How a spec is written: the call that makes it again, for its repr."""

from __future__ import annotations

__all__ = ["bounds_source", "call_source"]


def call_source(name: str, positional: list[str], options: dict[str, tuple[object, object]]) -> str:
    """``name(...)`` with the positional arguments as they are and the options (value, default).

    >>> call_source("integer", ["0", "10"], {"step": (2, 1), "plus_sign": (False, False)})
    'integer(0, 10, step=2)'
    """
    named = [f"{key}={value!r}" for key, (value, default) in options.items() if value != default]
    return f"{name}({', '.join(positional + named)})"


def bounds_source(low: object, high: object) -> list[str]:
    """The bounds as arguments; None is left out.

    >>> bounds_source(None, 3)
    ['high=3']
    """
    if high is None:
        return [] if low is None else [repr(low)]
    return [f"high={high!r}"] if low is None else [repr(low), repr(high)]
