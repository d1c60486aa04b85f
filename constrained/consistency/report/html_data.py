"""What the page's script needs, as JSON: cells, pass marks, and the texts, packed.

Both are read back by `JSON.parse` from elements that hold data, never by an interpreter of
scripts, and hold no `<`, so nothing in them can end their element.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from constrained.consistency.analysis import Analysis, HeatMap, Judge, PassMark
from constrained.consistency.report.terms import percent
from constrained.consistency.statistics.estimate import Array
from constrained.visible import visible

__all__ = ["MOST_CELLS", "STRADDLE", "item_moves", "packed_texts", "page_data", "shown_rows"]

MOST_CELLS = 12_000
"""Cells that the page holds in all heat maps together; of more items, the flakiest are shown."""

STRADDLE = 0.1
"""A cell straddles the mark when at least this probability lies on either side of it."""

UNIT = 100_000
"""Probabilities are written as whole parts of this many: a hundred-thousandth is plenty to draw."""

LONGEST_TEXT = 6_000
"""Characters of one text that the page keeps."""

MOST_TEXT = 1_500_000
"""Characters of all the model's own texts together."""


def shown_rows(analysis: Analysis) -> tuple[int, ...]:
    """The items that the heat maps show: all of them, or those that rooms move most."""
    columns = sum(len(analysis.prompts) * len(judge.heat_maps) for judge in analysis.judges)
    room = max(MOST_CELLS // max(columns, 1), 1)
    if len(analysis.items) <= room:
        return tuple(range(len(analysis.items)))
    moves = np.max([np.nan_to_num(item_moves(j), nan=-1.0) for j in analysis.judges], axis=0)
    return tuple(sorted(int(row) for row in np.argsort(-moves, kind="stable")[:room]))


def item_moves(judge: Judge) -> Array:
    """Each item's spread over rooms: the highest expected score minus the lowest; (items,)."""
    cells = np.concatenate([m.mean for m in judge.heat_maps], axis=1)
    seen = ~np.isnan(cells)
    top = np.where(seen, cells, -np.inf).max(axis=1, initial=-np.inf)
    bottom = np.where(seen, cells, np.inf).min(axis=1, initial=np.inf)
    return np.where(seen.sum(axis=1) > 1, top - bottom, np.nan)


def page_data(analysis: Analysis, rows: Sequence[int]) -> str:
    """The JSON that the script reads at once; cells in the order of `rows`."""
    kept = list(rows)
    return to_json(
        {
            "items": [visible(analysis.items[row]) for row in rows],
            "prompts": [visible(name) for name in analysis.prompts],
            "scale": [_plain(score) for score in analysis.scale],
            "mark": _plain(analysis.pass_mark),
            "straddle": STRADDLE,
            "gold": [_plain(analysis.gold[row]) if analysis.gold.size else None for row in rows],
            "judges": [
                {
                    "name": visible(judge.name) if len(analysis.judges) > 1 else "",
                    "maps": [_map(heat_map, kept) for heat_map in judge.heat_maps],
                    "marks": [_mark(mark) for mark in judge.marks],
                }
                for judge in analysis.judges
            ],
        }
    )


def to_json(value: Any) -> str:
    """JSON that cannot end a script element: every ``<`` is spelled as an escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _plain(value: float | None, digits: int = 6) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    number = round(float(value), digits)
    return int(number) if number.is_integer() else number


def _numbers(values: Array, digits: int) -> list[float | int | None]:
    return [_plain(value, digits) for value in values.ravel().tolist()]


def _map(heat_map: HeatMap, rows: list[int]) -> dict[str, Any]:
    shares = np.round(heat_map.probabilities[rows] * UNIT)
    flat = shares.reshape(-1, shares.shape[-1])
    known = ~np.isnan(flat.sum(axis=1))
    draws = np.where(np.isinf(heat_map.draws), -1.0, heat_map.draws)[rows]
    return {
        "format": visible(heat_map.format),
        "order": visible(", ".join(filter(None, [heat_map.order, heat_map.numerics]))),
        "mean": _numbers(heat_map.mean[rows], 4),
        "sd": _numbers(heat_map.sd[rows], 4),
        "draws": _numbers(draws, 0),
        "removed": _numbers(heat_map.removed_mass[rows], 9),
        "p": [
            list(map(int, line)) if there else None
            for line, there in zip(np.nan_to_num(flat).tolist(), known.tolist(), strict=True)
        ],
    }


def _mark(mark: PassMark) -> dict[str, Any]:
    return {
        "mark": _plain(mark.mark),
        "shown": {
            "pass": percent(mark.pass_rate.value),
            "flip": percent(mark.flip.value),
            "again": percent(mark.flip_again.value),
            "straddle": percent(mark.straddle.value),
            "safe": percent(mark.safe_gate),
        },
        "rates": _numbers(mark.gate_rates, 6),
        "risk": _numbers(mark.gate_risk, 6),
        "low": _numbers(mark.risk_low, 6),
        "high": _numbers(mark.risk_high, 6),
    }


def packed_texts(analysis: Analysis, rows: Sequence[int]) -> str:
    """Item texts, prompt wordings and some of the model's texts: zlib and base64 of JSON.

    Each text is there once, whatever the number of cells that use it.
    """
    names = [analysis.items[row] for row in rows]
    texts = {
        "items": {
            visible(n): _clip(analysis.item_texts[n]) for n in names if n in analysis.item_texts
        },
        "prompts": {visible(name): _clip(text) for name, text in analysis.prompt_texts.items()},
        "written": _written(analysis, rows),
    }
    return base64.b64encode(zlib.compress(to_json(texts).encode("utf-8", "replace"), 9)).decode(
        "ascii"
    )


def _written(analysis: Analysis, rows: Sequence[int]) -> dict[str, list[str]]:
    places = {row: place for place, row in enumerate(rows)}
    found: dict[str, list[str]] = {}
    left = MOST_TEXT
    for j, judge in enumerate(analysis.judges):
        for m, heat_map in enumerate(judge.heat_maps):
            for (row, column), texts in sorted(heat_map.texts.items()):
                if row not in places or left <= 0:
                    continue
                kept = [_clip(text) for text in texts]
                left -= sum(map(len, kept))
                found[f"{j} {m} {places[row]} {column}"] = kept
    return found


def _clip(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} […]"
