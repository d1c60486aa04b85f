"""`Records`: the cells of an import, each made when it is asked for.

A million cells as objects take a gigabyte; as columns they take what the file takes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from constrained.consistency.importing.judgements import FACETS, ExactScores
from constrained.consistency.records import Address, CellRecord, Draw, Score

__all__ = ["Records"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Records(Sequence[CellRecord]):
    """A sequence of `CellRecord`s, one per cell, in the order of the file.

    `rows` are the rows of the file by cell and draw, `starts` (n + 1) where each of the n cells
    begins among them, `numbers` the number of the draw at each. `codes`, `scores` and `second` have
    one value per row of the file.
    """

    names: Mapping[str, tuple[Any, ...]]
    codes: Mapping[str, NDArray[np.int32]]
    rows: Ints
    starts: Ints
    numbers: Ints
    scores: NDArray[np.float64]
    second: NDArray[np.float64] | None
    texts: Mapping[int, str]
    failures: Mapping[int, str]
    prompt_texts: Mapping[int, str]
    exact: Mapping[int, ExactScores]
    scale: tuple[Score, ...]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __repr__(self) -> str:
        return f"<{len(self):,} records>"

    @overload
    def __getitem__(self, place: int) -> CellRecord: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[CellRecord, ...]: ...
    def __getitem__(self, place: int | slice) -> CellRecord | tuple[CellRecord, ...]:
        if isinstance(place, slice):
            return tuple(self._record(cell) for cell in range(len(self))[place])
        return self._record(range(len(self))[place])

    def __iter__(self) -> Iterator[CellRecord]:
        return map(self._record, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Records | tuple | list) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]

    def failed(self) -> int:
        """How many of the draws hold no score."""
        return len(self.failures)

    def possible(self) -> set[Score]:
        """The scores that occur, and those of the scale and of distributions."""
        found: set[Score] = set(self.scale)
        for exact in self.exact.values():
            found.update(exact.support)
        if self.second is None:
            found.update(np.unique(self.scores[~np.isnan(self.scores)]).tolist())
        else:
            pairs = ~np.isnan(self.second) & ~np.isnan(self.scores)
            found.update(zip(self.scores[pairs].tolist(), self.second[pairs].tolist(), strict=True))
            single = np.isnan(self.second) & ~np.isnan(self.scores)
            found.update(self.scores[single].tolist())
        return found

    def _record(self, cell: int) -> CellRecord:
        places = range(self.starts[cell], self.starts[cell + 1])
        first = int(self.rows[places[0]])
        address = Address(*(self.names[facet][self.codes[facet][first]] for facet in FACETS))
        exact = self.exact.get(first)
        prompt = self.prompt_texts.get(first, "")
        if exact is not None and exact.local is not None:
            return _keyed(
                CellRecord(
                    "",
                    address,
                    "exact",
                    exact.support,
                    exact.local,
                    exact.free,
                    prompt_text=prompt,
                )
            )
        return _keyed(
            CellRecord(
                "",
                address,
                "imported",
                self.scale if exact is None else exact.support,
                free=None if exact is None else exact.free,
                draws=tuple(self._draw(place) for place in places),
                prompt_text=prompt,
            )
        )

    def _draw(self, place: int) -> Draw:
        row = int(self.rows[place])
        score: Score | None = float(self.scores[row])
        if math.isnan(self.scores[row]):
            score = None
        elif self.second is not None and not math.isnan(self.second[row]):
            score = float(self.scores[row]), float(self.second[row])
        return Draw(
            int(self.numbers[place]),
            score,
            self.texts.get(row, ""),
            failure=self.failures.get(row, ""),
        )


def _keyed(record: CellRecord) -> CellRecord:
    """The record with the hash of everything in it as its key."""
    address = record.address
    content = {
        "kind": record.kind,
        "address": [getattr(address, name) for name in FACETS],
        "support": record.support,
        "local": record.local,
        "free": record.free,
        "draws": [[d.index, d.score, d.text, d.failure] for d in record.draws],
        "prompt": record.prompt_text,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8", "surrogatepass"))
    return replace(record, key=digest.hexdigest())
