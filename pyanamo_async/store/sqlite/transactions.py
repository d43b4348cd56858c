"""Run jobs in transactions on the one connection to a file.

1. A job that refuses raises one of our errors before it writes anything; the other jobs of its group go on.
2. Any other error rolls the group back, and each job runs again in a transaction of its own. So a job must be fit to
   run twice.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from pyanamo_async.errors import PyanamoError


class Kind(Enum):
    """What a job does."""

    READ = auto()
    WRITE = auto()
    EXCLUSIVE = auto()  # works on the file itself, while no connection of ours is open


@dataclass(slots=True, eq=False)
class Job:
    """Some work and the future of its caller."""

    kind: Kind
    work: Callable[..., Any]
    future: asyncio.Future[Any]
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

    def commit(self, jobs: list[Job]) -> None:
        """Run jobs in one transaction; if one of them breaks it, each in its own."""
        try:
            connection = self._connect()
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

    def _connect(self) -> sqlite3.Connection:
        """Return a connection to the file that is there now."""
        if self._connection is not None and self._file != _identity(self._path):
            self.disconnect()  # the file was removed or replaced; SQLite would go on with the old one
        if self._connection is None:
            self._connection = self._open()
            self._file = _identity(self._path)
        return self._connection


def _begin(connection: sqlite3.Connection, jobs: list[Job]) -> None:
    writing = any(job.kind is Kind.WRITE for job in jobs)
    connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")


def _finish(connection: sqlite3.Connection, jobs: list[Job]) -> None:
    for job in jobs:
        job.run(connection)
    connection.execute("COMMIT")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
