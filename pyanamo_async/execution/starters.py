"""Threads that start processes, so that the loop does not stand still while the kernel makes them.

A start hangs, and its thread with it, while the folder of its program is away: on a network that is down, say.

Laws: no more threads at work than there are starts under way, and few; none keeps the worker alive. Starts that
hang hold others up for a second or two, unless as many hang as may. Whoever is cancelled takes back what no thread has
begun. What one has begun is killed if it is not its program yet, and waited for: the caller has a process to end. Only
where not even KILL ends it, the thread is left to wait alone, and nothing of the script will run. Where no thread may
be started, one that runs does; without any, nothing is handed over, and that is an error of fork.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from contextlib import suppress
from queue import SimpleQueue

from pyanamo_async.execution.order import Order
from pyanamo_async.execution.posix import Start

MOST_THREADS = 2  # measured on two processors: a third gains nothing
MOST_HANGING = 30  # each has a thread of its own
HANGS_AFTER_S = 1.0
DIES_WITHIN_S = 1.0  # after KILL, unless it waits for what nothing interrupts
LOOK_AGAIN_S, LOOK_AT_LEAST_S = 0.01, 1.0  # for a process to kill: at first, and later


class Starters:
    """The threads of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._under_way: set[Order] = set()
        self._hanging: set[Order] = set()  # those of them that gave their place to others
        self._threads = 0  # but for theirs
        self._looking: asyncio.TimerHandle | None = None

    async def start(self, start: Start) -> tuple[int, asyncio.CancelledError | None]:
        """Start a process; returns its id, and the cancellation that came meanwhile: it is the caller's to raise.

        Raises:
            OSError: it could not be started.
            CancelledError: whoever asked was cancelled, and has no process to end.
        """
        order, cancelled = Order(start, self._loop.create_future()), None
        self._put(order)
        try:
            await order.waiter
        except asyncio.CancelledError as request:
            if not await self._came_through(order):
                raise
            cancelled = request
        if order.error is not None:
            raise cancelled or order.error
        return order.pid, cancelled

    def close(self) -> None:
        """Let go of the threads; harmless when repeated."""
        for _ in range(self._threads):
            self._orders.put(None)
        self._threads = 0
        if self._looking is not None:
            self._looking.cancel()

    async def _came_through(self, order: Order) -> bool:
        """End what nobody wants any more, however often that is said; False when it is none of the caller's now."""
        if order.take_back():
            self._under_way.discard(order)
            return False
        look_again_s, leave_s = LOOK_AGAIN_S, float("inf")
        while order in self._under_way:
            if order.kill():
                leave_s = min(leave_s, self._loop.time() + DIES_WITHIN_S)
            if self._loop.time() >= leave_s and order.leave():
                return False
            order.waiter = self._loop.create_future()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([order.waiter], timeout=look_again_s)
            look_again_s = min(2 * look_again_s, LOOK_AT_LEAST_S)
        return True

    def _put(self, order: Order) -> None:
        at_work = len(self._under_way) - len(self._hanging)
        if at_work >= self._threads < MOST_THREADS and not self._add_thread() and not self._threads:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self._under_way.add(order)
        self._orders.put(order)
        if self._looking is None:
            self._looking = self._loop.call_later(HANGS_AFTER_S, self._look)

    def _look(self) -> None:
        """Let others have the places of those that hang."""
        for order in [order for order in self._under_way - self._hanging if order.hangs(HANGS_AFTER_S)]:
            if self._orders.empty() or len(self._hanging) >= MOST_HANGING or not self._add_thread():
                break
            if order.give_place():
                self._hanging.add(order)
            else:
                self._orders.put(None)
            self._threads -= 1
        self._looking = self._loop.call_later(HANGS_AFTER_S, self._look) if self._under_way else None

    def _add_thread(self) -> bool:
        thread = threading.Thread(target=self._serve, name="starter", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # which is how Python says EAGAIN
            return False
        self._threads += 1
        return True

    def _over(self, order: Order) -> None:
        self._under_way.discard(order)
        self._hanging.discard(order)
        if not order.waiter.done():
            order.waiter.set_result(None)

    # --- in a thread -----------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        me = threading.get_native_id()
        while order := self._orders.get():
            if order.begin(me):
                order.carry_out()
                with suppress(RuntimeError):  # the loop was closed: nobody is there to hear
                    self._loop.call_soon_threadsafe(self._over, order)
            if order.gave_place:
                return
