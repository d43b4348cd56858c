"""Run jobs in transactions on the one connection to a file.

1. A job that refuses raises one of our errors before it writes anything; the other jobs of its group go on.
2. Any other error rolls the group back, and each job runs again in a transaction of its own. So a job must be fit to
   run twice.
3. Without waiting means: for no lock and no checkpoint. A group that would have to wait is not done at all.
4. One thread at a time uses the connection.
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

WAITS = "busy_timeout", "wal_autocheckpoint"  # the pragmas that make SQLite wait: for other processes, for the disk
NO_WAIT = 0, 0


class Kind(Enum):
    """What a job does."""

    READ = auto()
    WRITE = auto()
    EXCLUSIVE = auto()  # works on the file itself, while no connection of ours is open


@dataclass(slots=True, eq=False)
class Job:
    """Some work and the future of its caller; `on_loop` work takes less than a millisecond."""

    kind: Kind
    work: Callable[..., Any]
    future: asyncio.Future[Any]
    on_loop: bool = False
    result: object = None
    error: BaseException | None = None

    @property
    def is_exclusive(self) -> bool:
        return self.kind is Kind.EXCLUSIVE

    def run(self, connection: sqlite3.Connection) -> None:
        """Do the work within a transaction; keep a refusal as its error, let any other error pass."""
        try:
            self.result, self.error = self.work(connection), None
        except PyanamoError as refusal:
            self.error = refusal

    def settle(self) -> None:
        """Pass result or error to the caller, unless it was cancelled."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Transactions:
    """The connection, opened when it is first needed; the file may be removed or replaced at any time."""

    def __init__(self, path: Path, open_: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._open = open_
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._own_waits: tuple[int, ...] = ()  # as the connection was opened
        self._waits = True

    @property
    def is_connected(self) -> bool:
        """Return whether a connection is open."""
        return self._connection is not None

    def commit(self, jobs: list[Job]) -> None:
        """Run jobs in one transaction; if one of them breaks it, each in its own."""
        try:
            connection = self._waiting_connection()
            _begin(connection, jobs)
        except Exception as error:  # noqa: BLE001 - any error belongs to the callers, not to this thread
            self.disconnect()
            for job in jobs:
                job.error = error
            return
        try:
            _finish(connection, jobs)
        except Exception as error:  # noqa: BLE001 - as above
            self.disconnect()  # this rolls back
            if len(jobs) == 1:
                jobs[0].error = error
            else:
                for job in jobs:
                    self.commit([job])

    def commit_without_waiting(self, jobs: list[Job]) -> bool:
        """Run jobs in one transaction; return False, with nothing done, when that would have to wait or fails."""
        connection = self._connection
        if connection is None:
            return False
        try:
            if self._file != _identity(self._path):
                return False
            if self._waits:
                self._set_waits(connection, NO_WAIT)
            _begin(connection, jobs)
            _finish(connection, jobs)
        except Exception:  # noqa: BLE001 - `commit` will meet the error again and report it
            if connection.in_transaction:
                self.disconnect()
            return False
        return True

    def run_exclusive(self, job: Job) -> None:
        """Run a job on the file itself."""
        try:
            self.disconnect()
            job.result = job.work()
        except Exception as error:  # noqa: BLE001 - as in `commit`
            job.error = error

    def disconnect(self) -> None:
        """Close the connection and roll back what was not committed; harmless when repeated."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _waiting_connection(self) -> sqlite3.Connection:
        """Return a connection that may wait, to the file that is there now."""
        if self._connection is not None and self._file != _identity(self._path):
            self.disconnect()  # the file was removed or replaced; SQLite would go on with the old one
        if self._connection is None:
            self._connection = self._open()
            self._file = _identity(self._path)
            self._own_waits = tuple(self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in WAITS)
            self._waits = True
        elif not self._waits:
            self._set_waits(self._connection, self._own_waits)
        return self._connection

    def _set_waits(self, connection: sqlite3.Connection, values: tuple[int, ...]) -> None:
        for name, value in zip(WAITS, values, strict=True):
            connection.execute(f"PRAGMA {name} = {value}")
        self._waits = values != NO_WAIT


def _begin(connection: sqlite3.Connection, jobs: list[Job]) -> None:
    writing = any(job.kind is Kind.WRITE for job in jobs)
    connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")


def _finish(connection: sqlite3.Connection, jobs: list[Job]) -> None:
    for job in jobs:
        job.run(connection)
    connection.execute("COMMIT")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - for every transaction, in half the time of `Path.stat`
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
