"""The workers of a table, as a person sees and orders them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from pyanamo_async.core.workers import Desired, ProcessStatus, Worker, WorkerState
from pyanamo_async.errors import ItemMissing, UsageError
from pyanamo_async.ports import Store

ProcessProbe = Callable[[Worker], ProcessStatus]  # what a machine knows of the workers that are its own


class WorkerCondition(StrEnum):
    """How a worker is, as far as its row and this machine tell."""

    ALIVE = "alive"
    STALE = "stale"
    DIED = "died"
    ENDED = "ended"


VANISHED = frozenset({WorkerCondition.STALE, WorkerCondition.DIED})


def condition(worker: Worker, *, now: datetime, process_status: ProcessProbe) -> WorkerCondition:
    """Return how a worker is: it ended, or it died, or it has been silent for its lease, or it lives."""
    if worker.state is WorkerState.ENDED:
        return WorkerCondition.ENDED
    if worker.state is WorkerState.DEAD or process_status(worker) is ProcessStatus.DIED:
        return WorkerCondition.DIED
    return WorkerCondition.STALE if worker.is_stale(now) else WorkerCondition.ALIVE


async def conditions(
    store: Store, *, now: datetime, process_status: ProcessProbe
) -> list[tuple[Worker, WorkerCondition]]:
    """List the workers, by last heartbeat, each with its condition.

    Heartbeats are in the service's time, which this machine knows only after a reply: the rows are read first.
    """
    workers = await store.workers()
    now = store.service_time(now=now)
    return [(worker, condition(worker, now=now, process_status=process_status)) for worker in workers]


async def vanished(store: Store, *, now: datetime, process_status: ProcessProbe) -> list[Worker]:
    """List the workers that are silent for their lease, or dead."""
    known = await conditions(store, now=now, process_status=process_status)
    return [worker for worker, state in known if state in VANISHED]


async def living(store: Store, *, now: datetime, process_status: ProcessProbe) -> list[Worker]:
    """List the workers that live, as far as anybody can know."""
    known = await conditions(store, now=now, process_status=process_status)
    return [worker for worker, state in known if state is WorkerCondition.ALIVE]


async def order(
    store: Store,
    worker_id: str | None,
    desired: Desired,
    *,
    everyone: bool,
    now: datetime,
    process_status: ProcessProbe,
) -> list[str]:
    """Leave an order for one worker or for all that live; return the ids it was left for.

    Raises:
        UsageError: neither or both were named, or there is no such worker.
    """
    if (worker_id is None) != everyone:
        raise UsageError("name one worker, or choose `all_workers`", hint="`pyanamo workers` lists them")
    chosen = (
        [worker_id]
        if worker_id
        else [each.worker_id for each in await living(store, now=now, process_status=process_status)]
    )
    for each in chosen:
        if worker_id and any(row.state is WorkerState.ENDED for row in await store.workers(of=[worker_id])):
            raise UsageError(f"worker {worker_id} has ended", hint="`pyanamo workers` lists those that run")
        try:
            await store.order(each, desired)
        except ItemMissing as missing:
            raise UsageError(f"there is no worker {each}", hint="`pyanamo workers` lists them") from missing
    return chosen
