"""`pyanamo trace`: how attempts ended and what they used, a row for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from pyanamo_async import Selection, Succeeded, Table, UsageError
from pyanamo_async.cli.console import on_terminal, say_exactly, say_json, say_json_list
from pyanamo_async.cli.listing import Column, row_of, say_table
from pyanamo_async.cli.options import JsonOption, on_table
from pyanamo_async.cli.reading import ReverseOption, SortOption, limited
from pyanamo_async.cli.selecting import note_scan, selects_items
from pyanamo_async.cli.views import short_time
from pyanamo_async.core.stored.queue_key import parse_time
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.durations import show_seconds
from pyanamo_async.core.text.visible import field
from pyanamo_async.core.trace import COLUMNS


def _of(name: str, show: Callable[[Any], str] = str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: "" if row[name] is None else show(row[name])


IN_A_PIPE = [Column(name, show=_of(name)) for name in COLUMNS]
ON_TERMINAL = (
    Column("itemID", show=_of("itemID")),
    Column("task", rank=4, show=_of("Task")),
    Column("argument", rank=3, show=_of("Argument")),
    Column("attempt", rank=9, right=True, show=_of("Attempt", lambda number: str(number or ""))),
    Column("status", rank=1, show=_of("Status")),
    Column("started", rank=7, show=_of("Started", lambda time: short_time(parse_time(time)))),
    Column("took", rank=2, right=True, show=_of("Seconds", show_seconds)),
    Column("CPU", rank=6, right=True, show=_of("CPU_Seconds", show_seconds)),
    Column("memory", rank=5, right=True, show=_of("Max_RSS", show_size)),
    Column("reason", rank=8, cut=True, show=_of("Reason")),
)


@on_table
@selects_items(all=True)
async def trace(
    table: Table,
    *,
    selection: Selection,
    sort: SortOption = None,
    reverse: ReverseOption = False,
    tsv: Annotated[bool, typer.Option("--tsv", help="Tab-separated, on a terminal too.")] = False,
    json: JsonOption = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON Lines: an object for each row.")] = False,
    joblog: Annotated[bool, typer.Option("--joblog", help="Print the format of the joblog of GNU parallel.")] = False,
) -> None:
    """Show how attempts ended and what they used.

    There is a row for the last attempt at each task that has ended. Rows are in no order unless --sort names a column;
    --limit counts rows. `pyanamo show` has the reasons of older attempts.
    """
    if tsv + json + jsonl + joblog > 1:
        raise UsageError("--tsv, --json, --jsonl and --joblog are four formats", hint="choose one")
    if joblog and sort is not None:
        raise UsageError("--joblog cannot be sorted", hint="leave out --sort, or use --tsv")
    limit, chosen = selection.limit, replace(selection, limit=None)
    await note_scan(table, selection, whole=True)
    if joblog:
        most = None if limit is None else limit + 1  # the first is the header
        async for line in limited(table.joblog(chosen), most):
            say_exactly("\t".join((*map(field, line[:-1]), line[-1])))
        return
    rows = limited(table.trace(chosen, sort=sort, reverse=reverse, limit=limit), limit)
    if json:
        await say_json_list(rows)
        return
    if jsonl:
        async for row in rows:
            say_json(row, lines=True)
        return
    columns = ON_TERMINAL if on_terminal() and not tsv else IN_A_PIPE
    await say_table(columns, (row_of(columns, row, _style(row)) async for row in rows), plain=tsv)


def _style(row: Mapping[str, Any]) -> str:
    return "" if row["Status"] == Succeeded.status else "red"
