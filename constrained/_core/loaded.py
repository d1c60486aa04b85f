"""`Loaded`: grammars that engines of one vocabulary have loaded lately."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from constrained._core import native
from constrained.grammar.rules import Grammar
from constrained.limits import Limits

__all__ = ["Loaded"]

KEPT = 64


class Loaded:
    """The last cores, for engines of the same grammar object to share all that they know.

    Nothing is kept of a store that has outgrown `store_bytes`.
    """

    def __init__(self, store_bytes: int) -> None:
        self._store_bytes = store_bytes
        self._cores: OrderedDict[tuple[int, Limits], tuple[Grammar, native.Core]] = OrderedDict()
        self._lock = Lock()

    def core(
        self, grammar: Grammar, limits: Limits, load: Callable[[], native.Core]
    ) -> native.Core:
        """The core that was loaded for this grammar, or a new one."""
        key = (id(grammar), limits)  # an entry holds its grammar, so that no other gets its id
        with self._lock:
            known = self._cores.get(key)
            if known is not None and known[1].stats()["store_bytes"] <= self._store_bytes:
                self._cores.move_to_end(key)
                return known[1]
        core = load()
        with self._lock:
            newest = next(reversed(self._cores.values()), None)
            if newest is not None and newest[1].stats()["store_bytes"] > self._store_bytes:
                self._cores.clear()
            self._cores[key] = grammar, core
            self._cores.move_to_end(key)
            while len(self._cores) > KEPT:
                self._cores.popitem(last=False)
        return core
