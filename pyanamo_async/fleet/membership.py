"""The workers of a table, as a person sees them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pyanamo_async.core.workers import ProcessStatus, Worker, WorkerState
from pyanamo_async.ports import Processes, Store


class WorkerCondition(StrEnum):
    """How a worker is, as far as its row and this machine tell."""

    ALIVE = "alive"
    STANDING = "standing"  # its process was stopped on this machine, and may go on
    STALE = "stale"
    DIED = "died"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker as its row describes it, and its condition."""

    worker: Worker
    condition: WorkerCondition
    is_silent: bool = False  # for longer than its lease

    @property
    def vanished(self) -> bool:
        """Whether others may take its items: it died, or its lease has expired, and it did not say that it ended."""
        return self.condition is WorkerCondition.DIED or (
            self.is_silent and self.condition is not WorkerCondition.ENDED
        )


def describe_worker(worker: Worker, *, now: datetime, process_status: ProcessStatus) -> WorkerStatus:
    """Return how a worker is: it ended, or died, or stands still, or has been silent for its lease, or it lives."""
    is_silent = now - worker.heartbeat > worker.lease
    if worker.state is WorkerState.ENDED:
        condition = WorkerCondition.ENDED
    elif worker.state is WorkerState.DEAD or process_status is ProcessStatus.DIED:
        condition = WorkerCondition.DIED
    elif process_status is ProcessStatus.STANDS:
        condition = WorkerCondition.STANDING
    else:
        condition = WorkerCondition.STALE if is_silent else WorkerCondition.ALIVE
    return WorkerStatus(worker, condition, is_silent)


async def list_workers(
    store: Store, *, now: datetime, processes: Processes, of: Collection[str] | None = None
) -> list[WorkerStatus]:
    """List the workers, by last heartbeat; with `of`, those with these ids.

    Those whose rows cannot be read are left out, and noted in `bad_rows`. Heartbeats are in the service's time, which
    this machine knows only after a reply: the rows are read first.
    """
    workers = await store.workers(of=of)
    now = store.service_time(now=now)
    return [
        describe_worker(each, now=now, process_status=await processes.status(each))
        for each in workers
        if not each.problem
    ]


def living(workers: Iterable[WorkerStatus]) -> list[Worker]:
    """Return the workers that live, as far as anybody can know; one that stands still does until its lease is over."""
    there = {WorkerCondition.ALIVE, WorkerCondition.STANDING}
    return [each.worker for each in workers if each.condition in there and not each.vanished]


async def largest_living_budget(store: Store, *, now: datetime) -> int | None:
    """Return how much memory the largest worker lets its scripts use, in bytes, of those heard of within their lease.

    None when it is unknown of one of them, or of all.
    """
    workers = await store.workers(of=[*await store.heartbeats()])
    now = store.service_time(now=now)
    budgets = [
        each.platform.budget_bytes
        for each in workers
        if not each.problem and each.state is WorkerState.RUNNING and now - each.heartbeat <= each.lease
    ]
    return max((each or 0 for each in budgets), default=None) if None not in budgets else None
