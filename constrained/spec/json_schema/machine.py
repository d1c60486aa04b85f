"""Finite machines over members: how counted arrays and objects choose what may come next.

A machine's edges carry labels (which member is written, under which demand); its states remember
what has been counted. Only edges whose demand is alive are followed, and states from which no
accepting state can be reached are dropped, so no mask ever leads into a dead end.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, NamedTuple, TypeVar

from constrained.errors import LimitExceeded

__all__ = ["Machine", "explore"]

L = TypeVar("L")

EDGE_COST = 8
"""Grammar nodes that one edge stands for when counted against `max_nodes`."""


class Machine(NamedTuple, Generic[L]):
    """States by number, 0 first; `edges[s]` lists (label, next state)."""

    edges: list[list[tuple[L, int]]]
    accepting: frozenset[int]

    @property
    def alive(self) -> bool:
        """Whether anything is accepted."""
        return bool(self.edges)


def explore(
    start: Hashable,
    successors: Callable[[Hashable], tuple[bool, Iterable[tuple[L, Hashable]]]],
    limit: int,
) -> Machine[L]:
    """The machine of everything reachable from `start`, without dead ends.

    `successors` tells of a state whether it accepts, and its edges. Raises `LimitExceeded` when
    the machine would need more than `limit` nodes.
    """
    numbers: dict[Hashable, int] = {start: 0}
    states: list[Hashable] = [start]
    edges: list[list[tuple[L, int]]] = []
    accepting: set[int] = set()
    cost = 0
    for number, state in enumerate(states):  # grows while it is walked
        accepts, following = successors(state)
        if accepts:
            accepting.add(number)
        row = []
        for label, to in following:
            if to not in numbers:
                numbers[to] = len(states)
                states.append(to)
            row.append((label, numbers[to]))
        edges.append(row)
        cost += 1 + len(row)
        if cost * EDGE_COST > limit:
            raise LimitExceeded("max_nodes", limit, "counting members of a JSON Schema")
    live = _reaching(edges, accepting)
    if 0 not in live:
        return Machine([], frozenset())
    kept = [[(label, to) for label, to in row if to in live] for row in edges]
    return Machine(kept, frozenset(accepting))


def _reaching(edges: list[list[tuple[L, int]]], accepting: set[int]) -> set[int]:
    before: list[list[int]] = [[] for _ in edges]
    for number, row in enumerate(edges):
        for _, to in row:
            before[to].append(number)
    live = set(accepting)
    stack = list(live)
    while stack:
        for number in before[stack.pop()]:
            if number not in live:
                live.add(number)
                stack.append(number)
    return live
