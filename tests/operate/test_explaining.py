"""Why an item does not run: every state, and what to type next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pyanamo_async.core.holding import hold
from pyanamo_async.core.items import Item, Output, State, TaskRecord, TaskState
from pyanamo_async.core.memory.room_wait import RoomWait
from pyanamo_async.core.outcomes import Checkpointed, Failed, Outcome, TimedOut
from pyanamo_async.core.platforms import Platform
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Desired, Worker
from pyanamo_async.fleet.membership import WorkerCondition, WorkerStatus
from pyanamo_async.operate.explaining import explain
from pyanamo_async.operate.free_workers import NextStep
from tests.fakes import NOON, an_item

MINUTE = timedelta(minutes=1)


def a_worker(condition: WorkerCondition = WorkerCondition.ALIVE, **fields: object) -> WorkerStatus:
    """Make a worker, and how it is."""
    row = Worker("w", "node-7", NOON - 60 * MINUTE, NOON - MINUTE, 3 * MINUTE, slots=4, running=4)
    return WorkerStatus(replace(row, **fields), condition)  # type: ignore[arg-type]


SMALL = Platform(budget_bytes=8 << 30)


def an_attempt(outcome: Outcome) -> TaskRecord:
    """Make the record of an attempt."""
    return TaskRecord(outcome, NOON, NOON, 1.0, 1, "w", max_rss_bytes=31 << 30, stderr=Output("", "", 0, 0, ""))


def failed(item: Item, outcome: Outcome | None = None, failures: int = 3, **fields: object) -> Item:
    """Fail an item whose tasks ended like this."""
    tasks = tuple(
        replace(task, state=TaskState.FAILED, failures=failures, record=an_attempt(outcome) if outcome else None)
        for task in item.tasks
    )
    values = {"state": State.FAILED, "done_at": NOON - MINUTE, "attempt": 3, "reason": "attempt 3: exit status 1"}
    return replace(item, tasks=tasks, **(values | fields))  # type: ignore[arg-type]


def waiting_after(outcome: Outcome | None) -> Item:
    """Put an item back for five minutes after its first attempt, which may have started nothing."""
    tasks = tuple(replace(task, record=an_attempt(outcome) if outcome else None) for task in WAITING.tasks)
    return replace(WAITING, tasks=tasks, attempt=1, not_before=NOON + 5 * MINUTE)


def said(item: Item, *workers: WorkerStatus) -> str:
    """Explain, in one text."""
    return " ".join(explain(item, now=NOON, workers=workers).because)


WAITING = an_item("a")
LOCKED = replace(WAITING, state=State.LOCKED, worker="w", token="t", attempt=2, locked_at=NOON - 5 * MINUTE)
OUT_OF_TIME = replace(WAITING, state=State.WALL_TIME_EXCEEDED, done_at=NOON - MINUTE, wall_time_kills=2)
HELD = hold(WAITING, now=NOON - MINUTE, why="withdrawn")
NESTED = an_item("n", nested=["x", "y"])
TOO_LARGE = replace(WAITING, memory_class=64, memory_bytes=60 << 30)
SMALL_FOR_ITS_CLASS = replace(TOO_LARGE, memory_bytes=50 << 30)
LARGE_TOGETHER = replace(TOO_LARGE, memory_bytes=20 << 30)
LAST = replace(WAITING, evictions=3, last_attempts=True)
CASES = [
    (HELD, [], "Somebody held it", NextStep.UNHOLD),
    (HELD, [], "it was todo before. No worker takes it up until it is let go", NextStep.UNHOLD),
    (HELD, [], "withdrawn", NextStep.UNHOLD),
    (WAITING, [], "No worker is alive.", NextStep.RUN),
    (WAITING, [a_worker(WorkerCondition.ENDED)], "the last heartbeat of any was 1m ago", NextStep.RUN),
    (
        WAITING,
        [a_worker()],
        "all their 4 places were taken when last heard of (1m ago): it waits for its turn",
        NextStep.LIST_WORKERS,
    ),
    (WAITING, [a_worker(running=1)], "3 of 4 places free: it should start soon", NextStep.LIST_WORKERS),
    (
        WAITING,
        [a_worker(running=1, waiting=RoomWait("t", cpus=2))],
        "2 of 4 places free, but little room: an item that it holds waits",
        NextStep.LIST_WORKERS,
    ),
    (WAITING, [a_worker(desired=Desired.DRAIN)], "all were told to drain or stop", NextStep.RUN),
    (replace(WAITING, priority=9), [a_worker()], "its priority is 9 (0 goes first, 9 last)", NextStep.LIST_WORKERS),
    (waiting_after(Failed(exit_code=1)), [a_worker()], "(for 5m), because it failed.", NextStep.RETRY),
    (waiting_after(Checkpointed()), [a_worker()], "to go on from its checkpoint.", NextStep.LIST_WORKERS),
    (waiting_after(None), [a_worker()], "had no room for it beside what ran there.", NextStep.LIST_WORKERS),
    (
        replace(waiting_after(None), reason="attempt 1: not started: its checkpoint cannot be read: denied"),
        [a_worker()],
        "(for 5m), because it could not be started. The latest reason: attempt 1: not started: its checkpoint",
        NextStep.RETRY,
    ),
    (replace(WAITING, timeout=90 * MINUTE), [a_worker()], "is ended after 1h30m", NextStep.LIST_WORKERS),
    (replace(WAITING, crashes=4), [a_worker()], "4 crashes (it fails with 5 by default)", NextStep.LIST_WORKERS),
    (replace(WAITING, crashes=4), [a_worker()], "runs only while its worker runs nothing else", NextStep.LIST_WORKERS),
    (replace(WAITING, oom_kills=2), [a_worker()], "2 OOM kills (it fails with 3 by default)", NextStep.LIST_WORKERS),
    (LOCKED, [a_worker()], "w holds it since", NextStep.FOLLOW),
    (
        LOCKED,
        [a_worker()],
        "with attempt 2. That worker is alive: its last heartbeat was 1m ago",
        NextStep.SHOW,
    ),
    (
        LOCKED,
        [a_worker(waiting=RoomWait("t", memory_bytes=3 << 30, free_bytes=1 << 30))],
        "heartbeat was 1m ago, on node-7. Nothing of it ran then: it waited there for room: it needs 3.0 GB of memory, "
        "of which 1.0 GB was free. ",
        NextStep.LIST_WORKERS,
    ),
    (
        LOCKED,
        [a_worker(waiting=RoomWait("t", cpus=4, free_cpus=1))],
        "waited there for room: it needs 4 CPUs, of which 1 could be had. ",
        NextStep.SHOW,
    ),
    (LOCKED, [a_worker(waiting=RoomWait("t"))], "waited there for room, and there was enough. ", NextStep.SHOW),
    (
        LOCKED,
        [a_worker(WorkerCondition.DIED, waiting=RoomWait("t"))],
        "waited there for room, so that it is charged no crash.",
        NextStep.RECLAIM,
    ),
    (LOCKED, [a_worker(waiting=RoomWait("of another"))], "1m ago, on node-7. ", NextStep.FOLLOW),
    (LOCKED, [a_worker(desired=Desired.STOP)], "It was told to stop.", NextStep.FOLLOW),
    (
        LOCKED,
        [a_worker(WorkerCondition.STALE)],
        "is silent: its last heartbeat was 1m ago",
        NextStep.RECLAIM,
    ),
    (LOCKED, [a_worker(WorkerCondition.STANDING)], "was stopped on this machine", NextStep.LIST_WORKERS),
    (WAITING, [a_worker(WorkerCondition.STANDING)], "No worker is alive", NextStep.RUN),
    (LOCKED, [a_worker(WorkerCondition.DIED)], "That worker died", NextStep.RECLAIM),
    (LOCKED, [a_worker(WorkerCondition.ENDED)], "ended without giving it back", NextStep.RECLAIM),
    (LOCKED, [], "knows nothing of that worker", NextStep.RECLAIM),
    (replace(WAITING, state=State.DONE, done_at=NOON - MINUTE), [], "It was done at 2026", NextStep.SEE_OUTPUT),
    (failed(WAITING, Failed(exit_code=1)), [], "Its script failed 3 times.", NextStep.RETRY),
    (failed(WAITING, Failed(exit_code=1), max_failures=3), [], "failed 3 times; the limit is 3", NextStep.SEE_ERRORS),
    (failed(WAITING, Failed(signal=9)), [], "out of memory; its peak was 31 GB", NextStep.RETRY),
    (failed(WAITING, Failed(exit_code=137)), [], "out of memory; its peak was 31 GB", NextStep.RETRY),
    (failed(WAITING, TimedOut(90 * MINUTE)), [], "Its time limit, 1h30m, may be too short.", NextStep.RETRY),
    (failed(WAITING, failures=0, crashes=5), [], "5 workers vanished while they ran it", NextStep.RETRY),
    (failed(WAITING, failures=0, wall_time_kills=5), [], "needs more time than its workers had", NextStep.RUN_LONGER),
    (
        failed(WAITING, failures=0, oom_kills=3),
        [],
        "ran out 3 times: it needs a worker that has more",
        NextStep.RUN_LARGER,
    ),
    (failed(an_item("n", nested=["x", "y"]), Failed(exit_code=1)), [], "not Task_0, Task_1", NextStep.RETRY),
    (OUT_OF_TIME, [a_worker()], "ended it 2 times without progress; after 5 it fails", NextStep.RUN_LONGER),
    (TOO_LARGE, [a_worker(platform=SMALL)], "It needs 60 GB of memory, and no living worker has that.", NextStep.SET),
    (SMALL_FOR_ITS_CLASS, [], "It needs 50 GB of memory (a worker with 55 GB or more), and no", NextStep.RUN_LARGER),
    (LARGE_TOGETHER, [a_worker(platform=SMALL)], "It needs 64 GB of memory, and no living", NextStep.RUN_LARGER),
    (TOO_LARGE, [a_worker(WorkerCondition.ENDED)], "no living worker has that", NextStep.RUN_LARGER),
    (
        TOO_LARGE,
        [a_worker(platform=SMALL), a_worker()],
        "and is left to workers that have so much.",
        NextStep.LIST_WORKERS,
    ),
    (LAST, [a_worker()], "A worker that takes last attempts may claim it now", NextStep.RUN_LAST),
    (LAST, [a_worker()], "Its machine was lost 3 times, so that it is left to workers with", NextStep.RETRY),
    (LAST, [a_worker()], "left to workers with `last_attempts`, and no living worker has that.", NextStep.RUN_LAST),
    (LAST, [a_worker(), a_worker(last_attempts=True, running=1)], "1 worker is alive, with 3", NextStep.LIST_WORKERS),
    (OUT_OF_TIME, [], "Workers take it up again when nothing in todo is due. ", NextStep.RUN),
]


@pytest.mark.parametrize(("item", "workers", "sentence", "step"), CASES)
def test_an_item_is_explained(item: Item, workers: list[WorkerStatus], sentence: str, step: NextStep) -> None:
    """With what holds it up, and what a person may do about it."""
    told = explain(item, now=NOON, workers=workers)

    assert sentence in " ".join(told.because) + " "
    assert step in told.next_steps
    assert all(each.endswith(".") for each in told.because)


@pytest.mark.parametrize("state", State)
def test_every_state_has_an_explanation_and_a_next_step(state: State) -> None:
    """Whatever a person asks about."""
    told = explain(replace(WAITING, state=state), now=NOON, workers=[])

    assert (told.item_id, told.state) == ("a", state)
    assert told.because
    assert told.next_steps


def test_a_row_with_times_in_the_future_is_explained() -> None:
    """Clocks differ: a moment ago is never a negative time."""
    assert "-" not in said(replace(LOCKED, locked_at=NOON + MINUTE), a_worker()).partition("(for")[2].partition(")")[0]


def test_an_item_that_has_to_wait_is_not_held_up_by_others() -> None:
    """Before its time, it does not matter whether places are free."""
    told = said(replace(WAITING, not_before=NOON + 5 * MINUTE), a_worker())

    assert "1 worker is alive: when that wait is over, it may start." in told
    assert "places" not in told


@pytest.mark.parametrize(
    ("item", "task"),
    [
        (failed(WAITING), ""),
        (replace(NESTED, state=State.FAILED, tasks=(NESTED.tasks[0], failed(NESTED).tasks[1])), "Task_1"),
        (replace(NESTED, reason="attempt 1: Task_1: exit status 3"), "Task_1"),
        (replace(NESTED, state=State.LOCKED, worker="w"), "Task_0"),
    ],
)
def test_of_a_nested_item_the_task_that_failed_is_named(item: Item, task: str) -> None:
    """Output is that of a task: `logs` needs its name."""
    assert task == explain(item, now=NOON, workers=[]).task


def test_what_matters_of_a_failure_is_its_own_reason() -> None:
    """As stored, also when it is no failure of the script."""
    assert "The latest reason: attempt 3: exit status 1." in said(failed(WAITING))
