"""What the docstring of a function says of it and of its parameters."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

__all__ = ["described"]

FIELD = re.compile(r":param\s+(?:[^:]*\s)?(\w+):\s*(.*)")
ENTRY = re.compile(r"(\w+)\s*(?:\([^)]*\))?:\s*(.*)")
SECTION = re.compile(r"(Args|Arguments|Parameters|Returns|Raises|Yields|Notes?|Examples?):")
PARAMETERS = {"Args:", "Arguments:", "Parameters:"}


def described(docstring: str | None, parameters: Iterable[str]) -> tuple[str, dict[str, str]]:
    r"""The text before any section, and what is said of each parameter that is documented.

    Reads the styles of Google (``Args:`` and below it ``name: text``) and Sphinx
    (``:param name: text``).

    >>> described("Add two numbers.\n\nArgs:\n    a: The first.", ["a", "b"])
    ('Add two numbers.', {'a': 'The first.'})
    """
    known = set(parameters)
    summary: list[str] = []
    found: dict[str, str] = {}
    section, current = "", ""
    for line in inspect.cleandoc(docstring or "").splitlines():
        text = line.strip()
        if SECTION.fullmatch(line) or text.startswith(":"):
            section, current = text, ""
            entry = FIELD.fullmatch(text)
        else:
            entry = ENTRY.fullmatch(text) if section in PARAMETERS else None
        if entry is not None and entry[1] in known:
            current = entry[1]
            found[current] = entry[2]
        elif not section:
            summary.append(line)
        elif current and text and text != section:
            found[current] = f"{found[current]} {text}"
    return "\n".join(summary).strip(), found
