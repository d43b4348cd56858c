"""Who of a fleet takes over what vanished workers held, and whom it believes that nothing is left."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.workers import FleetState
from pyanamo_async.fleet.peers import NEWS, PeerMonitor
from pyanamo_async.store.memory import MemoryStore
from tests.contract.steps import a_worker
from tests.fakes import NOON, FakeClock, an_item

BLINK, HEARTBEAT, LEASE = timedelta(seconds=2), timedelta(seconds=20), timedelta(seconds=180)
LATER = NOON + timedelta(minutes=10)


@pytest.fixture
async def store() -> MemoryStore:
    """A table where a worker vanished ten minutes ago with an item in its hands."""
    store = MemoryStore()
    await store.create(shards=1)
    await store.add([an_item("a")])
    await store.heartbeat(a_worker("vanished"))
    await store.claim("vanished", limit=1, now=NOON)
    return store


def others(store: MemoryStore, me: str) -> PeerMonitor:
    """The others as `me` sees them ten minutes later."""
    return PeerMonitor(me, store, FakeClock(LATER), random.Random(1), HEARTBEAT, LEASE, FailurePolicy())


async def test_only_the_latest_takes_over(store: MemoryStore) -> None:
    """One of the fleet is enough: whoever beat before somebody else leaves it to them."""
    await store.heartbeat(a_worker("first", heartbeat=LATER - 2 * HEARTBEAT))
    await store.heartbeat(a_worker("latest", heartbeat=LATER - HEARTBEAT))

    assert not await others(store, "first").look_after()
    assert await others(store, "latest").look_after() == {State.TODO: 1}


async def test_a_clock_that_is_ahead_keeps_nobody_from_it(store: MemoryStore) -> None:
    """A worker that left with a beat of tomorrow would be the latest until then."""
    await store.heartbeat(a_worker("tomorrow", heartbeat=LATER + timedelta(days=1), gone=True))
    await store.heartbeat(a_worker("me", heartbeat=LATER - HEARTBEAT))

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
    await store.heartbeat(a_worker("went home", heartbeat=LATER, gone=True, all_settled=all_settled))
    await me.look_after()

    fleet_state = await me.fleet_state(idle=BLINK)
    assert fleet_state == (FleetState(all_settled=all_settled) if is_believed else FleetState(may_come_back=True))


async def test_a_farewell_that_was_there_before_is_not_believed(store: MemoryStore) -> None:
    """It is of an earlier run; by a clock that is ahead, of a moment since which a new worker had nothing to do."""
    await store.heartbeat(a_worker("went home", heartbeat=LATER, gone=True, all_settled=LATER))
    me = others(store, "me")
    for _ in range(2):
        await me.look_after()

    assert await me.fleet_state(idle=BLINK) == FleetState(may_come_back=True)


async def test_an_old_farewell_is_not_believed(store: MemoryStore) -> None:
    """Who slept through it looks by itself: items may have been added since, while it was there to take them."""
    me = others(store, "me")
    await me.look_after()
    await store.heartbeat(a_worker("went home", heartbeat=LATER, gone=True, all_settled=LATER - 1.1 * NEWS))
    await me.look_after()

    assert await me.fleet_state(idle=HEARTBEAT) == FleetState(may_come_back=True)


async def test_who_holds_nothing_and_who_lives_is_told_apart(store: MemoryStore) -> None:
    """Only where nobody holds anything may somebody make sure that nothing is left."""
    await store.heartbeat(a_worker("vanished", heartbeat=LATER - HEARTBEAT))  # it lives after all
    me = others(store, "me")

    assert await me.fleet_state(idle=timedelta()) == FleetState(may_come_back=True)
    assert await me.fleet_state(idle=4 * HEARTBEAT) == FleetState()
    [item] = await store.held("vanished")
    await store.remove(item)
    assert await me.fleet_state(idle=timedelta()) == FleetState(nobody_holds=True)
