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
    STALE = "stale"
    DIED = "died"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker as its row describes it, and its condition."""

    worker: Worker
    condition: WorkerCondition

    @property
    def vanished(self) -> bool:
        """Whether the worker stopped without saying so: its process died, or its lease has expired."""
        return self.condition in {WorkerCondition.STALE, WorkerCondition.DIED}


def condition(worker: Worker, *, now: datetime, process_status: ProcessStatus) -> WorkerCondition:
    """Return how a worker is: it ended, or it died, or it has been silent for its lease, or it lives."""
    if worker.state is WorkerState.ENDED:
        return WorkerCondition.ENDED
    if worker.state is WorkerState.DEAD or process_status is ProcessStatus.DIED:
        return WorkerCondition.DIED
    return WorkerCondition.STALE if now - worker.heartbeat > worker.lease else WorkerCondition.ALIVE


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
        WorkerStatus(each, condition(each, now=now, process_status=await processes.status(each)))
        for each in workers
        if not each.problem
    ]


def living(workers: Iterable[WorkerStatus]) -> list[Worker]:
    """Return the workers that live, as far as anybody can know."""
    return [each.worker for each in workers if each.condition is WorkerCondition.ALIVE]
