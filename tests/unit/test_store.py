"""The store: what goes in comes out, nothing half, and damage is noticed."""

from __future__ import annotations

import contextlib
import math
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from constrained.consistency.records import Address, CellRecord, Draw
from constrained.consistency.statistics import exact_cells, reasoned_cells, sampled_cells
from constrained.consistency.store import KINDS, Store, merge
from constrained.consistency.store.merging import difference
from constrained.consistency.store.schema import APPLICATION_ID, MIGRATIONS, TABLES_1, VERSION
from constrained.errors import RecordError

SCALE = tuple(float(score) for score in range(4))
names = st.text(st.characters(codec="utf-8"), max_size=6)
FIXTURE = [HealthCheck.function_scoped_fixture]
finite = st.floats(-1e6, 1e6)


@st.composite
def distributions(draw, size: int) -> tuple[float, ...]:
    weights = draw(st.lists(st.floats(0.01, 1), min_size=size, max_size=size))
    return tuple(w / sum(weights) for w in weights)


@st.composite
def records(draw, pairs: bool = False) -> CellRecord:
    one = st.tuples(finite, finite) if pairs else finite
    support = tuple(sorted(draw(st.sets(one, max_size=3))))
    given_text = st.none() | distributions(len(support)) if support else st.none()
    draws = draw(
        st.lists(
            st.builds(
                Draw,
                index=st.integers(0, 1000),
                score=st.none() | one,
                text=names,
                seed=st.none() | st.integers(0, 2**64 - 1),
                probabilities=given_text,
                failure=names,
            ),
            max_size=3,
            unique_by=lambda drawn: drawn.index,
        )
    )
    return CellRecord(
        key=draw(st.text("0123456789abcdef", min_size=1, max_size=64)),
        address=draw(st.builds(Address, names, names, names, names, st.floats(0, 2), names)),
        kind=draw(st.sampled_from(KINDS)),
        support=support,
        local=draw(given_text),
        free=draw(given_text),
        removed_mass=draw(st.none() | st.floats(0, 1)),
        numerics_floor=draw(st.none() | st.floats(0, 1)),
        draws=tuple(sorted(draws, key=lambda drawn: drawn.index)),
        prompt_text=draw(names),
        prompt_tokens=draw(st.integers(0, 10**9)),
        seconds=draw(st.floats(0, 1e6)),
        notes=tuple(draw(st.lists(names, max_size=2))),
    )


def grid(items: int = 3, prompts: int = 2, *, seed: int = 0) -> list[CellRecord]:
    rng = np.random.default_rng(seed)
    return [
        CellRecord(
            key=f"{i}/{p}",
            address=Address(f"item-{i}", f"prompt-{p}"),
            kind="exact",
            support=SCALE,
            local=tuple(rng.dirichlet(np.ones(len(SCALE)))),
            removed_mass=0.25,
            prompt_text=f"Grade text {i} as {p}.",
            prompt_tokens=7,
            seconds=0.5,
        )
        for i in range(items)
        for p in range(prompts)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


# --- what goes in comes out


@settings(max_examples=60, deadline=None, suppress_health_check=FIXTURE)
@given(stored=st.lists(records(), max_size=6, unique_by=lambda record: record.key))
def test_records_come_back_as_they_were(tmp_path: Path, stored: list[CellRecord]):
    path = tmp_path / "any.db"
    path.unlink(missing_ok=True)
    with Store(path) as store:
        assert store.put(stored) == len(stored)
    with Store(path, create=False) as store:
        assert list(store.records()) == stored
        assert store.keys() == {record.key for record in stored}
        assert all(store.get(record.key) == record for record in stored)


@settings(max_examples=20, deadline=None, suppress_health_check=FIXTURE)
@given(record=records(pairs=True))
def test_pairs_of_scores_come_back_as_they_were(tmp_path: Path, record: CellRecord):
    path = tmp_path / "any.db"
    path.unlink(missing_ok=True)
    with Store(path) as store:
        store.put([record])
        assert store.get(record.key) == record


def test_putting_a_key_again_changes_nothing(path: Path):
    first, *_ = cells = grid()
    with Store(path) as store:
        assert store.put(cells) == 6
        assert store.put(cells) == 0
        assert store.get(first.key) == first
        assert len(store) == 6


def test_more_records_than_a_page_come_back_in_order(path: Path):
    cells = grid(40, 30)
    with Store(path) as store:
        store.put(cells)
        assert list(store.records()) == cells


def test_an_unknown_key_is_none(path: Path):
    with Store(path) as store:
        assert store.get("nothing") is None


def test_records_of_some_levels(path: Path):
    cells = grid()
    with Store(path) as store:
        store.put(cells)
        found = store.records({"item": ["item-0", "item-2"], "prompt": "prompt-1"})
        assert [record.key for record in found] == ["0/1", "2/1"]
        assert list(store.records({"temperature": 0.5})) == []
        with pytest.raises(RecordError, match="a cell has no facet 'essay'; its facets are item"):
            list(store.records({"essay": "item-0"}))


def test_a_batch_with_a_bad_record_stores_nothing(path: Path):
    good, bad = grid(1, 2)
    bad = CellRecord("bad", bad.address, "exact", SCALE, (0.5, 0.4, 0.0, 0.0))
    with Store(path) as store:
        with pytest.raises(RecordError, match=r"cell bad .*local are not a distribution \(sum 0.9"):
            store.put([good, bad])
        assert len(store) == 0


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (CellRecord("", Address("i", "p"), "exact"), "it has no key"),
        (CellRecord("k", Address("i", "p"), "guess"), "there is no kind 'guess'"),  # type: ignore[arg-type]
        (CellRecord("k", Address("i", "p"), "exact", (1.0, math.nan)), "not a finite number"),
        (
            CellRecord("k", Address("i", "p"), "sampled", (1.0,), draws=(Draw(0, (1.0, 2.0)),)),
            "it mixes single scores and pairs of scores",
        ),
        (
            CellRecord("k", Address("i", "p"), "sampled", draws=(Draw(0, 1.0), Draw(0, 2.0))),
            "two of its draws have the same index",
        ),
        (
            CellRecord("k", Address("i", "p"), "exact", (1.0, 2.0), (1.0,)),
            "local has 1 probabilities for 2 scores",
        ),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(path: Path, record: CellRecord, problem: str):
    with Store(path) as store, pytest.raises(RecordError, match=problem):
        store.put([record])


def test_the_plan_is_kept_and_another_one_is_refused_by_name(path: Path):
    with Store(path) as store:
        assert store.plan_text() is None
        assert store.plan() is None
        assert store.environment() == {}
        run = store.begin_text("essays", "d" * 40, "{}", {"device": "cpu"})
        assert run == store.begin_text("essays", "d" * 40, "{}", {"device": "cuda"})
        store.begin_text("essays", "d" * 40, "{}", {"device": "cpu"})
        assert store.environments() == [{"device": "cpu"}, {"device": "cuda"}]
        assert store.environment() == {"device": "cuda"}
        store.begin_text("renamed", "d" * 40, '{"pass_mark": 7}', {})
        assert store.plan_text() == ("renamed", "d" * 40, '{"pass_mark": 7}')
        store.begin_text("essays", "d" * 40, "{}", {})
        with pytest.raises(RecordError) as caught:
            store.begin_text("letters", "e" * 40, "{}", {})
    assert str(caught.value) == (
        f"{path}: the store holds the plan 'essays' (dddddddddddd), not 'letters' (eeeeeeeeeeee); "
        "name another file (cells that both have can be taken over from this one)"
    )


def test_the_environment_knows_every_variant_whichever_run_scored_it(path: Path):
    with Store(path) as store:
        for variants in ({"a": {"dtype": "float32"}}, {"b": {"dtype": "bfloat16"}}):
            store.begin_text("essays", "d", "{}", {"python": "3", "variants": variants})
        assert store.environment() == {
            "python": "3",
            "variants": {"a": {"dtype": "float32"}, "b": {"dtype": "bfloat16"}},
        }


def test_a_closed_store_and_another_threads_store_say_so(path: Path):
    store = Store(path)
    caught: list[Exception] = []

    def use() -> None:
        try:
            store.keys()
        except RecordError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    store.close()
    store.close()
    use()
    assert [str(error) for error in caught] == [
        f"{path}: the store is closed, or belongs to another thread; open one of your own"
    ] * 2


def test_a_transaction_that_fails_leaves_nothing(path: Path):
    first, second = grid(1, 2)
    with Store(path) as store:
        with contextlib.suppress(ZeroDivisionError), store.transaction():
            store.put([first])
            assert store.get(first.key) == first
            raise ZeroDivisionError
        assert store.get(first.key) is None
        store.put([second])  # numbers of names that were undone are given again
        assert list(store.records()) == [second]


# --- columns


def test_columns_of_exact_cells_are_those_of_the_statistics(path: Path):
    cells = grid(5, 3)
    with Store(path) as store:
        store.put(reversed(cells))
        columns = store.columns()
    p = np.array([record.local for record in cells]).reshape(5, 3, len(SCALE))
    expected = exact_cells(p, SCALE)
    assert columns.support.tolist() == list(SCALE)
    np.testing.assert_array_equal(columns.local, p.reshape(15, -1))
    np.testing.assert_allclose(columns.mean, expected.mean.ravel(), rtol=1e-12)
    np.testing.assert_allclose(columns.variance, expected.variance.ravel(), atol=1e-12)
    assert columns.error.tolist() == [0.0] * 15
    assert np.isinf(columns.draws).all()
    assert columns.names["item"] == tuple(f"item-{i}" for i in range(5))
    assert columns.codes["item"].tolist() == sorted([0, 1, 2, 3, 4] * 3)
    assert columns.codes["prompt"].tolist() == [0, 1, 2] * 5
    assert columns.removed_mass.tolist() == [0.25] * 15
    assert np.isnan(columns.numerics_floor).all()
    assert repr(columns) == (
        "Columns(15 cells: 5 item x 3 prompt x 1 format x 1 variant x 1 temperature x 1 order)"
    )


@pytest.mark.parametrize("reasoned", [False, True])
def test_columns_of_draws_are_those_of_the_statistics(path: Path, reasoned: bool):
    rng = np.random.default_rng(3)
    cells, means, variances = [], [], []
    for i in range(6):
        p = rng.dirichlet(np.ones(len(SCALE)), size=i + 1)
        scores = rng.integers(0, len(SCALE), size=i + 1).astype(float)
        draws = [
            Draw(j, scores[j], probabilities=tuple(p[j]) if reasoned else None)
            for j in range(i + 1)
        ]
        draws.append(Draw(i + 1, None, failure="no score"))
        kind = "reasoned" if reasoned else "sampled"
        cells.append(
            CellRecord(str(i), Address(str(i), "p"), kind, SCALE, None, None, draws=tuple(draws))
        )
        inside = p @ np.array(SCALE) if reasoned else scores
        spread = p @ np.array(SCALE) ** 2 - inside**2 if reasoned else np.zeros(i + 1)
        means.append(np.pad(inside, (0, 5 - i), constant_values=np.nan))
        variances.append(np.pad(spread, (0, 5 - i), constant_values=np.nan))
    with Store(path) as store:
        store.put(cells)
        columns = store.columns()
    expected = reasoned_cells(means, variances) if reasoned else sampled_cells(means)
    np.testing.assert_allclose(columns.mean, expected.mean, atol=1e-12)
    np.testing.assert_allclose(columns.variance, expected.variance, atol=1e-12)
    np.testing.assert_allclose(columns.error, expected.error, atol=1e-12)
    np.testing.assert_array_equal(columns.draws, expected.draws)
    assert columns.failures.tolist() == [1] * 6
    assert np.bincount(columns.draw_cell).tolist() == [i + 2 for i in range(6)]
    assert np.isnan(columns.draw_score).sum() == 6


def test_the_likeliest_score_alone_has_no_spread(path: Path):
    with Store(path) as store:
        store.put([CellRecord("k", Address("i", "p"), "mode", SCALE, draws=(Draw(0, 2.0, "2"),))])
        columns = store.columns()
    assert (columns.mean, columns.variance, columns.error) == ([2.0], [0.0], [0.0])
    assert np.isinf(columns.draws).all()


def test_formats_with_other_scores_share_one_support(path: Path):
    with Store(path) as store:
        store.put(
            [
                CellRecord("a", Address("i", "a"), "exact", (0.0, 1.0), (0.25, 0.75)),
                CellRecord("b", Address("i", "b"), "exact", (1.0, 3.0), (0.5, 0.5), (1.0, 0.0)),
                CellRecord("c", Address("i", "c"), "sampled", draws=(Draw(0, 9.0),)),
            ]
        )
        columns = store.columns()
    assert columns.support.tolist() == [0.0, 1.0, 3.0]
    assert columns.local[:2].tolist() == [[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]]
    assert np.isnan(columns.local[2]).all()
    assert columns.free[1].tolist() == [0.0, 1.0, 0.0]
    assert columns.mean.tolist() == [0.75, 2.0, 9.0]
    assert columns.draws.tolist() == [math.inf, math.inf, 1.0]


def test_pairs_of_scores_have_two_means(path: Path):
    support = ((1.0, 2.0), (2.0, 1.0))
    with Store(path) as store:
        store.put([CellRecord("a", Address("i", "p", order="ab"), "exact", support, (0.25, 0.75))])
        columns = store.columns()
    assert columns.support.tolist() == [[1.0, 2.0], [2.0, 1.0]]
    assert columns.mean.tolist() == [[1.75, 1.25]]
    np.testing.assert_allclose(columns.variance, [[0.1875, 0.1875]])
    assert columns.names["order"] == ("ab",)


def test_columns_do_not_depend_on_the_order_of_writing(path: Path, tmp_path: Path):
    cells = grid(4, 3)
    with Store(path) as one, Store(tmp_path / "other.db") as other:
        one.put(cells)
        for record in reversed(cells):
            other.put([record])
        assert_same_columns(one.columns(), other.columns())


def test_an_empty_store_has_empty_columns(path: Path):
    with Store(path) as store:
        columns = store.columns()
    assert len(columns) == 0
    assert columns.mean.shape == (0,)


def assert_same_columns(one, other) -> None:
    """Equal in everything but the times."""
    assert one.names == other.names
    for facet in one.names:
        np.testing.assert_array_equal(one.codes[facet], other.codes[facet])
    for name in one.__slots__:
        if name not in ("names", "codes", "seconds"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


# --- files


def test_a_missing_file_is_not_made_by_reading(path: Path):
    with pytest.raises(RecordError) as caught:
        Store(path, create=False)
    assert str(caught.value) == f"{path}: there is no such store; check the path, or run a plan"
    assert not path.exists()


def test_files_that_are_no_stores_are_refused(tmp_path: Path):
    text = tmp_path / "notes.txt"
    text.write_text("Dear diary, today I graded essays.")
    with pytest.raises(RecordError, match=r"notes.txt: this is no store \(not an SQLite file\)"):
        Store(text)
    short = tmp_path / "short"
    short.write_bytes(b"SQL")
    with pytest.raises(RecordError, match="not an SQLite file"):
        Store(short)
    foreign = tmp_path / "browser.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE history (url TEXT)")
    connection.close()
    before = foreign.read_bytes()
    with pytest.raises(RecordError, match="an SQLite file, but no store"):
        Store(foreign)
    assert foreign.read_bytes()[100:] == before[100:]  # its content is untouched
    with pytest.raises(RecordError, match="this is a folder, not a store"):
        Store(tmp_path)
    with pytest.raises(RecordError, match=r"there is no folder .*nowhere; make it first"):
        Store(tmp_path / "nowhere" / "run.db")


def test_a_store_in_a_read_only_place_can_be_read(path: Path, monkeypatch: pytest.MonkeyPatch):
    with Store(path) as store:
        store.put(grid())
    live = path.with_name("live.db")
    writer = Store(live)
    writer.put(grid())
    monkeypatch.setattr("os.access", lambda *_: False)
    with Store(path, create=False) as store:
        assert list(store.records()) == grid()
        assert len(store.columns()) == 6
        with pytest.raises(RecordError, match="attempt to write a readonly database"):
            store.put(grid(9, 9))
    with pytest.raises(RecordError, match=r"the last records are still in live.db-wal"):
        Store(live, create=False)
    writer.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(RecordError, match="copy it to a folder that can be written"):
        Store(path, create=False)


def test_a_newer_version_is_refused(path: Path):
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(RecordError) as caught:
        Store(path)
    assert str(caught.value) == (
        f"{path}: the store has version {VERSION + 1}, and this library reads versions 1 to "
        f"{VERSION}; use a newer constrained-lm"
    )


def test_a_file_that_a_killed_process_had_only_just_made_is_a_new_store(path: Path):
    path.touch()
    with pytest.raises(RecordError, match="the store is empty; run a plan into it"):
        Store(path, create=False)
    with Store(path) as store:
        assert store.put(grid()) == 6


def test_a_store_of_version_1_is_brought_up_to_date(path: Path):
    """The file as version 1 wrote it, statement by statement."""
    with Store(path.with_name("now.db")) as store:
        store.put(grid())
        store.begin_text("essays", "d" * 40, "{}", {"device": "cpu"})
    now = sqlite3.connect(path.with_name("now.db"))
    old = sqlite3.connect(path)
    for statement in TABLES_1:
        old.execute(statement)
    for table in ("levels", "supports", "texts", "cells"):
        rows = now.execute(f"SELECT * FROM {table}").fetchall()
        if table == "cells":  # the two last columns came with version 3
            rows = [row[:-2] for row in rows]
        marks = ", ".join("?" * len(rows[0]))
        old.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    name, digest, plan, crc = now.execute("SELECT name, digest, plan, crc FROM run").fetchone()
    old.execute(
        "INSERT INTO run (id, name, digest, plan, environment, crc) VALUES (1, ?, ?, ?, ?, ?)",
        (name, digest, plan, '{"device": "old"}', crc),
    )
    old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    now.close()
    with Store(path, create=False) as store:
        assert list(store.records()) == grid()
        assert store.environments() == [{"device": "old"}]
        assert store.begin_text("essays", "d" * 40, "{}", {"device": "new"}) == "d" * 40
        assert store.environment() == {"device": "new"}
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


def test_every_older_version_has_a_step():
    assert sorted(MIGRATIONS) == list(range(1, VERSION))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_an_error(path: Path, share: float):
    with Store(path) as store:
        store.put(grid(40, 10))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(RecordError, match=r"run\.db"):
        read_all(path)


def read_all(path: Path) -> tuple:
    with Store(path, create=False) as store:
        said = store.plan_text(), store.environments()
        return store.columns(), list(store.records()), said


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "run.db"
    drawn = CellRecord(
        "drawn",
        Address("item-0", "prompt-9"),
        "reasoned",
        SCALE,
        draws=(Draw(0, 1.0, "so so", 5, (0.25, 0.25, 0.25, 0.25)), Draw(1, None, "", 6, None, "!")),
    )
    with Store(path) as store:
        store.begin_text("essays", "d" * 40, '{"items": 3}', {"device": "cpu"})
        store.put([*grid(6, 4), drawn])
    return path


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_changed_bytes_never_change_a_report(whole: Path, data: st.DataObject):
    """Any byte of the file: what is read is what was written, or `RecordError`."""
    columns, *rest = read_all(whole)
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
    changed = whole.with_name("changed.db")
    for name in ("changed.db", "changed.db-wal", "changed.db-shm"):
        whole.with_name(name).unlink(missing_ok=True)
    changed.write_bytes(content)
    with contextlib.suppress(RecordError):
        seen, *found = read_all(changed)
        assert_same_columns(seen, columns)
        assert found == rest


# --- several processes

WRITER = """
import sys
from constrained.consistency.records import Address, CellRecord
from constrained.consistency.store import Store

path, name, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with Store(path) as store:
    for i in range(first, last, 5):
        store.put(
            CellRecord(str(j), Address(f"item-{j}", "p"), "exact", (0.0, 1.0), (0.5, 0.5))
            for j in range(i, i + 5)
        )
"""


def test_several_processes_write_one_store(path: Path):
    """Four writers of overlapping cells, which also race to make the file."""
    ranges = [(0, 300), (150, 450), (300, 600), (0, 600)]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(n), str(first), str(last)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for n, (first, last) in enumerate(ranges)
    ]
    for writer in writers:
        assert writer.communicate(timeout=120)[1] == ""
        assert writer.returncode == 0
    with Store(path, create=False) as store:
        assert store.keys() == {str(i) for i in range(600)}
        assert len(list(store.records())) == len(store.columns()) == 600


def test_columns_are_one_moment_while_another_process_writes(path: Path):
    with Store(path) as store:
        store.put(grid(1, 1))
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), "w", "0", "1000"])
        while writer.poll() is None:
            columns = store.columns()
            assert len(columns) % 5 == 1
            assert not np.isnan(columns.mean).any()
        assert writer.returncode == 0
        assert len(store.columns()) == 1001


# --- merging


def test_merged_shards_are_the_whole(tmp_path: Path, path: Path):
    cells = grid(6, 5)
    with Store(path) as store:
        store.begin_text("essays", "d" * 40, "{}", {"host": "one"})
        store.put(cells)
        expected = store.columns()
    shards = [tmp_path / f"{i}.db" for i in range(3)]
    for i, shard in enumerate(shards):
        with Store(shard) as store:
            store.begin_text("essays", "d" * 40, "{}", {"host": f"shard-{i}"})
            store.put(cells[i::3] + cells[:2])
    merged = tmp_path / "merged.db"
    assert merge(merged, shards) == 30
    assert merge(merged, shards) == 0
    with Store(merged, create=False) as store:
        assert_same_columns(store.columns(), expected)
        assert [e["host"] for e in store.environments()] == ["shard-0", "shard-1", "shard-2"]
        assert store.plan_text() == ("essays", "d" * 40, "{}")


@settings(max_examples=15, deadline=None, suppress_health_check=FIXTURE)
@given(parts=st.lists(st.sets(st.integers(0, 11)), min_size=1, max_size=4))
def test_any_parts_merge_into_their_union_in_any_order(tmp_path: Path, parts: list[set[int]]):
    cells = grid(4, 3)
    for file in tmp_path.glob("*.db*"):
        file.unlink()
    for i, part in enumerate(parts):
        with Store(tmp_path / f"{i}.db") as store:
            store.put(cells[place] for place in sorted(part))
    sources = [tmp_path / f"{i}.db" for i in range(len(parts))]
    union = set().union(*parts)
    for name, order in (("forth.db", sources), ("back.db", sources[::-1])):
        assert merge(tmp_path / name, order) == len(union)
    with Store(tmp_path / "forth.db") as forth, Store(tmp_path / "back.db") as back:
        assert {record.key for record in forth.records()} == {cells[i].key for i in union}
        assert_same_columns(forth.columns(), back.columns())


def test_stores_of_different_plans_are_not_merged(tmp_path: Path, path: Path):
    for name, plan in (("a.db", "essays"), ("b.db", "letters")):
        with Store(tmp_path / name) as store:
            store.begin_text(plan, plan[0] * 40, "{}", {})
            store.put(grid())
    with pytest.raises(RecordError) as caught:
        merge(path, [tmp_path / "a.db", tmp_path / "b.db"])
    assert str(caught.value) == (
        f"{tmp_path / 'b.db'}: its plan 'letters' (llllllllllll) is not the plan 'essays' "
        f"(eeeeeeeeeeee) of {tmp_path / 'a.db'}; only shards of one plan can be merged"
    )
    assert not path.exists()


def test_a_cell_that_differs_stops_the_merge_and_nothing_is_written(tmp_path: Path, path: Path):
    cells = grid()
    changed = CellRecord("2/1", cells[-1].address, "exact", SCALE, (1.0, 0.0, 0.0, 0.0))
    with Store(tmp_path / "a.db") as a, Store(tmp_path / "b.db") as b:
        a.put(cells)
        b.put([*grid(9, 1)[6:], changed])
    with pytest.raises(RecordError) as caught:
        merge(path, [tmp_path / "a.db", tmp_path / "b.db"])
    assert "the cell 2/1 (Address(item='item-2', prompt='prompt-1'" in str(caught.value)
    assert f"between {path} and {tmp_path / 'b.db'}" in str(caught.value)
    with Store(path) as store:
        assert len(store) == 0


def test_a_damaged_source_leaves_the_target_as_it_was(tmp_path: Path, path: Path):
    with Store(tmp_path / "a.db") as a, Store(tmp_path / "b.db") as b:
        a.put(grid(2, 2))
        b.put(grid(9, 2))
    connection = sqlite3.connect(tmp_path / "b.db")
    connection.execute("UPDATE cells SET removed_mass = 0.5 WHERE key = '7/1'")
    connection.commit()
    connection.close()
    with pytest.raises(RecordError, match=r"b.db: the store is damaged \(cell 7/1\)"):
        merge(path, [tmp_path / "a.db", tmp_path / "b.db"])
    with Store(path) as store:
        assert len(store) == 0


def test_records_of_one_key_agree_but_for_time_and_arithmetic():
    one = grid(1, 1)[0]
    assert difference(one, CellRecord(**{**fields(one), "seconds": 9.0, "notes": ("slow",)})) == ""
    near = tuple(p + d for p, d in zip(one.local or (), (1e-4, -1e-4, 0, 0), strict=True))
    assert difference(one, CellRecord(**{**fields(one), "local": near})) == "distribution (local)"
    loose = CellRecord(**{**fields(one), "local": near, "numerics_floor": 1e-3})
    assert difference(one, loose) == ""
    other = CellRecord(**{**fields(one), "draws": (Draw(0, 1.0),)})
    assert difference(one, other) == "number of draws"
    assert difference(other, CellRecord(**{**fields(one), "draws": (Draw(0, 2.0),)})) == "draw 0"
    assert difference(one, CellRecord(**{**fields(one), "removed_mass": 0.3})) == "removed mass"
    assert difference(one, CellRecord(**{**fields(one), "kind": "mode"})) == "kind"


def fields(record: CellRecord) -> dict:
    return {name: getattr(record, name) for name in CellRecord.__slots__}


def test_a_copy_of_a_store_is_a_store(path: Path, tmp_path: Path):
    with Store(path) as store:
        store.put(grid())
    shutil.copy(path, tmp_path / "copy.db")
    with Store(tmp_path / "copy.db", create=False) as store:
        assert list(store.records()) == grid()
