"""`run`: score what a plan still lacks, and store it as it comes."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, Self

from constrained.consistency.endpoint import EndpointScorers, read_endpoint
from constrained.consistency.plan import Plan, content_hashes
from constrained.consistency.records import CellRecord
from constrained.consistency.scoring import (
    Scorers,
    Task,
    environment_name,
    shared_base,
    tasks_of,
)
from constrained.consistency.store import Store
from constrained.consistency.store.schema import REMEDY
from constrained.errors import InvalidSpec, RecordError

__all__ = ["Executor", "LocalExecutor", "RunProgress", "RunSummary", "run", "versions"]

BATCH = 64
"""Records of one transaction."""

BATCH_SECONDS = 2.0
"""A transaction waits no longer than this for its records: what a killed run may lose."""

PACKAGES = ("constrained-lm", "torch", "transformers", "peft", "tokenizers", "numpy")


class Executor(Protocol):
    """Where cells are scored: in this process, or on other machines."""

    def score(self, tasks: Sequence[Task]) -> Iterator[CellRecord]:
        """One record per task, in any order, each as soon as it is known.

        The iterator is closed when the run is interrupted. What goes wrong with one cell is in its
        record; what ends the run is raised.
        """

    def environments(self) -> list[dict[str, Any]]:
        """Where cells were scored so far: ``{"variants": {name: {...}}, ...}``, JSON values."""


class LocalExecutor:
    """Scores in this process, variant by variant.

    `scorers` default to models loaded here, and to servers for variants with an endpoint.
    """

    def __init__(self, plan: Plan, scorers: Scorers | None = None) -> None:
        self._scorers = scorers if scorers is not None else EndpointScorers(plan)
        self._known: dict[str, dict[str, Any]] = {}

    def score(self, tasks: Sequence[Task]) -> Iterator[CellRecord]:
        """The records in the order of the tasks, variants of one base together; see `Executor`."""
        bases: dict[Any, int] = {}
        places = [bases.setdefault(shared_base(t.cell.variant), len(bases)) for t in tasks]
        ordered = [tasks[i] for i in sorted(range(len(tasks)), key=places.__getitem__)]
        alike = groupby(ordered, lambda task: (environment_name(task.cell), task.cell.variant))
        for (name, variant), group in alike:
            with self._scorers(variant) as scorer:
                self._known[name] = scorer.environment()
                yield from scorer.score(group)

    def environments(self) -> list[dict[str, Any]]:
        """One environment: that of this process."""
        return [{"variants": dict(self._known)}] if self._known else []


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is. `cached` cells were stored before it began; `seconds` since it began."""

    cells: int
    cached: int
    scored: int
    failed: int
    seconds: float

    @property
    def left(self) -> float | None:
        """Seconds that the rest will take at the pace so far; None before the first record."""
        if not self.scored:
            return None
        return self.seconds / self.scored * (self.cells - self.cached - self.scored)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did: `cells` of the plan (or shard) = `cached` + `scored` when it is complete.

    `failed` cells are stored, but some or all of their scores are missing, with the reason.

    >>> done = RunSummary("1f", Path("a.db"), cells=16, cached=10, scored=6, failed=0, seconds=2.5)
    >>> done.cells == done.cached + done.scored
    True
    """

    run: str
    store: Path
    cells: int
    cached: int
    scored: int
    failed: int
    seconds: float


def run(
    plan: Plan,
    store: str | Path | Store,
    *,
    executor: str | Executor = "local",
    shard: tuple[int, int] | None = None,
    progress: Callable[[RunProgress], None] | None = None,
    reuse: Iterable[str | Path] = (),
    scorers: Scorers | None = None,
) -> RunSummary:
    """Score the cells of a plan that the store lacks; gives what was done.

    Cells whose key is stored are not scored again, so the same call goes on with a run that was
    interrupted, killed or extended by another shard. Records are stored in batches, each one
    transaction. `shard` (i, n) takes part i of n; merge the stores of all parts afterwards.
    `reuse` are stores of other runs from which cells with equal keys are copied. `progress` is
    called after every record. `executor` is ``"local"`` or an `Executor`; `scorers` say what
    scores each variant for the local one (default: models loaded here, servers for endpoints).

    On Ctrl-C what is known is stored and `KeyboardInterrupt` goes on.

    Raises `RecordError` when the store holds another plan, is damaged, or has cells of this plan
    from before a model was trained again; `ModelError` when a model cannot be loaded, `InvalidSpec`
    for a shard that there is not.

    >>> run(read_plan("plan.yaml"), "run.db")  # doctest: +SKIP
    RunSummary(run='...', store=PosixPath('run.db'), cells=1440, cached=0, scored=1440, ...)
    """
    if plan.scoring.kind == "imported":
        raise InvalidSpec(
            "the plan describes scores that came from elsewhere, so there is nothing to run",
            where="scoring",
            hint="analyse its store, or write a plan of your own",
        )
    begin = time.monotonic()
    part = plan if shard is None else plan.shard(*shard)
    where = _executor(executor, part, scorers)
    for variant in plan.variants:
        if variant.endpoint:
            read_endpoint(variant.endpoint)  # what may hold a password is in no store, then
    if not isinstance(store, Store):
        with Store(store) as opened:
            return _run(plan, part, opened, where, progress, list(reuse), begin)
    return _run(plan, part, store, where, progress, list(reuse), begin)


def _executor(executor: str | Executor, plan: Plan, scorers: Scorers | None) -> Executor:
    if not isinstance(executor, str):
        return executor
    if executor != "local":
        raise InvalidSpec(
            f"there is no executor {executor!r} here",
            hint="write local, or pass an object with score and environments",
        )
    return LocalExecutor(plan, scorers)


def _run(
    plan: Plan,
    part: Plan,
    store: Store,
    executor: Executor,
    progress: Callable[[RunProgress], None] | None,
    reuse: Sequence[str | Path],
    begin: float,
) -> RunSummary:
    hashes = content_hashes(plan)
    whole = plan if plan.part is None else plan.with_options(part=None)
    name = store.begin(whole, {})
    known = store.keys()
    tasks, cells = [], 0
    for task in tasks_of(part, hashes):
        cells += 1
        if task.key not in known:
            tasks.append(task)
    taken = _take_over(store, tasks, reuse)
    tasks = [task for task in tasks if task.key not in taken]
    _check_places(store, tasks, hashes)
    cached, scored, failed = cells - len(tasks), 0, 0

    def tell() -> None:
        if progress is not None:
            progress(RunProgress(cells, cached, scored, failed, time.monotonic() - begin))

    tell()
    with (
        _Batches(store, whole, hashes, executor) as batches,
        closing(_closable(executor.score(tasks))) as records,
    ):
        for record in records:
            batches.add(record)
            scored += 1
            failed += is_failed(record)
            tell()
    seconds = time.monotonic() - begin
    return RunSummary(name, store.path, cells, cached, scored, failed, seconds)


class _Batches:
    """Records on their way into a store; leaving the ``with`` block stores what is left.

    That holds for Ctrl-C and for errors as well. The environment goes in with the first records
    that were scored in it.
    """

    def __init__(
        self, store: Store, plan: Plan, hashes: Mapping[str, str], executor: Executor
    ) -> None:
        self._store = store
        self._plan = plan
        self._hashes = dict(hashes)
        self._executor = executor
        self._told: list[dict[str, Any]] = []
        self._records: list[CellRecord] = []
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()

    def add(self, record: CellRecord) -> None:
        """Take one record; stores the batch when it is full or old."""
        self._records.append(record)
        if len(self._records) >= BATCH or time.monotonic() - self._since > BATCH_SECONDS:
            self._flush()

    def _flush(self) -> None:
        if self._records:
            found = self._executor.environments()
            with self._store.transaction():
                for environment in found if found != self._told else ():
                    said = {**versions(), "hashes": self._hashes, **environment}
                    self._store.begin(self._plan, said)
                self._store.put(self._records)
            self._told = found
            self._records = []
        self._since = time.monotonic()


def _closable(records: Iterator[CellRecord]) -> Any:
    return records if hasattr(records, "close") else (record for record in records)


def _take_over(store: Store, tasks: Sequence[Task], reuse: Sequence[str | Path]) -> set[str]:
    """Copy the cells that other stores have; their keys."""
    wanted = {task.key for task in tasks}
    taken: set[str] = set()
    for path in reuse:
        with Store(path, create=False) as other:
            found = sorted((wanted - taken) & other.keys())
            for first in range(0, len(found), BATCH):
                records = [other.get(key) for key in found[first : first + BATCH]]
                store.put(record for record in records if record is not None)
            taken.update(found)
    return taken


def _check_places(store: Store, tasks: Sequence[Task], hashes: Mapping[str, str]) -> None:
    """Refuse to put a second cell beside one that is stored at its place.

    A plan names models and adapters; keys hold their content. What was trained again in the same
    folder gives other keys at the same places.
    """
    places = {task.cell.address for task in tasks}
    if not places or not len(store):
        return
    stale = [address for address in store.addresses() if address in places]
    if stale:
        before = store.environment().get("hashes", {})
        changed = [name for name, now in hashes.items() if before.get(name, now) != now]
        because = f"{' and '.join(changed)} changed since, so they" if changed else "they"
        raise RecordError(
            f"{store.path}: {len(stale):,} of the cells to score are stored already, one at "
            f"{stale[0]}, but {because} would get other values now; {REMEDY}"
        )


def is_failed(record: CellRecord) -> bool:
    """Whether a record lacks scores that it should have."""
    if record.kind == "exact":
        return record.local is None
    return any(draw.score is None for draw in record.draws)


def versions() -> dict[str, Any]:
    """Versions of Python and of the packages that decide results, and the machine's kind.

    >>> "numpy" in versions()["packages"]
    True
    """
    found: dict[str, str] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": found,
    }
