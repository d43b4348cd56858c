"""Wrong arguments of the API are refused before anything runs: no item pays for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from pyanamo_async import (
    FailurePolicy,
    OutputSettings,
    Selection,
    Table,
    UsageError,
    Verdict,
    WorkerSettings,
    open_table,
    parse_on_exit,
)

Make = Callable[..., object]


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (FailurePolicy, {"max_failures": "3"}),
        (FailurePolicy, {"max_failures": 0}),
        (FailurePolicy, {"crash_limit": True}),
        (FailurePolicy, {"backoff_min": 1}),
        (FailurePolicy, {"backoff_max": timedelta(-1)}),
        (FailurePolicy, {"on_exit": "75=retry"}),
        (FailurePolicy, {"on_exit": {75: "retry"}}),
        (FailurePolicy, {"on_exit": ((75, "retry"),)}),
        (FailurePolicy, {"on_exit": ((300, Verdict.RETRY),)}),
        (WorkerSettings, {"items": "4"}),
        (WorkerSettings, {"items": 2.5}),
        (WorkerSettings, {"wall_time": 5}),
        (WorkerSettings, {"timeout": "90m"}),
        (WorkerSettings, {"linger": None}),
        (WorkerSettings, {"grace": timedelta(-1)}),
        (WorkerSettings, {"shell": 5}),
        (WorkerSettings, {"policy": None}),
        (WorkerSettings, {"lease": timedelta(days=2)}),
        (OutputSettings, {"spool_bytes": "64MiB"}),
        (OutputSettings, {"spool_bytes": -1}),
        (OutputSettings, {"cloudwatch": True}),
        (open_table, {"table": None}),
        (open_table, {"bucket": 5}),
        (open_table, {"bucket_key": "../../elsewhere"}),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_argument(make: Make, arguments: dict[str, Any]) -> None:
    """Where it is given, not hours later in a worker."""
    [name] = arguments

    with pytest.raises(UsageError, match=f"`{name}`"):
        make(**arguments)


EVERYTHING = Selection(all=True)
Call = Callable[[Table], AsyncIterator[object]]


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("sort", lambda table: table.items(sort="nonsense")),
        ("sort", lambda table: table.trace(sort=5)),
        ("limit", lambda table: table.trace(limit=-1)),
        ("limit", lambda table: table.trace(limit="3")),
        ("selection", lambda table: table.trace(EVERYTHING, state="done")),
        ("columns", lambda table: table.rows("itemID")),
        ("columns", lambda table: table.rows(["itemID", None])),
        ("tag_names", lambda table: table.results(tag_names="")),
        ("tag_names", lambda table: table.results(tag_names=[5])),
        ("streams", lambda table: table.all_logs(EVERYTHING, streams="stdout")),
        ("tail", lambda table: table.all_logs(EVERYTHING, tail=-1)),
    ],
)
async def test_a_wrong_argument_of_a_listing_is_refused_by_its_name(name: str, call: Call) -> None:
    """Before the first row."""
    async with open_table("memory:") as table:
        await table.create()
        with pytest.raises(UsageError, match=f"`{name}`"):
            [row async for row in call(table)]


@pytest.mark.parametrize(("name", "arguments"), [("to", {"to": "x.csv"}), ("name", {"to": "x.db", "name": "sqlite_x"})])
async def test_a_wrong_argument_of_an_export_is_refused_by_its_name(name: str, arguments: dict[str, Any]) -> None:
    """Before anything is written."""
    async with open_table("memory:") as table:
        await table.create()
        with pytest.raises(UsageError, match=f"`{name}`"):
            await table.export(**arguments)


@pytest.mark.parametrize("rows", ["abc", {"itemID": "a"}, [None], [{"itemID": "a", "TaskID": "s", "TaskScript": b"x"}]])
async def test_rows_that_are_none_are_refused(rows: Any) -> None:  # noqa: ANN401 - whatever people pass
    """Bytes would be stored as their representation, and a single row read as its letters."""
    async with open_table("memory:") as table:
        with pytest.raises(UsageError, match="`rows`"):
            await table.add(rows)


def test_rules_of_exit_statuses_come_from_text() -> None:
    """As the command line takes them."""
    policy = FailurePolicy(on_exit=parse_on_exit("75=retry,timeout=fail"))

    assert policy.on_exit == ((75, Verdict.RETRY), ("timeout", Verdict.FAIL))
