"""Which demands any finite value satisfies: a least fixpoint, so endless descents are dead."""

from __future__ import annotations

import warnings

from constrained.errors import ConstrainedError, LeftOutWarning, LimitExceeded, UnsupportedSpec
from constrained.spec.json_schema.array_machine import array_machine, is_counted
from constrained.spec.json_schema.machine import Ask, Machine
from constrained.spec.json_schema.meaning import Meaning
from constrained.spec.json_schema.number_records import live_number
from constrained.spec.json_schema.object_machine import Entry, object_machine
from constrained.spec.json_schema.object_records import demand_for, split_choices
from constrained.spec.json_schema.records import EVERYTHING, NOTHING, Array, Demand, Object
from constrained.spec.json_schema.scalars import (
    begin_string,
    is_combined,
    is_stepped,
    live_string,
    number_grammar,
)
from constrained.spec.json_schema.shapes import Shape
from constrained.spec.json_style import JsonStyle

__all__ = ["Liveness", "is_simple"]


class Liveness:
    """Which demands of one document are alive, and the machines that decided it."""

    def __init__(self, meaning: Meaning, style: JsonStyle) -> None:
        self.meaning = meaning
        self.style = style
        self._split: dict[Demand, list[Object]] = {}
        self._alive: dict[Demand, bool] = {EVERYTHING: True, NOTHING: False}
        self._object_machines: dict[int, tuple[Object, Machine[Entry]]] = {}
        self._array_machines: dict[int, tuple[Array, Machine[Demand]]] = {}
        self.refusing = True
        """Whether what cannot be kept is refused; once masks were given, it is left out."""
        self.left_out: list[ConstrainedError] = []
        self._closed: dict[int, Object | Array] = {}

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
                if one not in self._alive and self._has_value(one, ask):
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
        if found is None:
            self.meaning.begin_part()
            try:
                shape = self.meaning.shape(demand)
                scalar = _has_scalar(shape)
                self._try_out(shape)
            except LimitExceeded as error:
                scalar = found = False
                if not self.refusing:
                    self._alive[demand] = False
                self.leave_out(error, demand)
            if scalar:
                found = self._alive[demand] = True
        return found

    def _try_out(self, shape: Shape) -> None:
        """Write numbers and strings that may be too hard, before anything refers to them.

        Raises `LimitExceeded` for those that are.
        """
        limits, style = self.meaning.document.limits, self.style
        for number in shape.numbers:
            if is_stepped(number) and live_number(number):
                number_grammar(number, self.meaning.document.spellings, style.integers, limits)
        for string in shape.strings:
            if is_combined(string) and live_string(string):
                begin_string(string, style.escapes, limits)

    def leave_out(self, error: UnsupportedSpec | LimitExceeded, demand: Demand) -> None:
        """Raise the error with its place, or go on without what it is about."""
        placed = self._placed(error, demand)
        if self.refusing:
            raise placed from None
        self.left_out.append(placed)
        warnings.warn(
            f"a part of the schema is left out of the answers: {placed}",
            LeftOutWarning,
            stacklevel=2,
        )

    def alive_objects(self, demand: Demand) -> list[Object]:
        """The object records of a demand that are alive, with choices between facts only.

        Raises `UnsupportedSpec` with its place for records that cannot be kept, as long as
        `refusing`.
        """
        shape = self.meaning.shape(demand)
        return self._live_objects(demand, shape, self.alive) if shape.objects else []

    def alive_arrays(self, demand: Demand) -> list[Array]:
        """The array records of a demand that are alive; raises as `alive_objects` does."""
        return self._live_arrays(demand, self.meaning.shape(demand), self.alive)

    def _live_objects(self, demand: Demand, shape: Shape, ask: Ask) -> list[Object]:
        return [r for r in self._objects(demand, shape) if self._kept(r, demand, ask)]

    def _live_arrays(self, demand: Demand, shape: Shape, ask: Ask) -> list[Array]:
        return [r for r in shape.arrays if self._kept(r, demand, ask)]

    def _kept(self, record: Object | Array, demand: Demand, ask: Ask) -> bool:
        """Whether a record is alive; no, for one that is left out."""
        if id(record) in self._closed:
            return False
        self.meaning.begin_part()
        try:
            if isinstance(record, Object):
                return self._object_alive(record, ask)
            return self._array_alive(record, ask)
        except (UnsupportedSpec, LimitExceeded) as error:
            if not self.refusing:
                self._closed[id(record)] = record
            self.leave_out(error, demand)
        return False

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
            machine = array_machine(self.meaning, record)
            found = self._array_machines[id(record)] = (record, machine)
        return found[1]

    def _has_value(self, demand: Demand, ask: Ask) -> bool:
        shape = self.meaning.shape(demand)
        if _has_scalar(shape):
            return True
        arrays = self._live_arrays(demand, shape, ask)
        return bool(self._live_objects(demand, shape, ask) or arrays)

    def _placed(
        self, error: UnsupportedSpec | LimitExceeded, demand: Demand
    ) -> UnsupportedSpec | LimitExceeded:
        """The refusal with the pointer of the keyword that it names, or of the schema."""
        if isinstance(error, LimitExceeded):
            return error.placed(self.meaning.document.pointer(min(map(abs, demand), default=1)))
        where = error.where or self.meaning.place_of(error.feature, demand)
        return UnsupportedSpec(error.feature, error.problem, where=where, hint=error.hint)

    def _objects(self, demand: Demand, shape: Shape) -> list[Object]:
        """The object records of a demand, with choices between single facts only."""
        found = self._split.get(demand)
        if found is None:
            found = []
            for record in shape.objects:
                try:
                    found += split_choices(record, self.meaning)
                except LimitExceeded as error:
                    self.leave_out(error, demand)
            self._split[demand] = found
        return found

    def _array_alive(self, record: Array, ask: Ask) -> bool:
        if is_counted(record):
            if ask == self.alive:
                return self.array_machine(record).live(0, ask)
            return array_machine(self.meaning, record).live(0, ask)
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
            return self.object_machine(record).live(0, ask)
        known = self._object_machines.get(id(record))
        if known is not None and known[1].decided:  # not while it is being searched, further out
            return known[1].live(0, ask)
        open_questions = False

        def noted(demand: Demand) -> bool:
            nonlocal open_questions
            found = ask(demand)
            open_questions = open_questions or not (found or self._alive.get(demand) is False)
            return found

        machine = object_machine(self.meaning, record, noted)
        alive = machine.live(0, noted)
        if not open_questions:
            self._object_machines[id(record)] = record, machine
        return alive


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
