"""`import_scores`: imported scores into a store, with a plan that says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from constrained.consistency.importing.imported import Imported
from constrained.consistency.plan import Plan
from constrained.consistency.store import Store
from constrained.errors import InvalidSpec, RecordError

__all__ = ["import_scores", "imported_plan"]

BATCH = 10_000
"""Records that are made at a time."""

PAIR = ("answer_a", "answer_b")
"""The names of the two answers of a pairwise judgement in the plan; their texts are not known."""


def import_scores(
    store: str | Path | Store,
    imported: Imported,
    *,
    name: str = "",
    pass_mark: float | None = None,
    gates: Mapping[str, Any] | None = None,
) -> int:
    """Store imported scores, so that they can be analysed, compared and gated like a run's.

    The store gets the gold scores, the scale, the pass mark and the gates as well; where the scores
    come from and what could not be read stands in the report's methods. `name` is the report's
    title. Importing the same again changes nothing. Gives the number of cells that were new.

    Raises `RecordError` when the store holds something else already.

    >>> import_scores("rooms.db", read_csv("rooms.csv", rooms=["a", "b"]))  # doctest: +SKIP
    160
    """
    plan = imported_plan(imported, name=name, pass_mark=pass_mark, gates=gates)
    if not isinstance(store, Store):
        with Store(store) as opened:
            return _put(opened, imported, plan)
    return _put(store, imported, plan)


def imported_plan(
    imported: Imported,
    *,
    name: str = "",
    pass_mark: float | None = None,
    gates: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan that imported scores are stored with: their levels, and the scores that occur.

    It cannot be run. Raises `RecordError` for levels that are no levels of a plan.
    """
    levels = imported.levels
    scores = imported.records.possible()
    pairs = any(isinstance(score, tuple) for score in scores)
    orders = [order for order in levels.get("order", ()) if order]
    if pairs and (not orders or "" in levels.get("order", ())):
        raise RecordError(
            f"{imported.source}: pairs of scores need the order in which the answers were shown "
            "(a column order with ab or ba)"
        )
    points = {x for score in scores for x in (score if isinstance(score, tuple) else (score,))}
    scale = sorted({float(x) for x in points if not isinstance(x, tuple)})
    options = {"choice": {f"{point:.17g}": point for point in scale or [0.0]}}
    scoring: dict[str, Any] = {"kind": "imported"}
    spec: dict[str, Any] = options
    if pairs:
        scoring |= {"pair": PAIR, "orders": orders}
        fields = {"first": options, "second": options}
        spec = {"template": "{first} {second}", "fields": fields}
    try:
        return Plan(
            name=name or Path(imported.source.split(", ")[0]).stem or "imported",
            spec=spec,
            items=[
                {
                    "id": item,
                    "gold": imported.gold.get(item),
                    "fields": dict.fromkeys(PAIR, "") if pairs else {},
                }
                for item in levels["item"]
            ],
            prompts=[
                {"name": prompt, "text": "{first}{second}" if pairs else ""}
                for prompt in levels["prompt"]
            ],
            formats=levels["format"],
            variants=[{"name": variant, "model": variant} for variant in levels["variant"]],
            temperatures=sorted(imported.records.names["temperature"]),
            scoring=scoring,
            scale=scale if len(scale) > 1 and imported.scale and not pairs else None,
            pass_mark=pass_mark,
            gates=dict(gates or {}),
        )
    except InvalidSpec as error:
        raise RecordError(f"{imported.source}: {error}") from error


def _put(store: Store, imported: Imported, plan: Plan) -> int:
    origin = {"source": imported.source, "notes": list(imported.notes)}
    records = imported.records
    with store.transaction():
        store.begin(plan, {"imported": origin})
        batches = range(0, len(records), BATCH)
        return sum(store.put(records[first : first + BATCH]) for first in batches)
