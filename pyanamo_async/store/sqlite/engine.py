"""Run SQL in one thread, and commit in groups.

Work that is ready together travels in one transaction: a group is whatever gathered while the previous one was under
way, so a lone piece of work goes at once and a crowd shares one commit. Laws: a caller hears of its work only after
the commit; work fails for its own caller alone; a caller that was cancelled disturbs nobody; the thread keeps no
process alive, and an unfinished transaction of a process that ends never was.

Work that refuses raises one of our errors before it writes anything: the rest of its group goes on. Any other error
ends the transaction, and each piece is done again by itself, so work must be fit to be done twice.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from pyanamo_async.errors import PyanamoError, StoreError
from pyanamo_async.store.sqlite.failures import explained

T = TypeVar("T")


class _Kind(Enum):
    READ = auto()
    WRITE = auto()
    ALONE = auto()  # on the file itself, while no connection of ours is open


@dataclass(slots=True, eq=False)
class _Job:
    kind: _Kind
    work: Callable[..., Any]
    future: asyncio.Future[Any]
    result: object = None
    error: BaseException | None = None

    @property
    def is_alone(self) -> bool:
        return self.kind is _Kind.ALONE

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


class Engine:
    """The one thread, and the one connection, through which a store reaches its file."""

    def __init__(self, path: Path, open_: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._open = open_
        self._gathered: list[_Job] = []
        self._jobs: SimpleQueue[list[_Job]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._closed = self._ended = False

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work that only reads."""
        return await self._submit(_Kind.READ, work)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work that may write; returns after the commit."""
        return await self._submit(_Kind.WRITE, work)

    async def alone(self, work: Callable[[], T]) -> T:
        """Do work on the file itself, while no connection of this engine is open."""
        return await self._submit(_Kind.ALONE, work)

    async def close(self) -> None:
        """Finish what was submitted, then let go of file and thread; harmless when repeated."""
        if not self._closed:
            self._closed = True
            if self._thread is not None:
                await self._put(_Kind.ALONE, self._end)
                self._thread.join()

    async def _submit(self, kind: _Kind, work: Callable[..., T]) -> T:
        if self._closed:
            raise StoreError(f"the table {self._path} was closed")
        try:
            result: T = await self._put(kind, work)
        except (sqlite3.Error, OSError, UnicodeEncodeError) as error:
            raise explained(error, self._path) from error
        return result

    def _put(self, kind: _Kind, work: Callable[..., T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._gathered.append(_Job(kind, work, future))
        if len(self._gathered) == 1:
            loop.call_soon(self._hand_over)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=f"sqlite {self._path.name}", daemon=True)
            self._thread.start()
        return future

    def _hand_over(self) -> None:
        """Give the thread what one turn of the loop asked for: handing over costs both of them a switch."""
        gathered, self._gathered = self._gathered, []
        self._jobs.put(gathered)

    # --- in the thread ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._ended:
            jobs = list(self._gather())
            for is_alone, group in groupby(jobs, key=lambda job: job.is_alone):
                if is_alone:
                    self._do_alone(list(group))
                else:
                    self._commit(list(group))
            with suppress(RuntimeError):  # the loop was closed: nobody is there to hear
                jobs[0].future.get_loop().call_soon_threadsafe(_settle, jobs)

    def _end(self) -> None:
        self._ended = True

    def _gather(self) -> Iterator[_Job]:
        """Wait for a job, and take what came besides."""
        yield from self._jobs.get()
        with suppress(Empty):
            while True:
                yield from self._jobs.get_nowait()

    def _do_alone(self, jobs: list[_Job]) -> None:
        for job in jobs:
            try:
                self._disconnect()
                job.result = job.work()
            except Exception as error:  # noqa: BLE001 # whatever it is, it belongs to the caller, not to this thread
                job.error = error

    def _commit(self, jobs: list[_Job]) -> None:
        """Do jobs in one transaction; if one of them breaks it, each in its own."""
        try:
            connection = self._begin(writing=any(job.kind is _Kind.WRITE for job in jobs))
        except Exception as error:  # noqa: BLE001 # as above
            _fail(jobs, error)
            return
        try:
            for job in jobs:
                job.attempt(connection)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 # as above
            self._disconnect()  # which rolls back
            if len(jobs) == 1:
                _fail(jobs, error)
            else:
                for job in jobs:
                    self._commit([job])

    def _begin(self, *, writing: bool) -> sqlite3.Connection:
        if self._connection is not None and self._file != _identity(self._path):
            self._disconnect()  # somebody removed or replaced the file; SQLite would go on with the old one
        if self._connection is None:
            self._connection = self._open()
            self._file = _identity(self._path)
        try:
            self._connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
        except sqlite3.Error:
            self._disconnect()
            raise
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _fail(jobs: list[_Job], error: Exception) -> None:
    for job in jobs:
        job.error = error


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        job.settle()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - for every transaction, at half the price of Path's
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
