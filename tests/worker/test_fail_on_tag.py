"""Scripts that exit with 0 and tell of their failure by a tag."""

from __future__ import annotations

from datetime import timedelta

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item, State, TaskState
from pyanamo_async.core.outcomes import DETAIL_BYTES, Failed, Succeeded
from simulation.crew import Crew
from simulation.virtual_time import VirtualLoop, run
from tests.fakes import an_item

POLICY = FailurePolicy(max_failures=2, backoff_max=timedelta(seconds=1), fail_on_tag="^Error")


async def _ended(loop: VirtualLoop, item: Item, policy: FailurePolicy = POLICY) -> Item:
    crew = Crew(loop, policy=policy)
    await crew.store.create(shards=1)
    await crew.store.add([item])
    await crew.pilot().run()
    return await crew.store.read(item.item_id)


def test_a_tag_that_matches_is_a_failure_and_its_reason() -> None:
    """It is tried again like any other, and keeps its exit status."""

    async def main(loop: VirtualLoop) -> None:
        item = await _ended(loop, an_item("a", script="tag S1 fine;tag Error no reads;print x;tag Error later"))
        record = item.tasks[0].record

        assert record is not None
        assert record.outcome == Failed(exit_code=0, detail="Error no reads")
        assert (item.state, item.attempt, item.failures) == (State.FAILED, 2, 2)
        assert item.reason == "attempt 2: Error no reads"
        assert "attempt 1: Error no reads" in item.history

    run(main)


def test_other_tags_and_other_endings_stay_what_they_are() -> None:
    """A tag that does not match is a result; a script that failed by itself has its own reason."""

    async def main(loop: VirtualLoop) -> None:
        fine = await _ended(loop, an_item("fine", script="tag S1 Error;print Error"))
        failed = await _ended(loop, an_item("failed", script="tag Error no reads;exit 7"))
        unasked = await _ended(loop, an_item("unasked", script="tag Error no reads"), FailurePolicy())

        assert [item.state for item in (fine, failed, unasked)] == [State.DONE, State.FAILED, State.DONE]
        assert failed.reason == "attempt 2: exit status 7"

    run(main)


def test_of_a_nested_item_only_the_task_with_the_tag_fails() -> None:
    """The others are done, and not run again."""

    async def main(loop: VirtualLoop) -> None:
        item = await _ended(loop, an_item("n", nested=["tag fine", "tag Error chr2", "print x"]))
        outcomes = [task.record.outcome for task in item.tasks if task.record]

        assert [task.state for task in item.tasks] == [TaskState.DONE, TaskState.FAILED, TaskState.DONE]
        assert outcomes == [Succeeded(), Failed(exit_code=0, detail="Error chr2"), Succeeded()]
        assert [task.attempts for task in item.tasks] == [1, 2, 1]
        assert item.reason == "attempt 2: Task_1: Error chr2"

    run(main)


def test_a_long_tag_is_cut_to_what_a_row_has_room_for() -> None:
    """The record has it whole, if it fits there."""

    async def main(loop: VirtualLoop) -> None:
        item = await _ended(loop, an_item("a", script="tag Error " + "\N{SNOWMAN}" * 100))
        record = item.tasks[0].record

        assert record is not None
        assert isinstance(record.outcome, Failed)
        assert DETAIL_BYTES - 3 < len(record.outcome.detail.encode()) <= DETAIL_BYTES

    run(main)
