"""Threads that start processes, so that the loop does not stand still while the kernel makes them.

Laws: no more threads than there are starts under way, and few; none keeps the worker alive. A start that was handed
over cannot be taken back: whoever is cancelled meanwhile hears of it when it is through, and then has a process to end.
Where no thread may be started, one that runs does; without any, nothing is handed over, and that is an error of fork.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from contextlib import suppress
from queue import SimpleQueue

from pyanamo_async.execution.posix import Start

MOST_THREADS = 2  # measured on two processors: a third gains nothing


class _Order:
    __slots__ = ("error", "is_over", "pid", "start", "waiter")

    def __init__(self, start: Start) -> None:
        self.start = start
        self.pid = 0
        self.error: OSError | None = None
        self.is_over = False
        self.waiter: asyncio.Future[None] | None = None

    def fill(self) -> None:
        try:
            self.pid = self.start.now()
        except OSError as error:
            self.error = error

    def deliver(self) -> None:
        self.is_over = True
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Starters:
    """The threads of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._under_way = 0

    async def start(self, start: Start) -> tuple[int, asyncio.CancelledError | None]:
        """Start a process; returns its id, and the cancellation that came meanwhile: it is the caller's to raise.

        Raises:
            OSError: it could not be started.
        """
        order, cancelled = _Order(start), None
        self._put(order)
        while not order.is_over:
            order.waiter = self._loop.create_future()
            try:
                await order.waiter
            except asyncio.CancelledError as request:
                cancelled = request
        self._under_way -= 1
        if order.error is not None:
            raise cancelled or order.error
        return order.pid, cancelled

    def close(self) -> None:
        """Let go of the threads; harmless when repeated."""
        for _ in self._threads:
            self._orders.put(None)
        self._threads.clear()

    def _put(self, order: _Order) -> None:
        if self._under_way >= len(self._threads) < MOST_THREADS:
            self._add_thread()
        self._under_way += 1
        self._orders.put(order)

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._serve, name="starter", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # which is how Python says EAGAIN
            if not self._threads:
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
        else:
            self._threads.append(thread)

    # --- in a thread -----------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while order := self._orders.get():
            order.fill()
            with suppress(RuntimeError):  # the loop was closed: nobody is there to hear
                self._loop.call_soon_threadsafe(order.deliver)
