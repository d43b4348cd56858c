"""The size of rows, and what they may grow to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.items import Item, Output, State, Task, TaskRecord, TaskState
from pyanamo_async.core.outcomes import Failed
from pyanamo_async.core.stored.budget import inline_bytes
from pyanamo_async.core.stored.record import encode
from pyanamo_async.core.stored.row_size import MAX_ROW_BYTES, row_ceiling, stored_bytes
from pyanamo_async.core.values import replace

THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_sizes_are_counted_as_dynamodb_counts_them() -> None:
    """Text by its bytes, numbers by two digits a byte and one more, collections by three and one for each member."""
    assert stored_bytes("caf\N{LATIN SMALL LETTER E WITH ACUTE}") == 5
    assert stored_bytes({"a": 7}) == 3 + (1 + 1 + 2)
    assert stored_bytes([7, "four"]) == 3 + (1 + 2) + (1 + 4)


@given(st.integers(1, 300), st.integers(1, 400), st.integers(1, 60), st.booleans())
def test_no_row_outgrows_its_ceiling(tasks: int, script: int, id_length: int, nested: bool) -> None:
    """A row whose every task printed and failed as much as can be is not larger than was foreseen at import."""
    count = tasks if nested else 1
    item = Item(
        item_id="i" * id_length,
        sample="s",
        tasks=tuple(Task(f"Task_{number}", "x" * script) for number in range(count)),
        nested=nested,
    )

    assert stored_bytes(encode(_grown(item))) <= row_ceiling(item)


def test_a_single_item_may_have_the_longest_script_linux_takes() -> None:
    """128 KiB leave room enough for its record."""
    assert row_ceiling(Item("a", "s", (Task("Task_0", "x" * 131071),))) < MAX_ROW_BYTES


def test_three_hundred_tasks_fit() -> None:
    """With scripts of ordinary length."""
    tasks = tuple(Task(f"Task_{number}", "x" * 60) for number in range(300))

    assert row_ceiling(Item("a" * 20, "s", tasks, nested=True)) < MAX_ROW_BYTES


def _grown(item: Item) -> Item:
    """Let an item live through the worst."""
    place = "s3://" + "b" * 63 + "/PyAnamo/table/" + item.item_id + "/Task_100/100.stdout.gz"
    output = Output("t" * inline_bytes(len(item.tasks)), at=place, size_bytes=10**12, lines=10**10)
    record = TaskRecord(
        outcome=Failed(signal=15),
        started=THEN,
        finished=THEN,
        seconds=86399.123456,
        attempt=100,
        worker="12345678-1234-1234-1234-123456789012:9999-deadbeef",
        max_rss_bytes=10**12,
        cpu_seconds=86399.123456,
        stdout=output,
        stderr=output,
    )
    return replace(
        item,
        tasks=tuple(
            replace(task, state=TaskState.FAILED, attempts=100, failures=99, record=record) for task in item.tasks
        ),
        state=State.FAILED,
        priority=1,
        max_failures=100,
        timeout=timedelta(hours=1),
        attempt=100,
        token="f" * 32,
        worker=record.worker,
        locked_at=THEN,
        done_at=THEN,
        not_before=THEN,
        crashes=5,
        interruptions=100,
        wall_time_kills=5,
        reason="\N{EURO SIGN}" * 160,
        history=("\N{EURO SIGN}" * 160,) * 5,
    )
