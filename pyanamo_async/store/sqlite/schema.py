"""The file: its tables, how it is made, recognised and removed.

The columns are what queries need; `Row` is the item whole, as `core.record` writes it. `Position` is the order in which
items came, so that a file of tasks runs in its order. `QueueIndex` holds what counting needs besides, so that neither
claiming nor counting reads rows: done items cost the queue nothing, and rows of any size cost the counts nothing.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from datetime import timedelta
from functools import cache
from pathlib import Path

from pyanamo_async.core.stored.queue_key import parse_time
from pyanamo_async.errors import SchemaMismatch, StoreError, TableMissing
from pyanamo_async.ports import Description, Index

APPLICATION_ID = 0x5059414E  # "PYAN": `file` and we recognise the file by it
SCHEMA_VERSION = 1
MARK_BYTES = 4
SMALLEST_PAGE = 512  # bytes; SQLite takes a file that is smaller for an empty one, and would overwrite it
INDEX = "QueueIndex"
INDEX_KEYS = ("ItemState", "Queue_Key", "Position")
INDEX_EXTRAS = ("Nested_Tasks", "Log_Length")

TABLES = (
    """CREATE TABLE items (
        Position INTEGER PRIMARY KEY,
        itemID TEXT NOT NULL UNIQUE,
        taskID TEXT NOT NULL,
        ItemState TEXT NOT NULL,
        Queue_Key TEXT NOT NULL,
        InstanceID TEXT NOT NULL,
        lockID TEXT NOT NULL,
        Attempt INTEGER NOT NULL,
        Nested_Tasks INTEGER NOT NULL,
        Log_Length INTEGER NOT NULL,
        Reason TEXT NOT NULL,
        Row TEXT NOT NULL
    ) STRICT""",
    f"CREATE INDEX {INDEX} ON items ({', '.join(INDEX_KEYS + INDEX_EXTRAS)})",
    """CREATE TABLE workers (
        InstanceID TEXT NOT NULL PRIMARY KEY,
        Heartbeat TEXT NOT NULL,
        Host TEXT NOT NULL,
        Job TEXT NOT NULL,
        Process TEXT NOT NULL,
        Started TEXT NOT NULL,
        Lease REAL NOT NULL,
        Slots INTEGER NOT NULL,
        Running INTEGER NOT NULL,
        Done INTEGER NOT NULL,
        RSS INTEGER NOT NULL,
        State TEXT NOT NULL,
        Desired TEXT NOT NULL DEFAULT 'run'
    ) STRICT""",
    """CREATE TABLE followed (
        Feed TEXT NOT NULL PRIMARY KEY,
        InstanceID TEXT NOT NULL,
        Until TEXT NOT NULL,
        Stdout BLOB NOT NULL DEFAULT x'',
        Stdout_End INTEGER NOT NULL DEFAULT 0,
        Stderr BLOB NOT NULL DEFAULT x'',
        Stderr_End INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    "CREATE TABLE description (Shards INTEGER NOT NULL, Created TEXT NOT NULL, Mark TEXT NOT NULL) STRICT",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

# In WAL mode a commit survives the death of any process; only FULL also waits for the disk, at every commit. Measured
# with commits in groups, 8 in flight, medians of 5: 2,900 claims and saves a second at 0.17 ms of CPU each with NORMAL,
# 2,000 at 0.21 with FULL on a disk that syncs in 0.25 ms; one that needs 10 ms would allow some 400. What NORMAL leaves
# to a power cut are the moments since the last checkpoint: the file stays sound and that work is done again, as after
# any crash of a worker.
SYNCHRONOUS = "NORMAL"


def open_table(path: Path, patience: timedelta) -> sqlite3.Connection:
    """Open a table that exists; a lock is waited for as long as `patience`.

    Raises:
        TableMissing, SchemaMismatch: there is none, or it is not one of ours.
    """
    if not path.exists():
        raise _missing(path)
    connection = _connect(path, patience, mode="rw")
    try:
        _check(connection, path)
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    except BaseException:
        connection.close()
        raise
    return connection


def create_table(path: Path, patience: timedelta, *, shards: int) -> bool:
    """Make the file and its tables at once, for one of those who try; False when they were there."""
    if not path.parent.is_dir():
        raise StoreError(f"there is no folder {path.parent} for the table {path.name}", hint="create the folder first")
    with closing(_connect(path, patience, mode="rwc")) as connection:
        if _is_ours(connection, path):
            return False
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        if _is_ours(connection, path):  # another was faster
            return False
        for statement in TABLES:
            connection.execute(statement)
        connection.execute(
            "INSERT INTO description VALUES (?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?)",
            (shards, secrets.token_hex(MARK_BYTES)),
        )
        connection.execute("COMMIT")
    return True


def describe(connection: sqlite3.Connection, path: Path) -> Description:
    """Describe a table that is open.

    Many tables may file their output in one folder: a mark tells files of one name apart, also one that was deleted and
    made again; the name tells copies of one file apart.
    """
    [shards, created, mark] = connection.execute("SELECT Shards, Created, Mark FROM description").fetchone()
    return Description(
        table=str(path),
        output_namespace=f"{path.stem}-{mark}",
        keys=("itemID",),
        indexes=(Index(INDEX, INDEX_KEYS, projection=", ".join(INDEX_EXTRAS)),),
        shards=shards,
        schema_version=SCHEMA_VERSION,
        billing="free",
        size_bytes=path.stat().st_size,
        created=parse_time(created),
    )


def drop_table(path: Path, patience: timedelta) -> None:
    """Remove the file and what SQLite keeps beside it, when it is a table of ours."""
    open_table(path, patience).close()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _connect(path: Path, patience: timedelta, *, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=patience.total_seconds(),
        isolation_level=None,
        check_same_thread=False,  # the engine has one at a time use it
    )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if not _is_ours(connection, path):
        raise _missing(path)


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell a table of ours from a file that is still empty, as it is at one moment; refuse any other."""
    if connection.in_transaction:
        return _looks_like_ours(connection, path)
    connection.execute("BEGIN")  # or another who makes the table in between is taken for another program
    try:
        return _looks_like_ours(connection, path)
    finally:
        connection.rollback()  # which does nothing when SQLite did it itself, because the disk failed


def _looks_like_ours(connection: sqlite3.Connection, path: Path) -> bool:
    [application] = connection.execute("PRAGMA application_id").fetchone()
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if (application, version) == (APPLICATION_ID, SCHEMA_VERSION):
        if missing := _columns_of_ours() - _columns(connection):
            raise SchemaMismatch(
                f"the table {path} was made by another version of pyanamo: it has no {', '.join(sorted(missing))}",
                hint="use the version that made it, or remove the file and import again",
            )
        return True
    if application == APPLICATION_ID:
        raise SchemaMismatch(
            f"the table {path} has schema version {version}; this program knows {SCHEMA_VERSION}",
            hint="use the version of pyanamo that created it",
        )
    if 0 < path.stat().st_size < SMALLEST_PAGE:
        raise SchemaMismatch(f"{path} is not a table of ours", hint="choose another name for the table")
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
        return False
    raise SchemaMismatch(f"{path} is a database of another program", hint="choose another name for the table")


@cache
def _columns_of_ours() -> frozenset[str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in TABLES:
            connection.execute(statement)
        return _columns(connection)


def _columns(connection: sqlite3.Connection) -> frozenset[str]:
    """List columns as `table.column`; more than ours do no harm."""
    rows = connection.execute(
        "SELECT found.name || '.' || its.name FROM sqlite_master found, pragma_table_info(found.name) its"
    )
    return frozenset(name for [name] in rows)


def _missing(path: Path) -> TableMissing:
    return TableMissing(f"there is no table {path}", hint="`pyanamo table create` or `pyanamo import` creates it")
