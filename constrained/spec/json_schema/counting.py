"""Machines for arrays and objects whose members are counted.

Objects with `minProperties`, `maxProperties` or a wanted member; arrays with `contains` or
`uniqueItems`. The states hold counts up to where they stop mattering.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import NamedTuple

from constrained.errors import UnsupportedSpec
from constrained.spec.json_schema.machine import Machine, explore
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_schema.regions import Region, unnamed_regions
from constrained.spec.json_schema.scalars import live_string
from constrained.spec.json_schema.shapes import (
    ANY_STRING,
    Array,
    Contains,
    Demand,
    Member,
    Object,
    conjoin,
    demand_for,
    holds,
    item_demand,
    meet_strings,
)

__all__ = ["Entry", "array_machine", "is_counted", "object_machine", "ordered_names"]

Ask = Callable[[Demand], bool]

FEW = 16
"""`uniqueItems` is enforced for at most so many different values: states are sets of them."""


class Entry(NamedTuple):
    """One member written: under a name, or under any key of a region."""

    name: str | None
    region: Region


# ------------------------------------------------------------------ objects


def ordered_names(record: Object) -> list[str]:
    """The names in writing order: as the schema lists them, then other required ones."""
    return [*record.named, *(name for name in record.required if name not in record.named)]


def object_machine(meaning: Meaning, record: Object, ask: Ask) -> Machine[Entry]:
    """The member lists of a record; a state is (next name, members so far, wishes fulfilled)."""
    names = ordered_names(record)
    demands = [demand_for(record, name) for name in names]
    needed = [name in record.required for name in names]
    regions = unnamed_regions(record, ask)
    some = record.some
    every = (1 << len(some)) - 1
    cap = max(record.least, 1) if record.most is None else record.most
    named_entries = [
        list(_named_entries(name, demand, some))
        for name, demand in zip(names, demands, strict=True)
    ]
    other_entries = [entry for region in regions for entry in _other_entries(region, some)]

    def successors(state: tuple[int, int, int]) -> tuple[bool, Iterable[tuple[Entry, object]]]:
        index, count, met = state
        edges: list[tuple[Entry, object]] = []
        more = record.most is None or count < record.most
        after = min(count + 1, cap)
        position = index
        while position < len(names):
            if more:
                edges += [
                    (entry, (position + 1, after, met | gain))
                    for gain, entry in named_entries[position]
                    if not gain & met and ask(entry.region.demand)
                ]
            if needed[position]:
                break
            position += 1
        accepts = False
        if position == len(names):
            accepts = count >= record.least and met == every
            if more:
                edges += [
                    (entry, (position, after, met | gain))
                    for gain, entry in other_entries
                    if not gain & met and ask(entry.region.demand)
                ]
        return accepts, edges

    return explore((0, 0, 0), successors, meaning.document.limits.max_nodes)  # type: ignore[arg-type]


def _named_entries(
    name: str, demand: Demand, some: tuple[Member, ...]
) -> Iterator[tuple[int, Entry]]:
    """The ways to write a named member: which wishes it fulfils, as bits, and its demand."""
    fitting = [i for i, wish in enumerate(some) if holds(wish.keys, name)]
    for chosen in product((False, True), repeat=len(fitting)):
        gain, both = 0, demand
        for index, taken in zip(fitting, chosen, strict=True):
            if taken:
                gain |= 1 << index
                both = conjoin(both, some[index].demand)
        yield gain, Entry(name, Region(ANY_STRING, both))


def _other_entries(region: Region, some: tuple[Member, ...]) -> Iterator[tuple[int, Entry]]:
    for chosen in product((False, True), repeat=len(some)):
        gain, keys, demand = 0, region.keys, region.demand
        for index, taken in enumerate(chosen):
            if taken and keys is not None:
                gain |= 1 << index
                keys = meet_strings(keys, some[index].keys)
                demand = conjoin(demand, some[index].demand)
        if keys is not None and (not gain or live_string(keys)):
            yield gain, Entry(None, Region(keys, demand))


# ------------------------------------------------------------------ arrays


def is_counted(record: Array) -> bool:
    """Whether the array needs a machine."""
    return bool(record.contains or record.unique or record.repeating)


def array_machine(meaning: Meaning, record: Array, ask: Ask) -> Machine[Demand]:
    """The item lists of a record; a state is (length, contained so far, values used, repeated)."""
    contains = record.contains
    reach = [len(record.prefix), record.least, *(wanted.start for wanted in contains)]
    longest = max(reach) if record.most is None else record.most
    distinct = record.unique or record.repeating
    values = _Values(meaning, record) if distinct else None

    def successors(
        state: tuple[int, tuple[int, ...], int, bool],
    ) -> tuple[bool, Iterable[tuple[Demand, object]]]:
        length, counts, used, repeated = state
        accepts = (
            length >= record.least
            and all(n >= wanted.least for n, wanted in zip(counts, contains, strict=True))
            and (repeated or not record.repeating)
        )
        edges: list[tuple[Demand, object]] = []
        if record.most is not None and length >= record.most:
            return accepts, edges
        after = min(length + 1, longest)
        for bit, item in values.at(length) if values else ((0, item_demand(record, length)),):
            if bit & used and record.unique:
                continue
            again = repeated or bool(bit & used)
            for demand, reached in _counted(item, length, counts, contains, meaning):
                if ask(demand):
                    edges.append((demand, (after, reached, used | bit, again)))
        return accepts, edges

    start = (0, (0,) * len(contains), 0, False)
    return explore(start, successors, meaning.document.limits.max_nodes)  # type: ignore[arg-type]


def _counted(
    item: Demand,
    length: int,
    counts: tuple[int, ...],
    contains: tuple[Contains, ...],
    meaning: Meaning,
) -> list[tuple[Demand, tuple[int, ...]]]:
    """The ways to write one item: what must hold for it, and the counts after it."""
    ways = [(item, counts)]
    for index, wanted in enumerate(contains):
        if length < wanted.start:
            continue
        found = []
        for demand, reached in ways:
            count = reached[index]
            if wanted.most is None:
                found.append((demand, reached))  # counting it is a choice, not a duty
                if count < wanted.least:
                    found.append((conjoin(demand, wanted.demand), _raised(reached, index)))
                continue
            found.append((conjoin(demand, meaning.negation(wanted.demand)), reached))
            if count < wanted.most:
                found.append((conjoin(demand, wanted.demand), _raised(reached, index)))
        ways = found
    return ways


def _raised(counts: tuple[int, ...], index: int) -> tuple[int, ...]:
    return (*counts[:index], counts[index] + 1, *counts[index + 1 :])


class _Values:
    """The finitely many values that items may have, one bit each."""

    def __init__(self, meaning: Meaning, record: Array) -> None:
        self._record = record
        self._items: dict[Demand, list[tuple[int, Demand]]] = {}
        bits: dict[Demand, int] = {}
        shown = record.prefix if record.most is None else record.prefix[: record.most]
        open_ended = record.most is None or record.most > len(record.prefix)
        for demand in (*shown, *((record.rest,) if open_ended else ())):
            if demand in self._items:
                continue
            constants = meaning.constants(demand, FEW)
            if constants is not None:
                for constant in constants:
                    bits.setdefault(constant, 1 << len(bits))
            if constants is None or len(bits) > FEW:
                raise UnsupportedSpec(
                    "uniqueItems",
                    f"uniqueItems is enforced for items of at most {FEW} values "
                    "(enum, const, boolean, small integer ranges)",
                    hint="remove uniqueItems, or list the values the items may have in an enum",
                )
            self._items[demand] = [(bits[constant], constant) for constant in constants]

    def at(self, index: int) -> list[tuple[int, Demand]]:
        return self._items[item_demand(self._record, index)]
