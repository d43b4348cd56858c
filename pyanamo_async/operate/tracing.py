"""Trace the last attempts of selected tasks: a row for each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from pyanamo_async.core import trace as rows
from pyanamo_async.core.arguments import check_type
from pyanamo_async.core.names import find_name
from pyanamo_async.core.selection import Selection
from pyanamo_async.errors import UsageError
from pyanamo_async.operate.row_files import sort_rows
from pyanamo_async.operate.selecting import first, select_tasks
from pyanamo_async.ports import Store

ALIASES = {
    "id": "itemID",
    "sample": "taskID",
    "exit": "Exit_Code",
    "cpu": "CPU_Seconds",
    "max_rss": "Max_RSS",
    "memory": "Max_RSS",
    "took": "Seconds",
    "host": "Worker",
}  # as expressions and the heads of the listing have it
_KNOWN = {name.casefold(): name for name in rows.COLUMNS} | ALIASES

Row = dict[str, Any]


async def trace(
    store: Store, selection: Selection, *, sort: str | None, reverse: bool, limit: int | None
) -> AsyncIterator[Row]:
    """Yield the rows of the selected tasks, in no order or by a column, at most `limit` of them.

    Raises:
        UsageError: there is no such column.
    """
    check_type("limit", limit, int | None)
    if limit is not None and limit < 0:
        raise UsageError(f"`limit` is {limit}", hint="give 0 or more")
    found = _trace(store, selection)
    if sort is not None:
        column = find_column(sort)
        found = sort_rows(found, lambda row: row[column], msgspec.msgpack.decode, reverse=reverse, limit=limit)
    async for row in first(found, limit):
        yield row


async def joblog(store: Store, selection: Selection) -> AsyncIterator[tuple[str, ...]]:
    """Yield the lines of the selected tasks, numbered."""
    number = 0
    async for item, tasks in select_tasks(store, selection):
        for line in rows.joblog(item, tasks):
            number += 1
            yield (str(number), *line)


def find_column(name: str) -> str:
    """Return a column of the trace by its name, in any case, or as expressions call it.

    Raises:
        UsageError: there is none.
    """
    return find_name(name, _KNOWN, argument="sort", owner="attempt", names=rows.COLUMNS, called="columns")


async def _trace(store: Store, selection: Selection) -> AsyncIterator[Row]:
    async for item, tasks in select_tasks(store, selection):
        for row in rows.trace(item, tasks):
            yield row
