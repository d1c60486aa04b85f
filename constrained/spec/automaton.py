"""A byte engine's states, explored: what can be counted and measured on them."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from constrained.engine import ByteEngine

__all__ = ["Automaton", "characters_in", "explore", "fewest_characters"]


@dataclass(frozen=True)
class Automaton:
    """The states that were explored from the start, breadth first.

    `ways` maps a state to its transitions: (the bytes of one class, the next state). When
    `complete` is false the exploration was cut short, and some next states are missing.
    """

    start: int
    ways: dict[int, list[tuple[bytes, int]]]
    accepting: frozenset[int]
    complete: bool

    def order(self) -> list[int] | None:
        """The states, each before the ones it leads to; None when there is a cycle."""
        arrivals = dict.fromkeys(self.ways, 0)
        for ways in self.ways.values():
            for _, to in ways:
                arrivals[to] += 1
        ready = [state for state, count in arrivals.items() if not count]
        for state in ready:  # grows while it is walked
            for _, to in self.ways[state]:
                arrivals[to] -= 1
                if not arrivals[to]:
                    ready.append(to)
        return ready if len(ready) == len(self.ways) else None

    def count(self, order: list[int]) -> int:
        """How many outputs there are: paths to accepting states."""
        paths: dict[int, int] = {}
        for state in reversed(order):
            onward = sum(len(data) * paths[to] for data, to in self.ways[state])
            paths[state] = onward + (state in self.accepting)
        return paths[self.start]

    def longest(self, order: list[int], weight: Callable[[bytes], int]) -> int:
        """The greatest total weight of an output's bytes; `weight` is that of a class."""
        most: dict[int, int] = {}
        for state in reversed(order):
            onward = [weight(data) + most[to] for data, to in self.ways[state]]
            most[state] = max(onward, default=0)
        return most[self.start]


def explore(engine: ByteEngine, limit: int) -> Automaton:
    """The states of `engine`, at most `limit` of them.

    >>> from constrained.grammar import Grammar, literals
    >>> automaton = explore(ByteEngine(Grammar(literals(["a", "ab", "b"]))), 100)
    >>> automaton.count(automaton.order())
    3
    """
    ways: dict[int, list[tuple[bytes, int]]] = {}
    seen = {engine.start}
    queue = [engine.start]
    for state in queue:  # grows while it is walked
        if len(ways) == limit:
            break
        ways[state] = engine.transitions(state)
        for _, to in ways[state]:
            if to not in seen:
                seen.add(to)
                queue.append(to)
    accepting = frozenset(state for state in ways if engine.accepting(state))
    return Automaton(engine.start, ways, accepting, len(ways) == len(seen))


def characters_in(data: bytes) -> int:
    """The most characters that one byte of the class can begin: 0 for continuation bytes only."""
    return int(any(byte & 0xC0 != 0x80 for byte in data))


def fewest_characters(engine: ByteEngine, limit: int) -> int | None:
    """The fewest characters of an output; None when `limit` states do not settle it."""
    best = {engine.start: 0}
    heap = [(0, engine.start)]
    done: set[int] = set()
    while heap and len(done) < limit:
        characters, state = heapq.heappop(heap)
        if state in done:
            continue
        done.add(state)
        if engine.accepting(state):
            return characters
        for data, to in engine.transitions(state):
            continues = any(byte & 0xC0 == 0x80 for byte in data)
            reached = characters + (not continues)
            if reached < best.get(to, reached + 1):
                best[to] = reached
                heapq.heappush(heap, (reached, to))
    return None
