"""Results of tasks as rows."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from pyanamo_async.core.items import Item, Output, State, TaskRecord, TaskState
from pyanamo_async.core.outcomes import Failed, Succeeded
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.tags import Misfit, parse_tag_names
from pyanamo_async.core.values import replace
from pyanamo_async.errors import UsageError
from pyanamo_async.operate import tagged_tasks
from pyanamo_async.operate.logs import LogReader
from pyanamo_async.operate.results import DONE_TASKS, FIXED, refuse, results
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.ports import OutputKey, Store
from pyanamo_async.store.memory import MemoryStore
from tests.fakes import NOON, an_item
from tests.outputs.stores import write_all

TAGS = "PyAnamo:\tS1\t21\nnoise\nPyAnamo:\tS2\t22\n"
NAMES = parse_tag_names("SampleID,chromosome:int", taken=FIXED)


def a_reader(outputs: MemoryOutputs) -> LogReader:
    async def open_at(_: str) -> MemoryOutputs:
        return outputs

    return LogReader("t", open_at)


def done(item: Item, *printed: Output) -> Item:
    """Let the tasks of an item succeed, or fail where they printed nothing."""
    tasks = [
        replace(
            task,
            state=TaskState.DONE if output.text or output.at else TaskState.FAILED,
            record=TaskRecord(
                Succeeded() if output.text or output.at else Failed(exit_code=1), NOON, NOON, 1.0, 1, "w", stdout=output
            ),
        )
        for task, output in zip(item.tasks, printed, strict=True)
    ]
    state = State.DONE if all(task.state is TaskState.DONE for task in tasks) else State.FAILED
    return replace(item, tasks=tuple(tasks), state=state)


def small(text: str) -> Output:
    return Output(text, size_bytes=len(text))


async def stored(outputs: MemoryOutputs, item_id: str, printed: str, **fields: Any) -> Output:  # noqa: ANN401 - of Output
    key = OutputKey("t", item_id, "Task_0", 1, "stdout")
    at = await write_all(outputs, key, [printed.encode()])
    own: dict[str, Any] = {"at": at, "size_bytes": len(printed.encode()), **fields}
    return Output(**own)


async def rows_of(
    store: Store,
    outputs: MemoryOutputs,
    selection: Selection = DONE_TASKS,
    *,
    names: str | None = None,
    wide: bool = False,
    same_columns: bool = False,
    misfits: list[Misfit] | None = None,
) -> list[Mapping[str, object]]:
    columns = None if names is None else parse_tag_names(names, taken=FIXED)
    take = refuse if misfits is None else misfits.append
    found = results(store, a_reader(outputs), selection, columns, wide=wide, same_columns=same_columns, on_misfit=take)
    return sorted([row async for row in found], key=lambda row: (str(row["itemID"]), str(row["Task"])))


async def a_store(*items: Item) -> MemoryStore:
    store = MemoryStore()
    await store.create(shards=1)
    await store.add(items)
    return store


async def test_each_line_is_a_row() -> None:
    """Of the tasks that are done, with the item, its sample and the task; the beginning of the line is gone."""
    outputs = MemoryOutputs()
    item = an_item("a", nested=("x 1", "x 2"), sample="s1")
    store = await a_store(done(item, small(TAGS), small("")), an_item("b"))

    assert await rows_of(store, outputs) == [
        {"taskID": "s1", "itemID": "a", "Task": "Task_0", "Argument": None, "tag_1": "S1", "tag_2": "21"},
        {"taskID": "s1", "itemID": "a", "Task": "Task_0", "Argument": None, "tag_1": "S2", "tag_2": "22"},
    ]


async def test_one_row_for_a_task_has_columns_for_each_line() -> None:
    """Names of later lines tell which."""
    [row] = await rows_of(await a_store(done(an_item("a"), small(TAGS))), MemoryOutputs(), names="S,c:int", wide=True)

    assert [*row.items()][4:] == [("S", "S1"), ("c", 21), ("S_line2", "S2"), ("c_line2", 22)]


async def test_rows_have_the_same_columns_if_that_is_wanted() -> None:
    """None where a line had fewer fields; in the order of the fields, whoever came first."""
    items = [done(an_item("a"), small("PyAnamo:\tx\n")), done(an_item("b"), small("PyAnamo:\tx\ty\tz\n"))]
    first, second = await rows_of(await a_store(*items), MemoryOutputs(), same_columns=True)

    assert [*first] == [*second] == [*FIXED, "tag_1", "tag_2", "tag_3"]
    assert (first["tag_3"], second["tag_3"]) == (None, "z")


@pytest.mark.parametrize("tasks", [1, tagged_tasks.AT_ONCE + 1])
async def test_the_stored_output_is_read_where_the_record_had_no_room(tasks: int) -> None:
    """Whatever is stored, and however many tasks that are."""
    outputs = MemoryOutputs()
    printed = "".join(f"noise\nPyAnamo:\tS{number}\t1\n" for number in range(500))
    items = [
        done(
            an_item(str(number)), await stored(outputs, str(number), printed, text="S0\t1\nS1", tags=500, tags_cut=499)
        )
        for number in range(tasks)
    ]
    rows = await rows_of(await a_store(*items), outputs)

    assert len(rows) == tasks * 500
    assert {row["tag_1"] for row in rows} == {f"S{number}" for number in range(500)}


async def test_what_does_not_fit_is_told_and_left_out() -> None:
    """With its task, its line and why; without somebody to tell it is an error."""
    items = [done(an_item("a"), small("PyAnamo:\tS1\t21\nPyAnamo:\tS1\tX\n")), done(an_item("b"), small("noise\n"))]
    store, misfits = await a_store(*items), list[Misfit]()

    [row] = await rows_of(store, MemoryOutputs(), names="SampleID,chromosome:int", misfits=misfits)
    assert row["chromosome"] == 21
    assert sorted(misfits, key=str) == [
        Misfit("a", "Task_0", 2, "S1\tX", "chromosome is 'X', not of type int"),
        Misfit("b", "Task_0", 0, "", "no tag"),
    ]
    with pytest.raises(UsageError, match="a result does not fit: a Task_0: chromosome is 'X', not of type int"):
        await rows_of(store, MemoryOutputs(), Selection(ids=["a"]), names="SampleID,chromosome:int")


async def test_output_that_is_gone_costs_its_own_task_alone() -> None:
    """A bucket may have let it expire; so may one that was cut short, or never stored."""
    outputs, misfits = MemoryOutputs(), list[Misfit]()
    cut = await stored(outputs, "cut", TAGS, size_bytes=1000, tags=9, tags_cut=9)
    items = [
        done(an_item("a"), small(TAGS)),
        done(an_item("gone"), Output(at="memory:gone", tags=9, tags_cut=9)),
        done(an_item("cut"), cut),
        done(an_item("lost"), Output("S1", status="not stored: no space left", tags=9, tags_cut=8)),
    ]
    rows = await rows_of(await a_store(*items), outputs, misfits=misfits)

    assert {row["itemID"] for row in rows if row["itemID"] == "a"} == {"a"}
    assert {misfit.item_id for misfit in misfits} == {"gone", "cut", "lost"}


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        (DONE_TASKS, ["a"]),
        (Selection(ids=["a", "b"]), ["a"]),
        (Selection(sample="sample"), ["a"]),
        (Selection(states=["failed"]), ["b"]),
        (Selection(all=True), ["a", "b"]),
        (Selection(where='tag == "late"'), ["b"]),
        (Selection(all=True, limit=0), []),
    ],
)
async def test_what_failed_is_no_result_unless_it_is_asked_for(selection: Selection, found: Sequence[str]) -> None:
    """By a state, an expression, or for everything."""
    failed = done(an_item("b"), small("PyAnamo:\tlate\n"))
    failed = replace(failed, state=State.FAILED, tasks=(replace(failed.tasks[0], state=TaskState.FAILED),))
    store = await a_store(done(an_item("a"), small("PyAnamo:\tx\n")), failed)

    assert [row["itemID"] for row in await rows_of(store, MemoryOutputs(), selection)] == found


class Endless(MemoryOutputs):
    """Holds more tags than any memory."""

    async def read(self, location: str, *, start: int = 0) -> AsyncIterator[bytes]:  # noqa: ARG002 - of the port
        for _ in range(2000):
            yield b"PyAnamo:\t" + b"x" * 100_000 + b"\n"


async def test_memory_is_bounded_whatever_a_task_printed() -> None:
    """Of one task so many bytes of tags are kept; that the rest is missing is told."""
    store, misfits = await a_store(done(an_item("a"), Output(at="memory:a", tags=2000, tags_cut=2000))), list[Misfit]()

    tracemalloc.start()
    try:
        rows = await rows_of(store, Endless(), misfits=misfits)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 0 < len(rows) < 100
    assert [misfit.why for misfit in misfits] == ["more than 4.0 MB of tags: the rest is left out"]
    assert peak < 40 << 20
