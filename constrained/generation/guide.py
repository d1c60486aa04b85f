"""`Guide`: a spec as an automaton over tokens, shared by sampler, processor and distribution.

Nodes are integers; every call is a pure function of them. `ENDED` follows an end token. The two
kinds of guide are two policies of spelling: `EngineGuide` and `TrieGuide`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from constrained.generation.tree import Tree
from constrained.vocabulary import Vocabulary

__all__ = ["ENDED", "Guide", "Ids", "Mark", "Spelled"]

Ids = NDArray[np.int32]

ENDED = -1


class Mark(NamedTuple):
    """What a choice is known by: how many ids may come next, and a hash of which."""

    ids: int
    digest: int


class Guide(Protocol):
    """What generation needs to know of a spec, token by token."""

    vocabulary: Vocabulary
    start: int
    lead: bytes

    def advance(self, node: int, token: int) -> int:
        """The node after `token`; `TokenRejected` where the spec does not allow it."""

    def allowed(self, node: int, budget: int | None = None) -> Ids:
        """The ids that may come next, sorted, end ids included.

        With a budget, only those after which the output can be complete within `budget` tokens,
        this one counted.
        """

    def allows(self, node: int, token: int) -> bool:
        """Whether `token` may come next."""

    def mark(self, node: int) -> Mark:
        """What the choice at a node is known by, elsewhere too."""

    def fill(self, node: int, row: Ids, budget: int | None = None) -> None:
        """`allowed` as bits: `row` is int32, shape (ceil(width / 32),), overwritten."""

    def fill_many(self, nodes: Sequence[int], rows: Ids) -> None:
        """`fill` for several nodes: int32, shape (nodes, ceil(width / 32)), overwritten."""

    def forced(self, node: int, budget: int | None = None) -> tuple[int, ...]:
        """Tokens that are certain to come next, in canonical spelling."""

    def ahead(self, node: int, most: int) -> tuple[Tree, list[int]]:
        """All later choices below `node` as a tree, with their nodes; empty beyond `most` tokens.

        Worth the trouble only where few tokens are needed to reach every choice there is.
        """

    def accepting(self, node: int) -> bool:
        """The output may end here."""

    def final(self, node: int) -> bool:
        """The output must end here: nothing can follow."""

    def cost(self, node: int) -> int:
        """A number of tokens that is enough to complete the output."""

    def expected(self, node: int) -> str:
        """What may come next, for people."""

    def text(self, ids: Sequence[int]) -> str:
        """The output that ids spell."""


class Spelled:
    """Turns ids into output text, without the `lead` that every output begins with.

    It is what the tokenizer puts before the first text, or a chat template before an answer.
    """

    def __init__(self, vocabulary: Vocabulary, lead: bytes) -> None:
        self.vocabulary = vocabulary
        self.lead = lead
        self.ends: Ids = np.array(sorted(vocabulary.end_ids), dtype=np.int32)

    def text(self, ids: Sequence[int]) -> str:
        """The output that ids spell."""
        data = self.vocabulary.spell(ids)
        return data[len(self.lead) :].decode("utf-8", errors="replace")
