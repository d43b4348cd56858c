"""Who of a fleet takes over what vanished workers held, and whom it believes that nothing is left."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.core.policy import RetryPolicy
from pyanamo_async.core.workers import Outlook
from pyanamo_async.operate.others import NEWS, Others
from pyanamo_async.store.memory import MemoryStore
from tests.contract.steps import a_worker
from tests.fakes import NOON, FakeClock, an_item

BLINK, BEAT, LEASE = timedelta(seconds=2), timedelta(seconds=20), timedelta(seconds=180)
LATER = NOON + timedelta(minutes=10)


@pytest.fixture
async def store() -> MemoryStore:
    """A table where a worker vanished ten minutes ago with an item in its hands."""
    store = MemoryStore()
    await store.create(shards=1)
    await store.add([an_item("a")])
    await store.beat(a_worker("vanished"))
    await store.claim("vanished", limit=1, now=NOON)
    return store


def others(store: MemoryStore, me: str) -> Others:
    """The others as `me` sees them ten minutes later."""
    return Others(me, store, FakeClock(LATER), random.Random(1), BEAT, LEASE, RetryPolicy())


async def test_only_the_latest_takes_over(store: MemoryStore) -> None:
    """One of the fleet is enough: whoever beat before somebody else leaves it to them."""
    await store.beat(a_worker("first", beat=LATER - 2 * BEAT))
    await store.beat(a_worker("latest", beat=LATER - BEAT))

    assert not await others(store, "first").look_after()
    assert await others(store, "latest").look_after() == {State.TODO: 1}


async def test_a_clock_that_is_ahead_keeps_nobody_from_it(store: MemoryStore) -> None:
    """A worker that left with a beat of tomorrow would be the latest until then."""
    await store.beat(a_worker("tomorrow", beat=LATER + timedelta(days=1), gone=True))
    await store.beat(a_worker("me", beat=LATER - BEAT))

    assert await others(store, "me").look_after() == {State.TODO: 1}


@pytest.mark.parametrize(
    ("all_settled", "is_believed"),
    [(LATER, True), (LATER - BLINK, True), (LATER - 1.1 * BLINK, False), (None, False)],
)
async def test_who_made_sure_is_believed_by_those_without_work_since_before(
    store: MemoryStore, all_settled: datetime | None, *, is_believed: bool
) -> None:
    """Whoever had something to do since knows better: items were added, or it was a mistake."""
    me = others(store, "me")
    await me.look_after()
    await store.beat(a_worker("went home", beat=LATER, gone=True, all_settled=all_settled))
    await me.look_after()

    outlook = await me.outlook(idle=BLINK)
    assert outlook == (Outlook(all_settled=all_settled) if is_believed else Outlook(may_come_back=True))


async def test_a_farewell_that_was_there_before_is_not_believed(store: MemoryStore) -> None:
    """It is of an earlier run; by a clock that is ahead, of a moment since which a new worker had nothing to do."""
    await store.beat(a_worker("went home", beat=LATER, gone=True, all_settled=LATER))
    me = others(store, "me")
    for _ in range(2):
        await me.look_after()

    assert await me.outlook(idle=BLINK) == Outlook(may_come_back=True)


async def test_an_old_farewell_is_not_believed(store: MemoryStore) -> None:
    """Who slept through it looks by itself: items may have been added since, while it was there to take them."""
    me = others(store, "me")
    await me.look_after()
    await store.beat(a_worker("went home", beat=LATER, gone=True, all_settled=LATER - 1.1 * NEWS))
    await me.look_after()

    assert await me.outlook(idle=BEAT) == Outlook(may_come_back=True)


async def test_who_holds_nothing_and_who_lives_is_told_apart(store: MemoryStore) -> None:
    """Only where nobody holds anything may somebody make sure that nothing is left."""
    await store.beat(a_worker("vanished", beat=LATER - BEAT))  # it lives after all
    me = others(store, "me")

    assert await me.outlook(idle=timedelta()) == Outlook(may_come_back=True)
    assert await me.outlook(idle=4 * BEAT) == Outlook()
    [item] = await store.held("vanished")
    await store.remove(item)
    assert await me.outlook(idle=timedelta()) == Outlook(nobody_holds=True)
