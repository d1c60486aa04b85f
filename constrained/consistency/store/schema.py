"""The file of a store: its tables, its version, and how older versions are brought up to date.

A store is one SQLite database in WAL mode. `application_id` says that a file is a store at all,
`user_version` which version of the tables it has. Older versions are migrated step by step when
they are opened; newer ones are refused.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from constrained.consistency.store.rows import text_checksum
from constrained.errors import RecordError

__all__ = [
    "APPLICATION_ID",
    "REMEDY",
    "VERSION",
    "connect",
    "damaged",
    "decoding",
    "reading",
    "writing",
]

APPLICATION_ID = 0x636F6E73  # "cons"
MAGIC = b"SQLite format 3\0"
REMEDY = (
    "was a model or an adapter trained again in its folder, or the library updated? Run the plan "
    "into another store, with reuse (--reuse) for the cells that are still the same"
)
"""What to do about cells of one place that something has changed between."""

BUSY_SECONDS = 60.0
"""How long a writer waits for another one before it gives up."""

TABLES_1 = (
    """CREATE TABLE run (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        name TEXT NOT NULL,
        digest TEXT NOT NULL,
        plan TEXT NOT NULL,
        environment TEXT NOT NULL,
        crc INTEGER NOT NULL
    )""",
    """CREATE TABLE levels (
        id INTEGER PRIMARY KEY,
        facet TEXT NOT NULL,
        name TEXT NOT NULL,
        crc INTEGER NOT NULL,
        UNIQUE (facet, name)
    )""",
    """CREATE TABLE supports (
        id INTEGER PRIMARY KEY,
        scores TEXT NOT NULL UNIQUE,
        crc INTEGER NOT NULL
    )""",
    """CREATE TABLE texts (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        text TEXT NOT NULL
    )""",
    """CREATE TABLE cells (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        item INTEGER NOT NULL,
        prompt INTEGER NOT NULL,
        format INTEGER NOT NULL,
        variant INTEGER NOT NULL,
        ordering INTEGER NOT NULL,
        temperature REAL NOT NULL,
        kind INTEGER NOT NULL,
        support INTEGER NOT NULL,
        local BLOB,
        free BLOB,
        removed_mass REAL,
        numerics_floor REAL,
        text INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        seconds REAL NOT NULL,
        notes TEXT NOT NULL,
        draws INTEGER NOT NULL,
        crc INTEGER NOT NULL
    )""",
    """CREATE TABLE draws (
        cell INTEGER NOT NULL,
        place INTEGER NOT NULL,
        score REAL,
        second REAL,
        text TEXT NOT NULL,
        seed INTEGER,
        probabilities BLOB,
        failure TEXT NOT NULL,
        crc INTEGER NOT NULL,
        PRIMARY KEY (cell, place)
    ) WITHOUT ROWID""",
)
"""Version 1, as a new file is made."""

MIGRATIONS: dict[int, tuple[str, ...]] = {
    # A run that goes on elsewhere, or is merged from shards, has more than one environment.
    1: (
        """CREATE TABLE environments (
            id INTEGER PRIMARY KEY,
            body TEXT NOT NULL UNIQUE,
            crc INTEGER NOT NULL
        )""",
        "INSERT INTO environments (body, crc) SELECT environment, checksum(environment) FROM run",
        "ALTER TABLE run DROP COLUMN environment",
    ),
    # Numerical rooms, and what each cell was computed with; 0: no room, not known.
    2: (
        "ALTER TABLE cells ADD COLUMN numerics INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE cells ADD COLUMN arithmetic INTEGER NOT NULL DEFAULT 0",
        """CREATE TABLE arithmetics (
            id INTEGER PRIMARY KEY,
            body TEXT NOT NULL UNIQUE,
            crc INTEGER NOT NULL
        )""",
    ),
}
"""What turns a file of each version into one of the next."""

VERSION = 1 + len(MIGRATIONS)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what SQLite says about a file into a `RecordError` that names it."""
    try:
        yield
    except sqlite3.OperationalError as error:
        reason = str(error)
        if "locked" in reason or "busy" in reason:
            raise RecordError(
                f"{path}: another process has held the store for more than {BUSY_SECONDS:.0f} "
                "seconds; wait for it to end, or end it"
            ) from error
        raise RecordError(f"{path}: the store cannot be used ({reason})") from error
    except sqlite3.ProgrammingError as error:
        raise RecordError(
            f"{path}: the store is closed, or belongs to another thread; open one of your own"
        ) from error
    except sqlite3.Error as error:
        raise damaged(path, str(error)) from error


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """`reading`, where rows are turned into values: what does not fit is damage as well."""
    try:
        with reading(path):
            yield
    except RecordError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError, struct.error) as error:
        raise damaged(path, "a row cannot be read") from error


def damaged(path: Path, what: str) -> RecordError:
    """The error for a file whose content is not what was written."""
    return RecordError(
        f"{path}: the store is damaged ({what}); go back to a copy, or run the plan again"
    )


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it or nothing, and no other writer in between."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def connect(path: Path, *, create: bool, check: bool = True) -> sqlite3.Connection:
    """Open a store, make it where there is none, and bring an older one up to date.

    Raises `RecordError` for a file that is missing (without `create`), no store, damaged, or of a
    newer version. `check` False leaves out SQLite's own check of the whole file.
    """
    _refuse_foreign(path, create)
    if not create and _only_readable(path):
        return _connect_only_readable(path, check)
    with decoding(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            connection.create_function("checksum", -1, text_checksum, deterministic=True)
            if check:
                _check(path, connection)
            _switch_to_wal(connection)
            # Survives the end of the process at any moment; a power cut may undo the last commits.
            connection.execute("PRAGMA synchronous = NORMAL")
            _bring_up_to_date(path, connection, create)
        except BaseException:
            connection.close()
            raise
    return connection


def _refuse_foreign(path: Path, create: bool) -> None:
    if not path.exists():
        if not create:
            raise RecordError(f"{path}: there is no such store; check the path, or run a plan")
        if not path.parent.is_dir():
            raise RecordError(f"{path}: there is no folder {path.parent}; make it first")
        return
    if not path.is_file():
        raise RecordError(f"{path}: this is a folder, not a store; name the file inside it")
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise RecordError(f"{path}: the store cannot be read ({error.strerror})") from error
    if start != MAGIC[: len(start)] or (start and len(start) < len(MAGIC)):
        raise RecordError(f"{path}: this is no store (not an SQLite file); name another file")


def _only_readable(path: Path) -> bool:
    """Nothing can be written to the file, or beside it, where WAL mode wants its files."""
    return not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _connect_only_readable(path: Path, check: bool) -> sqlite3.Connection:
    """Open a store that cannot change: one on a read-only disk, or of another user."""
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists() and wal.stat().st_size:
        raise RecordError(
            f"{path}: the last records are still in {wal.name} and cannot be moved into the store, "
            "because this place is read-only; copy both to a folder that can be written"
        )
    with decoding(path):
        name = f"file:{quote(str(path.absolute()))}?immutable=1"
        connection = sqlite3.connect(name, uri=True, isolation_level=None)
        try:
            if check:
                _check(path, connection)
            application, version = _versions(connection)
            if (application, version) != (APPLICATION_ID, VERSION):
                raise RecordError(
                    f"{path}: this is no store of version {VERSION}, and this place is read-only; "
                    "copy it to a folder that can be written"
                )
        except BaseException:
            connection.close()
            raise
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    problems = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if problems != ["ok"]:
        raise damaged(path, " ".join(problems[0].split()))


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """WAL mode; SQLite does not wait by itself when another process is just switching as well."""
    last = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > last:
                raise
            time.sleep(0.05)


def _bring_up_to_date(path: Path, connection: sqlite3.Connection, create: bool) -> None:
    if _versions(connection) == (APPLICATION_ID, VERSION):
        return
    with writing(connection):  # the state is read again inside: another process may be first
        application, version = _versions(connection)
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not application and not version and not tables:
            if not create:
                raise RecordError(f"{path}: the store is empty; run a plan into it")
            for statement in TABLES_1:
                connection.execute(statement)
            version = 1
        elif application != APPLICATION_ID:
            raise RecordError(f"{path}: this is an SQLite file, but no store; name another file")
        if not 1 <= version <= VERSION:
            raise RecordError(
                f"{path}: the store has version {version}, and this library reads versions 1 to "
                f"{VERSION}; use a newer constrained-lm"
            )
        for step in range(version, VERSION):
            for statement in MIGRATIONS[step]:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _versions(connection: sqlite3.Connection) -> tuple[int, int]:
    with closing(connection.cursor()) as cursor:
        application = cursor.execute("PRAGMA application_id").fetchone()[0]
        return application, cursor.execute("PRAGMA user_version").fetchone()[0]
