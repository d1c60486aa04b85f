"""``assert_consistent``, in pytest sessions of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import jinja2
import pytest
import scipy.stats
import yaml
from transformers import PreTrainedModel

from constrained.consistency import analysis, report
from tests import scripted, tiny

STAYING = (analysis, jinja2, report, scipy.stats, scripted, PreTrainedModel, yaml)
"""Loaded here: an inner session forgets what it loads; numpy and torch can be loaded once only."""

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
PLUGIN = "constrained.adapters.pytest_plugin"

# pytest loads what is installed as a plugin by itself, and loading it twice is an error.
INSTALLED = any(found.value == PLUGIN for found in entry_points(group="pytest11"))
LOADED = [] if INSTALLED else ["-p", PLUGIN]

PLANTED = """
from tests.scripted import Effects, PlantedScorer, always, grid_plan

def planted(prompts=8, **changes):
    plan = grid_plan(40, prompts, **{"pass_mark": 20.0, **changes})
    return plan, PlantedScorer(plan, Effects())
"""


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Run a test module in a session of its own, as at a desk: in CI pytest sums up at length."""
    pytester.syspathinsert(ROOT)
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)

    def call(body: str, *arguments: str, apart: bool = False) -> pytest.RunResult:
        pytester.makepyfile(test_inner=PLANTED + body)
        start = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        return start(*LOADED, *arguments)

    return call


CONSISTENT = """
def test_scorer(assert_consistent):
    plan, scorer = planted()
    analysis = assert_consistent(plan, scorers=always(scorer), max_sem=9, min_phi=0.1)
    assert analysis.judges[0].agreement.sem.value < 9
    with open("scored", "a") as file:
        print(len(scorer.scored), file=file)
"""


def test_bounds_that_are_kept_pass_and_the_cells_are_scored_once(session, pytester):
    for _ in range(2):
        found = session(CONSISTENT)
        found.assert_outcomes(passed=1)
    found.stdout.re_match_lines([r"=+ consistency =+", r"essays: pass\. A teacher in another room"])
    assert (pytester.path / "scored").read_text().split() == ["320", "0"]
    stores = list((pytester.path / ".pytest_cache" / "d" / "constrained").glob("essays-*.db"))
    assert len(stores) == 1


def test_a_broken_bound_fails_with_all_that_one_needs(session):
    found = session(
        """
def test_scorer(assert_consistent):
    plan, scorer = planted(gates={"min_phi": 0.1})
    assert_consistent(plan, scorers=always(scorer), max_sem=0.5)
"""
    )
    found.assert_outcomes(failed=1)
    text = found.stdout.str()
    assert "essays is not consistent enough\n" in text
    assert re.search(r"A teacher in another room would move a typical item by \d", text)
    sem = r"FAIL  max_sem 0\.5 \(model\)\n +standard error of measurement of one draw in one room"
    assert re.search(sem + r", points: 1\.\d+, between 1\.\d+ and 2\.\d+; the gate asks", text)
    assert re.search(r"PASS  min_phi 0\.1 \(model\)", text)
    assert text.index("FAIL  max_sem") < text.index("PASS  min_phi")
    assert len(re.findall(r"^  e\d{4}: by [0-9.]+ points, from ", text, re.M)) == 5
    page = re.search(r"^Report: (.*)$", text, re.M)
    store = re.search(r"^Store:  (.*)$", text, re.M)
    assert page is not None
    assert store is not None
    assert Path(page[1]).read_text().startswith("<!doctype html>")
    assert Path(store[1]).exists()
    assert "Traceback" not in text


UNKNOWN = """
def test_scorer(assert_consistent):
    plan, scorer = planted()
    assert_consistent(plan, scorers=always(scorer), max_sem=2.1 ** 0.5{more})
"""


def test_not_enough_data_is_a_failure_unless_it_is_allowed(session):
    found = session(UNKNOWN.format(more=""))
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        [
            "essays may or may not be consistent enough: not enough data",
            "NOT ENOUGH DATA  max_sem 1.4* (model)",
            "More items or prompts narrow the intervals; allow_unknown=True lets this pass.",
        ]
    )
    found = session(UNKNOWN.format(more=", allow_unknown=True"))
    found.assert_outcomes(passed=1)
    found.stdout.fnmatch_lines(["essays: not enough data. A teacher *"])


def test_what_is_unknown_is_allowed_but_what_is_broken_is_not(session):
    found = session(UNKNOWN.format(more=", min_phi=0.99, allow_unknown=True"))
    found.assert_outcomes(failed=1)


def test_without_a_bound_nothing_passes(session):
    found = session(
        """
def test_scorer(assert_consistent):
    plan, scorer = planted()
    assert_consistent(plan, scorers=always(scorer))
"""
    )
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        [
            "*InvalidSpec: at assert_consistent: there is no bound to hold the scores against "
            "(pass one, for example max_sem=0.5, or write gates: into the plan)"
        ]
    )


def test_a_judge_that_no_variant_is_never_passes(session) -> None:
    found = session(
        """
def test_scorer(assert_consistent):
    plan, scorer = planted()
    assert_consistent(plan, scorers=always(scorer), max_sem=9, judge="modle", allow_unknown=True)
"""
    )
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        ["*InvalidSpec: at gates*.judge: there is no variant 'modle'; did you mean 'model'?"]
    )


def test_bounds_and_settings_reach_the_analysis(session):
    found = session(
        """
import pytest
from constrained.errors import InvalidSpec

def test_scorer(assert_consistent):
    plan, scorer = planted(variants={"base": "smollm2", "tuned": "smollm2"}, gates={"max_sem": 0.1})
    given = {"scorers": always(scorer)}
    found = assert_consistent(plan, max_sem=9, judge="tuned", **given)
    assert [r.judge for r in found.gates.results] == ["tuned"]
    found = assert_consistent(
        plan, max_sem=9, max_gate_risk={"bound": 1, "at": 0.0}, pass_mark=10,
        where={"variant": "base"}, **given
    )
    assert (found.pass_mark, len(found.judges)) == (10, 1)
    with pytest.raises(InvalidSpec, match="there is no gate 'max_nonsense'"):
        assert_consistent(plan, max_nonsense=1, **given)
"""
    )
    found.assert_outcomes(passed=1)


def test_stores_and_reports_go_where_the_options_say(session, pytester):
    folder, reports = pytester.path / "stores", pytester.path / "reports"
    options = [f"--consistency-store={folder}", f"--consistency-report={reports}"]
    session(CONSISTENT, *options).assert_outcomes(passed=1)
    assert len(list(folder.glob("essays-*.db"))) == 1
    assert [page.name for page in reports.iterdir()] == ["test_scorer.html"]
    body = CONSISTENT.replace("max_sem=9", "max_sem=9, report='mine/r.html'")
    session(body).assert_outcomes(passed=1)
    assert (pytester.path / "mine" / "r.html").exists()


def test_without_a_cache_it_works_as_well(session):
    session(CONSISTENT, "-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_a_plan_with_one_prompt_more_scores_only_what_is_new(session, pytester):
    session(CONSISTENT).assert_outcomes(passed=1)
    damaged = pytester.path / ".pytest_cache" / "d" / "constrained" / "essays-0.db"
    damaged.write_text("junk")
    larger = CONSISTENT.replace("planted()", "planted(prompts=9)")
    session(larger).assert_outcomes(passed=1)
    assert (pytester.path / "scored").read_text().split() == ["320", "40"]
    assert damaged.exists()


PLAN = """
spec: "Score: {score:0..10}"
items: [{id: a, text: Cats purr.}, {id: b, text: Dogs bark.}]
prompts: ["Grade: {text}", "Rate: {text}"]
variants: {tiny: MODEL}
gates: {max_missing: 0}
"""


def test_a_plan_beside_the_test_is_run_with_its_own_model(session, pytester):
    tokenizer = tiny.byte_level()
    tokenizer.save_pretrained(pytester.path / "model")
    tiny.model("llama", len(tokenizer)).save_pretrained(pytester.path / "model")
    (pytester.path / "cats.yaml").write_text(PLAN.replace("MODEL", "./model"))
    body = """
def test_scorer(assert_consistent):
    found = assert_consistent("cats.yaml")
    assert found.judges[0].quality.present == 4

def test_nothing(assert_consistent):
    assert_consistent("dogs.yaml")
"""
    found = session(body, apart=True)
    found.assert_outcomes(passed=1, failed=1)
    found.stdout.fnmatch_lines(["*InvalidSpec: there is no plan dogs.yaml in *"])


def test_starting_pytest_loads_nothing_heavy(tmp_path):
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n"
        "def test_nothing():\n"
        "    heavy = {'torch', 'transformers', 'scipy', 'pydantic', 'yaml', 'jinja2'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *LOADED, "-p", "no:hypothesispytest", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
