"""Run SQL in a thread, and commit in groups: what arrived during a transaction shares the next one.

So a single job starts at once, and many jobs share one commit.

1. A caller gets its result only after the commit.
2. A failed job is rolled back and fails for its own caller alone; a cancelled caller does not affect others.
3. The thread keeps no process alive, and the unfinished transaction of a process that ends has no effect.
4. The file may be removed at any time: what is read and written is the file that is there now.
5. Of a file that was replaced by another while it was open, such as by a backup, nothing is read or written any more,
   and its log is moved out of the way: SQLite would write it over the new file.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from pyanamo_async.errors import StoreError, TableReplaced
from pyanamo_async.store.sqlite.at_rest import AtRest, log_of
from pyanamo_async.store.sqlite.failures import explained

T = TypeVar("T")

CLOSED_WITHIN_S = 10.0


REPLACED = ".replaced"  # behind the name of a log whose file is gone


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


class Engine:
    """The one connection of a store to its file; all callers share one event loop."""

    def __init__(self, path: Path, open_: Callable[[], sqlite3.Connection]) -> None:
        """Open nothing yet; `open_` is called in the thread."""
        self._path = path
        self._open = open_
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._log: tuple[int, int] | None = None
        self._replaced: TableReplaced | None = None
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = self._ended = False

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work that only reads."""
        return await self._submit(Kind.READ, work)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do work that may write, and return its result after the commit."""
        return await self._submit(Kind.WRITE, work)

    async def exclusive(self, work: Callable[[], T]) -> T:
        """Do work on the file itself, while no connection of this engine is open."""
        return await self._submit(Kind.EXCLUSIVE, work)

    async def close(self) -> None:
        """Finish what was submitted, then release file and thread; harmless when repeated."""
        if not self._closed:
            self._closed = True
            if self._thread is not None:
                with suppress(TimeoutError):  # the disk does not answer; the thread keeps no process alive
                    async with asyncio.timeout(CLOSED_WITHIN_S):
                        await self._put(Kind.EXCLUSIVE, self._end)
                    self._thread.join(CLOSED_WITHIN_S)  # nothing is left for it to do

    async def _submit(self, kind: Kind, work: Callable[..., T]) -> T:
        if self._closed:
            raise StoreError(f"the table {self._path} was closed")
        if self._replaced is not None:
            raise self._replaced
        self._ensure_thread()
        try:
            return await self._put(kind, work)
        except (sqlite3.Error, OSError, UnicodeEncodeError) as error:
            raise explained(error, self._path) from error

    def _put(self, kind: Kind, work: Callable[..., T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(Job(kind, work, future))
        return future

    def _ensure_thread(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._serve, name=f"sqlite {self._path.name}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the system has no thread left
                raise StoreError(f"the table {self._path} cannot be opened: {error}") from error
            self._thread = thread

    # --- in the thread ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._ended:
            jobs = self._take_all()
            for is_exclusive, alike in groupby(jobs, key=lambda job: job.is_exclusive):
                group = list(alike)
                try:
                    if is_exclusive:
                        self._run_exclusive(group)
                    else:
                        self._commit(group)
                except Exception as error:  # noqa: BLE001 - any error belongs to the callers, not to this thread
                    self._disconnect()  # this rolls back
                    for job in group:
                        job.error = error
            with suppress(RuntimeError):  # the loop was closed, and its callers with it
                jobs[0].future.get_loop().call_soon_threadsafe(_settle, jobs)

    def _end(self) -> None:
        self._ended = True

    def _take_all(self) -> list[Job]:
        """Wait for a job, and return it with all others that have arrived."""
        jobs = [self._jobs.get()]
        with suppress(Empty):
            while True:
                jobs.append(self._jobs.get_nowait())
        return jobs

    def _run_exclusive(self, jobs: Iterable[Job]) -> None:
        self._disconnect()
        for job in jobs:
            try:
                job.result = job.work()
            except Exception as error:  # noqa: BLE001 - it belongs to the caller
                job.error = error

    def _commit(self, jobs: list[Job]) -> None:
        """Run jobs in one transaction; what one of them did before it failed is rolled back alone."""
        connection = self._connect()
        writing = any(job.kind is Kind.WRITE for job in jobs)
        if writing and isinstance(connection, AtRest):
            connection.refuse_writing()
        connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
        for job in jobs:
            connection.execute("SAVEPOINT job")
            try:
                job.result = job.work(connection)
            except Exception as error:  # noqa: BLE001 - it belongs to the caller
                job.error = error
                connection.execute("ROLLBACK TO job")  # fails, and with it the group, when the disk or memory is full
            connection.execute("RELEASE job")
        connection.execute("COMMIT")
        self._log = self._log or _identity(log_of(self._path))  # made by the first transaction
        if isinstance(connection, AtRest):  # it takes no locks, and so learns of no change
            self._disconnect()

    def _connect(self) -> sqlite3.Connection:
        """Return a connection to the file that is there now.

        Raises:
            TableReplaced: it is another file than the one that was open.
        """
        if self._connection is not None:
            file = _identity(self._path)
            if file is None:
                self._disconnect()  # SQLite would go on with the old one
            elif file != self._file:
                self._leave_replaced()
        if self._connection is None:
            self._connection = self._open()
            self._file, self._log = _identity(self._path), None
        return self._connection

    def _leave_replaced(self) -> None:
        """Move what SQLite keeps beside the old file away from the new one, and use neither any more."""
        log = log_of(self._path)
        if self._log is not None and self._log == _identity(log):  # otherwise somebody was faster
            log.rename(f"{log}{REPLACED}")
            Path(f"{self._path}-shm").unlink(missing_ok=True)
        moved = Path(f"{log}{REPLACED}")
        kept = (
            f"; {moved.name} has what was last written to the old file: keep it only with that"
            if moved.exists()
            else ""
        )
        self._replaced = TableReplaced(
            f"the file of the table {self._path} was replaced by another while it was open",
            hint=f"drain all workers before you put back a backup, then start new ones{kept}",
        )
        raise self._replaced

    def _disconnect(self) -> None:
        """Close the connection and roll back what was not committed; harmless when repeated."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _settle(jobs: list[Job]) -> None:
    """Pass results and errors to the callers that were not cancelled."""
    for job in jobs:
        if not job.future.done():
            if job.error is not None:
                job.future.set_exception(job.error)
            else:
                job.future.set_result(job.result)
