"""The keys an object does not name, sorted by what must hold for the values under them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from constrained.spec.json_schema.scalars import live_string
from constrained.spec.json_schema.shapes import (
    ANY_STRING,
    EVERYTHING,
    Demand,
    Object,
    String,
    conjoin,
    meet_strings,
    without_string,
)

__all__ = ["Region", "unnamed_regions"]


class Region(NamedTuple):
    """Keys, and the demand on the values under them."""

    keys: String
    demand: Demand


def unnamed_regions(record: Object, ask: Callable[[Demand], bool]) -> list[Region]:
    """Key sets that cover every unnamed key a member may have; only those that are alive.

    Each clause splits the key space into keys it speaks of and keys it does not; within a region
    the same clauses hold for all keys. Regions may overlap where their demands agree.
    """
    names = record.named.keys() | record.required.keys()
    regions = [Region(String(excluded=frozenset(names)) if names else ANY_STRING, EVERYTHING)]
    split = False
    for keys, demand in record.clauses:
        if keys is ANY_STRING:
            regions = [Region(r.keys, conjoin(r.demand, demand)) for r in regions]
            continue
        split = True
        refined = []
        for region in regions:
            inside = meet_strings(region.keys, keys)
            if inside is None:
                refined.append(region)
                continue
            both = conjoin(region.demand, demand)
            if -1 not in both:
                refined.append(Region(inside, both))
            for piece in without_string(keys):
                outside = meet_strings(region.keys, piece)
                if outside is not None:
                    refined.append(Region(outside, region.demand))
        regions = refined
    if split:
        regions = [region for region in regions if live_string(region.keys)]
    return [region for region in regions if ask(region.demand)]
