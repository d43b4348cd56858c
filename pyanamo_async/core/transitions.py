"""Decide how an item moves from state to state.

Every change of an item's state is decided here, as a new `Item`; a store writes it if the item still is as it was seen.

    todo --claim--> locked --settle--> done | failed | Wall_Time_Exceeded | todo (retry, release)
                    locked --reclaim-> todo | failed
    Wall_Time_Exceeded --claim--> locked          anything --reset--> todo
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

from pyanamo_async.core.failure_policy import FailurePolicy, Verdict
from pyanamo_async.core.items import Item, State, Task, TaskRecord, TaskState
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Succeeded, TimedOut
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.values import replace

HISTORY_LENGTH = 5
REASON_LENGTH = 160

Results = Mapping[str, TaskRecord]


class _Told(TypedDict):
    reason: str
    history: tuple[str, ...]


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


def record(item: Item, results: Results, *, policy: FailurePolicy) -> Item:
    """Write down how tasks ended, by task name; the item stays as it is otherwise."""
    limit = policy.max_failures if item.max_failures is None else item.max_failures
    tasks = tuple(
        _ended(task, results[task.name], policy, limit) if task.name in results else task for task in item.tasks
    )
    return replace(item, tasks=tasks)


def settle(
    before: Item,
    results: Results,
    *,
    interrupted_by: InterruptReason | None,
    now: datetime,
    policy: FailurePolicy,
    jitter: float,
) -> Item:
    """Return the item that ends the claim, given how its tasks ended.

    `before` is the item as claimed, `results` everything that ended under this claim, by task name. `interrupted_by` is
    why the attempt stopped with tasks left to run; None when it ran all it could. `jitter` is uniform in [0, 1).
    """
    item = record(before, results, policy=policy)
    if not item.todo:
        return _finished(item, results, now)
    if interrupted_by is None or _ran_all(item, results):
        return _retry(item, results, now, policy, jitter)
    if interrupted_by is InterruptReason.WALL_TIME and results:
        return _wall_time_exceeded(item, results, now, policy)
    return release(item, interrupted_by)


def release(item: Item, why: InterruptReason) -> Item:
    """Give a claim back: our haste, never the script's fault."""
    told = _told(item, f"interrupted: {why}")
    return replace(item, state=State.TODO, interruptions=item.interruptions + 1, **told)


def release_unused(item: Item) -> Item:
    """Give a claim back that nothing was done with: no more than its attempt number is used up."""
    return replace(item, state=State.TODO)


def reclaim(item: Item, *, now: datetime, policy: FailurePolicy) -> Item:
    """Take an item from a worker that vanished; bury it when it did so too often.

    The token goes, so that nothing the old holder may still send can pass for the new state's own.
    """
    vanished = replace(item, crashes=item.crashes + 1, token="")
    if vanished.crashes >= policy.crash_limit:
        reason = f"its worker vanished {plural(vanished.crashes, 'time')}; the last was {item.worker}"
        return _bury(vanished, reason, now)
    return replace(vanished, state=State.TODO, **_told(item, f"its worker {item.worker} vanished"))


def settle_internal_error(item: Item, problem: str, *, now: datetime, policy: FailurePolicy) -> Item:
    """Put an item back whose attempt broke by a fault of ours; counts like a worker that vanished, to end some day."""
    broken = replace(item, crashes=item.crashes + 1)
    if broken.crashes >= policy.crash_limit:
        return _bury(broken, problem, now)
    return replace(broken, state=State.TODO, **_told(item, problem))


def reset(item: Item, *, all_tasks: bool = False) -> Item:
    """Put an item back as if it had never run: ledgers at zero, failed tasks (or all) to run again."""
    tasks = tuple(
        replace(task, state=TaskState.TODO, failures=0)
        if all_tasks or task.state is not TaskState.DONE or len(item.tasks) == 1
        else task
        for task in item.tasks
    )
    return replace(
        item,
        tasks=tasks,
        state=State.TODO,
        token="",
        worker="",
        locked_at=None,
        done_at=None,
        not_before=None,
        crashes=0,
        interruptions=0,
        wall_time_kills=0,
    )


def _ended(task: Task, result: TaskRecord, policy: FailurePolicy, limit: int) -> Task:
    state, failures = task.state, task.failures
    match result.outcome:
        case Succeeded():
            state = TaskState.DONE
        case Failed() | TimedOut() as outcome if (verdict := policy.verdict(outcome)) is not Verdict.RETRY:
            failures += 1
            state = TaskState.FAILED if verdict is Verdict.FAIL or failures >= limit else TaskState.TODO
    return replace(task, state=state, attempts=task.attempts + 1, failures=failures, record=result)


def _finished(item: Item, results: Results, now: datetime) -> Item:
    if all(task.state is TaskState.DONE for task in item.tasks):
        return replace(item, state=State.DONE, done_at=now, wall_time_kills=0, **_told(item, ""))
    return replace(item, state=State.FAILED, done_at=now, **_told(item, _first_failure(item, results)))


def _wall_time_exceeded(item: Item, results: Results, now: datetime, policy: FailurePolicy) -> Item:
    progress = any(isinstance(result.outcome, Succeeded) for result in results.values())
    killed = any(result.outcome == Interrupted(InterruptReason.WALL_TIME) for result in results.values())
    kills = 0 if progress else item.wall_time_kills + killed
    counted = replace(item, wall_time_kills=kills, interruptions=item.interruptions + 1, done_at=now)
    if kills >= policy.wall_time_limit:
        reason = f"the wall time ended it {plural(kills, 'time')} without progress"
        return _bury(counted, reason, now)
    return replace(
        counted, state=State.WALL_TIME_EXCEEDED, **_told(item, Interrupted(InterruptReason.WALL_TIME).reason)
    )


def _ran_all(item: Item, results: Results) -> bool:
    """Tell whether all that is left to run did run to its own end, so that no stop can have cut it short."""
    ran = {name for name, result in results.items() if not isinstance(result.outcome, Interrupted)}
    return all(task.name in ran for task in item.todo)


def _bury(item: Item, reason: str, now: datetime) -> Item:
    """Fail an item with tasks left to run, and those with it: a failed item has none."""
    tasks = tuple(
        replace(task, state=TaskState.FAILED) if task.state is TaskState.TODO else task for task in item.tasks
    )
    return replace(item, tasks=tasks, state=State.FAILED, done_at=now, **_told(item, reason))


def _retry(item: Item, results: Results, now: datetime, policy: FailurePolicy, jitter: float) -> Item:
    endings_before = max((task.attempts - 1 for task in item.todo if task.name in results), default=0)
    not_before = now + policy.delay(endings_before, jitter)
    return replace(item, state=State.TODO, not_before=not_before, **_told(item, _first_failure(item, results)))


def _first_failure(item: Item, results: Results) -> str:
    for task in item.tasks:
        result = results.get(task.name) or task.record
        if task.state is not TaskState.DONE and result and isinstance(result.outcome, Failed | TimedOut):
            return f"{task.name}: {result.outcome.reason}" if item.nested else result.outcome.reason
    return ""


def _told(item: Item, reason: str) -> _Told:
    """Make `reason` the latest, and what was the latest a line of the bounded history."""
    older = (*item.history, item.reason) if item.reason else item.history
    latest = f"attempt {item.attempt}: {reason}"[:REASON_LENGTH] if reason else ""
    return {"reason": latest, "history": older[-HISTORY_LENGTH:]}
