# ruff: noqa: D102 - the methods are documented on `Guide`
"""`TrieGuide`: the tokenizer's own spelling of every output of a finite spec, and no other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from constrained.errors import TokenRejected
from constrained.generation.bits import pack
from constrained.generation.guide import ENDED, Ids, Mark, Spelled
from constrained.generation.tree import Tree
from constrained.vocabulary import Vocabulary

__all__ = ["TrieGuide"]


class TrieGuide(Spelled):
    """The canonical tokens of each output of a finite spec, as a trie.

    `paths` are the token sequences of the outputs, in any order.
    """

    def __init__(
        self, paths: Sequence[Sequence[int]], vocabulary: Vocabulary, *, lead: bytes = b""
    ) -> None:
        super().__init__(vocabulary, lead)
        self.start = 0
        self._children: list[dict[int, int]] = [{}]
        self._ending: list[bool] = [False]
        for path in paths:
            node = 0
            for token in path:
                following = self._children[node].get(token)
                if following is None:
                    following = self._children[node][token] = len(self._children)
                    self._children.append({})
                    self._ending.append(False)
                node = following
            self._ending[node] = True
        # Children are numbered after their parents, so one pass backwards settles the costs.
        self._costs = [0] * len(self._children)
        for node in reversed(range(len(self._children))):
            if not self._ending[node]:
                self._costs[node] = 1 + min(self._costs[c] for c in self._children[node].values())
        self._allowed: dict[int, Ids] = {}
        self._ahead: dict[tuple[int, int], tuple[Tree, list[int]]] = {}

    def advance(self, node: int, token: int) -> int:
        if node == ENDED:
            return ENDED
        if token in self.vocabulary.end_ids and self._ending[node]:
            return ENDED
        following = self._children[node].get(token)
        if following is None:
            raise TokenRejected(node, token, self.expected(node))
        return following

    def allowed(self, node: int, budget: int | None = None) -> Ids:
        if node == ENDED:
            return self.ends
        if budget is None:
            known = self._allowed.get(node)
            if known is None:
                known = self._allowed[node] = self._ids(node, self._children[node])
            return known
        children = self._children[node].items()
        return self._ids(node, [token for token, c in children if self._costs[c] < budget])

    def allows(self, node: int, token: int) -> bool:
        if node == ENDED or token in self.vocabulary.end_ids:
            return self.accepting(node) and token in self.vocabulary.end_ids
        return token in self._children[node]

    def mark(self, node: int) -> Mark:
        ids = self.allowed(node)
        return Mark(len(ids), hash(ids.tobytes()))

    def fill(self, node: int, row: Ids, budget: int | None = None) -> None:
        pack(self.allowed(node, budget), row)

    def fill_many(self, nodes: Sequence[int], rows: Ids) -> None:
        for node, row in zip(nodes, rows, strict=True):
            self.fill(node, row)

    def _ids(self, node: int, tokens: Iterable[int]) -> Ids:
        ends = self.ends if self._ending[node] else ()
        return np.array(sorted({*tokens, *(int(i) for i in ends)}), dtype=np.int32)

    def forced(self, node: int, budget: int | None = None) -> tuple[int, ...]:
        run: list[int] = []
        while node != ENDED and not self._ending[node] and len(self._children[node]) == 1:
            ((token, node),) = self._children[node].items()
            run.append(token)
        if budget is not None and node != ENDED and len(run) + self._costs[node] > budget:
            return ()
        return tuple(run)

    def ahead(self, node: int, most: int) -> tuple[Tree, list[int]]:
        key = (node, most)
        if key not in self._ahead:
            self._ahead[key] = self._look_ahead(node, most)
        return self._ahead[key]

    def _look_ahead(self, start: int, most: int) -> tuple[Tree, list[int]]:
        """Walk all nodes below, then keep those on the way to a node with several ways on."""
        nodes: list[int] = []
        parents: list[int] = []
        tokens: list[int] = []
        pending = [(start, -1)]
        while pending:
            node, place = pending.pop()
            for token, child in self._children[node].items():
                pending.append((child, len(nodes)))
                nodes.append(child)
                parents.append(place)
                tokens.append(token)
        wanted = [len(self._children[node]) + self._ending[node] > 1 for node in nodes]
        for place in reversed(range(len(nodes))):
            if wanted[place] and parents[place] >= 0:
                wanted[parents[place]] = True
        kept = [place for place, is_wanted in enumerate(wanted) if is_wanted]
        if len(kept) > most:
            return Tree(), []
        places = {place: i for i, place in enumerate(kept)}
        tree = Tree(
            tuple(tokens[place] for place in kept),
            tuple(places.get(parents[place], -1) for place in kept),
        )
        return tree, [nodes[place] for place in kept]

    def accepting(self, node: int) -> bool:
        return node == ENDED or self._ending[node]

    def final(self, node: int) -> bool:
        return node == ENDED or not self._children[node]

    def cost(self, node: int) -> int:
        return 0 if node == ENDED else self._costs[node]

    def expected(self, node: int) -> str:
        if node == ENDED:
            return "the end"
        shown = [
            repr((self.vocabulary.tokens[token] or b"").decode("utf-8", errors="replace"))
            for token in islice(self._children[node], 8)
        ]
        more = ["..."] if len(self._children[node]) > 8 else []
        return " or ".join([*shown, *more, *(["the end"] if self._ending[node] else [])])
