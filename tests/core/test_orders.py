"""What an order of a person makes of an item: hold, let go, delete tasks, set values, bring in line with a file."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.editing import Edits, check_edits, edit, update
from pyanamo_async.core.holding import hold, unhold
from pyanamo_async.core.items import CLAIMABLE, Item, State, Task, TaskState
from pyanamo_async.core.orders import drop_tasks, reset
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Outcome, Succeeded
from pyanamo_async.core.transitions import claim, settle
from pyanamo_async.core.values import replace
from pyanamo_async.errors import UsageError
from tests.contract.steps import POLICY, a_record
from tests.fakes import NOON, an_item

LATER = NOON + timedelta(minutes=1)
OUTCOMES = st.sampled_from([Succeeded(), Failed(exit_code=1), Interrupted(InterruptReason.STOP)])


def after(item: Item, *outcomes: Outcome, by: InterruptReason | None = None) -> Item:
    """Return what an attempt leaves whose tasks end so."""
    held = claim(item, worker="w", token="claim", now=NOON)
    results = {task.name: a_record(each, held) for task, each in zip(held.todo, outcomes, strict=False)}
    return settle(held, results, interrupted_by=by, now=NOON, policy=POLICY, jitter=0.5)


def in_every_state() -> list[Item]:
    """Make items that no worker holds: new, waiting, failed, at the wall time, and nested ones with a past."""
    three = an_item("n", nested=["x", "y", "z"], max_failures=1)
    return [
        an_item("a"),
        after(an_item("a"), Failed(exit_code=1)),
        after(an_item("a", max_failures=1), Failed(exit_code=1)),
        after(an_item("a"), Interrupted(InterruptReason.WALL_TIME), by=InterruptReason.WALL_TIME),
        three,
        after(three, Succeeded(), Failed(exit_code=1), Failed(exit_code=1)),
        after(three, Succeeded(), by=InterruptReason.STOP),
    ]


@pytest.mark.parametrize("item", in_every_state())
def test_what_is_held_is_let_go_as_it_was(item: Item) -> None:
    """Its state, the time for which it waits, when it was settled and why: all but the token and the history."""
    held = hold(item, now=LATER, token="t", why="the disk is full")

    assert (held.state, held.not_before, held.done_at) == (State.PENDING, None, LATER)
    assert held.reason.endswith("the disk is full")
    freed = unhold(held, token="u")
    assert replace(item, token="u", history=freed.history) == freed
    assert freed.history == (*item.history, held.reason)


@pytest.mark.parametrize("item", in_every_state())
def test_held_twice_is_held_once(item: Item) -> None:
    """What it was before is not forgotten, and an order that changes nothing writes nothing."""
    held = hold(item, now=LATER, token="t", why="first")

    assert hold(held, now=LATER, token="u") is held
    assert hold(held, now=LATER, token="u", why="first") is held
    again = hold(held, now=LATER, token="u", why="second")
    assert (again.held, again.state) == (held.held, State.PENDING)
    assert unhold(again).state is item.state


def test_what_is_done_is_not_held() -> None:
    """It has nothing left to hold; and what is not held cannot be let go."""
    done = after(an_item("a"), Succeeded())

    assert hold(done, now=LATER) is done
    assert unhold(done) is done


def test_what_others_parked_is_to_do_when_it_is_let_go() -> None:
    """Users of the original write nothing but the state."""
    assert unhold(an_item("a", state=State.PENDING)).state is State.TODO


@pytest.mark.parametrize("item", in_every_state())
def test_a_retry_leaves_alone_what_is_held_and_a_reset_does_not(item: Item) -> None:
    """A sample that was withdrawn does not come back by itself."""
    held = hold(item, now=LATER, token="t", why="withdrawn")

    assert reset(held) is held
    back = reset(held, all_tasks=True)
    assert (back.state, back.held, back.not_before, len(back.todo)) == (State.TODO, None, None, len(item.tasks))
    assert "withdrawn" in back.history[-1]


@given(st.lists(OUTCOMES, min_size=3, max_size=3))
def test_what_an_order_ends_is_held_with_its_progress(outcomes: list[Outcome]) -> None:
    """Whatever its tasks came to: no worker claims it, and what is done stays done."""
    item = after(an_item("n", nested=["x", "y", "z"]), *outcomes, by=InterruptReason.ORDER)

    done = sum(isinstance(each, Succeeded) for each in outcomes)
    assert item.tasks_done == done
    assert item.state is (State.DONE if done == 3 else State.PENDING)
    assert unhold(item).state in (*CLAIMABLE, State.DONE)


def test_tasks_are_deleted_and_the_state_follows() -> None:
    """From those that are left: without the failed ones an item is done, without the last it is gone."""
    failed = after(an_item("n", nested=["x", "y", "z"], max_failures=1), Succeeded(), Failed(exit_code=1), Succeeded())

    def dropped(item: Item, *names: str) -> Item | None:
        return drop_tasks(item, names, now=LATER, token="t")

    less = dropped(failed, "Task_1")
    assert less
    assert [task.name for task in less.tasks] == ["Task_0", "Task_2"]
    assert (less.state, less.done_at, less.token) == (State.DONE, LATER, "t")
    assert dropped(failed, "Task_9") is failed
    assert dropped(failed, "Task_0", "Task_1", "Task_2") is None
    stays = dropped(failed, "Task_0")
    assert stays
    assert (stays.state, stays.done_at) == (State.FAILED, failed.done_at)
    held = dropped(hold(failed, now=NOON), "Task_0")
    assert held
    assert (held.state, unhold(held).state) == (State.PENDING, State.FAILED)


def test_limits_are_set_and_the_state_stays() -> None:
    """Priority, failures, the time limit, memory and CPUs; set to what they are, nothing is written."""
    for item in in_every_state():
        edits = Edits(priority=1, max_failures=9, timeout=timedelta(minutes=90), memory_bytes=5 << 20, cpus=3)

        changed = edit(item, [], edits, now=LATER, token="t")

        assert (changed.priority, changed.max_failures, changed.timeout) == (1, 9, timedelta(minutes=90))
        assert (changed.memory_bytes, changed.cpus) == (5 << 20, 3)
        assert (changed.state, changed.tasks) == (item.state, item.tasks)
        assert edit(changed, [], edits, now=LATER, token="u") is changed


def test_memory_that_is_set_takes_the_place_of_what_an_item_was_found_to_need() -> None:
    """Who says what it needs knows of a script that was mended; other changes leave it."""
    found = an_item("a", memory_bytes=10, memory_need_bytes=40)

    assert edit(found, [], Edits(priority=1), now=NOON, token="t").memory_need_bytes == 40
    changed = edit(found, [], Edits(memory_bytes=10), now=NOON, token="t")
    assert (changed.memory_bytes, changed.memory_need_bytes) == (10, 0)
    waiting = replace(found, memory_class=64, reason="attempt 1: it needs 40 bytes")
    assert update(waiting, an_item("a", memory_bytes=10), now=NOON, token="t") is waiting
    for changed in (
        update(waiting, an_item("a", memory_bytes=9), now=NOON, token="t"),
        edit(waiting, [], Edits(memory_bytes=9), now=NOON, token="t"),
    ):
        assert (changed.memory_bytes, changed.memory_need_bytes, changed.memory_class, changed.reason) == (9, 0, 0, "")
    forgot = edit(waiting, [], Edits(forget_memory=True), now=NOON, token="t")
    assert (forgot.memory_bytes, forgot.memory_need_bytes, forgot.memory_class, forgot.reason) == (None, 0, 0, "")
    with pytest.raises(UsageError, match="contradict"):
        check_edits(Edits(memory_bytes=1 << 30, forget_memory=True))


def test_a_task_whose_script_is_set_is_to_run_again() -> None:
    """And no other: its record goes, and an item that was done or failed is to do."""
    done = after(an_item("n", nested=["x", "y"]), Succeeded(), Succeeded())

    item = edit(done, ["Task_1"], Edits(script="new"), now=LATER, token="t")

    assert item.tasks == (done.tasks[0], Task("Task_1", "new", checkpoint_from=2))
    assert (item.state, item.done_at) == (State.TODO, None)
    args = an_item("n", nested=["seq 1", "seq 2"], args_at=4)
    assert edit(args, ["Task_1"], Edits(script="seq 3"), now=LATER, token="t").args_at == 4
    assert edit(args, ["Task_1"], Edits(script="new"), now=LATER, token="t").args_at == 0
    failed = hold(after(an_item("a", max_failures=1), Failed(exit_code=1)), now=NOON)
    held = edit(failed, ["Task_0"], Edits(script="new"), now=LATER, token="t")
    assert (held.state, unhold(held).state) == (State.PENDING, State.TODO)


@pytest.mark.parametrize(
    ("edits", "says"),
    [
        (Edits(), "nothing is to be set"),
        (Edits(priority=10), "`priority` is 10"),
        (Edits(max_failures=0), "`max_failures` is 0"),
        (Edits(timeout=timedelta()), "`timeout` is zero"),
        (Edits(memory_bytes=0), "`memory_bytes` is 0"),
        (Edits(memory_bytes=30), "from 1 MiB to 1 PiB, as 4G"),
        (Edits(memory_bytes=2 << 50), "from 1 MiB to 1 PiB"),
        (Edits(cpus=0), "`cpus` is 0"),
        (Edits(cpus=10_001), "`cpus` is 10001"),
        (Edits(timeout=-timedelta(1)), "`timeout` is negative"),
        (Edits(script=" "), "`script`: empty script"),
        (Edits(priority="1"), "`priority` is '1'"),  # type: ignore[arg-type]  # on purpose
    ],
)
def test_values_are_checked(edits: Edits, says: str) -> None:
    """As those of a task file are."""
    with pytest.raises(UsageError) as caught:
        check_edits(edits)
    assert says in str(caught.value)


def test_an_item_is_brought_in_line_with_a_file() -> None:
    """Tasks of the same script keep state and record, under whichever name; new ones are to run, others go."""
    done = after(an_item("n", nested=["x", "y", "z"]), Succeeded(), Succeeded(), Succeeded())
    wanted = an_item("n", nested=["new", "x", "z"], sample="other", priority=1)

    item = update(done, wanted, now=LATER, token="t")

    assert (item.sample, item.priority, item.state, item.attempt) == ("other", 1, State.TODO, 1)
    assert item.tasks == (
        Task("Task_0", "new", checkpoint_from=2),
        replace(done.tasks[0], name="Task_1", checkpoint_from=2),  # there are checkpoints of another script
        done.tasks[2],
    )
    assert update(item, wanted, now=LATER, token="u") is item


def test_limits_of_a_file_are_written_in_place() -> None:
    """What is done stays done, what waits waits."""
    for item in in_every_state():
        wanted = replace(item, tasks=tuple(Task(task.name, task.script) for task in item.tasks), timeout=timedelta(1))

        changed = update(item, wanted, now=LATER, token="t")

        assert replace(item, timeout=timedelta(1), token="t") == changed


def test_a_changed_script_puts_an_item_back() -> None:
    """Also one that waits after a failure: that was another script's. What is held stays held."""
    wanted = an_item("a", script="new")

    for item in (*in_every_state()[:4], after(an_item("a"), Succeeded())):
        changed = update(item, wanted, now=LATER, token="t")

        since = item.attempt + 1 if item.attempt else 0
        tasks = (replace(wanted.tasks[0], checkpoint_from=since),)
        assert (changed.state in CLAIMABLE, changed.not_before, changed.tasks) == (True, None, tasks)
        held = update(hold(item, now=NOON), wanted, now=LATER, token="t")
        assert held.state is (State.TODO if item.state is State.DONE else State.PENDING)


def test_tasks_that_go_leave_the_state_of_the_others() -> None:
    """Without what was to do, all is done."""
    half = after(an_item("n", nested=["x", "y"]), Succeeded(), by=InterruptReason.STOP)

    item = update(half, an_item("n", nested=["x"]), now=LATER, token="t")

    assert (item.state, [task.state for task in item.tasks]) == (State.DONE, [TaskState.DONE])


def test_what_did_not_succeed_goes_on_from_its_checkpoint() -> None:
    """What was done starts over, and so does everything with `clear`: older checkpoints are not restored."""
    failed = after(an_item("n", nested=["x", "y"], max_failures=1), Succeeded(), Failed(exit_code=1))

    assert [task.checkpoint_from for task in reset(failed).tasks] == [0, 0]
    assert [task.checkpoint_from for task in reset(failed, all_tasks=True).tasks] == [failed.attempt + 1, 0]
    cleared = reset(failed, all_tasks=True, clear=True)
    assert [task.checkpoint_from for task in cleared.tasks] == [failed.attempt + 1] * 2
    assert reset(an_item("a"), clear=True) == an_item("a")
