"""The report for a terminal: 80 columns, readable without colour, in the order of the whole report.

Every number that colour shows is there as text too. Names and texts come from data, so control
characters in them are replaced: nothing in a report can move the cursor or change the screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from rich.cells import set_cell_size
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from constrained.consistency.analysis import Analysis, HeatMap, Judge, Room
from constrained.consistency.analysis.marks import deciding
from constrained.consistency.report import terms
from constrained.consistency.report.html_charts import root
from constrained.consistency.report.html_data import STRADDLE, item_moves
from constrained.consistency.report.palette import LIGHT, level_of, on_level
from constrained.consistency.report.terminal_text import BLOCKS, bar, clean, short, spark
from constrained.consistency.statistics import Estimate

__all__ = ["VERDICT_STYLES", "to_terminal"]

BAR = 24
"""Columns of a full bar."""

NAME = 14
"""Columns of an item's name in the heat map."""

COLUMN = 7
"""Columns of a cell of the heat map."""

NARROW = 64
"""A terminal below this shows less in its tables."""

MOST_COLUMNS = 9
MOST_ITEMS = 12
MOST_FLAKY = 8
MOST_ROOMS = 12
MOST_REASONS = 3
"""What fits on a page; the HTML report has the rest, and a line says how much that is."""

VERDICT_STYLES = {"pass": "bold cyan", "fail": "bold red", "unsure": "bold yellow", "none": "dim"}
KIND_STYLES = {"item": "blue", "prompt": "yellow", "both": "magenta", "draw": "bright_black"}


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
    'A teacher in another room would move a typical item by 1.5 points.'
    """
    judge = analysis.judges[0]
    parts: list[RenderableType] = [_head(analysis), *_gates(analysis), *_judges(analysis)]
    name = f" ({clean(judge.name)})" if len(analysis.judges) > 1 else ""
    parts += [
        *_section(f"Where scores vary{name}", _components(judge, width)),
        *_section("Items under prompts", _heat(analysis, judge, width)),
        *_section("Flakiest items", _flakiest(analysis, judge, width) if judge.flakiest else None),
        *_section("Prompts", _rooms(judge, width)),
        *_section("Two answers judged together", _pairs(judge) if judge.pairwise else None),
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


def _grid(*columns: tuple[str, str], header: bool = True) -> Table:
    """A table without lines; `columns` are (name, "left" or "right")."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=header)
    for name, side in columns:
        right = side == "right"
        table.add_column(
            name,
            justify="right" if right else "left",
            header_style="dim",
            no_wrap=right,
            overflow="fold",
        )
    return table


def _gates(analysis: Analysis) -> list[RenderableType]:
    if not analysis.gates.results:
        return []
    table = _grid(("verdict", "left"), ("gate", "left"), ("judge", "left"), ("measured", "left"))
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
    table = _grid(
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


def _components(judge: Judge, width: int) -> RenderableType:
    table = _grid(("", "left"), ("", "left"), ("share", "right"), ("points (interval)", "left"))
    table.columns[0].no_wrap = len(judge.components.facets) <= 3
    table.columns[1].no_wrap = True
    full = max(0, min(BAR, width - 56))
    reasons: list[Text] = []
    for component in judge.components.components:
        estimate = component.estimate
        share = judge.components.share(*component.effect)
        kind = terms.effect_kind(component.effect)
        sized = Estimate(root(estimate.value), root(estimate.low), root(estimate.high))
        known = terms.estimate_words(sized, "points") if estimate.known else "not known"
        name = terms.effect_name(component.effect) + " + draw" * component.includes_draw
        if not estimate.known:
            reasons.append(Text(f"{name}: {clean(estimate.reason)}", style="dim"))
        table.add_row(
            Text(name),
            Text(
                "" if math.isnan(share) else bar(share, full), style=KIND_STYLES.get(kind, "green")
            ),
            terms.percent(share),
            Text(clean(known)),
        )
    found = judge.agreement
    words = Text("one score: standard error ", style="default")
    unit = " points" if found.sem.known else ""
    words.append(f"{terms.estimate_words(found.sem, 'points')}{unit}", style="bold")
    if found.phi.known or found.phi.reason != found.sem.reason:
        words.append(f", Φ {terms.estimate_words(found.phi, 'ratio')}")
    return Group(table, *reasons, words)


def _heat(analysis: Analysis, judge: Judge, width: int) -> RenderableType:
    heat_map = judge.heat_maps[0]
    moves = item_moves(judge)
    rows = sorted(np.argsort(-np.nan_to_num(moves, nan=-1.0), kind="stable")[:MOST_ITEMS].tolist())
    fitting = max(1, (width - NAME - 2) // COLUMN)
    columns = range(min(len(analysis.prompts), MOST_COLUMNS, fitting))
    low, high = analysis.scale[0], analysis.scale[-1]
    head = Text(" " * NAME, style="dim")
    for column in columns:
        head.append(f"{column + 1:>5}  ")
    lines = [head]
    for row in rows:
        line = Text(set_cell_size(short(analysis.items[row], NAME - 1), NAME))
        for column in columns:
            line.append_text(_cell(heat_map, row, column, low, high))
        lines.append(line)
    names = "  ".join(f"{c + 1} {clean(analysis.prompts[c])}" for c in columns)
    notes = [f"Prompts: {names}"]
    if analysis.pass_mark is not None and any("*" in line.plain[NAME:] for line in lines):
        sure = terms.percent(STRADDLE)
        notes.append(
            f"* straddles the pass mark {analysis.pass_mark:g}: at least {sure} either side"
        )
    notes += _left_out(analysis, judge, heat_map, len(rows), len(columns))
    return Group(*lines, *(Text(note, style="dim") for note in notes))


def _left_out(
    analysis: Analysis, judge: Judge, shown: HeatMap, rows: int, columns: int
) -> list[str]:
    parts = []
    if rows < len(analysis.items):
        parts.append(f"the {rows} flakiest of {len(analysis.items):,} items")
    if columns < len(analysis.prompts):
        parts.append(f"{columns} of {len(analysis.prompts)} prompts")
    if len(judge.heat_maps) > 1:
        parts.append(f"format {clean(shown.format)} of {len(judge.heat_maps)}")
    return [f"Shown: {', '.join(parts)}; the HTML report has all."] if parts else []


def _cell(heat_map: HeatMap, row: int, column: int, low: float, high: float) -> Text:
    mean = float(heat_map.mean[row, column])
    if math.isnan(mean):
        return Text(f"    {terms.MISSING}  ", style="dim")
    level = level_of(mean, low, high)
    block = BLOCKS[min(level * len(BLOCKS) // 11, len(BLOCKS) - 1)]
    passing = float(heat_map.passing[row, column])
    mark = "*" if min(passing, 1.0 - passing) >= STRADDLE else " "
    words = f"{block}{mean:>4.1f}" if abs(mean) < 100 else f"{mean:>5.0f}"
    colour = f"{on_level(LIGHT, level)} on {LIGHT[level]}"
    cell = Text(f"{words}{mark}", style=colour)
    return cell.append(" ", style="default on default")


def _flakiest(analysis: Analysis, judge: Judge, width: int) -> RenderableType:
    table = _grid(
        ("item", "left"),
        ("mean", "right"),
        ("moves by", "right"),
        ("flips", "right"),
        *(() if width < NARROW else (("lowest in", "left"), ("highest in", "left"))),
    )
    for item in judge.flakiest[:MOST_FLAKY]:
        table.add_row(
            Text(short(item.item, 15)),
            terms.points(item.mean),
            terms.points(item.move),
            terms.percent(item.flip) if analysis.pass_mark is not None else terms.MISSING,
            *(
                ()
                if width < NARROW
                else (_place(item.low, item.low_room), _place(item.high, item.high_room))
            ),
        )
    return table


def _place(mean: float, room: Room) -> Text:
    return Text(f"{terms.points(mean)} {short(room, 13)}")


def _rooms(judge: Judge, width: int) -> RenderableType:
    narrow = width < NARROW
    columns = [("prompt", "left"), ("mean", "right"), ("severity", "right")]
    columns += [] if narrow else [("distance", "right")]
    columns += [("bias", "right"), ("κ", "right")] if judge.gold else []
    table = _grid(*columns)
    ranked = sorted(judge.prompts, key=lambda row: -_or_zero(row.distance.value))
    for row in ranked[:MOST_ROOMS]:
        severity = terms.points(row.severity.value)
        if row.severity.known and not narrow:
            severity = terms.estimate_words(row.severity, "points")
        cells = [terms.points(row.mean.value), severity]
        cells += [] if narrow else [terms.points(row.distance.value)]
        if judge.gold:
            cells += [terms.points(row.bias.value), terms.ratio(row.kappa.value)]
        table.add_row(Text(short(row.room, 10 if narrow else 22)), *cells)
    left = len(judge.prompts) - MOST_ROOMS
    if left <= 0:
        return table
    return Group(table, Text(f"{left} more lie nearer to the average room.", style="dim"))


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _pairs(judge: Judge) -> RenderableType:
    pairs = judge.pairwise
    if pairs is None:
        return Text()
    table = _grid(("", "left"), ("", "left"))
    rows: list[tuple[str, Estimate, terms.Form]] = [
        ("second answer relative to the first", pairs.ratio, "scaled"),
        ("the same as the mean of ratios", pairs.mean_ratio, "scaled"),
        ("points gained by being shown first", pairs.order_effect, "points"),
    ]
    if pairs.preferences:
        chosen = pairs.preferences
        rows += [
            ("first answer wins", chosen.win, "percent"),
            ("tie", chosen.tie, "percent"),
            ("second answer wins", chosen.loss, "percent"),
            ("orders name different winners", chosen.order_flip, "percent"),
        ]
    for name, estimate, form in rows:
        table.add_row(name, Text(clean(terms.estimate_words(estimate, form))))
    return table


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
