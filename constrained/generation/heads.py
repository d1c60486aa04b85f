"""`Heads`: beginnings of prompts whose passes are kept from one call to the next.

A head's keys and values come from a pass over just its tokens, whichever prompt was first to need
it. So a result depends on which beginnings are kept, and not on what was asked before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch

from constrained.arguments import whole_number
from constrained.errors import GenerationError

__all__ = ["HEAD_BYTES", "KEEP_FROM", "SHARE_FROM", "Heads", "common_head"]

HEAD_BYTES = 2**29
"""Bytes of keys and values that are kept, unless one is told otherwise."""

KEEP_FROM = 16
"""Tokens that a prompt has to share with a kept beginning before it starts from there."""

SHARE_FROM = 64
"""Tokens that a shared beginning has to save before it gets a pass of its own."""

Tokens = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Kept:
    weights: object
    cache: Any
    mask: torch.Tensor
    size: int


class Heads:
    """Beginnings of prompts, and their caches: at most `most_bytes`, the last used stay longest.

    >>> heads = Heads()
    >>> heads.remember(range(100))
    >>> heads.shared([[*range(40), 7, 8], [*range(50), 9]])
    40
    >>> heads.shared([[5, 6, 7]])
    0
    """

    def __init__(self, most_bytes: int = HEAD_BYTES) -> None:
        self._most_bytes = whole_number(most_bytes, "head_bytes", GenerationError, least=0)
        self._known: set[Tokens] = set()
        self._kept: OrderedDict[Tokens, _Kept] = OrderedDict()
        self._lock = Lock()

    def remember(self, head: Sequence[int]) -> None:
        """From now on prompts that begin with this, or a part of it, share their passes over it."""
        with self._lock:
            self._known.add(tuple(head))

    def forget(self) -> None:
        """Keep nothing, and free the memory."""
        with self._lock:
            self._known.clear()
            self._kept.clear()

    def shared(self, prompts: Sequence[Sequence[int]]) -> int:
        """How many tokens all prompts begin with that are in one head; at least one is left."""
        with self._lock:
            known = list(self._known) if self._most_bytes else []
        most = max((common_head([*prompts, (*head, -1)]) for head in known), default=0)
        return most if most >= KEEP_FROM else 0

    def find(self, head: Tokens, weights: object) -> tuple[Any, torch.Tensor] | None:
        """The cache of one row after `head`, and its mask, if they came from these weights."""
        with self._lock:
            kept = self._kept.get(head)
            if kept is None or kept.weights != weights:
                return None
            self._kept.move_to_end(head)
            return kept.cache, kept.mask

    def keep(self, head: Tokens, weights: object, cache: Any, mask: torch.Tensor) -> None:
        """Keep what `find` gives, if there is room and the head was not forgotten meanwhile."""
        size = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        with self._lock:
            self._kept.pop(head, None)
            wanted = any(known[: len(head)] == head for known in self._known)
            if size > self._most_bytes or not wanted:
                return
            while sum(kept.size for kept in self._kept.values()) + size > self._most_bytes:
                self._kept.popitem(last=False)
            self._kept[head] = _Kept(weights, cache, mask, size)


def common_head(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with, less than the shortest has.

    >>> common_head([[1, 2, 3], [1, 2, 4, 5]])
    2
    """
    ordered = sorted(map(tuple, prompts))
    first, last = ordered[0], ordered[-1]  # the two that differ soonest
    most = min(map(len, prompts)) - 1
    return next((i for i in range(most) if first[i] != last[i]), most)
