"""Read a table that cannot be written: without write access, in an archive, on a network file system or a full disk.

SQLite's log needs an index beside the file, which every connection shares and the first one writes
(https://www.sqlite.org/wal.html, "Read-Only Databases"). Where the index of a running worker can be read, SQLite reads
what that worker wrote, and nothing here is needed. Where no index can be made, nobody works on the table from this
machine, and the file is read as it lies there:

1. Without a log, as an immutable file.
2. With a log that a killed worker left, through an index in memory.
3. Somebody may begin to write at any time, so such a connection serves for one transaction.
4. On a network file system a log is not read: a worker of another machine may be writing it.
5. On a full disk a new index has no room, and none that is too short is one. Whoever writes waits for room.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from pyanamo_async.errors import StoreError, Unavailable
from pyanamo_async.store.sqlite.failures import NO_SPACE

INDEX_BYTES = 32768  # the least that SQLite works with


class AtRest(sqlite3.Connection):
    """A connection that reads a file without locks."""

    network = ""  # the kind of network file system that the file is on
    is_full = False  # the disk has no room for the index
    path: Path

    def refuse_writing(self) -> None:
        """Raise where SQLite would not say why the file cannot be written."""
        if self.network:
            raise on_network(self.path, self.network)
        if self.is_full:
            what, hint = NO_SPACE
            raise Unavailable(what.format(path=self.path), hint=hint)


def open_at_rest(path: Path, *, network: str = "", is_full: bool = False) -> AtRest:
    """Open a file that nobody on this machine writes.

    Raises:
        StoreError: its log cannot be read, and holds the latest changes.
    """
    log = log_of(path)
    has_log = log.exists() and log.stat().st_size > 0
    if has_log and (network or not _may(log, os.R_OK)):
        raise StoreError(
            f"the latest changes of the table {path} are in its log, which cannot be read from here",
            hint="run the command on the machine of its workers, as their user",
        )
    how = "vfs=unix-none" if has_log else "immutable=1"
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&{how}", uri=True, isolation_level=None, factory=AtRest)
    connection.path, connection.network, connection.is_full = path, network, is_full
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # keeps the index of the log in memory
    return connection


def is_at_rest(path: Path) -> bool:
    """Return whether a file that we may not write has no log: reading it as usual would leave one, of our user."""
    return not _may(path, os.W_OK) and not log_of(path).exists()


def has_index(path: Path) -> bool:
    """Return whether a log has an index that somebody may be working with."""
    index = Path(f"{path}-shm")
    return index.exists() and index.stat().st_size >= INDEX_BYTES


def log_of(path: Path) -> Path:
    """Return the file in which SQLite writes changes first."""
    return Path(f"{path}-wal")


def on_network(path: Path, kind: str) -> StoreError:
    """Return the error for writing a table on a network file system."""
    return StoreError(
        f"the table {path} is on a network file system ({kind}), where SQLite cannot keep workers apart",
        hint="give a file on a disk of this machine, as sqlite:/tmp/step.db, or the name of a DynamoDB table",
    )


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
