"""Which demands any finite value satisfies: a least fixpoint, so endless descents are dead."""

from __future__ import annotations

from constrained.errors import UnsupportedSpec
from constrained.spec.json_schema.array_machine import array_machine, is_counted
from constrained.spec.json_schema.machine import Machine
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_schema.number_records import live_number
from constrained.spec.json_schema.object_machine import Ask, Entry, object_machine
from constrained.spec.json_schema.object_records import demand_for, split_choices
from constrained.spec.json_schema.records import EVERYTHING, NOTHING, Array, Demand, Object
from constrained.spec.json_schema.scalars import live_string
from constrained.spec.json_schema.shapes import Shape

__all__ = ["Liveness", "is_simple"]


class Liveness:
    """Which demands of one document are alive, and the machines that decided it."""

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        self._split: dict[Demand, list[Object]] = {}
        self._alive: dict[Demand, bool] = {EVERYTHING: True, NOTHING: False}
        self._object_machines: dict[int, tuple[Object, Machine[Entry]]] = {}
        self._array_machines: dict[int, tuple[Array, Machine[Demand]]] = {}

    def alive(self, demand: Demand) -> bool:
        """Whether any finite value satisfies the demand."""
        known = self._at_once(demand)
        if known is not None:
            return known
        order: list[Demand] = []
        seen = {demand}
        fresh = [demand]

        def ask(other: Demand) -> bool:
            found = self._at_once(other)
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

    def _at_once(self, demand: Demand) -> bool | None:
        """The answer for a demand that was asked about, or that any scalar satisfies."""
        found = self._alive.get(demand)
        if found is None and _has_scalar(self.meaning.shape(demand)):
            found = self._alive[demand] = True
        return found

    def alive_objects(self, demand: Demand) -> list[Object]:
        """The object records of a demand that are alive, with choices between facts only.

        Raises `UnsupportedSpec` with its place for records that cannot be kept.
        """
        shape = self.meaning.shape(demand)
        if not shape.objects:
            return []
        try:
            return [r for r in self._objects(demand, shape) if self._object_alive(r, self.alive)]
        except UnsupportedSpec as error:
            raise self._placed(error, demand) from None

    def alive_arrays(self, demand: Demand) -> list[Array]:
        """The array records of a demand that are alive; raises as `alive_objects` does."""
        records = self.meaning.shape(demand).arrays
        try:
            return [r for r in records if self._array_alive(r, self.alive)]
        except UnsupportedSpec as error:
            raise self._placed(error, demand) from None

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
        if _has_scalar(shape):
            return True
        try:
            arrays = [self._array_alive(record, ask) for record in shape.arrays]
            objects = [self._object_alive(r, ask) for r in self._objects(demand, shape)]
        except UnsupportedSpec as error:
            raise self._placed(error, demand) from None
        return any(arrays) or any(objects)

    def _placed(self, error: UnsupportedSpec, demand: Demand) -> UnsupportedSpec:
        """The refusal with the pointer of the keyword that it names."""
        where = error.where or self.meaning.place_of(error.feature, demand)
        return UnsupportedSpec(error.feature, error.problem, where=where, hint=error.hint)

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
        if ask == self.alive or id(record) in self._object_machines:
            return self.object_machine(record).alive
        open_questions = False

        def noted(demand: Demand) -> bool:
            nonlocal open_questions
            found = ask(demand)
            open_questions = open_questions or not (found or self._alive.get(demand) is False)
            return found

        machine = object_machine(self.meaning, record, noted)
        if not open_questions:
            self._object_machines[id(record)] = record, machine
        return machine.alive


def _has_scalar(shape: Shape) -> bool:
    return bool(
        shape.atoms or any(map(live_number, shape.numbers)) or any(map(live_string, shape.strings))
    )


def is_simple(record: Object, any_order: bool) -> bool:
    """Whether the object needs no machine: its members are independent of each other."""
    return (
        not (any_order and record.named)
        and not (record.some or record.either)
        and record.most is None
        and record.least <= len(record.required)
        and record.required.keys() <= record.named.keys()
    )
