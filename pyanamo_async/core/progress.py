"""How fast a step moves, and how long it will still take."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from pyanamo_async.core.items import Counts, State
from pyanamo_async.core.workers import Worker

SETTLED = (State.DONE, State.FAILED)


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
