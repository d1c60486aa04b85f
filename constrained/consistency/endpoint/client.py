"""`Client`: one JSON request to a server, tried again when the server is busy."""

from __future__ import annotations

import http.client
import json
import random
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any
from urllib.parse import urlsplit

from constrained.consistency.endpoint.address import KEY, Endpoint
from constrained.consistency.endpoint.deadline import DeadlineHandlers
from constrained.consistency.endpoint.secret import secret_of
from constrained.errors import GenerationError, ModelError
from constrained.visible import visible

__all__ = ["Client"]

AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)
"""Status codes after which the same request may succeed."""

REFUSED = (400, 413, 422)
"""Status codes that say that this one request cannot be answered (too long, not understood)."""

MISSING = (404, 405, 501)
"""Status codes that say that a server does not have a route beside its own."""

LARGEST = 16 * 2**20
"""Bytes of an answer. As values they take up to sixty times as much (empty lists in a list)."""

LARGEST_ERROR = 64 * 2**10
SHOWN = 300
"""Bytes of an error that are read, and characters of it that are told."""

LOCAL = ("localhost", "127.0.0.1", "::1")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the API key to another server."""

    def redirect_request(self, *_args: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a try gave no answer; `status` is 0 where there was none."""

    problem: str
    status: int = 0
    wait: str | None = None


class Client:
    """Asks one endpoint.

    A request is tried `retries` times more after a busy or broken answer, a lost connection, or an
    answer that is not whole after `timeout` seconds, with waits that double from `wait` seconds
    (with jitter) up to a minute, or as long as the server says (``Retry-After``, at most ten
    minutes). May be used by several threads. The API key is cut out of everything that the server
    says.

    Raises `ModelError` when the key variable that the address names is not set, or holds what
    cannot be sent.

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
        self._secret = secret_of(endpoint.key, endpoint.base)
        if self._secret.key:
            self._headers["Authorization"] = f"Bearer {self._secret.key}"
        elif endpoint.key != KEY:
            raise ModelError(
                endpoint.base,
                f"the environment variable {endpoint.key} is not set",
                hint="set it to the API key, or leave key=... out of the address",
            )
        handlers: list[Any] = [_NoRedirects(), DeadlineHandlers()]
        if urlsplit(endpoint.base).hostname in LOCAL:
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def ask(self, body: Mapping[str, Any], url: str = "") -> dict[str, Any]:
        """The answer to one request, sent to `url` where it is not the endpoint's own.

        Raises `GenerationError` when the server refuses this request, `ModelError` when it cannot
        be reached, refuses all requests, or keeps failing.
        """
        url = url or self.endpoint.url
        data = json.dumps(body).encode("ascii")
        problem = ""
        for attempt in range(self.retries + 1):
            # Errors are raised out here, where no error of a library that may quote what was sent
            # or received stands behind them.
            found = self._once(url, data)
            if not isinstance(found, _Failed):
                return found
            problem = self._secret.cut(found.problem)[: SHOWN + 100]
            if url != self.endpoint.url and found.status in MISSING:
                raise GenerationError(f"the server has no {urlsplit(url).path}: {problem}")
            if found.status in REFUSED:
                raise GenerationError(f"the server refused: {problem}")
            if found.status and found.status not in AGAIN:
                raise self._failure(url, problem)
            if attempt < self.retries and self._closed.wait(self._pause(attempt, found.wait)):
                raise self._failure(url, "the run was ended")
        raise self._failure(url, f"{problem} ({self.retries + 1} tries)")

    def cut(self, text: str) -> str:
        """A text that was put together from parts of an answer, without the API key."""
        return str(self._secret.cut(text))

    def close(self) -> None:
        """Nothing is tried again from now on."""
        self._closed.set()

    def _once(self, url: str, data: bytes) -> dict[str, Any] | _Failed:
        request = urllib.request.Request(url, data, self._headers, method="POST")
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                said = response.read(LARGEST + 1)
            if len(said) > LARGEST:
                return _Failed(f"the answer is not JSON: more than {LARGEST:,} bytes")
            value = self._secret.cut(json.loads(said))
        except urllib.error.HTTPError as error:
            with error:
                said = f"status {error.code}: {self._said(error)}"
                return _Failed(said, error.code, error.headers.get("Retry-After"))
        except TimeoutError:
            return _Failed(f"no answer within {self.timeout:g} seconds")
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                return _Failed(f"no answer within {self.timeout:g} seconds")
            return _Failed(f"no connection: {visible(str(reason))}")
        except (ValueError, RecursionError) as error:
            return _Failed(f"the answer is not JSON: {visible(str(error))}")
        if not isinstance(value, dict):
            kind = type(value).__name__
            return _Failed(f"the answer is not JSON: {kind} instead of an object")
        return value

    def _pause(self, attempt: int, asked: str | None) -> float:
        """Seconds to wait before the next try."""
        try:
            return min(600.0, max(0.0, float(asked or "")))
        except ValueError:
            # Jitter decides when to ask, never what is asked.
            return float(min(60.0, self._wait * 2**attempt) * (0.5 + random.random() / 2))

    def _failure(self, url: str, problem: str) -> ModelError:
        return ModelError(url, problem, hint="what was scored is kept; run again to go on")

    def _said(self, error: urllib.error.HTTPError) -> str:
        """What a server says of an error, in one line."""
        try:
            text = error.read(LARGEST_ERROR).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            text = ""
        try:
            value = self._secret.cut(json.loads(text))
            told = value
            if isinstance(value, dict):
                told = value.get("error", value.get("detail", value))
            told = told.get("message", told) if isinstance(told, dict) else told
            text = told if isinstance(told, str) else str(told)
        except (ValueError, RecursionError):
            pass
        # The key is cut out of all of the text, before it is made short.
        said = " ".join(self._secret.cut(text or str(error.reason)).split())
        return visible(said[:SHOWN] or str(error.reason))
