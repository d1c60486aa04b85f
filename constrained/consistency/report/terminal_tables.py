"""The tables of the report for a terminal: parts of the variance, items, prompts, pairs."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from constrained.consistency.analysis import Analysis, Judge, Room
from constrained.consistency.report import terms
from constrained.consistency.report.html_charts import root
from constrained.consistency.report.terminal_text import bar, clean, short
from constrained.consistency.statistics import Estimate

__all__ = ["component_table", "flakiest_table", "pair_table", "plain_table", "room_table"]

BAR = 24
"""Columns of a full bar."""

NARROW = 64
"""A terminal below this shows less in its tables."""

MOST_FLAKY = 8
MOST_ROOMS = 12
"""What fits on a page; the HTML report has the rest."""

KIND_STYLES = {"item": "blue", "prompt": "yellow", "both": "magenta", "draw": "bright_black"}


def plain_table(*columns: tuple[str, str], header: bool = True) -> Table:
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


def component_table(judge: Judge, width: int) -> RenderableType:
    """Each part of the variance: a bar, its share, its standard deviation in points."""
    table = plain_table(
        ("", "left"), ("", "left"), ("share", "right"), ("points (interval)", "left")
    )
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


def flakiest_table(analysis: Analysis, judge: Judge, width: int) -> RenderableType:
    """The items that another room moves most."""
    table = plain_table(
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


def room_table(judge: Judge, width: int) -> RenderableType:
    """The prompts, those farthest from the average room first."""
    narrow = width < NARROW
    columns = [("prompt", "left"), ("mean", "right"), ("severity", "right")]
    columns += [] if narrow else [("distance", "right")]
    columns += [("bias", "right"), ("κ", "right")] if judge.gold else []
    table = plain_table(*columns)
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


def pair_table(judge: Judge) -> RenderableType:
    """What pairwise judging found."""
    pairs = judge.pairwise
    if pairs is None:
        return Text()
    table = plain_table(("", "left"), ("", "left"))
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
