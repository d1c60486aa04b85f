"""`Focus`: where one field of an output begins and ends, while the output is being written.

Readers follow the text and are immutable, so that every branch of a tree of continuations has its
own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from json import loads
from typing import Any

from constrained.errors import InvalidSpec, TextRejected, UnsupportedSpec
from constrained.generation.paths import Reader
from constrained.spec.parts import divide
from constrained.spec.so_far import Division, json_so_far
from constrained.spec.spec import Hole, Spec

__all__ = ["Focus", "focus_of"]


@dataclass(frozen=True)
class Focus:
    """One field of a format.

    `reached` says that everything before the field is settled, `decided` that the field is;
    `read` takes a text in which it is decided, or a whole output, and gives the field's text and
    value.
    """

    start: Reader
    reached: Callable[[Any], bool]
    decided: Callable[[Any], bool]
    read: Callable[[str], tuple[str, Any]]


def focus_of(spec: Spec[Any], name: str | int, lead: bytes = b"") -> Focus:
    """The focus on a hole of a template or sequence, or on a member of a JSON object.

    `lead` is what the tokenizer puts before the first text. Raises `InvalidSpec` when there is no
    such field, `UnsupportedSpec` for formats without fields, and for holes without an end.
    """
    if spec.parts:
        focus = _hole(spec, name)
    elif spec.read_so_far is json_so_far and isinstance(name, str):
        focus = _member(name)
    else:
        raise UnsupportedSpec(
            "fields",
            f"{spec!r} has no fields to look into",
            hint="use a template, specs joined by +, or json",
        )
    return _behind(focus, lead) if lead else focus


def _hole(spec: Spec[Any], name: str | int) -> Focus:
    places = [i for i, part in enumerate(spec.parts) if isinstance(part, Hole)]
    names = [hole.name if hole.name is not None else at for at, hole in enumerate(spec.holes)]
    if name not in names:
        known = ", ".join(map(repr, names)) or "none"
        raise InvalidSpec(f"there is no hole {name!r} in {spec!r}", hint=f"its holes: {known}")
    at = names.index(name)
    place, hole = places[at], spec.holes[at]
    before = places[at - 1] if at else None
    try:
        next(iter(hole.spec.enumerate(1)), None)
    except UnsupportedSpec as error:
        raise UnsupportedSpec(
            error.feature,
            f"hole {name!r} has infinitely many outputs, so its distribution cannot be listed",
            hint="bound its repeats and numbers, or draw samples",
        ) from error

    def read(text: str) -> tuple[str, Any]:
        data = text.encode("utf-8")
        division = Division.of(spec.parts).advance(data)
        begin, end = division.begin(place), division.begin(place + 1)
        if begin is not None and end is not None:
            piece = data[begin:end].decode("utf-8")
        else:
            divided = divide(spec.parts, text)
            if divided is None:
                raise TextRejected(text, len(data), spec.source)
            piece = divided[place]
        return piece, hole.spec.read(piece)

    return Focus(
        start=Division.of(spec.parts),
        reached=lambda division: before is None or division.passed(before),
        decided=lambda division: division.passed(place),
        read=read,
    )


def _member(name: str) -> Focus:
    def read(text: str) -> tuple[str, Any]:
        data = text.encode("utf-8")
        member = _Member(name).advance(data)
        if member.begin is None or member.end is None:
            raise TextRejected(text, len(data), f"an object with the member {name!r}")
        piece = data[member.begin : member.end].decode("utf-8").strip()
        return piece, loads(piece)

    return Focus(
        start=_Member(name),
        reached=lambda member: member.begin is not None,
        decided=lambda member: member.end is not None,
        read=read,
    )


def _behind(focus: Focus, lead: bytes) -> Focus:
    """The focus for texts that are read from behind the lead."""

    def inner(reader: Reader) -> Reader:
        return reader.reader if isinstance(reader, _AfterLead) else reader

    return replace(
        focus,
        start=_AfterLead(focus.start, lead),
        reached=lambda reader: focus.reached(inner(reader)),
        decided=lambda reader: focus.decided(inner(reader)),
    )


@dataclass(frozen=True)
class _AfterLead:
    """A reader that does not see the first bytes."""

    reader: Reader
    lead: bytes

    def advance(self, data: bytes) -> Reader:
        seen = min(len(self.lead), len(data))
        after = self.reader.advance(data[seen:])
        return _AfterLead(after, self.lead[seen:]) if self.lead[seen:] else after


@dataclass(frozen=True)
class _Member:
    """Where the value of one member of a JSON object begins and ends, in bytes."""

    name: str
    begin: int | None = None
    end: int | None = None
    length: int = 0
    depth: int = 0
    quoted: bool = False
    escaped: bool = False
    in_key: bool = False
    key: bytes = b""
    started: bool = False

    @property
    def _inside(self) -> bool:
        """The member's value is being read."""
        return self.begin is not None and self.end is None

    def advance(self, data: bytes) -> _Member:
        """The reader after more of the text."""
        member = self
        for byte in data:
            member = member._step(bytes([byte]))
        return member

    def _step(self, byte: bytes) -> _Member:
        after = replace(self, length=self.length + 1)
        if self.quoted:
            return self._in_text(after, byte)
        if byte == b'"':
            key = byte if self.in_key and self.depth == 1 else self.key
            return replace(after, quoted=True, key=key)
        if byte in (b"{", b"["):
            return replace(after, depth=self.depth + 1, in_key=self.in_key or self.depth == 0)
        if self.depth == 1 and byte == b":" and self.in_key:
            found = self.begin is None and loads(self.key) == self.name
            return replace(after, in_key=False, begin=after.length if found else self.begin)
        if self.depth == 1 and self._inside:
            if byte in (b",", b"}") or (self.started and byte.isspace()):
                after = replace(after, end=self.length)  # only a number or a word ends like this
            elif not byte.isspace():
                after = replace(after, started=True)
        if byte in (b"}", b"]"):
            closed = self._inside and self.depth == 2
            return replace(after, depth=self.depth - 1, end=after.length if closed else after.end)
        return replace(after, in_key=True) if self.depth == 1 and byte == b"," else after

    def _in_text(self, after: _Member, byte: bytes) -> _Member:
        """One more byte inside quotes."""
        quoted = byte != b'"' or self.escaped
        closed = not quoted and self._inside and self.depth == 1
        return replace(
            after,
            quoted=quoted,
            escaped=byte == b"\\" and not self.escaped,
            key=self.key + byte if self.in_key and self.depth == 1 else self.key,
            end=after.length if closed else self.end,
        )
