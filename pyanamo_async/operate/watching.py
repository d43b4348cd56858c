"""Look at a table: how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pyanamo_async.core.items import Counts
from pyanamo_async.core.progress import items_per_second, time_left
from pyanamo_async.ports import Store


@dataclass(frozen=True, slots=True)
class Status:
    """How far a table is; `time_left` is None when nothing is known or nothing is left."""

    table: str
    counts: Counts
    workers: int
    items_per_second: float
    time_left: timedelta | None


async def look(store: Store, table: str, *, now: datetime) -> Status:
    """Count items, tasks and living workers."""
    counts = await store.counts()
    living = [worker for worker in await store.workers() if not worker.gone and not worker.is_stale(now)]
    rate = items_per_second(living)
    return Status(table, counts, len(living), rate, time_left(counts, rate))
