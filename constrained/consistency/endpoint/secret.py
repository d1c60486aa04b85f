"""`Secret`: an API key that goes to a server and comes back from it in no text.

A server may echo the key it was given: in an error, in ``model``, in an answer. Whatever it says
passes `Secret.cut` before anybody sees it, so the key is in no message, no store and no report.
"""

from __future__ import annotations

import base64
import os
import re
from functools import cached_property
from html.entities import html5
from typing import Any

from constrained.errors import ModelError

__all__ = ["Secret", "secret_of"]

_QUOTED = re.compile(r"(['\"`]).*\1")
"""As files of environment variables hold keys, which not every program unquotes."""

CUT = "[API key]"
"""What stands in the place of a key."""

SHORTEST = 6
"""Characters from which on a key is a secret: shorter ones (``none``, ``EMPTY``) are placeholders
for servers that want none, and words of ordinary answers."""


class Secret:
    """The `key` that the environment variable `variable` holds; its repr shows the variable alone.

    >>> Secret("abc-123-def", "MY_KEY").cut({"model": "m", "error": ["no such key: abc-123-def"]})
    {'model': 'm', 'error': ['no such key: [API key]']}
    """

    def __init__(self, key: str, variable: str) -> None:
        self.key = key
        self.variable = variable

    def cut(self, value: Any) -> Any:
        """`value` (JSON) without the key in any of its texts, names of objects included.

        The key is found as it is and as servers write it: escaped for URLs, JSON and HTML, in
        hexadecimal digits and in Base64, alone or within a longer text.
        """
        if len(self.key) < SHORTEST:
            return value
        return self._cut(value)

    def _cut(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._forms.sub(CUT, value)
        if isinstance(value, list):
            return [self._cut(one) for one in value]
        if isinstance(value, dict):
            return {self._cut(name): self._cut(one) for name, one in value.items()}
        return value

    @cached_property
    def _forms(self) -> re.Pattern[str]:
        data = self.key.encode("utf-8")
        whole = {
            "".join(f"%{byte:02X}" for byte in data),
            "".join(f"\\u{byte:04x}" for byte in data),
            data.hex(),
            *_base64_forms(data),
        }
        longest = sorted(whole, key=len, reverse=True)
        parts = ["".join(map(_written, self.key)), *map(re.escape, longest)]
        # Digits of escapes may be of either case; so may then the key, which does no harm.
        return re.compile("|".join(parts), re.IGNORECASE)

    def __repr__(self) -> str:
        return f"Secret(${self.variable})"


def _written(sign: str) -> str:
    """A regular expression of what stands for a sign: itself, or an escape, that of an escape too.

    >>> [bool(re.fullmatch(_written("/"), text)) for text in ("/", "%2f", "&#x2f;", "a")]
    [True, True, True, False]
    """
    if sign.isalnum():
        return sign
    least = 1 if sign == "\\" else 0
    ways = [
        f"\\\\{{{least},8}}{'' if least else re.escape(sign)}",
        f"\\\\{{1,8}}u{ord(sign):04x}",
        f"%(?:25){{0,4}}{ord(sign):02x}",
        f"&(?:amp;){{0,4}}#(?:0{{0,6}}{ord(sign)}|x0{{0,6}}{ord(sign):x});",
    ]
    names = [name for name, meant in html5.items() if meant == sign and name.endswith(";")]
    ways += [f"&(?:amp;){{0,4}}{name}" for name in names]
    return f"(?:{'|'.join(ways)})"


def _base64_forms(data: bytes) -> set[str]:
    """What is in Base64 of a text that holds `data`, wherever it begins.

    Three bytes are four digits, so there are three ways to begin; digits that depend on what stands
    around are left out.
    """
    forms = set()
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + data).decode("ascii").rstrip("=")
        whole = (before + len(data)) * 8 // 6
        inner = coded[(before * 8 + 5) // 6 : whole]
        if len(inner) >= SHORTEST:
            forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


def secret_of(variable: str, server: str) -> Secret:
    """The key in an environment variable, checked; an empty one where the variable is not set.

    A key is printable ASCII without blanks, for it is sent in a header. Keys from files and mounted
    secrets often end in a line feed. Raises `ModelError` that names the variable and never the
    value.
    """
    key = os.environ.get(variable, "")
    wrong = next((place for place, sign in enumerate(key) if not "!" <= sign <= "~"), None)
    if wrong is None and not _QUOTED.fullmatch(key):
        return Secret(key, variable)
    if wrong is None:
        raise ModelError(
            server,
            f"the API key in the environment variable {variable} stands in quotation marks",
            hint="take them off",
        )
    sign = key[wrong]
    kind = SIGNS.get(sign) or (
        "a control character" if sign < " " or sign == "\x7f" else "a character beyond ASCII"
    )
    if not key.strip():
        problem, hint = "holds nothing but blanks", "set it to the API key"
    elif wrong >= len(key.rstrip()):
        problem, hint = f"ends in {kind}", f"take it off: export {variable}=$(cat KEY_FILE)"
    elif not key[: wrong + 1].strip():
        problem, hint = f"begins with {kind}", "take it off"
    else:
        problem, hint = f"holds {kind}", "set it to the API key alone"
    raise ModelError(
        server, f"the API key in the environment variable {variable} {problem}", hint=hint
    )


SIGNS = {"\n": "a line feed", "\r": "a carriage return", "\t": "a tab", " ": "a space"}
