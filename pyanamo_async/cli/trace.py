"""`pyanamo trace`: how attempts ended and what they used, a row for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Annotated

import typer

from pyanamo_async.app.settings import Settings
from pyanamo_async.cli.console import Row, on_terminal, say, say_json, say_table
from pyanamo_async.cli.options import SampleOption, StateOption, addressed
from pyanamo_async.cli.run_async import with_store
from pyanamo_async.core.items import Item
from pyanamo_async.core.trace import COLUMNS, JOBLOG_COLUMNS
from pyanamo_async.core.trace import joblog as as_joblog
from pyanamo_async.core.trace import trace as as_rows
from pyanamo_async.errors import UsageError
from pyanamo_async.ports import Store

DRAWN = ("itemID", "Task", "Attempt", "Status", "Exit_Code", "Started", "Seconds", "CPU_Seconds", "Max_RSS")


@addressed
def trace(
    given: Settings,
    *,
    state: StateOption = None,
    sample: SampleOption = None,
    tsv: Annotated[bool, typer.Option("--tsv", help="Tab-separated, on a terminal too.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON Lines: an object for each row.")] = False,
    joblog: Annotated[bool, typer.Option("--joblog", help="As the joblog of GNU parallel.")] = False,
) -> None:
    """Show how attempts ended and what they used.

    One row for each task's last attempt that ended, in no order; what older ones ended of is in `pyanamo show`.
    """
    if tsv + jsonl + joblog > 1:
        raise UsageError("--tsv, --jsonl and --joblog are three formats", hint="choose one")

    async def work(store: Store) -> None:
        items = store.items(state=state, sample=sample)
        if jsonl:
            async for item in items:
                for row in as_rows(item):
                    say_json(row, lines=True)
        elif joblog:
            await store.describe()  # no header without a table
            await _say_joblog(items)
        else:
            columns = DRAWN if on_terminal() and not tsv else COLUMNS
            await say_table(columns, _rows(items, columns), plain=tsv)

    with_store(given, work)


async def _rows(items: AsyncIterator[Item], columns: Iterable[str]) -> AsyncIterator[Row]:
    async for item in items:
        for row in as_rows(item):
            yield Row([_text(row[name]) for name in columns])


async def _say_joblog(items: AsyncIterator[Item]) -> None:
    say("\t".join(JOBLOG_COLUMNS))
    seq = 0
    async for item in items:
        for line in as_joblog(item):
            seq += 1
            say("\t".join((str(seq), *line)))


def _text(value: object) -> str:
    return "" if value is None else str(value)
