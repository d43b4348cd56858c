"""Decide when work on a file may run on the event loop.

1. A slow file holds the loop up for at most a hundredth of the time.
2. Two groups of every 64 go to the thread, whatever the speed: checkpoints, which wait for the disk, happen there
   (https://www.sqlite.org/wal.html#ckpt).
"""

from __future__ import annotations

import time
from collections.abc import Callable

ROUND = 64  # groups
CHECKPOINT_GROUPS = 2  # of each round: one copies the log into the file, and one starts the log anew
FAST_S = 0.002  # the average of groups on the loop
WEIGHT = 1 / 8  # of the latest group in the moving average
PAUSE_FACTOR = 100  # after a slow group the loop is left alone for so many times its duration


class LoopBudget:
    """The recent speed of a file, and when the loop may work on it again."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._groups = 0
        self._average_s = 0.0
        self._paused_until_s = 0.0

    def allows(self) -> bool:
        """Return whether the next group may run on the loop; call it once for each group."""
        self._groups += 1
        return self._groups % ROUND >= CHECKPOINT_GROUPS and self._monotonic() >= self._paused_until_s

    def record(self, seconds: float) -> None:
        """Record how long a group took on the loop."""
        self._average_s += WEIGHT * (seconds - self._average_s)
        if self._average_s > FAST_S:
            self._average_s = 0.0
            self._paused_until_s = self._monotonic() + PAUSE_FACTOR * seconds
