"""Look at a table's progress: how far a step is, how fast it moves, and how long it will still take.

1. Everything is counted in the queue index. Only a few items are read whole, for their memory (`operate.memory_use`).
2. `watch` counts everything once a minute, and in between only what moves: locked items, and those that were settled
   since. What that misses is in the next count of everything.
3. Times of settled items are those of their workers' clocks. What moves is counted twice from the same time on, a
   little before the count of everything, and the difference is added: clocks that differ by less do no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pyanamo_async.core.counts import Counts, Quarter, moved, quarter
from pyanamo_async.core.items import State, Summary, TaskState
from pyanamo_async.core.memory.use import MemoryUse
from pyanamo_async.core.pace import ENOUGH, LONG, RECENT, Pace, TimeLeft, best_pace, time_left
from pyanamo_async.core.queue_lanes import OutOfReach
from pyanamo_async.core.workers import Worker
from pyanamo_async.errors import Unavailable
from pyanamo_async.fleet.left_items import left_items
from pyanamo_async.fleet.membership import WorkerStatus, living
from pyanamo_async.operate.failures import FailureGroup, failures
from pyanamo_async.operate.free_workers import halts
from pyanamo_async.operate.memory_use import MOST_ITEMS, memory_use
from pyanamo_async.operate.selecting import first
from pyanamo_async.ports import Clock, Store

RECOUNT = timedelta(minutes=1)
OVERLAP = timedelta(seconds=20)  # clocks of workers differ, and an index lags
MOST_IDS = 1000  # of nested items, of each kind
MOST_EXAMINED = 2000  # failed items whose reasons are grouped


@dataclass(frozen=True, slots=True)
class Status:
    """A table's progress at a time: counts of items and tasks, living workers, how fast they are, and what failed.

    `recent` and `last_hour` are how many items were settled of late. `time_left` is None when the pace is unknown, when
    no worker lives, nothing is left, or all that living workers take runs or is retrying: then no pace tells.
    `waits_until` is the latest time until which a retrying item waits. `failures` are groups of the `failures_examined`
    oldest failed items, and of retrying ones, which are all of them unless there are very many. `halted` are workers
    that ended of late because too much failed, the latest first. `memory` is what tasks used of it that were settled
    last; None if that is not known of enough of them. `out_of_reach` are the items in `todo` that no living worker
    takes: none has the memory for them, or they wait for one that takes last attempts. `waiting_for_room` are items
    that workers hold beside those that are `running`, and have no room for, as of their last heartbeats. `last_settled`
    is when an item was last done or failed; None while a table is watched.
    """

    table: str
    at: datetime
    counts: Counts
    workers: int
    running: int
    slots: int
    recent: Pace
    last_hour: Pace
    items_per_second: float
    time_left: TimeLeft | None
    waits_until: datetime | None = None
    failures: tuple[FailureGroup, ...] = ()
    failures_examined: int = 0
    halted: tuple[Worker, ...] = ()
    memory: MemoryUse | None = None
    out_of_reach: tuple[OutOfReach, ...] = ()
    waiting_for_room: int = 0
    last_settled: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A count of everything, and what was known beside it."""

    at: datetime
    counts: Counts
    workers: tuple[WorkerStatus, ...]
    failures: tuple[FailureGroup, ...]
    waits_until: datetime | None
    latest: tuple[Summary, ...]
    memory: MemoryUse | None
    out_of_reach: tuple[OutOfReach, ...]


async def status(
    store: Store, table: str, workers: Iterable[WorkerStatus], *, now: datetime, memory: bool = True
) -> Status:
    """Count items, tasks and living workers, group what failed, estimate the time left; `memory` reads rows."""
    seen = await _count(store, workers, now=now, memory=memory)
    return replace(_status(table, seen, now=now), last_settled=seen.latest[0].since if seen.latest else None)


async def watch(
    store: Store,
    table: str,
    workers: Callable[[], Awaitable[Iterable[WorkerStatus]]],
    *,
    every: timedelta,
    clock: Clock,
    missed: Callable[[Unavailable], None],
) -> AsyncGenerator[Status, None]:
    """Yield the table's progress again and again, at once and then after each pause of `every`.

    A look that fails because the table does not answer is left out; the first of several in a row is told to `missed`.
    """
    is_away = False
    latest: tuple[_Seen, Counts, datetime] | None = None
    while True:
        try:
            now = store.service_time(now=clock.now())
            if latest is None or now - latest[0].at >= RECOUNT:
                latest = None
                seen, since = await _count(store, await workers(), now=now), now - OVERLAP
                latest = seen, await store.moving_counts(since=since), since
            else:
                seen, before, since = latest
                counts = moved(seen.counts, before=before, after=await store.moving_counts(since=since))
                seen = replace(seen, counts=counts)
            is_away = False
            yield _status(table, seen, now=now)
        except Unavailable as error:
            if not is_away:
                missed(error)
            is_away = True
        await asyncio.sleep(every.total_seconds())


async def nested_items(store: Store, *, most: int = MOST_IDS) -> dict[Quarter, list[str]]:
    """Return the ids of nested items by how far they are, up to `most` of each kind."""
    counts = await store.counts()
    missing = sum(min(most, number) for number in counts.nested.values())
    found: dict[Quarter, list[str]] = {each: [] for each in Quarter}
    if missing:
        async for each in store.summaries():
            ids = found[quarter(each.tasks_done, each.tasks)]
            if each.nested and len(ids) < most:
                ids.append(each.item_id)
                missing -= 1
                if not missing:
                    break
    return found


async def _count(store: Store, workers: Iterable[WorkerStatus], *, now: datetime, memory: bool = True) -> _Seen:
    workers, counts = tuple(workers), await store.counts(since=[now - LONG, now - RECENT])
    groups = (
        await failures(first(store.summaries(state=State.FAILED), MOST_EXAMINED)) if counts.items[State.FAILED] else []
    )
    retrying = [each async for each in first(store.retrying(), MOST_EXAMINED)] if counts.retrying else []
    groups += await failures(_each(retrying))
    until = max((each.not_before for each in retrying if each.not_before), default=None)
    latest = await store.last_settled(most=MOST_ITEMS) if counts.settled else []
    used = await memory_use(store, latest, [each.worker for each in workers]) if memory else None
    kinds = [each.kind for each in living(workers)]
    left = await left_items(store, kinds, needs=memory) if counts.items[State.TODO] else []
    return _Seen(now, counts, workers, tuple(groups), until, tuple(latest), used, tuple(left))


async def _each(summaries: Iterable[Summary]) -> AsyncIterator[Summary]:
    for each in summaries:
        yield each


def _status(table: str, seen: _Seen, *, now: datetime) -> Status:
    alive, counts = living(seen.workers), seen.counts
    in_hour, of_late = counts.settled_since
    last_hour = Pace(in_hour, now - _began(seen, seen.at - LONG))
    recent = Pace(of_late, now - _began(seen, seen.at - RECENT))
    pace = best_pace([recent, last_hour, _since_start(alive)])
    reachable = max(0, counts.left - sum(each.items for each in seen.out_of_reach))
    left = time_left(reachable, pace)
    if reachable and counts.total_nested and (pace is None or pace.settled < ENOUGH):  # their tasks tell more
        by_tasks = _of_tasks(seen, now=now)
        left = time_left(counts.tasks_left, by_tasks) if by_tasks.settled else left
    elif counts.items[State.LOCKED] + counts.retrying >= reachable:
        left = None  # what runs or waits takes as long as it takes, at any pace
    until = seen.waits_until if counts.retrying else None
    if left and until:
        left = left.at_least(until - now)
    return Status(
        table,
        now,
        counts,
        workers=len(alive),
        running=sum(each.running for each in alive),
        slots=sum(each.slots for each in alive),
        recent=recent,
        last_hour=last_hour,
        items_per_second=pace.per_second if pace else 0.0,
        time_left=left if alive else None,
        waits_until=until,
        failures=seen.failures,
        halted=tuple(halts(seen.workers, now=now)),
        memory=seen.memory,
        out_of_reach=seen.out_of_reach,
        waiting_for_room=sum(each.waiting.is_short for each in alive),
        failures_examined=sum(each.count for each in seen.failures if not each.retrying),
    )


def _began(seen: _Seen, mark: datetime) -> datetime:
    """Return when work began after a time: a worker that started later cannot have settled anything before."""
    started = [each.worker.started for each in seen.workers if each.worker.heartbeat >= mark]
    return max(mark, min(started, default=mark))


def _since_start(alive: Iterable[Worker]) -> Pace:
    """Return the pace of workers, each from its start to its last heartbeat."""
    done, per_second = 0, 0.0
    for each in alive:
        seconds = (each.heartbeat - each.started).total_seconds()
        done += each.done
        per_second += each.done / seconds if seconds > 0 else 0.0
    return Pace(done, timedelta(seconds=done / per_second if per_second else 0.0))


def _of_tasks(seen: _Seen, *, now: datetime) -> Pace:
    """Return the pace of tasks, since the first worker started of which the table still knows."""
    started = [each.worker.started for each in seen.workers]
    ended = seen.counts.tasks[TaskState.DONE] + seen.counts.tasks[TaskState.FAILED]
    return Pace(ended, now - min(started, default=now))
