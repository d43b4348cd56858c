"""Threads that start processes, so that the event loop goes on while the kernel makes them.

A start hangs, and its thread with it, while the shell is on a dead mount.

1. There are at most two threads, and not more than starts at the same time, unless starts hang. A start that hangs for
   a second gets a replacement thread for those behind it, up to 30 times.
2. A cancelled start returns within about a second. If no thread has begun it, nothing is started. Otherwise the thread
   kills the process, with its group, as soon as it appears. A start that hangs on is abandoned: nobody waits for it.
3. No thread keeps the worker alive. Processes of abandoned starts that appear after its end are left to the guard.
4. Where no thread can be started, a running one does the work; without any, the start fails like a fork.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from contextlib import suppress
from queue import SimpleQueue

from pyanamo_async.execution.group import kill_child
from pyanamo_async.execution.posix_spawn import PreparedSpawn

MAX_THREADS = 2  # measured on two processors: a third gains nothing
MAX_REPLACEMENTS = 30
HANGS_AFTER_S = 1.0
ABANDONED_AFTER_S = 1.0


class SpawnPool:
    """The threads of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: SimpleQueue[SpawnRequest | None] = SimpleQueue()
        self._unfinished: set[SpawnRequest] = set()
        self._hanging: set[SpawnRequest] = set()  # those whose threads have replacements
        self._abandoned: set[SpawnRequest] = set()
        self._threads = 0
        self._check: asyncio.TimerHandle | None = None

    async def spawn(self, prepared: PreparedSpawn) -> int:
        """Start a process and return its id.

        Raises:
            OSError: it could not be started.
        """
        request = SpawnRequest(prepared, self._loop.create_future())
        self._submit(request)
        try:
            await asyncio.shield(request.finished)
        except asyncio.CancelledError:
            await self._give_up(request)
            raise
        if request.error is not None:
            raise request.error
        return request.pid

    def abandoned(self) -> int:
        """Count the cancelled starts whose process may still appear."""
        return len(self._abandoned)

    def close(self) -> None:
        """Let the threads end; harmless when repeated."""
        for _ in range(self._threads):
            self._queue.put(None)
        self._threads = 0
        if self._check is not None:
            self._check.cancel()

    async def _give_up(self, request: SpawnRequest) -> None:
        if not request.give_up():
            self._unfinished.discard(request)
        elif not request.finished.done():
            self._abandoned.add(request)
            await asyncio.wait([request.finished], timeout=ABANDONED_AFTER_S)

    def _submit(self, request: SpawnRequest) -> None:
        busy, serving = len(self._unfinished) - len(self._hanging), self._threads - len(self._hanging)
        if busy >= serving < MAX_THREADS and not self._add_thread() and not serving:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self._unfinished.add(request)
        self._queue.put(request)
        if self._check is None:
            self._check = self._loop.call_later(HANGS_AFTER_S, self._replace_hanging_threads)

    def _replace_hanging_threads(self) -> None:
        for request in self._unfinished - self._hanging:
            if self._queue.empty() or len(self._hanging) >= MAX_REPLACEMENTS:
                break
            if request.has_hung_for(HANGS_AFTER_S) and self._add_thread():
                self._hanging.add(request)
        self._check = None
        if self._unfinished:
            self._check = self._loop.call_later(HANGS_AFTER_S, self._replace_hanging_threads)

    def _add_thread(self) -> bool:
        thread = threading.Thread(target=self._serve, name="spawn", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # how Python reports EAGAIN
            return False
        self._threads += 1
        return True

    def _serve(self) -> None:
        while request := self._queue.get():
            request.run()
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._finish, request)

    def _finish(self, request: SpawnRequest) -> None:
        if request in self._hanging and self._threads:
            self._queue.put(None)  # one thread less: whichever is free next
            self._threads -= 1
        for requests in (self._unfinished, self._hanging, self._abandoned):
            requests.discard(request)
        if not request.finished.done():
            request.finished.set_result(None)


class SpawnRequest:
    """One start on its way through a thread; when `finished`, it has a `pid` or an `error`."""

    __slots__ = ("_begun_s", "_given_up", "_lock", "_prepared", "error", "finished", "pid")

    def __init__(self, prepared: PreparedSpawn, finished: asyncio.Future[None]) -> None:
        self.pid = 0
        self.error: OSError | None = None
        self.finished = finished
        self._prepared = prepared
        self._begun_s = 0.0
        self._given_up = False
        self._lock = threading.Lock()

    def has_hung_for(self, seconds: float) -> bool:
        """Return whether a thread has been at it for so long."""
        return 0.0 < self._begun_s <= time.monotonic() - seconds and not self.pid and self.error is None

    def give_up(self) -> bool:
        """Have the process killed, or not started at all; False when no thread has begun, which none will then."""
        with self._lock:
            self._given_up = True
        if self.pid:
            kill_child(self.pid)
        return self._begun_s > 0.0

    def run(self) -> None:
        """Start the process, in a thread; kill it if nobody wants it any more."""
        try:
            if self._begin():
                pid = self._prepared.spawn()
                if not self._deliver(pid):
                    kill_child(pid)
        except OSError as error:
            self.error = error

    def _begin(self) -> bool:
        with self._lock:  # once a start is given up, its descriptors may be somebody else's
            if not self._given_up:
                self._prepared.copy_outputs()
                self._begun_s = time.monotonic()
            return not self._given_up

    def _deliver(self, pid: int) -> bool:
        with self._lock:
            if not self._given_up:
                self.pid = pid
            return not self._given_up
