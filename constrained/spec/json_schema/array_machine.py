"""The machine of an array whose items are counted: `contains`, `uniqueItems`."""

from __future__ import annotations

from constrained.errors import UnsupportedSpec
from constrained.spec.json_schema.array_records import item_demand
from constrained.spec.json_schema.machine import Ask, Machine
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_schema.records import (
    Array,
    Contains,
    Demand,
    conjoin,
)

__all__ = ["array_machine", "is_counted"]

FEW = 16
"""`uniqueItems` is enforced for at most so many different values: states are sets of them."""


def is_counted(record: Array) -> bool:
    """Whether the array needs a machine."""
    return bool(record.contains or record.unique or record.repeating)


def array_machine(meaning: Meaning, record: Array) -> Machine[Demand]:
    """The item lists of a record; a state is (length, contained so far, values used, repeated)."""
    contains = record.contains
    reach = [len(record.prefix), record.least, *(wanted.start for wanted in contains)]
    longest = max(reach) if record.most is None else record.most
    distinct = record.unique or record.repeating
    values = _Values(meaning, record) if distinct else None

    def successors(
        state: tuple[int, tuple[int, ...], int, bool], ask: Ask
    ) -> tuple[bool, list[tuple[Demand, object]]]:
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

    def wanted(state: tuple[int, tuple[int, ...], int, bool]) -> tuple[int, list[Demand]]:
        length, counts, used, _ = state
        missing = [one.least - n for n, one in zip(counts, contains, strict=True)]
        need = max(record.least - length, 0, *missing)
        if values is None or record.prefix or contains or not record.unique:
            return need, []
        left = [item for bit, item in values.at(length) if bit and not bit & used]
        return need, left if need <= len(left) else []

    start = (0, (0,) * len(contains), 0, False)
    return Machine(start, successors, meaning.document.limits.max_nodes, wanted)


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
    """The values that items may have, one bit each.

    An item that may have any number of values needs no bit for them where it stands alone: in one
    place, with values that no other item has.
    """

    def __init__(self, meaning: Meaning, record: Array) -> None:
        self._record = record
        self._items: dict[Demand, list[tuple[int, Demand]]] = {}
        bits: dict[Demand, int] = {}
        open_: list[Demand] = []
        for demand, places in _places(record).items():
            constants = meaning.constants(demand, FEW)
            if constants is None:
                if places != 1 or not all(meaning.dead(conjoin(demand, d)) for d in open_):
                    raise _refusal()
                open_.append(demand)
                continue
            for constant in constants:
                bits.setdefault(constant, 1 << len(bits))
            if len(bits) > FEW:
                raise _refusal()
            self._items[demand] = [(bits[constant], constant) for constant in constants]
        for demand in open_:
            shared = [c for c in bits if not meaning.dead(conjoin(c, demand))]
            others = demand
            for constant in shared:
                others = conjoin(others, meaning.negation(constant))
            known = [(bits[constant], conjoin(constant, demand)) for constant in shared]
            self._items[demand] = [*known, (0, others)]

    def at(self, index: int) -> list[tuple[int, Demand]]:
        return self._items[item_demand(self._record, index)]


def _places(record: Array) -> dict[Demand, int | None]:
    """The demands on items, with how many items each may be on; None: any number."""
    found: dict[Demand, int | None] = {}
    for demand in record.prefix[: record.most]:
        found[demand] = (found.get(demand) or 0) + 1
    if record.most is None:
        found[record.rest] = None
    elif record.most > len(record.prefix):
        found[record.rest] = (found.get(record.rest) or 0) + record.most - len(record.prefix)
    return found


def _refusal() -> UnsupportedSpec:
    return UnsupportedSpec(
        "uniqueItems",
        f"uniqueItems is enforced for items of at most {FEW} values (enum, const, boolean, small "
        "integer ranges, small arrays and objects of these), and for items that no other can equal",
        hint="remove uniqueItems, or list the values the items may have in an enum",
    )
