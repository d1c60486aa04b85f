"""`analyse`: from the store of a run to its `Analysis`; reads records and the plan, no model."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from constrained.consistency.analysis.analysing import NOTES, analyse_grid
from constrained.consistency.analysis.columns import axis_levels, grid_of_columns, label
from constrained.consistency.analysis.gates import GateLike
from constrained.consistency.analysis.grid import AXES, Grid
from constrained.consistency.analysis.judges import Settings
from constrained.consistency.analysis.results import Analysis, Methods
from constrained.consistency.plan.checks import check_pass_mark
from constrained.consistency.statistics.estimate import Array
from constrained.consistency.store import Columns, Store
from constrained.errors import RecordError

if TYPE_CHECKING:
    from constrained.consistency.plan import Plan

__all__ = ["analyse"]

MOST_DRAWN = 5_000
"""Cells with draws up to which the texts of all of them are looked at."""

MOST_FAILING = 100
"""Items with failures whose reasons are looked up in larger runs."""

LONGEST_TEXT = 600
TEXTS_PER_CELL = 3


def analyse(
    source: Store | str | Path,
    *,
    pass_mark: float | None = None,
    scale: Sequence[float] | None = None,
    where: Mapping[str, Any] | None = None,
    gold: Mapping[str, float] | None = None,
    gates: Mapping[str, Any] | Iterable[GateLike] | None = None,
    title: str | None = None,
    **settings: Any,
) -> Analysis:
    """Everything that a report shows of a store, or of the store in a file.

    `pass_mark`, `scale`, `gold` (by item) and `gates` are those of the plan unless given. `where`
    keeps some levels of some facets: ``{"variant": "scorer", "temperature": [1.0]}``. `settings`
    are those of `Settings` (replicates, seed, level, target, flakiest, fixed_rooms, noun). Raises
    `RecordError` when the store is damaged or has no cell, and for a level that it does not have;
    `InvalidSpec` for a pass mark that no score or every score of the plan's format reaches.

    >>> from tempfile import mkdtemp
    >>> from constrained.consistency.records import Address, CellRecord
    >>> path = Path(mkdtemp()) / "run.db"
    >>> with Store(path) as store:
    ...     _ = store.put(
    ...         CellRecord(f"{prompt}{item}", Address(item, prompt), "exact", (0.0, 1.0), chances)
    ...         for item in ("e1", "e2")
    ...         for prompt, chances in (("plain", (1.0, 0.0)), ("kind", (0.0, 1.0)))
    ...     )
    >>> analyse(path, pass_mark=1).judges[0].summary.flip.value
    1.0
    """
    opened = Store(source, create=False) if isinstance(source, (str, Path)) else None
    store = opened if opened is not None else _store(source)
    with closing(opened) if opened is not None else nullcontext():
        columns = store.columns()
        if not len(columns):
            raise RecordError(f"{store.path}: no cell is stored yet (run the plan first)")
        plan = store.plan()
        levels = axis_levels(columns, plan.levels if plan else {}, where or {})
        known = scale if scale is not None else (plan.scale if plan and plan.scale else ())
        grid = grid_of_columns(columns, levels, scale=known, wanted=_wanted(plan, levels))
        grid = _with_texts(store, columns, grid, levels)
        environments = store.environments()
    mark = pass_mark if pass_mark is not None else (plan.pass_mark if plan else None)
    if mark is not None and plan is not None and math.isfinite(mark):
        check_pass_mark(mark, sorted({*plan.rubric, *known}) if plan.rubric else ())
    chosen = Settings(pass_mark=mark, **settings)
    environment = environments[-1] if environments else {}
    items = [str(level) for level in levels["item"]]
    return analyse_grid(
        grid,
        gold=_gold(plan, gold, items),
        gates=gates if gates is not None else (plan.gates if plan else ()),
        title=title if title is not None else (plan.name if plan else store.path.stem),
        settings=chosen,
        methods=Methods(
            chosen.replicates,
            chosen.seed,
            chosen.level,
            plan.digest if plan else "",
            str(environment.get("command", "")),
            environment,
            (*NOTES, *_places(environments)),
        ),
        item_texts=_item_texts(plan),
        prompt_texts=_prompt_texts(plan),
    )


def _store(source: Any) -> Store:
    if isinstance(source, Store):
        return source
    raise RecordError(f"{source!r} is neither a store nor the path of one")


def _wanted(
    plan: Plan | None, levels: Mapping[str, tuple[Any, ...]]
) -> npt.NDArray[np.bool_] | None:
    """Which cells the plan asks for; None when it asks for all of them, or there is no plan."""
    if plan is None:
        return None
    partial = plan.grid.include or plan.grid.exclude or plan.grid.share < 1 or plan.part
    if not partial:
        return None
    at = [{level: place for place, level in enumerate(levels[axis])} for axis in AXES]
    wanted = np.zeros(tuple(len(levels[axis]) for axis in AXES), dtype=np.bool_)
    for cell in plan.cells():
        found = [
            place.get(getattr(cell.address, axis)) for axis, place in zip(AXES, at, strict=True)
        ]
        if None not in found:
            wanted[tuple(found)] = True
    return wanted


def _gold(plan: Plan | None, given: Mapping[str, float] | None, items: Sequence[str]) -> Array:
    """Gold scores by item; a pair of them as first minus second, NaN where there is none."""
    known: dict[str, Any] = dict(given or {})
    if given is None and plan is not None:
        known = {item.id: item.gold for item in plan.items if item.gold is not None}
    single = {
        item: gold[0] - gold[1] if isinstance(gold, (tuple, list)) else float(gold)
        for item, gold in known.items()
    }
    return np.array([single.get(item, np.nan) for item in items], dtype=np.float64)


def _places(environments: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    if len(environments) < 2:
        return ()
    return (f"The cells were scored in {len(environments)} environments; the last one is shown.",)


def _item_texts(plan: Plan | None) -> dict[str, str]:
    """What each item holds: its only field, or all of them as JSON; items without text left out."""
    texts = {}
    for item in plan.items if plan else ():
        fields = {name: value for name, value in item.fields.items() if value != ""}
        if len(fields) == 1 and isinstance(only := next(iter(fields.values())), str):
            texts[item.id] = only
        elif fields:
            texts[item.id] = json.dumps(fields, ensure_ascii=False)
    return texts


def _prompt_texts(plan: Plan | None) -> dict[str, str]:
    """The wordings by name; imported scores come without."""
    if plan is None or plan.scoring.kind == "imported":
        return {}
    return {
        wording.name: wording.text
        if wording.system is None
        else f"[system] {wording.system}\n\n{wording.text}"
        for wording in plan.prompts
    }


def _with_texts(
    store: Store, columns: Columns, grid: Grid, levels: Mapping[str, tuple[Any, ...]]
) -> Grid:
    """The grid with reasons of failures, and with some of the model's own texts in small runs.

    Columns count failures; why they failed stands in the records, which are read for all cells with
    draws when these are few, else for the first items with failures.
    """
    drawn = np.unique(columns.draw_cell)
    failing = np.nonzero(columns.failures)[0]
    looked = drawn if drawn.size <= MOST_DRAWN else failing
    items = np.unique(columns.codes["item"][looked])
    if drawn.size > MOST_DRAWN:
        items = items[:MOST_FAILING]
    at = [{level: place for place, level in enumerate(levels[axis])} for axis in AXES]
    reasons: dict[tuple[str, str], Counter[str]] = {}
    texts: dict[tuple[int, ...], tuple[str, ...]] = {}
    names = [columns.names["item"][code] for code in items]
    for start in range(0, len(names), 500):
        for record in store.records({"item": names[start : start + 500]}):
            address = record.address
            place = [p.get(getattr(address, axis)) for axis, p in zip(AXES, at, strict=True)]
            if None in place:
                continue
            judge = (address.variant, label(address.temperature))
            counted = reasons.setdefault(judge, Counter())
            counted.update(d.failure or "no score" for d in record.draws if d.score is None)
            said = [draw.text for draw in record.draws if draw.text][:TEXTS_PER_CELL]
            if said and drawn.size <= MOST_DRAWN:
                texts[tuple(p for p in place if p is not None)] = tuple(map(_short, said))
    for judge, total in _failures_by_judge(columns, levels).items():
        named = reasons.setdefault(judge, Counter())
        if total > named.total():
            named["not looked up"] = total - named.total()
    return replace(grid, failures={j: dict(c) for j, c in reasons.items() if c}, texts=texts)


def _failures_by_judge(
    columns: Columns, levels: Mapping[str, tuple[Any, ...]]
) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    if not columns.failures.any():
        return found
    inside = np.ones(len(columns), dtype=np.bool_)
    for axis in AXES:
        kept = set(levels[axis])
        known = np.array([name in kept for name in columns.names[axis]], dtype=np.bool_)
        inside &= known[columns.codes[axis]]
    rows = np.nonzero(inside & (columns.failures > 0))[0]
    for row in rows.tolist():
        variant = columns.names["variant"][columns.codes["variant"][row]]
        temperature = columns.names["temperature"][columns.codes["temperature"][row]]
        judge = (str(variant), label(temperature))
        found[judge] = found.get(judge, 0) + int(columns.failures[row])
    return found


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 3] + "..."
