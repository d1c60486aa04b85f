"""``constrained consistency run``, ``report``, ``merge`` and ``init`` on a tiny random model."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from rich.console import Console

from constrained import Generator
from constrained.cli import run, screen
from constrained.cli.consistency import app, progress
from constrained.consistency.analysis import GATES, analyse
from constrained.consistency.plan import read_plan
from constrained.consistency.records import CellRecord
from constrained.consistency.report import from_json
from constrained.consistency.run import LocalExecutor, RunProgress
from constrained.consistency.store import Store
from constrained.errors import RecordError
from constrained.models import load_model
from tests import tiny
from tests.scripted import without_times

ROOT = Path(__file__).parents[2]
COMMANDS = ["init", "run", "report", "compare", "gate", "import", "merge"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """A random LLaMA with a byte-level tokenizer."""
    path = tmp_path_factory.mktemp("model")
    tokenizer = tiny.byte_level()
    tokenizer.save_pretrained(path)
    tiny.model("llama", len(tokenizer)).save_pretrained(path)
    return str(path)


@pytest.fixture
def command(capsys):
    """Run a command of ``constrained consistency``; gives (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["consistency", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def plan(tmp_path: Path, model: str) -> Path:
    """3 essays x 2 prompts on the tiny model."""
    return write_plan(tmp_path / "essays.yaml", model)


def write_plan(path: Path, model: str, **changes: Any) -> Path:
    said = {
        "spec": "Score: {score:0..10}",
        "items": [{"id": f"e{i}", "text": f"essay {i}", "gold": 2 * i} for i in range(3)],
        "prompts": {"plain": "Grade: {text}\n", "strict": "Be strict: {text}\n"},
        "variants": {"tiny": model},
        "pass_mark": 5,
        "scale": "0..10",
    }
    path.write_text(yaml.safe_dump({**said, **changes}))
    return path


def contents(path: Path) -> dict[str, CellRecord]:
    with Store(path, create=False) as store:
        return without_times(store.records())


def typed(line: str) -> list[str]:
    """The arguments of a command line that was shown."""
    words = shlex.split(line)
    assert words[:2] == ["constrained", "consistency"]
    return words[2:]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_examples_and_exit_codes(command, name):
    code, out, _ = command(name, "--help")
    assert code == 0
    assert "Examples" in out
    assert "Exit codes: 0 " in " ".join(out.split())
    assert f"constrained consistency {name} " in out or name == "init"
    assert max(map(len, out.splitlines())) <= 80


def test_a_run_scores_every_cell_as_the_library_does(command, plan, model):
    code, out, err = command("run", plan)
    store = plan.with_suffix(".db")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"6 cells: 6 scored in [0-9.]+ s, 0 stored before", lines[0])
    assert lines[1] == f"Store:  {store}"
    assert lines[2] == f"Next:   constrained consistency report {store}"
    generator = Generator(*load_model(model, device="cpu"))
    with Store(store) as opened:
        record = next(opened.records({"item": "e1", "prompt": "strict"}))
    found = generator.distribution("Be strict: essay 1\n", read_plan(plan).spec_of())
    expected = [p for _, p in sorted((v["score"], p) for v, p in zip_values(found))]
    np.testing.assert_allclose(record.local, expected, atol=1e-5)
    code, out, err = command(*typed(lines[2].removeprefix("Next:   ")))
    assert (code, err) == (0, "")
    assert "A teacher in another room would move a typical item by" in out
    assert f"repeat:constrainedconsistencyrun{plan}" in "".join(out.split())  # lines wrap


def zip_values(found: Any) -> list[tuple[Any, float]]:
    return [(o.value, found.by_text[o.text]) for o in found.outcomes]


def test_a_second_run_scores_nothing(command, plan):
    command("run", plan)
    before = contents(plan.with_suffix(".db"))
    code, out, _ = command("run", plan)
    assert (code, out.splitlines()[0]) == (0, "6 cells: 0 scored, 6 stored before")
    assert contents(plan.with_suffix(".db")) == before


def test_a_run_in_json(command, plan, tmp_path):
    code, out, _ = command("run", plan, "--json", "--store", tmp_path / "runs")
    found = json.loads(out)
    assert code == 0
    assert {k: found[k] for k in ("cells", "cached", "scored", "failed")} == {
        "cells": 6,
        "cached": 0,
        "scored": 6,
        "failed": 0,
    }
    assert found["store"] == str(tmp_path / "runs" / "essays.db")
    assert typed(found["command"]) == ["run", str(plan), "--store", str(tmp_path / "runs")]
    assert typed(found["next"]) == ["report", found["store"]]
    assert command("report", tmp_path / "runs")[0] == 0


def test_shards_merge_into_the_run_in_one_piece(command, plan):
    command("run", plan)
    parts = []
    for part in (1, 2):
        code, out, _ = command("run", plan, "--shard", f"{part}/2")
        parts.append(plan.with_name(f"essays.{part}-of-2.db"))
        assert code == 0
        assert f"Store:  {parts[-1]}\n" in out
        merging = f"constrained consistency merge {plan.with_suffix('.db')} "
        assert f"When all parts are done: {merging}{plan.with_name('essays.*-of-*.db')}" in out
    whole = plan.with_name("merged.db")
    code, out, err = command("merge", whole, parts[0])
    assert (code, err) == (0, "")
    assert re.match(r"\d new cells, \d now; \d of the plan are not there yet\n", out)
    code, out, _ = command("merge", whole, *parts, "--json")
    found = json.loads(out)
    assert (code, found["cells"], found["left"]) == (0, 6, 0)
    assert contents(whole) == contents(plan.with_suffix(".db"))


def test_a_try_with_the_first_items_is_taken_over_by_the_whole_run(command, plan):
    code, out, _ = command("run", plan, "--limit", "2x1")
    store = plan.with_name("essays.first-2x1.db")
    assert (code, out.split(":")[0]) == (0, "2 cells")
    assert {(r.address.item, r.address.prompt) for r in contents(store).values()} == {
        ("e0", "plain"),
        ("e1", "plain"),
    }
    code, out, _ = command("run", plan, "--reuse", store)
    assert re.match(r"6 cells: 4 scored in [0-9.]+ s, 2 stored before\n", out)


def test_a_try_drops_what_the_grid_says_of_others(command, tmp_path, model):
    plan = write_plan(tmp_path / "p.yaml", model, grid={"exclude": [{"prompt": "strict"}]})
    assert command("run", plan, "--limit", "3x1")[1].startswith("3 cells: 3 scored")
    plan = write_plan(tmp_path / "q.yaml", model, grid={"include": [{"prompt": "strict"}]})
    code, _, err = command("run", plan, "--limit", "3x1")
    assert (code, err) == (
        2,
        "error: at --limit: the plan has no cell among its first 3 items and 1 prompts (allow more "
        "of them)\n",
    )


def test_a_dry_run_tells_the_cost_and_stores_nothing(command, plan):
    code, out, err = command("run", plan, "--dry-run")
    assert (code, err) == (0, "")
    assert out.startswith("essays: 3 items x 2 prompts x 1 format x 1 variant x 1 temperature, ")
    assert "6 cells, 6 prompts to read" in out
    assert f"0 of the cells are stored already in {plan.with_suffix('.db')}" in out
    assert out.endswith("The first prompt:\n\nGrade: essay 0\n\n")
    assert not plan.with_suffix(".db").exists()
    command("run", plan)
    found = json.loads(command("run", plan, "--dry-run", "--json")[1])
    assert (found["cells"], found["stored"], found["minutes"]) == (6, 6, None)
    part = json.loads(command("run", plan, "--dry-run", "--json", "--shard", "1/2")[1])
    other = json.loads(command("run", plan, "--dry-run", "--json", "--shard", "2/2")[1])
    assert part["cells"] + other["cells"] == 6


def test_a_measured_dry_run_counts_tokens_and_minutes(command, plan):
    found = json.loads(command("run", plan, "--dry-run", "--measure", "--json")[1])
    tokenizer = tiny.byte_level()
    prompts = [cell.render() for cell in read_plan(plan).cells()]
    assert found["prompt_tokens"] == sum(len(tokenizer(p)["input_ids"]) for p in prompts)
    assert 0 < found["minutes"] < 1
    out = command("run", plan, "--dry-run", "--measure")[1]
    assert re.search(r"^about \d+ seconds? on one device$", out, flags=re.MULTILINE)


def test_when_every_cell_fails_the_run_fails(command, tmp_path, model):
    prompts = {"plain": "### Human: {text}"}  # a text that is in the format already
    plan = write_plan(tmp_path / "p.yaml", model, prompts=prompts, formats=["guanaco"])
    code, out, err = command("run", plan)
    assert code == 1
    assert out.startswith("3 cells: 3 scored, 3 of them failed in ")
    assert err == "note: failed cells are stored with the reason, which the report counts\n"


def test_a_model_that_was_trained_again_needs_another_store(command, tmp_path, model):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in Path(model).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    plan = write_plan(tmp_path / "p.yaml", str(folder))
    assert command("run", plan)[0] == 0
    tiny.model("llama", len(tiny.byte_level()), seed=1).save_pretrained(folder)
    store = plan.with_suffix(".db")
    code, _, err = command("run", plan)
    assert code == 2
    assert f"error: {store}: 6 of the cells to score are stored already" in err
    assert f"but {folder} changed since, so they would get other values now" in err
    out = command("run", plan, "--store", tmp_path / "new.db", "--reuse", store)[1]
    assert re.match(r"6 cells: 6 scored in [0-9.]+ s, 0 stored before\n", out)


BAD_RUNS = [
    (
        ["--shard", "4"],
        "at --shard: '4' is not two whole numbers from 1 on (write part/parts, for example 1/4)",
    ),
    (["--shard", "5/4"], "there is no shard 5 of 4 (write 1/4 to 4/4)"),
    (
        ["--limit", "0x2"],
        "at --limit: '0x2' is not two whole numbers from 1 on (write items x prompts, for example "
        "5x2)",
    ),
    (["--executor", "slurm"], "there is no executor 'slurm' (write local or ray)"),
    (["--measure"], "--measure goes with --dry-run (add --dry-run)"),
    (
        ["--reuse", "no.db"],
        "no.db: there is no such store; check the path, or run a plan",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_RUNS)
def test_bad_options_of_a_run_end_with_code_2(command, plan, arguments, message):
    assert command("run", plan, *arguments) == (2, "", f"error: {message}\n")


@pytest.mark.parametrize("option", ["--html", "--json", "--markdown"])
def test_a_report_never_takes_the_place_of_a_store_or_a_plan(command, plan, option):
    command("run", plan)
    store = plan.with_suffix(".db")
    for path, what in ((store, "store"), (plan, "plan")):
        before = path.read_bytes()
        message = f"error: at {path}: a report here would take the place of a {what}"
        assert command("report", store, option, path) == (2, "", f"{message} (name another file)\n")
        assert path.read_bytes() == before


def test_a_store_is_not_named_like_a_plan_and_its_folder_can_be_made(command, plan, tmp_path):
    for name in ("x.yaml", "x.yml", "x.json"):
        place = tmp_path / name
        message = f"error: at {place}: this is no name of a store (name it x.db)\n"
        assert command("run", plan, "--store", place) == (2, "", message)
        assert not place.exists()
    (tmp_path / "file").write_text("")
    for arguments in (["run", plan, "--store"], ["merge"]):
        place = tmp_path / "file" / "x.db"
        sources = [plan] if arguments == ["merge"] else []
        code, out, err = command(*arguments, place, *sources)
        assert (code, out) == (2, "")
        assert err == f"error: {place}: its folder cannot be made (File exists)\n"


def test_a_pass_mark_that_no_score_reaches_is_refused(command, plan):
    command("run", plan)
    store = plan.with_suffix(".db")
    for mark, which in ((11, "no"), (0, "every")):
        assert command("report", store, "--pass-mark", mark) == (
            2,
            "",
            f"error: at pass_mark: {which} score reaches the pass mark {mark} (the scores are "
            "0 to 10; leave it out for none)\n",
        )


def test_json_that_is_no_analysis_is_named(command, tmp_path):
    path = tmp_path / "other.json"
    path.write_text('{"a": 1}')
    assert command("report", path) == (
        2,
        "",
        f"error: {path}: this is no analysis that can be read here: its schema is None, not "
        "'constrained.consistency/analysis/1' (write the report again from its store)\n",
    )


def test_a_plan_that_is_not_there(command):
    message = "error: at no.yaml: cannot read the plan: No such file or directory\n"
    assert command("run", "no.yaml") == (2, "", message)
    assert command("report", "no.yaml") == (2, "", message)


def test_ctrl_c_says_what_is_stored_and_how_to_go_on(command, plan, monkeypatch):
    honest = LocalExecutor.score

    def stopped(self, tasks):
        yield from honest(self, tasks[:2])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(LocalExecutor, "score", stopped)
        code, out, err = command("run", plan, "--device", "cpu")
    store = plan.with_suffix(".db")
    assert (code, out) == (130, "")
    assert err == (
        f"stopped: 2 of 6 cells are stored in {store}\n"
        f"go on with: constrained consistency run {plan} --device cpu\n"
    )
    assert len(contents(store)) == 2
    note = f"note: 4 cells of the plan are not in {store} yet\n"
    assert command("report", store)[::2] == (0, note)
    code, out, _ = command(*typed(err.splitlines()[1].removeprefix("go on with: ")))
    assert (code, out[:19]) == (0, "6 cells: 4 scored i")


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command in a process of its own; what still runs after the test is killed."""
    code = "import sys; from constrained.cli import main; main()"
    with ExitStack() as started:

        def call(*arguments: object) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-c", code, "consistency", *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield call


def count(store: Path) -> int:
    """Cells in the store of another process, which may just be making it."""
    if not store.exists():
        return 0
    try:
        with Store(store, create=False, check=False) as opened:
            return len(opened)
    except RecordError:  # it is empty as yet
        return 0


@pytest.mark.slow
def test_a_real_ctrl_c_leaves_a_store_that_the_named_command_completes(tmp_path, model, start):
    items = [{"id": f"e{i}", "text": f"essay {i}"} for i in range(150)]
    scoring = {"kind": "sampled", "draws": 4}
    plan = write_plan(tmp_path / "p.yaml", model, items=items, scoring=scoring)
    store = plan.with_suffix(".db")
    process = start("run", plan)
    deadline = time.monotonic() + 600
    while count(store) < 5 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert (process.returncode, out) == (130, "")
    lines = err.splitlines()
    stored = count(store)
    assert 5 <= stored < 300
    assert lines[-2:] == [
        f"stopped: {stored} of 300 cells are stored in {store}",
        f"go on with: constrained consistency run {plan}",
    ]
    assert "Traceback" not in err
    process = start(*typed(lines[-1].removeprefix("go on with: ")))
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert out.startswith(f"300 cells: {300 - stored} scored in ")
    whole = tmp_path / "whole.db"
    process = start("run", plan, "--store", whole)
    process.communicate(timeout=600)
    assert contents(store) == contents(whole)


# --- the bar


def test_the_bar_shows_cells_failures_and_the_time_that_is_left(monkeypatch):
    page = StringIO()
    terminal = Console(file=page, force_terminal=True, width=100, color_system=None)
    monkeypatch.setattr(screen, "messages", lambda: terminal)
    with progress.watching() as watch:
        watch.doing("loading a-variant-with-a-name-that-is-far-too-long")
        watch.doing("tuned")
        watch(RunProgress(cells=1440, cached=1000, scored=40, failed=2, seconds=10.0))
    shown = page.getvalue()
    assert "tuned" in shown
    assert "1040/1440" in shown
    assert "1,000 stored before, 2 failed, 1.7 min left" in shown


def test_a_log_gets_a_line_a_minute(capsys, monkeypatch):
    clock = iter([0.0, 59.0, 61.0, 61.0, 100.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.watching() as watch:
        for scored in (1, 2, 3):
            watch.doing("tuned")
            watch(RunProgress(cells=10, cached=0, scored=scored, failed=0, seconds=30.0 * scored))
    assert capsys.readouterr().err == "2 of 10 cells, 4.0 min left\n"
    assert watch.last.scored == 3


# --- reports


@pytest.fixture
def store(command, plan) -> Path:
    command("run", plan)
    return plan.with_suffix(".db")


def test_a_report_goes_where_it_is_asked_to_go(command, store, tmp_path):
    files = [tmp_path / "new" / f"report.{kind}" for kind in ("html", "json", "md")]
    code, out, err = command(
        *("report", store, "--html", files[0], "--json", files[1], "--markdown", files[2])
    )
    assert (code, out) == (0, "")
    assert err == "".join(f"wrote {file}\n" for file in files)
    assert files[0].read_text().startswith("<!doctype html>")
    assert files[2].read_text().startswith("# essays\n")
    found, expected = from_json(files[1].read_text()), analyse(store)
    assert found.judges[0].summary == expected.judges[0].summary
    assert command("report", store, "--json", "-")[1].strip() == files[1].read_text()
    assert command("report", files[1])[1] == command("report", store)[1]


def test_settings_reach_the_analysis(command, store):
    out = command(
        *("report", store, "--json", "-", "--pass-mark", 0, "--scale", "-1..20", "--noun", "poem"),
        *("--where", "prompt=strict", "--level", 0.8, "--replicates", 50, "--title", "Mine"),
    )[1]
    found = json.loads(out)
    assert (found["pass_mark"], found["scale"][-1], found["title"]) == (0.0, 20.0, "Mine")
    assert [found["methods"]["level"], found["methods"]["replicates"]] == [0.8, 50]
    assert {room["room"]["prompt"] for room in found["judges"][0]["prompts"]} == {"strict"}


def test_what_the_plan_asks_now_goes_before_what_the_store_remembers(command, plan, store, model):
    write_plan(plan, model, pass_mark=8, name="Later")
    found = json.loads(command("report", plan, "--json", "-")[1])
    assert (found["title"], found["pass_mark"]) == ("Later", 8.0)
    assert json.loads(command("report", store, "--json", "-")[1])["pass_mark"] == 5.0


def test_a_plan_that_became_another_one_has_no_report(command, plan, store, model):
    digest = read_plan(plan).digest[:12]
    write_plan(plan, model, seed=9)
    now = read_plan(plan).digest[:12]
    assert command("report", plan) == (
        2,
        "",
        f"error: {store}: the store holds another plan ('essays', {digest}) than the file ({now}); "
        f"run the plan into another store, with --store NEW.db --reuse {store}\n",
    )


def test_a_baseline_adds_what_changed(command, store, tmp_path):
    page = tmp_path / "r.html"
    assert command("report", store, "--baseline", store, "--html", page)[0] == 0
    assert "Difference to an earlier run" in page.read_text()
    assert "the same" in command("report", store, "--baseline", store)[1]


def test_bad_names_of_runs_end_with_code_2(command, plan, store, tmp_path):
    def error(*arguments: object) -> str:
        code, out, err = command(*arguments)
        assert (code, out) == (2, "")
        return err.removeprefix("error: ").removesuffix("\n")

    other = tmp_path / "other.yaml"
    other.write_text(plan.read_text())
    assert error("report", other) == (
        f"{tmp_path / 'other.db'}: nothing of the plan is stored (run: constrained consistency run "
        f"{other})"
    )
    (tmp_path / "empty").mkdir()
    assert error("report", tmp_path / "empty") == (
        f"at {tmp_path / 'empty'}: the folder has no store (name the store)"
    )
    (tmp_path / "two.db").write_bytes(store.read_bytes())
    assert error("report", tmp_path) == (
        f"at {tmp_path}: the folder has 2 stores (essays.db, two.db) (name the store)"
    )
    assert error("report", plan, "--where", "variant") == (
        "at --where: 'variant' is not NAME=VALUE (write --where variant=tuned)"
    )
    assert error("report", plan, "--where", "variant=no") == (
        "there is no variant 'no' in this run (there are: tiny)"
    )
    assert error("report", plan, "--scale", "one,two") == (
        "at --scale: 'one,two' is no scale (write 0..10, or 1,2,3)"
    )
    (tmp_path / "junk.db").write_bytes(b"no store at all" * 100)
    assert error("report", tmp_path / "junk.db").startswith(f"{tmp_path / 'junk.db'}: ")
    code, _, err = command("report", store, "--html", tmp_path / "junk.db" / "r.html")
    assert (code, "cannot be written" in err) == (2, True)
    analysis = tmp_path / "a.json"
    command("report", store, "--json", analysis)
    assert error("report", analysis, "--pass-mark", 3) == (
        f"at {analysis}: an analysis in JSON is finished, so pass_mark cannot be chosen (name the "
        "store of the run)"
    )


def test_a_merge_into_one_of_the_parts_is_refused(command, store, tmp_path):
    assert command("merge", store, store) == (
        2,
        "",
        f"error: at {store}: the target is one of the sources (name the new store first, then the "
        "stores of the parts)\n",
    )
    code, _, err = command("merge", tmp_path / "all.db", store, tmp_path / "no.db")
    assert (code, "there is no such store" in err) == (2, True)
    assert not (tmp_path / "all.db").exists()


# --- a plan to start from


def test_the_starter_plan_is_a_plan(command, tmp_path):
    path = tmp_path / "new" / "mine.yaml"
    code, out, _ = command("init", path)
    assert code == 0
    plan = read_plan(path)
    assert len(list(plan.cells())) == 16
    assert {gate.name for gate in plan.gates} == {"max_sem", "max_flip_rate"}
    lines = out.splitlines()
    assert typed(lines[1].removeprefix("Next:   ")) == ["run", str(path), "--dry-run"]
    assert command(*typed(lines[1].removeprefix("Next:   ")))[0] == 0
    message = f"error: at {path}: there is a file of that name (name another, or pass --force)\n"
    assert command("init", path) == (2, "", message)
    path.write_text("")
    assert command("init", path, "--force")[0] == 0
    assert read_plan(path) == plan
    message = f"error: at {tmp_path / 'p.txt'}: a plan is a YAML file (name it plan.yaml)\n"
    assert command("init", tmp_path / "p.txt") == (2, "", message)


def test_the_starter_plan_runs(command, tmp_path, model):
    path = tmp_path / "mine.yaml"
    command("init", path)
    text = path.read_text().replace("model: smollm2}", f"model: {model}}}", 1)
    text = text.replace("{name: base, model: smollm2}", f"{{name: base, model: {model}}}")
    path.write_text(text.replace("formats: [template]", "formats: [plain]"))
    assert command("run", path)[0] == 0
    assert command("gate", path)[0] in (0, 1, 2)


def test_help_needs_neither_torch_nor_scipy():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'transformers', 'scipy', 'yaml']));"
        "from constrained.cli import run; sys.exit(run(['consistency', 'run', '--help']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- what the documentation says to type

PAGES = ["tutorial/consistency.md", "reference/commands.md", "how-to/gate_ci.md"]


def shown(page: str) -> list[list[str]]:
    """The arguments of every command in the shell blocks of a page."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [typed(line) for line in lines if line.startswith("constrained consistency ")]


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_documentation_have_these_options(page):
    group = typer.main.get_command(app)
    found = shown(page)
    assert len(found) >= 3
    for name, *arguments in found:
        with group.commands[name].make_context(name, list(arguments)):
            pass


ELSEWHERE = {"--help", *(f"--{gate.replace('_', '-')}" for gate in GATES)}
"""The gates are a table of their own, on another page."""


def test_the_reference_names_every_command_and_option():
    text = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
    group = typer.main.get_command(app)
    for name, command in group.commands.items():
        assert f"| `{name} " in text
        for parameter in command.params:
            options = {one for one in parameter.opts if one.startswith("--")}
            missing = {one for one in options if not re.search(rf"{one}\b", text)}
            assert missing <= ELSEWHERE, name


@pytest.mark.slow
def test_the_commands_of_the_tutorial_run(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = "examples/essay_scorer/plan.yaml"
    for arguments in shown("tutorial/consistency.md"):
        said = [str(ROOT / one) if one == example else one for one in arguments]
        code, out, err = command(*("2x2" if one == "6x3" else one for one in said))
        assert code == (1 if arguments[0] == "gate" else 0), err
        if arguments[:2] == ["report", "essays.db"] and "--noun" in arguments:
            sentence = (
                "A teacher in another room would move a typical essay by 3.9 points, of which"
            )
            assert sentence in out
