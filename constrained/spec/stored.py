"""Compiled specs as bytes: for caches on disk, other processes and other machines."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

from constrained._core.stored import grammar_bytes, grammar_from_bytes
from constrained.errors import InvalidSpec
from constrained.limits import DEFAULT_LIMITS, Limits
from constrained.spec.json_schema import read_json
from constrained.spec.so_far import json_so_far
from constrained.spec.spec import Spec

__all__ = ["FORMAT", "spec_bytes", "spec_from_bytes"]

FORMAT = 1
"""Version of the format of `spec_bytes`; another one is refused by name."""

_MAGIC = b"constrained spec\n"
_JSON, _CUSTOM = "json", "custom"


def spec_bytes(spec: Spec[Any], limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The compiled spec as bytes: a header line of JSON, then the grammar with all its rules.

    Not a pickle: reading runs no code. See `Spec.to_bytes`.
    """
    body = grammar_bytes(spec.grammar, limits)
    reads = _JSON if spec.read is read_json else _CUSTOM
    header = {
        "format": FORMAT,
        "source": spec.source,
        "reads": reads,
        "crc": _checksum(spec.source, reads, body),
    }
    return _MAGIC + json.dumps(header).encode() + b"\n" + body


def spec_from_bytes(
    data: bytes, read: Callable[[str], Any] | None = None, limits: Limits = DEFAULT_LIMITS
) -> Spec[Any]:
    """The spec that `spec_bytes` wrote; see `Spec.from_bytes`."""
    if not isinstance(data, bytes | bytearray) or not data.startswith(_MAGIC):
        raise InvalidSpec("these bytes are not a compiled spec", hint="write them with to_bytes()")
    line, _, body = bytes(data[len(_MAGIC) :]).partition(b"\n")
    try:
        header = json.loads(line)
        version, source, reads, crc = (header[k] for k in ("format", "source", "reads", "crc"))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _damaged() from None
    if version != FORMAT:
        raise InvalidSpec(
            f"this compiled spec has format {version!r:.20}, and this version reads format "
            f"{FORMAT}",
            hint="compile it again with this version",
        )
    if _checksum(source, reads, body) != crc or not isinstance(source, str):
        raise _damaged()
    so_far = None
    if read is None:
        if reads != _JSON:
            raise InvalidSpec(
                f"{source} has a reader of its own, and bytes hold no code",
                hint="pass read=, a function from a text that matches to its value "
                "(read=str for the text itself)",
            )
        read, so_far = read_json, json_so_far
    return Spec(source, grammar_from_bytes(body, limits), read, read_so_far=so_far, limits=limits)


def _damaged() -> InvalidSpec:
    return InvalidSpec("this compiled spec is damaged", hint="compile it again")


def _checksum(source: object, reads: object, body: bytes) -> int:
    """Of all that a loaded spec is made of, so that a damaged header is no other spec."""
    return zlib.crc32(body, zlib.crc32(json.dumps([source, reads]).encode()))
