"""Plan a table's workers on AWS Batch: how many, from which queue, by which definition.

Nothing is submitted that was not planned: a plan says what it will do, and a person may look at it first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial

from pyanamo_async.core.batch import job_name, jobs_needed, split
from pyanamo_async.core.memory.budget import USABLE, parse_budget
from pyanamo_async.core.memory.classes import largest_class
from pyanamo_async.core.queue_lanes import LAST_ATTEMPTS_AFTER, Lane, WorkerKind, left_by
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.values import Value
from pyanamo_async.errors import UsageError
from pyanamo_async.operate.job_checks import SAME_PLATFORM, mismatch
from pyanamo_async.operate.status import Status
from pyanamo_async.ports.jobs import JobOrder
from pyanamo_async.ports.platform import JobDefinition, JobQueue, Platform

ITEMS, MEMORY, LAST_ATTEMPTS = "PYANAMO_ITEMS", "PYANAMO_MEMORY", "PYANAMO_LAST_ATTEMPTS"
USUAL_BUDGET = f"{USABLE:.0%}"
ENOUGH_MEASURED = 10


class BatchPlan(Value):
    """The workers to be submitted: how many jobs, and the orders that they take.

    `because` says how the number came about where it was not given. `last_attempts` is one more worker, for items that
    lost their machines `last_attempts_after` times.
    """

    jobs: int
    orders: tuple[JobOrder, ...]
    because: str = ""
    last_attempts: JobOrder | None = None
    last_attempts_after: int = LAST_ATTEMPTS_AFTER

    @property
    def all_orders(self) -> tuple[JobOrder, ...]:
        """Return the orders of all its workers."""
        return (*self.orders, self.last_attempts) if self.last_attempts else self.orders


class Deadline(Value):
    """The time in which the backlog is to be done.

    `seconds_per_item` is how long an item takes, if that is not to be measured. `lanes` are the items that
    wait for some workers only.
    """

    within: timedelta
    seconds_per_item: float | None = None
    lanes: Mapping[Lane, int] = {}


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
    memory_class: int = 0,
    last_attempts_on: str = "",
    last_attempts_after: int = LAST_ATTEMPTS_AFTER,
) -> BatchPlan:
    """Plan workers, after a look at queue and definition; they are to be large enough for a `memory_class`, in GiB.

    One more is planned in the queue `last_attempts_on`, for items that lost their machines `last_attempts_after` times.

    Raises:
        UsageError: there is no such queue or definition, its workers are too small, the number is unclear, the share
            identifier is missing, or a queue cannot be for last attempts.
    """
    found, its = await _queue(platform, queue), await _definition(platform, definition)
    last = await _queue_for_last_attempts(platform, last_attempts_on, found) if last_attempts_on else None
    for each in (found, last) if last else (found,):
        if what := mismatch(each, its):
            raise UsageError(f"Batch would start nothing: {what}", hint=SAME_PLATFORM)
    _check_share([found, last] if last else [found], share)
    told = {**its.environment, **{name: value for name, value in environment.items() if value}}
    memory = told.get(MEMORY) or USUAL_BUDGET
    if memory_class:
        _check_memory(its, memory, memory_class)
    because, number = "", jobs
    if isinstance(jobs, Deadline):
        budget_bytes = parse_budget(memory, its.memory_bytes)
        kind = WorkerKind(largest_class(budget_bytes), last_attempts=bool(last or told.get(LAST_ATTEMPTS)))
        seen, at_once = await status(), _at_once(told.get(ITEMS, ""), its)
        number, because = _number(jobs, seen, at_once=at_once, kind=kind, memory_class=memory_class)
    if not isinstance(number, int) or number < 1:
        raise UsageError(f"`jobs` is {number}", hint="give 1 or more")
    order = partial(JobOrder, job_name(table), definition=definition, tags=tags, container=its.container)
    shared, environment = share if found.fair_share else "", {**environment}
    orders = tuple(order(queue, size=size, environment=environment, share=shared) for size in split(number))
    if last is None:
        return BatchPlan(number, orders, because)
    shared = share if last.fair_share else ""
    one_more = order(last_attempts_on, size=1, environment=environment | {LAST_ATTEMPTS: "1"}, share=shared)
    return BatchPlan(number, orders, because, one_more, last_attempts_after)


def _number(
    deadline: Deadline, status: Status, *, at_once: int, kind: WorkerKind, memory_class: int
) -> tuple[int, str]:
    """Return how many workers get the backlog done in time, and how that came about.

    Raises:
        UsageError: nothing is left, or nothing tells how long an item takes.
    """
    left = _backlog(status, deadline.lanes, kind=kind, memory_class=memory_class)
    seconds = deadline.seconds_per_item
    if deadline.within <= timedelta():
        raise UsageError("`within` is not positive", hint="give a duration like 2h")
    if not left:
        raise _nothing_left(status, memory_class=memory_class)
    at_once = at_once or (status.slots // status.workers if status.workers else 0) or 1
    if seconds is None:
        measured = status.recent.settled >= ENOUGH_MEASURED or status.last_hour.settled >= ENOUGH_MEASURED
        if not (measured and status.slots and status.items_per_second):
            hint = "give `seconds_per_item`, or let a worker run for some minutes first"
            raise UsageError("nothing tells how long an item takes", hint=hint)
        seconds = status.slots / status.items_per_second
    number = jobs_needed(left, seconds_per_item=seconds, within=deadline.within, items_at_once=at_once)
    which = f" in memory classes up to {memory_class} GiB" if memory_class else ""
    return number, f"{plural(left, 'item')}{which}, {seconds:.3g} s an item, {at_once} at once in a worker"


def _backlog(status: Status, lanes: Mapping[Lane, int], *, kind: WorkerKind, memory_class: int) -> int:
    """Return how many items are left that such workers take, or with a class, that wait for larger ones up to it."""
    if memory_class:
        return sum(items for lane, items in lanes.items() if 0 < lane.memory_class <= memory_class)
    return max(0, status.counts.left - sum(left_by(lanes, [kind]).values()))


def _nothing_left(status: Status, *, memory_class: int) -> UsageError:
    if memory_class:
        return UsageError(
            f"no item waits for a larger worker in the memory class of {memory_class} GiB or a lower one",
            hint="`pyanamo status` says what items need, once a smaller worker has claimed them; "
            "or give `jobs`, how many workers there are",
        )
    if status.counts.left:
        hint = "`pyanamo status` says for what they wait; see `memory_class` and `last_attempts_on`"
        return UsageError("only items are left that such workers do not take", hint=hint)
    return UsageError("nothing is left to run", hint="import items, or put some back")


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


async def _queue_for_last_attempts(platform: Platform, name: str, first: JobQueue) -> JobQueue:
    found = await _queue(platform, name)
    if found.name == first.name:
        raise UsageError(
            f"`last_attempts_on` is the queue {found.name} itself",
            hint="give one of on-demand machines, which nobody takes away",
        )
    if spot := [kind for kind in found.kinds if kind.endswith("SPOT")]:
        raise UsageError(
            f"`last_attempts_on` {found.name} starts workers on {', '.join(spot)}, where they are interrupted as well",
            hint="give a queue whose compute environments are all on demand",
        )
    return found


def _check_share(queues: Sequence[JobQueue], share: str) -> None:
    """Check that there is a share identifier if a queue needs one, and none if none does."""
    fair = [each.name for each in queues if each.fair_share]
    if fair and not share:
        hint = "give `share`, the identifier that its scheduling policy counts by"
        raise UsageError(f"queue {fair[0]} shares its capacity by identifiers", hint=hint)
    if share and not fair:
        raise UsageError(f"queue {queues[0].name} has no scheduling policy", hint="leave `share` out")


async def _definition(platform: Platform, name: str) -> JobDefinition:
    found = await platform.definition(name)
    if found is None:
        hint = "`aws batch describe-job-definitions` lists those of a region"
        raise UsageError(f"`definition` '{name}' does not exist", hint=hint)
    return found


def _check_memory(definition: JobDefinition, memory: str, memory_class: int) -> None:
    if definition.memory_bytes is None:
        raise UsageError(f"`definition` {definition.name} does not say how much memory its workers have")
    budget_bytes = parse_budget(memory, definition.memory_bytes)
    if largest_class(budget_bytes) >= memory_class:
        return
    its = f"{show_size(definition.memory_bytes)} of memory, and its workers use up to {show_size(budget_bytes or 0)}"
    raise UsageError(
        f"`definition` {definition.name} has {its}: too little for items of the class of {memory_class} GiB",
        hint=f"give one whose workers have {memory_class} GiB"
        + (", or leave out `memory`" if memory != USUAL_BUDGET else ""),
    )
