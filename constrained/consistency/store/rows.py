"""Records to rows and back: compact, and each with a checksum over all that it says.

SQLite notices a damaged page only where its structure is hurt. The checksum of a row notices the
rest: a changed digit never reaches a report.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import blake2b
from typing import Any, get_args
from zlib import crc32

from constrained.consistency.records import Arithmetic, CellRecord, Draw, Kind, Score
from constrained.errors import RecordError

__all__ = [
    "KINDS",
    "arithmetic_of",
    "arithmetic_text",
    "cell_checksum",
    "checked_record",
    "draw_checksum",
    "draw_of",
    "draw_row",
    "floats",
    "pack",
    "score_parts",
    "support_of",
    "support_text",
    "text_checksum",
    "text_digest",
]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""The kinds of scoring; a cell's row holds the place in this list."""

CELL = struct.Struct("<6qd2q2d2qdq")
ROOM = struct.Struct("<2q")
DRAW = struct.Struct("<2q2dq")
TOLERANCE = 1e-6
"""How far the probabilities of a cell may be from a sum of 1."""


def pack(probabilities: Sequence[float] | None) -> bytes | None:
    """Float64, little-endian."""
    if probabilities is None:
        return None
    return struct.pack(f"<{len(probabilities)}d", *probabilities)


def floats(blob: bytes | None) -> tuple[float, ...] | None:
    """What `pack` packed."""
    return None if blob is None else struct.unpack(f"<{len(blob) // 8}d", blob)


def text_digest(text: str) -> bytes:
    """16 bytes that stand for a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def text_checksum(*parts: str | int) -> int:
    """The checksum of a row of names and texts."""
    crc = 0
    for part in parts:
        data = str(part).encode("utf-8")
        crc = crc32(data, crc32(len(data).to_bytes(8, "little"), crc))
    return crc


def cell_checksum(row: Sequence[Any]) -> int:
    """The checksum of a row of `cells`: everything but its number and the checksum itself."""
    (key, item, prompt, format_, variant, ordering, temperature, kind, support) = row[:9]
    (local, free, removed, floor, text, tokens, seconds, notes, draws) = row[9:18]
    # A row of before version 3 says neither, and keeps its checksum.
    room = ROOM.pack(*row[18:20]) if any(row[18:20]) else b""
    head = CELL.pack(
        (local is not None) + 2 * (free is not None),
        item,
        prompt,
        format_,
        variant,
        ordering,
        temperature,
        kind,
        support,
        math.nan if removed is None else removed,
        math.nan if floor is None else floor,
        text,
        tokens,
        seconds,
        draws,
    )
    return crc32(b"".join((head, key.encode(), notes.encode(), local or b"", free or b"", room)))


def draw_checksum(key: str, row: Sequence[Any]) -> int:
    """The checksum of a row of `draws`: everything but the cell's number, with the cell's key."""
    place, score, second, text, seed, probabilities, failure = row[1:8]
    head = DRAW.pack(
        place,
        (score is not None)
        + 2 * (second is not None)
        + 4 * (seed is not None)
        + 8 * (probabilities is not None),
        score or 0.0,
        second or 0.0,
        seed or 0,
    )
    texts = key.encode(), text.encode(), failure.encode()
    return crc32(b"".join((head, *texts, probabilities or b"")))


def score_parts(score: Score | None) -> tuple[float | None, float | None]:
    """A score as two columns; the second is for pairwise judgements."""
    if score is None:
        return None, None
    if isinstance(score, tuple):
        return float(score[0]), float(score[1])
    return float(score), None


def draw_row(cell: int, key: str, draw: Draw) -> tuple[Any, ...]:
    """The row of a draw. Seeds are 64 bits without a sign, which SQLite's integers have."""
    seed = draw.seed
    if seed is not None and seed >= 1 << 63:
        seed -= 1 << 64
    row = (
        cell,
        draw.index,
        *score_parts(draw.score),
        draw.text,
        seed,
        pack(draw.probabilities),
        draw.failure,
    )
    return (*row, draw_checksum(key, row))


def draw_of(row: Sequence[Any]) -> Draw:
    """The draw of a row."""
    _, place, score, second, text, seed, probabilities, failure, _ = row
    return Draw(
        place,
        score if second is None else (score, second),
        text,
        None if seed is None else seed % (1 << 64),
        floats(probabilities),
        failure,
    )


def support_text(support: Sequence[Score]) -> str:
    """The scores that a format allows, as JSON."""
    return json.dumps(
        [[float(x) for x in s] if isinstance(s, tuple) else float(s) for s in support],
        separators=(",", ":"),
        allow_nan=False,
    )


def support_of(text: str) -> tuple[Score, ...]:
    """What `support_text` wrote."""
    return tuple(tuple(s) if isinstance(s, list) else s for s in json.loads(text))


def arithmetic_text(arithmetic: Arithmetic) -> str:
    """What a cell was computed with, as JSON."""
    said = {**asdict(arithmetic), "versions": dict(arithmetic.versions)}
    return json.dumps(said, sort_keys=True)


def arithmetic_of(text: str) -> Arithmetic:
    """What `arithmetic_text` wrote."""
    said = json.loads(text)
    return Arithmetic(**{**said, "versions": tuple(sorted(said["versions"].items()))})


def checked_record(record: CellRecord) -> CellRecord:
    """The record itself, when it says what a record may say; else `RecordError` names the cell."""
    problem = _problem(record)
    if problem:
        raise RecordError(f"cell {record.key} ({record.address}): {problem}")
    return record


def _problem(record: CellRecord) -> str:
    if not record.key:
        return "it has no key; derive one from everything that decides its value"
    if record.kind not in KINDS:
        return f"there is no kind {record.kind!r}; the kinds are {', '.join(KINDS)}"
    scores = [*record.support, *(d.score for d in record.draws if d.score is not None)]
    parts = [part for score in scores for part in score_parts(score) if part is not None]
    if not all(map(math.isfinite, (*parts, record.address.temperature, record.seconds))):
        return "a score, the temperature or the time is not a finite number"
    if len({isinstance(score, tuple) for score in scores}) > 1:
        return "it mixes single scores and pairs of scores"
    if len({draw.index for draw in record.draws}) < len(record.draws):
        return "two of its draws have the same index"
    named = [("local", record.local), ("free", record.free)]
    named += [(f"draw {draw.index}", draw.probabilities) for draw in record.draws]
    for name, probabilities in named:
        if probabilities is None:
            continue
        if len(probabilities) != len(record.support):
            return f"{name} has {len(probabilities)} probabilities for {len(record.support)} scores"
        if min(probabilities, default=0.0) < 0 or not abs(sum(probabilities) - 1) < TOLERANCE:
            return f"the probabilities of {name} are not a distribution (sum {sum(probabilities)})"
    return ""
