"""Items as stored rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyanamo_async.core.folders import Folder
from pyanamo_async.core.items import Held, Item, Output, State, Task, TaskRecord, TaskState
from pyanamo_async.core.memory.measure import Measure
from pyanamo_async.core.outcomes import Failed, Interrupted, InterruptReason, Succeeded, TimedOut
from pyanamo_async.core.stored.record import decode, encode
from pyanamo_async.core.values import replace
from tests.fakes import an_item

TEXT = st.text(max_size=20)
WORDS = st.text(min_size=1, max_size=20)
COUNT = st.integers(0, 10**9)
BYTES = st.integers(0, 2**53)
SECONDS = st.floats(0, 1e9)
TIMES = st.integers(0, 4_102_444_800_000).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
LIMITS = st.integers(0, 10**9).map(lambda ms: timedelta(milliseconds=ms))

OUTCOMES = st.one_of(
    st.just(Succeeded()),
    st.builds(Failed, exit_code=st.none() | st.integers(0, 255), signal=st.none() | st.integers(1, 64), detail=TEXT),
    st.builds(TimedOut, LIMITS),
    st.builds(Interrupted, st.sampled_from(InterruptReason)),
)
OUTPUTS = st.builds(Output, text=TEXT, at=TEXT, size_bytes=BYTES, lines=BYTES, status=TEXT)
TAGGED = st.builds(replace, OUTPUTS, tags=BYTES, tags_cut=BYTES)  # only stdout has tags
RECORDS = st.builds(
    TaskRecord,
    outcome=OUTCOMES,
    started=TIMES,
    finished=TIMES,
    seconds=SECONDS,
    attempt=COUNT,
    worker=TEXT,
    max_rss_bytes=st.none() | BYTES,
    max_rss_by=st.sampled_from(Measure),
    cpu_seconds=st.none() | SECONDS,
    stdout=TAGGED,
    stderr=OUTPUTS,
)
TASKS = st.builds(
    Task,
    name=st.just("Task_0"),
    script=WORDS,
    state=st.sampled_from(TaskState),
    attempts=COUNT,
    failures=COUNT,
    record=st.none() | RECORDS,
)
HELD = st.builds(
    Held,
    state=st.sampled_from([State.TODO, State.FAILED, State.WALL_TIME_EXCEEDED]),
    not_before=st.none() | TIMES,
    done_at=st.none() | TIMES,
    reason=TEXT,
)
SLOW = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
TASK_STATES = {State.DONE: TaskState.DONE, State.FAILED: TaskState.FAILED}


@st.composite
def items(draw: st.DrawFn) -> Item:
    """Draw any item: a single one whose task has the state that follows, or a nested one of up to thirteen tasks."""
    nested = draw(st.booleans())
    state = draw(st.sampled_from(State))
    drawn = draw(st.lists(TASKS, min_size=1, max_size=13 if nested else 1))
    tasks = tuple(replace(task, name=f"Task_{number}") for number, task in enumerate(drawn))
    held = draw(st.none() | HELD) if state is State.PENDING else None
    if not nested:
        tasks = (replace(tasks[0], state=TASK_STATES.get(held.state if held else state, TaskState.TODO)),)
    return Item(
        item_id=draw(WORDS.filter(lambda text: not text.startswith("#"))),
        sample=draw(TEXT),
        tasks=tasks,
        nested=nested,
        state=state,
        priority=draw(st.integers(0, 9)),
        max_failures=draw(st.none() | COUNT),
        timeout=draw(st.none() | LIMITS),
        folders=draw(st.frozensets(st.sampled_from(Folder))),
        attempt=draw(COUNT),
        token=draw(TEXT),
        worker=draw(TEXT),
        locked_at=draw(st.none() | TIMES),
        done_at=draw(st.none() | TIMES),
        not_before=draw(st.none() | TIMES),
        held=held,
        crashes=draw(COUNT),
        interruptions=draw(COUNT),
        wall_time_kills=draw(COUNT),
        seconds_lost=draw(SECONDS),
        mark=draw(TEXT),
        args_at=draw(COUNT),
        reason=draw(TEXT),
        history=tuple(draw(st.lists(TEXT, max_size=5))),
    )


@SLOW
@given(items())
def test_an_item_reads_back_as_written(item: Item) -> None:
    """A row keeps everything an item holds."""
    assert item == decode(encode(item))


@SLOW
@given(items())
def test_a_row_is_plain_json(item: Item) -> None:
    """A row survives JSON, so every store and `--json` can hold it."""
    assert item == decode(orjson.loads(orjson.dumps(encode(item))))


@SLOW
@given(items())
def test_a_row_holds_no_empty_values(item: Item) -> None:
    """A row has no empty text, no empty collection and no None: a write is charged by its size."""
    row = encode(item)

    assert [key for key, value in _members(row) if value in ("", [], {}, None)] == []


def test_a_new_item_is_a_small_row() -> None:
    """Defaults are left out."""
    assert encode(an_item("a", script="true", sample="s")) == {
        "itemID": "a",
        "taskID": "s",
        "TaskScript": "true",
        "ItemState": "todo",
    }


@pytest.mark.parametrize("item", [an_item("a", priority=0), an_item("a", max_failures=0)], ids=["priority", "limit"])
def test_a_zero_that_is_not_the_default_is_kept(item: Item) -> None:
    """Priority 0 is the highest, and 0 failures is a limit; neither is the default."""
    assert 0 in encode(item).values()
    assert item == decode(encode(item))


def test_tasks_keep_their_order() -> None:
    """`Task_10` comes after `Task_9`, in whatever order a service returns the map."""
    item = an_item("a", nested=[str(number) for number in range(120)])
    row = encode(item)
    row["TaskScript"] = dict(sorted(row["TaskScript"].items()))

    assert item == decode(row)


def test_unknown_attributes_are_ignored() -> None:
    """A row with attributes of another tool can be read."""
    item = an_item("a")

    assert item == decode({**encode(item), "Note": "by hand"})


def _members(value: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - any value of a row
    if not isinstance(value, dict):
        return []
    return [*value.items(), *(member for each in value.values() for member in _members(each))]
