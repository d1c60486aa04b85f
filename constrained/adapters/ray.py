"""`RayExecutor`: the cells of a run scored by Ray actors, on as many machines as a cluster has."""

from __future__ import annotations

import os
import platform
import sys
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from typing import Any, TypeAlias

from constrained.consistency.endpoint import EndpointScorers
from constrained.consistency.plan import Plan, Variant, content_hash, content_hashes
from constrained.consistency.records import CellRecord
from constrained.consistency.run import versions
from constrained.consistency.scoring import Scorers, Task, environment_name, shared_base
from constrained.errors import ConstrainedError, InvalidSpec, MissingPackage, ModelError
from constrained.packages import remedy

__all__ = ["RayExecutor"]

PACKAGE = "constrained-lm"
INSTALL = remedy("ray")

QUEUED = 2
"""Units that a worker has at a time: one that it scores, and the next, so that it never waits."""

SERVED = 16
"""Cells of one unit where a server does the work, which takes several requests at a time."""

LOSSES = 3
"""Workers that may be lost over one unit before the unit is to blame."""

Unit: TypeAlias = tuple[Task, ...]
"""Cells that are scored in one call: those that share a prompt, so that bits stay the same."""


class RayExecutor:
    """Scores the cells of a plan with Ray actors; an `Executor` for `constrained.consistency.run`.

    Every actor holds one model and scores one prompt at a time; records come back as they are
    known. When a worker or a whole machine is lost, its cells are scored by another, and a new
    worker takes its place where there is room. A cell's value does not depend on who scored it, so
    the store is the one that a run in one process leaves.

    `address` is that of a cluster that runs already (``host:6379``, ``auto``); None takes the one
    that this process is connected to or that ``RAY_ADDRESS`` names, else starts Ray on this
    machine. An actor gets `cpus` processors (as many threads) and `gpus` graphics cards; None: one
    card each where the cluster has any. `actors` is their number; None: as many as there is room
    for. Each of them has the model in memory. `scorers` makes, in every actor, what scores the
    variants (default: models loaded there, and servers). `patience` are the seconds to wait while
    no worker runs at all, because the cluster is full.

    Models and adapters that are folders have to lie at the same path everywhere, with the same
    content: that is checked by hash. Raises `MissingPackage` without Ray, `InvalidSpec` for a
    cluster that cannot be reached or has no room, `ModelError` for models that cannot be loaded and
    for cells that workers do not survive.

    >>> run(plan, "run.db", executor=RayExecutor(plan, address="auto"))  # doctest: +SKIP
    RunSummary(run='...', store=PosixPath('run.db'), cells=1440, cached=0, scored=1440, ...)
    """

    def __init__(
        self,
        plan: Plan,
        *,
        address: str | None = None,
        actors: int | None = None,
        cpus: float = 1,
        gpus: float | None = None,
        scorers: Callable[[Plan], Scorers] | None = None,
        patience: float = 600.0,
    ) -> None:
        if find_spec("ray") is None:
            raise MissingPackage("ray", "scoring on several machines", install=INSTALL)
        for name, value, least in (("actors", actors, 1), ("cpus", cpus, 0), ("gpus", gpus, 0)):
            if value is not None and value < least:
                raise InvalidSpec(f"{value} is too few", where=name, hint=f"{least} or more")
        self.plan = plan
        self.address = address
        self.actors = actors
        self.cpus = cpus
        self.gpus = gpus
        self.patience = patience
        self._make = scorers if scorers is not None else EndpointScorers
        self._known: dict[str, dict[str, Any]] = {}

    def score(self, tasks: Sequence[Task]) -> Iterator[CellRecord]:
        """One record per task, each as soon as it is known; see `Executor`."""
        if not tasks:
            return
        ray: Any = import_module("ray")
        with _connected(ray, self.address):
            crew = _Crew(ray, self._worker(ray), _units(tasks), self.patience)
            try:
                crew.hire(self.actors or self._room(ray))
                for answer in crew.answers():
                    self._note(answer)
                    yield from answer.records
            finally:
                crew.dismiss()

    def environments(self) -> list[dict[str, Any]]:
        """One environment for each machine."""
        return list(self._known.values())

    def _worker(self, ray: Any) -> Callable[[], Any]:
        """What starts a worker."""
        needs = {"num_cpus": self.cpus, "num_gpus": self._cards(ray)}
        hashes = content_hashes(self.plan)
        known = ray.put((self.plan, hashes, _version(), os.getcwd(), self._make))
        actor = ray.remote(_Worker).options(**needs, scheduling_strategy="SPREAD")

        def start() -> Any:
            with _quiet_ray():
                return actor.remote(known)

        return start

    def _cards(self, ray: Any) -> float:
        if self.gpus is not None:
            return self.gpus
        return 1 if ray.cluster_resources().get("GPU", 0) >= 1 else 0

    def _room(self, ray: Any) -> int:
        """How many workers the cluster has room for."""
        held = ray.cluster_resources()
        needs = {"CPU": self.cpus, "GPU": self._cards(ray)}
        room = min((int(held.get(k, 0) // v) for k, v in needs.items() if v > 0), default=1)
        if room < 1:
            has = ", ".join(f"{held.get(kind, 0):g} {kind}" for kind in needs)
            raise InvalidSpec(
                f"a worker needs {needs['CPU']:g} CPU and {needs['GPU']:g} GPU, and the cluster "
                f"has {has} in all",
                where="executor",
                hint="ask for less, or say how many actors to wait for",
            )
        return room

    def _note(self, answer: _Answer) -> None:
        """Remember where a variant was scored."""
        said = dict(answer.environment)
        variants = said.pop("variants")
        place = self._known.setdefault(answer.host, {**said, "variants": {}})
        place["variants"] = {**place["variants"], **variants}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a worker says of a unit; `failure` is the error that ends the run."""

    host: str
    records: tuple[CellRecord, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    failure: tuple[type[ConstrainedError], str, dict[str, Any]] | None = None


class _Worker:
    """The actor: loads what its units need, and keeps it."""

    def __init__(
        self, known: tuple[Plan, dict[str, str], str, str, Callable[[Plan], Scorers]]
    ) -> None:
        self._plan, self._hashes, self._version, folder, make = known
        if os.path.isdir(folder):  # paths in a plan are meant from where it was read
            os.chdir(folder)
        self._host = platform.node()
        self._checked: set[str] = set()
        self._scorers = make(self._plan)

    def ready(self) -> None:
        """Answers once there is room for this worker."""

    def score(self, unit: Unit) -> _Answer:
        """The records of cells of one variant. Errors travel as values: theirs are not pickled."""
        variant = unit[0].cell.variant
        try:
            self._check(variant)
            with self._scorers(variant) as scorer:
                records = tuple(scorer.score(unit))
                said = {"variants": {environment_name(unit[0].cell): scorer.environment()}}
        except ConstrainedError as error:
            return _Answer(self._host, failure=(type(error), str(error), dict(vars(error))))
        place = {"host": self._host, "executor": "ray", "threads": _threads()}
        return _Answer(self._host, records, {**versions(), **place, **said})

    def _check(self, variant: Variant) -> None:
        """Keys say what was scored, and with which library, so that has to be what is here."""
        if _version() != self._version:
            raise MissingPackage(
                f"{PACKAGE}=={self._version}",
                f"a worker on {self._host}, which has version {_version()},",
                install=f"scripts/install in a clone of version {self._version}",
            )
        if variant.endpoint is not None:
            return
        for name in (variant.model, variant.adapter):
            if name is not None and name not in self._checked:
                if content_hash(name) != self._hashes[name]:
                    raise ModelError(
                        name,
                        f"what lies there on {self._host} is not what lies there on the machine "
                        "that runs the plan",
                        hint="copy the same folder to the same path on every machine",
                    )
                self._checked.add(name)


class _Crew:
    """The workers, and the units that are not done."""

    def __init__(
        self, ray: Any, start: Callable[[], Any], units: Sequence[Unit], patience: float
    ) -> None:
        self._ray = ray
        self._start = start
        self._patience = patience
        self._left: dict[Any, deque[Unit]] = {}
        for unit in units:
            self._left.setdefault(shared_base(unit[0].cell.variant), deque()).append(unit)
        self._base: dict[Any, Any] = {}
        """The base model that each worker has."""
        self._queue: dict[Any, deque[tuple[Any, Unit]]] = {}
        """What each worker that runs is to answer, the oldest first."""
        self._starting: dict[Any, Any] = {}
        """Workers that wait for room, by what will say that they run."""
        self._losses: Counter[str] = Counter()
        """Workers lost over a unit, by its first key."""

    def hire(self, number: int) -> None:
        """Start workers; never more than there are units."""
        for _ in range(min(number, sum(map(len, self._left.values())))):
            self._hire()

    def dismiss(self) -> None:
        """End all workers, whatever they are doing."""
        for worker in (*self._queue, *self._starting.values()):
            self._ray.kill(worker)
        self._queue, self._starting = {}, {}

    def answers(self) -> Iterator[_Answer]:
        """The answer to every unit, each once, in the order in which they come."""
        while any(self._left.values()) or any(self._queue.values()):
            owner = {ref: worker for worker, held in self._queue.items() for ref, _ in held}
            waiting = [*owner, *self._starting]
            patience = None if owner else self._patience
            done, _ = self._ray.wait(waiting, timeout=patience)
            if not done:
                raise InvalidSpec(
                    f"no worker could be started in {self._patience:g} seconds",
                    where="executor",
                    hint="the cluster is full; what was scored is stored, so run again later",
                )
            (ref,) = done
            if ref in self._starting:
                self._begin(ref)
            else:
                yield from self._take(owner[ref], ref)

    def _hire(self) -> None:
        worker = self._start()
        self._starting[worker.ready.remote()] = worker

    def _begin(self, ref: Any) -> None:
        """A worker runs, or could not."""
        worker = self._starting.pop(ref)
        self._queue[worker] = deque()
        try:
            self._ray.get(ref)
        except self._ray.exceptions.RayActorError as error:
            self._lose(worker, error)
            return
        self._fill(worker)

    def _take(self, worker: Any, ref: Any) -> Iterator[_Answer]:
        """The answer to a unit; nothing when the worker is lost."""
        try:
            answer: _Answer = self._ray.get(ref)
        except (self._ray.exceptions.RayActorError, self._ray.exceptions.ObjectLostError) as error:
            self._lose(worker, error)
            return
        if answer.failure is not None:
            raise _remade(*answer.failure)
        held = self._queue[worker]
        held.remove(next(one for one in held if one[0] == ref))
        self._fill(worker)
        yield answer

    def _fill(self, worker: Any) -> None:
        """Hand units to a worker: those of its model before others."""
        held = self._queue[worker]
        while len(held) < QUEUED and (base := self._next_base(worker)) is not None:
            self._base[worker] = base
            unit = self._left[base].popleft()
            held.append((worker.score.remote(unit), unit))

    def _next_base(self, worker: Any) -> Any:
        """The worker's own, else the one with the most units left for each of its workers."""
        own = self._base.get(worker)
        if self._left.get(own):
            return own
        serving = Counter(self._base[other] for other in self._queue if other in self._base)
        left = {base: len(units) / (1 + serving[base]) for base, units in self._left.items()}
        best = max(left, key=left.__getitem__)
        return best if left[best] else None

    def _lose(self, worker: Any, error: Exception) -> None:
        """A worker is gone: its units go back to the front, and another one is started.

        The unit that it was scoring may be why. One that costs several workers ends the run.
        """
        held = self._queue.pop(worker)
        self._base.pop(worker, None)
        self._ray.kill(worker)
        units = [unit for _, unit in held]
        waiting = (unit for left in self._left.values() for unit in left)
        if (blamed := next(iter(units), None) or next(waiting, None)) is not None:
            self._blame(blamed, error)
        for unit in reversed(units):
            self._left[shared_base(unit[0].cell.variant)].appendleft(unit)
        self._hire()
        for other in self._queue:  # some may have had nothing left to do
            self._fill(other)

    def _blame(self, unit: Unit, error: Exception) -> None:
        """Count a loss against a unit; `ModelError` when it has cost too many."""
        self._losses[unit[0].key] += 1
        if self._losses[unit[0].key] >= LOSSES:
            cell = unit[0].cell
            reason = " ".join(str(error).split())
            raise ModelError(
                cell.variant.model,
                f"{LOSSES} workers were lost at {cell.address}: {reason:.300}",
                hint="is the memory enough? Try fewer actors; what was scored is stored",
            )


def _units(tasks: Sequence[Task]) -> list[Unit]:
    """Tasks that are scored in one call: those of one prompt, or some that one server answers."""
    units: list[Unit] = []
    for served, group in groupby(tasks, key=lambda t: (t.cell.variant.endpoint, t.cell.variant)):
        if served[0] is None:
            alike = groupby(group, key=lambda task: replace(task.cell.address, temperature=0.0))
            units += (tuple(same) for _, same in alike)
        else:
            whole = tuple(group)
            units += (whole[i : i + SERVED] for i in range(0, len(whole), SERVED))
    return units


@contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[None]:
    """Ray for the length of a block; what was connected before stays connected."""
    if ray.is_initialized():
        here = ray.get_runtime_context().gcs_address
        if address not in (None, "auto", here):
            raise InvalidSpec(
                f"this process is connected to the cluster {here}, not to {address}",
                where="address",
                hint="leave the address out, or call ray.shutdown() before",
            )
        yield
        return
    own: dict[str, Any] = {"address": address}
    if not address and not os.environ.get("RAY_ADDRESS"):
        # With no address Ray would look for what a cluster, perhaps a dead one, left in its folder.
        own = {"address": "local", "include_dashboard": False}
    try:
        with _quiet_ray():
            ray.init(**own, log_to_driver=False, logging_level="error")
    except Exception as error:  # Ray raises Exception itself when a node is too slow to start
        what = f"the Ray cluster {address} cannot be reached" if address else "Ray does not start"
        raise InvalidSpec(
            f"{what}: {' '.join(str(error).split()):.300}",
            where="executor",
            hint="ray start --head starts a cluster and says its address; try again if it was busy",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _quiet_ray() -> Iterator[None]:
    """Without Ray's announcements of what it will change one day."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _remade(kind: type[ConstrainedError], message: str, parts: Mapping[str, Any]) -> Exception:
    """An error as it was raised in another process."""
    error = kind.__new__(kind)
    error.args = (message,)
    vars(error).update(parts)
    return error


def _version() -> str:
    """The version of this library, as it is installed here."""
    return str(versions()["packages"].get(PACKAGE, "unknown"))


def _threads() -> int | None:
    """The threads of torch, where it is loaded."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())
