"""What the page shows of one judge beside the judge itself: charts, heat-map rows, start values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from constrained.consistency.analysis import Analysis, FlakyItem, HeatMap, Judge, PassMark
from constrained.consistency.analysis.marks import deciding
from constrained.consistency.report import html_charts as charts
from constrained.consistency.report import html_data, terms
from constrained.consistency.report.palette import level_of
from constrained.consistency.statistics import Estimate, StudyPoint
from constrained.consistency.statistics.estimate import Array

__all__ = ["MapRow", "MapView", "Page", "map_name", "page_of"]


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


def page_of(analysis: Analysis, judge: Judge, rows: tuple[int, ...], safe: Any) -> Page:
    """The view of one judge with the items `rows`; `safe` marks markup as such."""
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
    """The mark that the slider starts at: the one that decides as the plan's, or the middle one."""
    if analysis.pass_mark is None:
        return len(judge.marks) // 2
    place = deciding(judge.marks, analysis.pass_mark)
    return max(len(judge.marks) - 1, 0) if place is None else place


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
        name=map_name(heat_map),
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


def map_name(heat_map: HeatMap) -> str:
    """A heat map's format, order and numerical room, for people."""
    order = {"ab": "first answer shown first", "ba": "second answer shown first"}
    parts = [heat_map.format, order.get(heat_map.order, heat_map.order), heat_map.numerics]
    return ", ".join(filter(None, parts)) or "all"
