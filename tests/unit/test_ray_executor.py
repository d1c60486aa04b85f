"""Cells on a Ray cluster: the store of a run in one process, whatever happens to the machines.

A cluster of two nodes runs on this machine; scorers are a tiny model and planted effects.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import cloudpickle

import tests.scripted
import tests.tiny
from constrained import Generator
from constrained.adapters.ray import RayExecutor
from constrained.consistency.plan import Plan
from constrained.consistency.records import CellRecord
from constrained.consistency.run import run
from constrained.consistency.scoring import ModelScorer, Scorers
from constrained.consistency.store import Store
from constrained.errors import InvalidSpec, MissingPackage, ModelError
from tests.scripted import Effects, PlantedScorer, always, grid_plan, without_times

MEMORY = 80 * 2**20
"""Bytes of each node's object store."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster with a head that scores nothing; nodes are added by the tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        made = Cluster(
            initialize_head=True,
            connect=False,
            head_node_args={
                "num_cpus": 0,
                "object_store_memory": MEMORY,
                "include_dashboard": False,
            },
        )
        for _ in range(2):
            made.add_node(num_cpus=1, object_store_memory=MEMORY)
        for module in (tests.scripted, tests.tiny, sys.modules[__name__]):
            cloudpickle.register_pickle_by_value(module)
        try:
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


def planted(plan: Plan, log: Path | None = None, seconds: float = 0.0) -> Scorers:
    return always(PlantedScorer(plan, Effects(), log=log, seconds=seconds))


def tiny_model(plan: Plan) -> Scorers:
    tokenizer = tests.tiny.byte_level()
    model = tests.tiny.model("llama", len(tokenizer))
    return always(ModelScorer(plan, Generator(model, tokenizer)))


def contents(path: Path) -> dict[str, CellRecord]:
    with Store(path, create=False) as store:
        return without_times(store.records())


@pytest.mark.slow
def test_a_cluster_leaves_the_store_that_one_process_leaves(cluster: Any, tmp_path: Path):
    plan = grid_plan(3, 2, temperatures=(0.5, 1.0), spec="Score: {score:0..10}")
    run(plan, tmp_path / "one.db", scorers=tiny_model(plan))
    executor = RayExecutor(plan, address=cluster.address, scorers=tiny_model)
    seen: list[int] = []
    summary = run(
        plan, tmp_path / "many.db", executor=executor, progress=lambda p: seen.append(p.scored)
    )
    assert (summary.scored, summary.failed) == (12, 0)
    assert contents(tmp_path / "many.db") == contents(tmp_path / "one.db")  # floats to the last bit
    assert seen == list(range(13))
    with Store(tmp_path / "many.db") as store:
        (place,) = store.environments()
    assert (place["executor"], place["threads"]) == ("ray", 1)
    assert place["variants"]["model"]["model_class"] == "LlamaForCausalLM"
    assert not ray.is_initialized()


@pytest.mark.slow
def test_a_killed_worker_loses_no_cell_and_scores_none_twice(cluster: Any, tmp_path: Path):
    plan = grid_plan(10, 4)
    log = tmp_path / "log"
    killed: list[int] = []

    def kill_a_worker(progress: Any) -> None:
        if progress.scored in (3, 12):
            process = int(next(tmp_path.glob("worker-*")).name.removeprefix("worker-"))
            os.kill(process, signal.SIGKILL)
            (tmp_path / f"worker-{process}").unlink()
            killed.append(process)

    executor = RayExecutor(
        plan, address=cluster.address, scorers=partial(noted, log=log, folder=tmp_path)
    )
    summary = run(plan, tmp_path / "many.db", executor=executor, progress=kill_a_worker)
    assert len(killed) == 2
    assert (summary.scored, summary.failed) == (40, 0)
    run(plan, tmp_path / "one.db", scorers=planted(plan))
    assert contents(tmp_path / "many.db") == contents(tmp_path / "one.db")
    with Store(tmp_path / "many.db") as store:
        assert store.doubled() is None
    again = Counter(log.read_text().split())
    assert len(again) == 40
    assert sum(again.values()) <= 40 + 2 * 2  # what the killed ones had in hand


def noted(plan: Plan, *, log: Path, folder: Path, together: int = 1) -> Scorers:
    """Scorers that leave their process's number in a folder, and take some time.

    They begin when so many processes are there, however long each took to start.
    """
    (folder / f"worker-{os.getpid()}").touch()
    latest = time.monotonic() + 120
    while len(list(folder.glob("worker-*"))) < together and time.monotonic() < latest:
        time.sleep(0.01)
    return planted(plan, log=log, seconds=0.05)


@pytest.mark.slow
def test_a_lost_machine_loses_no_cell(cluster: Any, tmp_path: Path):
    plan = grid_plan(20, 4)
    extra = cluster.add_node(num_cpus=1, resources={"extra": 1}, object_store_memory=MEMORY)
    lost: list[bool] = []

    def lose_a_machine(progress: Any) -> None:
        if not lost and len(list(tmp_path.glob("worker-*"))) == 3:  # one on each node
            cluster.remove_node(extra, allow_graceful=False)
            lost.append(progress.scored)

    scorers = partial(noted, log=tmp_path / "log", folder=tmp_path, together=3)
    executor = RayExecutor(plan, address=cluster.address, scorers=scorers, actors=3)
    summary = run(plan, tmp_path / "many.db", executor=executor, progress=lose_a_machine)
    assert 0 <= lost[0] < 80
    assert (summary.scored, summary.failed) == (80, 0)
    run(plan, tmp_path / "one.db", scorers=planted(plan))
    assert contents(tmp_path / "many.db") == contents(tmp_path / "one.db")


@pytest.mark.slow
def test_a_cell_that_kills_its_workers_ends_the_run(cluster: Any, tmp_path: Path):
    plan = grid_plan(6, 1)
    executor = RayExecutor(plan, address=cluster.address, actors=1, scorers=deadly)
    with pytest.raises(ModelError, match=r"'smollm2': 3 workers were lost at Address.*'e0003'"):
        run(plan, tmp_path / "many.db", executor=executor)
    assert {r.address.item for r in contents(tmp_path / "many.db").values()} == {
        "e0000",
        "e0001",
        "e0002",
    }


class Deadly(PlantedScorer):
    """Takes its process down at one item."""

    def score(self, tasks: Any) -> Iterator[CellRecord]:
        for task in tasks:
            if task.cell.item.id == "e0003":
                os.kill(os.getpid(), signal.SIGKILL)
            yield from super().score([task])


def deadly(plan: Plan) -> Scorers:
    return always(Deadly(plan, Effects()))


@pytest.mark.slow
def test_errors_of_a_worker_are_raised_as_they_were(cluster: Any, tmp_path: Path):
    def unloadable(_plan: Plan) -> Scorers:
        def scorers(_variant: Any) -> Any:
            raise ModelError("big", "there is no room for it", hint="take a smaller one")

        return scorers

    plan = grid_plan(2, 1)
    executor = RayExecutor(plan, address=cluster.address, scorers=unloadable)
    with pytest.raises(ModelError) as caught:
        run(plan, tmp_path / "many.db", executor=executor)
    assert str(caught.value) == "model 'big': there is no room for it (take a smaller one)"
    assert (caught.value.name, caught.value.hint) == ("big", "take a smaller one")


@pytest.mark.slow
def test_a_model_with_other_content_on_a_machine_is_refused(cluster: Any, tmp_path: Path):
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    plan = grid_plan(2, 1, variants=[{"name": "tuned", "adapter": str(folder)}])
    executor = RayExecutor(plan, address=cluster.address, scorers=partial(changing, folder=folder))
    with pytest.raises(ModelError, match=r"is not what lies there on the machine that runs"):
        run(plan, tmp_path / "many.db", executor=executor)
    assert contents(tmp_path / "many.db") == {}


def changing(plan: Plan, *, folder: Path) -> Scorers:
    """Changes the adapter before the worker looks at it."""
    (folder / "adapter_config.json").write_text('{"r": 8}')
    return planted(plan)


@pytest.mark.slow
def test_a_worker_with_another_version_of_the_library_is_refused(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plan = grid_plan(2, 1)
    executor = RayExecutor(plan, address=cluster.address, scorers=planted)
    monkeypatch.setattr("constrained.adapters.ray._version", lambda: "9.9")
    with pytest.raises(MissingPackage) as caught:
        run(plan, tmp_path / "many.db", executor=executor)
    assert caught.value.install == "scripts/install in a clone of version 9.9"
    assert str(caught.value).startswith(f"a worker on {platform.node()}, which has version ")


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_a_second_run_goes_on(cluster: Any, tmp_path: Path):
    plan = grid_plan(6, 2)
    log = tmp_path / "log"

    def stop(progress: Any) -> None:
        if progress.scored == 4:
            raise KeyboardInterrupt

    def executor() -> RayExecutor:
        return RayExecutor(
            plan, address=cluster.address, scorers=partial(planted, log=log, seconds=0.05)
        )

    with pytest.raises(KeyboardInterrupt):
        run(plan, tmp_path / "many.db", executor=executor(), progress=stop)
    stored = len(contents(tmp_path / "many.db"))
    assert stored == 4
    scored = len(log.read_text().split())
    time.sleep(0.5)
    assert len(log.read_text().split()) <= scored + 2  # nobody works on
    summary = run(plan, tmp_path / "many.db", executor=executor())
    assert (summary.cached, summary.scored) == (4, 8)


@pytest.mark.slow
def test_a_cluster_without_room_says_so(cluster: Any, tmp_path: Path):
    plan = grid_plan(1, 1)
    carded = RayExecutor(plan, address=cluster.address, gpus=1)
    with pytest.raises(
        InvalidSpec, match=r"needs 1 CPU and 1 GPU, and the cluster has \d CPU, 0 GPU"
    ):
        run(plan, tmp_path / "a.db", executor=carded)
    waiting = RayExecutor(plan, address=cluster.address, cpus=5, actors=1, patience=0.5)
    with pytest.raises(InvalidSpec, match=r"no worker could be started in 0.5 seconds"):
        run(plan, tmp_path / "a.db", executor=waiting)


def test_a_cluster_that_does_not_start_or_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def too_slow(**_: Any) -> None:
        raise Exception("The current node timed out\nduring startup.")

    plan = grid_plan(1, 1)
    monkeypatch.setattr(ray, "init", too_slow)
    with pytest.raises(InvalidSpec) as caught:
        run(plan, tmp_path / "a.db", executor=RayExecutor(plan, address="10.0.0.1:6379"))
    assert str(caught.value) == (
        "at executor: the Ray cluster 10.0.0.1:6379 cannot be reached: The current node timed out "
        "during startup. (ray start --head starts a cluster and says its address; try again if it "
        "was busy)"
    )
    with pytest.raises(InvalidSpec, match="at executor: Ray does not start: The current node"):
        run(plan, tmp_path / "a.db", executor=RayExecutor(plan))


def test_numbers_that_make_no_sense_are_refused():
    with pytest.raises(InvalidSpec, match=r"at actors: 0 is too few \(1 or more\)"):
        RayExecutor(grid_plan(1, 1), actors=0)


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("constrained.adapters.ray.find_spec", lambda _name: None)
    with pytest.raises(MissingPackage) as caught:
        RayExecutor(grid_plan(1, 1))
    assert str(caught.value) == (
        "scoring on several machines needs the package ray (run: pip install ray; in a clone: "
        "scripts/install ray)"
    )
