"""The laws of following: wishes of people, and what a worker publishes for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pyanamo_async.core.output_tail import TAIL_BYTES, OutputTail, TailChunk, TaskRef
from pyanamo_async.core.workers import Orders
from pyanamo_async.errors import ItemMissing
from pyanamo_async.ports import Store
from tests.contract.steps import a_worker
from tests.fakes import NOON, an_item

SECOND = timedelta(seconds=1)
FEED = TaskRef("long.id#1/ü", "Task_0", 3)
ANY_BYTES = bytes(range(256)) * (TAIL_BYTES // 256)
LIVE = OutputTail(TailChunk(ANY_BYTES, 2**40), TailChunk(b"", 0))


@pytest.fixture(autouse=True)
async def worker(store: Store) -> None:
    """A worker that can be asked."""
    await store.heartbeat(a_worker("w1"))


async def test_followed_feeds_are_told_until_their_time(store: Store) -> None:
    """The reply to a beat names what is followed at the time of the beat, however many and whatever their ids."""
    long, short = TaskRef("x" * 2048, "Task_11", 12), FEED
    await store.follow("w1", long, until=NOON + 60 * SECOND)
    await store.follow("w1", short, until=NOON + 10 * SECOND)

    assert (await store.heartbeat(a_worker("w1", heartbeat=NOON + 9 * SECOND))).following == (short, long)
    assert (await store.workers())[0].following == (short, long)
    assert (await store.heartbeat(a_worker("w1", heartbeat=NOON + 10 * SECOND))).following == (long,)
    assert (await store.heartbeat(a_worker("w1", heartbeat=NOON + 60 * SECOND))).following == ()


async def test_each_worker_is_asked_for_its_own(store: Store) -> None:
    """Nobody else hears of it."""
    await store.heartbeat(a_worker("w2"))
    await store.follow("w2", FEED, until=NOON + SECOND)

    assert (await store.heartbeat(a_worker("w1"))).following == ()
    assert (await store.heartbeat(a_worker("w2"))).following == (FEED,)


async def test_following_is_prolonged_and_withdrawn(store: Store) -> None:
    """The later time counts; a withdrawal is harmless when repeated, or when the worker is gone."""
    await store.follow("w1", FEED, until=NOON + SECOND)
    await store.follow("w1", FEED, until=NOON + 99 * SECOND)
    assert (await store.heartbeat(a_worker("w1", heartbeat=NOON + 9 * SECOND))).following == (FEED,)

    for worker_id in ("w1", "w1", "nobody"):
        await store.follow(worker_id, FEED, until=None)
    assert (await store.heartbeat(a_worker("w1", heartbeat=NOON + 9 * SECOND))).following == ()
    assert len(await store.workers()) == 1


async def test_a_wish_needs_its_worker(store: Store) -> None:
    """Who asks a worker that the table does not know is told so, and leaves nothing."""
    with pytest.raises(ItemMissing, match="nobody"):
        await store.follow("nobody", FEED, until=NOON + SECOND)

    assert await store.published(FEED) is None
    assert not await store.publish(FEED, LIVE, now=NOON)


async def test_between_heartbeats_a_store_tells_the_same_or_nothing(store: Store) -> None:
    """None says that only a beat tells; otherwise the answer is that of the beat at that time."""
    await store.follow("w1", FEED, until=NOON + 9 * SECOND)

    for seconds in (8, 9):
        orders = await store.heartbeat(a_worker("w1", heartbeat=NOON + seconds * SECOND))
        assert await store.followed("w1", now=NOON + seconds * SECOND) in (None, orders.following)


async def test_what_is_published_is_read_byte_for_byte(store: Store) -> None:
    """The latest of it; before the first there is nothing to see, which is another thing than nobody asking."""
    await store.follow("w1", FEED, until=NOON + SECOND)
    assert await store.published(FEED) == OutputTail()

    for live in (OutputTail(TailChunk(b"first", 5)), LIVE):
        assert await store.publish(FEED, live, now=NOON)
        assert await store.published(FEED) == live


async def test_who_prolongs_keeps_what_is_published(store: Store) -> None:
    """A second reader, or the first one renewing its wish, blanks nobody's screen."""
    await store.follow("w1", FEED, until=NOON + SECOND)
    await store.publish(FEED, LIVE, now=NOON)
    await store.follow("w1", FEED, until=NOON + 9 * SECOND)

    assert await store.published(FEED) == LIVE


async def test_nothing_is_published_when_nobody_asks(store: Store) -> None:
    """Neither before the first wish, nor after it expired, nor for another feed."""
    assert not await store.publish(FEED, LIVE, now=NOON)
    await store.follow("w1", FEED, until=NOON + SECOND)

    assert not await store.publish(FEED, LIVE, now=NOON + SECOND)
    assert not await store.publish(TaskRef(FEED.item_id, FEED.task, FEED.attempt + 1), LIVE, now=NOON)
    assert await store.published(FEED) == OutputTail()


async def test_a_withdrawal_leaves_nothing(store: Store) -> None:
    """What was published goes with the wish, and a worker that has not heard of it cannot bring it back."""
    await store.follow("w1", FEED, until=NOON + SECOND)
    await store.publish(FEED, LIVE, now=NOON)
    await store.follow("w1", FEED, until=None)

    assert not await store.publish(FEED, LIVE, now=NOON)
    assert await store.published(FEED) is None


async def test_a_forgotten_worker_takes_its_feeds_along(store: Store) -> None:
    """Also those of readers that died."""
    await store.follow("w1", FEED, until=NOON + 99 * SECOND)
    await store.publish(FEED, LIVE, now=NOON)
    await store.forget("w1")

    assert await store.published(FEED) is None
    assert await store.heartbeat(a_worker("w1")) == Orders()


async def test_feeds_are_no_items(store: Store) -> None:
    """No count and no listing shows them, and the item they belong to is as it was."""
    item = an_item(FEED.item_id)
    await store.add([item])
    await store.follow("w1", FEED, until=NOON + SECOND)
    await store.publish(FEED, LIVE, now=NOON)

    assert [summary.item_id async for summary in store.summaries()] == [FEED.item_id]
    assert (await store.counts()).total == 1
    assert await store.read(FEED.item_id) == item
