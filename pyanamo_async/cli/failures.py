"""`pyanamo failures`: what failed, grouped by why."""

from __future__ import annotations

from pyanamo_async import FailureGroup, Table
from pyanamo_async.cli.console import flush, note, say_json
from pyanamo_async.cli.listing import Column, Row, say_table
from pyanamo_async.cli.options import JsonOption, SampleOption, command_line, on_table
from pyanamo_async.cli.views import one_by_one
from pyanamo_async.core.text.plural import plural

COLUMNS = (Column("items", right=True), Column("reason", rank=1, cut=True), Column("look at one", rank=2))


@on_table
async def failures(table: Table, *, sample: SampleOption = None, json: JsonOption = False) -> None:
    """Show what failed and why: failed items, grouped by reason and the last line of stderr.

    Numbers that differ from item to item are left out, as #.
    """
    groups = await table.failures(sample=sample)
    if json:
        say_json([_json(each) for each in groups])
        return
    if groups:
        await say_table(COLUMNS, (_row(each, table.address) async for each in one_by_one(groups)))
    failed = sum(each.count for each in groups)
    hint = f"; {command_line('retry', table.address)} runs {'it' if failed == 1 else 'them'} again" if failed else ""
    flush()  # the table comes first, also where both go to one terminal
    note(f"{plural(failed, 'item')} failed{hint}")


def _row(group: FailureGroup, address: str) -> Row:
    return Row((str(group.count), group.reason, command_line("logs --stderr", address, group.example)), "red")


def _json(group: FailureGroup) -> dict[str, object]:
    return {
        "items": group.count,
        "reason": group.reason,
        "example": group.example,
        "example_reason": group.example_reason,
    }
