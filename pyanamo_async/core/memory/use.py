"""What the tasks of a step used of memory, counted in room that does not grow with how many there are.

1. A task counts if it ran for a second or longer, came to its own end, and its peak is known. `status` and reports
   count alike; they differ in which tasks they look at.
2. What tasks asked for, by the column `Memory`, is compared with what those used that asked for it.
3. What their worker had reserved is that of the workers that ran them. Where those are no longer known, it is that of
   the last worker that ran anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from pyanamo_async.core.bins import Histogram, by_magnitude
from pyanamo_async.core.items import Item, TaskRecord
from pyanamo_async.core.memory.budget import USABLE
from pyanamo_async.core.memory.needs import ENOUGH, MARGIN, PERCENTILE
from pyanamo_async.core.outcomes import Interrupted
from pyanamo_async.core.values import Value
from pyanamo_async.core.workers import Worker

SHORTEST_S = 1.0
PER_DECADE = 240  # bins of 1 %
MOST_GROUPS = 100  # different sizes that tasks asked for


class Peaks(Value):
    """The peaks of `tasks` tasks, of which 95 % are at most `typical_bytes`."""

    tasks: int
    typical_bytes: int
    largest_bytes: int

    @property
    def need_bytes(self) -> int:
        """Return what such a task needs."""
        return max(1, round(MARGIN * self.typical_bytes))


class Asked(Value):
    """The peaks of tasks that asked for `least_bytes` to `most_bytes` of memory."""

    least_bytes: int
    most_bytes: int
    used: Peaks


class Reserved(Value):
    """The CPUs of a worker, the memory that its scripts may use together, and how many items run at a time at most."""

    cpus: float
    memory_bytes: int
    items: int


class MemoryUse(Value):
    """What tasks used: all of them, those that asked for memory, and those that did not (None where there are none).

    `groups` are those that asked, by what they asked for, the least first. On average tasks asked for `cpus`, and kept
    `busy_cpus` busy. `reserved` is what a worker that ran them had.
    """

    used: Peaks
    asked: Asked | None = None
    groups: tuple[Asked, ...] = ()
    others: Peaks | None = None
    cpus: float = 1.0
    busy_cpus: float | None = None
    reserved: Reserved | None = None

    @property
    def reserved_bytes(self) -> int | None:
        """Return the memory that a worker had for each item that ran at a time; None if that is unknown."""
        return self.reserved.memory_bytes // self.reserved.items if self.reserved else None


@dataclass(slots=True)
class _PeakCount:
    """Counts peaks in bins of one percent; the largest is known exactly."""

    bins: Histogram = field(default_factory=partial(by_magnitude, PER_DECADE))
    largest_bytes: int = 0

    def add(self, peak_bytes: int) -> None:
        self.bins.add(peak_bytes)
        self.largest_bytes = max(self.largest_bytes, peak_bytes)

    def peaks(self) -> Peaks | None:
        typical = self.bins.quantile(PERCENTILE)
        if typical is None:
            return None
        return Peaks(self.bins.total, min(round(typical), self.largest_bytes), self.largest_bytes)


@dataclass(slots=True)
class MemoryCount:
    """Counts what tasks used."""

    _all: _PeakCount = field(default_factory=_PeakCount)
    _asking: _PeakCount = field(default_factory=_PeakCount)
    _others: _PeakCount = field(default_factory=_PeakCount)
    _groups: dict[int, _PeakCount] = field(default_factory=dict)
    _asked: tuple[int, int] | None = None  # the least and the most
    _workers: Counter[str] = field(default_factory=Counter)
    _cpus: int = 0
    _cpu_seconds: float = 0.0  # of those tasks
    _timed_seconds: float = 0.0  # that took so long

    def add(self, item: Item, record: TaskRecord) -> None:
        """Count a task of an item, if it tells something."""
        peak_bytes = record.max_rss_bytes
        if not peak_bytes or record.seconds < SHORTEST_S or isinstance(record.outcome, Interrupted):
            return
        self._all.add(peak_bytes)
        self._add_asked(item.memory_bytes, peak_bytes)
        self._workers[record.worker] += 1
        self._cpus += item.cpus
        if record.cpu_seconds is not None:
            self._cpu_seconds += record.cpu_seconds
            self._timed_seconds += record.seconds

    def use(self, workers: Iterable[Worker]) -> MemoryUse | None:
        """Return what the tasks used; None if fewer than three were counted. Workers are in order of heartbeat."""
        used = self._all.peaks()
        if used is None or used.tasks < ENOUGH:
            return None
        asking = self._asking.peaks()
        groups = ((asked, count.peaks()) for asked, count in sorted(self._groups.items()))
        return MemoryUse(
            used,
            asked=Asked(*self._asked, asking) if self._asked and asking else None,
            groups=tuple(Asked(asked, asked, peaks) for asked, peaks in groups if peaks),
            others=self._others.peaks(),
            cpus=self._cpus / used.tasks,
            busy_cpus=self._cpu_seconds / self._timed_seconds if self._timed_seconds else None,
            reserved=reserved_by(workers, self._workers),
        )

    def _add_asked(self, asked_bytes: int | None, peak_bytes: int) -> None:
        if asked_bytes is None:
            self._others.add(peak_bytes)
            return
        self._asking.add(peak_bytes)
        least, most = self._asked or (asked_bytes, asked_bytes)
        self._asked = min(least, asked_bytes), max(most, asked_bytes)
        if asked_bytes in self._groups or len(self._groups) < MOST_GROUPS:
            self._groups.setdefault(asked_bytes, _PeakCount()).add(peak_bytes)


def reserved_by(workers: Iterable[Worker], ran: Mapping[str, int]) -> Reserved | None:
    """Return what the workers reserved that ran most of the tasks; `ran` has how many each of them ran.

    Workers are in order of heartbeat. None if no size is known.
    """
    latest = [(each, size) for each in reversed([*workers]) if (size := _size(each))]
    tasks = Counter[Reserved]()
    for each, size in latest:
        if number := ran.get(each.worker_id):
            tasks[size] += number
    if tasks:
        return tasks.most_common(1)[0][0]  # of equals the latest
    return next((size for each, size in latest if each.done or each.running), None)


def _size(worker: Worker) -> Reserved | None:
    its = worker.platform
    usable_bytes = its.budget_bytes or int((its.memory_bytes or 0) * USABLE)
    return Reserved(its.cpus, usable_bytes, worker.slots) if its.cpus and usable_bytes and worker.slots else None
