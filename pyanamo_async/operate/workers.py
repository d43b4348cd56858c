"""Order workers, and put back the items of those that vanished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.workers import Desired
from pyanamo_async.errors import BadRow, UsageError
from pyanamo_async.fleet.membership import WorkerCondition, WorkerStatus, list_workers, living
from pyanamo_async.fleet.reclaim import Taken, gone_holders, reclaim_from, reclaim_held
from pyanamo_async.operate.jobs import WorkerJob
from pyanamo_async.ports import Processes, Store


@dataclass(frozen=True, slots=True)
class ReclaimResult:
    """How many items went back to the queue, and how many failed for good: too many workers had vanished with them.

    After a dry run both are 0, and `item_ids` are the items that would be reclaimed.
    """

    reclaimed: int = 0
    failed: int = 0
    item_ids: Sequence[str] = ()


async def order(
    store: Store,
    worker_id: str | None,
    desired: Desired,
    *,
    everyone: bool,
    now: datetime,
    processes: Processes,
) -> list[str]:
    """Leave an order for one worker or for all that live; return the ids it was left for.

    Raises:
        UsageError: neither or both were named, or there is no such worker.
    """
    if (worker_id is None) != everyone:
        raise UsageError("name one worker, or choose `all_workers`", hint="`pyanamo workers` lists them")
    known = await list_workers(store, now=now, processes=processes, of=None if worker_id is None else [worker_id])
    if worker_id and not known:
        raise UsageError(f"there is no worker {worker_id}", hint="`pyanamo workers` lists them")
    if worker_id and known[0].condition is WorkerCondition.ENDED:
        raise UsageError(f"worker {worker_id} has ended", hint="`pyanamo workers` lists those that run")
    chosen = [worker_id] if worker_id else [each.worker_id for each in living(known)]
    for each in chosen:
        await store.order(each, desired)
    return chosen


async def reclaim(
    store: Store,
    workers: Sequence[WorkerStatus],
    *,
    crash_limit: int,
    dry_run: bool,
    now: datetime,
    processes: Processes,
    jobs: Sequence[WorkerJob] = (),
) -> ReclaimResult:
    """Put back the items of workers that vanished, and items whose holder is gone for good.

    `jobs` are the jobs behind the holders, if AWS Batch was asked for them: whose job is over has vanished, whatever is
    left of its lease. One that lost its host costs its items an interruption.
    """
    by_worker = {each.worker_id: each for each in jobs}
    service_time = store.service_time(now=now)
    vanished = [each.worker for each in workers if each.vanished or _is_over(each, by_worker, now=service_time)]
    hosts = {each.worker_id: f"lost its host: {each.run.reason}" for each in jobs if each.lost_its_host}
    if dry_run:
        holders = [*(each.worker_id for each in vanished), *await gone_holders(store)]
        held = [item for holder in holders for item in await store.held(holder)]
        return ReclaimResult(item_ids=[each.row_id if isinstance(each, BadRow) else each.item_id for each in held])
    policy = FailurePolicy(crash_limit=crash_limit)
    taken: Taken = Counter()
    for worker in vanished:
        why = hosts.get(worker.worker_id, "")
        reclaiming = reclaim_from(store, worker, now=now, policy=policy, processes=processes, interrupted=why)
        taken += await reclaiming or Counter()
    taken += await reclaim_held(store, await gone_holders(store), now=now, policy=policy, interrupted=hosts)
    return ReclaimResult(taken[State.TODO], taken[State.FAILED])


def _is_over(status: WorkerStatus, jobs: Mapping[str, WorkerJob], *, now: datetime) -> bool:
    job = jobs.get(status.worker.worker_id)
    if job is None or status.condition is WorkerCondition.ENDED:
        return False
    return job.is_over(now=now, heartbeat=status.worker.heartbeat)
