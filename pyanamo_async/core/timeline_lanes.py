"""Place attempts that ran at the same time on parallel lanes of a timeline, one for each slot of their worker.

Lanes of the queue are in `core.queue_lanes`.
"""

from __future__ import annotations

from heapq import heappop, heappush

ROUNDED_S = 0.002  # records have milliseconds: an end computed from two of them may be after the next beginning


class TimelineLanes:
    """The lanes of one worker; `place` is called in the order in which attempts began."""

    def __init__(self) -> None:
        self.count = 0
        self._busy: list[tuple[float, int]] = []
        self._free: list[int] = []

    def place(self, started: float, ended: float) -> int:
        """Return the lowest lane that is free when an attempt begins, and keep it until the attempt ends."""
        while self._busy and self._busy[0][0] <= started + ROUNDED_S:
            heappush(self._free, heappop(self._busy)[1])
        if self._free:
            lane = heappop(self._free)
        else:
            lane, self.count = self.count, self.count + 1
        heappush(self._busy, (ended, lane))
        return lane
