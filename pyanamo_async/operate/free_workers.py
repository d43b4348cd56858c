"""Tell whether there are workers for items that can be claimed, which of them may take an item, and which to start."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pyanamo_async.core.halting import is_halted
from pyanamo_async.core.items import Item
from pyanamo_async.core.queue_lanes import EVERYBODY, LAST_ATTEMPTS, Lane, show_need, worker_need_bytes
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.durations import show_duration
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.workers import Desired, Worker
from pyanamo_async.fleet.membership import WorkerCondition, WorkerStatus


class NextStep(StrEnum):
    """What a person may do next."""

    SEE_OUTPUT = "see what it printed"
    SEE_ERRORS = "see what it printed to stderr"
    FOLLOW = "follow what it prints"
    SHOW = "see its tasks, and what became of each"
    RETRY = "run again what did not succeed"
    RESET = "run all of it again"
    UNHOLD = "release it"
    RUN = "start a worker"
    RUN_LARGER = "start a worker that has more memory"
    RUN_LAST = "start a worker that takes last attempts, on a machine that nobody takes away"
    SET = "if it needs less, say how much"
    RUN_LONGER = "start a worker that has more time"
    RECLAIM = "put back what vanished workers hold"
    LIST_WORKERS = "see the workers"


SHOWN_FOR, SHOWN_WHILE_IDLE_FOR = timedelta(hours=1), timedelta(days=1)
Told = tuple[list[str], list[NextStep]]
"""Sentences, and what a person may do."""


def at_work(now: datetime, workers: Sequence[WorkerStatus], *, not_before: datetime | None = None) -> Told:
    """Tell whether there are workers for the items that can be claimed."""
    alive = [each.worker for each in workers if each.condition is WorkerCondition.ALIVE]
    if not alive:
        last = max((each.worker.heartbeat for each in workers), default=None)
        when = f"; the last heartbeat of any was {show_span(now - last)} ago" if last else ""
        halted = [f"The last that halted says: {each.stopped_by}." for each in halts(workers, now=now)[:1]]
        return [f"No worker is alive{when}.", *halted], [NextStep.RUN, *([NextStep.LIST_WORKERS] if halted else [])]
    willing = [each for each in alive if each.desired is Desired.RUN and not each.stopped_by]
    if not willing:
        sentence = f"{_workers(len(alive))} alive, but all were told to drain or stop."
        halted = [f"One says why: {each.stopped_by}." for each in halts(workers, now=now)[:1]]
        return [sentence, *halted], [NextStep.RUN, NextStep.LIST_WORKERS]
    if not_before and not_before > now:
        return [f"{_workers(len(willing))} alive: when that wait is over, it may start."], [NextStep.LIST_WORKERS]
    waiting = sum(each.waiting.is_short for each in willing)
    taken, slots = sum(each.running for each in willing) + waiting, sum(each.slots for each in willing)
    if taken < slots and waiting == len(willing):
        sentence = (
            f"{_workers(len(willing))} alive, with {slots - taken} of {slots} places free, but little room: an item "
            f"that {'it holds waits' if len(willing) == 1 else 'each holds waits'} there for memory or CPUs."
        )
    elif taken < slots:
        sentence = (
            f"{_workers(len(willing))} alive, with {slots - taken} of {slots} places free: it should start soon, "
            "unless their memory or CPUs are taken, or their wall time is nearly over (`wall_time`, `min_remaining`)."
        )
    else:
        ago = show_span(now - min(each.heartbeat for each in willing))
        sentence = (
            f"{_workers(len(willing))} alive, and all their {slots} places were taken when last heard of ({ago} ago): "
            "it waits for its turn."
        )
    return [sentence], [NextStep.LIST_WORKERS]


def who_takes(lane: Lane) -> str:
    """Return who may claim an item of a lane, as the subject of a sentence."""
    if lane == LAST_ATTEMPTS:
        return "A worker that takes last attempts"
    return "A worker" if lane == EVERYBODY else "A worker that is large enough"


def left_to(item: Item, lane: Lane, *, is_taken: bool) -> str:
    """Return a sentence on why only some workers take an item, and whether one of these lives."""
    if lane == LAST_ATTEMPTS:
        why = (
            f"Its machine was lost {plural(item.evictions, 'time')}, so that it is left to workers with `last_attempts`"
        )
        return f"{why}." if is_taken else f"{why}, and no living worker has that."
    need_bytes = worker_need_bytes(item)
    need = f"It needs {show_need(show_size(need_bytes), need_bytes, item.memory_class)}"
    return (
        f"{need}, and is left to workers that have so much." if is_taken else f"{need}, and no living worker has that."
    )


def to_start(lane: Lane) -> list[NextStep]:
    """Return what a person may do about items that no living worker takes."""
    return [NextStep.RUN_LAST, NextStep.RETRY] if lane == LAST_ATTEMPTS else [NextStep.RUN_LARGER, NextStep.SET]


def halts(workers: Sequence[WorkerStatus], *, now: datetime) -> list[Worker]:
    """Return the workers that halted recently because too much failed, the latest first."""
    shown_for = SHOWN_FOR if any(each.condition is WorkerCondition.ALIVE for each in workers) else SHOWN_WHILE_IDLE_FOR
    halted = (each.worker for each in workers if is_halted(each.worker.stopped_by))
    recent = (each for each in halted if now - each.heartbeat < shown_for)
    return sorted(recent, key=lambda worker: worker.heartbeat, reverse=True)


def _workers(count: int) -> str:
    return f"{plural(count, 'worker')} {'is' if count == 1 else 'are'}"


def show_span(span: timedelta) -> str:
    """Return a duration in whole seconds; clocks differ, so one may be negative."""
    return show_duration(timedelta(seconds=max(0, round(span.total_seconds()))))
