"""How much memory, and how many CPUs, items need while they run.

1. What an item is known to need outranks what others needed: its column `Memory`, and what it had reached when it was
   ended because memory ran short.
2. Tasks whose need is unknown get room together: what as many recent tasks in a row used together at most, in 95 % of
   the rows, and a tenth more. So room for a few large ones among many small ones is kept once, not once for each task.
3. The need of a task that uses more than the average is no longer unknown. It counts as the median of the recent peaks
   above what it has reached, or as twice what it has reached where there is none.
4. Before any peaks are known, each task gets an equal share of the budget, so that nothing is overcommitted.
5. An item that declares its need teaches nothing about those that do not.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import accumulate, islice
from operator import sub

from pyanamo_async.core.items import Item
from pyanamo_async.core.values import Value

RECENT = 200  # peaks
ENOUGH = 3  # peaks, to go by them
PERCENTILE, MARGIN = 0.95, 1.1


class Need(Value):
    """What items take of a worker: known memory, CPUs, and room for `unknown` tasks whose memory is not known."""

    memory_bytes: int = 0
    cpus: int = 1
    unknown: int = 0

    def __add__(self, other: Need) -> Need:
        """Return what both take together."""
        return Need(self.memory_bytes + other.memory_bytes, self.cpus + other.cpus, self.unknown + other.unknown)

    def __sub__(self, other: Need) -> Need:
        """Return what is left without the other."""
        return Need(self.memory_bytes - other.memory_bytes, self.cpus - other.cpus, self.unknown - other.unknown)

    def __mul__(self, times: int) -> Need:
        """Return what this many such items take."""
        return Need(self.memory_bytes * times, self.cpus * times, self.unknown * times)


NOTHING = Need(cpus=0)


@dataclass(slots=True)
class PeakHistory:
    """The recent peaks of tasks that did not declare what they need; until some are known, each gets `share_bytes`."""

    share_bytes: int = 0
    _recent: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))
    _sorted: list[int] = field(default_factory=list)
    _total: int = 0
    _together: dict[int, int] = field(default_factory=dict)  # by number of tasks, since the last peak

    def observe(self, peak_bytes: int) -> None:
        """Add the peak of a task that has ended."""
        if len(self._recent) == RECENT:
            oldest = self._recent.popleft()
            self._total -= oldest
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._recent.append(peak_bytes)
        self._total += peak_bytes
        insort(self._sorted, peak_bytes)
        self._together.clear()

    @property
    def is_enough(self) -> bool:
        """Return whether there are enough peaks to go by."""
        return len(self._recent) >= ENOUGH

    @property
    def usual_bytes(self) -> int:
        """Return what a task of unknown need may use until it counts by itself: the average, and a tenth more."""
        return round(MARGIN * self._total / len(self._recent)) if self.is_enough else self.share_bytes

    def fits(self, need: Need, budget_bytes: int) -> bool:
        """Return whether a need fits into a budget of memory."""
        left = budget_bytes - need.memory_bytes
        most = MARGIN * self._sorted[-1] if self.is_enough else self.share_bytes
        return need.unknown * most <= left or self.together_bytes(need.unknown) <= left

    def expected_bytes(self, need: Need) -> int:
        """Return how much memory is expected to be needed, with that of unknown tasks."""
        return need.memory_bytes + self.together_bytes(need.unknown)

    def together_bytes(self, tasks: int) -> int:
        """Return what this many tasks of unknown need are expected to need together."""
        if not self.is_enough:
            return tasks * self.share_bytes
        if tasks not in self._together:
            self._together[tasks] = round(MARGIN * self._in_a_row(tasks))
        return self._together[tasks]

    def likely_bytes(self, reached_bytes: int) -> int:
        """Return what a task is likely to need that has reached so much: the median of larger peaks, or twice that."""
        above = bisect_right(self._sorted, reached_bytes)
        return self._sorted[(above + len(self._sorted)) // 2] if above < len(self._sorted) else 2 * reached_bytes

    def _in_a_row(self, tasks: int) -> int:
        """Return what this many tasks in a row used together, in 95 % of the rows; the oldest follows the latest."""
        rounds, rest = divmod(tasks, len(self._recent))
        ends = [*accumulate((*self._recent, *islice(self._recent, rest)), initial=0)]
        rows = [*map(sub, islice(ends, rest, None), ends)][: len(self._recent)]
        return rounds * self._total + quantile(rows, PERCENTILE)


def quantile(sizes: Collection[int], share: float) -> int:
    """Return the least of the sizes that at least this share of them does not exceed."""
    return sorted(sizes)[math.ceil(share * len(sizes)) - 1]


def tasks_at_once(item: Item, nests: int) -> int:
    """Return how many of an item's tasks run at a time, if at most `nests` may."""
    return max(1, min(nests, len(item.todo)))


def known_need_bytes(item: Item) -> int:
    """Return what a task of an item is known to need; 0 when nothing is known."""
    return max(item.memory_bytes or 0, item.memory_need_bytes)


def need_of(item: Item, peaks: PeakHistory, *, nests: int) -> Need:
    """Return what an item needs if at most `nests` of its tasks run at a time, given the `peaks` of others."""
    at_once = tasks_at_once(item, nests)
    cpus, known_bytes = at_once * item.cpus, known_need_bytes(item)
    if not known_bytes:
        return Need(0, cpus, at_once)
    if item.memory_bytes is None and not item.oom_kills:  # it was ended on the way to its peak
        known_bytes = peaks.likely_bytes(known_bytes)
    return Need(at_once * known_bytes, cpus)
