"""Look at a table: how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pyanamo_async.core.items import Counts
from pyanamo_async.core.progress import items_per_second, time_left
from pyanamo_async.fleet.membership import ProcessProbe, living
from pyanamo_async.ports import Store


@dataclass(frozen=True, slots=True)
class Status:
    """How far a table is; `time_left` is None when nothing is known or nothing is left."""

    table: str
    counts: Counts
    workers: int
    items_per_second: float
    time_left: timedelta | None


async def look(store: Store, table: str, *, now: datetime, process_status: ProcessProbe) -> Status:
    """Count items, tasks and living workers."""
    counts = await store.counts()
    workers = await living(store, now=now, process_status=process_status)
    rate = items_per_second(workers)
    return Status(table, counts, len(workers), rate, time_left(counts, rate))
