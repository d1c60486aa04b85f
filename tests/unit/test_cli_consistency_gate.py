"""Gates, comparisons and imports from a shell, on stores whose contents are planted."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from constrained.cli import run
from constrained.cli.consistency.gating import gate
from constrained.cli.consistency.verdict_command import NO_VERDICT
from constrained.consistency.analysis import GATES, analyse, check
from constrained.consistency.importing import import_scores, read_csv, read_inspect, read_lm_eval
from constrained.consistency.plan import Plan
from constrained.consistency.run import run as run_plan
from constrained.consistency.store import Store
from tests.scripted import SCALE, Effects, PlantedScorer, always, grid_plan

IMPORTS = Path(__file__).parents[1] / "data" / "imports"


@pytest.fixture
def command(capsys):
    """Run a command of ``constrained consistency``; gives (exit code, stdout, stderr)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(["consistency", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def planted(path: Path, *, effects: Effects | None = None, **changes: Any) -> Plan:
    """A store of 40 items x 8 prompts with planted effects, pass mark 20; its plan."""
    plan = grid_plan(40, 8, **{"pass_mark": 20.0, **changes})
    run_plan(plan, path, scorers=always(PlantedScorer(plan, effects or Effects())))
    return plan


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("planted") / "essays.db"
    planted(path)
    return path


# A draw's planted error variance in another room is prompt + item x prompt + draw: 0.5 + 0.8 + 0.8.
SEM = 2.1**0.5

VERDICTS = [
    (["--max-sem", 4 * SEM], 0, "pass"),
    (["--max-sem", SEM / 4], 1, "fail"),
    (["--max-sem", SEM], 2, "not enough data"),
    (["--max-sem", 4 * SEM, "--min-phi", 0.99], 1, "fail"),
    (["--max-sem", SEM, "--min-phi", 0.1], 2, "not enough data"),
    (["--max-sem", SEM, "--min-phi", 0.99], 1, "fail"),
    (["--max-kappa-is-no-gate", 1], 3, None),
    (["--min-kappa", 0.5], 2, "not enough data"),
    (["--max-gate-risk", 1, "--at", 0.0], 0, "pass"),
    (["--max-gate-risk", 0.1, "--at", 1.0], 1, "fail"),
    (["--max-flip-rate", 0.9, "--pass-mark", 20], 0, "pass"),
    (["--max-missing", 0, "--max-removed-mass", 1], 2, "not enough data"),
]


@pytest.mark.parametrize(("gates", "code", "verdict"), VERDICTS)
def test_the_exit_code_is_the_verdict(command, store, gates, code, verdict):
    found, out, _ = command("gate", store, *gates)
    assert found == code
    assert verdict is None or out.splitlines()[0][2:] == f"{verdict.capitalize()}  essays"


def test_every_gate_is_an_option():
    names = set(inspect.signature(gate).parameters)
    assert set(GATES) <= names
    assert {name for name in names if name.startswith(("max_", "min_"))} == set(GATES)


def test_a_gate_page_says_what_was_measured(command, store):
    code, out, err = command("gate", store, "--max-sem", 1.4)
    sem = analyse(store).judges[0].agreement.sem
    text = " ".join(out.split())
    assert (code, err) == (2, "")
    assert "A teacher in another room would move a typical item by" in text
    assert (
        f"? max_sem 1.4 model standard error of measurement of one draw in one room, points: "
        f"{sem.value:.4g}, between {sem.low:.4g} and {sem.high:.4g}; the gate asks for at most 1.4"
    ) in text
    assert "More items narrow the intervals" in text


def test_gates_in_json_and_junit(command, store, tmp_path):
    code, out, err = command(
        *("gate", store, "--max-sem", 9, "--min-phi", 0.99, "--max-bias", 1),
        *("--json", "-", "--junit", tmp_path / "gates.xml", "--html", tmp_path / "r.html"),
    )
    assert code == 1
    assert err == f"wrote {tmp_path / 'gates.xml'}\nwrote {tmp_path / 'r.html'}\n"
    found = json.loads(out)
    assert (found["verdict"], found["exit_code"], found["title"]) == ("fail", 1, "essays")
    assert {g["gate"]: g["verdict"] for g in found["gates"]} == {
        "max_sem": "pass",
        "min_phi": "fail",
        "max_bias": "not enough data",
    }
    expected = check(analyse(store), {"max_sem": 9}).results[0].estimate
    first = found["gates"][0]
    assert (first["value"], first["low"], first["high"]) == (
        expected.value,
        expected.low,
        expected.high,
    )
    assert next(g for g in found["gates"] if g["gate"] == "max_bias")["value"] is None
    suite = ElementTree.parse(tmp_path / "gates.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    assert "Fail" in (tmp_path / "r.html").read_text()


def test_gates_for_a_judge_that_is_not_there_are_refused(command, store):
    assert command("gate", store, "--max-sem", 9, "--judge", "modle") == (
        3,
        "",
        "error: at --judge: there is no judge 'modle' in this run (there are: model)\n",
    )
    assert command("gate", store, "--judge", "model") == (
        3,
        "",
        "error: at --judge: a judge is named, but no gate to hold it against (add one, for "
        "example --max-sem 0.5)\n",
    )


def test_gates_given_here_replace_those_of_the_plan(command, tmp_path):
    path = tmp_path / "run.db"
    planted(path, gates={"max_sem": 0.1, "min_phi": 0.1})
    assert command("gate", path)[0] == 1
    code, out, _ = command("gate", path, "--max-sem", 9, "--json", "-")
    assert code == 0
    assert {g["gate"]: g["bound"] for g in json.loads(out)["gates"]} == {
        "max_sem": 9.0,
        "min_phi": 0.1,
    }
    analysis = tmp_path / "a.json"
    command("report", path, "--json", analysis)
    assert command("gate", analysis)[0] == 1
    assert command("gate", analysis, "--max-sem", 9)[0] == 0


def test_without_a_gate_nothing_passes(command, store):
    assert command("gate", store) == (
        3,
        "",
        "error: there is no gate to hold the run against (write gates: into the plan, or pass one, "
        "for example --max-sem 0.5)\n",
    )
    assert command("gate", store, "--max-sem", 9, "--at", 0.5) == (
        3,
        "",
        "error: at --at: a pass rate is given, but not how often it may be missed (add "
        "--max-gate-risk 0.05)\n",
    )
    code, _, err = command("gate", store, "--max-gate-risk", 0.1)
    assert (code, "max_gate_risk needs a pass rate" in err) == (3, True)
    assert command("gate", store, "--store", "x.db", "--max-sem", 9) == (
        3,
        "",
        "error: --store says where the run of a plan is (name one of them only)\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["none.db", "--max-sem", 1],
        ["none.db", "--no-such-option"],
        ["STORE", "--max-sem", "much"],
        ["STORE", "--max-flip-rate", 5],
        ["STORE", "--max-sem", 1, "--judge", "nobody"],
        ["STORE", "--max-sem", 1, "--where", "planet=mars"],
        ["STORE", "--max-sem", 9, "--junit", "/dev/null/x.xml"],
    ],
)
def test_what_keeps_a_gate_from_a_verdict_has_a_code_of_its_own(command, store, arguments):
    said = [store if one == "STORE" else one for one in arguments]
    code, out, err = command("gate", *said)
    assert (code, out) == (NO_VERDICT, "")
    assert err


def test_a_fault_of_a_gate_is_no_verdict_either(command, store, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(sys.modules[gate.__module__], "held", broken)
    code, _, err = command("gate", store, "--max-sem", 9)
    assert (code, "ZeroDivisionError: a fault" in err) == (NO_VERDICT, True)


def test_a_missing_package_is_no_verdict(command, store, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    code, _, err = command("gate", store, "--max-sem", 9)
    assert (code, "needs the package scipy" in err) == (NO_VERDICT, True)


def test_who_stops_reading_a_gate_page_does_not_change_the_verdict(store):
    code = "from constrained.cli import main; main()"
    call = [sys.executable, "-c", code, "consistency", "gate", str(store), "--max-sem", "9"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait() == 0


def test_a_run_that_is_not_complete_cannot_pass(command, tmp_path):
    path = tmp_path / "run.db"
    plan = grid_plan(40, 8)
    scorer = PlantedScorer(plan, Effects())
    run_plan(plan, path, shard=(1, 2), scorers=always(scorer))
    left = 320 - len(scorer.scored)
    junit = tmp_path / "gates.xml"
    code, out, _ = command("gate", path, "--max-sem", 9, "--junit", junit)
    assert code == 2
    reason = f"the run is not complete: {left} cells of the plan are not in {path} (run the plan "
    assert reason.replace(" ", "") in "".join(out.split())
    assert reason in junit.read_text()
    assert command("gate", path, "--max-sem", 0.1)[0] == 1
    assert command("gate", path, "--max-sem", 9, "--partial")[0] == 0
    analysis = tmp_path / "a.json"
    command("report", path, "--json", analysis)
    assert command("gate", analysis, "--max-sem", 9)[0] == 2
    assert command("gate", analysis, "--max-sem", 9, "--partial")[0] == 0


def test_the_gates_of_a_plan_are_those_its_file_has_now(command, tmp_path):
    file = tmp_path / "essays.yaml"
    said = {
        "spec": "Score: {score:0..40}",
        "items": [{"id": f"e{i:04}", "text": f"essay {i}"} for i in range(40)],
        "prompts": {f"p{p}": f"Prompt {p}: {{text}}\n" for p in range(8)},
    }
    file.write_text(yaml.safe_dump(said))
    planted(tmp_path / "essays.db", gates={"max_sem": 0.1})
    assert command("gate", tmp_path / "essays.db")[0] == 1
    assert command("gate", file)[0] == 3
    file.write_text(yaml.safe_dump({**said, "gates": {"max_sem": 9}}))
    assert command("gate", file)[0] == 0
    (tmp_path / "essays.db").rename(tmp_path / "moved.db")
    assert command("gate", file)[0] == 3
    assert command("gate", file, "--store", tmp_path / "moved.db")[0] == 0


# --- two runs


def test_two_runs_are_compared_item_by_item(command, store, tmp_path):
    later = tmp_path / "later.db"
    planted(later, effects=Effects(mean=21.0))
    code, out, err = command("compare", store, later, "--json", "-")
    found = json.loads(out)
    plan = grid_plan(40, 8)
    addresses = [cell.address for cell in plan.cells()]
    means = [
        np.mean([np.dot(e.of(a), SCALE) for a in addresses]) for e in (Effects(), Effects(mean=21))
    ]
    assert (code, err) == (0, "")
    assert found["judges"][0]["mean"]["value"] == pytest.approx(means[1] - means[0])
    assert (found["first"], found["second"]) == (str(store), str(later))
    code, page, _ = command("compare", store, later)
    assert code == 0
    assert f"{later}against{store}" in "".join(page.split())  # a long line is broken somewhere
    assert re.search(r"Mean score, points +\+1\.00 +\+1\.00 to \+1\.00 +higher", page)
    changed = len(found["judges"][0]["verdicts"])
    assert f"{changed} of 40 items changed sides of the pass mark 20 (from nothing: " in page
    named = re.findall(r"^    (e\d{4}): ([0-9.]+) before, ([0-9.]+) now, passes$", page, re.M)
    assert len(named) == min(changed, 12) > 0
    assert all(float(before) < 20 <= float(after) for _, before, after in named)


def test_a_comparison_goes_where_it_is_asked_to_go(command, store, tmp_path):
    page, text = tmp_path / "c.html", tmp_path / "c.md"
    code, out, err = command("compare", store, store, "--html", page, "--markdown", text)
    assert (code, out, err) == (0, "", f"wrote {page}\nwrote {text}\n")
    assert "Difference to an earlier run" in page.read_text()
    assert text.read_text().startswith("# ")


def test_two_judges_of_one_run_are_compared(command, tmp_path):
    path = tmp_path / "run.db"
    planted(path, variants={"base": "smollm2", "tuned": "smollm2"})
    code, out, _ = command("compare", path, "--judge", "base=tuned")
    assert code == 0
    assert "\ntuned against base\n" in out
    assert re.search(r"Mean score, points +0\.00 +0\.00 to 0\.00 +the same", out)
    message = (
        "error: one run alone has nothing to be compared with (name a second run, or two judges of "
        "this one: --judge base=tuned)\n"
    )
    assert command("compare", path) == (2, "", message)
    code, _, err = command("compare", path, "--judge", "base=nobody")
    assert (code, "no judge 'nobody' in this analysis" in err) == (2, True)


# --- scores from elsewhere

TABLE = """essay,wording,grade,teacher
e1,plain,7,8
e1,strict,5,8
e2,plain,4,4
e2,strict,three,4
e3,plain,9,9
e3,strict,8,9
"""
NAMES = {"item": "essay", "prompt": "wording", "score": "grade", "gold": "teacher"}


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "grades.csv"
    path.write_text(TABLE)
    return path


def test_a_table_is_imported_as_the_library_does(command, table, tmp_path):
    store = tmp_path / "new" / "grades.db"
    arguments = [
        *("import", table, "--store", store, "--item", "essay", "--column", "prompt=wording"),
        *("--score", "grade", "--gold", "teacher", "--scale", "0..10", "--name", "Essays"),
        *("--pass-mark", 6, "--gate", "max_sem=9"),
    ]
    code, out, err = command(*arguments)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "6 cells (3 items x 2 prompts), 6 of them new"
    assert lines[1] == "6 judgements, 1 without a score"
    assert lines[-2:] == [
        f"Store:  {store}",
        f"Next:   constrained consistency report {store}",
    ]
    other = tmp_path / "other.db"
    expected = read_csv(table, columns=NAMES, scale=[float(n) for n in range(11)])
    import_scores(other, expected, name="Essays", pass_mark=6, gates={"max_sem": 9.0})
    with Store(store) as one, Store(other) as two:
        assert list(one.records()) == list(two.records())
        assert one.plan() == two.plan()
    assert command("report", store)[0] == 0
    assert command("gate", store)[0] in (0, 1, 2)
    again = json.loads(command(*arguments, "--json")[1])
    assert {k: again[k] for k in ("cells", "new", "judgements", "failures")} == {
        "cells": 6,
        "new": 0,
        "judgements": 6,
        "failures": 1,
    }


def test_one_column_per_room_and_scores_in_texts(command, tmp_path):
    wide = tmp_path / "rooms.csv"
    wide.write_text("q,a,b\nq1,3,4\nq2,5,\n")
    found = json.loads(
        command(
            *("import", "csv", wide, "--store", tmp_path / "a.db", "--item", "q"),
            *("--room", "a", "--room", "b", "--json"),
        )[1]
    )
    assert (found["cells"], found["levels"]["prompt"]) == (3, 2)
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"item": "e1", "text": "Score: 7"}\n{"item": "e2", "text": "dunno"}\n')
    store = tmp_path / "b.db"
    code, _, _ = command("import", texts, "--store", store, "--spec", "Score: {score:0..10}")
    assert code == 0
    with Store(store) as opened:
        assert [[d.score for d in r.draws] for r in opened.records()] == [[7.0], [None]]


def test_logs_of_other_tools_are_imported(command, tmp_path):
    logs = sorted((IMPORTS / "inspect").glob("*.eval"))
    names = ["first", "second"]
    code, out, _ = command(
        *("import", "inspect", *logs, "--store", tmp_path / "i.db", "--prompt", "first"),
        *("--prompt", "second", "--json"),
    )
    assert (code, json.loads(out)["cells"]) == (0, len(read_inspect(*logs, prompts=names).records))
    samples = IMPORTS / "lm_eval" / "samples_essays_plain_2026-11-22T11-51-42.532249.jsonl"
    code, out, _ = command("import", samples, "--store", tmp_path / "l.db", "--json")
    assert (code, json.loads(out)["cells"]) == (0, len(read_lm_eval(samples).records))


def test_logs_that_asked_differently_are_told_apart_in_a_shell(command, tmp_path):
    logs = [IMPORTS / "inspect" / f"asked_{name}.json" for name in ("base", "top_p")]
    code, _, err = command("import", *logs, "--store", tmp_path / "a.db")
    assert (code, "top_p is 0.5 here and left out there" in err) == (2, True)
    named = ("--variant", "open", "--variant", "narrow", "--json")
    code, out, _ = command("import", *logs, "--store", tmp_path / "a.db", *named)
    assert (code, json.loads(out)["levels"]["variant"]) == (0, 2)
    said = ("--ignore", "top_p", "--json")
    code, out, _ = command("import", *logs, "--store", tmp_path / "b.db", *said)
    assert (code, json.loads(out)["cells"]) == (0, 2)
    letters = ("--option", "A=4", "--option", "C=2", "--json")
    log = IMPORTS / "inspect" / "letters.json"
    code, out, _ = command("import", log, "--store", tmp_path / "c.db", *letters)
    assert (code, json.loads(out)["failures"]) == (0, 2)
    samples = IMPORTS / "lm_eval" / "samples_essays_plain_2026-11-22T11-51-42.532249.jsonl"
    code, _, err = command("import", samples, "--store", tmp_path / "d.db", *named[:4])
    assert (code, "files of the kind lm-eval are of one model" in err) == (2, True)


BAD_IMPORTS = [
    (["csv"], "there is no file to import (name the files after the kind)"),
    (["no.csv"], "no.csv: cannot be read (No such file or directory)"),
    (
        ["{table}", "--gate", "max_sem"],
        "at --gate: 'max_sem' is not NAME=VALUE (write --gate max_sem=0.5)",
    ),
    (["{table}", "--gate", "max_sem=x"], "at --gate: 'x' is not a number"),
    (
        ["{table}", "--item", "essay", "--metric", "m"],
        "files of the kind csv have no option 'metric' (they have columns, rooms, spec, field, "
        "scale, options, ignore, delimiter)",
    ),
    (
        ["{table}", "--item", "pupil"],
        "{table}: there is no column 'pupil' (there are 'essay', 'wording', 'grade', 'teacher')",
    ),
    (
        ["promptfoo", str(IMPORTS / "promptfoo" / "results.json"), "--column", "item=essay"],
        "at --column: files of the kind promptfoo have no columns (use --item, --score and --gold)",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_IMPORTS)
def test_bad_imports_end_with_code_2(command, table, tmp_path, arguments, message):
    said = [word.replace("{table}", str(table)) for word in arguments]
    message = message.replace("{table}", str(table))
    store = tmp_path / "s.db"
    assert command("import", *said, "--store", store) == (2, "", f"error: {message}\n")
    assert not store.exists()
