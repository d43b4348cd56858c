"""`pyanamo failures`: what failed, grouped by why."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pyanamo_async import FailureGroup, Table
from pyanamo_async.cli.console import flush, note, say_json
from pyanamo_async.cli.listing import Column, Row, say_table
from pyanamo_async.cli.options import JsonOption, SampleOption, command_line, on_table
from pyanamo_async.cli.run_async import with_table
from pyanamo_async.core.text.plural import plural

COLUMNS = (Column("items", right=True), Column("reason", rank=1, cut=True), Column("look at one", rank=2))


@on_table
def failures(table: Table, *, sample: SampleOption = None, json: JsonOption = False) -> None:
    """Show what failed and why: failed items, grouped by reason and the last line of stderr.

    Numbers that differ from item to item are left out, as #.
    """
    groups = with_table(table, lambda table: table.failures(sample=sample))
    if json:
        say_json([_json(each) for each in groups])
        return
    import asyncio

    if groups:
        asyncio.run(say_table(COLUMNS, _rows(groups, table.address)))
    failed = sum(each.count for each in groups)
    hint = f"; {command_line('retry', table.address)} runs {'it' if failed == 1 else 'them'} again" if failed else ""
    flush()  # the table comes first, also where both go to one terminal
    note(f"{plural(failed, 'item')} failed{hint}")


async def _rows(groups: list[FailureGroup], address: str) -> AsyncIterator[Row]:
    for each in groups:
        yield Row((str(each.count), each.reason, command_line("logs --stderr", address, each.example)), "red")


def _json(group: FailureGroup) -> dict[str, object]:
    return {
        "items": group.count,
        "reason": group.reason,
        "example": group.example,
        "example_reason": group.example_reason,
    }
