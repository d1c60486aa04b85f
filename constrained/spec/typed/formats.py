"""The texts of types that pydantic describes by a `format` only, as JSON Schemas of strings.

Each is what the type reads, or a part of it that says how such a text is usually written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

__all__ = [
    "BASE64URL",
    "BASE64_TEXT",
    "FORMATS",
    "REFUSED",
    "base64_pattern",
    "url_schema",
    "uuid_schema",
]

Schema = dict[str, Any]


def _string(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def uuid_schema(version: int | None = None) -> Schema:
    """UUIDs; of a version they have its digit, and the variant of RFC 9562.

    >>> uuid_schema(4)["pattern"]
    '^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-4[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$'
    """
    if version is None:
        return {"type": "string", "format": "uuid"}
    some = "[0-9A-Fa-f]"
    pattern = f"^{some}{{8}}-{some}{{4}}-{version}{some}{{3}}-[89ABab]{some}{{3}}-{some}{{12}}$"
    return {"type": "string", "format": "uuid", "pattern": pattern}


BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4 = rf"{BYTE}(?:\.{BYTE}){{3}}"
GROUP = "[0-9A-Fa-f]{1,4}"
IPV6 = (
    f"(?:{GROUP}:){{7}}{GROUP}|(?:{GROUP}:){{1,3}}(?::{GROUP}){{1,4}}|::(?:{GROUP}:){{0,5}}{GROUP}"
)


@lru_cache(1)
def _ipv4_network() -> str:
    """Networks: no bit of the address beyond its prefix is set."""
    parts = [rf"{IPV4}(?:/32)?"]
    for prefix in range(32):
        whole, bits = divmod(prefix, 8)
        step = 1 << (8 - bits)
        octets = [BYTE] * whole + [f"(?:{'|'.join(str(n) for n in range(0, 256, step))})"]
        octets += ["0"] * (4 - len(octets))
        parts.append("\\.".join(octets) + f"/{prefix}")
    return "|".join(parts)


def _ipv6_network() -> str:
    parts = [f"(?:{IPV6})(?:/128)?", "::/0"]
    parts += [f"{GROUP}(?::{GROUP}){{{n - 1}}}::/{16 * n}" for n in range(1, 8)]
    return "|".join(parts)


def _ipv4_interface() -> str:
    return f"{IPV4}(?:/(?:3[0-2]|[12]?[0-9]))?"


def _ipv6_interface() -> str:
    return f"(?:{IPV6})(?:/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9]))?"


LABEL = "[a-z0-9](?:[a-z0-9]{0,30}|[a-z0-9]{1,20}-[a-z0-9]{1,20})"
HOST = (
    rf"(?:(?:{LABEL}\.){{0,8}}[a-z](?:[a-z0-9]{{0,30}}|[a-z0-9]{{1,20}}-[a-z0-9]{{1,20}})|{IPV4})"
)
PORT = "(?::[1-9][0-9]{0,3})?"
UNIT = r"(?:[A-Za-z0-9._~!$&()*+,;=:@-]|%[0-9A-Fa-f]{2})"
AFTER = rf"(?:\?(?:{UNIT}|[/?])*)?(?:#(?:{UNIT}|[/?])*)?"
SPECIAL = "https?|wss?|ftp|file"
"""Schemes that a URL reader gives a meaning of its own: they need a host."""


def url_schema(schemes: Collection[str] | None, longest: int | None) -> Schema:
    """URLs of these schemes (any, for None) with a host name or IPv4 address, and what follows.

    A URL that is read is written anew, with a slash after a bare host: `longest` leaves room.

    >>> url_schema(["https"], 100)["maxLength"]
    99
    """
    path = f"(?:/{UNIT}*)*{AFTER}"
    if schemes is None:
        names = r"[a-z][a-z0-9+.-]*"
        local = f"(?!(?:{SPECIAL}):){names}:{UNIT}+(?:/{UNIT}*)*{AFTER}"
        parts = [f"(?!file:){names}://{HOST}{PORT}{path}", f"file:///{UNIT}*{path}", local]
    else:
        names = "|".join(re.sub(r"([^A-Za-z0-9-])", r"\\\1", name) for name in schemes)
        parts = [f"(?:{names})://{HOST}{PORT}{path}"]
        if "file" in schemes:
            parts = [f"file:///{UNIT}*{path}"]
    found = _string("|".join(parts))
    if longest is not None:
        found["maxLength"] = max(longest - 1, 0)
    return found


BASE64URL = r"_\-"
"""Characters 62 and 63 of the alphabet for URLs, as they stand in a class."""


def base64_pattern(more: str) -> str:
    """Base64 with padding, `more` being the characters 62 and 63; no bit beyond the end is set."""
    one = f"[A-Za-z0-9{more}]"
    return f"(?:{one}{{4}})*(?:{one}[AQgw]==|{one}{{2}}[AEIMQUYcgkosw048]=)?"


def _base64_text(more: str) -> str:
    """Base64 of ASCII texts: the first bit of each byte is 0."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    alphabet = letters + ("-_" if "_" in more else "+/")
    first = "[A-Za-f]"
    second, third = (
        "[" + "".join(alphabet[n].replace("-", "\\-") for n in range(64) if not n & bit) + "]"
        for bit in (8, 2)
    )
    last = f"[A-Za-z0-9{more}]"
    return (
        f"(?:{first}{second}{third}{last})*(?:{first}[AQgw]==|{first}{second}[AEIMQUYcgkosw048]=)?"
    )


NAMES = "[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)?"
SPECIAL_USE = "arpa|invalid|local|localhost|onion|test|example|internal|alt"
EMAIL = (
    rf"(?=.{{1,60}}@)(?=.{{1,120}}$){NAMES}@(?:[a-z0-9]+(?:-[a-z0-9]+)?\.){{1,3}}"
    rf"(?!(?:{SPECIAL_USE})$)[a-z]{{2,12}}"
)

FORMATS: dict[str, Callable[[], Schema]] = {
    "ipv4": lambda: {"type": "string", "format": "ipv4"},
    "ipv6": lambda: {"type": "string", "format": "ipv6"},
    "ipv4network": lambda: _string(_ipv4_network()),
    "ipv6network": lambda: _string(_ipv6_network()),
    "ipv4interface": lambda: _string(_ipv4_interface()),
    "ipv6interface": lambda: _string(_ipv6_interface()),
    "ipvanyaddress": lambda: _string(f"{IPV4}|{IPV6}"),
    "ipvanynetwork": lambda: _string(f"{_ipv4_network()}|{_ipv6_network()}"),
    "ipvanyinterface": lambda: _string(f"{_ipv4_interface()}|{_ipv6_interface()}"),
    "uuid": uuid_schema,
    **{f"uuid{n}": (lambda n=n: uuid_schema(n)) for n in range(1, 9)},  # type: ignore[misc]
    "zoneinfo": lambda: {"enum": sorted(available_timezones())},
    "mac-address": lambda: _string("[0-9a-f]{2}(?::[0-9a-f]{2}){5}"),
    "path": lambda: {"type": "string"},
    "password": lambda: {"type": "string"},
    "regex": lambda: {"type": "string", "format": "regex"},
    "color": lambda: _string("#(?:[0-9A-Fa-f]{3}){1,2}|black|white|red|green|blue|yellow|gray"),
    "email": lambda: _string(EMAIL),
    "name-email": lambda: _string(EMAIL),
    "base64": lambda: _string(base64_pattern("+/")),
    "base64url": lambda: _string(base64_pattern(BASE64URL)),
}
"""The texts of a format, for types whose own code reads it."""

BASE64_TEXT = {
    "base64": _string(_base64_text("+/")),
    "base64url": _string(_base64_text(BASE64URL)),
}
"""The same for types that decode to a str."""

REFUSED = {
    "file-path": "whether a file exists is known only when the answer is read",
    "directory-path": "whether a folder exists is known only when the answer is read",
    "json-string": "a text that holds JSON has no end that a mask knows",
}
"""Formats that no mask can enforce, with the reason."""
