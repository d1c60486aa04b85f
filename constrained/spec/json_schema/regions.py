"""The keys an object does not name, sorted by what must hold for the values under them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

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

__all__ = ["Region", "unnamed_regions"]


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
    return [region for region in regions if ask(region.demand)]
