"""Look at a table's progress, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyanamo_async.core.items import Counts, State
from pyanamo_async.core.workers import Worker
from pyanamo_async.fleet.membership import ProcessProbe, living
from pyanamo_async.ports import Store

SETTLED = (State.DONE, State.FAILED)


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


def items_per_second(workers: Iterable[Worker]) -> float:
    """Return the sum of the workers' rates, each from its start to its last heartbeat."""
    return sum(_rate(worker) for worker in workers)


def time_left(counts: Counts, rate: float) -> timedelta | None:
    """Return how long the remaining items take at `rate` items per second; None if nothing is known or left."""
    left = counts.total - sum(counts.items.get(state, 0) for state in SETTLED)
    return timedelta(seconds=left / rate) if rate and left else None


def _rate(worker: Worker) -> float:
    seconds = (worker.heartbeat - worker.started).total_seconds()
    return worker.done / seconds if seconds > 0 else 0.0
