"""Find the items of a selection.

1. Whatever the queue index knows, state and sample, is asked of it; other criteria are asked of the items themselves.
2. With states, only items in these states are read whole; otherwise all of the table.
3. An item that others change meanwhile may appear more than once, or not at all. Memory does not grow with the number.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from pyanamo_async.core.items import Item, State, Summary, Task
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.stored.queue_key import queue_key
from pyanamo_async.core.stored.record import encode, summarise
from pyanamo_async.errors import ItemMissing
from pyanamo_async.operate.batches import batches
from pyanamo_async.ports import Store

T = TypeVar("T")

PAGE = 100  # items read together
NAMED = 5  # ids in a message


async def select(store: Store, selection: Selection) -> AsyncIterator[Summary]:
    """Yield the selected items in summary, up to the selection's limit.

    Raises:
        ItemMissing: ids are named that the table does not have, and the selection has no `on_missing`; items that it
            has are yielded before.
    """
    if selection.ids is not None or selection.names_tasks:
        async for item in select_items(store, selection):
            yield summary_of(item)
    else:
        async for summary in first(_listed(store, selection), selection.limit):
            yield summary


async def select_items(store: Store, selection: Selection) -> AsyncIterator[Item]:
    """Yield the selected items whole; otherwise as `select`."""
    selection = await with_hosts(store, selection)
    async for item in first(_matching(store, selection), selection.limit):
        yield item


async def select_tasks(store: Store, selection: Selection) -> AsyncIterator[tuple[Item, Sequence[Task]]]:
    """Yield the selected items whole, each with its selected tasks; otherwise as `select`."""
    selection = await with_hosts(store, selection)
    async for item in select_items(store, selection):
        yield item, selection.matching_tasks(item)


async def with_hosts(store: Store, selection: Selection) -> Selection:
    """Return a selection that knows on which machines workers run, if it asks for that."""
    if selection.hosts or selection.expression is None or "host" not in selection.expression.fields:
        return selection
    return replace(selection, hosts={worker.worker_id: worker.host for worker in await store.workers() if worker.host})


async def first(found: AsyncIterator[T], limit: int | None) -> AsyncIterator[T]:
    """Yield the first so many; with None, all."""
    if limit == 0:
        return
    number = 0
    async for each in found:
        yield each
        number += 1
        if number == limit:
            return


async def _listed(store: Store, selection: Selection) -> AsyncIterator[Summary]:
    for state in [None] if selection.states is None else map(State, selection.states):
        async for summary in store.summaries(state=state, sample=selection.sample):
            yield summary


async def _matching(store: Store, selection: Selection) -> AsyncIterator[Item]:
    found = _whole(store, selection) if selection.ids is None else _by_id(store, selection, selection.ids)
    async for item in found:
        if selection.matches(item):
            yield item


async def _by_id(store: Store, selection: Selection, ids: Iterable[str]) -> AsyncIterator[Item]:
    missing: list[str] = []
    for page in pages(ids):
        found = {item.item_id: item for item in await store.read_many(page)}
        for item_id in page:
            if item_id in found:
                yield found[item_id]
            else:
                missing.append(item_id)
    unreadable = await store.existing(missing) if missing else set()
    missing = [item_id for item_id in missing if item_id not in unreadable]
    if missing and selection.on_missing:
        selection.on_missing(missing)
    elif missing:
        named = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
        raise ItemMissing(f"the table has no item {named}", item_ids=missing, hint="`pyanamo list` shows the items")


async def _whole(store: Store, selection: Selection) -> AsyncIterator[Item]:
    if selection.states is None:
        async for item in store.items(sample=selection.sample):
            yield item
        return
    for state in map(State, selection.states):
        async for page in batches(store.summaries(state=state, sample=selection.sample), PAGE):
            for item in await store.read_many([summary.item_id for summary in page]):
                yield item


def pages(ids: Iterable[T], size: int = PAGE) -> Iterator[list[T]]:
    """Cut ids, or items, into pages."""
    left = iter(ids)
    return iter(lambda: list(islice(left, size)), [])


def summary_of(item: Item) -> Summary:
    """Return an item as listings show it."""
    return summarise(encode(item), state=item.state, key=queue_key(item, ""))
