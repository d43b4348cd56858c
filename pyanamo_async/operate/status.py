"""Look at a table's progress: how far a step is, how fast it moves, and how long it will still take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from pyanamo_async.core.items import Counts, State
from pyanamo_async.core.workers import Worker
from pyanamo_async.fleet.membership import WorkerStatus, living
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


async def status(store: Store, table: str, workers: Iterable[WorkerStatus]) -> Status:
    """Count items, tasks and living workers, and estimate the time left."""
    counts, alive = await store.counts(), living(workers)
    left = counts.total - counts.items.get(State.DONE, 0) - counts.items.get(State.FAILED, 0)
    rate = sum(map(_items_per_second, alive))
    return Status(table, counts, len(alive), rate, timedelta(seconds=left / rate) if rate and left else None)


def _items_per_second(worker: Worker) -> float:
    """Return a worker's rate from its start to its last heartbeat."""
    seconds = (worker.heartbeat - worker.started).total_seconds()
    return worker.done / seconds if seconds > 0 else 0.0
