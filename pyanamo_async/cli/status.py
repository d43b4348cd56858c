"""`pyanamo status`, `list` and `show`: what is in the table."""

from __future__ import annotations

from pyanamo_async import Table
from pyanamo_async.cli import views
from pyanamo_async.cli.console import say_json, say_json_list
from pyanamo_async.cli.item_view import show_item
from pyanamo_async.cli.listing import say_table
from pyanamo_async.cli.options import ItemArgument, JsonOption, SampleOption, StateOption, on_table
from pyanamo_async.cli.reading import LimitOption, limited
from pyanamo_async.cli.run_async import with_table
from pyanamo_async.core.stored.record import encode, encode_summary


@on_table
def status(table: Table, *, json: JsonOption = False) -> None:
    """Show the table's progress: items by state, tasks, pace."""
    seen = with_table(table, Table.status)
    if json:
        say_json([views.status_row(seen)])
    else:
        views.show_status(seen)


@on_table
def list_items(
    table: Table,
    *,
    state: StateOption = None,
    sample: SampleOption = None,
    limit: LimitOption = None,
    json: JsonOption = False,
) -> None:
    """List items, in the order of state and then of time."""

    async def work(table: Table) -> None:
        items = limited(table.items(state=state, sample=sample), limit)
        if json:
            await say_json_list(encode_summary(each) async for each in items)
        else:
            await say_table(views.LIST_COLUMNS, (views.list_row(each) async for each in items))

    with_table(table, work)


@on_table
def show(table: Table, *, item: ItemArgument, json: JsonOption = False) -> None:
    """Show everything known of one item.

    Its scripts, how their last attempts ended, what they used and what they printed.
    """
    found = with_table(table, lambda table: table.item(item))
    if json:
        say_json(encode(found))
    else:
        show_item(found)
