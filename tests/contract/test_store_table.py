"""The laws of the table itself: made once, described, dropped, missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.core.output_tail import OutputTail, TaskRef
from pyanamo_async.core.workers import Desired
from pyanamo_async.errors import TableMissing
from pyanamo_async.ports import Creation, Store
from tests.contract.steps import a_worker, claim_one, listing
from tests.fakes import NOON, an_item

ITEM = an_item("a")
FEED = TaskRef("a", "Task_0", 1)
CALLS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "describe": lambda store: store.describe(),
    "drop": lambda store: store.drop(),
    "add": lambda store: store.add([ITEM]),
    "existing": lambda store: store.existing(["a"]),
    "read_many": lambda store: store.read_many(["a"]),
    "claim": lambda store: store.claim("w1", limit=1, now=NOON),
    "next_due": lambda store: store.next_due(),
    "save": lambda store: store.save(ITEM, ITEM),
    "remove": lambda store: store.remove(ITEM),
    "read": lambda store: store.read("a"),
    "summaries": listing,
    "counts": lambda store: store.counts(),
    "heartbeat": lambda store: store.heartbeat(a_worker("w1")),
    "order": lambda store: store.order("w1", Desired.RUN),
    "follow": lambda store: store.follow("w1", FEED, until=NOON),
    "publish": lambda store: store.publish(FEED, OutputTail(), now=NOON),
    "published": lambda store: store.published(FEED),
    "workers": lambda store: store.workers(),
    "forget": lambda store: store.forget("w1"),
    "held": lambda store: store.held("w1"),
}


async def test_creating_again_changes_nothing(store: Store) -> None:
    """A table of the right schema is left as it is, and said to have been there."""
    await store.add([ITEM])

    assert await store.create(shards=1) is Creation.FOUND
    assert await store.existing(["a"]) == {"a"}


async def test_a_table_is_described(store: Store) -> None:
    """By its key, its schema and its shards."""
    description = await store.describe()

    assert description.table
    assert description.output_namespace
    assert description.keys == ("itemID",)
    assert description.schema_version >= 1
    assert description.shards >= 1


async def test_a_dropped_table_is_missing_for_every_call(store: Store) -> None:
    """Each says so, with what to do about it, and none brings it back."""
    await store.add([ITEM])
    await store.drop()

    for call in CALLS.values():
        with pytest.raises(TableMissing, match=r"hint: .*create"):
            await call(store)


async def test_a_table_may_be_made_anew(store: Store) -> None:
    """After a drop nothing of the old one is left."""
    await store.add([ITEM])
    await store.heartbeat(a_worker("w1"))
    await store.drop()

    assert await store.create(shards=2) is Creation.CREATED
    assert (await store.counts()).total == 0
    assert await store.workers() == []
    assert (await store.describe()).shards == 2


async def test_closing_is_harmless_when_repeated(store: Store) -> None:
    """Whoever ends may close without asking whether another did."""
    await store.close()
    await store.close()


async def test_a_drop_is_seen_by_every_store_of_the_table(twins: tuple[Store, Store]) -> None:
    """Nobody works on with a table that was removed, or with the old one when there is a new one."""
    one, other = twins
    await one.add([ITEM, an_item("b")])
    await claim_one(other)
    await one.drop()
    with pytest.raises(TableMissing):
        await other.claim("w1", limit=1, now=NOON)

    await one.create(shards=1)
    await one.add([an_item("new")])
    assert (await claim_one(other)).item_id == "new"


async def test_two_may_create_at_once(twins: tuple[Store, Store]) -> None:
    """Both come to a table that works; one of them made it."""
    one, other = twins
    await one.drop()

    made = await asyncio.gather(*(store.create(shards=1) for store in twins))

    assert made.count(Creation.FOUND) == 1
    await one.add([ITEM])
    assert (await other.counts()).items[State.TODO] == 1
