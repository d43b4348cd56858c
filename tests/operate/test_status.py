"""Looking at a table."""

from __future__ import annotations

from datetime import timedelta

from pyanamo_async.core.items import State
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import ProcessStatus, Worker, WorkerState
from pyanamo_async.operate.status import status
from pyanamo_async.store.memory import MemoryStore
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

    seen = await status(store, "sqlite:x.db", now=NOON, probe=process_status)

    assert (seen.table, seen.counts.items[State.TODO], seen.counts.items[State.LOCKED]) == ("sqlite:x.db", 2, 1)
    assert (seen.workers, seen.items_per_second, seen.time_left) == (1, 0.5, timedelta(seconds=6))
