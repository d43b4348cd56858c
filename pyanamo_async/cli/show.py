"""`pyanamo show`: what is known of one item."""

from __future__ import annotations

from pyanamo_async import Table
from pyanamo_async.cli.console import say_json
from pyanamo_async.cli.item_view import show_item
from pyanamo_async.cli.options import ItemArgument, JsonOption, on_table
from pyanamo_async.core.stored.record import encode


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
