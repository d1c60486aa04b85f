"""Names that many rows share (levels of facets, supports, prompt texts), stored once each."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from constrained.consistency.records import Arithmetic, Score
from constrained.consistency.store.rows import (
    arithmetic_of,
    arithmetic_text,
    support_of,
    support_text,
    text_checksum,
    text_digest,
)
from constrained.consistency.store.schema import damaged

__all__ = ["FACETS", "NO_ROOM", "Names", "read_arithmetics", "read_levels", "read_supports"]

FACETS = ("item", "prompt", "format", "variant", "order", "numerics")
"""The facets whose levels have names; temperatures are numbers and stand in the cells."""

NO_ROOM = 0
"""Stands for the empty name of a cell's numerical room, which has no row of its own."""

MOST_TEXTS = 50_000
"""Digests of prompt texts that are remembered; looked up in the file beyond."""


class Names:
    """The numbers that stand for names in one store; new names are added to it.

    Call inside a transaction, and `forget` when it was rolled back.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._levels: dict[tuple[str, str], int] = {}
        self._supports: dict[tuple[Score, ...], int] = {}
        self._arithmetics: dict[Arithmetic, int] = {}
        self._texts: dict[bytes, int] = {}

    def forget(self) -> None:
        """Ask the file again."""
        self._levels.clear()
        self._supports.clear()
        self._arithmetics.clear()
        self._texts.clear()

    def level(self, facet: str, name: str) -> int:
        """The number of a level."""
        if facet == "numerics" and not name:
            return NO_ROOM
        known = self._levels.get((facet, name))
        if known is None:
            known = self._number(
                "SELECT id FROM levels WHERE facet = ? AND name = ?", (facet, name)
            )
            if known is None:
                known = self._next("levels")
                self._connection.execute(
                    "INSERT INTO levels VALUES (?, ?, ?, ?)",
                    (known, facet, name, text_checksum(known, facet, name)),
                )
            self._levels[facet, name] = known
        return known

    def support(self, support: tuple[Score, ...]) -> int:
        """The number of a support."""
        known = self._supports.get(support)
        if known is None:
            text = support_text(support)
            known = self._number("SELECT id FROM supports WHERE scores = ?", (text,))
            if known is None:
                known = self._next("supports")
                self._connection.execute(
                    "INSERT INTO supports VALUES (?, ?, ?)",
                    (known, text, text_checksum(known, text)),
                )
            self._supports[support] = known
        return known

    def arithmetic(self, arithmetic: Arithmetic | None) -> int:
        """The number of an arithmetic; 0 when it is not known."""
        if arithmetic is None:
            return 0
        known = self._arithmetics.get(arithmetic)
        if known is None:
            body = arithmetic_text(arithmetic)
            known = self._number("SELECT id FROM arithmetics WHERE body = ?", (body,))
            if known is None:
                known = self._next("arithmetics")
                self._connection.execute(
                    "INSERT INTO arithmetics VALUES (?, ?, ?)",
                    (known, body, text_checksum(known, body)),
                )
            self._arithmetics[arithmetic] = known
        return known

    def text(self, text: str) -> int:
        """The number of a prompt's text."""
        digest = text_digest(text)
        known = self._texts.get(digest)
        if known is None:
            known = self._number("SELECT id FROM texts WHERE digest = ?", (digest,))
            if known is None:
                known = self._next("texts")
                self._connection.execute(
                    "INSERT INTO texts VALUES (?, ?, ?)", (known, digest, text)
                )
            if len(self._texts) >= MOST_TEXTS:
                self._texts.clear()
            self._texts[digest] = known
        return known

    def _number(self, query: str, values: Sequence[object]) -> int | None:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else int(row[0])

    def _next(self, table: str) -> int:
        row = self._connection.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()
        return int(row[0])


def read_levels(connection: sqlite3.Connection, path: Path) -> dict[int, tuple[str, str]]:
    """Facet and name of every level by number; `RecordError` when one is damaged."""
    levels = {NO_ROOM: ("numerics", "")}
    for number, facet, name, crc in connection.execute("SELECT id, facet, name, crc FROM levels"):
        if crc != text_checksum(number, facet, name):
            raise damaged(path, f"the name of level {number}")
        levels[number] = (facet, name)
    return levels


def read_supports(connection: sqlite3.Connection, path: Path) -> dict[int, tuple[Score, ...]]:
    """Every support by number; `RecordError` when one is damaged."""
    supports = {}
    for number, scores, crc in connection.execute("SELECT id, scores, crc FROM supports"):
        if crc != text_checksum(number, scores):
            raise damaged(path, f"support {number}")
        supports[number] = support_of(scores)
    return supports


def read_arithmetics(connection: sqlite3.Connection, path: Path) -> dict[int, Arithmetic | None]:
    """Every arithmetic by number (0: not known); `RecordError` when one is damaged."""
    found: dict[int, Arithmetic | None] = {0: None}
    for number, body, crc in connection.execute("SELECT id, body, crc FROM arithmetics"):
        if crc != text_checksum(number, body):
            raise damaged(path, f"arithmetic {number}")
        found[number] = arithmetic_of(body)
    return found
