"""Runs: nothing lost, nothing computed twice, whatever happens to the process."""

from __future__ import annotations

import pickle
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from constrained import Generator
from constrained.consistency.plan import Plan, content_hashes
from constrained.consistency.records import CellRecord
from constrained.consistency.run import RunProgress, RunSummary, run
from constrained.consistency.scoring import ModelScorer, Task, tasks_of
from constrained.consistency.statistics import Cells, variance_components
from constrained.consistency.store import Columns, Store, merge
from constrained.errors import InvalidSpec, RecordError
from tests import tiny
from tests.scripted import SCALE, Effects, PlantedScorer, always, drawn, grid_plan, without_times

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def planted(plan: Plan, **options: Any) -> PlantedScorer:
    return PlantedScorer(plan, Effects(), **options)


def contents(path: Path) -> dict[str, CellRecord]:
    with Store(path) as store:
        return without_times(store.records())


def assert_same_columns(one: Columns, other: Columns) -> None:
    """Equal in everything but the times."""
    assert one.names == other.names
    for facet in one.names:
        np.testing.assert_array_equal(one.codes[facet], other.codes[facet])
    for name in Columns.__slots__:
        if name not in ("names", "codes", "seconds"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def columns(path: Path) -> Columns:
    with Store(path, create=False) as store:
        return store.columns()


def test_a_run_stores_every_cell_of_the_plan(path: Path):
    plan = grid_plan()
    scorer = planted(plan)
    summary = run(plan, path, scorers=always(scorer))
    assert summary == RunSummary(plan.digest, path, 18, 0, 18, 0, summary.seconds)
    found = columns(path)
    assert found.names["item"] == plan.levels["item"]
    assert found.names["prompt"] == plan.levels["prompt"]
    for record in contents(path).values():
        assert record.local == Effects().of(record.address)
    with Store(path) as store:
        assert store.plan() == plan
        said = store.environment()
    assert said["variants"] == {"model": {"device": "none"}}
    assert said["hashes"] == {"smollm2": "name:smollm2"}
    assert said["packages"]["numpy"] == np.__version__


def test_a_second_run_scores_nothing(path: Path):
    plan = grid_plan()
    scorer = planted(plan)
    run(plan, path, scorers=always(scorer))
    summary = run(plan, path, scorers=always(scorer))
    assert (summary.cells, summary.cached, summary.scored) == (18, 18, 0)
    assert max(Counter(scorer.scored).values()) == 1


def test_reporting_can_change_and_the_store_is_still_that_run(path: Path):
    plan = grid_plan()
    run(plan, path, scorers=always(planted(plan)))
    renamed = plan.with_options(name="other", pass_mark=20.0)
    assert run(renamed, path, scorers=always(planted(plan))).scored == 0
    with Store(path) as store:
        assert store.plan() == renamed


def test_another_plan_needs_another_store_but_can_take_its_cells_over(path: Path, tmp_path: Path):
    plan, larger = grid_plan(6, 3), grid_plan(6, 4)
    run(plan, path, scorers=always(planted(plan)))
    with pytest.raises(RecordError, match=r"holds the plan 'essays' .*, not 'essays'"):
        run(larger, path, scorers=always(planted(larger)))
    scorer = planted(larger)
    summary = run(larger, tmp_path / "larger.db", scorers=always(scorer), reuse=[path])
    assert (summary.cells, summary.cached, summary.scored) == (24, 18, 6)
    assert len(scorer.scored) == 6
    run(larger, tmp_path / "anew.db", scorers=always(planted(larger)))
    assert contents(tmp_path / "larger.db") == contents(tmp_path / "anew.db")


def retrained(folder: Path) -> None:
    """Put another content where the plan's adapter is."""
    (folder / "adapter_model.safetensors").write_bytes(b"trained again")


def adapter_plan(folder: Path) -> Plan:
    """A plan whose second variant is an adapter in a folder."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    variants = [{"name": "base"}, {"name": "tuned", "adapter": str(folder)}]
    return grid_plan(2, 2, variants=variants)


def test_an_adapter_that_was_trained_again_needs_another_store(path: Path, tmp_path: Path):
    folder = tmp_path / "adapter"
    plan = adapter_plan(folder)
    run(plan, path, scorers=always(planted(plan)))
    before = contents(path)
    retrained(folder)
    with pytest.raises(RecordError) as caught:
        run(plan, path, scorers=always(planted(plan)))
    assert str(caught.value) == (
        f"{path}: 4 of the cells to score are stored already, one at Address(item='e0000', "
        f"prompt='p0', format='plain', variant='tuned', temperature=1.0, order=''), but {folder} "
        "changed since, so they would get other values now; was a model or an adapter trained "
        "again in its folder, or the library updated? Run the plan into another store, with reuse "
        "(--reuse) for the cells that are still the same"
    )
    assert contents(path) == before
    other = tmp_path / "other.db"
    summary = run(plan, other, scorers=always(planted(plan)), reuse=[path])
    assert (summary.cached, summary.scored) == (4, 4)
    assert {r.address.variant for r in contents(other).values() if r.key in before} == {"base"}
    assert run(plan, other, scorers=always(planted(plan))).cached == 8


def test_a_run_that_was_stopped_does_not_go_on_with_another_adapter(path: Path, tmp_path: Path):
    folder = tmp_path / "adapter"
    plan = adapter_plan(folder)
    with pytest.raises(KeyboardInterrupt):
        run(plan, path, executor=Interrupted(plan, after=5))
    retrained(folder)
    with pytest.raises(RecordError, match=r"run.db: 1 of the cells"):
        run(plan, path, scorers=always(planted(plan)))
    assert len(contents(path)) == 5


def test_parts_scored_with_different_adapters_do_not_merge(path: Path, tmp_path: Path):
    folder = tmp_path / "adapter"
    plan = adapter_plan(folder)
    run(plan, path, scorers=always(planted(plan)))
    retrained(folder)
    later = tmp_path / "later.db"
    run(plan, later, scorers=always(planted(plan)))
    target = tmp_path / "all.db"
    with pytest.raises(RecordError, match=r"later.db: its cell at .*variant='tuned'.* another key"):
        merge(target, [path, later])
    with Store(target) as store:
        assert (len(store), store.doubled()) == (0, None)


def test_progress_counts_up_and_says_how_long_it_will_take(path: Path):
    plan = grid_plan()
    with Store(path) as store:
        store.begin(plan, {})
    seen: list[RunProgress] = []
    run(plan, path, scorers=always(planted(plan, seconds=0.001)), progress=seen.append)
    assert [one.scored for one in seen] == list(range(19))
    assert seen[0].left is None
    assert seen[9].left == pytest.approx(seen[9].seconds, rel=1e-6)
    assert {(one.cells, one.cached, one.failed) for one in seen} == {(18, 0, 0)}


def test_failed_cells_are_counted(path: Path):
    plan = grid_plan(2, 1).with_options(formats=["guanaco"], prompts=["### Human: {text}"])
    tokenizer = tiny.byte_level()
    scorer = ModelScorer(plan, Generator(tiny.model("llama", len(tokenizer)), tokenizer))
    summary = run(plan, path, scorers=always(scorer))
    assert (summary.scored, summary.failed) == (2, 2)
    assert run(plan, path, scorers=always(scorer)).cached == 2


def test_shards_of_a_plan_merge_into_the_whole(path: Path, tmp_path: Path):
    plan = grid_plan(8, 4, temperatures=(0.5, 1.0))
    run(plan, path, scorers=always(planted(plan)))
    shards = [tmp_path / f"{i}.db" for i in (1, 2, 3)]
    scored = []
    for i, shard in enumerate(shards, start=1):
        scorer = planted(plan)
        summary = run(plan, shard, shard=(i, 3), scorers=always(scorer))
        assert summary.cells == summary.scored == len(scorer.scored)
        scored += scorer.scored
        with Store(shard) as store:
            assert store.plan() == plan
    assert len(scored) == len(set(scored)) == 64
    assert merge(tmp_path / "all.db", shards) == 64
    assert_same_columns(columns(tmp_path / "all.db"), columns(path))
    assert contents(tmp_path / "all.db") == contents(path)
    with pytest.raises(InvalidSpec, match="there is no shard 4 of 3"):
        run(plan, path, shard=(4, 3), scorers=always(planted(plan)))


def test_shards_can_write_one_store(path: Path):
    plan = grid_plan()
    for shard in ((1, 2), (2, 2), (2, 2)):
        run(plan, path, shard=shard, scorers=always(planted(plan)))
    assert len(contents(path)) == 18


class Interrupted:
    """An executor that is stopped by Ctrl-C after some records."""

    def __init__(self, plan: Plan, after: int) -> None:
        self.scorer = planted(plan)
        self.after = after
        self.closed = False

    def score(self, tasks: Sequence[Task]) -> Iterator[CellRecord]:
        try:
            yield from self.scorer.score(tasks[: self.after])
            raise KeyboardInterrupt
        finally:
            self.closed = True

    def environments(self) -> list[dict[str, Any]]:
        return [{"host": "a"}, {"host": "b"}]


def test_ctrl_c_leaves_what_was_scored(path: Path):
    plan = grid_plan()
    executor = Interrupted(plan, after=7)
    with pytest.raises(KeyboardInterrupt):
        run(plan, path, executor=executor)
    assert executor.closed
    assert contents(path).keys() == set(executor.scorer.scored)
    with Store(path) as store:
        assert [one["host"] for one in store.environments()] == ["a", "b"]
    scorer = planted(plan)
    assert run(plan, path, scorers=always(scorer)).cached == 7
    assert not set(scorer.scored) & set(executor.scorer.scored)


def test_an_error_in_the_progress_callback_closes_the_executor(path: Path):
    plan = grid_plan()
    executor = Interrupted(plan, after=18)

    def stop(progress: RunProgress) -> None:
        if progress.scored == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(plan, path, executor=executor, progress=stop)
    assert executor.closed
    assert len(contents(path)) == 3


def test_tasks_and_records_can_travel_between_machines():
    """What an executor sends to other processes and gets back."""
    plan = grid_plan()
    for task in tasks_of(plan, content_hashes(plan)):
        assert pickle.loads(pickle.dumps(task)) == task
        record = next(planted(plan).score([task]))
        assert pickle.loads(pickle.dumps(record)) == record
    assert Plan.from_json(plan.shard(1, 2).to_json()).part == (1, 2)


def test_an_unknown_executor_is_refused(path: Path):
    with pytest.raises(InvalidSpec, match="there is no executor 'slurm' here"):
        run(grid_plan(), path, executor="slurm")
    assert not path.exists()


# --- processes that are killed

SIZE = (40, 15)

CHILD = f"""
SIZE = {SIZE}
import sys
from pathlib import Path
from constrained.consistency.run import run
from tests.scripted import Effects, PlantedScorer, always, grid_plan

plan = grid_plan(*SIZE, scoring={{"kind": "sampled", "draws": 3}})
scorer = PlantedScorer(plan, Effects(), log=Path(sys.argv[2]), seconds=0.002)
run(plan, sys.argv[1], scorers=always(scorer))
"""

REAL = """
import sys
from pathlib import Path
from constrained import Generator
from constrained.consistency.run import run
from constrained.consistency.scoring import ModelScorer
from tests import tiny
from tests.scripted import always, grid_plan

plan = grid_plan(12, 8, scoring={"kind": "sampled", "draws": 3})
tokenizer = tiny.byte_level()
scorer = ModelScorer(plan, Generator(tiny.model("llama", len(tokenizer)), tokenizer))
run(plan, sys.argv[1], scorers=always(scorer))
"""


def start(code: str, *arguments: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    assert process.communicate(timeout=300)[1] == ""
    assert process.returncode == 0


def kill_after(process: subprocess.Popen[str], sign: Path, seconds: float, cells: int = 0) -> bool:
    """`kill -9` some time after a file, a log of so many cells, is there.

    Says whether the process was still running.
    """
    while process.poll() is None:
        if sign.exists() and (not cells or len(lines(sign)) >= cells):
            break
        time.sleep(0.002)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def test_a_killed_run_goes_on_where_it_stopped(path: Path, tmp_path: Path):
    log = tmp_path / "log"
    assert kill_after(start(CHILD, path, log), log, 0.0, cells=150)
    stored, before = contents(path).keys(), len(lines(log))
    assert 0 < len(stored) <= before < 600
    finish(start(CHILD, path, log))
    again = lines(log)[before:]
    assert not stored & set(again)
    assert len(stored) + len(again) == len(contents(path)) == 600


def test_ctrl_c_in_a_process_stores_all_that_was_scored(path: Path, tmp_path: Path):
    log = tmp_path / "log"
    process = start(CHILD, path, log)
    while not log.exists() and process.poll() is None:
        time.sleep(0.002)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1].rstrip().endswith("KeyboardInterrupt")
    known = lines(log)
    assert 0 < len(known) < 600
    assert set(known[:-1]) <= contents(path).keys() <= set(known)  # the last one was on its way


@pytest.mark.slow
def test_twenty_kills_leave_the_store_that_an_undisturbed_run_leaves(path: Path, tmp_path: Path):
    """Killed at 20 random moments; no stored cell is scored again, and the end is the same."""
    choose = random.Random(20)
    log = tmp_path / "log"
    kills = 0
    sizes = []
    while kills < 20:
        stored = set(contents(path)) if path.exists() else set()
        if len(stored) == 600:  # it was done before it could be killed: begin again
            for file in tmp_path.glob("run.db*"):
                file.unlink()
            continue
        log.unlink(missing_ok=True)
        process = start(CHILD, path, log)
        if choose.random() < 0.8:
            cells = choose.randrange(140)  # 64 are stored at a time
            kills += kill_after(process, log, choose.uniform(0, 0.01), cells)
        else:  # while the store is being made
            kills += kill_after(process, path, choose.uniform(0, 0.4))
        assert not stored & set(lines(log))
        sizes.append(len(contents(path)))
    assert len(set(sizes)) > 5, sizes
    finish(start(CHILD, path, log))
    undisturbed = tmp_path / "undisturbed.db"
    finish(start(CHILD, undisturbed, tmp_path / "other-log"))
    assert contents(path) == contents(undisturbed)
    assert_same_columns(columns(path), columns(undisturbed))


@pytest.mark.slow
def test_a_transformer_that_is_killed_leaves_the_same_store(path: Path, tmp_path: Path):
    choose = random.Random(3)
    for _ in range(3):
        kill_after(start(REAL, path), path, choose.uniform(0.2, 1.5))
    finish(start(REAL, path))
    undisturbed = tmp_path / "undisturbed.db"
    finish(start(REAL, undisturbed))
    assert contents(path) == contents(undisturbed)
    assert_same_columns(columns(path), columns(undisturbed))


def test_two_runs_at_the_same_time_share_one_store(path: Path, tmp_path: Path):
    processes = [start(CHILD, path, tmp_path / f"log-{i}") for i in range(2)]
    for process in processes:
        finish(process)
    alone = tmp_path / "alone.db"
    plan = grid_plan(*SIZE, scoring={"kind": "sampled", "draws": 3})
    run(plan, alone, scorers=always(planted(plan)))
    assert contents(path) == contents(alone)
    assert_same_columns(columns(path), columns(alone))


# --- what a run says of its judge


def test_draws_are_drawn_by_inversion():
    p = Effects().of(next(iter(grid_plan(1, 1).cells())).address)
    scores = [drawn(p, seed) for seed in range(4000)]
    assert np.mean(scores) == pytest.approx(np.dot(p, SCALE), abs=0.06)


@pytest.mark.slow
def test_planted_components_are_found_in_the_stored_cells(path: Path):
    """95 % intervals from the columns of 200 stored runs hold each planted component in 93 %."""
    truth = {("item",): 4.0, ("prompt",): 0.5, ("item", "prompt"): 0.8}
    held: Counter[tuple[str, ...]] = Counter()
    plan = grid_plan(30, 8)
    for seed in range(200):
        path.unlink(missing_ok=True)
        effects = Effects(seed=seed)
        run(plan, path, scorers=always(PlantedScorer(plan, effects)))
        found = columns(path)
        grid = [part.reshape(30, 8) for part in (found.mean, found.variance, found.error)]
        table = variance_components(Cells(*grid, found.draws.reshape(30, 8)))
        assert table.raw("draw") == pytest.approx(effects.draw)
        for component in table.components:
            if component.effect in truth:
                estimate = component.estimate
                held[component.effect] += estimate.low <= truth[component.effect] <= estimate.high
    assert held.keys() == truth.keys()
    assert min(held.values()) >= 0.93 * 200, held
