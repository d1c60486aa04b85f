"""`Imported`: what a file of scores holds, as records; and how judgements become records.

Readers of all formats yield `Judgement`s, one per score as it stands in the file. What they have in
common happens here: draws of one cell are gathered, what cannot be read becomes a failure with its
reason and place, and what contradicts itself is an error that names both places.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from constrained.consistency.records import Address, CellRecord, Draw, Kind, Score
from constrained.errors import RecordError

__all__ = ["ExactScores", "Imported", "Judgement", "gather"]

FACETS = ("item", "prompt", "format", "variant", "temperature", "order")


@dataclass(frozen=True, slots=True)
class ExactScores:
    """A distribution that a file holds; fields as in `CellRecord`."""

    support: tuple[float, ...]
    free: tuple[float, ...]
    local: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One score as a file has it.

    `where` says which file and line (or sample) it comes from. `draw` is its number within the
    cell, None to count in the order of the file. `score` is None when there is none, with the
    reason in `failure`. `gold` is what people gave the item. `exact` replaces the score where the
    file holds a distribution.
    """

    where: str
    address: Address
    score: Score | None = None
    failure: str = ""
    text: str = ""
    draw: int | None = None
    gold: float | None = None
    prompt_text: str = ""
    exact: ExactScores | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """Scores from elsewhere.

    `records` are one per cell, in the order of the file; `gold` is the gold score of every item
    that has one; `scale` the scores that are possible (empty: not stated); `notes` what a reader of
    the report has to know, first of all what could not be read. `source` names the files.
    """

    records: tuple[CellRecord, ...]
    source: str
    gold: Mapping[str, float] = field(default_factory=dict)
    scale: tuple[Score, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """The levels of each facet that has any, in the order of the file: item, prompt, ...

        >>> cell = CellRecord("k", Address("essay-1", "strict"), "imported", draws=(Draw(0, 7.0),))
        >>> Imported((cell,), "scores.csv").levels["prompt"]
        ('strict',)
        """
        found = {
            name: tuple(dict.fromkeys(str(getattr(r.address, name)) for r in self.records))
            for name in FACETS
        }
        return {name: levels for name, levels in found.items() if levels != ("",)}

    @property
    def draws(self) -> int:
        """How many scores were read, failures included; a distribution counts as one."""
        return sum(max(1, len(record.draws)) for record in self.records)

    @property
    def failures(self) -> int:
        """How many of the draws hold no score."""
        return sum(draw.score is None for record in self.records for draw in record.draws)


def gather(
    judgements: Iterable[Judgement],
    source: str,
    *,
    scale: Collection[Score] = (),
    notes: Iterable[str] = (),
) -> Imported:
    """The records of some judgements.

    Scores that are not on `scale` (when there is one) are failures. Raises `RecordError` when two
    judgements claim the same draw of a cell, when an item has two gold scores, or when there is
    nothing at all.
    """
    allowed = tuple(sorted(set(scale)))
    cells: dict[Address, list[Judgement]] = {}
    gold: dict[str, tuple[float, str]] = {}
    for judgement in judgements:
        cells.setdefault(judgement.address, []).append(judgement)
        if judgement.gold is not None:
            _keep_gold(gold, judgement)
    if not cells:
        raise RecordError(f"{source}: there is no score in it")
    broken: list[tuple[Judgement, str]] = []
    records = tuple(_record(address, found, allowed, broken) for address, found in cells.items())
    said = [*notes]
    if broken:
        total = sum(map(len, cells.values()))
        first, why = broken[0]
        said.insert(
            0,
            f"{len(broken)} of {total} judgements hold no score and count as failures, never as "
            f"numbers; the first is {first.where}: {why}",
        )
    return Imported(
        records, source, {item: value for item, (value, _) in gold.items()}, allowed, tuple(said)
    )


def _keep_gold(gold: dict[str, tuple[float, str]], judgement: Judgement) -> None:
    """Note an item's gold score, which has to be the same wherever it is given."""
    item, value = judgement.address.item, judgement.gold
    if value is None:
        return
    known, where = gold.setdefault(item, (value, judgement.where))
    if known != value:
        raise RecordError(
            f"{judgement.where}: item {item!r} has the gold score {value:g} here and {known:g} at "
            f"{where}; an item has one"
        )


def _record(
    address: Address,
    found: list[Judgement],
    scale: tuple[Score, ...],
    broken: list[tuple[Judgement, str]],
) -> CellRecord:
    """The record of one cell; judgements without a score are added to `broken`."""
    exact = found[0].exact
    if exact is not None and exact.local is not None:
        if len(found) > 1:
            raise _twice(found[1], found[0], "its distribution")
        return _keyed(
            CellRecord(
                "",
                address,
                "exact",
                exact.support,
                exact.local,
                exact.free,
                prompt_text=found[0].prompt_text,
            )
        )
    draws: dict[int, tuple[Draw, Judgement]] = {}
    for judgement in found:
        index = len(draws) if judgement.draw is None else judgement.draw
        if index in draws:
            raise _twice(judgement, draws[index][1], f"draw {index}")
        score, failure = judgement.score, judgement.failure
        if score is not None and scale and score not in scale:
            shown = f"{score:g}" if isinstance(score, float) else str(score)
            score, failure = None, f"{shown} is not on the scale {_ends(scale)}"
        elif score is None:
            failure = failure or "no score"
        if failure:
            broken.append((judgement, failure))
        draws[index] = Draw(index, score, judgement.text, failure=failure), judgement
    kind: Kind = "imported"
    return _keyed(
        CellRecord(
            "",
            address,
            kind,
            scale if exact is None else exact.support,
            free=None if exact is None else exact.free,
            draws=tuple(draws[index][0] for index in sorted(draws)),
            prompt_text=found[0].prompt_text,
        )
    )


def _twice(again: Judgement, first: Judgement, what: str) -> RecordError:
    address = again.address
    names = f"item {address.item!r}, prompt {address.prompt!r}, variant {address.variant!r}"
    return RecordError(
        f"{again.where}: {what} of {names} stands here and at {first.where} already; "
        "number the draws of a cell, or tell its levels apart"
    )


def _ends(scale: tuple[Score, ...]) -> str:
    """A scale in short: its ends and how many scores it has."""
    low, high = (
        f"{end:g}" if isinstance(end, float) else str(end) for end in (scale[0], scale[-1])
    )
    return f"({low} to {high}, {len(scale)} scores)"


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
    return CellRecord(
        digest.hexdigest(),
        address,
        record.kind,
        record.support,
        record.local,
        record.free,
        draws=record.draws,
        prompt_text=record.prompt_text,
    )
