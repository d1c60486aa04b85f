"""Which demands any finite value satisfies: a least fixpoint, so endless descents are dead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from constrained.errors import UnsupportedSpec
from constrained.spec.json_schema.array_machine import array_machine, is_counted
from constrained.spec.json_schema.machine import Machine
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_schema.number_records import live_number
from constrained.spec.json_schema.object_machine import Ask, Entry, object_machine
from constrained.spec.json_schema.object_records import demand_for, split_choices
from constrained.spec.json_schema.records import EVERYTHING, Array, Demand, Object
from constrained.spec.json_schema.scalars import live_string
from constrained.spec.json_schema.shapes import Shape

__all__ = ["Liveness", "is_simple"]


class Liveness:
    """Which demands of one document are alive, and the machines that decided it."""

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        self._split: dict[Demand, list[Object]] = {}
        self._alive: dict[Demand, bool] = {EVERYTHING: True}
        self._object_machines: dict[int, tuple[Object, Machine[Entry]]] = {}
        self._array_machines: dict[int, tuple[Array, Machine[Demand]]] = {}

    def alive(self, demand: Demand) -> bool:
        """Whether any finite value satisfies the demand."""
        known = self._alive.get(demand)
        if known is not None:
            return known
        order: list[Demand] = []
        seen = {demand}
        fresh = [demand]

        def ask(other: Demand) -> bool:
            found = self._alive.get(other)
            if found is not None:
                return found
            if other not in seen:
                seen.add(other)
                fresh.append(other)
            return False

        changed = True
        while changed:
            changed = False
            while fresh:
                one = fresh.pop()
                order.append(one)
                if self._has_value(one, ask):
                    self._alive[one] = changed = True
            for one in reversed(order):
                if one not in self._alive and self._has_value(one, ask):
                    self._alive[one] = changed = True
            changed = changed or bool(fresh)
            if demand in self._alive:
                return True
        for one in order:
            self._alive.setdefault(one, False)
        return False

    def alive_objects(self, demand: Demand) -> list[Object]:
        """The object records of a demand that are alive, with choices between facts only.

        Raises `UnsupportedSpec` with its place for records that cannot be kept.
        """
        with self._placed(demand):
            records = self._objects(demand, self.meaning.shape(demand))
            return [r for r in records if self._object_alive(r, self.alive)]

    def alive_arrays(self, demand: Demand) -> list[Array]:
        """The array records of a demand that are alive; raises as `alive_objects` does."""
        with self._placed(demand):
            records = self.meaning.shape(demand).arrays
            return [r for r in records if self._array_alive(r, self.alive)]

    def object_machine(self, record: Object) -> Machine[Entry]:
        """The machine of an object, made once."""
        found = self._object_machines.get(id(record))
        if found is None:
            machine = object_machine(self.meaning, record, self.alive)
            found = self._object_machines[id(record)] = (record, machine)
        return found[1]

    def array_machine(self, record: Array) -> Machine[Demand]:
        """The machine of an array, made once."""
        found = self._array_machines.get(id(record))
        if found is None:
            machine = array_machine(self.meaning, record, self.alive)
            found = self._array_machines[id(record)] = (record, machine)
        return found[1]

    def _has_value(self, demand: Demand, ask: Ask) -> bool:
        shape = self.meaning.shape(demand)
        return bool(
            shape.atoms
            or any(live_number(record) for record in shape.numbers)
            or any(live_string(record) for record in shape.strings)
            or self._compound(demand, shape, ask)
        )

    def _compound(self, demand: Demand, shape: Shape, ask: Ask) -> bool:
        with self._placed(demand):
            arrays = [self._array_alive(record, ask) for record in shape.arrays]
            objects = [self._object_alive(r, ask) for r in self._objects(demand, shape)]
        return any(arrays) or any(objects)

    @contextmanager
    def _placed(self, demand: Demand) -> Iterator[None]:
        """Refusals inside get the pointer of the keyword that they name."""
        try:
            yield
        except UnsupportedSpec as error:
            where = error.where or self.meaning.place_of(error.feature, demand)
            raise UnsupportedSpec(
                error.feature, error.problem, where=where, hint=error.hint
            ) from None

    def _objects(self, demand: Demand, shape: Shape) -> list[Object]:
        """The object records of a demand, with choices between single facts only."""
        found = self._split.get(demand)
        if found is None:
            found = [part for r in shape.objects for part in split_choices(r, self.meaning)]
            self._split[demand] = found
        return found

    def _array_alive(self, record: Array, ask: Ask) -> bool:
        if is_counted(record):
            if ask == self.alive:
                return self.array_machine(record).alive
            return array_machine(self.meaning, record, ask).alive
        if record.most is not None and record.least > record.most:
            return False
        needed = set(record.prefix[: record.least])
        if record.least > len(record.prefix):
            needed.add(record.rest)
        found = [ask(demand) for demand in needed]  # ask about all: asking is noting
        return all(found)

    def _object_alive(self, record: Object, ask: Ask) -> bool:
        if is_simple(record, self.meaning.any_order):
            found = [ask(demand_for(record, name)) for name in record.required]
            return all(found)
        if ask == self.alive:
            return self.object_machine(record).alive
        return object_machine(self.meaning, record, ask).alive


def is_simple(record: Object, any_order: bool) -> bool:
    """Whether the object needs no machine: its members are independent of each other."""
    return (
        not (any_order and record.named)
        and not (record.some or record.either)
        and record.most is None
        and record.least <= len(record.required)
        and record.required.keys() <= record.named.keys()
    )
