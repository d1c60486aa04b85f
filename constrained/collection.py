"""Python's cyclic garbage collector, paused while a grammar is compiled.

Compiling makes tens of thousands of small values at once and hardly any cycles. The collector
starts with every 700 of them and finds nothing; its full passes visit every object of the process,
which beside torch and transformers took most of the time of a large schema.
"""

from __future__ import annotations

import gc
from contextlib import ContextDecorator
from threading import Lock
from types import TracebackType

__all__ = ["collection_paused"]

_lock = Lock()
_pauses = 0
_was_enabled = False


class collection_paused(ContextDecorator):  # noqa: N801 - called like a function
    """Pause the collector; the last of several pauses that ends sets it going again.

    >>> import gc
    >>> with collection_paused():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """

    def __enter__(self) -> None:
        """Pause it, unless it is paused already."""
        global _pauses, _was_enabled
        with _lock:
            if _pauses == 0:
                _was_enabled = gc.isenabled()
                gc.disable()
            _pauses += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Set it going again, unless others have paused it too."""
        global _pauses
        with _lock:
            _pauses -= 1
            if _pauses == 0 and _was_enabled:
                gc.enable()
