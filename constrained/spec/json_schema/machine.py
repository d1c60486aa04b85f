"""Machines over members: how counted arrays and objects choose what may come next.

A machine's edges carry labels (which member is written, under which demand); its states remember
what has been counted. States are made when they are reached: an array of unique items out of
sixteen has 65,536, of which one answer sees a few. Only edges whose demand is alive are followed,
and only into states from which the end can be reached, so no mask ever leads into a dead end.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from constrained.errors import LimitExceeded
from constrained.spec.json_schema.records import Demand

__all__ = ["EDGE_COST", "Ask", "Machine"]

L = TypeVar("L")

Ask = Callable[[Demand], bool]
"""Whether a demand is alive."""

EDGE_COST = 8
"""Grammar nodes that one edge stands for when counted against `max_nodes`."""


class Machine(Generic[L]):
    """States by number, 0 first.

    `successors` tells of a state whether it accepts, and its edges (label, next state); it is
    asked once for each state. `limit` bounds one search for the end in grammar nodes. `wanted`
    tells how many members are missing at the least, and out of which each of them is one.
    """

    def __init__(
        self,
        start: Hashable,
        successors: Callable[[Any, Ask], tuple[bool, list[tuple[L, Any]]]],
        limit: int,
        wanted: Callable[[Any], tuple[int, list[L]]] | None = None,
    ) -> None:
        self._wanted = wanted
        self._successors = successors
        self._limit = limit
        self._numbers: dict[Hashable, int] = {start: 0}
        self._states: list[Hashable] = [start]
        self._rows: dict[int, tuple[bool, list[tuple[L, int]]]] = {}
        self._live: dict[int, bool] = {}

    def accepts(self, number: int, ask: Ask) -> bool:
        """Whether the members may end in a state."""
        return self._row(number, ask)[0]

    def edges(self, number: int, ask: Ask) -> list[tuple[L, int]]:
        """The members that may come next, and the states after them, dead ends among them."""
        return self._row(number, ask)[1]

    def wanted(self, number: int) -> tuple[int, list[L]]:
        """How many members are missing, and out of which each is one (none where it may be any)."""
        return (0, []) if self._wanted is None else self._wanted(self._states[number])

    @property
    def decided(self) -> bool:
        """Whether it is known if the machine accepts anything."""
        return 0 in self._live

    def live(self, number: int, ask: Ask) -> bool:
        """Whether the end can be reached from a state.

        Raises `LimitExceeded` when that takes a search beyond the limit.
        """
        known = self._live.get(number)
        if known is not None:
            return known
        cost = 0
        seen = {number}
        path = [(number, 0)]
        while path:
            state, index = path[-1]
            accepts, row = self._row(state, ask)
            if index == 0:
                cost += 1 + len(row)
                if cost * EDGE_COST > self._limit:
                    raise LimitExceeded(
                        "max_nodes", self._limit, "counting members of a JSON Schema"
                    )
            if accepts or self._live.get(state):
                for one, _ in path:
                    self._live[one] = True
                return True
            if index == len(row):
                path.pop()
                continue
            path[-1] = (state, index + 1)
            to = row[index][1]
            if to not in seen and self._live.get(to) is not False:
                seen.add(to)
                path.append((to, 0))
        for one in seen:
            self._live[one] = False
        return False

    def _row(self, number: int, ask: Ask) -> tuple[bool, list[tuple[L, int]]]:
        found = self._rows.get(number)
        if found is None:
            accepts, following = self._successors(self._states[number], ask)
            row = []
            for label, state in following:
                to = self._numbers.get(state)
                if to is None:
                    to = self._numbers[state] = len(self._states)
                    self._states.append(state)
                row.append((label, to))
            found = self._rows[number] = accepts, row
        return found
