# ruff: noqa: D102 - the methods are documented on `Guide`
"""`EngineGuide`: every spelling of every output; canonical where the text is certain."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np

from constrained.engine import Engine
from constrained.errors import TokenRejected
from constrained.generation.bits import pack, unpack
from constrained.generation.canonical import Speller, whole_characters
from constrained.generation.guide import ENDED, Ids, Mark, Spelled
from constrained.generation.tree import Tree
from constrained.vocabulary import Vocabulary

__all__ = ["EngineGuide"]


FEW = 256
"""Masks of at most this many ids are kept as ids."""


class EngineGuide(Spelled):
    """Every spelling of every output; canonical where the text is certain.

    A node is a state of the engine and the forced tokens still to come. A token that could reach
    across the end of a forced run is never cut off: the run is shortened to the last border that
    no token of the vocabulary can span. `fresh`: `lead` is the tokenizer's own start of a text.
    """

    def __init__(
        self,
        engine: Engine,
        vocabulary: Vocabulary,
        speller: Speller | None,
        *,
        lead: bytes = b"",
        fresh: bool = False,
    ) -> None:
        super().__init__(vocabulary, lead)
        self._fresh = fresh and bool(lead)
        self.engine = engine
        self._speller = speller
        lengths = [len(token or b"") for token in vocabulary.tokens[: vocabulary.width]]
        self._lengths = np.zeros(vocabulary.width, dtype=np.int32)
        self._lengths[: len(lengths)] = lengths
        self._longest = int(self._lengths.max(initial=0))
        self._nodes: list[tuple[int, tuple[int, ...]]] = []
        self._index: dict[tuple[int, tuple[int, ...]], int] = {}
        self._runs: dict[tuple[int, int | None], tuple[int, ...]] = {}
        self._few: dict[int, Ids] = {}
        self._marks: dict[int, Mark] = {}
        self._lock = Lock()
        self.start = self._node(engine.start, self._run(engine.start, None))

    def advance(self, node: int, token: int) -> int:
        if node == ENDED:
            return ENDED
        state, pending = self._nodes[node]
        if token in self.vocabulary.end_ids:
            if not self.engine.accepting(state):
                raise TokenRejected(state, token, self.engine.expected(state))
            return ENDED
        after = self.engine.advance(state, token)
        rest = pending[1:] if pending and pending[0] == token else ()
        return self._node(after, rest or self._run(after, token))

    def allowed(self, node: int, budget: int | None = None) -> Ids:
        if node == ENDED:
            return self.ends
        state, _ = self._nodes[node]
        forced = self.forced(node, budget)
        if forced:
            return np.array(forced[:1], dtype=np.int32)
        if budget is None:
            return self._mask_ids(state)
        row = np.zeros(self.engine.words, dtype=np.int32)
        self.engine.fill_mask_within(state, row, budget)
        return unpack(row)

    def allows(self, node: int, token: int) -> bool:
        if node == ENDED:
            return token in self.vocabulary.end_ids
        state, pending = self._nodes[node]
        return token == pending[0] if pending else self.engine.allows(state, token)

    def mark(self, node: int) -> Mark:
        mark = self._marks.get(node)
        if mark is None:
            row = np.zeros(self.engine.words, dtype=np.int32)
            self.fill(node, row)
            ids = int(np.unpackbits(row.view(np.uint8)).sum())
            mark = self._marks[node] = Mark(ids, hash(row.tobytes()))
        return mark

    def fill(self, node: int, row: Ids, budget: int | None = None) -> None:
        if node == ENDED or self.forced(node, budget):
            pack(self.allowed(node, budget), row)
        elif budget is None:
            self.engine.fill_mask(self._nodes[node][0], row)
        else:
            self.engine.fill_mask_within(self._nodes[node][0], row, budget)

    def fill_many(self, nodes: Sequence[int], rows: Ids) -> None:
        open_ = [
            place for place, node in enumerate(nodes) if node != ENDED and not self.forced(node)
        ]
        for place in sorted(set(range(len(nodes))) - set(open_)):
            self.fill(nodes[place], rows[place])
        if open_:
            masks = np.empty((len(open_), rows.shape[1]), dtype=np.int32)
            self.engine.fill_masks([self._nodes[nodes[place]][0] for place in open_], masks)
            rows[open_] = masks

    def forced(self, node: int, budget: int | None = None) -> tuple[int, ...]:
        if node == ENDED:
            return ()
        state, pending = self._nodes[node]
        if pending and budget is not None:
            after = state
            for token in pending:
                after = self.engine.advance(after, token)
            if len(pending) + self.engine.cost(after) > budget:
                return ()
        return pending

    def ahead(self, node: int, most: int) -> tuple[Tree, list[int]]:
        del node, most
        return Tree(), []  # finding all choices of any spec would cost more than it saves

    def accepting(self, node: int) -> bool:
        return node == ENDED or self.engine.accepting(self._nodes[node][0])

    def final(self, node: int) -> bool:
        return node == ENDED or self.engine.final(self._nodes[node][0])

    def cost(self, node: int) -> int:
        return 0 if node == ENDED else self.engine.cost(self._nodes[node][0])

    def expected(self, node: int) -> str:
        return "the end" if node == ENDED else self.engine.expected(self._nodes[node][0])

    def _mask_ids(self, state: int) -> Ids:
        """The ids of a mask; the short ones are kept, as most states of a format allow few."""
        ids = self._few.get(state)
        if ids is None:
            ids = self.engine.allowed(state)
            if len(ids) <= FEW:
                self._few[state] = ids
        return ids

    def _node(self, state: int, pending: tuple[int, ...]) -> int:
        key = (state, pending)
        node = self._index.get(key)
        if node is None:
            with self._lock:
                node = self._index.get(key)
                if node is None:
                    self._nodes.append(key)
                    node = self._index[key] = len(self._nodes) - 1
        return node

    def _run(self, state: int, last: int | None) -> tuple[int, ...]:
        """The canonical tokens of what is certain after `state`, up to the last sure border."""
        if self._speller is None:
            return ()
        run = self._runs.get((state, last))
        if run is None:
            run = self._runs[state, last] = self._spell_run(self._speller, state, last)
        return run

    def _spell_run(self, speller: Speller, state: int, last: int | None) -> tuple[int, ...]:
        data = whole_characters(self.engine.forced(state))
        if not data:
            return ()
        fresh = last is None and self._fresh
        ids = speller.start(data) if fresh else speller.within(data, last)
        if not ids:
            return ()
        border, kept, position = self._sure_border(state, data), [], 0
        for token in ids:
            position += len(self.vocabulary.tokens[token] or b"")
            if position > border:
                break
            kept.append(token)
        return tuple(kept)

    def _sure_border(self, state: int, data: bytes) -> int:
        """The first position of `data` at which a live token begins that reaches beyond it all."""
        first = max(0, len(data) - self._longest + 1)
        at = self.engine.advance_bytes(state, data[:first])
        for position in range(first, len(data)):
            if at is None:
                return 0
            reach = self._lengths[self._mask_ids(at)].max(initial=0)
            if reach > len(data) - position:
                return position
            at = self.engine.advance_bytes(at, data[position : position + 1])
        return len(data)
