"""`pyanamo trace`: how attempts ended and what they used, a row for each."""

from __future__ import annotations

from typing import Annotated

import typer

from pyanamo_async import Table, UsageError
from pyanamo_async.cli.console import Row, on_terminal, say, say_json, say_table
from pyanamo_async.cli.options import SampleOption, StateOption, on_table
from pyanamo_async.core.trace import COLUMNS

ON_TERMINAL = ("itemID", "Task", "Attempt", "Status", "Exit_Code", "Started", "Seconds", "CPU_Seconds", "Max_RSS")


@on_table
async def trace(
    table: Table,
    *,
    state: StateOption = None,
    sample: SampleOption = None,
    tsv: Annotated[bool, typer.Option("--tsv", help="Tab-separated, on a terminal too.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON Lines: an object for each row.")] = False,
    joblog: Annotated[bool, typer.Option("--joblog", help="Like the joblog of GNU parallel.")] = False,
) -> None:
    """Show how attempts ended and what they used.

    One row for each task's last attempt that ended, in no order; `pyanamo show` has the reasons of older ones.
    """
    if tsv + jsonl + joblog > 1:
        raise UsageError("--tsv, --jsonl and --joblog are three formats", hint="choose one")

    if joblog:
        async for line in table.joblog(state=state, sample=sample):
            say("\t".join(line))
        return
    rows = table.trace(state=state, sample=sample)
    if jsonl:
        async for row in rows:
            say_json(row, lines=True)
        return
    columns = ON_TERMINAL if on_terminal() and not tsv else COLUMNS
    texts = (Row(["" if row[name] is None else str(row[name]) for name in columns]) async for row in rows)
    await say_table(columns, texts, plain=tsv)
