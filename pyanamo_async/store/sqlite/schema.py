"""The file of a table: its columns, and how it is created, opened and removed.

1. The columns are what queries need; `Row` is the whole item, as `core.stored.record` writes it.
2. `Position` is the order in which items were added, so the items of a task file run in its order.
3. `QueueIndex` also holds what counting needs, so neither claiming nor counting reads rows: finished items do not slow
   down the queue, and large rows do not slow down the counts. `LedgerIndex` holds the few items that lost something.
4. Only a file of ours is opened (`store.sqlite.recognition`).
5. A file that can be read but not written, if only for want of room, is read (`store.sqlite.at_rest`).
6. On a network file system no table is created or written: SQLite's log is shared memory, which ends at the machine.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from pyanamo_async.core.stored.queue_key import time_in
from pyanamo_async.errors import SchemaMismatch, StoreError
from pyanamo_async.host.file_systems import network_file_system
from pyanamo_async.host.modes import create_file
from pyanamo_async.ports import Description, Index
from pyanamo_async.store.sqlite.at_rest import has_index, is_at_rest, on_network, open_at_rest
from pyanamo_async.store.sqlite.failures import NO_ROOM_FOR_INDEX, PRIMARY
from pyanamo_async.store.sqlite.recognition import APPLICATION_ID, SCHEMA_VERSION, is_ours, missing, require_ours
from pyanamo_async.store.sqlite.rows import COLUMNS, WORKER_COLUMNS

MARK_BYTES = 4
MARK = re.compile(f"[0-9a-f]{{{2 * MARK_BYTES}}}")
_NO_INDEX = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}  # of the log: it cannot be made, or not be read
WAL_RETRY = timedelta(milliseconds=10)
INDEX = "QueueIndex"
INDEX_KEYS = ("ItemState", "Queue_Key", "Position")
INDEX_EXTRAS = ("Nested_Tasks", "Log_Length")
LEDGERS = ("Crashes", "Interruptions", "Seconds_Lost", "Seconds_Saved")
HAS_LEDGERS = " OR ".join(f"{name} > 0" for name in LEDGERS)


def _columns(kinds: Mapping[str, str]) -> str:
    """Return the definition of columns that all hold something."""
    return ", ".join(f"{name} {kind} NOT NULL" for name, kind in kinds.items())


TABLES = (
    f"CREATE TABLE items (Position INTEGER PRIMARY KEY, {_columns(COLUMNS)}, UNIQUE (itemID)) STRICT",
    f"CREATE INDEX {INDEX} ON items ({', '.join(INDEX_KEYS + INDEX_EXTRAS)})",
    f"CREATE INDEX LedgerIndex ON items ({', '.join(LEDGERS)}, Cpus) WHERE {HAS_LEDGERS}",
    f"CREATE TABLE workers ({_columns(WORKER_COLUMNS)}, Desired TEXT NOT NULL DEFAULT 'run', PRIMARY KEY (InstanceID))"
    " STRICT",
    """CREATE TABLE releases (
        InstanceID TEXT NOT NULL,
        lockID TEXT NOT NULL,
        PRIMARY KEY (InstanceID, lockID)
    ) STRICT""",
    """CREATE TABLE output_tails (
        Task TEXT NOT NULL PRIMARY KEY,
        InstanceID TEXT NOT NULL,
        Until TEXT NOT NULL,
        Stdout BLOB NOT NULL DEFAULT x'',
        Stdout_End INTEGER NOT NULL DEFAULT 0,
        Stderr BLOB NOT NULL DEFAULT x'',
        Stderr_End INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    """CREATE TABLE description (Shards INTEGER NOT NULL, Created TEXT NOT NULL, Mark TEXT NOT NULL,
        Last_Attempts_After INTEGER) STRICT""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

# In WAL mode a commit survives the death of any process; only FULL also waits for the disk at every commit. Measured
# with commits in groups, 8 in flight, medians of 5: 2,900 claims and saves a second at 0.17 ms of CPU each with NORMAL,
# 2,000 at 0.21 ms with FULL on a disk that syncs in 0.25 ms; a disk that needs 10 ms would allow some 400. With NORMAL,
# a power cut loses the commits since the last checkpoint: the file stays sound, and that work is done again, as after
# any crash of a worker.
SYNCHRONOUS = "NORMAL"


def open_table(
    path: Path, busy_timeout: timedelta, *, network: Callable[[Path], str] = network_file_system
) -> sqlite3.Connection:
    """Open a table that exists; its connection waits for a lock for up to `busy_timeout`.

    Raises:
        TableMissing, SchemaMismatch: there is no table, or it is not one of ours.
    """
    if not path.exists():
        raise missing(path)
    kind = network(path)
    if path.is_file() and (kind or is_at_rest(path)):
        return _checked(open_at_rest(path, network=kind), path)
    try:
        return _checked(_connect(path, busy_timeout, mode="rw"), path)  # or read-only, where that is all we may
    except sqlite3.OperationalError as error:
        is_full = error.sqlite_errorcode in NO_ROOM_FOR_INDEX and not has_index(path)
        if not is_full and (error.sqlite_errorcode & PRIMARY not in _NO_INDEX or not path.is_file()):
            raise
        return _checked(open_at_rest(path, is_full=is_full), path)


def create_table(
    path: Path,
    busy_timeout: timedelta,
    *,
    shards: int,
    umask: int,
    network: Callable[[Path], str] = network_file_system,
) -> bool:
    """Create the file and its tables in one transaction; return False if another process did, or they existed."""
    if not path.parent.is_dir():
        raise StoreError(f"there is no folder {path.parent} for the table {path.name}", hint="create the folder first")
    if kind := network(path.parent):
        raise on_network(path, kind)
    create_file(path, umask)  # SQLite gives its log the same mode
    with closing(_connect(path, busy_timeout, mode="rw")) as connection:
        if is_ours(connection, path):
            return False
        _switch_to_wal(connection, busy_timeout)
        connection.execute("BEGIN IMMEDIATE")
        if is_ours(connection, path):  # another process was faster
            return False
        for statement in TABLES:
            connection.execute(statement)
        connection.execute(
            "INSERT INTO description VALUES (?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?, NULL)",
            (shards, secrets.token_hex(MARK_BYTES)),
        )
        connection.execute("COMMIT")
    return True


def describe(connection: sqlite3.Connection, path: Path) -> Description:
    """Describe an open table.

    Many tables may keep their output in one folder. A mark tells files of the same name apart, also one that was
    deleted and created again; the name tells copies of one file apart.
    """
    shards, created, mark = _description(connection, path)
    return Description(
        table=str(path),
        output_namespace=f"{path.stem}-{mark}",
        keys=("itemID",),
        indexes=(Index(INDEX, INDEX_KEYS, projection=", ".join(INDEX_EXTRAS)),),
        shards=shards,
        schema_version=SCHEMA_VERSION,
        billing="free",
        size_bytes=path.stat().st_size,
        created=created,
    )


def _description(connection: sqlite3.Connection, path: Path) -> tuple[int, datetime, str]:
    """Return the number of shards, when the table was created, and its mark.

    Raises:
        SchemaMismatch: another program changed them. The mark is part of the paths of outputs.
    """
    rows = []
    try:
        rows = connection.execute("SELECT Shards, Created, Mark FROM description").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:  # otherwise there is no such table
            raise
    match rows:
        case [(int(shards), str(text), str(mark))] if (
            shards > 0 and MARK.fullmatch(mark) and (created := time_in(text))
        ):
            return shards, created, mark
    raise SchemaMismatch(
        f"the table {path} is damaged: its description is not as pyanamo wrote it",
        hint="take that row from a backup, or import the task file into a new table",
    )


def drop_table(path: Path, busy_timeout: timedelta) -> None:
    """Remove the file of a table, and what SQLite keeps beside it."""
    open_table(path, busy_timeout).close()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _connect(path: Path, busy_timeout: timedelta, *, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=busy_timeout.total_seconds(),
        isolation_level=None,
    )
    connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")  # one bad byte hides no row
    return connection


def _checked(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """Prepare a connection to a table of ours; close it when the file is another's."""
    try:
        require_ours(connection, path)
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    except BaseException:
        connection.close()
        raise
    return connection


def _switch_to_wal(connection: sqlite3.Connection, busy_timeout: timedelta) -> None:
    """Change the journal mode; SQLite refuses that at once, without its busy timeout, while another process does it."""
    deadline = time.monotonic() + busy_timeout.total_seconds()
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(WAL_RETRY.total_seconds())
        else:
            return
