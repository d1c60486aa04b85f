"""``assert_consistent``: a pytest fixture that holds a model's scores against bounds.

pytest loads this module at every start once the package is installed, so it imports little; the
rest comes with the first test that asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from constrained.errors import InvalidSpec, MissingPackage, RecordError

if TYPE_CHECKING:
    from constrained.consistency.analysis import Analysis, GateReport
    from constrained.consistency.plan import Plan
    from constrained.consistency.scoring import Scorers

__all__ = ["AssertConsistent", "assert_consistent"]

FOLDER = "constrained"
"""The folder in pytest's cache."""

MOST_ITEMS = 5
"""Flaky items that a failure names."""

REUSED = 3
"""Stores of earlier forms of a plan from which cells are taken over."""

PROPERTY = "consistency"
"""What the verdict is called among a test's properties (in JUnit XML, too)."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where scores are kept and reports are written."""
    group = parser.getgroup("consistency", "consistency of scoring models (constrained)")
    group.addoption(
        "--consistency-store",
        metavar="DIR",
        default=None,
        help="keep scored cells in this folder; default: the cache of pytest",
    )
    group.addoption(
        "--consistency-report",
        metavar="DIR",
        default=None,
        help="write the HTML report of every plan into this folder; default: of those that fail, "
        "into a temporary one",
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line for every plan that was held against bounds."""
    lines = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if lines:
        terminalreporter.section("consistency")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture
def assert_consistent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AssertConsistent:
    """Run a plan and fail unless its scores keep the bounds: see `AssertConsistent`."""
    folder = request.config.getoption("--consistency-store")
    reports = request.config.getoption("--consistency-report")
    if folder is None:
        cache = getattr(request.config, "cache", None)  # none with -p no:cacheprovider
        folder = cache.mkdir(FOLDER) if cache is not None else tmp_path_factory.mktemp(FOLDER)
    return AssertConsistent(
        request.node, Path(folder), None if reports is None else Path(reports), tmp_path_factory
    )


@dataclass(frozen=True)
class AssertConsistent:
    """What the fixture gives: a function of a plan and of bounds."""

    node: pytest.Item
    folder: Path
    reports: Path | None
    temporary: pytest.TempPathFactory

    def __call__(
        self,
        plan: Plan | str | Path,
        *,
        judge: str = "",
        allow_unknown: bool = False,
        pass_mark: float | None = None,
        where: Mapping[str, Any] | None = None,
        report: str | Path | None = None,
        scorers: Scorers | None = None,
        **bounds: Any,
    ) -> Analysis:
        """Run what the plan still lacks and hold it against bounds; gives the `Analysis`.

        `plan` is a `Plan` or a YAML file, looked up beside the test and then in pytest's root.
        `bounds` are gates by name: ``max_sem=0.5``, ``max_flip_rate=0.05``, ``min_phi=0.8``,
        ``max_gate_risk={"bound": 0.05, "at": 0.8}``; they take the place of the plan's gates of the
        same name. `judge` is whom the bounds are for (default: every judge). `report` is where the
        HTML report goes; `scorers` are those of `constrained.consistency.run.run`.

        The test fails when a bound is broken, and also when there is not enough data to tell,
        unless `allow_unknown`. Raises `InvalidSpec` when there is no bound at all, and
        for a judge that no variant is.

        >>> def test_the_scorer_is_consistent(assert_consistent):
        ...     assert_consistent("essays.yaml", max_sem=0.5, max_flip_rate=0.05)
        """
        __tracebackhide__ = True
        from constrained.consistency.analysis import analyse, check
        from constrained.consistency.plan import read_plan
        from constrained.consistency.run import run

        asked = read_plan(self._file(Path(plan))) if isinstance(plan, (str, Path)) else plan
        gates = _gates(asked, bounds, judge)
        store, earlier = self._store(asked)
        run(asked, store, scorers=scorers, reuse=earlier)
        analysis = analyse(store, pass_mark=pass_mark, where=where, gates=gates)
        verdict = check(analysis, gates)
        self.node.user_properties.append((PROPERTY, _line(analysis, verdict)))
        failed = verdict.verdict == "fail" or (verdict.verdict != "pass" and not allow_unknown)
        written = ""
        if failed or report is not None or self.reports is not None:
            written = self._report(analysis, report)
        if failed:
            pytest.fail(_message(analysis, verdict, written, store), pytrace=False)
        return analysis

    def _file(self, plan: Path) -> Path:
        """The plan's file, beside the test or in pytest's root."""
        places = [self.node.path.parent / plan, self.node.config.rootpath / plan]
        for place in places:
            if place.exists():
                return place
        raise InvalidSpec(
            f"there is no plan {plan} in {places[0].parent} or {places[1].parent}",
            hint="name it from the test's folder or from pytest's root",
        )

    def _store(self, plan: Plan) -> tuple[Path, list[Path]]:
        """The store of the plan as it is now, and those of earlier forms of it.

        Named by what decides the results, contents of models included: a plan that was changed, or
        an adapter that was trained again, gets a store of its own.
        """
        from hashlib import blake2b

        from constrained.consistency.plan import content_hashes

        contents = repr((plan.digest, sorted(content_hashes(plan).items())))
        digest = blake2b(contents.encode(), digest_size=6).hexdigest()
        stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in plan.name)[:40]
        self.folder.mkdir(parents=True, exist_ok=True)
        store = self.folder / f"{stem}-{digest}.db"
        if store.exists():
            return store, []
        others = sorted(self.folder.glob(f"{stem}-*.db"), key=lambda one: -one.stat().st_mtime)
        return store, _sound(others[:REUSED])

    def _report(self, analysis: Analysis, report: str | Path | None) -> str:
        """Where the HTML report was written; why it was not, without jinja2."""
        from constrained.consistency.report import write_html

        if report is not None:
            path = Path(report)
        else:
            name = "".join(c if c.isalnum() or c in "-_" else "-" for c in self.node.name)[:60]
            folder = self.reports or self.temporary.mktemp("consistency")
            path = folder / f"{name}.html"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return str(write_html(path, analysis))
        except MissingPackage as error:
            return f"not written: {error}"


def _sound(stores: Sequence[Path]) -> list[Path]:
    """The stores that can be read; a damaged cache is no reason to fail."""
    from constrained.consistency.store import Store

    found = []
    for path in stores:
        try:
            with Store(path, create=False):
                found.append(path)
        except RecordError:
            continue
    return found


def _gates(plan: Plan, bounds: Mapping[str, Any], judge: str) -> list[Any]:
    """The plan's gates and the bounds, which take the place of those of the same name."""
    from constrained.consistency.analysis import as_gates
    from constrained.consistency.plan.checks import check_judges

    said = {
        name: {"judge": judge, **(bound if isinstance(bound, Mapping) else {"bound": bound})}
        for name, bound in bounds.items()
    }
    gates: list[Any] = [*(gate for gate in plan.gates if gate.name not in said), *as_gates(said)]
    check_judges((gate.judge for gate in gates), plan.levels["variant"])
    if not gates:
        raise InvalidSpec(
            "there is no bound to hold the scores against",
            where="assert_consistent",
            hint="pass one, for example max_sem=0.5, or write gates: into the plan",
        )
    return gates


def _line(analysis: Analysis, report: GateReport) -> str:
    """The verdict in one line."""
    return f"{analysis.title}: {report.verdict}. {analysis.judges[0].summary.sentence}"


def _message(analysis: Analysis, report: GateReport, written: str, store: Path) -> str:
    """Why a test failed: verdict, sentence, gates, flakiest items, and where to read on."""
    judge = analysis.judges[0]
    words = {"fail": "is not consistent enough"}.get(
        str(report.verdict), "may or may not be consistent enough: not enough data"
    )
    lines = [f"{analysis.title} {words}", judge.summary.sentence, ""]
    for result in sorted(report.results, key=lambda one: one.verdict == "pass"):
        who = f" ({result.judge})" if result.judge else ""
        lines.append(f"{result.verdict.upper()}  {result.gate}{who}")
        lines.append(f"      {result.reason}")
    if judge.flakiest:
        lines += ["", "Items that another room moves most:"]
    for item in judge.flakiest[:MOST_ITEMS]:
        lines.append(
            f"  {item.item}: by {item.move:.1f} points, from {item.low:.2f} ({item.low_room}) "
            f"to {item.high:.2f} ({item.high_room})"
        )
    if report.verdict != "fail":
        lines += [
            "",
            "More items or prompts narrow the intervals; allow_unknown=True lets this pass.",
        ]
    return "\n".join([*lines, "", f"Report: {written}", f"Store:  {store}"])
