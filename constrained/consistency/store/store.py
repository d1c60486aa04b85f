"""`Store`: the records of one run in one file, safe against crashes and shared by processes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from constrained.consistency.records import Address, Arithmetic, CellRecord, Draw, Score
from constrained.consistency.store.columns import CELL_COLUMNS, Columns, read_columns
from constrained.consistency.store.names import (
    FACETS,
    NO_ROOM,
    Names,
    read_arithmetics,
    read_levels,
    read_supports,
)
from constrained.consistency.store.rows import (
    KINDS,
    cell_checksum,
    checked_record,
    draw_checksum,
    draw_of,
    draw_row,
    floats,
    pack,
    text_checksum,
    text_digest,
)
from constrained.consistency.store.schema import connect, damaged, decoding, reading, writing
from constrained.errors import RecordError

if TYPE_CHECKING:
    from constrained.consistency.plan import Plan

__all__ = ["PlanLike", "Store"]

PAGE = 512
"""Records read at a time."""

COLUMN_OF = {**{facet: facet for facet in FACETS}, "order": "ordering"}

PLACE = "item, prompt, format, variant, temperature, ordering, numerics"
"""The columns that say where a cell is, in the order of `Address`."""


NAMED = "SELECT id FROM levels WHERE facet ="
"""The numbers of levels that have names."""


class PlanLike(Protocol):
    """What a store needs of a plan."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def digest(self) -> str:
        """The hash of everything that decides its results."""

    def to_json(self) -> str:
        """All of it as text."""


class Store:
    """The records of one run, in one SQLite file.

    Every `put` is one transaction, so a process that is killed leaves whole batches behind and
    never a part of one. Several processes may write at the same time; the same cell stored twice
    is stored once. Use it as a context manager, or `close` it; one store object belongs to one
    thread.

    `create` makes the file where there is none; `check` False leaves out SQLite's check of the
    whole file (about a second for a million cells). Raises `RecordError` for a file that is
    missing, no store, damaged, or of a newer version; older versions are brought up to date.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.db"
    >>> record = CellRecord("k1", Address("essay-1", "p1"), "exact", (0.0, 1.0), (0.25, 0.75))
    >>> with Store(path) as store:
    ...     store.put([record]), store.put([record]), store.get("k1") == record
    (1, 0, True)
    """

    def __init__(self, path: str | Path, create: bool = True, *, check: bool = True) -> None:
        self.path = Path(path)
        self._connection = connect(self.path, create=create, check=check)
        self._names = Names(self._connection)
        self._levels: Mapping[int, tuple[str, str]] = {}
        self._supports: Mapping[int, tuple[Score, ...]] = {}
        self._arithmetics: Mapping[int, Arithmetic | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def __len__(self) -> int:
        """How many cells are stored."""
        with reading(self.path):
            row = self._connection.execute("SELECT count(*) FROM cells").fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the file; closing twice is no error."""
        with reading(self.path):
            self._connection.close()

    def begin(self, plan: PlanLike, environment: Mapping[str, Any]) -> str:
        """Say which plan the cells belong to and where they are scored; gives the run's id.

        The id is the plan's digest: the same plan again is the same run, and an environment that
        is new (another machine, another version) is kept beside the earlier ones. Raises
        `RecordError` when the store holds another plan.
        """
        return self.begin_text(plan.name, plan.digest, plan.to_json(), environment)

    def begin_text(self, name: str, digest: str, text: str, environment: Mapping[str, Any]) -> str:
        """`begin` for a plan that is given as its name, its digest and its text.

        Parts of a plan that decide no results (name, pass mark, gates) may change from run to run;
        the latest are kept.
        """
        body = json.dumps(dict(environment), sort_keys=True)
        with self.transaction():
            row = self._run()
            if row is not None and row[1] != digest:
                raise RecordError(
                    f"{self.path}: the store holds the plan {row[0]!r} ({row[1][:12]}), not "
                    f"{name!r} ({digest[:12]}); name another file (cells that both have can be "
                    "taken over from this one)"
                )
            if row != (name, digest, text):
                self._connection.execute(
                    "INSERT OR REPLACE INTO run (id, name, digest, plan, crc) "
                    "VALUES (1, ?, ?, ?, ?)",
                    (name, digest, text, text_checksum(name, digest, text)),
                )
            if environment:
                self._connection.execute(
                    "INSERT OR IGNORE INTO environments (body, crc) VALUES (?, ?)",
                    (body, text_checksum(body)),
                )
        return digest

    def put(self, records: Iterable[CellRecord]) -> int:
        """Store records in one transaction, all or none; gives how many were new.

        A key that is there already stays as it is: equal keys mean equal results. Raises
        `RecordError` for a record that contradicts itself.
        """
        checked = [checked_record(record) for record in records]
        with self.transaction():
            return sum(self._insert(record) for record in checked)

    def get(self, key: str) -> CellRecord | None:
        """The record of a key, None when it is not there."""
        found = list(self._select("WHERE key = ?", (key,), 1))
        return found[0] if found else None

    def keys(self) -> set[str]:
        """The keys of all cells."""
        with decoding(self.path):
            return {row[0] for row in self._connection.execute("SELECT key FROM cells")}

    def addresses(self) -> Iterator[Address]:
        """Where the cells are, without what is known of them, in the order they came in."""
        with decoding(self.path):
            for row in self._connection.execute(f"SELECT {PLACE} FROM cells ORDER BY id"):
                yield self._address(row)

    def doubled(self) -> Address | None:
        """A place of the grid with more than one cell; None when there is none, as it should be.

        Keys hold the content of models and places their names: a model that was trained again in
        the same folder gives cells with other keys at the same places.
        """
        query = f"SELECT {PLACE} FROM cells GROUP BY {PLACE} HAVING count(*) > 1 LIMIT 1"
        with decoding(self.path):
            row = self._connection.execute(query).fetchone()
            return None if row is None else self._address(row)

    def records(self, where: Mapping[str, Any] | None = None) -> Iterator[CellRecord]:
        """All records, or those of some levels, in the order in which they came in.

        `where` maps facets (item, prompt, format, variant, temperature, order, numerics) to
        a level or a list of them. Raises `RecordError` for a facet that there is not.

        >>> from tempfile import mkdtemp
        >>> with Store(mkdtemp() + "/run.db") as store:
        ...     _ = store.put([CellRecord(p, Address("essay-1", p), "exact") for p in "abc"])
        ...     [record.key for record in store.records({"prompt": ["a", "c"]})]
        ['a', 'c']
        """
        conditions, values = ["id > ?"], []
        for facet, wanted in (where or {}).items():
            levels = list(wanted) if isinstance(wanted, (list, tuple, set)) else [wanted]
            marks = ", ".join("?" * len(levels))
            if facet == "temperature":
                conditions.append(f"temperature IN ({marks})")
            elif facet == "numerics" and "" in levels:
                conditions.append(
                    f"numerics IN (SELECT {NO_ROOM} UNION {NAMED} '{facet}' AND name IN ({marks}))"
                )
            elif facet in COLUMN_OF:
                conditions.append(
                    f"{COLUMN_OF[facet]} IN ({NAMED} '{facet}' AND name IN ({marks}))"
                )
            else:
                raise RecordError(
                    f"a cell has no facet {facet!r}; its facets are "
                    f"{', '.join((*FACETS, 'temperature'))}"
                )
            values += levels
        query = f"WHERE {' AND '.join(conditions)} ORDER BY id LIMIT {PAGE}"
        last = 0
        while True:
            page = self._numbered(query, (last, *values))
            for _, record in page:
                yield record
            if len(page) < PAGE:
                return
            last = page[-1][0]

    def plan(self) -> Plan | None:
        """The plan that the cells belong to; None for scores that came from elsewhere."""
        row = self.plan_text()
        if row is None:
            return None
        from constrained.consistency.plan import Plan

        return Plan.from_json(row[2])

    def plan_text(self) -> tuple[str, str, str] | None:
        """Name, digest and text of the plan; None when there is none."""
        with decoding(self.path):
            return self._run()

    def environment(self) -> dict[str, Any]:
        """Where the cells were scored, the latest said of each thing; empty when none is known.

        ``environment()["variants"]`` has every variant, whichever run scored it.
        """
        latest: dict[str, Any] = {}
        for found in self.environments():
            variants = {**latest.get("variants", {}), **found.get("variants", {})}
            latest = {**latest, **found, **({"variants": variants} if variants else {})}
        return latest

    def environments(self) -> list[dict[str, Any]]:
        """Every environment that cells were scored in, the first one first."""
        with decoding(self.path):
            rows = self._connection.execute(
                "SELECT body, crc FROM environments ORDER BY id"
            ).fetchall()
            if any(text_checksum(body) != crc for body, crc in rows):
                raise damaged(self.path, "an environment")
            return [dict(json.loads(body)) for body, _ in rows]

    def columns(self) -> Columns:
        """All cells as numpy columns: what statistics and reports read; see `Columns`."""
        with reading(self.path), self._moment():
            return read_columns(self._connection, self.path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several calls one transaction: all that they store, or nothing when one raises.

        Other processes can read meanwhile, and wait when they want to write.
        """
        with reading(self.path):
            if self._connection.in_transaction:
                yield
                return
            try:
                with writing(self._connection):
                    yield
            except BaseException:
                # Numbers of names that were given in the transaction that was undone.
                self._names.forget()
                self._levels, self._supports, self._arithmetics = {}, {}, {}
                raise

    @contextmanager
    def _moment(self) -> Iterator[None]:
        """One moment of the file, whatever other processes write meanwhile."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")

    def _run(self) -> tuple[str, str, str] | None:
        row: Sequence[Any] | None = self._connection.execute(
            "SELECT name, digest, plan, crc FROM run"
        ).fetchone()
        if row is None:
            return None
        if row[3] != text_checksum(*row[:3]):
            raise damaged(self.path, "its plan")
        return str(row[0]), str(row[1]), str(row[2])

    def _insert(self, record: CellRecord) -> bool:
        execute = self._connection.execute
        if execute("SELECT 1 FROM cells WHERE key = ?", (record.key,)).fetchone():
            return False
        address = record.address
        *levels, room = (self._names.level(facet, getattr(address, facet)) for facet in FACETS)
        row = (
            record.key,
            *levels,
            float(address.temperature),
            KINDS.index(record.kind),
            self._names.support(record.support),
            pack(record.local),
            pack(record.free),
            record.removed_mass,
            record.numerics_floor,
            self._names.text(record.prompt_text),
            record.prompt_tokens,
            float(record.seconds),
            json.dumps(record.notes) if record.notes else "",
            len(record.draws),
            room,
            self._names.arithmetic(record.arithmetic),
        )
        marks = ", ".join("?" * (len(row) + 1))
        cursor = execute(
            f"INSERT INTO cells ({CELL_COLUMNS}, crc) VALUES ({marks})", (*row, cell_checksum(row))
        )
        if record.draws:
            cell = int(cursor.lastrowid or 0)
            self._connection.executemany(
                "INSERT INTO draws VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [draw_row(cell, record.key, draw) for draw in record.draws],
            )
        return True

    def _select(self, clause: str, values: Sequence[Any], most: int) -> Iterator[CellRecord]:
        for _, record in self._numbered(f"{clause} LIMIT {most}", values):
            yield record

    def _numbered(self, clause: str, values: Sequence[Any]) -> list[tuple[int, CellRecord]]:
        with decoding(self.path), self._moment():
            rows = self._connection.execute(
                f"SELECT id, {CELL_COLUMNS}, crc FROM cells {clause}", values
            ).fetchall()
            return [(row[0], self._record(row)) for row in rows]

    def _record(self, row: Sequence[Any]) -> CellRecord:
        number, content, crc = row[0], row[1:-1], row[-1]
        if cell_checksum(content) != crc:
            raise damaged(self.path, f"cell {content[0]}")
        key, *levels, ordering, temperature, kind, support = content[:9]
        local, free, removed, floor, text, tokens, seconds, notes, draws = content[9:18]
        room, arithmetic = content[18:]
        return CellRecord(
            key=key,
            address=self._address((*levels, temperature, ordering, room)),
            kind=KINDS[kind],
            support=self._support(support),
            local=floats(local),
            free=floats(free),
            removed_mass=removed,
            numerics_floor=floor,
            draws=self._draws(number, key, draws),
            prompt_text=self._text(text),
            prompt_tokens=tokens,
            seconds=seconds,
            notes=tuple(json.loads(notes)) if notes else (),
            arithmetic=self._arithmetic(arithmetic),
        )

    def _address(self, row: Sequence[Any]) -> Address:
        """The address that the columns of `PLACE` hold."""
        *levels, temperature, ordering, room = row
        item, prompt, format_, variant, *rest = map(self._level_name, (*levels, ordering, room))
        return Address(item, prompt, format_, variant, temperature, *rest)

    def _level_name(self, number: int) -> str:
        if number not in self._levels:  # levels are only ever added
            self._levels = read_levels(self._connection, self.path)
        return self._levels[number][1]

    def _support(self, number: int) -> tuple[Score, ...]:
        if number not in self._supports:
            self._supports = read_supports(self._connection, self.path)
        return self._supports[number]

    def _arithmetic(self, number: int) -> Arithmetic | None:
        if number not in self._arithmetics:
            self._arithmetics = read_arithmetics(self._connection, self.path)
        return self._arithmetics[number]

    def _draws(self, cell: int, key: str, count: int) -> tuple[Draw, ...]:
        rows: list[Sequence[Any]] = []
        if count:
            rows = self._connection.execute(
                "SELECT * FROM draws WHERE cell = ? ORDER BY place", (cell,)
            ).fetchall()
        if len(rows) != count or any(draw_checksum(key, row) != row[-1] for row in rows):
            raise damaged(self.path, f"the draws of cell {key}")
        return tuple(draw_of(row) for row in rows)

    def _text(self, number: int) -> str:
        row = self._connection.execute(
            "SELECT digest, text FROM texts WHERE id = ?", (number,)
        ).fetchone()
        if row is None or text_digest(row[1]) != row[0]:
            raise damaged(self.path, f"prompt text {number}")
        return str(row[1])
