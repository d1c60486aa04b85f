"""HTTP answers that have to be whole by a deadline.

A socket's own timeout starts again with every byte, so a server that sends one now and then would
be waited for without end.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
import urllib.request
from collections.abc import Callable
from typing import Any

__all__ = ["DeadlineHandlers"]


class _BeforeDeadline(io.RawIOBase):
    """The bytes of a socket, each read with what is left of the time."""

    def __init__(self, connection: socket.socket, raw: Any, deadline: float) -> None:
        super().__init__()
        self._connection = connection
        self._raw = raw
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline is over")
        self._connection.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


def _answers_by(deadline: float) -> Callable[..., http.client.HTTPResponse]:
    """Makes answers of `http.client` that raise `TimeoutError` after `deadline` (monotonic)."""

    def answer(connection: socket.socket, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        made = http.client.HTTPResponse(connection, *args, **kwargs)
        raw: Any = made.fp.detach()
        made.fp = io.BufferedReader(_BeforeDeadline(connection, raw, deadline))
        return made

    return answer


class DeadlineHandlers(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Opens ``http:`` and ``https:``; the timeout of a request is that of its whole answer.

    >>> opener = urllib.request.build_opener(DeadlineHandlers)
    """

    def do_open(self, http_class: Any, req: Any, **more: Any) -> Any:
        """One request; raises `TimeoutError` when its answer's head is not there in time."""
        deadline = time.monotonic() + req.timeout

        def connection(*args: Any, **kwargs: Any) -> Any:
            made = http_class(*args, **kwargs)
            made.response_class = _answers_by(deadline)
            return made

        return super().do_open(connection, req, **more)
