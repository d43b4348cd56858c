"""`pyanamo trace`: how attempts ended and what they used, a row for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import typer

from pyanamo_async import Selection, Succeeded, Table, UsageError
from pyanamo_async.cli.console import on_terminal, say_exactly, say_json, say_json_list
from pyanamo_async.cli.listing import Column, Row, say_table
from pyanamo_async.cli.options import JsonOption, on_table
from pyanamo_async.cli.reading import ReverseOption, SortOption, limited
from pyanamo_async.cli.selecting import note_scan, selects_items
from pyanamo_async.cli.views import short_time
from pyanamo_async.core.stored.queue_key import parse_time
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.text.durations import show_seconds
from pyanamo_async.core.text.visible import field
from pyanamo_async.core.trace import COLUMNS

IN_A_PIPE = [Column(name) for name in COLUMNS]
ON_TERMINAL = (
    Column("itemID"),
    Column("task", rank=4),
    Column("argument", rank=3),
    Column("attempt", rank=9, right=True),
    Column("status", rank=1),
    Column("started", rank=7),
    Column("took", rank=2, right=True),
    Column("CPU", rank=6, right=True),
    Column("memory", rank=5, right=True),
    Column("reason", rank=8, cut=True),
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
    joblog: Annotated[bool, typer.Option("--joblog", help="Like the joblog of GNU parallel.")] = False,
) -> None:
    """Show how attempts ended and what they used.

    One row for each task's last attempt that ended, in no order unless --sort names a column; --limit counts rows.
    `pyanamo show` has the reasons of older attempts.
    """
    if tsv + json + jsonl + joblog > 1:
        raise UsageError("--tsv, --json, --jsonl and --joblog are four formats", hint="choose one")
    if joblog and sort is not None:
        raise UsageError("--joblog is in no order", hint="leave --sort out, or take --tsv")
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
    show, columns = (_short, ON_TERMINAL) if on_terminal() and not tsv else (_whole, IN_A_PIPE)
    await say_table(columns, (show(row) async for row in rows), plain=tsv)


def _whole(row: Mapping[str, Any]) -> Row:
    return Row(["" if row[name] is None else str(row[name]) for name in COLUMNS])


def _short(row: Mapping[str, Any]) -> Row:
    cpu, memory = row["CPU_Seconds"], row["Max_RSS"]
    fields = (
        row["itemID"],
        row["Task"],
        row["Argument"] or "",
        str(row["Attempt"] or ""),
        row["Status"],
        short_time(parse_time(row["Started"])),
        show_seconds(row["Seconds"]),
        "" if cpu is None else show_seconds(cpu),
        "" if memory is None else show_size(memory),
        row["Reason"] or "",
    )
    return Row(fields, "" if row["Status"] == Succeeded.status else "red")
