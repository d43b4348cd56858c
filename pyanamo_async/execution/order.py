"""One start on its way through a thread, and what may be done about it meanwhile.

Whatever the thread and the loop could decide at the same time is decided under a lock.
"""

from __future__ import annotations

import asyncio
import threading
import time

from pyanamo_async.execution.posix import Start
from pyanamo_async.execution.spawn import Child
from pyanamo_async.execution.unborn import kill_unborn


class Order:
    """A start that somebody waits for; afterwards it has a `pid` or an `error`."""

    __slots__ = (
        "_begun",
        "_is_left",
        "_is_through",
        "_lock",
        "_since_s",
        "_start",
        "error",
        "gave_place",
        "pid",
        "waiter",
    )

    def __init__(self, start: Start, waiter: asyncio.Future[None]) -> None:
        self.pid = 0
        self.error: OSError | None = None
        self.waiter = waiter
        self.gave_place = False
        self._start = start
        self._begun: int | None = 0  # by which thread; 0: by none yet, None: nor ever will
        self._since_s = 0.0
        self._is_through = self._is_left = False
        self._lock = threading.Lock()

    # --- in its thread ---------------------------------------------------------------------------------------------

    def begin(self, thread: int) -> bool:
        """Let a thread (by its native id) begin; False when it was taken back."""
        with self._lock:
            if self._begun is None:
                return False
            self._begun, self._since_s = thread, time.monotonic()
        return True

    def carry_out(self) -> None:
        """Start the process; one that was left is ended, and with it its group."""
        try:
            self.pid = self._start.now()
        except OSError as error:
            self.error = error
        with self._lock:
            self._is_through = True
        if self._is_left and self.pid:
            child = Child(self.pid, leads_group=self._start.is_leader)
            child.kill()
            child.reap()

    # --- in the loop -----------------------------------------------------------------------------------------------

    def take_back(self) -> bool:
        """Have no thread begin it; False when one has."""
        with self._lock:
            if self._begun:
                return False
            self._begun = None
        return True

    def hangs(self, seconds: float) -> bool:
        """Tell whether it was begun so long ago and is not through."""
        return bool(self._begun) and not self._is_through and time.monotonic() - self._since_s >= seconds

    def give_place(self) -> bool:
        """Have its thread end with it; False when it is through, and the thread goes on."""
        with self._lock:
            self.gave_place = not self._is_through
        return self.gave_place

    def kill(self) -> bool:
        """Kill its process where that is not its program yet; False when it could not be found."""
        with self._lock:  # while it is held the thread can neither be through nor begin another
            return not self._is_through and bool(self._begun) and kill_unborn(self._begun or 0)

    def leave(self) -> bool:
        """Leave to its thread what becomes of it; False when it is through."""
        with self._lock:
            self._is_left = not self._is_through
        return self._is_left
