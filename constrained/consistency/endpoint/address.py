"""`Endpoint`: a server's address as a plan writes it down, with what has to be known to ask it.

Everything that decides an answer stands in the address, so it is part of the plan and of the keys
of its cells: the route in the path, the rest after ``#``, which is never sent::

    http://localhost:8000/v1                              chat completions
    http://localhost:8000/v1/completions                  completions: the prompt is sent as it is
    http://localhost:8000/v1#server=vllm                  with vLLM's extensions
    https://api.example.com/v1#constrain=no&key=MY_KEY    nothing enforced there; key from $MY_KEY
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from constrained.consistency.endpoint.dialect import DIALECTS, Dialect
from constrained.errors import InvalidSpec

__all__ = ["KEY", "Endpoint", "Route", "read_endpoint"]

Route = Literal["chat", "completions"]

PATHS: dict[Route, str] = {"chat": "/chat/completions", "completions": "/completions"}
KEY = "OPENAI_API_KEY"
"""The environment variable of the API key when the address names none; it need not be set."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how a server is asked.

    `base` ends in the API's version (``http://localhost:8000/v1``). `server` is the name of a
    `Dialect`, `constrain` says whether the server is to enforce the output format (answers are
    validated either way). With `together` all draws of a cell are one request. `key` is the
    environment variable that holds the API key.

    >>> read_endpoint("http://localhost:8000/v1#server=vllm").url
    'http://localhost:8000/v1/chat/completions'
    """

    base: str
    route: Route = "chat"
    server: str = "openai"
    constrain: bool = True
    together: bool = False
    key: str = KEY

    @property
    def url(self) -> str:
        """What is asked."""
        return self.base + PATHS[self.route]

    @property
    def dialect(self) -> Dialect:
        """What the server knows of the API, and beyond it."""
        return DIALECTS[self.server]


def read_endpoint(address: str) -> Endpoint:
    """The endpoint that an address names; `InvalidSpec` for one that names none.

    >>> read_endpoint("http://localhost:8080/v1/completions#server=llama.cpp").route
    'completions'
    """
    parts = _split(address)
    if parts.username is not None or parts.query:
        raise InvalidSpec(
            "the address of a server holds no password and no query",
            hint="name the environment variable of the API key: http://localhost:8000/v1#key=MY_KEY",
        )
    path = parts.path.rstrip("/")
    route: Route = "completions" if path.endswith("/completions") else "chat"
    if path.endswith(PATHS["chat"]):
        route = "chat"
    path = path.removesuffix(PATHS["chat"]).removesuffix(PATHS["completions"])
    base = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    said = _settings(parts.fragment)
    return Endpoint(
        base,
        route,
        said.get("server", "openai"),
        said.get("constrain", "yes") == "yes",
        said.get("together", "no") == "yes",
        said.get("key", KEY),
    )


def _split(address: str) -> SplitResult:
    """The parts of an address that can be asked."""
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
        parts.netloc.encode("idna")
        wrong = parts.port == 0
    except ValueError:  # brackets that do not match, no such port, no such name
        raise InvalidSpec(f"{address!r} is no address of a server", hint=EXAMPLE) from None
    if not known or wrong:
        raise InvalidSpec(f"{address!r} is no address of a server", hint=EXAMPLE)
    if not UNQUOTED.fullmatch(address.partition("#")[0]):
        raise InvalidSpec(
            f"{address!r} holds a character that no address holds",
            hint="write it as an escape: %20 for a space",
        )
    return parts


def _settings(fragment: str) -> dict[str, str]:
    """What stands after ``#``."""
    pairs = parse_qsl(fragment, keep_blank_values=True)
    said = dict(pairs)
    unknown = sorted(set(said) - set(SETTINGS) - {"key"})
    if unknown:
        raise InvalidSpec(f"there is no setting {unknown[0]!r} after #", hint=HINT)
    if len(pairs) > len(said):
        twice = next(name for name in said if sum(name == one for one, _ in pairs) > 1)
        raise InvalidSpec(f"the setting {twice!r} is given twice after #", hint="leave one out")
    for name, known in SETTINGS.items():
        if said.get(name, known[0]) not in known:
            raise InvalidSpec(f"there is no {name} {said[name]!r}", hint=HINT)
    if not VARIABLE.fullmatch(said.get("key", KEY)):
        # What stands there may be the key itself, so it is not shown.
        raise InvalidSpec(
            "what stands after key= is no name of an environment variable",
            hint="put the key into a variable and write the variable's name: #key=MY_KEY",
        )
    return said


EXAMPLE = "write http://localhost:8000/v1"
UNQUOTED = re.compile(r"[!-~]+")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

SETTINGS = {
    "server": tuple(DIALECTS),
    "constrain": ("yes", "no"),
    "together": ("no", "yes"),
}
"""What may stand after ``#``, the default first."""

HINT = (
    f"write #server={', '.join(list(DIALECTS)[:-1])} or {list(DIALECTS)[-1]}, constrain=yes or no, "
    "together=yes or no, key=VARIABLE, joined by &"
)
