"""The workers of a table and their condition, as people see them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pyanamo_async.core.workers import ProcessStatus, Worker, WorkerState
from pyanamo_async.ports import Processes, Store


class WorkerCondition(StrEnum):
    """The condition of a worker, according to its row and to this machine."""

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
        """Whether others may take its items: it died or its lease has expired, and its row does not say it ended."""
        return self.condition is WorkerCondition.DIED or (
            self.is_silent and self.condition is not WorkerCondition.ENDED
        )


def describe_worker(worker: Worker, *, now: datetime, process_status: ProcessStatus) -> WorkerStatus:
    """Return the condition of a worker, from its row and the status of its process on this machine."""
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

    Workers whose rows cannot be read are left out, and noted in `bad_rows`. The rows are read first: heartbeats are in
    the service's time, which this machine knows only after a reply.
    """
    workers = await store.workers(of=of)
    now = store.service_time(now=now)
    return [
        describe_worker(each, now=now, process_status=await processes.status(each))
        for each in workers
        if not each.problem
    ]


def living(workers: Iterable[WorkerStatus]) -> list[Worker]:
    """Return the workers that are alive, or stopped with a lease that has not expired."""
    there = {WorkerCondition.ALIVE, WorkerCondition.STANDING}
    return [each.worker for each in workers if each.condition in there and not each.vanished]


async def largest_living_budget(store: Store, *, now: datetime) -> int | None:
    """Return how much memory scripts may use in the largest worker whose lease has not expired, in bytes.

    None when it is unknown for one of these workers, or when there are none.
    """
    workers = await store.workers(of=[*await store.heartbeats()])
    now = store.service_time(now=now)
    budgets = [
        each.platform.budget_bytes
        for each in workers
        if not each.problem and each.state is WorkerState.RUNNING and now - each.heartbeat <= each.lease
    ]
    return max((each or 0 for each in budgets), default=None) if None not in budgets else None
