"""A table's workers on AWS Batch: submit, list and cancel them, and say why they do not start or failed.

Cancelling drains first. A worker that is drained exits with 75, which Batch retries, so what waits is cancelled
again and again until nothing of the jobs is left, or the time is over and what runs is terminated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from itertools import takewhile

from pyanamo_async.core.batch import queue_position, quota_sentence, why_failed, why_waiting
from pyanamo_async.core.values import Value
from pyanamo_async.errors import PyanamoError, UsageError
from pyanamo_async.operate.batch_planning import BatchPlan
from pyanamo_async.ports.jobs import FleetJob, FleetJobs
from pyanamo_async.ports.platform import FARGATE, FARGATE_SPOT, JobQueue, Platform
from pyanamo_async.ports.runtime import Clock

FRONT = 100
LOOK_EVERY = timedelta(seconds=5)
SUCCEEDED, FAILED = "SUCCEEDED", "FAILED"
WAITING = {"SUBMITTED", "PENDING", "RUNNABLE"}


class CancelledJobs(Value):
    """What became of jobs: how many were found, and how many had to be terminated because they outlasted the drain."""

    jobs: int = 0
    terminated: int = 0


async def submit(fleet: FleetJobs, planned: BatchPlan) -> list[str]:
    """Submit what was planned, and return the ids of jobs and arrays; an error names those that were submitted."""
    job_ids: list[str] = []
    for order in planned.all_orders:
        try:
            job_ids.append(await fleet.submit(order))
        except PyanamoError as error:
            if job_ids:
                told = f"submitted before that: {', '.join(job_ids)}; `pyanamo batch cancel` ends them"
                error.hint = "; ".join(filter(None, (error.hint, told)))
            raise
    return job_ids


async def list_jobs(
    fleet: FleetJobs, table: str, *, queue: str | None, ended: bool, job_ids: Collection[str] = ()
) -> list[FleetJob]:
    """List the jobs of a table, all or those of these ids, the newest first; those that ended only if asked for.

    Raises:
        UsageError: an id is none of them.
    """
    found = [each async for each in fleet.jobs(table, queue=queue) if ended or not each.is_over]
    return sorted(_chosen(found, job_ids), key=lambda job: job.created, reverse=True)


async def cancel(
    fleet: FleetJobs,
    find: Callable[[], Awaitable[list[FleetJob]]],
    drain: Callable[[], Awaitable[object]],
    *,
    job_ids: Collection[str],
    drain_for: timedelta,
    reason: str,
    clock: Clock,
    every: timedelta = LOOK_EVERY,
) -> CancelledJobs:
    """End jobs, all or those of these ids: drain their workers for so long, then terminate what still runs.

    All workers of the table are drained; without time to do so, none.
    """
    began_s, found = clock.monotonic(), _chosen(await find(), job_ids)
    known = {each.job_id for each in found}
    while found and clock.monotonic() - began_s < drain_for.total_seconds():
        await drain()
        await fleet.cancel([each.job_id for each in found], reason)
        found = [each for each in await find() if each.job_id in known]
        if found:
            await asyncio.sleep(every.total_seconds())
    if found:
        await fleet.terminate([each.job_id for each in found], reason)
    return CancelledJobs(len(known), len(found))


async def why(fleet: FleetJobs, platform: Platform, found: list[FleetJob]) -> list[str]:
    """Tell of jobs, the newest first, how many run, why the others do not, and how those of the latest failed.

    What failed before something succeeded is of the past.
    """
    left = [each for each in found if not each.is_over]
    sentences = [] if left else ["The table has no jobs in AWS Batch that have not ended."]
    for queue in dict.fromkeys(each.queue for each in left):
        sentences += await _why_in(queue, fleet, platform, [each for each in left if each.queue == queue])
    since = takewhile(lambda each: each.status != SUCCEEDED, found)
    if failed := next((each for each in since if each.status == FAILED or each.by_status.get(FAILED)), None):
        sentences += why_failed(failed.job_id, await fleet.failed_with(failed))
    return sentences


async def _why_in(queue: str, fleet: FleetJobs, platform: Platform, found: list[FleetJob]) -> list[str]:
    counts: dict[str, int] = {}
    for each in found:
        for status, number in (each.by_status or {each.status: 1}).items():
            counts[status] = counts.get(status, 0) + number
    waiting = sum(counts.get(status, 0) for status in WAITING)
    told = ", ".join(f"{number:,} {status}" for status, number in counts.items())
    sentences = [f"In queue {queue}: {told}."]
    if not waiting:
        return sentences
    its = await platform.queue(queue)
    if its and its.problem:
        sentences.append(f"The queue starts nothing: {its.problem}.")
    front = await fleet.front(queue)
    ours = [
        number for number, job_id in enumerate(front) if job_id.partition(":")[0] in {each.job_id for each in found}
    ]
    sentences.append(queue_position(ours[0] if ours else None, first=FRONT))
    reasons = [await fleet.waiting_reason(each) for each in found]
    for reason in dict.fromkeys(filter(None, reasons)):
        sentences += why_waiting(reason)
    return sentences + await _quotas(platform, its)


async def _quotas(platform: Platform, queue: JobQueue | None) -> list[str]:
    sentences = []
    for kind in queue.kinds if queue else ():
        if kind in {FARGATE, FARGATE_SPOT}:
            try:
                cpus = await platform.cpu_quota(kind)
            except PyanamoError as error:  # the other sentences stand without it
                sentences.append(f"How much of Fargate the account may use is not told: {error.what}.")
            else:
                sentences += [quota_sentence(kind, cpus)] if cpus is not None else []
    return sentences


def _chosen(found: list[FleetJob], job_ids: Collection[str]) -> list[FleetJob]:
    missing = {*job_ids} - {each.job_id for each in found}
    if missing:
        names = ", ".join(sorted(missing))
        raise UsageError(
            f"the table has no such job that has not ended: {names}", hint="`pyanamo batch list` shows them"
        )
    return [each for each in found if not job_ids or each.job_id in job_ids]
