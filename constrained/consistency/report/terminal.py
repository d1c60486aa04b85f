"""The report for a terminal: 80 columns, readable without colour, in the order of the whole report.

Every number that colour shows is there as text too. Names and texts come from data, so control
characters in them are replaced: nothing in a report can move the cursor or change the screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from constrained.consistency.analysis import Analysis, Judge
from constrained.consistency.analysis.marks import deciding
from constrained.consistency.report import terms
from constrained.consistency.report.terminal_heat import heat_table
from constrained.consistency.report.terminal_tables import (
    component_table,
    flakiest_table,
    pair_table,
    plain_table,
    room_table,
)
from constrained.consistency.report.terminal_text import clean, short, spark

__all__ = ["VERDICT_STYLES", "to_terminal"]

MOST_REASONS = 3
"""Reasons of failures that are named."""

VERDICT_STYLES = {"pass": "bold cyan", "fail": "bold red", "unsure": "bold yellow", "none": "dim"}


def to_terminal(analysis: Analysis, width: int = 80) -> RenderableType:
    """The report as a page for rich's console: `rich.print(to_terminal(analysis))`.

    Fits `width` columns; below 64 some columns of the tables are left out. Details are those of the
    first judge; of many items the flakiest are shown.

    >>> from rich.console import Console
    >>> from constrained.consistency.analysis import analyse_draws
    >>> console = Console(width=80)
    >>> with console.capture() as page:
    ...     console.print(to_terminal(analyse_draws([[[1], [2]], [[3], [5]]])))
    >>> page.get().splitlines()[3].strip()
    'A teacher in another room would move a typical item by 1.5 points (how much of'
    """
    judge = analysis.judges[0]
    parts: list[RenderableType] = [_head(analysis), *_gates(analysis), *_judges(analysis)]
    name = f" ({clean(judge.name)})" if len(analysis.judges) > 1 else ""
    parts += [
        *_section(f"Where scores vary{name}", component_table(judge, width)),
        *_section("Items under prompts", heat_table(analysis, judge, width)),
        *_section(
            "Flakiest items", flakiest_table(analysis, judge, width) if judge.flakiest else None
        ),
        *_section("Prompts", room_table(judge, width)),
        *_section("Two answers judged together", pair_table(judge) if judge.pairwise else None),
        *_section("Pass mark", _marks(analysis, judge)),
        *_section("Averaging", _study(judge)),
        *_section("Methods", _methods(analysis, judge)),
    ]
    return Group(*parts)


def _section(title: str, content: RenderableType | None) -> list[RenderableType]:
    if content is None:
        return []
    return [Text(), Text(title, style="bold"), Padding(content, (0, 0, 0, 2))]


def _head(analysis: Analysis) -> RenderableType:
    verdict = analysis.gates.verdict
    kind = terms.verdict_kind(verdict)
    words = (verdict or "no gates were set").capitalize()
    first = Text(f"{terms.verdict_glyph(verdict)} {words}", style=VERDICT_STYLES[kind])
    if analysis.title:
        first.append(f"  {clean(analysis.title)}", style="default not bold")
    sizes = f" {terms.TIMES} ".join(
        f"{len(levels)} {name}{'s' * (len(levels) != 1)}"
        for name, levels in analysis.facets.items()
        if len(levels) > 1 or name in ("item", "prompt")
    )
    summary = analysis.judges[0].summary
    return Group(
        first, Text(f"  {sizes}", style="dim"), Text(), Text(clean(summary.sentence), style="bold")
    )


def _gates(analysis: Analysis) -> list[RenderableType]:
    if not analysis.gates.results:
        return []
    table = plain_table(
        ("verdict", "left"), ("gate", "left"), ("judge", "left"), ("measured", "left")
    )
    for result in analysis.gates.results:
        kind = terms.verdict_kind(result.verdict)
        sign = f"{terms.verdict_glyph(result.verdict)} {result.verdict}"
        table.add_row(
            Text(sign, style=VERDICT_STYLES[kind]),
            Text(clean(result.gate)),
            Text(short(result.judge, 16)),
            Text(clean(terms.estimate_words(result.estimate, terms.gate_form(result.gate.name)))),
        )
    return _section("Gates", table)


def _judges(analysis: Analysis) -> list[RenderableType]:
    if len(analysis.judges) < 2:
        return []
    table = plain_table(
        ("judge", "left"), ("another room moves", "right"), ("draw", "right"), ("flips", "right")
    )
    for judge in analysis.judges:
        s = judge.summary
        table.add_row(
            Text(short(judge.name, 24)),
            terms.estimate_words(s.move, "points"),
            terms.write(s.move_again.value, "points"),
            terms.write(s.flip.value, "percent"),
        )
    return _section("Judges", table)


def _marks(analysis: Analysis, judge: Judge) -> RenderableType | None:
    flips = [mark.flip.value for mark in judge.marks]
    if all(math.isnan(flip) for flip in flips):
        return None
    line = Text("flip rate by mark  ")
    line.append(spark(flips), style="yellow")
    first, last = judge.marks[0].mark, judge.marks[-1].mark
    most = max((f for f in flips if not math.isnan(f)), default=math.nan)
    line.append(
        f"  {terms.score(first)} to {terms.score(last)}, at most {terms.percent(most)}", "dim"
    )
    if analysis.pass_mark is None:
        return line
    place = deciding(judge.marks, analysis.pass_mark)
    if place is None:
        return Group(line, Text(f"no score reaches the mark {analysis.pass_mark:g}"))
    mark = judge.marks[place]
    words = [
        f"mark {analysis.pass_mark:g}: {terms.percent(mark.pass_rate.value)} pass",
        f"another room flips {terms.percent(mark.flip.value)}",
    ]
    if mark.flip_again.known:
        words.append(f"the same room {terms.percent(mark.flip_again.value)}")
    safe = f"a gate on the pass rate is safe up to {terms.percent(mark.safe_gate)} (risk 5 %)"
    return Group(line, Text(", ".join(words)), Text(safe))


def _study(judge: Judge) -> RenderableType:
    study = judge.study
    lines = [Text(clean(study.advice))]
    draws = (
        study.cheapest.draws
        if study.cheapest
        else max((p.draws for p in study.points), default=1.0)
    )
    chosen = [p for p in study.points if p.draws == draws and not math.isnan(p.phi)]
    if chosen:
        each = "exact" if math.isinf(draws) else f"{draws:g} draw{'s' * (draws != 1)} each"
        row = Text(f"Φ by prompts, {each}  ", style="dim")
        for p in chosen:
            style = "bold not dim" if p.phi >= study.target else "not dim"
            row.append(f"{p.prompts}: {terms.ratio(p.phi)}  ", style=style)
        lines.append(row)
    return Group(*lines)


def _methods(analysis: Analysis, judge: Judge) -> RenderableType:
    quality = judge.quality
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in quality.kinds.items())
    lines = [f"cells {quality.present:,} of {quality.planned:,}{f' ({kinds})' if kinds else ''}"]
    if quality.failures:
        lines.append(f"draws without a score {_reasons(quality.failures)}")
    if not math.isnan(quality.removed_mass):
        outside = f"mass outside the format {terms.percent(quality.removed_mass)} on average"
        lines.append(f"{outside}, {terms.percent(quality.removed_mass_most)} at most")
    if not math.isnan(quality.numerics_floor):
        lines.append(f"numerics floor {quality.numerics_floor:.2g}")
    if judge.numerics is not None and judge.numerics.pairs:
        most = max(judge.numerics.pairs, key=lambda pair: pair.probability)
        lines.append(
            f"arithmetic alone moves a score's probability by at most {most.probability:.2g} "
            f"({most.one} against {most.other})"
        )
    lines += _universes(judge)
    lines += [*quality.notes, *analysis.methods.notes]
    parts = [Text(clean(line)) for line in lines]
    if analysis.methods.command:
        parts.append(Text(f"repeat: {clean(analysis.methods.command)}", style="bold"))
    return Group(*parts)


def _reasons(failures: Mapping[str, int]) -> str:
    """How many draws failed, and the commonest reasons."""
    ranked = sorted(failures.items(), key=lambda found: -found[1])
    named = [f"{why} ({times:,})" for why, times in ranked[:MOST_REASONS]]
    left = len(ranked) - MOST_REASONS
    more = [f"{left:,} other reasons"] if left > 0 else []
    return f"{sum(failures.values()):,}: {'; '.join([*named, *more])}"


def _universes(judge: Judge) -> Iterable[str]:
    """What the intervals of the page are for, by what has them."""
    found = {
        "another room": [judge.summary.move, judge.summary.flip],
        "standard error and Φ": [judge.agreement.sem, judge.agreement.phi],
        "severity": [row.severity for row in judge.prompts],
    }
    said: dict[str, list[str]] = {}
    for what, estimates in found.items():
        if universe := terms.universes(estimates):
            said.setdefault(universe, []).append(what)
    return [f"{', '.join(names)}: {universe}" for universe, names in said.items()]
