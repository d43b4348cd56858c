"""List workers, and put back the items of those that vanished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.workers import Worker
from pyanamo_async.fleet.membership import VANISHED, ProcessProbe, WorkerCondition, conditions, vanished
from pyanamo_async.fleet.reclaim import orphans, reclaim_from, reclaim_orphans
from pyanamo_async.ports import Store


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker as its row describes it, and its condition."""

    worker: Worker
    condition: WorkerCondition

    @property
    def vanished(self) -> bool:
        """Whether the worker stopped without saying so: its process died, or its lease has expired."""
        return self.condition in VANISHED


@dataclass(frozen=True, slots=True)
class ReclaimResult:
    """How many items went back to the queue, and how many failed for good: too many workers had vanished with them.

    After a dry run both are 0, and `item_ids` are the items that would be reclaimed.
    """

    reclaimed: int = 0
    failed: int = 0
    item_ids: Sequence[str] = ()


async def list_workers(store: Store, *, now: datetime, probe: ProcessProbe) -> list[WorkerStatus]:
    """List the workers, by last heartbeat."""
    return [WorkerStatus(*each) for each in await conditions(store, now=now, process_status=probe)]


async def reclaim(
    store: Store, *, crash_limit: int, dry_run: bool, now: datetime, probe: ProcessProbe
) -> ReclaimResult:
    """Put back the items of workers that vanished, and items whose holder is gone for good."""
    gone = await vanished(store, now=now, process_status=probe)
    if dry_run:
        held = [item.item_id for worker in gone for item in await store.held(worker.worker_id)]
        held += [item.item_id async for items in orphans(store) for item in items]
        return ReclaimResult(item_ids=held)
    policy = FailurePolicy(crash_limit=crash_limit)
    taken = await reclaim_from(store, gone, now=now, policy=policy)
    taken += await reclaim_orphans(store, now=now, policy=policy)
    return ReclaimResult(taken[State.TODO], taken[State.FAILED])
