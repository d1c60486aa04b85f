"""A schema in a few words, for the repr of its spec."""

from __future__ import annotations

import reprlib
from itertools import islice

__all__ = ["shortened"]

LEVELS, MEMBERS, LETTERS = 3, 4, 60
"""How deep values are shown, how many members, how long a text or other value may be."""

_OTHERS = reprlib.Repr()
_OTHERS.maxstring = _OTHERS.maxother = LETTERS


def shortened(value: object, levels: int = LEVELS) -> str:
    """The value as Python writes it, with dots for what is long or deep; members keep their order.

    >>> shortened({"type": "string", "enum": ["a", "b", "c", "d", "e"]})
    "{'type': 'string', 'enum': ['a', 'b', 'c', 'd', ...]}"
    """
    if isinstance(value, str):
        shown = repr(value) if len(value) < LETTERS else ""
        return shown if shown and len(shown) <= LETTERS else _OTHERS.repr_str(value, 1)
    if isinstance(value, dict):
        if levels == 0 and value:
            return "{...}"
        first = islice(value.items(), MEMBERS)
        texts = [
            f"{shortened(key, levels - 1)}: {shortened(member, levels - 1)}"
            for key, member in first
        ]
        return "{" + ", ".join([*texts, "..."] if len(value) > MEMBERS else texts) + "}"
    if isinstance(value, list):
        if levels == 0 and value:
            return "[...]"
        texts = [shortened(item, levels - 1) for item in value[:MEMBERS]]
        return "[" + ", ".join([*texts, "..."] if len(value) > MEMBERS else texts) + "]"
    try:
        return _OTHERS.repr1(value, levels)
    except ValueError:  # Python refuses to print integers of thousands of digits
        return "..."
