"""The keys an object does not name, sorted by what must hold for the values under them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from constrained.engine import ByteEngine
from constrained.errors import LimitExceeded
from constrained.grammar import Grammar, alt, cat, literal
from constrained.limits import Limits
from constrained.spec.json_schema.key_sets import met_keys, other_keys
from constrained.spec.json_schema.records import (
    ANY_STRING,
    EVERYTHING,
    Demand,
    Judge,
    Object,
    String,
    conjoin,
)
from constrained.spec.json_schema.scalars import is_combined, string_node

__all__ = ["Region", "unnamed_regions"]


FEW_REGIONS = 8
"""So many may overlap before it is tried out whether an engine can tell them apart."""


class Region(NamedTuple):
    """Keys, and the demand on the values under them."""

    keys: String
    demand: Demand


def unnamed_regions(record: Object, ask: Callable[[Demand], bool], judge: Judge) -> list[Region]:
    """Key sets that cover every unnamed key a member may have; only those that are alive.

    Each clause splits the key space into keys it speaks of and keys it does not; within a region
    the same clauses hold for all keys. Regions may overlap where their demands agree.
    """
    if any(keys is ANY_STRING and -1 in demand for keys, demand in record.clauses):
        return []
    names = record.named.keys() | record.required.keys()
    regions = [Region(String(excluded=frozenset(names)) if names else ANY_STRING, EVERYTHING)]
    for keys, demand in record.clauses:
        if keys is ANY_STRING:
            regions = [Region(r.keys, conjoin(r.demand, demand)) for r in regions]
            continue
        refined: dict[Region, None] = {}
        for region in regions:
            inside = met_keys(region.keys, keys, judge)
            if inside is None:
                refined[region] = None
                continue
            judge.charge(1)
            both = conjoin(region.demand, demand)
            if -1 not in both:
                refined[Region(inside, both)] = None
            for outside in other_keys(region.keys, keys, judge):
                refined[Region(outside, region.demand)] = None
        regions = list(refined)
    alive = [region for region in regions if ask(region.demand)]
    combined = sorted({region.keys for region in alive if is_combined(region.keys)}, key=repr)
    if len(combined) > FEW_REGIONS:
        _tell_apart(tuple(combined), judge.limits)
    return alive


@lru_cache(maxsize=256)
def _tell_apart(keys: tuple[String, ...], limits: Limits) -> None:
    """Raise `LimitExceeded` when an engine has too much work with keys of that many kinds."""
    kinds = (cat(string_node(kind, "either"), literal(str(i))) for i, kind in enumerate(keys))
    try:
        engine = ByteEngine(Grammar(alt(*kinds)), limits)
        engine.distance(engine.start)
    except LimitExceeded as error:
        raise LimitExceeded(
            error.limit,
            getattr(limits, error.limit),
            f"telling {len(keys)} kinds of keys apart",
            remedy="write patterns of keys that do not overlap",
        ) from None
