"""``constrained consistency gate``: pass, fail, or not enough data, as an exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constrained.cli import screen
from constrained.cli.consistency import options as o
from constrained.cli.consistency.places import Run, command, find_run, save
from constrained.cli.consistency.reporting import save_html
from constrained.cli.consistency.verdict_command import show_page
from constrained.errors import InvalidSpec

if TYPE_CHECKING:
    from constrained.consistency.analysis import Analysis, Gate, GateReport, GateResult

__all__ = ["gate"]


def bound(text: str) -> Any:
    """The option of a gate."""
    return typer.Option(help=text, rich_help_panel="Gates", show_default=False)


def gate(
    store: o.Source,
    max_sem: Annotated[float | None, bound("Standard error of one draw, points.")] = None,
    max_expected_sem: Annotated[
        float | None, bound("Standard error of an expected score, points.")
    ] = None,
    max_move: Annotated[float | None, bound("How far another room moves an item, points.")] = None,
    max_expected_move: Annotated[
        float | None, bound("How far another room moves an expected score, points.")
    ] = None,
    max_flip_rate: Annotated[
        float | None, bound("Chance that another room crosses the pass mark, 0 to 1.")
    ] = None,
    max_gate_risk: Annotated[
        float | None, bound("Chance that one more run misses the pass rate --at, 0 to 1.")
    ] = None,
    max_bias: Annotated[float | None, bound("Distance of the mean from gold, points.")] = None,
    max_removed_mass: Annotated[
        float | None, bound("The most probability that the mask took, 0 to 1.")
    ] = None,
    max_missing: Annotated[
        float | None, bound("Share of planned cells without a score, 0 to 1.")
    ] = None,
    min_phi: Annotated[float | None, bound("Dependability of one draw.")] = None,
    min_expected_phi: Annotated[float | None, bound("Dependability of an expected score.")] = None,
    min_alpha: Annotated[float | None, bound("Krippendorff's alpha of one draw.")] = None,
    min_kappa: Annotated[
        float | None, bound("Quadratic weighted kappa with gold of one draw.")
    ] = None,
    at: Annotated[
        float | None, typer.Option(help="The pass rate of --max-gate-risk, 0 to 1.")
    ] = None,
    judge: Annotated[
        str, typer.Option(help="Hold these gates against one judge or variant only.")
    ] = "",
    run: Annotated[
        Path | None,
        typer.Option("--store", help="With a plan: where its run is stored."),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Let a run pass that is not complete.")
    ] = False,
    junit: Annotated[
        Path | None,
        typer.Option(help="Write JUnit XML for a CI system.", rich_help_panel=o.FILES),
    ] = None,
    html: o.Html = None,
    json: o.JsonFile = None,
    pass_mark: o.PassMark = None,
    scale: o.Scale = None,
    where: o.Where = None,
    level: o.Level = None,
    replicates: o.Replicates = None,
    fixed_rooms: o.FixedRooms = False,
) -> None:
    """Hold a run against its gates; the exit code is the answer.

    The gates are those of the plan, and those given here, which take the place of the plan's of the
    same name. A gate passes when the whole interval keeps its bound and fails when the whole
    interval breaks it; between the two there is not enough data. A run that is not complete cannot
    pass.

    **Examples**

    ```sh
    constrained consistency gate essays.yaml --junit gates.xml
    constrained consistency gate essays.db --max-sem 0.5 --max-flip-rate 0.05
    constrained consistency gate essays.db --max-gate-risk 0.05 --at 0.8
    ```

    Exit codes: 0 pass, 1 fail, 2 not enough data, 3 no verdict: bad input, or a missing package.
    """
    given = {
        "max_sem": max_sem,
        "max_expected_sem": max_expected_sem,
        "max_move": max_move,
        "max_expected_move": max_expected_move,
        "max_flip_rate": max_flip_rate,
        "max_gate_risk": max_gate_risk,
        "max_bias": max_bias,
        "max_removed_mass": max_removed_mass,
        "max_missing": max_missing,
        "min_phi": min_phi,
        "min_expected_phi": min_expected_phi,
        "min_alpha": min_alpha,
        "min_kappa": min_kappa,
    }
    settings = o.settings_of(
        pass_mark=pass_mark,
        scale=scale,
        where=where,
        level=level,
        replicates=replicates,
        fixed_rooms=fixed_rooms,
    )
    asked = {name: value for name, value in given.items() if value is not None}
    found = find_run(store, run)
    with screen.spinner(f"Reading {found.path}"):
        analysis = found.analysis(settings)
        report = held(analysis, asked, at, judge)
        left = 0 if partial else found.left()
    if left:
        report = replace(report, results=(*report.results, unfinished(left, found, store)))
    if junit is not None:
        from constrained.consistency.analysis import to_junit

        save(junit, to_junit(report, analysis.title or "consistency"))
    if html is not None:
        save_html(html, replace(analysis, gates=report))
    if json is not None:
        save(json, screen.json_text(report_json(report, analysis.title)))
    if json is None or str(json) != "-":
        from constrained.cli.consistency.pages import gate_page

        show_page(gate_page(report, analysis))
    raise typer.Exit(report.exit_code)


def held(
    analysis: Analysis, asked: Mapping[str, float], at: float | None, judge: str
) -> GateReport:
    """The plan's gates and those asked for; `InvalidSpec` when there are none, or no such judge."""
    from constrained.consistency.analysis import Gate, check

    if at is not None and "max_gate_risk" not in asked:
        raise InvalidSpec(
            "a pass rate is given, but not how often it may be missed",
            where="--at",
            hint="add --max-gate-risk 0.05",
        )
    known = dict.fromkeys(name for j in analysis.judges for name in (j.name, j.variant))
    if judge and judge not in known:
        raise InvalidSpec(
            f"there is no judge {judge!r} in this run",
            where="--judge",
            hint=f"there are: {', '.join(known)}",
        )
    if judge and not asked:
        raise InvalidSpec(
            "a judge is named, but no gate to hold it against",
            where="--judge",
            hint="add one, for example --max-sem 0.5",
        )
    mine = [
        Gate(name, value, at if name == "max_gate_risk" else None, judge)
        for name, value in asked.items()
    ]
    planned: list[Gate] = list(dict.fromkeys(r.gate for r in analysis.gates.results))
    gates = [*(one for one in planned if one.name not in asked), *mine]
    if not gates:
        raise InvalidSpec(
            "there is no gate to hold the run against",
            hint="write gates: into the plan, or pass one, for example --max-sem 0.5",
        )
    return check(analysis, gates)


def unfinished(left: int, run: Run, name: str) -> GateResult:
    """What stands for the cells that nobody scored: there is not enough data."""
    from constrained.consistency.analysis import Gate, GateResult
    from constrained.consistency.statistics import unknown

    again = command("run", name) if run.plan is not None else "run the plan again"
    reason = (
        f"the run is not complete: {left:,} cells of the plan are not in {run.path} "
        f"({again}, or pass --partial)"
    )
    return GateResult(Gate("max_missing", 0.0), "", "not enough data", unknown(reason), reason)


def report_json(report: GateReport, title: str) -> dict[str, Any]:
    """A gate report as JSON values; the keys are part of the interface."""
    return {
        "title": title,
        "verdict": report.verdict,
        "exit_code": report.exit_code,
        "gates": [
            {
                "gate": result.gate.name,
                "bound": result.gate.bound,
                "at": result.gate.at,
                "judge": result.judge,
                "verdict": result.verdict,
                "value": result.estimate.value,
                "low": result.estimate.low,
                "high": result.estimate.high,
                "level": result.estimate.level,
                "universe": result.estimate.universe,
                "reason": result.reason,
            }
            for result in report.results
        ],
    }
