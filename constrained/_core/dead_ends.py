"""`DeadEnds`: which states tokens can still lead to an end, where bytes alone do not tell.

A state of the core lives as long as bytes can complete the output. Where no piece of the vocabulary
begins another (`Spelling.prefix_free`), tokens can then as well. Elsewhere they may not: with the
byte E6, and with E6 97 and A5 but no 97 of its own, the token E6 begins 日 and nothing goes on.
So ways to an end are searched here, over pieces, and tokens after which there is none are no part
of a mask.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from constrained._core import native
from constrained.errors import LimitExceeded
from constrained.limits import Limits

__all__ = ["DeadEnds", "Way"]

KEPT = 1024
"""Masks that are kept; they are made again when asked for."""


class Way(NamedTuple):
    """The shortest way to an end: its bytes and pieces, the first piece and where that leads."""

    length: int
    pieces: int
    first: bytes
    next: int


_Branch = dict[int, tuple[bytes | None, "_Branch"]]  # by byte: the piece that ends there, and more


class DeadEnds:
    """Ways and masks of one core; pure functions of the state.

    Raises `LimitExceeded` where a search takes more than `limits.max_steps` steps.
    """

    def __init__(self, core: native.Core, pieces: Iterable[bytes], limits: Limits) -> None:
        self._core = core
        self._limits = limits
        self._ways: dict[int, Way | None] = {}
        self._masks: dict[int, NDArray[np.int32]] = {}
        self._pieces: _Branch = {}
        for piece in sorted(pieces):
            branch = self._pieces
            for byte in piece[:-1]:
                branch = branch.setdefault(byte, (None, {}))[1]
            branch[piece[-1]] = (piece, branch.get(piece[-1], (None, {}))[1])

    def way(self, state: int) -> Way | None:
        """The way with the fewest bytes and, of those, the fewest pieces; None when there is none.

        After the first piece of a way, the way is the rest of it.
        """
        if state not in self._ways:
            self._search(state)
        return self._ways[state]

    def completion(self, state: int) -> bytes:
        """The bytes of the way, which there must be."""
        done = b""
        while (way := self.way(state)) is not None and way.length:
            done += way.first
            state = way.next
        return done

    def fill_mask(self, state: int, row: NDArray[np.int32]) -> None:
        """Clear the bits of tokens that lead nowhere; `row` holds the core's mask of the state."""
        known = self._masks.get(state)
        if known is None:
            self._keep(state, row, None)
            if len(self._masks) >= KEPT:
                self._masks.clear()
            known = self._masks[state] = row.copy()
        row[:] = known

    def fill_mask_within(self, state: int, row: NDArray[np.int32], budget: int) -> None:
        """The same, and clear those after whose way takes more than ``budget - 1`` pieces."""
        self._keep(state, row, budget)

    def _keep(self, state: int, row: NDArray[np.int32], budget: int | None) -> None:
        bits = np.unpackbits(row.view(np.uint8), bitorder="little")
        for token in np.flatnonzero(bits).tolist():
            following = self._core.advance(state, token)
            if following:  # an end token leads nowhere in the core, and stays
                way = self.way(following)
                bits[token] = way is not None and (budget is None or way.pieces < budget)
        row.view(np.uint8)[:] = np.packbits(bits, bitorder="little")

    def _search(self, start: int) -> None:
        """Nearest first, until a way is certain; all that were met are dead when none is."""
        best: dict[int, tuple[int, int]] = {start: (0, 0)}
        before: dict[int, tuple[int, bytes]] = {}
        ends: dict[int, tuple[int, int]] = {}
        waiting: list[tuple[tuple[int, int], int, bool]] = [((0, 0), start, False)]
        steps = 0
        while waiting:
            far, state, ended = heapq.heappop(waiting)
            if ended:
                self._remember(state, before)
                return
            if far > best[state]:
                continue
            if self._core.accepting(state):
                self._ways[state] = Way(0, 0, b"", state)
            if state in self._ways:
                way = self._ways[state]
                if way is not None:
                    end = (far[0] + way.length, far[1] + way.pieces)
                    if state not in ends or end < ends[state]:
                        ends[state] = end
                        heapq.heappush(waiting, (end, state, True))
                continue
            for piece, following in self._steps(state):
                steps += 1
                if steps > self._limits.max_steps:
                    raise LimitExceeded(
                        "max_steps", self._limits.max_steps, "looking for tokens that end an output"
                    )
                reached = (far[0] + len(piece), far[1] + 1)
                if following not in best or reached < best[following]:
                    best[following] = reached
                    before[following] = (state, piece)
                    heapq.heappush(waiting, (reached, following, False))
        self._ways.update((state, None) for state in best if state not in self._ways)

    def _remember(self, state: int, before: dict[int, tuple[int, bytes]]) -> None:
        """Ways of all states on the way to one whose way is known."""
        way = self._ways[state]
        while state in before and way is not None:
            previous, piece = before[state]
            way = Way(way.length + len(piece), way.pieces + 1, piece, state)
            self._ways[previous] = way
            state = previous

    def _steps(self, state: int) -> list[tuple[bytes, int]]:
        """The pieces that may come next, and the states after them."""
        found: list[tuple[bytes, int]] = []
        pending = [(self._pieces, state)]
        while pending:
            branch, at = pending.pop()
            for byte, (piece, more) in branch.items():
                after = self._core.advance_bytes(at, bytes([byte]))
                if after:
                    if piece is not None:
                        found.append((piece, after))
                    if more:
                        pending.append((more, after))
        return found
