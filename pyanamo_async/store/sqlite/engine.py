"""Run SQL in a thread, and commit in groups: what arrived during a transaction shares the next one.

So a single job starts at once, and many jobs share one commit.

1. A caller gets its result only after the commit.
2. A failed job fails for its own caller alone; a cancelled caller does not affect others.
3. The thread keeps no process alive, and the unfinished transaction of a process that ends has no effect.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from pyanamo_async.errors import StoreError
from pyanamo_async.store.sqlite.failures import explained
from pyanamo_async.store.sqlite.transactions import Job, Kind, Transactions

T = TypeVar("T")


class Engine:
    """The one connection of a store to its file; all callers share one event loop."""

    def __init__(self, path: Path, open_: Callable[[], sqlite3.Connection]) -> None:
        """Open nothing yet; `open_` is called in the thread."""
        self._path = path
        self._transactions = Transactions(path, open_)
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
                await self._put(Kind.EXCLUSIVE, self._end)
                self._thread.join()

    async def _submit(self, kind: Kind, work: Callable[..., T]) -> T:
        if self._closed:
            raise StoreError(f"the table {self._path} was closed")
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
                if is_exclusive:
                    for job in alike:
                        self._transactions.run_exclusive(job)
                else:
                    self._transactions.commit(list(alike))
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


def _settle(jobs: list[Job]) -> None:
    for job in jobs:
        job.settle()
