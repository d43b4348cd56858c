"""Run SQL, and commit in groups: brief work on the loop while that is quick, all other work in a thread.

Work that is ready together travels in one transaction: a group is what one turn of the loop asked for, and in the
thread also whatever gathered while the previous one was under way. So a lone piece of work goes at once, and a crowd
shares one commit.

A claim or a save takes 0.1 ms, commit and all, without a wait for the disk. Handing it to a thread costs more: both
want the lock of Python, which SQLite lets go of and takes back at each step, and a worker with short scripts got a
fifth less done. What may take longer is kept off the loop: whatever is not brief or waits for another process,
checkpoints, and for a while everything, when work on the loop turns out slow.

Laws: a caller hears of its work only after the commit; work fails for its own caller alone; a caller that was cancelled
disturbs nobody; the thread keeps no process alive, and an unfinished transaction of a process that ends never was.
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
from pyanamo_async.store.sqlite.pace import Pace
from pyanamo_async.store.sqlite.transactions import Job, Kind, Transactions

MOST_ON_LOOP = 16  # pieces of work in a group; more are worth a thread's while

T = TypeVar("T")


class Engine:
    """The one connection through which a store reaches its file; its users share one loop."""

    def __init__(self, path: Path, open_: Callable[[], sqlite3.Connection]) -> None:
        """Lay it ready; what `open_` connects must be fit to be used in any thread."""
        self._path = path
        self._transactions = Transactions(path, open_)
        self._gathered: list[Job] = []
        self._jobs: SimpleQueue[list[Job]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._in_thread = 0
        self._pace = Pace()
        self._closed = self._ended = False

    async def read(self, work: Callable[[sqlite3.Connection], T], *, brief: bool = False) -> T:
        """Do work that only reads."""
        return await self._submit(Kind.READ, work, brief=brief)

    async def write(self, work: Callable[[sqlite3.Connection], T], *, brief: bool = False) -> T:
        """Do work that may write; returns after the commit."""
        return await self._submit(Kind.WRITE, work, brief=brief)

    async def alone(self, work: Callable[[], T]) -> T:
        """Do work on the file itself, while no connection of this engine is open."""
        return await self._submit(Kind.ALONE, work)

    async def close(self) -> None:
        """Finish what was submitted, then let go of file and thread; harmless when repeated."""
        if not self._closed:
            self._closed = True
            if self._thread is not None or self._gathered:  # without a thread there is no connection either
                await self._put(Job(Kind.ALONE, self._end, asyncio.get_running_loop().create_future()))
            if self._thread is not None:
                self._thread.join()

    async def _submit(self, kind: Kind, work: Callable[..., T], *, brief: bool = False) -> T:
        if self._closed:
            raise StoreError(f"the table {self._path} was closed")
        try:
            result: T = await self._put(Job(kind, work, asyncio.get_running_loop().create_future(), brief))
        except (sqlite3.Error, OSError, UnicodeEncodeError) as error:
            raise explained(error, self._path) from error
        return result

    def _put(self, job: Job) -> asyncio.Future[T]:
        self._gathered.append(job)
        if len(self._gathered) == 1:
            job.future.get_loop().call_soon(self._see_to_them)
        return job.future

    def _see_to_them(self) -> None:
        """Do, or give the thread, what one turn of the loop asked for."""
        jobs, self._gathered = self._gathered, []
        if self._may_be_done_here(jobs) and self._do_here(jobs):
            _settle(jobs)
            return
        try:
            self._have_thread()
        except RuntimeError as error:  # none can be started; whoever waits must hear of it
            for job in jobs:
                job.error = OSError(errno.EAGAIN, str(error))
            _settle(jobs)
            return
        self._in_thread += 1
        self._jobs.put(jobs)

    def _have_thread(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._serve, name=f"sqlite {self._path.name}", daemon=True)
            thread.start()
            self._thread = thread

    def _may_be_done_here(self, jobs: list[Job]) -> bool:
        is_free = not self._in_thread and self._transactions.is_connected
        return is_free and len(jobs) <= MOST_ON_LOOP and all(job.is_brief for job in jobs) and self._pace.allows()

    def _do_here(self, jobs: list[Job]) -> bool:
        began = time.monotonic()
        was_done = self._transactions.commit_at_once(jobs)
        self._pace.took(time.monotonic() - began)
        return was_done

    def _settle_handed_over(self, jobs: list[Job], groups: int) -> None:
        self._in_thread -= groups
        _settle(jobs)

    # --- in the thread ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._ended:
            groups = list(self._gather())
            jobs = [job for group in groups for job in group]
            for is_alone, alike in groupby(jobs, key=lambda job: job.is_alone):
                if is_alone:
                    for job in alike:
                        self._transactions.do_alone(job)
                else:
                    self._transactions.commit(list(alike))
            with suppress(RuntimeError):  # the loop was closed: nobody is there to hear
                jobs[0].future.get_loop().call_soon_threadsafe(self._settle_handed_over, jobs, len(groups))

    def _end(self) -> None:
        self._ended = True

    def _gather(self) -> Iterator[list[Job]]:
        """Wait for jobs, and take what came besides."""
        yield self._jobs.get()
        with suppress(Empty):
            while True:
                yield self._jobs.get_nowait()


def _settle(jobs: list[Job]) -> None:
    for job in jobs:
        job.settle()
