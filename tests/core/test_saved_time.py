"""What checkpoints make of an item, and of what interruptions and crashes cost it."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core import transitions
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item, State, TaskRecord
from pyanamo_async.core.outcomes import Checkpointed, Failed, Interrupted, InterruptReason, Outcome, Succeeded
from pyanamo_async.core.results import CheckpointUse
from pyanamo_async.core.values import replace
from tests.fakes import NOON, an_item

POLICY = FailurePolicy()
STOPPED = Interrupted(InterruptReason.STOP)
NONE = CheckpointUse()
RESTORED = CheckpointUse(restored="1/7", restored_seconds=90.0)


def claimed(item: Item) -> Item:
    return transitions.claim(item, worker="w", token="t", now=NOON)


def attempted(item: Item, outcome: Outcome, *, seconds: float = 0.0, use: CheckpointUse = NONE) -> Item:
    """Return an item after one more attempt."""
    held = claimed(item)
    record = TaskRecord(
        outcome, started=NOON, finished=NOON, seconds=seconds, attempt=held.attempt, worker="w", checkpoint=use
    )
    why = outcome.why if isinstance(outcome, Interrupted) else None
    return transitions.settle(held, {"Task_0": record}, interrupted_by=why, now=NOON, policy=POLICY, jitter=0.5)


def test_a_checkpoint_is_progress_and_no_failure() -> None:
    """The item runs again after a second, and its wall-time kills are forgotten."""
    use = CheckpointUse(stored="1/1", made_progress=True)
    after = attempted(replace(an_item("a"), wall_time_kills=3), Checkpointed(), use=use)

    assert (after.state, after.not_before) == (State.TODO, NOON + timedelta(seconds=1))
    assert (after.failures, after.interruptions, after.wall_time_kills) == (0, 0, 0)
    assert after.reason == "attempt 1: checkpoint taken"


def test_a_wall_time_kill_with_a_new_checkpoint_is_progress() -> None:
    """However often it happens; without one it is buried at the limit."""
    killed = Interrupted(InterruptReason.WALL_TIME)
    item = stuck = an_item("a")
    for number in range(POLICY.wall_time_limit):
        item = attempted(item, killed, use=CheckpointUse(stored=f"{number}/1", made_progress=True))
        stuck = attempted(stuck, killed, use=RESTORED)

    assert (item.state, item.wall_time_kills) == (State.WALL_TIME_EXCEEDED, 0)
    assert stuck.state is State.FAILED


def test_what_a_checkpoint_saved_counts_once() -> None:
    """It is taken off what was lost to an interruption, however many attempts begin from it."""
    first = attempted(an_item("a"), STOPPED, seconds=100.0)
    second = attempted(first, STOPPED, seconds=5.0, use=RESTORED)
    third = attempted(second, Succeeded(), use=RESTORED)

    assert (first.seconds_lost, first.seconds_saved) == (100, 0)
    assert (second.seconds_lost, second.seconds_saved) == (15, 90)
    assert (third.seconds_lost, third.seconds_saved) == (15, 90)


def test_what_a_vanished_worker_stored_is_saved_too() -> None:
    """It left no record: the attempt that begins from its checkpoint tells."""
    seen = NOON + timedelta(seconds=100)
    crashed = transitions.reclaim(claimed(an_item("a")), now=seen, seen=seen, policy=POLICY)
    after = attempted(crashed, Succeeded(), use=RESTORED)

    assert (crashed.seconds_lost, after.seconds_lost, after.seconds_saved) == (100, 10, 90)


def test_only_what_was_lost_is_taken_off() -> None:
    """A failure was not lost to an interruption; exit status 85 cut nothing off, and so nothing was saved."""
    before = replace(an_item("a"), seconds_lost=10.0)
    failed = attempted(before, Failed(exit_code=1), seconds=100.0)
    asked = attempted(before, Checkpointed(), seconds=100.0)
    again = [attempted(each, Succeeded(), use=RESTORED) for each in (failed, asked)]

    assert [(each.seconds_lost, each.seconds_saved) for each in again] == [(10, 90), (10, 0)]


ENDINGS = st.sampled_from([STOPPED, None, Checkpointed(), Failed(exit_code=1)])  # None: its worker vanished


@given(st.lists(st.tuples(ENDINGS, st.integers(0, 50), st.none() | st.integers(1, 50)), max_size=6))
def test_lost_is_what_ran_after_the_last_checkpoint_of_each_attempt(
    attempts: list[tuple[Outcome | None, int, int | None]],
) -> None:
    """Also of attempts whose workers vanished, one after the other: they leave no record, but the total goes on.

    Each attempt may store one, runs for a while after it, and is then cut off, fails, or asks for the next.
    """
    item, restored, total_s, lost_s, saved_s = replace(an_item("a"), max_failures=99), "", 0.0, 0.0, 0.0
    for number, (ending, after_s, stored_s) in enumerate(attempts, start=1):
        use = CheckpointUse(restored=restored, restored_seconds=total_s)
        ran_s = float(after_s)
        if stored_s is not None:
            ran_s += stored_s
            restored, total_s = f"{number}/1", total_s + stored_s
            use = replace(use, stored=restored, seconds=total_s, made_progress=True)
        if ending is None:
            seen = NOON + timedelta(seconds=ran_s)
            item = transitions.reclaim(claimed(item), now=seen, seen=seen, policy=replace(POLICY, crash_limit=99))
        else:
            item = attempted(item, ending, seconds=ran_s, use=use)
        lost_s += after_s if ending in (None, STOPPED) else 0.0
        saved_s += (stored_s or 0.0) if not isinstance(ending, Checkpointed) else 0.0
    done = attempted(item, Succeeded(), use=CheckpointUse(restored=restored, restored_seconds=total_s))

    assert (done.seconds_lost, done.seconds_saved) == (lost_s, saved_s)
