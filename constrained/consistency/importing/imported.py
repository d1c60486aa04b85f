"""`Imported`: what files of scores hold, as records of cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from constrained.consistency.importing.judgements import FACETS
from constrained.consistency.importing.records import Records
from constrained.consistency.records import Score

__all__ = ["Imported"]


@dataclass(frozen=True, slots=True)
class Imported:
    """Scores from elsewhere.

    `records` is a sequence of `CellRecord`s, one per cell, in the order of the file; `gold` is the
    gold score of every item that has one; `scale` the scores that are possible (empty: not stated);
    `notes` what a reader of the report has to know, first of all what could not be read. `source`
    names the files.
    """

    records: Records
    source: str
    gold: Mapping[str, float] = field(default_factory=dict)
    scale: tuple[Score, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        r"""The levels of each facet that has any, in the order of the file: item, prompt, ...

        >>> import pathlib, tempfile
        >>> from constrained.consistency.importing import read_csv
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "scores.csv"
        >>> _ = path.write_text("item,prompt,score\nessay-1,strict,7\n")
        >>> read_csv(path).levels["prompt"]
        ('strict',)
        """
        found = {facet: tuple(map(str, self.records.names[facet])) for facet in FACETS}
        return {facet: levels for facet, levels in found.items() if levels != ("",)}

    @property
    def draws(self) -> int:
        """How many scores were read, failures included; a distribution counts as one."""
        return len(self.records.rows)

    @property
    def failures(self) -> int:
        """How many of the draws hold no score."""
        return self.records.failed()

    def noting(self, notes: Iterable[str]) -> Imported:
        """The same with more notes."""
        return replace(self, notes=(*self.notes, *notes))
