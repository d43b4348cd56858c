"""Finding the items of a selection by what others know."""

from __future__ import annotations

from datetime import timedelta

from pyanamo_async.core.items import Item
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Worker
from pyanamo_async.operate.changing import Writer, change
from pyanamo_async.operate.selecting import select, select_items
from tests.fakes import NOON, FakeClock, an_item
from tests.operate.test_results import a_store, done, small

JOB = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6-3f2a9c1e"


async def test_tasks_are_found_by_the_machine_of_their_worker() -> None:
    """As the workers' rows name it; for verbs, too."""
    first, second = done(an_item("a"), small("x")), done(an_item("b"), small("x"))
    ran = replace(first.tasks[0].record, worker=JOB) if first.tasks[0].record else None
    store = await a_store(replace(first, tasks=(replace(first.tasks[0], record=ran),)), second)
    await store.heartbeat(Worker(JOB, "ip-10-0-0-7", NOON, NOON, timedelta(minutes=3)))
    selection, changed = Selection(where='host == "ip-10-0-0-7"'), list[str]()

    def note(item: Item, _: object) -> Item:
        changed.append(item.item_id)
        return item

    await change(Writer(store, FakeClock()), selection, note)
    assert [each.item_id async for each in select(store, selection)] == ["a"]
    assert [each.item_id async for each in select_items(store, selection)] == ["a"]
    assert changed == ["a"]
