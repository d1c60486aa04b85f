"""`MaskTable`: masks kept on the device of the logits, so that a step sends one number per row.

A mask is 4 bytes for every 32 ids (16 KiB for a vocabulary of 128,256), and a format has few states
compared to the steps that visit them. So each mask is made once, on the CPU, and uploaded once;
after that a row of a batch says which row of the table it has. New masks are made in a thread of
their own, in the time that the model's pass takes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from constrained.generation.kernels import Backend, block_
from constrained.generation.transfer import host_rows, send, upload

__all__ = ["MOST_BYTES", "MaskTable"]

BLOCK = 256
"""Rows by which a table grows at least."""

MOST_BYTES = 256 * 2**20
"""Memory on the device beyond which the masks used longest ago give way."""

K = TypeVar("K", bound=Hashable)

Fill = Callable[[Sequence[K], NDArray[np.int32]], None]
"""Writes the masks of keys into rows: int32, shape (keys, words)."""


@dataclass(eq=False, frozen=True)
class _Filling(Generic[K]):
    """Masks in the making: row i of `rows` is that of key i once `done`."""

    keys: tuple[K, ...]
    rows: torch.Tensor
    done: Future[None]


class MaskTable(Generic[K]):
    """Masks on a device, by key.

    `words`: int32 words per mask. `fill` makes masks on the CPU; it is called in another thread,
    and what it raises comes out of the call that needs those masks. `most_bytes` bounds the memory
    on the device; a step that needs more masks than fit gets them all the same.

    Safe in several threads, and on several streams of a CUDA device. `backend` as for
    `kernels.block_`.

    >>> def fill(keys, rows):
    ...     rows[:, 0] = keys  # a key is its own mask here
    >>> table = MaskTable(1, torch.device("cpu"), fill)
    >>> table.block_(torch.ones(2, 3), [0b100, None]).tolist()
    [[-inf, -inf, 1.0], [1.0, 1.0, 1.0]]
    """

    def __init__(
        self,
        words: int,
        device: torch.device,
        fill: Fill[K],
        *,
        most_bytes: int = MOST_BYTES,
        backend: Backend | None = None,
    ) -> None:
        self.device = device
        self.uploaded = 0
        self._fill = fill
        self._backend = backend
        self._most = max(1, most_bytes // (4 * words)) if words else 1
        self._masks = torch.zeros((0, words), dtype=torch.int32, device=device)
        self._slots: OrderedDict[K, int] = OrderedDict()
        self._free: list[int] = []
        self._coming: dict[K, _Filling[K]] = {}
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="masks")
        self._stream: Any = None

    def __len__(self) -> int:
        """Masks on the device."""
        return len(self._slots)

    @property
    def rows(self) -> int:
        """Rows that the device has memory for."""
        return len(self._masks)

    def prepare(self, keys: Sequence[K | None]) -> None:
        """Begin to make the masks that are new, and return at once."""
        with self._lock:
            self._begin(keys)

    def wait(self) -> None:
        """Wait until the masks in the making are made."""
        with self._lock:
            fillings = [*self._coming.values()]
        for filling in fillings:
            filling.done.exception()

    def block_(self, logits: torch.Tensor, keys: Sequence[K | None]) -> torch.Tensor:
        """Write ``-inf`` into `logits`, in place, outside the masks of `keys`; gives `logits`.

        `logits`: floating, shape (rows, width), on the table's device. `keys`: one per row, None
        for a row that stays as it is. Waits for masks in the making, never for the device.
        """
        with self._lock:  # until the kernel is queued: no other thread may replace its masks
            self._join_streams()
            places = self._places(keys)
            return block_(
                logits,
                self._masks,
                upload(places, torch.int32, self.device),
                backend=self._backend,
            )

    def _begin(self, keys: Sequence[K | None]) -> None:
        new = tuple(
            key
            for key in dict.fromkeys(keys)
            if key is not None and key not in self._slots and key not in self._coming
        )
        if new:
            rows = host_rows((len(new), self._masks.shape[1]), torch.int32, self.device)
            filling = _Filling(new, rows, self._pool.submit(self._fill, new, rows.numpy()))
            self._coming.update(dict.fromkeys(new, filling))

    def _places(self, keys: Sequence[K | None]) -> list[int]:
        """The row of each key's mask, which is on its way to the device at least; -1 for None."""
        self._begin(keys)
        wanted = {key for key in keys if key is not None}
        for key in wanted & self._slots.keys():
            self._slots.move_to_end(key)
        for filling in dict.fromkeys(self._coming.values()):
            if not wanted.isdisjoint(filling.keys) or filling.done.done():
                self._take(filling, wanted)
        return [-1 if key is None else self._slots[key] for key in keys]

    def _take(self, filling: _Filling[K], wanted: set[K]) -> None:
        """Upload what has been made; a failure is raised where its masks are wanted."""
        for key in filling.keys:
            del self._coming[key]
        if filling.done.exception() is not None and wanted.isdisjoint(filling.keys):
            return
        filling.done.result()
        slots = self._make_room(len(filling.keys), wanted)
        self._slots.update(zip(filling.keys, slots, strict=True))
        rows = send(filling.rows, self.device)
        with torch.inference_mode():
            self._masks.index_copy_(0, upload(slots, torch.int64, self.device), rows)
        self.uploaded += len(slots)

    def _make_room(self, count: int, wanted: set[K]) -> list[int]:
        """Rows for new masks: free ones, those used longest ago, or new ones."""
        over = len(self._slots) + count - self._most
        for key in [*self._slots][: max(over, 0)]:
            if key not in wanted:
                self._free.append(self._slots.pop(key))
        missing = count - len(self._free)
        if missing > 0:
            held, words = self._masks.shape
            most = max(self._most, held + missing)
            rows = min(max(held + missing, 2 * held, BLOCK), most)
            grown = torch.zeros((rows, words), dtype=torch.int32, device=self.device)
            grown[:held] = self._masks
            self._masks = grown
            self._free.extend(range(held, rows))
        taken, self._free = self._free[:count], self._free[count:]
        return taken

    def _join_streams(self) -> None:
        """Let the current stream wait for the one that used the table before, on the device."""
        if self.device.type != "cuda":
            return
        current = torch.cuda.current_stream(self.device)
        if self._stream is not None and self._stream != current:
            current.wait_stream(self._stream)
            self._masks.record_stream(current)
        self._stream = current
