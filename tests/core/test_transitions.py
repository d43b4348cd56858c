"""The rules of `core.transitions`: each one alone, and what holds for all of them together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core import orders, transitions
from pyanamo_async.core.failure_policy import FailurePolicy, Verdict
from pyanamo_async.core.items import Item, State, TaskRecord, TaskState
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, NotStarted, Outcome, Succeeded, TimedOut
from pyanamo_async.core.stored.queue_key import EPOCH
from pyanamo_async.core.stored.record import decode, encode
from pyanamo_async.core.values import replace
from tests.fakes import NOON, an_item
from tests.outcomes import OUTCOMES

POLICY = FailurePolicy()
ANY_OUTCOME = st.sampled_from(OUTCOMES)


def a_record(outcome: Outcome) -> TaskRecord:
    return TaskRecord(outcome, started=NOON, finished=NOON, seconds=0.0, attempt=1, worker="w")


def claimed(item: Item) -> Item:
    return transitions.claim(item, worker="w", token="t", now=NOON)


def settled(
    item: Item,
    *outcomes: Outcome,
    interrupted_by: InterruptReason | NotStarted | None = None,
    policy: FailurePolicy = POLICY,
) -> Item:
    results = {task.name: a_record(outcome) for task, outcome in zip(item.todo, outcomes, strict=False)}
    return transitions.settle(item, results, interrupted_by=interrupted_by, now=NOON, policy=policy, jitter=0.5)


def test_claim_locks_under_a_new_attempt_number() -> None:
    """A claim names its holder and increments the attempt number."""
    item = claimed(an_item("a"))

    assert (item.state, item.attempt, item.worker, item.token) == (State.LOCKED, 1, "w", "t")
    assert claimed(item).attempt == 2


def test_exit_0_completes() -> None:
    """A single item whose script exits 0 is done."""
    item = settled(claimed(an_item("a")), Succeeded())

    assert (item.state, item.done_at, item.reason) == (State.DONE, NOON, "")


def test_failure_is_retried_not_before_its_backoff() -> None:
    """A failure below the limit puts the item back for later."""
    item = settled(claimed(an_item("a")), Failed(exit_code=7))

    assert item.state is State.TODO
    assert item.not_before == NOON + timedelta(seconds=0.5)
    assert (item.failures, item.reason) == (1, "attempt 1: exit status 7")


def test_last_failure_buries() -> None:
    """An item that reaches `max_failures` is failed and waits for a person."""
    item = an_item("a")
    for _ in range(3):
        item = settled(claimed(item), Failed(exit_code=7))

    assert (item.state, item.failures, item.attempt) == (State.FAILED, 3, 3)


def test_item_may_have_its_own_limit() -> None:
    """`MaxFailures` of an item takes precedence over the worker's policy."""
    assert settled(claimed(an_item("a", max_failures=1)), Failed(exit_code=7)).state is State.FAILED


@pytest.mark.parametrize(
    ("rule", "outcome", "state", "failures"),
    [
        ((75, Verdict.RETRY), Failed(exit_code=75), State.TODO, 0),
        ((2, Verdict.FAIL), Failed(exit_code=2), State.FAILED, 1),
        ((137, Verdict.RETRY), Failed(signal=9), State.TODO, 0),
        (("timeout", Verdict.FAIL), TimedOut(timedelta(seconds=1)), State.FAILED, 1),
    ],
)
def test_policy_by_ending(rule: tuple[int | str, Verdict], outcome: Outcome, state: State, failures: int) -> None:
    """A rule for an exit status, a signal or a timeout retries without counting, or fails the task at once."""
    item = settled(claimed(an_item("a")), outcome, policy=FailurePolicy(on_exit=(rule,)))

    assert (item.state, item.failures) == (state, failures)


@pytest.mark.parametrize("everywhere", [False, True])
def test_what_could_not_be_started_says_why(everywhere: bool) -> None:
    """It is no failure. Another machine may take it at once, unless it would fare the same: then later and later."""
    refusal = NotStarted("its checkpoint cannot be read", everywhere)
    item, waits_s = an_item("a"), []
    for _ in range(12):
        item = settled(claimed(item), interrupted_by=refusal)
        waits_s.append((item.not_before - NOON).total_seconds() if item.not_before else 0.0)

    assert (item.state, item.failures, item.crashes, item.interruptions) == (State.TODO, 0, 0, 12)
    assert item.reason == "attempt 12: not started: its checkpoint cannot be read"
    assert waits_s[:3] == ([0.5, 1.0, 2.0] if everywhere else [0.0] * 3)
    assert max(waits_s) == (POLICY.backoff_max.total_seconds() / 2 if everywhere else 0.0)


def test_interruption_is_no_failure() -> None:
    """A stop releases the item: no failure, no crash, claimable at once."""
    item = settled(claimed(an_item("a")), Interrupted(InterruptReason.STOP), interrupted_by=InterruptReason.STOP)

    assert (item.state, item.failures, item.crashes, item.interruptions) == (State.TODO, 0, 0, 1)
    assert item.not_before is None


def test_interruptions_do_not_lengthen_the_backoff() -> None:
    """The first failure after many interruptions waits as briefly as any first failure."""
    item = an_item("a")
    for _ in range(10):
        item = settled(claimed(item), Interrupted(InterruptReason.STOP), interrupted_by=InterruptReason.STOP)
    item = settled(claimed(item), Failed(exit_code=7))

    assert item.not_before == NOON + timedelta(seconds=0.5)


def test_nested_item_fails_only_when_none_is_left_to_run() -> None:
    """A failed task does not fail its item while siblings are left to run."""
    policy = FailurePolicy(max_failures=2)
    first = settled(claimed(an_item("a", nested=["x", "y"])), Failed(exit_code=1), Succeeded(), policy=policy)
    second = settled(claimed(first), Failed(exit_code=1), policy=policy)

    assert (first.state, first.tasks_done) == (State.TODO, 1)
    assert (second.state, second.reason) == (State.FAILED, "attempt 2: Task_0: exit status 1")


def test_the_reason_is_a_failure_of_this_attempt() -> None:
    """A task that failed for good earlier does not hide why the item is retried now."""
    policy = FailurePolicy(on_exit=((2, Verdict.FAIL),))
    first = settled(claimed(an_item("a", nested=["x", "y"])), Failed(exit_code=2), Failed(exit_code=7), policy=policy)
    second = settled(claimed(first), Failed(exit_code=8), policy=policy)

    assert (second.state, second.reason) == (State.TODO, "attempt 2: Task_1: exit status 8")


def test_wall_time_without_progress_buries_after_its_limit() -> None:
    """A task that the wall time keeps killing is buried, and the reason says so."""
    item = an_item("a")
    for _ in range(POLICY.wall_time_limit):
        item = settled(claimed(item), Interrupted(InterruptReason.WALL_TIME), interrupted_by=InterruptReason.WALL_TIME)

    assert item.state is State.FAILED
    assert "wall time ended it 5 times" in item.reason
    assert item.failures == 0


def test_progress_clears_wall_time_kills() -> None:
    """A nested item that finishes a task in each attempt may be killed at the wall time any number of times."""
    item = an_item("a", nested=["x"] * 20)
    for _ in range(POLICY.wall_time_limit + 5):
        item = settled(
            claimed(item), Succeeded(), Interrupted(InterruptReason.WALL_TIME), interrupted_by=InterruptReason.WALL_TIME
        )

    assert (item.state, item.wall_time_kills) == (State.WALL_TIME_EXCEEDED, 0)


@pytest.mark.parametrize("then", [Failed(exit_code=1), Interrupted(InterruptReason.STOP)], ids=["retry", "stop"])
def test_progress_counts_however_the_attempt_ended(then: Outcome) -> None:
    """A task that finished clears the wall-time kills before a retry or a stop too, and as soon as it is saved."""
    item = replace(claimed(an_item("a", nested=["x", "y"])), wall_time_kills=4)
    interrupted_by = InterruptReason.STOP if isinstance(then, Interrupted) else None
    saved = transitions.record(item, {"Task_0": a_record(Succeeded())}, policy=POLICY)

    assert settled(item, Succeeded(), then, interrupted_by=interrupted_by).wall_time_kills == 0
    assert (saved.state, saved.wall_time_kills) == (State.LOCKED, 0)


def test_wall_time_before_anything_started_is_a_release() -> None:
    """An item whose tasks never started stays in `todo`."""
    assert settled(claimed(an_item("a")), interrupted_by=InterruptReason.WALL_TIME).state is State.TODO


def test_vanished_workers_bury_at_the_crash_limit() -> None:
    """Exactly `crash_limit` vanished workers bury an item, and the reason says so."""
    item, states = an_item("a"), []
    for _ in range(POLICY.crash_limit):
        item = transitions.reclaim(claimed(item), now=NOON, policy=POLICY)
        states.append(item.state)

    assert states == [State.TODO] * 4 + [State.FAILED]
    assert "vanished 5 times" in item.reason
    assert item.token == ""


def test_a_worker_that_only_stood_still_costs_an_interruption() -> None:
    """However often: no item is to blame for it, and none is buried."""
    item = an_item("a")
    for _ in range(POLICY.crash_limit + 1):
        item = transitions.reclaim(claimed(item), now=NOON, policy=POLICY, interrupted="stood still")

    assert (item.state, item.crashes, item.interruptions) == (State.TODO, 0, POLICY.crash_limit + 1)
    assert item.token == ""


def test_what_a_vanished_worker_cost_is_what_it_had_not_written() -> None:
    """From the claim, or its last task that ended, until it was seen last; of one that nobody saw it is not known."""
    seconds = timedelta(seconds=1)
    item = claimed(an_item("a", nested=["x", "y"]))
    ended = replace(a_record(Succeeded()), finished=NOON + 40 * seconds)
    saved = transitions.record(item, {"Task_0": ended}, policy=POLICY)
    late = NOON + 3600 * seconds

    def lost(held: Item, seen: timedelta | None) -> float:
        return transitions.reclaim(
            held, now=late, policy=POLICY, seen=None if seen is None else NOON + seen
        ).seconds_lost

    assert [lost(item, seen) for seen in (60 * seconds, -60 * seconds, None)] == [60.0, 0.0, 0.0]
    assert lost(saved, 60 * seconds) == 20.0
    assert lost(replace(item, seconds_lost=1.5), 60 * seconds) == 61.5


def test_interruptions_add_up_what_ran_in_vain() -> None:
    """The seconds of scripts that were ended, however often progress is written, and whatever a person resets."""
    item = claimed(an_item("a", nested=["x", "y", "z"]))
    cut = replace(a_record(Interrupted(InterruptReason.STOP)), seconds=7.25)
    results = {"Task_0": replace(cut, outcome=Succeeded()), "Task_1": cut, "Task_2": cut}
    released = transitions.settle(
        item, results, interrupted_by=InterruptReason.STOP, now=NOON, policy=POLICY, jitter=0.5
    )

    assert transitions.record(item, results, policy=POLICY).seconds_lost == 14.5
    assert (released.seconds_lost, released.interruptions) == (14.5, 1)
    assert orders.reset(released).seconds_lost == 14.5


def test_a_clock_that_is_wrong_by_decades_leaves_a_row_that_can_be_read() -> None:
    """What was lost is bounded as every number of a row."""
    item = replace(claimed(an_item("a")), locked_at=EPOCH)

    back = transitions.settle_internal_error(item, "our own fault", now=NOON, policy=POLICY)

    assert decode(encode(back)) == back


def test_a_fault_of_ours_after_the_last_task_loses_nothing() -> None:
    """An item that has no task left to run is finished, and not run again."""
    done = transitions.record(claimed(an_item("a")), {"Task_0": a_record(Succeeded())}, policy=POLICY)
    item = transitions.settle_internal_error(done, "our own fault", now=NOON, policy=POLICY)

    assert (item.state, item.done_at, item.crashes) == (State.DONE, NOON, 1)


def test_reset_runs_failed_tasks_again_and_keeps_done_ones() -> None:
    """A reset starts the ledgers and the backoff anew, but not the attempt number."""
    buried = settled(
        claimed(an_item("a", nested=["x", "y"])), Failed(exit_code=1), Succeeded(), policy=FailurePolicy(max_failures=1)
    )
    item = orders.reset(buried)

    assert [task.state for task in item.tasks] == [TaskState.TODO, TaskState.DONE]
    assert [task.attempts for task in item.tasks] == [0, 1]
    assert (item.failures, item.attempt, item.state) == (0, 1, State.TODO)
    assert len(orders.reset(buried, all_tasks=True).todo) == 2


def test_a_reset_of_some_tasks_leaves_the_others() -> None:
    """What is not named keeps its state; the item can be claimed again."""
    buried = settled(
        claimed(an_item("a", nested=["x", "y", "z"])),
        *(Failed(exit_code=1), Failed(exit_code=2), Succeeded()),
        policy=FailurePolicy(max_failures=1),
    )
    item = orders.reset(buried, tasks=["Task_1", "Task_2"])

    assert item.state is State.TODO
    assert [task.state for task in item.tasks] == [TaskState.FAILED, TaskState.TODO, TaskState.DONE]


def test_a_reset_with_nothing_to_put_back_changes_nothing() -> None:
    """Repeated, or of what has never run or is done, it is no change, whatever reason is given."""
    done = settled(claimed(an_item("a")), Succeeded())
    again = orders.reset(done, all_tasks=True, token="order", why="once more")
    fresh = an_item("b")

    assert orders.reset(done, why="once more") is done
    assert orders.reset(done, tasks=["Task_7"], all_tasks=True) is done
    assert orders.reset(again, all_tasks=True, token="other", why="once more") is again
    assert orders.reset(fresh, token="order") is fresh


def test_a_reset_starts_an_item_that_waits() -> None:
    """It need not wait after its failure any longer, and no late write of its old holder can pass for the order."""
    waiting = settled(claimed(an_item("a")), Failed(exit_code=1))
    item = orders.reset(waiting, token="order", why="the disk was full")

    assert (waiting.not_before is not None, item.not_before) == (True, None)
    assert (item.failures, item.worker, item.token) == (0, "", "order")
    assert item.reason == "attempt 1: the disk was full"
    assert item.history == ("attempt 1: exit status 1",)


def test_history_is_bounded() -> None:
    """An item keeps its last five older reasons."""
    item = an_item("a", max_failures=100)
    for code in range(1, 20):
        item = settled(claimed(item), Failed(exit_code=code))

    assert item.reason == "attempt 19: exit status 19"
    assert item.history == tuple(f"attempt {n}: exit status {n}" for n in range(14, 19))


@given(
    st.integers(1, 4).flatmap(
        lambda tasks: st.lists(
            st.tuples(st.lists(ANY_OUTCOME, min_size=tasks, max_size=tasks), st.sampled_from([None, *InterruptReason])),
            max_size=12,
        ).map(lambda rounds: (tasks, rounds))
    )
)
def test_whatever_happens_no_task_is_lost(
    history: tuple[int, list[tuple[list[Outcome], InterruptReason | None]]],
) -> None:
    """After any sequence of attempts done tasks stay done, failures only grow, and state and tasks agree."""
    tasks, rounds = history
    item = an_item("a", nested=["x"] * tasks) if tasks > 1 else an_item("a")
    for outcomes, why in rounds:
        if item.state not in {State.TODO, State.WALL_TIME_EXCEEDED}:
            break
        interrupted = any(isinstance(outcome, Interrupted) for outcome in outcomes[: len(item.todo)])
        after = settled(claimed(item), *outcomes, interrupted_by=(why or InterruptReason.STOP) if interrupted else why)
        done_before = {task.name for task in item.tasks if task.state is TaskState.DONE}

        assert done_before <= {task.name for task in after.tasks if task.state is TaskState.DONE}
        assert after.attempt == item.attempt + 1
        assert after.failures >= item.failures
        assert after.state is not State.LOCKED
        assert (after.state is State.DONE) == (after.tasks_done == tasks)
        assert (after.state is State.FAILED) <= (not after.todo)
        assert replace(after, tasks=()) != replace(item, tasks=())
        item = after


@pytest.mark.parametrize("why", InterruptReason)
def test_only_a_worker_that_is_stopped_costs_an_item_its_machine(why: InterruptReason) -> None:
    """A wall time, memory, or an order for the item are nothing that another machine would spare it."""
    after = settled(claimed(an_item("a")), Interrupted(why), interrupted_by=why)

    assert after.evictions == (why is InterruptReason.STOP)


def test_what_never_started_lost_no_machine() -> None:
    """A stop that comes between claim and start, and what our own fault ended; a worker that vanished lost it."""
    item = claimed(an_item("a"))

    assert settled(item, interrupted_by=InterruptReason.STOP).evictions == 0
    assert transitions.settle_internal_error(item, "bug", now=NOON, policy=POLICY).evictions == 0
    assert transitions.reclaim(item, now=NOON, policy=POLICY).evictions == 1
    assert transitions.reclaim(item, now=NOON, policy=POLICY, interrupted="stood still").evictions == 1
