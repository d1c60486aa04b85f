"""Columns of a table that nobody named: whether one of them tells rows of one cell apart.

Rows of one cell count as draws. Where a column holds another value in every row of a cell, and the
same values come back in other cells (two judges, two servers), those rows are no draws: the column
is a facet that nobody named, and an error says so. So is one whose few values all stand in most
cells, some of them several times (draws of two judges), unless the score says which of them it is
(a verdict), and one that bears the name of a judge or of a setting. Reasons, times and the like
differ as well, but their values do not come back.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constrained.consistency.importing.fields import text_of
from constrained.consistency.importing.records import Records
from constrained.errors import RecordError

__all__ = ["Spare"]

Ints = NDArray[np.int64]

MOST_COLUMNS = 50
"""Columns that are looked at."""

FEW = 20
"""Values that a column has at most, for its values to be levels that repeat within cells."""

ASKERS = frozenset(
    {
        *("annotator", "endpoint", "evaluator", "grader", "judge", "model", "provider", "rater"),
        *("scorer", "server", "template"),
    }
)
SETTINGS = frozenset(
    {"base_url", "max_tokens", "system_message", "system_prompt", "top_k", "top_p"}
)
"""Last words, and whole names, of columns that say who was asked, and how."""


class Spare:
    """The values of spare columns, as hashes, one per row; those in `ignore` are not looked at."""

    def __init__(self, ignore: Collection[str]) -> None:
        self.ignore = frozenset(ignore)
        self._values: dict[str, array[int]] = {}
        self._seen: set[str] = set()
        self._rows = 0

    def add(
        self, names: Sequence[str], column: Callable[[str], Sequence[Any]], kept: Sequence[int]
    ) -> None:
        """Note the columns `names` of some rows; `kept` says which rows, once for each score."""
        self._seen.update(names)
        for name in names:
            if name not in self._values and len(self._values) < MOST_COLUMNS:
                self._values[name] = array("q", [hash("")]) * self._rows
        self._rows += len(kept)
        for name, values in self._values.items():
            if name in names:
                hashes = [hash(v if v.__class__ is str else text_of(v)) for v in column(name)]
                values.extend([hashes[row] for row in kept])
            else:
                values.extend([hash("")] * len(kept))

    def check(self, records: Records, where: Callable[[int], str]) -> Iterator[str]:
        """`RecordError` for a column that is a facet; a note on others that differ in a cell.

        Raises `RecordError` for a column to ignore that there is none of, too.
        """
        unknown = sorted(self.ignore - self._seen)
        if unknown:
            raise RecordError(f"there is no column {unknown[0]!r} to ignore")
        sizes = np.diff(records.starts)
        many = np.repeat(sizes > 1, sizes)
        rows = records.rows[many]
        cells = np.repeat(np.arange(len(sizes)), sizes)[many]
        differing = []
        for name, values in self._values.items() if len(rows) else ():
            found = np.frombuffer(values, dtype=np.int64)[rows]
            order = np.lexsort([found, cells])
            same_cell = cells[order][1:] == cells[order][:-1]
            same_value = found[order][1:] == found[order][:-1]
            if not (same_cell & ~same_value).any() or name in self.ignore:
                continue
            apart = not (same_cell & same_value).any() and len(np.unique(found)) <= len(found) / 2
            if apart or _says_who(name) or _levels(found, cells, records.scores[rows]):
                place = int(np.flatnonzero(same_cell & ~same_value)[0])
                first, again = rows[order][place : place + 2].tolist()
                why = "its name says who was asked" if _says_who(name) else "its values come back"
                raise RecordError(
                    f"{where(max(first, again))}: the column {name!r} holds another value than at "
                    f"{where(min(first, again))}, for the same cell, and {why}, so these may be no "
                    f"draws; say what it is, for example columns={{'variant': {name!r}}} or "
                    f"{{'draw': {name!r}}} (--column variant={name}), or that it does not matter "
                    f"with ignore=[{name!r}] (--ignore {name})"
                )
            differing.append(name)
        if differing:
            listed = ", ".join(map(repr, differing[:5])) + (", ..." if differing[5:] else "")
            yield f"not read, though they differ between draws of one cell: the columns {listed}"


def _says_who(name: str) -> bool:
    """Whether a column's name says that it holds who was asked, or a setting.

    >>> _says_who("judge_id"), _says_who("grader.name"), _says_who("model_response")
    (True, True, False)
    """
    words = re.findall("[a-z]+", name.lower())
    while words and words[-1] in ("id", "name"):
        words.pop()
    return bool(words) and (words[-1] in ASKERS or "_".join(words) in SETTINGS)


def _levels(found: Ints, cells: Ints, scores: NDArray[np.float64]) -> bool:
    """Whether values are levels: few, all of them in most cells, and not told by the score."""
    values, numbers = np.unique(found, return_inverse=True)
    if not 2 <= len(values) <= FEW:
        return False
    pairs = len(np.unique(np.stack([numbers, np.unique(scores, return_inverse=True)[1]]), axis=1).T)
    if pairs == len(np.unique(scores)):
        return False
    _, cell, sizes = np.unique(cells, return_inverse=True, return_counts=True)
    there = np.unique(cell * len(values) + numbers) // len(values)
    whole = np.bincount(there, minlength=len(sizes)) == len(values)
    large = sizes >= len(values)
    return bool(large.any()) and bool(whole[large].mean() > 0.5)
