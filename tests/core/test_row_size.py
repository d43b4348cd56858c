"""The size of rows, and how large they may grow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.folders import Folder
from pyanamo_async.core.items import Held, Item, Output, State, Task, TaskRecord, TaskState
from pyanamo_async.core.memory.measure import Measure
from pyanamo_async.core.outcomes import DETAIL_BYTES, Failed
from pyanamo_async.core.reasons import HISTORY_LENGTH, REASON_LENGTH
from pyanamo_async.core.results import CheckpointUse, Results
from pyanamo_async.core.stored.record import encode
from pyanamo_async.core.stored.row_size import MAX_ROW_BYTES, STATUS_BYTES, inline_bytes, row_ceiling, stored_bytes
from pyanamo_async.core.values import replace

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PETABYTE = 10**15
FOLDERS = "$PYANAMO_RESULTS $PYANAMO_CHECKPOINT"
LONG_NAME = "x" * 128  # longer than any worker's id or token
INDEX_PLACE = {"Queue": "Wall_Time_Exceeded#999", "Queue_Key": LONG_NAME}


def test_sizes_are_counted_as_dynamodb_counts_them() -> None:
    """Text counts its bytes, numbers a byte for two digits and one more, collections three and one for each member."""
    assert stored_bytes("caf\N{LATIN SMALL LETTER E WITH ACUTE}") == 5
    assert stored_bytes({"a": 7}) == 3 + (1 + 1 + 2)
    assert stored_bytes([7, "four"]) == 3 + (1 + 2) + (1 + 4)


@given(
    tasks=st.integers(1, 300),
    script=st.integers(1, 400),
    id_length=st.integers(1, 60),
    nested=st.booleans(),
    stored=st.booleans(),
    results=st.booleans(),
)
def test_no_row_outgrows_its_ceiling(
    *, tasks: int, script: int, id_length: int, nested: bool, stored: bool, results: bool
) -> None:
    """A row whose tasks all leave the largest record, with stored output and files or without, stays within it."""
    count = tasks if nested else 1
    item = Item(
        item_id="i" * id_length,
        sample="s",
        tasks=tuple(Task(f"Task_{number}", "x" * script + FOLDERS * results) for number in range(count)),
        nested=nested,
    )

    assert stored_bytes(encode(_grown(item, stored=stored, results=results)) | INDEX_PLACE) <= row_ceiling(item)


def test_a_single_item_may_have_the_longest_script_linux_takes() -> None:
    """A script of 128 KiB leaves enough room for its record."""
    assert row_ceiling(Item("a", "s", (Task("Task_0", "x" * 131071),))) < MAX_ROW_BYTES


def test_three_hundred_tasks_fit() -> None:
    """An item of 300 tasks with scripts of ordinary length can be imported."""
    tasks = tuple(Task(f"Task_{number}", "x" * 60) for number in range(300))

    assert row_ceiling(Item("a" * 20, "s", tasks, nested=True)) < MAX_ROW_BYTES


def _grown(item: Item, *, stored: bool, results: bool) -> Item:
    """Return the item with the largest records its attempts may leave."""
    location = "s3://" + "b" * 63 + "/PyAnamo/table/" + item.item_id + "/Task_100/100-01234567.stdout.gz"
    output = Output(
        "t" * inline_bytes(len(item.tasks)),
        at=location if stored else "",
        size_bytes=PETABYTE,
        lines=PETABYTE,
        status="" if stored else "e" * STATUS_BYTES,
    )
    tagged = replace(output, tags=PETABYTE, tags_cut=PETABYTE)
    record = TaskRecord(
        outcome=Failed(signal=15, detail="x" * DETAIL_BYTES),
        started=TIME,
        finished=TIME,
        seconds=123456789.123456,
        attempt=1000,
        worker="x" * 64,
        max_rss_bytes=PETABYTE,
        max_rss_by=Measure.PSS,
        cpu_seconds=123456789.123456,
        stdout=tagged,
        stderr=output,
        results=Results(f"{location}/results/", PETABYTE, PETABYTE) if results else Results(),
        checkpoint=CheckpointUse("1000/100000", PETABYTE, PETABYTE, 123456789.123, "999/100000", 123456789.123, True)
        if results
        else CheckpointUse(),
    )
    ended = Task("", "", TaskState.FAILED, 1000, 1000, record, 1000 * results)
    return replace(
        item,
        tasks=tuple(replace(ended, name=task.name, script=task.script) for task in item.tasks),
        state=State.PENDING,
        priority=1,
        max_failures=100,
        timeout=timedelta(hours=1),
        memory_bytes=PETABYTE,
        cpus=1000,
        folders=frozenset(Folder),
        memory_need_bytes=PETABYTE,
        oom_kills=1000,
        attempt=1000,
        token=LONG_NAME,
        worker=LONG_NAME,
        locked_at=TIME,
        done_at=TIME,
        not_before=TIME,
        held=Held(State.WALL_TIME_EXCEEDED, TIME, TIME, "\N{GRINNING FACE}" * REASON_LENGTH),
        crashes=5,
        interruptions=100,
        wall_time_kills=5,
        seconds_lost=123456789.123,
        seconds_saved=123456789.123,
        mark="01234567",
        args_at=100_000,
        reason="\N{GRINNING FACE}" * REASON_LENGTH,
        history=("\N{GRINNING FACE}" * REASON_LENGTH,) * HISTORY_LENGTH,
    )
