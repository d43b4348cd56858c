"""Items that lost their machines too often wait in a lane of their own, where only workers look that ask for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pyanamo_async.core.items import CLAIMABLE, State
from pyanamo_async.core.orders import reset
from pyanamo_async.core.outcomes import Succeeded
from pyanamo_async.core.queue_lanes import LAST_ATTEMPTS, Lane
from pyanamo_async.core.values import replace
from pyanamo_async.ports import Store
from tests.contract.steps import WAYS_BACK, a_worker, claim, claim_one, settled
from tests.fakes import NOON, an_item

LATER = NOON + timedelta(hours=1)


async def _ids(store: Store, *, state: State = State.TODO) -> list[str]:
    return [item.item_id for item in await claim(store, limit=99, now=LATER, state=state)]


async def test_the_setting_is_as_last_written(sizes: tuple[Store, Store]) -> None:
    """For everybody, and written twice it is written once; a new table has none."""
    one, other = sizes

    assert await one.last_attempts_after() is None
    for after in (3, 3, 1, None, None, 2):
        await one.leave_last_attempts(after)
        assert await other.last_attempts_after() == await one.last_attempts_after() == after
    assert (await other.describe()).shards == 4


async def test_ordinary_workers_find_no_last_attempts(sizes: tuple[Store, Store]) -> None:
    """Neither to claim nor to wait for, nor are they announced."""
    ordinary, last = sizes
    await ordinary.add([an_item("last", last_attempts=True), an_item("any", priority=9)])

    assert await _ids(ordinary) == ["any"]
    assert await ordinary.next_due(consistent=True) is None
    assert not await ordinary.notifications(now=LATER, consistent=True) or not await ordinary.claim(
        "w", limit=9, now=LATER
    )
    assert await last.lane_counts() == await ordinary.lane_counts() == {LAST_ATTEMPTS: 1}
    assert await _ids(last) == ["last"]


async def test_workers_for_last_attempts_take_these_first_and_all_else(sizes: tuple[Store, Store]) -> None:
    """After memory classes, whatever the priorities. Those that wait until a time hide no other."""
    ordinary, last = sizes
    await ordinary.add([an_item("any", priority=0), an_item("last", last_attempts=True, priority=9)])
    await ordinary.add([an_item("large", memory_class=64), an_item("both", memory_class=48, last_attempts=True)])
    await ordinary.add([an_item("later", last_attempts=True, not_before=LATER)])
    await last.next_due(consistent=True)

    assert [(await claim_one(last)).item_id for _ in range(4)] == ["large", "both", "last", "any"]
    assert await last.next_due(consistent=True) == LATER


async def test_a_memory_class_outranks_last_attempts(sizes: tuple[Store, Store]) -> None:
    """An item that is left to both is taken by any worker that is large enough, since those are few."""
    ordinary, last = sizes
    await last.add([an_item("both", memory_class=16, last_attempts=True)])

    assert await last.lane_counts() == {Lane(16): 1}
    assert await _ids(ordinary) == ["both"]


@pytest.mark.parametrize("way", WAYS_BACK)
async def test_a_last_attempt_stays_one(sizes: tuple[Store, Store], way: str) -> None:
    """Whatever brings it back, at once or later: no ordinary worker ever finds it."""
    ordinary, last = sizes
    await last.add([an_item("a", last_attempts=True)])
    claimed = await claim_one(last)

    await last.save(claimed, WAYS_BACK[way](claimed))

    for state in CLAIMABLE:
        assert await ordinary.claim("w", limit=9, now=LATER, state=state) == []
        assert await ordinary.next_due(state=state, consistent=True) is None
    assert await ordinary.lane_counts() == {LAST_ATTEMPTS: 1}
    assert await _ids(last) == ["a"]


@pytest.mark.parametrize("state", [State.TODO, State.DONE])
async def test_a_person_puts_it_back_among_the_others(sizes: tuple[Store, Store], state: State) -> None:
    """A reset forgives what was counted, and with it where that led."""
    ordinary, last = sizes
    await last.add([an_item("a", last_attempts=True, evictions=3)])
    if state is State.DONE:
        claimed = await claim_one(last)
        await last.save(claimed, settled(claimed, Succeeded()))
    item = await last.read("a")

    await last.save(item, reset(item, all_tasks=True, token="t"))

    assert await ordinary.lane_counts() == {}
    assert ((await ordinary.read("a")).evictions, await _ids(ordinary)) == (0, ["a"])


async def test_counts_know_last_attempts(sizes: tuple[Store, Store]) -> None:
    """They are counted as all others are, and those that wait to be tried again are listed and told apart."""
    await sizes[0].add([an_item(f"{late}", last_attempts=True, not_before=late) for late in (None, NOON)])

    for store in sizes:
        counts = await store.counts()
        assert (counts.items[State.TODO], counts.retrying) == (2, 1)
        assert [each.item_id async for each in store.retrying()] == [f"{NOON}"]
        assert len([each async for each in store.summaries(state=State.TODO)]) == 2


async def test_a_worker_says_what_it_takes(sizes: tuple[Store, Store]) -> None:
    """Others go by it."""
    one, other = sizes
    for worker in (a_worker("ordinary"), a_worker("last", last_attempts=True)):
        await one.heartbeat(worker)

    workers = {each.worker_id: each.kind for each in await other.workers()}

    assert workers["last"] == replace(workers["ordinary"], last_attempts=True)
