"""The keys an object does not name, sorted by what must hold for the values under them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from constrained.spec.json_schema.records import (
    ANY_STRING,
    EVERYTHING,
    Demand,
    Judge,
    Object,
    String,
    conjoin,
)
from constrained.spec.json_schema.scalars import live_string
from constrained.spec.json_schema.string_records import meet_strings, without_string

__all__ = ["Region", "unnamed_regions"]


REGION_COST = 128
"""Records that splitting a region counts for: each part is checked for emptiness."""


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
        refined = []
        for region in regions:
            inside = meet_strings(region.keys, keys)
            if inside is None or not live_string(inside):
                refined.append(region)
                continue
            judge.charge(REGION_COST)
            both = conjoin(region.demand, demand)
            if -1 not in both:
                refined.append(Region(inside, both))
            for piece in without_string(keys):
                outside = meet_strings(region.keys, piece)
                if outside is not None and live_string(outside):
                    refined.append(Region(outside, region.demand))
        regions = refined
    return [region for region in regions if ask(region.demand)]
