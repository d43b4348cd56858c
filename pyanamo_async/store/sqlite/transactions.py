"""Pieces of work, done in transactions on the one connection to a file.

Work that refuses raises one of our errors before it writes anything: the rest of its group goes on. Any other error
ends the transaction, and each piece is done again by itself, so work must be fit to be done twice.

Laws: one thread at a time. A group that is in a hurry waits for no lock and no checkpoint: what it cannot do at once
was not done at all.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from pyanamo_async.errors import PyanamoError

WAITING = "busy_timeout", "wal_autocheckpoint"  # what makes SQLite wait: for others, and for the disk
AT_ONCE = 0, 0


class Kind(Enum):
    """What a piece of work needs."""

    READ = auto()
    WRITE = auto()
    ALONE = auto()  # on the file itself, while no connection of ours is open


@dataclass(slots=True, eq=False)
class Job:
    """A piece of work and who waits for it; `is_brief` work is over in less than a millisecond."""

    kind: Kind
    work: Callable[..., Any]
    future: asyncio.Future[Any]
    is_brief: bool = False
    result: object = None
    error: BaseException | None = None

    @property
    def is_alone(self) -> bool:
        return self.kind is Kind.ALONE

    def attempt(self, connection: sqlite3.Connection) -> None:
        """Do the work within a transaction; a refusal is its result, anything else ends the transaction."""
        try:
            self.result, self.error = self.work(connection), None
        except PyanamoError as refusal:
            self.error = refusal

    def settle(self) -> None:
        """Tell the caller, unless it went away."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Transactions:
    """The connection, opened when it is needed; the file may be removed or replaced meanwhile."""

    def __init__(self, path: Path, open_: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._open = open_
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._patience: tuple[int, ...] = ()  # the connection's own
        self._in_hurry = False

    @property
    def is_connected(self) -> bool:
        """Tell whether a connection is open."""
        return self._connection is not None

    def commit(self, jobs: list[Job]) -> None:
        """Do jobs in one transaction; if one of them breaks it, each in its own."""
        try:
            connection = self._connected()
            _begin(connection, jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the callers, not to this thread
            self.disconnect()
            for job in jobs:
                job.error = error
            return
        try:
            _finish(connection, jobs)
        except Exception as error:  # noqa: BLE001 - as above
            self.disconnect()  # which rolls back
            if len(jobs) == 1:
                jobs[0].error = error
            else:
                for job in jobs:
                    self.commit([job])

    def commit_at_once(self, jobs: list[Job]) -> bool:
        """Do jobs in one transaction without waiting; False when that cannot be: then nothing was done."""
        connection = self._connection
        if connection is None:
            return False
        try:
            if self._file != _identity(self._path):
                return False
            self._hurry(connection)
            _begin(connection, jobs)
            _finish(connection, jobs)
        except Exception:  # noqa: BLE001 - who may wait will meet it too, and tell
            if connection.in_transaction:
                self.disconnect()
            return False
        return True

    def do_alone(self, job: Job) -> None:
        """Do a job on the file itself."""
        try:
            self.disconnect()
            job.result = job.work()
        except Exception as error:  # noqa: BLE001 - as in `commit`
            job.error = error

    def disconnect(self) -> None:
        """Let go of the file, and of what was not committed; harmless when repeated."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        """Return a connection that waits, to the file that is there now."""
        if self._connection is not None and self._file != _identity(self._path):
            self.disconnect()  # somebody removed or replaced the file; SQLite would go on with the old one
        if self._connection is None:
            self._connection = self._open()
            self._file = _identity(self._path)
            self._patience = tuple(self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in WAITING)
        elif self._in_hurry:
            _wait(self._connection, self._patience)
        self._in_hurry = False
        return self._connection

    def _hurry(self, connection: sqlite3.Connection) -> None:
        if not self._in_hurry:
            self._in_hurry = True
            _wait(connection, AT_ONCE)


def _begin(connection: sqlite3.Connection, jobs: list[Job]) -> None:
    writing = any(job.kind is Kind.WRITE for job in jobs)
    connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")


def _finish(connection: sqlite3.Connection, jobs: list[Job]) -> None:
    for job in jobs:
        job.attempt(connection)
    connection.execute("COMMIT")


def _wait(connection: sqlite3.Connection, values: tuple[int, ...]) -> None:
    for name, value in zip(WAITING, values, strict=True):
        connection.execute(f"PRAGMA {name} = {value}")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - for every transaction, at half the price of Path's
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
