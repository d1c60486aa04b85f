"""Columns of a table that nobody named: whether one of them tells rows of one cell apart.

Rows of one cell count as draws. Where a column holds another value in every row of a cell, and the
same values come back in other cells (two judges, two servers), those rows are no draws: the column
is a facet that nobody named, and an error says so. Reasons, times and the like differ as well, but
their values do not come back.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np

from constrained.consistency.importing.fields import text_of
from constrained.consistency.importing.records import Records
from constrained.errors import RecordError

__all__ = ["Spare"]

MOST_COLUMNS = 50
"""Columns that are looked at."""


class Spare:
    """The values of spare columns, as hashes, one per row; those in `ignore` are not looked at."""

    def __init__(self, ignore: Collection[str]) -> None:
        self.ignore = frozenset(ignore)
        self._values: dict[str, array[int]] = {}
        self._rows = 0

    def add(
        self, names: Sequence[str], column: Callable[[str], Sequence[Any]], kept: Sequence[int]
    ) -> None:
        """Note the columns `names` of some rows; `kept` says which rows, once for each score."""
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
        """`RecordError` for a column that is a facet; a note on others that differ in a cell."""
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
            if not (same_cell & same_value).any() and len(np.unique(found)) <= len(found) / 2:
                first, again = rows[order][:2].tolist()
                raise RecordError(
                    f"{where(max(first, again))}: the column {name!r} holds another value than at "
                    f"{where(min(first, again))}, for the same cell, and its values come back in "
                    f"other cells, so these may be no draws; say what it is, for example "
                    f"columns={{'variant': {name!r}}} or {{'draw': {name!r}}}, or that it does not "
                    f"matter with ignore=[{name!r}]"
                )
            differing.append(name)
        if differing:
            listed = ", ".join(map(repr, differing[:5])) + (", ..." if differing[5:] else "")
            yield f"not read, though they differ between draws of one cell: the columns {listed}"
