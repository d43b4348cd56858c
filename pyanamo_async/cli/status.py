"""`pyanamo status`, `list` and `show`: what stands in the table."""

from __future__ import annotations

from datetime import UTC, datetime

from pyanamo_async.app.settings import Settings
from pyanamo_async.cli import views
from pyanamo_async.cli.console import say_json, say_json_list, say_table
from pyanamo_async.cli.item_view import show_item
from pyanamo_async.cli.options import ItemArgument, JsonOption, SampleOption, StateOption, addressed
from pyanamo_async.cli.run_async import with_store
from pyanamo_async.core.stored.record import encode, encode_summary
from pyanamo_async.host.liveness import process_status
from pyanamo_async.operate.status import look
from pyanamo_async.ports import Store


@addressed
def status(given: Settings, *, json: JsonOption = False) -> None:
    """Show how far the table is: items by state, tasks, pace."""

    async def work(store: Store) -> None:
        seen = await look(store, str(given.table), now=datetime.now(UTC), process_status=process_status)
        if json:
            say_json([views.status_row(seen)])
        else:
            views.show_status(seen)

    with_store(given, work)


@addressed
def list_items(
    given: Settings,
    *,
    state: StateOption = None,
    sample: SampleOption = None,
    json: JsonOption = False,
) -> None:
    """List items, in the order of state and then of time."""

    async def work(store: Store) -> None:
        found = store.summaries(state=state, sample=sample)
        if json:
            await say_json_list(encode_summary(each) async for each in found)
        else:
            await say_table(views.LIST_COLUMNS, (views.list_row(each) async for each in found))

    with_store(given, work)


@addressed
def show(given: Settings, *, item: ItemArgument, json: JsonOption = False) -> None:
    """Show all that is known of one item.

    Its scripts, how their last attempts ended, what they used and what they printed.
    """

    async def work(store: Store) -> None:
        found = await store.read(item)
        if json:
            say_json(encode(found))
        else:
            show_item(found)

    with_store(given, work)
