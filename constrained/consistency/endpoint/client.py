"""`Client`: one JSON request to a server, tried again when the server is busy."""

from __future__ import annotations

import http.client
import json
import os
import random
import urllib.error
import urllib.request
from collections.abc import Mapping
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from constrained.consistency.endpoint.address import KEY, Endpoint
from constrained.errors import GenerationError, ModelError

__all__ = ["Client"]

AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)
"""Status codes after which the same request may succeed."""

REFUSED = (400, 413, 422)
"""Status codes that say that this one request cannot be answered (too long, not understood)."""

LARGEST = 64 * 2**20
"""Bytes of an answer."""

LOCAL = ("localhost", "127.0.0.1", "::1")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the API key to another server."""

    def redirect_request(self, *_args: Any) -> None:
        return None


class Client:
    """Asks one endpoint.

    A request is tried `retries` times more after a busy or broken answer, a lost connection or
    `timeout` seconds of silence, with waits that double from `wait` seconds (with jitter) up to a
    minute, or as long as the server says (``Retry-After``, at most ten minutes). May be used by
    several threads.

    Raises `ModelError` when the key variable that the address names is not set.

    >>> Client(Endpoint("http://localhost:8000/v1")).retries
    5
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout: float = 120.0,
        retries: int = 5,
        wait: float = 1.0,
    ) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self.retries = retries
        self._wait = wait
        self._closed = Event()
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        key = os.environ.get(endpoint.key, "")
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        elif endpoint.key != KEY:
            raise ModelError(
                endpoint.base,
                f"the environment variable {endpoint.key} is not set",
                hint="set it to the API key, or leave key=... out of the address",
            )
        handlers: list[Any] = [_NoRedirects()]
        if urlsplit(endpoint.base).hostname in LOCAL:
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def ask(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one request.

        Raises `GenerationError` when the server refuses this request, `ModelError` when it cannot
        be reached, refuses all requests, or keeps failing.
        """
        data = json.dumps(body).encode("ascii")
        problem = ""
        for attempt in range(self.retries + 1):
            asked_to_wait = None
            try:
                return self._once(data)
            except urllib.error.HTTPError as error:
                with error:
                    problem = f"status {error.code}: {_said(error)}"
                    asked_to_wait = error.headers.get("Retry-After")
                if error.code in REFUSED:
                    raise GenerationError(f"the server refused: {problem}") from error
                if error.code not in AGAIN:
                    raise self._failure(problem) from error
            except TimeoutError:
                problem = f"no answer within {self.timeout:g} seconds"
            except (OSError, http.client.HTTPException) as error:
                problem = f"no connection: {getattr(error, 'reason', error)}"
            except (ValueError, RecursionError) as error:
                problem = f"the answer is not JSON: {error}"
            if attempt < self.retries and self._closed.wait(self._pause(attempt, asked_to_wait)):
                raise self._failure("the run was ended")
        raise self._failure(f"{problem} ({self.retries + 1} tries)")

    def close(self) -> None:
        """Nothing is tried again from now on."""
        self._closed.set()

    def _once(self, data: bytes) -> dict[str, Any]:
        request = urllib.request.Request(self.endpoint.url, data, self._headers, method="POST")
        with self._opener.open(request, timeout=self.timeout) as response:
            said = response.read(LARGEST + 1)
        if len(said) > LARGEST:
            raise ValueError(f"more than {LARGEST:,} bytes")
        value = json.loads(said)
        if not isinstance(value, dict):
            raise ValueError(f"{type(value).__name__} instead of an object")
        return value

    def _pause(self, attempt: int, asked: str | None) -> float:
        """Seconds to wait before the next try."""
        try:
            return min(600.0, max(0.0, float(asked or "")))
        except ValueError:
            # Jitter decides when to ask, never what is asked.
            return float(min(60.0, self._wait * 2**attempt) * (0.5 + random.random() / 2))

    def _failure(self, problem: str) -> ModelError:
        return ModelError(
            self.endpoint.url, problem, hint="what was scored is kept; run again to go on"
        )


def _said(error: urllib.error.HTTPError) -> str:
    """What a server says of an error, in one line."""
    try:
        text = error.read(2_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return str(error.reason)
    try:
        value = json.loads(text)
        told = value.get("error", value) if isinstance(value, dict) else value
        text = str(told.get("message", told) if isinstance(told, dict) else told)
    except ValueError:
        pass
    return " ".join(text.split())[:300] or str(error.reason)
