"""Run SQL and commit in groups: short work on the event loop while the file is fast, all other work in a thread.

What one turn of the loop asked for is a group and shares one transaction; in the thread, so does everything that
arrived during the previous transaction. So a single job starts at once, and many jobs share one commit.

A claim or a save takes 0.1 ms with its commit. Passing it to a thread takes longer: both threads want the GIL, which
SQLite releases and takes again at each step. With the thread alone, a worker with short scripts did a fifth less. Work
that may take longer stays off the loop: work that is not `on_loop` or waits for another process, checkpoints, and for a
while all work after the file was slow (`LoopBudget`).

1. A caller gets its result only after the commit.
2. A failed job fails for its own caller alone; a cancelled caller does not affect others.
3. The thread keeps no process alive, and the unfinished transaction of a process that ends has no effect.
"""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from pyanamo_async.errors import StoreError
from pyanamo_async.store.sqlite.failures import explained
from pyanamo_async.store.sqlite.loop_budget import LoopBudget
from pyanamo_async.store.sqlite.transactions import Job, Kind, Transactions

MAX_JOBS_ON_LOOP = 16  # larger groups go to the thread

T = TypeVar("T")


class Engine:
    """The one connection of a store to its file; all callers share one event loop."""

    def __init__(self, path: Path, open_: Callable[[], sqlite3.Connection]) -> None:
        """Open nothing yet; the connection that `open_` returns must be usable in any thread."""
        self._path = path
        self._transactions = Transactions(path, open_)
        self._gathered: list[Job] = []
        self._groups: SimpleQueue[list[Job]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._in_thread = 0  # groups
        self._budget = LoopBudget()
        self._closed = self._ended = False

    async def read(self, work: Callable[[sqlite3.Connection], T], *, on_loop: bool = False) -> T:
        """Do work that only reads; `on_loop` work takes less than a millisecond and may run on the event loop."""
        return await self._submit(Kind.READ, work, on_loop=on_loop)

    async def write(self, work: Callable[[sqlite3.Connection], T], *, on_loop: bool = False) -> T:
        """Do work that may write, and return its result after the commit; `on_loop` as in `read`."""
        return await self._submit(Kind.WRITE, work, on_loop=on_loop)

    async def exclusive(self, work: Callable[[], T]) -> T:
        """Do work on the file itself, while no connection of this engine is open."""
        return await self._submit(Kind.EXCLUSIVE, work)

    async def close(self) -> None:
        """Finish what was submitted, then release file and thread; harmless when repeated."""
        if not self._closed:
            self._closed = True
            if self._thread is not None or self._gathered:  # without a thread there is no connection either
                await self._put(Job(Kind.EXCLUSIVE, self._end, asyncio.get_running_loop().create_future()))
            if self._thread is not None:
                self._thread.join()

    async def _submit(self, kind: Kind, work: Callable[..., T], *, on_loop: bool = False) -> T:
        if self._closed:
            raise StoreError(f"the table {self._path} was closed")
        try:
            result: T = await self._put(Job(kind, work, asyncio.get_running_loop().create_future(), on_loop))
        except (sqlite3.Error, OSError, UnicodeEncodeError) as error:
            raise explained(error, self._path) from error
        return result

    def _put(self, job: Job) -> asyncio.Future[T]:
        self._gathered.append(job)
        if len(self._gathered) == 1:
            job.future.get_loop().call_soon(self._dispatch)
        return job.future

    def _dispatch(self) -> None:
        """Run what one turn of the loop gathered, or pass it to the thread."""
        jobs, self._gathered = self._gathered, []
        if self._may_run_on_loop(jobs) and self._run_on_loop(jobs):
            _settle(jobs)
            return
        try:
            self._ensure_thread()
        except RuntimeError as error:  # the system has no thread left; the callers must not wait for ever
            for job in jobs:
                job.error = OSError(errno.EAGAIN, str(error))
            _settle(jobs)
            return
        self._in_thread += 1
        self._groups.put(jobs)

    def _ensure_thread(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._serve, name=f"sqlite {self._path.name}", daemon=True)
            thread.start()
            self._thread = thread

    def _may_run_on_loop(self, jobs: list[Job]) -> bool:
        is_free = not self._in_thread and self._transactions.is_connected
        return is_free and len(jobs) <= MAX_JOBS_ON_LOOP and all(job.on_loop for job in jobs) and self._budget.allows()

    def _run_on_loop(self, jobs: list[Job]) -> bool:
        began = time.monotonic()
        committed = self._transactions.commit_without_waiting(jobs)
        self._budget.record(time.monotonic() - began)
        return committed

    def _settle_from_thread(self, jobs: list[Job], groups: int) -> None:
        self._in_thread -= groups
        _settle(jobs)

    # --- in the thread ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._ended:
            groups = list(self._take_groups())
            jobs = [job for group in groups for job in group]
            for is_exclusive, alike in groupby(jobs, key=lambda job: job.is_exclusive):
                if is_exclusive:
                    for job in alike:
                        self._transactions.run_exclusive(job)
                else:
                    self._transactions.commit(list(alike))
            with suppress(RuntimeError):  # the loop was closed, and its callers with it
                jobs[0].future.get_loop().call_soon_threadsafe(self._settle_from_thread, jobs, len(groups))

    def _end(self) -> None:
        self._ended = True

    def _take_groups(self) -> Iterator[list[Job]]:
        """Wait for a group, then yield it and all others that have arrived."""
        yield self._groups.get()
        with suppress(Empty):
            while True:
                yield self._groups.get_nowait()


def _settle(jobs: list[Job]) -> None:
    for job in jobs:
        job.settle()
