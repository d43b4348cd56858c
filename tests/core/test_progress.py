"""How fast a step moves, and how long it will take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pyanamo_async.core.items import Counts, State
from pyanamo_async.core.progress import items_per_second, time_left
from pyanamo_async.core.workers import Worker

START = datetime(2026, 1, 1, tzinfo=UTC)


def worker(*, done: int, seconds: float) -> Worker:
    return Worker("w", "host", START, START + timedelta(seconds=seconds), timedelta(minutes=3), done=done)


def test_rates_of_workers_add_up() -> None:
    """Each worker counts from its start to its last heartbeat; one that has just started counts nothing."""
    workers = [worker(done=20, seconds=10), worker(done=5, seconds=10), worker(done=0, seconds=0)]

    assert items_per_second(workers) == 2.5


def test_time_left_counts_items_that_are_not_settled() -> None:
    """Done and failed items take no more time."""
    counts = Counts({State.TODO: 8, State.LOCKED: 1, State.WALL_TIME_EXCEEDED: 1, State.DONE: 90, State.FAILED: 5}, {})

    assert timedelta(seconds=5) == time_left(counts, 2.0)


def test_time_left_is_none_without_a_rate_and_at_the_end() -> None:
    """There is no estimate before anything is known, nor when nothing is left."""
    assert time_left(Counts({State.TODO: 8}, {}), 0.0) is None
    assert time_left(Counts({State.DONE: 8}, {}), 2.0) is None
