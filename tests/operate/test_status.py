"""Looking at a table."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import ProcessStatus, Worker, WorkerState
from pyanamo_async.fleet.membership import WorkerCondition, WorkerStatus, list_workers
from pyanamo_async.operate.status import status
from pyanamo_async.store.memory import MemoryStore
from simulation.crew import FakeProcesses
from tests.fakes import NOON, an_item


async def test_status_counts_items_and_living_workers() -> None:
    """Workers that said goodbye, fell silent or died move nothing any more."""
    store = MemoryStore()
    await store.create(shards=1)
    await store.add([an_item("a"), an_item("b"), an_item("c")])
    await store.claim("w", limit=1, now=NOON)
    lease = timedelta(seconds=60)
    living = Worker("living", "h", NOON - timedelta(seconds=10), NOON, lease, done=5)
    silent = replace(living, worker_id="silent", heartbeat=NOON - timedelta(hours=1), started=NOON - timedelta(hours=2))
    others = [replace(living, worker_id="gone", state=WorkerState.ENDED), replace(living, worker_id="died")]
    for worker in (living, silent, *others):
        await store.heartbeat(worker)

    def process_status(worker: Worker) -> ProcessStatus:
        return ProcessStatus.DIED if worker.worker_id == "died" else ProcessStatus.UNKNOWN

    workers = await list_workers(store, now=NOON, processes=FakeProcesses(process_status))
    seen = await status(store, "sqlite:x.db", workers)

    assert (seen.table, seen.counts.items[State.TODO], seen.counts.items[State.LOCKED]) == ("sqlite:x.db", 2, 1)
    assert (seen.workers, seen.items_per_second, seen.time_left) == (1, 0.5, timedelta(seconds=6))


async def test_the_pace_is_that_of_all_living_workers_over_what_is_not_settled() -> None:
    """Each counts from its start to its last heartbeat, one that has just started nothing; settled items take none."""
    store = MemoryStore()
    await store.create(shards=1)
    await store.add([an_item("a"), an_item("b"), replace(an_item("c"), state=State.FAILED)])
    row = Worker("w1", "h", NOON - timedelta(seconds=10), NOON, timedelta(seconds=60), done=20)
    workers = [row, replace(row, worker_id="w2", done=5), replace(row, worker_id="new", started=NOON, done=0)]
    seen = await status(store, "t", [WorkerStatus(each, WorkerCondition.ALIVE) for each in workers])

    assert (seen.items_per_second, seen.time_left) == (2.5, timedelta(seconds=0.8))


@pytest.mark.parametrize(("state", "done"), [(State.TODO, 0), (State.DONE, 20)])
async def test_the_time_left_is_unknown_without_a_pace_and_at_the_end(state: State, done: int) -> None:
    """There is no estimate before anything is known, nor when nothing is left."""
    store = MemoryStore()
    await store.create(shards=1)
    await store.add([replace(an_item("a"), state=state)])
    row = Worker("w1", "h", NOON - timedelta(seconds=10), NOON, timedelta(seconds=60), done=done)

    assert (await status(store, "t", [WorkerStatus(row, WorkerCondition.ALIVE)])).time_left is None
