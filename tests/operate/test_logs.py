"""Reading what a task printed."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyanamo_async.core.items import Item, Output, State, TaskRecord
from pyanamo_async.core.outcomes import Succeeded
from pyanamo_async.core.values import replace
from pyanamo_async.errors import Denied, OutputError, OutputMissing, UsageError
from pyanamo_async.operate.logs import STDERR, STDOUT, LogReader, TaskLog, find_task, last_lines
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.ports import OutputKey
from tests.fakes import NOON, an_item
from tests.outputs.stores import write_all

LINES = 1_000_000
OUT, ERR = Output("out", size_bytes=3, lines=1), Output("err", size_bytes=3, lines=1)
RECORD = TaskRecord(Succeeded(), NOON, NOON, 0.1, attempt=3, worker="w", stdout=OUT, stderr=ERR)


def ran(item: Item) -> Item:
    """Give the last task of an item a record, of its third attempt."""
    *others, last = item.tasks
    return replace(item, attempt=3, tasks=(*others, replace(last, record=RECORD)))


def a_reader(outputs: MemoryOutputs) -> LogReader:
    async def open_at(_: str) -> MemoryOutputs:
        return outputs

    return LogReader("t", open_at)


async def read(
    reader: LogReader, item: Item, stream: str, *, attempt: int | None = None, last: int | None = None
) -> bytes:
    found = await reader.find(item, item.tasks[-1], stream, attempt=attempt, tail=last)
    return b"".join([piece async for piece in found])


def test_the_only_task_needs_no_name() -> None:
    """A single item has one."""
    item = an_item("a")

    assert find_task(item, None) == find_task(item, "Task_0") == find_task(item, "0") == item.tasks[0]


@pytest.mark.parametrize("name", ["1", "Task_1"])
def test_a_task_is_found_by_name_or_number(name: str) -> None:
    """Nobody likes to type `Task_`."""
    assert find_task(an_item("a", nested=("x", "y")), name).script == "y"


def test_a_task_is_found_by_its_argument() -> None:
    """Unless its number, or another's argument, is the same: then the names of both are the hint."""
    item = an_item("a", nested=("x chr1", "x 0", "x same", "x same", "x 4"), args_at=2)

    assert find_task(item, "chr1").name == "Task_0"
    assert find_task(item, "1").name == find_task(item, "task_1").name == "Task_1"
    assert find_task(item, "4").name == "Task_4"
    for name, both in (("0", "Task_0, Task_1"), ("same", "Task_2, Task_3")):
        with pytest.raises(UsageError, match=f"several tasks that {name} may mean.*name one of {both}, as in"):
            find_task(item, name)


def test_several_tasks_must_be_told_apart() -> None:
    """The hint says how."""
    item = an_item("a", nested=("x", "y"))

    with pytest.raises(UsageError, match=r"has 2 tasks.*Task_0 to Task_1"):
        find_task(item, None)
    with pytest.raises(UsageError, match="has no task 7"):
        find_task(item, "7")


@pytest.mark.parametrize("attempt", [None, 3])
async def test_the_last_attempt_is_in_the_record(attempt: int | None) -> None:
    """Either stream; also while the next attempt runs."""
    reader = a_reader(MemoryOutputs())
    for item in (ran(an_item("a")), replace(ran(an_item("a")), attempt=4, state=State.LOCKED)):
        assert await read(reader, item, STDOUT, attempt=attempt) == b"out"
        assert await read(reader, item, STDERR, attempt=attempt) == b"err"


async def test_older_attempts_are_found_by_their_key() -> None:
    """Where the record has forgotten them."""
    outputs = MemoryOutputs()
    for number in (1, 2):
        await write_all(outputs, OutputKey("t", "a", "Task_1", number, STDERR), [b"attempt %d" % number])
    item = ran(an_item("a", nested=("x", "y")))

    assert await read(a_reader(outputs), item, STDERR, attempt=1) == b"attempt 1"
    assert await read(a_reader(outputs), item, STDERR, attempt=2) == b"attempt 2"


async def test_small_output_of_older_attempts_is_gone() -> None:
    """Which is said with its reason: it stood in a record that was written over."""
    with pytest.raises(
        OutputMissing, match=r"nothing is stored of stdout of attempt 1 of item a .*hint: output of up to 2 KB"
    ):
        await read(a_reader(MemoryOutputs()), ran(an_item("a")), STDOUT, attempt=1)


@pytest.mark.parametrize("last", [None, 1, 10])
@pytest.mark.parametrize("size_bytes", [9, 11])
async def test_what_was_cut_short_or_written_over_is_told(size_bytes: int, last: int | None) -> None:
    """All that is there is given first. What the record itself says is not all of it has been told."""
    outputs, key = MemoryOutputs(), OutputKey("t", "a", "Task_0", 3, STDOUT)
    at = await write_all(outputs, key, [b"12345", b"6789\n"])
    found = TaskLog(a_reader(outputs), Output("9\n", at=at, size_bytes=size_bytes), last)
    given: list[bytes] = []

    async def take() -> None:
        async for piece in found:
            given.append(piece)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(
        OutputError, match=f"not what was printed: that was {size_bytes} bytes, this is 10. hint: it was cut"
    ):
        await take()
    assert b"".join(given) == b"123456789\n"
    for right in (replace(found.output, size_bytes=10), replace(found.output, status="not stored: away")):
        assert [piece async for piece in TaskLog(a_reader(outputs), right)]


async def test_who_may_not_look_into_logs_is_told_so() -> None:
    """Nothing is stored by its key; whether it is in Logs is not known."""
    outputs = MemoryOutputs()

    async def open_at(location: str) -> MemoryOutputs:
        if location.startswith("logs://"):
            raise Denied("FilterLogEvents on log group 'g' is denied")
        return outputs

    reader = LogReader("t", open_at, lambda key, _: f"logs://g/{key.attempt}")
    with pytest.raises(OutputMissing, match=r"attempt 1 of item a \(memory:.*\); FilterLogEvents .* is denied"):
        await read(reader, ran(an_item("a")), STDOUT, attempt=1)


async def test_attempts_that_never_were_are_refused() -> None:
    """As is the one that has not ended, and a task that never ran: that is another thing than empty output."""
    reader = a_reader(MemoryOutputs())
    with pytest.raises(UsageError, match="has had 3 attempts, and no attempt 4"):
        await read(reader, ran(an_item("a")), STDOUT, attempt=4)
    with pytest.raises(OutputMissing, match="attempt 4 of item a has not ended"):
        await read(reader, replace(ran(an_item("a")), attempt=4, state=State.LOCKED), STDOUT, attempt=4)
    with pytest.raises(OutputMissing, match=r"item a has no output.*it is todo"):
        await read(reader, an_item("a"), STDOUT)
    with pytest.raises(OutputMissing, match="task Task_1 of item a"):
        await read(reader, an_item("a", nested=("x", "y")), STDOUT)


@given(
    text=st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\n\n", b"\xff"])).map(b"".join),
    cuts=st.lists(st.integers(0, 20), max_size=5),
    lines=st.integers(0, 8),
)
async def test_the_last_lines_are_those_of_tail(text: bytes, cuts: Sequence[int], lines: int) -> None:
    """However a stream is cut into pieces, and whether its last line has a newline."""
    edges = [0, *sorted(cut for cut in cuts if cut <= len(text)), len(text)]

    async def pieces() -> AsyncIterator[bytes]:
        for start, end in pairwise(edges):
            yield text[start:end]

    read = b"".join([piece async for piece in last_lines(lines, pieces, pieces)])

    assert read == b"".join(text.splitlines(keepends=True)[-lines:] if lines else [])


@pytest.mark.parametrize("lines", [LINES - 1, 10**20])
async def test_the_memory_of_the_last_lines_does_not_grow_with_their_number(lines: int) -> None:
    """However many are asked for, no place is kept for each of them."""
    piece = b"\n" * (LINES // 100)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield piece

    tracemalloc.start()
    try:
        read = sum([len(piece) async for piece in last_lines(lines, pieces, pieces)])
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert read == min(lines, LINES)
    assert peak_bytes < LINES


async def test_the_end_of_a_record_is_read_like_any_other() -> None:
    """Lines are counted in bytes, not in characters."""
    item = ran(an_item("a"))
    task = replace(item.tasks[0], record=replace(RECORD, stdout=Output("ä\nö\nü")))

    assert await read(a_reader(MemoryOutputs()), replace(item, tasks=(task,)), STDOUT, last=2) == "ö\nü".encode()
