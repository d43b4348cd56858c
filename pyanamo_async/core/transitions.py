"""Decide how an item moves from state to state.

    todo --claim--> locked --settle--> done | failed | Wall_Time_Exceeded | todo (retry, release)
                    locked --reclaim-> todo | failed
                    locked --order--> Pending
    Wall_Time_Exceeded --claim--> locked

1. Every change of an item's state by a worker is decided here, as a new `Item`, and every change by a person in
   `core.orders`. A store writes it only if the item is still as it was seen.
2. The ledgers never mix: a failure is the script's own, a crash is a worker that vanished or an internal error, an
   interruption is ours. An interruption neither counts as a failure nor lengthens the backoff, nor does memory that
   ran out.
3. Finished tasks stay finished, whatever becomes of their siblings. A failed item has no task left to run.
4. Progress clears the count of wall-time kills: a task that succeeded, or a new checkpoint.
5. Nothing resets the seconds lost, which are a cost and no limit. What a checkpoint saved of them is taken off when an
   attempt that began from it ends. Only a person changes the memory that an item turned out to need.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.holding import hold
from pyanamo_async.core.items import Item, State, TaskRecords, TaskState
from pyanamo_async.core.lost_time import interrupted_seconds, plus, saved_seconds, unsaved_seconds
from pyanamo_async.core.outcomes import (
    Checkpointed,
    Failure,
    Interrupted,
    InterruptReason,
    NotStarted,
    OutOfMemory,
)
from pyanamo_async.core.queue_lanes import EVERYBODY, lane_of
from pyanamo_async.core.reasons import with_reason
from pyanamo_async.core.task_results import made_progress, with_result
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.values import replace

AFTER_CHECKPOINT = timedelta(seconds=1)  # what takes one in no time must not keep a worker busy

MORE_AFTER_OOM = 2  # times what it had
NOT_STARTED = "not started: "


def claim(item: Item, *, worker: str, token: str, now: datetime) -> Item:
    """Lock an item for a worker, under a new attempt number."""
    return replace(
        item,
        state=State.LOCKED,
        attempt=item.attempt + 1,
        worker=worker,
        token=token,
        locked_at=now,
        done_at=None,
        not_before=None,
    )


def record(item: Item, results: TaskRecords, *, policy: FailurePolicy) -> Item:
    """Add the results of tasks, by task name, and leave the item in its state."""
    limit = policy.max_failures if item.max_failures is None else item.max_failures
    tasks = tuple(
        with_result(task, results[task.name], policy, limit) if task.name in results else task for task in item.tasks
    )
    saved_s, was_lost_s = saved_seconds(item.tasks, results)
    lost_s = plus(max(0.0, item.seconds_lost - was_lost_s), interrupted_seconds(results))
    kills = 0 if made_progress(results) else item.wall_time_kills
    need = max(item.memory_need_bytes, _reached_bytes(results))
    return replace(
        item,
        tasks=tasks,
        wall_time_kills=kills,
        seconds_lost=lost_s,
        seconds_saved=plus(item.seconds_saved, saved_s),
        memory_need_bytes=need,
    )


def settle(
    before: Item,
    results: TaskRecords,
    *,
    interrupted_by: InterruptReason | NotStarted | None,
    now: datetime,
    policy: FailurePolicy,
    jitter: float,
) -> Item:
    """Return the item that ends the claim, given how its tasks ended.

    `before` is the item as claimed, `results` everything that ended under this claim, by task name. `interrupted_by` is
    why the attempt stopped with tasks left to run; None when it ran all it could. `jitter` is uniform in [0, 1).

    What the order of a person ended is held, so that nobody claims it before that person has changed it.
    """
    item = _count_ends(record(before, results, policy=policy), results)
    if not item.todo:
        return finish(item, results, now)
    if item.oom_kills > before.oom_kills and (ended := _out_of_memory(item, results, now, policy)):
        return ended
    if interrupted_by is InterruptReason.ORDER:
        return hold(release(item, interrupted_by), now=now)
    if interrupted_by is None or _ran_all(item, results):
        return _retry(item, results, now, policy, jitter)
    if interrupted_by is InterruptReason.WALL_TIME and results:
        return _exceed_wall_time(item, results, now, policy)
    return _put_back(item, interrupted_by, now + policy.delay(item.interruptions, jitter))


def release(item: Item, why: InterruptReason) -> Item:
    """Give a claim back that we interrupted; the item may be claimed again at once."""
    released = replace(item, state=State.TODO, interruptions=item.interruptions + 1)
    return with_reason(released, f"interrupted: {why}")


def _put_back(item: Item, why: InterruptReason | NotStarted, later: datetime) -> Item:
    """Give a claim back that came to no end; what no machine can start for now is not to be claimed before `later`."""
    if isinstance(why, InterruptReason):
        return release(item, why)
    not_before = later if why.everywhere else None
    back = replace(item, state=State.TODO, interruptions=item.interruptions + 1, not_before=not_before)
    return with_reason(back, f"{NOT_STARTED}{why.why}")


def release_unused(item: Item, *, until: datetime | None = None) -> Item:
    """Give a claim back before anything was started, not to be claimed before `until`; an attempt number is used up."""
    return replace(item, state=State.TODO, not_before=until)


def reclaim(
    item: Item, *, now: datetime, policy: FailurePolicy, seen: datetime | None = None, interrupted: str = ""
) -> Item:
    """Take an item from a worker that vanished, and was `seen` last then; bury it at the crash limit.

    `interrupted` says what happened to the worker, if that is known and no item is to blame (it stood still, its host
    was taken): then the item is charged an interruption instead of a crash. The token is cleared, so that a late write
    of the old holder is refused. Without `seen` the time that was lost is unknown, and none is counted.
    """
    lost_s = unsaved_seconds(item, until=seen) if seen else 0.0
    item = replace(item, seconds_lost=plus(item.seconds_lost, lost_s), evictions=item.evictions + 1)
    if interrupted:
        freed = replace(item, state=State.TODO, token="", interruptions=item.interruptions + 1)
        return with_reason(freed, f"interrupted: its worker {item.worker} {interrupted}")
    vanished = replace(item, crashes=item.crashes + 1, token="")
    if vanished.crashes >= policy.crash_limit:
        reason = f"its worker vanished {plural(vanished.crashes, 'time')}; the last was {item.worker}"
        return _bury(vanished, reason, now)
    return with_reason(replace(vanished, state=State.TODO), f"its worker {item.worker} vanished")


def settle_internal_error(item: Item, problem: str, *, now: datetime, policy: FailurePolicy) -> Item:
    """Put an item back whose attempt ended in an internal error; bury it at the crash limit.

    It counts as a crash: an item that triggers the error every time must not be tried for ever. An item that has no
    task left to run is finished all the same.
    """
    broken = replace(item, crashes=item.crashes + 1)
    if not broken.todo:
        return finish(broken, {}, now)
    broken = replace(broken, seconds_lost=plus(item.seconds_lost, unsaved_seconds(item, until=now)))
    if broken.crashes >= policy.crash_limit:
        return _bury(broken, problem, now)
    return with_reason(replace(broken, state=State.TODO), problem)


def finish(item: Item, results: TaskRecords, now: datetime) -> Item:
    """Settle an item that has no task left to run."""
    if all(task.state is TaskState.DONE for task in item.tasks):
        return with_reason(replace(item, state=State.DONE, done_at=now), "")
    return with_reason(replace(item, state=State.FAILED, done_at=now), _failure_reason(item, results))


def _exceed_wall_time(item: Item, results: TaskRecords, now: datetime, policy: FailurePolicy) -> Item:
    killed = any(result.outcome == Interrupted(InterruptReason.WALL_TIME) for result in results.values())
    kills = item.wall_time_kills + (killed and not made_progress(results))
    counted = replace(item, wall_time_kills=kills, interruptions=item.interruptions + 1, done_at=now)
    if kills >= policy.wall_time_limit:
        reason = f"the wall time ended it {plural(kills, 'time')} without progress"
        return _bury(counted, reason, now)
    reason = Interrupted(InterruptReason.WALL_TIME).reason
    if lane_of(item) != EVERYBODY:  # others would claim it there
        return with_reason(replace(counted, state=State.TODO, done_at=None), reason)
    return with_reason(replace(counted, state=State.WALL_TIME_EXCEEDED), reason)


def _reached_bytes(results: TaskRecords) -> int:
    """Return what a task is known to need by how it ended: what it had, or twice that when memory ran out."""
    needs = [0]
    for each in results.values():
        if each.outcome == Interrupted(InterruptReason.MEMORY):
            needs.append(each.most_bytes)
        elif isinstance(each.outcome, OutOfMemory):
            needs.append(MORE_AFTER_OOM * each.most_bytes)
    return max(needs)


def _out_of_memory(item: Item, results: TaskRecords, now: datetime, policy: FailurePolicy) -> Item | None:
    """Bury an item that ran out of memory too often, or put it back with a larger need; None if a task failed, too."""
    peaks = (each.most_bytes for each in results.values() if isinstance(each.outcome, OutOfMemory))
    had = show_size(max(peaks))
    if item.oom_kills >= policy.oom_limit:
        return _bury(item, f"ran out of memory {plural(item.oom_kills, 'time')}, at last with {had}", now)
    if _failure_reason(item, results):
        return None
    return with_reason(replace(item, state=State.TODO), f"out of memory with {had}; it needs more now")


def _count_ends(item: Item, results: TaskRecords) -> Item:
    """Count an attempt in which a task ran out of memory, or was ended because its worker was stopped."""
    ended = [each.outcome for each in results.values()]
    ran_out = any(isinstance(each, OutOfMemory) for each in ended)
    evicted = Interrupted(InterruptReason.STOP) in ended
    return replace(item, oom_kills=item.oom_kills + ran_out, evictions=item.evictions + evicted)


def _ran_all(item: Item, results: TaskRecords) -> bool:
    """Return whether every task left to run did run to its own end, so that no stop can have cut it short."""
    ran = {name for name, result in results.items() if not isinstance(result.outcome, Interrupted)}
    return all(task.name in ran for task in item.todo)


def _bury(item: Item, reason: str, now: datetime) -> Item:
    """Fail an item together with its tasks that are left to run."""
    tasks = tuple(
        replace(task, state=TaskState.FAILED) if task.state is TaskState.TODO else task for task in item.tasks
    )
    return with_reason(replace(item, tasks=tasks, state=State.FAILED, done_at=now), reason)


def _retry(item: Item, results: TaskRecords, now: datetime, policy: FailurePolicy, jitter: float) -> Item:
    if all(isinstance(results[task.name].outcome, Checkpointed) for task in item.todo if task.name in results):
        again = replace(item, state=State.TODO, not_before=now + AFTER_CHECKPOINT)
        return with_reason(again, Checkpointed.reason)
    attempts = max((task.attempts for task in item.todo if task.name in results), default=0)
    not_before = now + policy.delay(max(0, attempts - 1), jitter)
    return with_reason(replace(item, state=State.TODO, not_before=not_before), _failure_reason(item, results))


def _failure_reason(item: Item, results: TaskRecords) -> str:
    """Return why the first task that is not done failed: in this attempt, or else in an earlier one."""
    unfinished = [task for task in item.tasks if task.state is not TaskState.DONE]
    for task in sorted(unfinished, key=lambda task: task.name not in results):  # stable: otherwise in their order
        if task.record and isinstance(task.record.outcome, Failure):
            reason = task.record.reason
            return f"{task.name}: {reason}" if item.nested else reason
    return ""
