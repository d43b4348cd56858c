"""Explain why an item does not run, or what became of it, in sentences, and what to type next.

`explain` is a pure function of what the table knows: the item and the workers, at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import DEFAULT_PRIORITY, Item, State, Task, TaskState
from pyanamo_async.core.outcomes import Checkpointed, Failed, TimedOut
from pyanamo_async.core.queue_lanes import EVERYBODY, lane_of
from pyanamo_async.core.reasons import latest
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.durations import show_duration
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.transitions import NOT_STARTED
from pyanamo_async.core.values import Value
from pyanamo_async.core.workers import Desired, is_waiting
from pyanamo_async.fleet.membership import WorkerCondition, WorkerStatus, living
from pyanamo_async.operate.failures import task_of
from pyanamo_async.operate.free_workers import NextStep, Told, at_work, left_to, show_span, to_start, who_takes

DEFAULTS = FailurePolicy()
SIGKILL = 9
NAMED = 5  # tasks in a sentence


class Explanation(Value):
    """Why an item is as it is, in sentences, and what a person may do about it, the most likely first.

    `task` is the task of a nested item that is worth looking at first: one that failed, or else one left to run.
    """

    item_id: str
    state: State
    because: tuple[str, ...]
    next_steps: tuple[NextStep, ...]
    task: str = ""


def explain(item: Item, *, now: datetime, workers: Sequence[WorkerStatus]) -> Explanation:
    """Explain an item, given all workers that the table knows."""
    match item.state:
        case State.TODO:
            sentences, steps = _todo(item, now, workers)
        case State.LOCKED:
            sentences, steps = _locked(item, now, workers)
        case State.DONE:
            sentences = [f"It was done{_at(item.done_at, now)}, with attempt {item.attempt}."]
            steps = [NextStep.SEE_OUTPUT, NextStep.RESET]
        case State.FAILED:
            sentences, steps = _failed(item, now)
        case State.WALL_TIME_EXCEEDED:
            sentences, steps = _out_of_time(item, now, workers)
        case State.PENDING:
            sentences, steps = _held(item, now)
    return Explanation(item.item_id, item.state, tuple(sentences), tuple(dict.fromkeys(steps)), _telling(item))


def _telling(item: Item) -> str:
    """Return the name of the task of a nested item that is worth looking at first."""
    if not item.nested or not item.tasks:
        return ""
    named = next((task for task in item.tasks if task.name == task_of(item.reason)), None)
    failed = next((task for task in item.tasks if task.state is TaskState.FAILED), None)
    left = next((task for task in item.tasks if task.state is not TaskState.DONE), None)
    return (failed or (named if item.state is not State.LOCKED else None) or left or item.tasks[0]).name


def _todo(item: Item, now: datetime, workers: Sequence[WorkerStatus]) -> Told:
    lane = lane_of(item)
    if item.not_before and item.not_before > now:
        why, steps = _why_it_waits(item)
        sentences = [f"It waits until {_time(item.not_before)} (for {show_span(item.not_before - now)}), {why}."]
    else:
        first = " (0 goes first, 9 last)" if item.priority != DEFAULT_PRIORITY else ""
        sentences, steps = (
            [f"{who_takes(lane)} may claim it now; its priority is {item.priority}{first}."],
            list[NextStep](),
        )
    sentences += [*_last_reason(item), *_ledgers(item), *_limits(item)]
    if DEFAULTS.is_last_chance(item.crashes):
        sentences.append("It is its last chance: it runs only while its worker runs nothing else.")
    if lane != EVERYBODY:
        workers = [each for each in workers if each.worker.kind.takes(lane)]
        sentences.append(left_to(item, lane, is_taken=bool(living(workers))))
        if not living(workers):
            return sentences, [*to_start(lane), *steps]
    told, more = at_work(now, workers, not_before=item.not_before)
    return sentences + told, more + steps


def _why_it_waits(item: Item) -> tuple[str, list[NextStep]]:
    if item.reason.startswith(latest(item, NOT_STARTED)):
        return "because it could not be started", [NextStep.RETRY]
    outcomes = [task.record.outcome for task in item.tasks if task.record and task.record.attempt == item.attempt]
    if not outcomes:
        return "because its last worker had no room for it beside what ran there", []
    if all(isinstance(outcome, Checkpointed) for outcome in outcomes):
        return "to go on from its checkpoint", []
    return "because it failed", [NextStep.RETRY, NextStep.SEE_ERRORS]


def _out_of_time(item: Item, now: datetime, workers: Sequence[WorkerStatus]) -> Told:
    sentences = [
        f"The time of its worker was over{_at(item.done_at, now)}.",
        "Workers take it up again when nothing in todo is due.",
    ]
    if item.wall_time_kills:
        sentences.append(
            f"The wall time has ended it {plural(item.wall_time_kills, 'time')} without progress; after "
            f"{DEFAULTS.wall_time_limit} it fails. It may need more time than its workers have."
        )
    told, steps = at_work(now, workers)
    return [*sentences, *_ledgers(item), *_limits(item), *told], [NextStep.RUN_LONGER, *steps]


def _held(item: Item, now: datetime) -> Told:
    was = f"; it was {item.held.state} before" if item.held else ""
    sentences = [f"Somebody held it{_at(item.done_at, now)}{was}. No worker takes it up until it is let go."]
    return [*sentences, *_last_reason(item)], [NextStep.UNHOLD, NextStep.RESET]


def _locked(item: Item, now: datetime, workers: Sequence[WorkerStatus]) -> Told:
    since = f" since {_time(item.locked_at)} (for {show_span(now - item.locked_at)})" if item.locked_at else ""
    sentences = [f"{item.worker} holds it{since}, with attempt {item.attempt}."]
    if item.nested:
        sentences.append(f"Tasks done: {item.tasks_done} of {len(item.tasks)}.")
    holder = next((each for each in workers if each.worker.worker_id == item.worker), None)
    taken = "Other workers take the item over by themselves"
    if holder is None:
        return [*sentences, f"The table knows nothing of that worker. {taken}."], [NextStep.RECLAIM, NextStep.RUN]
    heartbeat = f"its last heartbeat was {show_span(now - holder.worker.heartbeat)} ago, on {holder.worker.host}"
    match holder.condition:
        case WorkerCondition.ALIVE:
            ordered = holder.worker.desired
            told = f" It was told to {ordered}." if ordered is not Desired.RUN else ""
            sentences.append(f"That worker is alive: {heartbeat}.{told}")
            if is_waiting(item, holder.worker):
                wait = holder.worker.waiting.show()
                needs = f": it needs {wait}" if wait else ", and there was enough"
                waits = f"Nothing of it ran then: it waited there for room{needs}."
                return [*sentences, waits, *_limits(item)], [NextStep.LIST_WORKERS, NextStep.SHOW]
            return [*sentences, *_limits(item)], [NextStep.FOLLOW, NextStep.SHOW]
        case WorkerCondition.STANDING:
            sentences.append(f"That worker was stopped on this machine, and may go on: {heartbeat}.")
            if not holder.is_silent:
                return sentences, [NextStep.LIST_WORKERS]
            sentences.append(f"It has been silent for longer than its lease. {taken}.")
        case WorkerCondition.STALE:
            sentences.append(
                f"That worker is silent: {heartbeat}, and its lease is {show_duration(holder.worker.lease)}. {taken}."
            )
        case WorkerCondition.DIED:
            sentences.append(f"That worker died: {heartbeat}. {taken}.")
        case WorkerCondition.ENDED:
            sentences.append(f"That worker ended without giving it back. {taken}.")
    if is_waiting(item, holder.worker):
        sentences.append("Nothing of it ran: it waited there for room, so that it is charged no crash.")
    return sentences, [NextStep.RECLAIM, NextStep.RUN]


def _failed(item: Item, now: datetime) -> Told:
    sentences = [f"It failed{_at(item.done_at, now)}, and no worker takes it up again until somebody puts it back."]
    sentences += _last_reason(item)
    broken = [task for task in item.tasks if task.state is not TaskState.DONE]
    if item.nested:
        named = ", ".join(task.name for task in broken[:NAMED]) + (", ..." if len(broken) > NAMED else "")
        sentences.append(f"{item.tasks_done} of its {plural(len(item.tasks), 'task')} are done; not {named}.")
    by_itself = [task for task in broken if task.failures]
    if by_itself:
        most = max(task.failures for task in by_itself)
        limit = f"; the limit is {item.max_failures}" if item.max_failures is not None else ""
        sentences.append(f"Its script failed {plural(most, 'time')}{limit}.")
        sentences += _causes(by_itself)
    elif item.oom_kills:
        sentences.append(f"Memory ran out {plural(item.oom_kills, 'time')}: it needs a worker that has more.")
    elif item.wall_time_kills:
        sentences.append(
            f"The wall time ended it {plural(item.wall_time_kills, 'time')} without progress: it needs more time than "
            "its workers had."
        )
    elif item.crashes:
        sentences.append(
            f"{plural(item.crashes, 'worker')} vanished while they ran it: it may take the machine down, as with too "
            "much memory."
        )
    more = list[NextStep]()
    if not by_itself and (item.oom_kills or item.wall_time_kills):
        more = [NextStep.RUN_LARGER if item.oom_kills else NextStep.RUN_LONGER]
    return sentences, [NextStep.SEE_ERRORS, NextStep.RETRY, *more]


def _causes(tasks: Sequence[Task]) -> Iterator[str]:
    """Return what a failure suggests beyond what its status says."""
    records = [task.record for task in tasks if task.record]
    if limit := next((each.outcome.limit for each in records if isinstance(each.outcome, TimedOut)), None):
        yield f"Its time limit, {show_duration(limit)}, may be too short."
    for each in records:
        if isinstance(each.outcome, Failed) and SIGKILL in (each.outcome.signal, (each.outcome.exit_code or 0) - 128):
            peak = f"; its peak was {show_size(each.max_rss_bytes)}" if each.max_rss_bytes else ""
            yield f"SIGKILL often means that the machine was out of memory{peak}."
            return


def _last_reason(item: Item) -> Iterator[str]:
    if item.reason:
        yield f"The latest reason: {item.reason}."


def _ledgers(item: Item) -> Iterator[str]:
    """Return what was counted against the item so far."""
    counts = (
        (item.failures, "failure", item.max_failures, ""),
        (item.crashes, "crash", DEFAULTS.crash_limit, " by default"),
        (item.interruptions, "interruption", None, ""),
        (item.oom_kills, "OOM kill", DEFAULTS.oom_limit, " by default"),
    )
    found = [
        f"{plural(number, noun)}{f' (it fails with {limit}{how})' if limit is not None else ''}"
        for number, noun, limit, how in counts
        if number
    ]
    if found:
        yield f"So far it had {', '.join(found)}."


def _limits(item: Item) -> Iterator[str]:
    if item.timeout:
        yield f"Each of its scripts is ended after {show_duration(item.timeout)}."


def _at(time: datetime | None, now: datetime) -> str:
    return f" at {_time(time)} ({show_span(now - time)} ago)" if time else ""


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
