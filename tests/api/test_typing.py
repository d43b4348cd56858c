"""The types that users of the API see; `mypy --strict` checks the assertions, the tests only import them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import assert_type

from pyanamo_async import (
    AdoptResult,
    BenchReport,
    Counts,
    Creation,
    Description,
    Explanation,
    ExportResult,
    Finding,
    FoundLog,
    ImportResult,
    Item,
    Outcome,
    ReclaimResult,
    RunResult,
    SampleRow,
    Selection,
    Status,
    Summary,
    Table,
    TaskLog,
    TimeLeft,
    WaitResult,
    WorkerSettings,
    WorkerStatus,
    open_table,
    run_on_loop,
    sample_matrix,
)


async def every_method(table: Table) -> None:
    """Call every method as users do."""
    assert_type(await table.create(), Creation)
    assert_type(await table.describe(), Description)
    assert_type(await table.add([{"itemID": "a"}]), ImportResult)
    assert_type(await table.import_file("items.txt", on_exists="replace"), ImportResult)
    assert_type(table.items(state="done"), AsyncIterator[Summary])
    assert_type(await table.item("a"), Item)
    assert_type(await table.status(), Status)
    assert_type((await table.status()).counts, Counts)
    assert_type((await table.status()).time_left, TimeLeft | None)
    assert_type(await table.counts(), Counts)
    assert_type(await table.wait(timeout=timedelta(0)), WaitResult)
    assert_type(await table.explain("a"), Explanation)
    assert_type(await sample_matrix([table]), list[SampleRow])
    assert_type(await table.logs("a"), TaskLog)
    assert_type(await (await table.logs("a")).text(), str)
    assert_type(await table.follow("a", show=lambda _, data: print(data)), Outcome | None)
    assert_type(await table.run(WorkerSettings(items=2)), RunResult)
    assert_type(await table.workers(), list[WorkerStatus])
    assert_type(await table.order("drain", all_workers=True), list[str])
    assert_type(await table.reclaim(), ReclaimResult)
    assert_type(await table.adopt(), AdoptResult)
    assert_type(table.trace(), AsyncIterator[Mapping[str, object]])
    assert_type(table.results(), AsyncIterator[dict[str, str | int | float | None]])
    assert_type(table.rows(["itemID"], sort="Priority"), AsyncIterator[dict[str, object]])
    assert_type(await table.export("results.db"), ExportResult)
    assert_type(table.all_logs(Selection(all=True)), AsyncIterator[FoundLog])
    assert_type(table.save_logs(Selection(all=True), "logs"), AsyncIterator[Path])
    assert_type(table.doctor(), AsyncIterator[Finding])
    assert_type(await table.bench(), BenchReport)
    assert_type(await table.drop(), int)
    async for chunk in await table.logs("a"):
        assert_type(chunk, bytes)


def every_function() -> None:
    """Call every function as users do."""
    assert_type(open_table("sqlite:step.db", bucket="file:logs"), Table)
    assert_type(run_on_loop(open_table().status()), Status)


def test_the_package_says_that_it_is_typed() -> None:
    """Type checkers look for the marker."""
    assert files("pyanamo_async").joinpath("py.typed").is_file()
