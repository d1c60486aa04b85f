"""Gates: three values, decided by the whole interval; and JUnit XML that other tools read."""

from __future__ import annotations

import math
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from constrained.consistency.analysis import (
    GATES,
    Analysis,
    Gate,
    GateReport,
    GateResult,
    analyse_arrays,
    analyse_draws,
    as_gates,
    check,
    to_junit,
)
from constrained.consistency.bounds import GATE_RANGES
from constrained.consistency.plan import PlannedGate
from constrained.consistency.statistics import Estimate, unknown
from constrained.errors import InvalidSpec


def analysed(**options: object) -> Analysis:
    rng = np.random.default_rng(0)
    centre = rng.normal(5, 2, (40, 1)) + rng.normal(0, 0.6, 6) + rng.normal(0, 0.6, (40, 6))
    p = np.exp(-((np.arange(11) - centre[..., None]) ** 2) / 1.5)
    p /= p.sum(axis=-1, keepdims=True)
    known = {"pass_mark": 6, "gold": np.clip(np.round(centre[:, 0]), 0, 10)} | options
    return analyse_arrays(p, range(11), removed_mass=np.full((40, 6), 0.01), **known)  # type: ignore[arg-type]


ANALYSIS = analysed()


def only(found: GateReport) -> GateResult:
    assert len(found.results) == 1
    return found.results[0]


@pytest.mark.parametrize("name", [name for name in GATES if name != "max_gate_risk"])
def test_a_gate_passes_only_when_the_far_end_of_the_interval_clears_it(name: str) -> None:
    estimate = only(check(ANALYSIS, {name: 0.5})).estimate
    low, high = (
        (estimate.low, estimate.high) if estimate.bounded else (estimate.value, estimate.value)
    )
    upper = name.startswith("max_")
    clear, wrong = (high + 1e-9, low - 1e-9) if upper else (low - 1e-9, high + 1e-9)
    assert only(check(ANALYSIS, {name: clear})).verdict == "pass"
    if GATE_RANGES[name][0] <= wrong:  # nothing is missing, and no bound is below that
        assert only(check(ANALYSIS, {name: wrong})).verdict == "fail"
    else:
        assert name == "max_missing"
    if low < high:
        assert only(check(ANALYSIS, {name: (low + high) / 2})).verdict == "not enough data"


@pytest.mark.parametrize("name", list(GATES))
def test_without_data_no_gate_passes(name: str) -> None:
    empty = analyse_arrays(np.full((3, 2, 4), math.nan), range(4))
    at = 0.5 if name == "max_gate_risk" else None
    low, high = GATE_RANGES[name]
    bound = min(high, 1e9) if name.startswith("max_") else low  # the easiest to keep
    found = only(check(empty, [Gate(name, bound, at)]))
    if name == "max_missing":
        assert found.estimate.value == 1.0
        assert only(check(empty, [Gate(name, 0.5)])).verdict == "fail"
    else:
        assert found.verdict == "not enough data"
        assert found.estimate.reason


def test_gate_risk_is_the_mean_over_rooms_at_the_pass_mark() -> None:
    found = only(check(ANALYSIS, {"max_gate_risk": {"bound": 0.5, "at": 0.4}}))
    mark = next(m for m in ANALYSIS.judges[0].marks if m.mark == 6)
    at = int(np.flatnonzero(np.isclose(mark.gate_rates, 0.4))[0])
    assert found.estimate.value == pytest.approx(mark.gate_risk[at])
    assert found.estimate.universe == "these items, prompts like these"


def test_a_bias_around_zero_is_between_zero_and_its_farther_end() -> None:
    gold = ANALYSIS.judges[0].gold
    assert gold is not None
    judge = replace(
        ANALYSIS.judges[0], gold=replace(gold, bias=Estimate(-0.1, -0.4, 0.2, method="t"))
    )
    found = only(check(replace(ANALYSIS, judges=(judge,)), {"max_bias": 0.3})).estimate
    assert (found.value, found.low, found.high) == (0.1, 0.0, 0.4)


def test_one_failure_outweighs_missing_data_and_that_outweighs_passes() -> None:
    def report(*verdicts: str) -> GateReport:
        gate = Gate("max_sem", 1.0)
        return GateReport(tuple(GateResult(gate, "j", v, unknown("x"), "") for v in verdicts))  # type: ignore[arg-type]

    assert (report("pass", "fail", "not enough data").verdict, report().verdict) == ("fail", None)
    assert report("pass", "not enough data").verdict == "not enough data"
    codes = [report("pass"), report("fail"), report("not enough data"), report()]
    assert [r.exit_code for r in codes] == [0, 1, 2, 0]


def test_a_gate_may_be_for_one_judge() -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(4), (2, 10, 4))
    found = analyse_arrays(
        p,
        range(4),
        ("variant", "item", "prompt"),
        levels={"variant": ["base", "tuned"]},
        gates=[Gate("max_sem", 9.0, judge="tuned"), Gate("max_sem", 9.0, judge="nobody")],
    ).gates
    assert [(r.judge, r.verdict) for r in found.results] == [
        ("tuned", "pass"),
        ("nobody", "not enough data"),
    ]
    assert "there is no judge 'nobody'" in found.results[1].reason
    everyone = analyse_arrays(
        p,
        range(4),
        ("variant", "item", "prompt"),
        levels={"variant": ["base", "tuned"]},
        gates={"max_sem": 9.0},
    ).gates
    assert [r.judge for r in everyone.results] == ["base", "tuned"]


def test_the_reason_says_number_interval_and_bound() -> None:
    judge = replace(
        ANALYSIS.judges[0],
        agreement=replace(ANALYSIS.judges[0].agreement, sem=Estimate(1.25, 1.0, 1.5)),
    )
    found = only(check(replace(ANALYSIS, judges=(judge,)), {"max_sem": 0.9}))
    assert found.reason == (
        "standard error of measurement of one draw in one room, points: 1.25, between 1 and 1.5; "
        "the gate asks for at most 0.9"
    )


def test_planned_gates_and_mappings_are_gates() -> None:
    planned = PlannedGate(name="max_gate_risk", bound=0.05, at=0.8)
    assert as_gates([planned]) == (Gate("max_gate_risk", 0.05, 0.8),)
    assert as_gates({"min_phi": 0.8, "max_sem": {"bound": 1, "judge": "tuned"}}) == (
        Gate("min_phi", 0.8),
        Gate("max_sem", 1.0, judge="tuned"),
    )


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        (
            {"tempo": 1},
            "at gates: there is no gate 'tempo' (known: " + ", ".join(GATES) + ")",
        ),
        ({"max_sem": math.nan}, "at gates: the bound of max_sem is nan (points, 0 or more)"),
        (
            {"max_missing": 2},
            "at gates: the bound of max_missing is 2 (0 to 1; 5 % is 0.05)",
        ),
        ({"max_sem": "low"}, "at gates: the bound of max_sem is no number"),
        (
            {"max_gate_risk": 0.1},
            "at gates: max_gate_risk needs a pass rate (max_gate_risk is the chance to fall below "
            "a pass rate: give it as `at`)",
        ),
        (
            {"max_sem": {"bound": 1, "at": 0.5}},
            "at gates: max_sem does not take a pass rate (max_gate_risk is the chance to fall "
            "below a pass rate: give it as `at`)",
        ),
        (
            {"max_gate_risk": {"bound": 1, "at": 5}},
            "at gates: a pass rate of 5 cannot be reached (0 to 1; 5 % is 0.05)",
        ),
        (
            {"max_sem": {"limit": 1}},
            "at gates: gate max_sem has no 'limit' (give bound, at (a pass rate), judge)",
        ),
        (
            {"max_sem": {}},
            "at gates: gate max_sem has no bound (give bound, at (a pass rate), judge)",
        ),
    ],
)
def test_what_is_no_gate_is_refused(gates: dict, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        as_gates(gates)
    assert str(caught.value) == message


# -- JUnit


def test_junit_counts_failures_and_errors_and_names_every_gate() -> None:
    low = ANALYSIS.judges[0].agreement.sem.low
    high = ANALYSIS.judges[0].agreement.sem.high
    found = check(
        ANALYSIS,
        [
            Gate("max_sem", high + 1),
            Gate("max_sem", low - 0.1),
            Gate("max_sem", (low + high) / 2),
        ],
    )
    tree = ElementTree.fromstring(to_junit(found, "essays"))
    suite = tree.find("testsuite")
    assert suite is not None
    assert (tree.tag, suite.attrib) == (
        "testsuites",
        {"name": "essays", "tests": "3", "failures": "1", "errors": "1"},
    )
    cases = suite.findall("testcase")
    assert [[child.tag for child in case] for case in cases] == [
        ["properties"],
        ["properties", "failure"],
        ["properties", "error"],
    ]
    assert cases[0].attrib["classname"] == "model"
    assert {p.attrib["name"] for p in cases[0].iter("property")} == {"value", "low", "high"}
    failure = cases[1].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == found.results[1].reason


def test_junit_is_well_formed_whatever_names_hold() -> None:
    bad = "a<b>&\"'\x00\x1b]]>\ud800\n\N{SNOWMAN}"
    result = GateResult(Gate("max_sem", 1.0, judge=bad), bad, "fail", unknown("x"), bad)
    tree = ElementTree.fromstring(to_junit(GateReport((result,)), bad).encode())
    case = next(tree.iter("testcase"))
    assert case.attrib["classname"] == "a<b>&\"'\ufffd\ufffd]]>\ufffd\n\N{SNOWMAN}"


def test_single_draws_are_judged_too() -> None:
    draws = np.random.default_rng(0).integers(0, 5, (30, 4, 1))
    found = analyse_draws(draws, range(5), gates={"max_sem": 9.0, "max_expected_sem": 9.0}).gates
    assert [r.verdict for r in found.results] == ["pass", "not enough data"]
