"""Keep a worker within its wall time.

1. A task starts only if it is expected to end in time. As in the original, the expectation is a running average of
   recent durations; one standard deviation is added, so that tasks whose durations vary are not cut off half of the
   time.
2. Tasks are timed, not items: each task of a nested item keeps its own progress.
3. A reserve at the end is kept for ending scripts and settling their claims.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import fmean, pstdev

RECENT = 20  # durations in the running average


@dataclass(slots=True)
class WallTimeBudget:
    """The time a worker has, and what tasks are expected to need of it; `began_s` and `now_s` are of a monotonic clock.

    `budget_s` is the wall time; None means no limit. `reserve_s` of it is kept for ending scripts and settling.
    `min_remaining_s` is the least that must remain for a task to start.
    """

    budget_s: float | None = None
    reserve_s: float = 0.0
    min_remaining_s: float = 0.0
    began_s: float = 0.0
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def observe(self, seconds: float) -> None:
        """Add the duration of a task that ran to its own end."""
        self._recent.append(seconds)

    def fits(self, now_s: float) -> bool:
        """Return whether a task that starts now is expected to end in time."""
        left_s = self.left_s(now_s)
        return left_s is None or max(self.expected_s, self.min_remaining_s) < left_s

    @property
    def expected_s(self) -> float:
        """Return the expected duration of the next task; zero before any has ended."""
        if not self._recent:
            return 0.0
        return fmean(self._recent) + pstdev(self._recent)

    def left_s(self, now_s: float) -> float | None:
        """Return in how many seconds scripts that still run must be ended; None without a limit."""
        return None if self.budget_s is None else max(0.0, self.began_s + self.budget_s - self.reserve_s - now_s)


def reserve_s(budget_s: float | None, *, kill_after_s: float) -> float:
    """Return the reserve of a budget: time for TERM, KILL and a few seconds to settle, but at most a tenth of it."""
    return 0.0 if budget_s is None else min(kill_after_s + 5.0, budget_s / 10)
