"""The charts of one judge: components, flip rates, gate risk, D-study, and dots of flaky items."""

from __future__ import annotations

import math
from collections.abc import Sequence

from constrained.consistency.analysis import FlakyItem, Judge, PassMark, Study
from constrained.consistency.report.svg import (
    Bar,
    Frame,
    Line,
    component_bars,
    line_chart,
    strip,
    ticks,
)
from constrained.consistency.report.terms import effect_kind, effect_name, points
from constrained.consistency.statistics import StudyPoint, VarianceComponents

__all__ = [
    "component_chart",
    "flaky_dots",
    "flip_chart",
    "risk_chart",
    "root",
    "study_chart",
    "study_curves",
    "study_lines",
]

DESIGNS = ("item", "other", "both", "prompt", "draw")
"""Colours of the D-study's designs, one per number of draws."""

CURVES = 3
"""Curves that can be told apart; the table has the other designs."""


def root(value: float) -> float:
    """The standard deviation of a variance; below 0 counts as 0."""
    return value if math.isnan(value) else math.sqrt(max(value, 0.0))


def component_chart(components: VarianceComponents) -> str:
    """Shares of the variance and each part's standard deviation in points, with its interval."""
    bars: list[Bar] = []
    for component in components.components:
        estimate = component.estimate
        kind = effect_kind(component.effect, sum(b.kind.startswith("other") for b in bars))
        low, high = (root(end) for end in (estimate.low, estimate.high))
        note = f"{points(root(estimate.value))} points"
        if estimate.bounded:
            note = f"{points(root(estimate.value))} ({points(low)} to {points(high)})"
        name = effect_name(component.effect) + (" + draw" if component.includes_draw else "")
        share = components.share(*component.effect)
        bars.append(
            Bar(name, kind, share, root(estimate.value), low, high, note if estimate.known else "")
        )
    said = ", ".join(f"{b.name} {b.share:.0%}" for b in bars if not math.isnan(b.share))
    return component_bars(
        bars,
        "standard deviation in score points, with its interval",
        f"Parts of the variance of a single score: {said}",
    )


def flip_chart(marks: Sequence[PassMark], scale: Sequence[float], mark: float) -> str:
    """Flip rates over pass marks, in another room and in the same room."""
    x = [m.mark for m in marks]
    lines = [
        Line("same room", "draw", x, [m.flip_again.value for m in marks], dots=len(x) <= 40),
        Line("another room", "prompt", x, [m.flip.value for m in marks], dots=len(x) <= 40),
    ]
    frame = Frame(min(x), max(x), 0.0, _top([v for line in lines for v in line.y]))
    return line_chart(
        lines,
        frame,
        "Flip rate at every pass mark",
        x_name="pass mark",
        y_name="flip rate",
        percent=True,
        marker=mark,
        x_ticks=_score_ticks(x, scale),
    )


def _score_ticks(marks: Sequence[float], scale: Sequence[float]) -> Sequence[float]:
    if len(marks) <= 12:
        return marks
    return ticks(min(scale), max(scale), 8)


def _top(values: Sequence[float]) -> float:
    """The end of an axis of shares that starts at 0: a round number above the highest."""
    most = max([v for v in values if math.isfinite(v)], default=1.0)
    for top in (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8):
        if most <= top * 0.98:
            return top
    return 1.0


def risk_chart(mark: PassMark, gate: float) -> str:
    """The probability of missing each required pass rate: random, safest and riskiest room."""
    rates = mark.gate_rates.tolist()
    lines = [
        Line("riskiest room", "both", rates, mark.risk_high.tolist(), steps=True),
        Line("safest room", "other", rates, mark.risk_low.tolist(), steps=True),
        Line("average room", "item", rates, mark.gate_risk.tolist(), steps=True),
    ]
    return line_chart(
        lines,
        Frame(0.0, 1.0, 0.0, 1.0),
        "Probability of missing each required pass rate with nothing changed",
        x_name="required pass rate, %",
        y_name="risk of missing it",
        percent=True,
        marker=gate,
        x_ticks=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        x_percent=True,
    )


def study_lines(study: Study) -> list[tuple[str, str, list[StudyPoint]]]:
    """(name, colour, points by rising number of prompts) for each number of draws, most first."""
    found = []
    draws = sorted({p.draws for p in study.points}, reverse=True)
    for place, n in enumerate(draws[: len(DESIGNS)]):
        name = "expected score" if math.isinf(n) else f"{n:g} draws"
        chosen = sorted((p for p in study.points if p.draws == n), key=lambda p: p.prompts)
        found.append((name if n != 1 else "1 draw", DESIGNS[place], chosen))
    return found


def study_curves(study: Study) -> list[tuple[str, str, list[StudyPoint]]]:
    """Those of `study_lines` that are drawn: the most draws, and the fewest."""
    found = study_lines(study)
    return found if len(found) <= CURVES else [found[0], *found[1 - CURVES :]]


def study_chart(study: Study) -> str:
    """Phi of an average over prompts, with the target line."""
    lines = [
        Line(name, kind, [float(p.prompts) for p in chosen], [p.phi for p in chosen], dots=True)
        for name, kind, chosen in study_curves(study)
    ]
    x = [v for line in lines for v in line.x] or [1.0, 2.0]
    known = [v for line in lines for v in line.y if math.isfinite(v)]
    bottom = math.floor(10 * min([*known, study.target]) - 0.2) / 10
    return line_chart(
        lines,
        Frame(min(x), max(x), min(max(bottom, 0.0), 0.8), 1.0),
        f"Dependability of an average over prompts; the line is the target of {study.target:g}",
        x_name="prompts averaged",
        y_name="Φ",
        level=study.target,
        level_name=f"target {study.target:g}",
        x_ticks=sorted(set(x)),
        marker=study.needed.value if study.needed.known else math.nan,
    )


def flaky_dots(judge: Judge, item: FlakyItem, scale: Sequence[float], mark: float) -> str:
    """Every room's expected score of one item."""
    scores = [float(v) for m in judge.heat_maps for v in m.mean[item.row].tolist()]
    said = f"expected scores from {points(item.low)} to {points(item.high)}"
    return strip(scores, min(scale), max(scale), mark, said)
