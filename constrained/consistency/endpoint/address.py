"""`Endpoint`: a server's address as a plan writes it down, with what has to be known to ask it.

Everything that decides an answer stands in the address, so it is part of the plan and of the keys
of its cells: the route in the path, the rest after ``#``, which is never sent::

    http://localhost:8000/v1                              chat completions
    http://localhost:8000/v1/completions                  completions: the prompt is sent as it is
    http://localhost:8000/v1#server=vllm                  with vLLM's extensions
    https://api.example.com/v1#constrain=no&key=MY_KEY    nothing enforced there; key from $MY_KEY
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from constrained.errors import InvalidSpec

__all__ = ["KEY", "Endpoint", "Route", "Server", "read_endpoint"]

Route = Literal["chat", "completions"]
Server = Literal["openai", "vllm", "llama.cpp"]

PATHS: dict[Route, str] = {"chat": "/chat/completions", "completions": "/completions"}
KEY = "OPENAI_API_KEY"
"""The environment variable of the API key when the address names none; it need not be set."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how a server is asked.

    `base` ends in the API's version (``http://localhost:8000/v1``). `server` says which extensions
    of the API it knows, `constrain` whether it is to enforce the output format (answers are
    validated either way). With `together` all draws of a cell are one request. `key` is the
    environment variable that holds the API key.

    >>> read_endpoint("http://localhost:8000/v1#server=vllm").url
    'http://localhost:8000/v1/chat/completions'
    """

    base: str
    route: Route = "chat"
    server: Server = "openai"
    constrain: bool = True
    together: bool = False
    key: str = KEY

    @property
    def url(self) -> str:
        """What is asked."""
        return self.base + PATHS[self.route]


def read_endpoint(address: str) -> Endpoint:
    """The endpoint that an address names; `InvalidSpec` for one that names none.

    >>> read_endpoint("http://localhost:8080/v1/completions#server=llama.cpp").route
    'completions'
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidSpec(
            f"{address!r} is no address of a server", hint="write http://localhost:8000/v1"
        )
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
    said = dict(parse_qsl(parts.fragment, keep_blank_values=True))
    unknown = sorted(set(said) - set(SETTINGS) - {"key"})
    if unknown:
        raise InvalidSpec(f"there is no setting {unknown[0]!r} after #", hint=HINT)
    for name, known in SETTINGS.items():
        if said.get(name, known[0]) not in known:
            raise InvalidSpec(f"there is no {name} {said[name]!r}", hint=HINT)
    server: Server = next((n for n in get_args(Server) if n == said.get("server")), "openai")
    return Endpoint(
        base,
        route,
        server,
        said.get("constrain", "yes") == "yes",
        said.get("together", "no") == "yes",
        said.get("key", KEY),
    )


SETTINGS = {
    "server": ("openai", "vllm", "llama.cpp"),
    "constrain": ("yes", "no"),
    "together": ("no", "yes"),
}
"""What may stand after ``#``, the default first."""

HINT = (
    "write #server=openai, vllm or llama.cpp, constrain=yes or no, together=yes or no, "
    "key=VARIABLE, joined by &"
)
