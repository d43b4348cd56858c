"""A table's workers on AWS Batch: plan, submit, list and cancel them, and tell why they do not start.

1. Nothing is submitted that was not planned: a plan says what it will do, and a person may look at it first.
2. Cancelling drains first. A worker that is drained exits with 75, which Batch retries, so what waits is cancelled
   again and again until nothing of the jobs is left, or the time is over and what runs is terminated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta

from pyanamo_async.core.batch import job_name, jobs_needed, queue_position, quota_sentence, split, why_waiting
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.values import Value
from pyanamo_async.errors import PyanamoError, UsageError
from pyanamo_async.operate.status import Status
from pyanamo_async.ports.fleet_jobs import FleetJob, FleetJobs, JobOrder
from pyanamo_async.ports.platform import FARGATE, FARGATE_SPOT, JobDefinition, JobQueue, Platform
from pyanamo_async.ports.runtime import Clock

FRONT = 100
ITEMS = "PYANAMO_ITEMS"
LOOK_EVERY = timedelta(seconds=5)
WAITING = {"SUBMITTED", "PENDING", "RUNNABLE"}
ENOUGH_MEASURED = 10


class BatchPlan(Value):
    """The workers to be submitted: how many jobs, and the orders that they take.

    `because` says how the number came about where it was not given.
    """

    jobs: int
    orders: tuple[JobOrder, ...]
    because: str = ""


class CancelledJobs(Value):
    """What became of jobs: how many were found, and how many had to be terminated because they outlasted the drain."""

    jobs: int = 0
    terminated: int = 0


class Deadline(Value):
    """The time in which the backlog is to be done, and how long an item takes if that is not to be measured."""

    within: timedelta
    seconds_per_item: float | None = None


async def plan(
    platform: Platform,
    *,
    table: str,
    queue: str,
    definition: str,
    jobs: int | Deadline,
    status: Callable[[], Awaitable[Status]],
    environment: Mapping[str, str],
    tags: Mapping[str, str],
    share: str,
) -> BatchPlan:
    """Plan workers, after a look at queue and definition.

    Raises:
        UsageError: there is no such queue or definition, the number is unclear, or the share identifier is missing.
    """
    found, its = await _queue(platform, queue), await _definition(platform, definition)
    if found.fair_share and not share:
        hint = "give `share`, the identifier that its scheduling policy counts by"
        raise UsageError(f"queue {queue} shares its capacity by identifiers", hint=hint)
    if share and not found.fair_share:
        raise UsageError(f"queue {queue} has no scheduling policy", hint="leave `share` out")
    because, number = "", jobs
    if isinstance(jobs, Deadline):
        at_once = _at_once(environment.get(ITEMS) or its.environment.get(ITEMS) or "", its)
        number, because = _number(jobs, await status(), at_once=at_once)
    if not isinstance(number, int) or number < 1:
        raise UsageError(f"`jobs` is {number}", hint="give 1 or more")
    orders = tuple(
        JobOrder(job_name(table), queue, definition, size, environment, tags, share, its.container)
        for size in split(number)
    )
    return BatchPlan(number, orders, because)


async def submit(fleet: FleetJobs, planned: BatchPlan) -> list[str]:
    """Submit what was planned, and return the ids of jobs and arrays."""
    return [await fleet.submit(order) for order in planned.orders]


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
    """Tell of jobs that have not ended how many run, and why the others do not."""
    if not found:
        return ["The table has no jobs in AWS Batch that have not ended."]
    sentences = []
    for queue in dict.fromkeys(each.queue for each in found):
        sentences += await _why_in(queue, fleet, platform, [each for each in found if each.queue == queue])
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


def _number(deadline: Deadline, status: Status, *, at_once: int) -> tuple[int, str]:
    """Return how many workers get the backlog done in time, and how that came about.

    Raises:
        UsageError: nothing is left, or nothing tells how long an item takes.
    """
    left, seconds = status.counts.left, deadline.seconds_per_item
    if deadline.within <= timedelta():
        raise UsageError("`within` is not positive", hint="give a duration like 2h")
    if not left:
        raise UsageError("nothing is left to run", hint="import items, or put some back")
    at_once = at_once or (status.slots // status.workers if status.workers else 0) or 1
    if seconds is None:
        measured = status.recent.settled >= ENOUGH_MEASURED or status.last_hour.settled >= ENOUGH_MEASURED
        if not (measured and status.slots and status.items_per_second):
            hint = "give `seconds_per_item`, or let a worker run for some minutes first"
            raise UsageError("nothing tells how long an item takes", hint=hint)
        seconds = status.slots / status.items_per_second
    number = jobs_needed(left, seconds_per_item=seconds, within=deadline.within, items_at_once=at_once)
    return number, f"{plural(left, 'item')} of {seconds:.3g} s each, {at_once} at once in a worker"


def _at_once(items: str, definition: JobDefinition) -> int:
    """Return how many items a worker takes at once: as it is told, or else as many as it has CPUs; 0 for unknown."""
    return int(items) if items.isdecimal() else int(definition.cpus or 0)


async def _queue(platform: Platform, name: str) -> JobQueue:
    found = await platform.queue(name)
    if found is None:
        raise UsageError(
            f"`queue` '{name}' does not exist", hint="`aws batch describe-job-queues` lists those of a region"
        )
    return found


async def _definition(platform: Platform, name: str) -> JobDefinition:
    found = await platform.definition(name)
    if found is None:
        hint = "`aws batch describe-job-definitions` lists those of a region"
        raise UsageError(f"`definition` '{name}' does not exist", hint=hint)
    return found


def _chosen(found: list[FleetJob], job_ids: Collection[str]) -> list[FleetJob]:
    missing = {*job_ids} - {each.job_id for each in found}
    if missing:
        names = ", ".join(sorted(missing))
        raise UsageError(
            f"the table has no such job that has not ended: {names}", hint="`pyanamo batch list` shows them"
        )
    return [each for each in found if not job_ids or each.job_id in job_ids]
