"""`pyanamo trace`: how attempts ended and what they used, a row for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Annotated

import typer

from pyanamo_async import Table, UsageError
from pyanamo_async.cli.console import Row, on_terminal, say, say_json, say_table
from pyanamo_async.cli.options import SampleOption, StateOption, on_table
from pyanamo_async.cli.run_async import with_table
from pyanamo_async.core.trace import COLUMNS

ON_TERMINAL = ("itemID", "Task", "Attempt", "Status", "Exit_Code", "Started", "Seconds", "CPU_Seconds", "Max_RSS")


@on_table
def trace(
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

    async def work(table: Table) -> None:
        if joblog:
            async for line in table.joblog(state=state, sample=sample):
                say("\t".join(line))
        elif jsonl:
            async for row in table.trace(state=state, sample=sample):
                say_json(row, lines=True)
        else:
            columns = ON_TERMINAL if on_terminal() and not tsv else COLUMNS
            await say_table(columns, _rows(table, state, sample, columns), plain=tsv)

    with_table(table, work)


async def _rows(table: Table, state: StateOption, sample: SampleOption, columns: Iterable[str]) -> AsyncIterator[Row]:
    async for row in table.trace(state=state, sample=sample):
        yield Row(["" if row[name] is None else str(row[name]) for name in columns])
