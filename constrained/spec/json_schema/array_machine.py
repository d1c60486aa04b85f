"""The machine of an array whose items are counted: `contains`, `uniqueItems`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from constrained.errors import UnsupportedSpec
from constrained.spec.json_schema.array_records import item_demand
from constrained.spec.json_schema.machine import Machine, explore
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_schema.records import (
    Array,
    Contains,
    Demand,
    conjoin,
)

__all__ = ["array_machine", "is_counted"]

Ask = Callable[[Demand], bool]

FEW = 16
"""`uniqueItems` is enforced for at most so many different values: states are sets of them."""


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
