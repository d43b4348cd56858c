"""End the process when its time is up, whatever holds it up: a blocked event loop, a thread that hangs, a lock.

1. A thread counts, and needs nothing of the event loop; nothing that the process waits for at its end keeps it waiting.
2. The earliest order stands, until the watchdog is closed.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

STDERR = 2
NOT_ENDED = "pyanamo: the worker did not end in time, and is ended now\n"


class Watchdog:
    """Ends the process with `exit_now`, which must not return, once an order has come and its time is up."""

    def __init__(self, exit_now: Callable[[int], object] = os._exit) -> None:
        """Start the thread."""
        self._exit_now = exit_now
        self._orders: SimpleQueue[tuple[float, int] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def exit_within(self, seconds: float, status: int) -> None:
        """Exit with this status in so many seconds, if the process has not ended by then.

        A signal handler may call this: it takes no lock that the interrupted code may hold.
        """
        self._orders.put((time.monotonic() + seconds, status))

    def close(self) -> None:
        """Exit no more: what might be stuck has ended."""
        self._orders.put(None)
        self._thread.join()

    def _run(self) -> None:
        deadline, status = float("inf"), 0
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                order = self._orders.get(timeout=None if left_s == float("inf") else left_s)
            except Empty:
                break
            if order is None:
                return
            deadline, status = min((deadline, status), order)
        say_now(NOT_ENDED)
        self._exit_now(status)


def say_now(line: str) -> None:
    """Write to stderr, unless that would have to wait."""
    poll = select.poll()
    poll.register(STDERR, select.POLLOUT)
    if any(events & select.POLLOUT for _, events in poll.poll(0)):
        try:
            os.write(STDERR, line.encode())
        except OSError:
            return
