"""The report as one HTML file: everything inside, nothing loaded, all text escaped."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from constrained.consistency.analysis import (
    Analysis,
    Comparison,
    FlakyItem,
    HeatMap,
    Judge,
    PassMark,
)
from constrained.consistency.report import changes, html_data, terms
from constrained.consistency.report import html_charts as charts
from constrained.consistency.report.palette import DARK, LIGHT, level_of, style_rules
from constrained.consistency.statistics import Component, Estimate, StudyPoint, VarianceComponents
from constrained.consistency.statistics.estimate import Array
from constrained.errors import MissingPackage

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["to_html", "write_html"]

PARTS = (
    ("variance", "Variance"),
    ("heat", "Heat map"),
    ("flaky", "Flakiest items"),
    ("prompts", "Prompts"),
    ("mark", "Pass mark"),
    ("study", "Averaging"),
    ("quality", "Data quality"),
)

VERDICTS = {
    "pass": ("Pass", "Every gate is kept, with the whole of its interval."),
    "fail": ("Fail", "At least one gate is broken, with the whole of its interval."),
    "not enough data": (
        "Not enough data",
        "No gate is broken for certain, but not all can be said to be kept.",
    ),
    None: ("No gates were set", "The numbers below are not held against any bound."),
}

ENVIRONMENT_ROWS = 40


def to_html(analysis: Analysis, comparison: Comparison | None = None) -> str:
    """The whole report as HTML: opens offline, prints, and reads without JavaScript.

    With a `comparison` to another run, its differences are a section of their own. Of more items
    than fit (12,000 cells in all), the heat maps show those that rooms move most. Raises
    `MissingPackage` without jinja2.
    """
    environment = _environment()
    rows = html_data.shown_rows(analysis)
    script = _template("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    safe = environment.filters["safe"]
    return environment.get_template("report.html").render(
        analysis=analysis,
        comparison=comparison,
        pages=[_page(analysis, judge, rows, safe) for judge in analysis.judges],
        facts=_facts(analysis),
        parts=_parts(analysis),
        verdict_title=VERDICTS[analysis.gates.verdict][0],
        verdict_line=VERDICTS[analysis.gates.verdict][1],
        judge_note=terms.table_note(
            e for j in analysis.judges for e in (j.summary.move, j.agreement.phi, j.components.mean)
        ),
        across_chart=safe(charts.component_chart(analysis.across)) if analysis.across else "",
        scale_low=terms.score(min(analysis.scale, default=math.nan)),
        scale_high=terms.score(max(analysis.scale, default=math.nan)),
        items_shown=len(rows),
        hidden_items=len(analysis.items) - len(rows),
        straddle=html_data.STRADDLE,
        environment=_environment_rows(analysis.methods.environment),
        style=safe(_style()),
        script=safe(script),
        script_digest=digest,
        data=safe(html_data.page_data(analysis, rows)),
        texts=safe(html_data.packed_texts(analysis, rows)),
    )


def write_html(path: str | Path, analysis: Analysis, comparison: Comparison | None = None) -> Path:
    """Write `to_html` to `path` (UTF-8) and return the path."""
    target = Path(path)
    target.write_text(to_html(analysis, comparison), encoding="utf-8")
    return target


@dataclass(frozen=True, slots=True)
class MapRow:
    """One item of a heat map; `cells` is markup."""

    item: str
    move: str
    order: float
    mean: float
    cells: str


@dataclass(frozen=True, slots=True)
class MapView:
    """One heat map as the template shows it."""

    name: str
    rows: tuple[MapRow, ...]
    means: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What the template shows of one judge beside the judge itself; charts are markup."""

    judge: Judge
    components: str
    maps: tuple[MapView, ...]
    flakiest: tuple[tuple[FlakyItem, str], ...]
    prompt_note: str
    removed: bool
    exact: bool
    mark: PassMark | None
    mark_index: int
    mark_note: str
    gate: int
    risk: float
    risk_low: float
    risk_high: float
    flips: str
    risks: str
    joint: tuple[tuple[float, tuple[tuple[str, str], ...]], ...]
    study: str
    study_keys: tuple[tuple[str, str], ...]
    study_designs: tuple[str, ...]
    study_table: tuple[tuple[int, tuple[StudyPoint, ...]], ...]


def _page(analysis: Analysis, judge: Judge, rows: tuple[int, ...], safe: Any) -> Page:
    index = _mark_index(analysis, judge)
    mark = judge.marks[index] if judge.marks else None
    gate = _gate_percent(analysis, mark)
    place = _gate_place(mark, gate)
    pass_mark = math.nan if analysis.pass_mark is None else analysis.pass_mark
    moves = html_data.item_moves(judge)
    draws = np.concatenate([m.draws.ravel() for m in judge.heat_maps])
    rooms = _room_estimates(analysis, judge)
    return Page(
        judge=judge,
        components=safe(charts.component_chart(judge.components)),
        maps=tuple(_map_view(analysis, judge, m, moves, rows, safe) for m in judge.heat_maps),
        flakiest=tuple(
            (item, safe(charts.flaky_dots(judge, item, analysis.scale, pass_mark)))
            for item in judge.flakiest
        ),
        prompt_note=terms.table_note(rooms),
        removed=any(not math.isnan(row.removed_mass) for row in judge.prompts),
        exact=bool(np.isinf(draws[draws > 0]).all()),
        mark=mark,
        mark_index=index,
        mark_note=terms.table_note(
            e for m in judge.marks for e in (m.pass_rate, m.flip, m.flip_again)
        ),
        gate=gate,
        risk=float(mark.gate_risk[place]) if mark else math.nan,
        risk_low=float(mark.risk_low[place]) if mark else math.nan,
        risk_high=float(mark.risk_high[place]) if mark else math.nan,
        flips=safe(charts.flip_chart(judge.marks, analysis.scale, mark.mark)) if mark else "",
        risks=safe(charts.risk_chart(mark, gate / 100)) if mark else "",
        joint=_joint(judge),
        study=safe(charts.study_chart(judge.study)),
        study_keys=tuple((name, kind) for name, kind, _ in charts.study_curves(judge.study)),
        study_designs=tuple(name for name, _, _ in charts.study_lines(judge.study)),
        study_table=_study_table(judge),
    )


def _room_estimates(analysis: Analysis, judge: Judge) -> list[Estimate]:
    """What the prompt table shows."""
    found: list[Estimate] = []
    for row in judge.prompts:
        found += [row.mean, row.severity, row.distance]
        found += [row.pass_rate] if analysis.pass_mark is not None else []
        found += [row.bias, row.kappa] if judge.gold else []
    return found


def _joint(judge: Judge) -> tuple[tuple[float, tuple[tuple[str, str], ...]], ...]:
    """(first answer's score, (colour class, words) for each score of the second) of pairs."""
    pairs = judge.pairwise
    if pairs is None:
        return ()
    most = float(np.nan_to_num(pairs.joint).max()) or 1.0

    def cell(share: float) -> tuple[str, str]:
        return _level_class(share, 0.0, most), "" if share < 0.0005 else terms.percent(share)

    return tuple(
        (value, tuple(map(cell, row)))
        for value, row in zip(pairs.scores, pairs.joint.tolist(), strict=True)
    )


def _study_table(judge: Judge) -> tuple[tuple[int, tuple[StudyPoint, ...]], ...]:
    """(prompts, its designs) by rising number of prompts, designs in the order of the curves."""
    columns = [points for _, _, points in charts.study_lines(judge.study)]
    return tuple((row[0].prompts, row) for row in zip(*columns, strict=True))


def _mark_index(analysis: Analysis, judge: Judge) -> int:
    """The mark that the slider starts at: the plan's, or the middle one."""
    if analysis.pass_mark is None:
        return len(judge.marks) // 2
    away = [abs(mark.mark - analysis.pass_mark) for mark in judge.marks]
    return away.index(min(away)) if away else 0


def _gate_percent(analysis: Analysis, mark: PassMark | None) -> int:
    """The pass rate that the second slider starts at: a gate's, or just below the expected rate."""
    for result in analysis.gates.results:
        if result.gate.at is not None:
            return round(100 * result.gate.at)
    if mark is None or not mark.pass_rate.known:
        return 80
    return max(0, min(100, round(100 * mark.pass_rate.value) - 5))


def _gate_place(mark: PassMark | None, gate: int) -> int:
    if mark is None:
        return 0
    above = np.nonzero(mark.gate_rates >= gate / 100 - 1e-9)[0]
    return int(above[0]) if above.size else mark.gate_rates.size - 1


def _map_view(
    analysis: Analysis,
    judge: Judge,
    heat_map: HeatMap,
    moves: Array,
    rows: tuple[int, ...],
    safe: Any,
) -> MapView:
    step = _step(analysis.scale)
    low, high = min(analysis.scale, default=0.0), max(analysis.scale, default=1.0)
    item_means = judge.item_means

    def cell(row: int, column: int) -> str:
        mean = float(heat_map.mean[row, column])
        kind = _level_class(mean, low, high)
        passing = float(heat_map.passing[row, column])
        if min(passing, 1.0 - passing) >= html_data.STRADDLE:
            kind += " straddle"
        stop = 0 if row == rows[0] and column == 0 else -1
        return (
            f'<td class="c {kind}" role="gridcell" tabindex="{stop}" data-column="{column}">'
            f"{terms.cell_score(mean, step)}</td>"
        )

    return MapView(
        name=_map_name(heat_map),
        rows=tuple(
            MapRow(
                analysis.items[row],
                terms.points(float(moves[row])),
                _or_zero(moves[row]),
                _or_zero(item_means[row]),
                safe("".join(cell(row, column) for column in range(len(analysis.prompts)))),
            )
            for row in rows
        ),
        means=tuple(terms.cell_score(_mean(column), 0.5) for column in heat_map.mean.T),
    )


def _level_class(value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return "missing"
    return f"s{level_of(value, low, high)}"


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else round(float(value), 6)


def _mean(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def _step(scale: tuple[float, ...]) -> float:
    return min(np.diff(scale).tolist(), default=1.0)


def _map_name(heat_map: HeatMap) -> str:
    order = {"ab": "first answer shown first", "ba": "second answer shown first"}
    parts = [heat_map.format, order.get(heat_map.order, heat_map.order)]
    return ", ".join(filter(None, parts)) or "all"


def _facts(analysis: Analysis) -> str:
    parts = [
        f"{terms.count(len(levels))} {name}{'' if len(levels) == 1 else 's'}"
        for name, levels in analysis.facets.items()
        if len(levels) > 1 or name in {"item", "prompt"}
    ]
    scale = f"scores from {terms.score(analysis.scale[0])} to {terms.score(analysis.scale[-1])}"
    mark = "" if analysis.pass_mark is None else f", pass mark {terms.score(analysis.pass_mark)}"
    return f" {terms.TIMES} ".join(parts) + (f" · {scale}{mark}" if analysis.scale else "")


def _parts(analysis: Analysis) -> list[tuple[str, str]]:
    first = analysis.judges[0]
    absent = {
        name for name, there in (("flaky", first.flakiest), ("mark", first.marks)) if not there
    }
    return [(part, name) for part, name in PARTS if part not in absent]


def _environment_rows(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What ran where, one level deep."""
    rows: list[tuple[str, str]] = []
    for name, value in environment.items():
        if isinstance(value, Mapping):
            shown = ", ".join(f"{key} {part}" for key, part in value.items())
        elif isinstance(value, list | tuple):
            shown = ", ".join(map(str, value))
        else:
            shown = str(value)
        rows.append((str(name).replace("_", " "), shown))
    return rows[:ENVIRONMENT_ROWS]


def _remarks(component: Component) -> str:
    parts = [component.estimate.reason]
    if component.truncated:
        parts.append(f"estimated as {terms.variance(component.raw)}, shown as 0")
    if component.includes_draw:
        parts.append("includes the draw: one draw per cell cannot tell them apart")
    return "; ".join(filter(None, parts))


def _component_estimates(components: VarianceComponents) -> list[Estimate]:
    return [component.estimate for component in components.components]


def _share(components: VarianceComponents, component: Component) -> float:
    return components.share(*component.effect)


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        install = "pip install 'constrained-lm[consistency]'"
        raise MissingPackage("jinja2", "an HTML report", install=install) from error
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("constrained.consistency.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["safe"] = Markup
    environment.globals.update(
        write=terms.write,
        points=terms.points,
        percent=terms.percent,
        ratio=terms.ratio,
        count=terms.count,
        duration=terms.duration,
        universes=terms.universes,
        table_note=terms.table_note,
        verdict_kind=terms.verdict_kind,
        verdict_glyph=terms.verdict_glyph,
        effect_name=terms.effect_name,
        score=terms.score,
        share=_share,
        root=charts.root,
        remarks=_remarks,
        components_estimates=_component_estimates,
        gate_form=terms.gate_form,
        map_name=_map_name,
        changes=changes.changes,
        change=changes.change,
        change_words=changes.change_words,
        inf=math.inf,
    )
    return environment


def _style() -> str:
    dark = f"@media screen and (prefers-color-scheme: dark) {{\n{style_rules(DARK)}\n}}"
    return f"{_template('report.css')}\n{style_rules(LIGHT)}\n{dark}\n"


def _template(name: str) -> str:
    source = files("constrained.consistency.report") / "templates" / name
    return source.read_text(encoding="utf-8")
