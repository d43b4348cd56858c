"""Look at a table's progress."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pyanamo_async.core.items import Counts
from pyanamo_async.core.progress import items_per_second, time_left
from pyanamo_async.fleet.membership import ProcessProbe, living
from pyanamo_async.ports import Store


@dataclass(frozen=True, slots=True)
class Status:
    """A table's progress: counts of items and tasks, living workers, and how fast they are.

    `time_left` is None when the pace is unknown, or nothing is left.
    """

    table: str
    counts: Counts
    workers: int
    items_per_second: float
    time_left: timedelta | None


async def status(store: Store, table: str, *, now: datetime, probe: ProcessProbe) -> Status:
    """Count items, tasks and living workers, and estimate the time left."""
    counts = await store.counts()
    workers = await living(store, now=now, process_status=probe)
    rate = items_per_second(workers)
    return Status(table, counts, len(workers), rate, time_left(counts, rate))
