"""`merge`: the stores of several machines into one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from constrained.consistency.records import CellRecord
from constrained.consistency.store.schema import REMEDY
from constrained.errors import RecordError

if TYPE_CHECKING:
    from constrained.consistency.store.store import Store

__all__ = ["difference", "merge"]

BATCH = 2_000


def merge(target: str | Path, sources: Iterable[str | Path]) -> int:
    """Copy the cells of the sources into the target; gives how many were new to it.

    The target is made where there is none. A merge is one transaction: when anything is refused
    or damaged, the target stays as it was. Raises `RecordError` when a source has another plan than
    the target, when a cell is in two stores with different contents (both are named), and when two
    stores have cells with different keys at one place (a model was trained again between them).

    >>> from tempfile import mkdtemp
    >>> from constrained.consistency.records import Address
    >>> from constrained.consistency.store import Store
    >>> folder = mkdtemp()
    >>> for name in "ab":
    ...     with Store(f"{folder}/{name}.db") as store:
    ...         _ = store.put([CellRecord(name, Address("essay-1", name), "exact")])
    >>> merge(f"{folder}/all.db", [f"{folder}/a.db", f"{folder}/b.db"])
    2
    """
    from constrained.consistency.store.store import Store

    paths = [Path(source) for source in sources]
    plan = None
    for path in paths:  # everything that can be refused is refused before anything is written
        with Store(path, create=False) as source:
            found = source.plan_text()
        if found is not None and plan is not None and found[1] != plan[0][1]:
            raise RecordError(
                f"{path}: its plan {found[0]!r} ({found[1][:12]}) is not the plan {plan[0][0]!r} "
                f"({plan[0][1][:12]}) of {plan[1]}; only shards of one plan can be merged"
            )
        plan = plan or ((found, path) if found is not None else None)
    new = 0
    with Store(target) as store, store.transaction():
        for path in paths:
            with Store(path, create=False, check=False) as source:
                new += _copy(source, store)
            if (place := store.doubled()) is not None:
                raise RecordError(
                    f"{path}: its cell at {place} has another key than the one at the same place "
                    f"in {store.path}, so its value was decided by something else; {REMEDY}"
                )
    return new


def _copy(source: Store, target: Store) -> int:
    if (found := source.plan_text()) is not None:
        there = target.plan_text()
        plan = there if there is not None and there[1] == found[1] else found
        for environment in source.environments() or [{}]:
            target.begin_text(*plan, environment)
    new, records, known = 0, source.records(), target.keys()
    while batch := list(islice(records, BATCH)):
        for record in batch:
            same = target.get(record.key) if record.key in known else None
            differs = "" if same is None else difference(same, record)
            if differs:
                raise RecordError(
                    f"the cell {record.key} ({record.address}) differs in its {differs} between "
                    f"{target.path} and {source.path}, though equal keys mean equal results; "
                    "was one of them changed, or scored with other arithmetic?"
                )
        new += target.put(batch)
    return new


def difference(one: CellRecord, other: CellRecord) -> str:
    """The first part in which two records of one key differ; empty when they say the same.

    Times are no part of a result. Probabilities may be apart by what the records themselves say
    of their arithmetic (`numerics_floor`).
    """
    floor = max(one.numerics_floor or 0.0, other.numerics_floor or 0.0)
    for name in ("address", "kind", "support", "prompt_text", "prompt_tokens"):
        if getattr(one, name) != getattr(other, name):
            return name.replace("_", " ")
    for name in ("local", "free"):
        if not _close(getattr(one, name), getattr(other, name), floor):
            return f"distribution ({name})"
    if (one.removed_mass is None) != (other.removed_mass is None) or (
        abs((one.removed_mass or 0.0) - (other.removed_mass or 0.0)) > floor
    ):
        return "removed mass"
    if len(one.draws) != len(other.draws):
        return "number of draws"
    for a, b in zip(one.draws, other.draws, strict=True):
        same = (a.index, a.score, a.text, a.seed, a.failure) == (
            b.index,
            b.score,
            b.text,
            b.seed,
            b.failure,
        )
        if not same or not _close(a.probabilities, b.probabilities, floor):
            return f"draw {a.index}"
    return ""


def _close(one: Sequence[float] | None, other: Sequence[float] | None, floor: float) -> bool:
    if one is None or other is None:
        return one is other
    return len(one) == len(other) and all(
        abs(a - b) <= floor for a, b in zip(one, other, strict=True)
    )
