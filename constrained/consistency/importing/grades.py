"""Letters as scores: what Inspect means by its own four, and grades that somebody has to explain.

C is "correct" in Inspect and a grade between B and D elsewhere. Nothing in a log says which, but
its other letters do: where one of them is not Inspect's, none is read as if it were.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from constrained.consistency.records import Score
from constrained.consistency.scores import number_in
from constrained.errors import RecordError

__all__ = ["Grades"]

MEANT = {"C": 1.0, "P": 0.5, "I": 0.0}
"""Inspect's letters for correct, partly correct and incorrect."""

NO_ANSWER = "N"
LETTER = re.compile(r"[A-Za-z][+-]?")


class Grades:
    """How texts count as scores: by `options`, else as Inspect counts its letters."""

    def __init__(self, options: Mapping[str, float]) -> None:
        self.options = options
        self.notes: list[str] = []

    def look_at(self, values: Iterable[tuple[str, Any]]) -> None:
        """See all values (with their places) first; `RecordError` for letters without a meaning."""
        letters: dict[str, str] = {}
        other = ""
        for where, value in values:
            number = None if self.options else number_in(value)
            if number is not None and number not in MEANT.values():
                other = other or where
            if isinstance(value, str) and LETTER.fullmatch(value.strip()):
                letters.setdefault(value.strip(), where)
        if self.options or not letters:
            return
        strange = sorted(set(letters) - {*MEANT, NO_ANSWER})
        if strange:
            listed = ", ".join(sorted(letters))
            raise RecordError(
                f"{letters[strange[0]]}: the scores are letters ({listed}), and {strange[0]!r} is "
                f"none of Inspect's; say what each counts with options={{{strange[0]!r}: ...}}"
            )
        if other and set(letters) & set(MEANT):
            raise RecordError(
                f"{other}: a number beside scores that are letters ({', '.join(sorted(letters))}); "
                f"say what each letter counts with options={{{min(letters)!r}: ...}}"
            )
        told = ", ".join(f"{name} {MEANT[name]:g}" for name in MEANT if name in letters)
        if told:
            self.notes.append(
                f"letters count as Inspect counts them ({told}); options= says otherwise"
            )

    def score(self, text: str) -> tuple[Score | None, str]:
        """The score that a text counts, or why it counts none."""
        text = text.strip()
        if self.options and text in self.options:
            return float(self.options[text]), ""
        if not self.options and text == NO_ANSWER:
            return None, "no answer"
        if not self.options and text in MEANT:
            return MEANT[text], ""
        number = number_in(text)
        return (number, "") if number is not None else (None, f"{text[:60]!r} is not a number")
