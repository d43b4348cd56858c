"""When work on a file may be done on the loop.

Laws: a file that is not quick holds the loop up for at most a hundredth of its time. SQLite's checkpoints, which wait
for the disk (https://www.sqlite.org/wal.html#ckpt), find a group beside the loop soon.
"""

from __future__ import annotations

import time
from collections.abc import Callable

ROUND = 64  # groups
FOR_CHECKPOINTS = 2  # of each round: one that brings the log into the file, and one that begins the log anew
QUICK_S = 0.002  # of a group on the loop, on average
WEIGHT = 1 / 8  # of the latest in that
RESTS = 100  # times as long as a group took that was not quick


class Pace:
    """What is known of the pace of a file."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._groups = 0
        self._usual_s = 0.0
        self._rests_until_s = 0.0

    def allows(self) -> bool:
        """Tell whether the next group may be done on the loop; to be asked once for each."""
        self._groups += 1
        return self._groups % ROUND >= FOR_CHECKPOINTS and self._now_s() >= self._rests_until_s

    def took(self, seconds: float) -> None:
        """Learn how long one took there."""
        self._usual_s += WEIGHT * (seconds - self._usual_s)
        if self._usual_s > QUICK_S:
            self._usual_s = 0.0
            self._rests_until_s = self._now_s() + RESTS * seconds
