"""Pause claiming on a machine that cannot start scripts: ever longer, and not for ever."""

from __future__ import annotations

from pyanamo_async.host.waiting import elapsed
from pyanamo_async.ports import Clock
from pyanamo_async.worker.stop import Stop

FIRST_S, LONGEST_S = 0.25, 15.0
MOST = 10  # without a script started: about two minutes


class LaunchBackoff:
    """Counts the pauses since a script was started."""

    def __init__(self, clock: Clock, stop: Stop) -> None:
        self._clock = clock
        self._stop = stop
        self._pauses = 0
        self._until_s = 0.0

    def begin(self) -> bool:
        """Begin a pause unless one is under way; return False when that has gone on for too long."""
        now = self._clock.monotonic()
        if now >= self._until_s:
            self._pauses += 1
            self._until_s = now + min(FIRST_S * 2**self._pauses, LONGEST_S)
        return self._pauses <= MOST

    def reset(self) -> None:
        """Note that this machine starts scripts."""
        self._pauses = 0

    async def wait(self) -> None:
        """Wait for the end of the pause, if there is one, or until told to stop."""
        left_s = self._until_s - self._clock.monotonic()
        if left_s > 0:
            await elapsed(self._stop.drain, left_s)
