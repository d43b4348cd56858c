"""`pyanamo list` and `show`: what is in the table."""

from __future__ import annotations

from typing import Annotated

import typer

from pyanamo_async import Selection, Table, UsageError
from pyanamo_async.cli import views
from pyanamo_async.cli.console import say, say_json, say_json_list
from pyanamo_async.cli.item_view import show_item
from pyanamo_async.cli.listing import say_table
from pyanamo_async.cli.options import ItemArgument, JsonOption, on_table
from pyanamo_async.cli.reading import limited
from pyanamo_async.cli.selecting import note_scan, selects_items
from pyanamo_async.core.stored.record import encode, encode_summary


@on_table
@selects_items(all=True)
async def list_items(
    table: Table,
    *,
    selection: Selection,
    count: Annotated[bool, typer.Option("--count", help="Print only how many there are.")] = False,
    json: JsonOption = False,
) -> None:
    """List items, all or those of a selection, in the order of state and then of time."""
    if count and json:
        raise UsageError("--count and --json exclude each other", hint="--count prints a number")
    await note_scan(table, selection)
    items = limited(table.items(selection), None)
    if count:
        number = 0
        async for _ in items:
            number += 1
        say(str(number))
    elif json:
        await say_json_list(encode_summary(each) async for each in items)
    else:
        await say_table(views.LIST_COLUMNS, (views.list_row(each) async for each in items))


@on_table
async def show(table: Table, *, item: ItemArgument, json: JsonOption = False) -> None:
    """Show everything known of one item.

    Its scripts, how their last attempts ended, what they used and what they printed.
    """
    found = await table.item(item)
    if json:
        say_json(encode(found))
    else:
        show_item(found)
