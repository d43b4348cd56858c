"""Keep a worker within its wall time: start nothing that is not expected to fit.

As in the original, the expectation is a running average of recent durations. One standard deviation is added, so that
durations that scatter are not cut off half of the time; tasks of nested items are what is timed, because their progress
is kept one by one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import fmean, pstdev

RECENT = 20


@dataclass(slots=True)
class WallTimeBudget:
    """Knows how long tasks take and how much time is left; all times are seconds since the worker started.

    `budget_s` None means no limit. `reserve_s` at the end is kept for ending scripts and writing down what happened.
    `min_remaining_s` is the least that must remain for anything to start.
    """

    budget_s: float | None = None
    reserve_s: float = 0.0
    min_remaining_s: float = 0.0
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def observe(self, seconds: float) -> None:
        """Take note of how long a task took that ran to its own end."""
        self._recent.append(seconds)

    def fits(self, elapsed_s: float) -> bool:
        """Tell whether a task started now is expected to end in time."""
        if self.budget_s is None:
            return True
        return elapsed_s + max(self.expected_s, self.min_remaining_s) < self.deadline_s

    @property
    def expected_s(self) -> float:
        """Estimate the duration of the next task; zero while nothing is known."""
        if not self._recent:
            return 0.0
        return fmean(self._recent) + pstdev(self._recent)

    @property
    def deadline_s(self) -> float:
        """Tell when what still runs must be ended; infinite without a limit."""
        return float("inf") if self.budget_s is None else self.budget_s - self.reserve_s


def reserve_s(budget_s: float | None, *, kill_after_s: float) -> float:
    """Choose what to keep for ending scripts and settling: TERM, KILL and a few seconds; a tenth of short budgets."""
    return 0.0 if budget_s is None else min(kill_after_s + 5.0, budget_s / 10)
