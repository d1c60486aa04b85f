"""The heat map of the report for a terminal: items under prompts, as blocks and numbers."""

from __future__ import annotations

import math

import numpy as np
from rich.cells import set_cell_size
from rich.console import Group, RenderableType
from rich.text import Text

from constrained.consistency.analysis import Analysis, HeatMap, Judge
from constrained.consistency.report import terms
from constrained.consistency.report.html_data import STRADDLE, item_moves
from constrained.consistency.report.palette import LIGHT, level_of, on_level
from constrained.consistency.report.terminal_text import BLOCKS, clean, short

__all__ = ["heat_table"]

NAME = 14
"""Columns of an item's name."""

COLUMN = 7
"""Columns of a cell."""

MOST_COLUMNS = 9
MOST_ITEMS = 12
"""What fits on a page; the HTML report has the rest, and a line says how much that is."""


def heat_table(analysis: Analysis, judge: Judge, width: int) -> RenderableType:
    """Expected scores as blocks and numbers; of many items the flakiest, as many prompts as fit."""
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
