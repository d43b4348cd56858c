"""The public API: what a notebook does, on a table in memory and in a SQLite file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

import pyanamo_async
from pyanamo_async import (
    Creation,
    FindingKind,
    OnExists,
    OutputMissing,
    State,
    Succeeded,
    Table,
    TableMissing,
    TaskFileInvalid,
    UsageError,
    WorkerCondition,
    WorkerSettings,
    check_task_file,
    open_table,
)
from simulation.crew import Notes

ROWS: list[dict[str, object]] = [
    {"itemID": "a", "TaskID": "s1", "TaskScript": "echo out; echo err >&2"},
    {"itemID": "b", "TaskID": "s2", "TaskScript": "exit 3", "MaxFailures": 1},
    {"itemID": "n", "TaskID": "s1", "TaskScript": ["seq 2", "seq 30000"]},
]
TWO = WorkerSettings(items=2)


@pytest.fixture(params=["sqlite", "memory"])
async def table(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Table]:
    """A table that does not exist yet."""
    in_file = open_table(f"sqlite:{tmp_path}/step.db", bucket=f"file:{tmp_path}/logs")
    async with in_file if request.param == "sqlite" else open_table("memory:") as opened:
        yield opened


async def test_rows_are_added_run_and_read(table: Table) -> None:
    """From rows to output, in one process."""
    added = await table.add(ROWS)
    registered = await table.add(ROWS)
    result = await table.run(TWO)
    status = await table.status()

    assert (added.creation, added.items, added.tasks, added.added) == (Creation.CREATED, 3, 4, 3)
    assert (registered.creation, registered.added, registered.skipped) == (Creation.FOUND, 0, 3)
    assert (result.exit_status, result.done, result.failed) == (3, 2, 1)
    assert (status.counts.items[State.DONE], status.counts.items[State.FAILED], status.counts.total) == (2, 1, 3)
    assert (await table.item("b")).reason == "attempt 1: exit status 3"
    assert await (await table.logs("a")).text() == "out\n"
    assert await (await table.logs("a", stream="stderr")).text() == "err\n"
    assert await (await table.logs("n", "1", tail=2)).text() == "29999\n30000\n"


async def test_items_are_listed_by_state_and_sample(table: Table) -> None:
    """A state may be an enum or its text."""
    await table.add(ROWS)
    await table.run(TWO)

    assert [each.item_id async for each in table.items(state=State.FAILED)] == ["b"]
    assert {each.item_id async for each in table.items(state="done", sample="s1")} == {"a", "n"}
    with pytest.raises(UsageError, match=r"`state` is 'finished'. hint: give one of todo, locked"):
        [each async for each in table.items(state="finished")]


async def test_a_trace_has_a_row_for_each_task(table: Table) -> None:
    """With types, and as a job log."""
    await table.add(ROWS)
    await table.run(TWO)
    rows = [row async for row in table.trace()]
    header, *lines = [line async for line in table.joblog()]

    assert {(row["itemID"], row["Task"], row["Exit_Code"]) for row in rows} == {
        ("a", "Task_0", 0),
        ("b", "Task_0", 3),
        ("n", "Task_0", 0),
        ("n", "Task_1", 0),
    }
    assert header[0] == "Seq"
    assert [line[0] for line in lines] == ["1", "2", "3", "4"]


async def test_a_task_is_followed_to_its_outcome(table: Table) -> None:
    """What it printed is shown, and how it ended is returned."""
    await table.add(ROWS[:1])
    await table.run(TWO)
    shown: list[bytes] = []

    assert await table.follow("a", show=lambda _, data: shown.append(data)) == Succeeded()
    assert b"".join(shown) == b"out\n"


async def test_a_worker_ends_and_its_events_are_logged(table: Table) -> None:
    """It is listed as ended; nobody is left to be ordered or reclaimed from."""
    await table.add(ROWS[:1])
    notes = Notes()
    result = await table.run(TWO, event_log=notes)
    [worker] = await table.workers()

    assert result.exit_status == 0
    assert worker.condition is WorkerCondition.ENDED
    assert not worker.vanished
    assert await table.workers(stale=True) == []
    assert await table.order("drain", all_workers=True) == []
    assert (await table.reclaim()).reclaimed == 0
    assert [finding async for finding in table.doctor(older_than=timedelta())] == []
    with pytest.raises(UsageError, match="`all_workers`"):
        await table.order("stop")
    with pytest.raises(UsageError, match="there is no worker nobody"):
        await table.order("stop", "nobody")
    with pytest.raises(UsageError, match="`desired` is 'explode'"):
        await table.order("explode", all_workers=True)


async def test_a_table_file_is_imported_with_progress(table: Table, tmp_path: Path) -> None:
    """By its path, or checked first with options of its format."""
    file, bare = tmp_path / "items.txt", tmp_path / "bare.txt"
    file.write_text("itemID|TaskID|TaskScript\na|s|true\nb|s|true\n")
    bare.write_text("c,s,true\n")
    told: list[tuple[Creation | None, int]] = []
    imported = await table.import_file(file, progress=lambda each: told.append((each.creation, each.written)))
    with check_task_file(bare, delimiter=",", no_header=True) as checked:
        preview = await table.import_file(checked, dry_run=True)

    assert (imported.added, told) == (2, [(Creation.CREATED, 0), (Creation.CREATED, 2)])
    assert (preview.added, (await table.status()).counts.total) == (1, 2)
    with pytest.raises(UsageError, match="already has 2 items"):
        await table.import_file(file, on_exists=OnExists.FAIL)
    with pytest.raises(UsageError, match=r"`on_exists` is 'merge'. hint: give one of skip, fail, replace"):
        await table.import_file(file, on_exists="merge")
    with pytest.raises(TaskFileInvalid, match="1 bad row"):
        await table.add([{"itemID": "x"}])


async def test_a_table_is_created_described_and_dropped(table: Table) -> None:
    """Creating it again changes nothing; dropping says how many items it had."""
    with pytest.raises(TableMissing):
        await table.status()
    assert await table.create() is Creation.CREATED
    assert await table.create() is Creation.FOUND
    await table.add(ROWS)

    assert (await table.describe()).keys == ("itemID",)
    assert await table.drop() == 3
    with pytest.raises(TableMissing):
        await table.status()
    with pytest.raises(UsageError, match="`shards` has no effect"):
        await table.create(shards=4)


async def test_output_that_does_not_exist_is_named(table: Table) -> None:
    """As are streams and tasks."""
    await table.add(ROWS)

    with pytest.raises(OutputMissing, match="no attempt has ended"):
        await table.logs("a")
    with pytest.raises(UsageError, match="`stream` is 'out'"):
        await table.logs("a", stream="out")
    with pytest.raises(UsageError, match="has no task 7"):
        await table.logs("n", "7")


async def test_a_table_is_measured_and_nothing_is_left(tmp_path: Path) -> None:
    """Beside the table; its own is gone at the end."""
    async with open_table(f"sqlite:{tmp_path}/step.db", bucket=f"file:{tmp_path}/logs") as table:
        report = await table.bench(items=5, concurrency=2, stream_bytes=100_000)

        assert report.units_per_item is None
        assert report.usd_per_million_items is None
        assert min(report.imported_per_second, report.run_per_second, report.output_bytes_per_second or 0) > 0
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(UsageError, match="`items` is 0"):
            await table.bench(items=0)


def test_a_table_says_where_it_is() -> None:
    """Nothing is contacted for that."""
    table = open_table("Step_1", bucket="bucket", region="eu-west-1")

    assert (table.address, table.output, table.region) == ("Step_1", "s3://bucket/PyAnamo", "eu-west-1")
    assert open_table("Step_1").output is None
    with pytest.raises(UsageError, match="`table` 'a/b' is neither"):
        open_table("a/b")


def test_findings_have_kinds() -> None:
    """Which a program can tell apart: each has words of its own."""
    kinds = {str(kind) for kind in FindingKind}

    assert {"worker vanished", "output unfinished", "clock wrong", "table missing", "image missing"} <= kinds
    assert len(kinds) == len(FindingKind)


def test_all_public_names_exist() -> None:
    """And are documented, as far as they are classes or functions."""
    for name in pyanamo_async.__all__:
        value = getattr(pyanamo_async, name)
        assert isinstance(value, str) or (value.__doc__ or name == "Outcome"), name
    with pytest.raises(AttributeError, match="nothing"):
        getattr(pyanamo_async, "nothing")  # noqa: B009 - mypy knows that it does not exist
