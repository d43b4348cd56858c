"""Threads for calls that block, and may hang: each kind of call has threads of its own.

1. A call that hangs takes one thread of its kind, and nothing from other kinds.
2. No thread keeps the process alive: the interpreter and asyncio wait for those of their own executors, for ever.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads(Executor):
    """At most `most` threads, started when they are needed."""

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0

    async def run(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call in a thread; one that has begun goes on when its caller is cancelled.

        Raises:
            RuntimeError: the system has no thread left.
        """
        return await asyncio.wrap_future(self.submit(call, *args, **kwargs))

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Make a call in a thread, as documented for `concurrent.futures.Executor`."""
        future: Future[T] = Future()
        if not self._idle.acquire(blocking=False) and self._started < self._most:
            self._start()
        self._jobs.put(partial(_make, partial(call, *args, **kwargs), future))
        return future

    def _start(self) -> None:
        try:
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()
        except RuntimeError:
            if not self._started:
                raise
        else:
            self._started += 1

    def _serve(self) -> None:
        job = self._jobs.get()
        while True:
            job()
            try:
                job = self._jobs.get_nowait()
            except Empty:
                self._idle.release()
                job = self._jobs.get()


def _make(call: Callable[[], T], future: Future[T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - it belongs to the caller
        future.set_exception(error)


LOOKUPS = Threads("look-ups", 4)  # of programs and folders, which may be on a mount that is dead
