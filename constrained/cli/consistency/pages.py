"""Pages for a terminal: gates with their verdicts, and what changed between two runs."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from constrained.consistency.analysis import Analysis, Comparison, GateReport, JudgeDifference
from constrained.consistency.report import terms
from constrained.consistency.report.changes import change, change_words, changes
from constrained.consistency.report.terminal import VERDICT_STYLES
from constrained.consistency.report.terminal_text import clean

__all__ = ["comparison_page", "gate_page"]

MOST_CHANGED = 12
"""Items with another verdict that are named."""

ADVICE = "More items narrow the intervals, and so do more prompts; or set the bound elsewhere."


def gate_page(report: GateReport, analysis: Analysis) -> RenderableType:
    """The verdict, the sentence, and every gate with what was measured."""
    parts: list[RenderableType] = [verdict_line(report, analysis.title), Text()]
    parts.append(Text(clean(analysis.judges[0].summary.sentence)))
    for result in report.results:
        kind = terms.verdict_kind(result.verdict)
        line = Text(f"{terms.verdict_glyph(result.verdict)} ", style=VERDICT_STYLES[kind])
        line.append(str(result.gate), style="bold")
        line.append(f"  {clean(result.judge)}" if result.judge else "", style="default not bold")
        parts += [Text(), line, Padding(Text(clean(result.reason), style="dim"), (0, 0, 0, 2))]
    if report.verdict == "not enough data":
        parts += [Text(), Text(ADVICE, style="dim")]
    return Group(*parts)


def verdict_line(report: GateReport, title: str) -> Text:
    """The verdict of all gates in words."""
    kind = terms.verdict_kind(report.verdict)
    words = (report.verdict or "no gates").capitalize()
    line = Text(f"{terms.verdict_glyph(report.verdict)} {words}", style=VERDICT_STYLES[kind])
    return line.append(f"  {clean(title)}", style="default not bold")


def comparison_page(comparison: Comparison) -> RenderableType:
    """The second run against the first: every change with its reading, and changed verdicts."""
    first, second = clean(comparison.first), clean(comparison.second)
    title = second if first == second else f"{second} against {first}"
    parts: list[RenderableType] = [
        Text(title, style="bold"),
        Text(f"{len(comparison.items):,} items in both, paired; the second minus the first"),
    ]
    for judge in comparison.judges:
        parts += [Text(), *judge_page(judge, comparison.pass_mark)]
    notes = list(others(comparison))
    if notes:
        parts += [Text(), Text("What else differs", style="bold")]
        parts += [Padding(Text(clean(note)), (0, 0, 0, 2)) for note in notes]
    return Group(*parts)


def judge_page(judge: JudgeDifference, mark: float | None) -> Iterator[RenderableType]:
    """One pair of judges."""
    same = judge.first == judge.second
    name = judge.second if same else f"{judge.second} against {judge.first}"
    yield Text(clean(name), style="bold")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("what")
    table.add_column("change", justify="right", no_wrap=True)
    table.add_column("interval", justify="right", no_wrap=True)
    table.add_column("reading")
    for what, estimate, form, good in changes(judge):
        ends = f"{change(estimate.low, form)} to {change(estimate.high, form)}"
        table.add_row(
            what,
            change(estimate.value, form) if estimate.known else terms.MISSING,
            ends if estimate.bounded else "",
            clean(change_words(estimate, good) if estimate.known else estimate.reason),
        )
    yield Padding(table, (0, 0, 0, 2))
    if mark is None:
        return
    chance = f" (from nothing: {terms.percent(judge.chance)})" if judge.verdicts else ""
    yield Text(
        f"  {len(judge.verdicts):,} of {judge.items:,} items changed sides of the pass mark "
        f"{terms.score(mark)}{chance}"
    )
    for verdict in judge.verdicts[:MOST_CHANGED]:
        now = "passes" if verdict.now_passes else "fails"
        before, after = terms.points(verdict.before), terms.points(verdict.after)
        yield Text(f"    {clean(verdict.item)}: {before} before, {after} now, {now}")
    if len(judge.verdicts) > MOST_CHANGED:
        yield Text(f"    and {len(judge.verdicts) - MOST_CHANGED:,} more", style="dim")


def others(comparison: Comparison) -> Iterator[str]:
    """What keeps the runs from being alike."""
    for alone, which in ((comparison.only_first, "first"), (comparison.only_second, "second")):
        if alone:
            yield f"{len(alone):,} items are in the {which} run only"
    yield from comparison.differences
