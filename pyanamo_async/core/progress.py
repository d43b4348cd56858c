"""How fast a step moves, and when it will be over."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from pyanamo_async.core.items import Counts, State
from pyanamo_async.core.workers import Worker

SETTLED = (State.DONE, State.FAILED)


def items_per_second(workers: Iterable[Worker]) -> float:
    """Add up how many items each worker finished per second between its start and its last beat."""
    return sum(_pace(worker) for worker in workers)


def time_left(counts: Counts, rate: float) -> timedelta | None:
    """Estimate how long what is left takes at so many items per second; None when nothing is known or left."""
    left = counts.total - sum(counts.items.get(state, 0) for state in SETTLED)
    return timedelta(seconds=left / rate) if rate and left else None


def _pace(worker: Worker) -> float:
    seconds = (worker.heartbeat - worker.started).total_seconds()
    return worker.done / seconds if seconds > 0 else 0.0
