"""Items of memory classes wait in queues of their own, and only workers that are large enough find them there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.memory.classes import EVERY_CLASS
from pyanamo_async.core.orders import reset
from pyanamo_async.core.outcomes import Failed, Succeeded
from pyanamo_async.core.queue_lanes import LAST_ATTEMPTS, Lane
from pyanamo_async.core.values import replace
from pyanamo_async.ports import Store
from tests.contract.steps import WAYS_BACK, claim, claim_one, settled
from tests.fakes import NOON, an_item

LATER = NOON + timedelta(hours=1)


async def _ids(store: Store, *, state: State = State.TODO) -> list[str]:
    return [item.item_id for item in await claim(store, limit=99, now=LATER, state=state)]


async def test_a_small_worker_finds_no_item_of_a_larger_class(sizes: tuple[Store, Store]) -> None:
    """Neither to claim nor to wait for, nor is it announced: for what a worker sees it is not there."""
    small, large = sizes
    await large.add([an_item("64", memory_class=64), an_item("16", memory_class=16), an_item("any", priority=9)])

    assert sorted(await _ids(small)) == ["16", "any"]
    assert await small.next_due(consistent=True) is None
    assert not await small.notifications(now=LATER, consistent=True) or await small.claim("w", limit=9, now=LATER) == []
    assert await large.lane_counts() == await small.lane_counts() == {Lane(64): 1}
    assert await _ids(large) == ["64"]
    assert await large.next_due(consistent=True) is None


async def test_a_large_worker_takes_large_items_first(sizes: tuple[Store, Store]) -> None:
    """Whatever their priorities: only few workers take them. Those that wait until a time hide no other class."""
    small, large = sizes
    classes = {"any": 0, "2": 2, "64": 64, "48": 48}
    await small.add([an_item(name, memory_class=each, priority=9 - bool(each)) for name, each in classes.items()])
    await small.add([an_item("later", memory_class=128, not_before=LATER + timedelta(hours=1))])
    await large.next_due(consistent=True)

    assert [(await claim_one(large)).item_id for _ in classes] == ["64", "48", "2", "any"]
    assert await large.next_due(consistent=True) == LATER + timedelta(hours=1)


ORDERS: dict[str, Callable[[Item], Item]] = {
    "reset of what is held": lambda item: reset(item, token="t"),
    "reset of what is done": lambda item: reset(settled(item, Succeeded()), all_tasks=True, token="t"),
    "reset of what failed": lambda item: reset(settled(replace(item, max_failures=1), Failed(1)), token="t"),
}


@pytest.mark.parametrize("way", [*WAYS_BACK, *ORDERS])
async def test_an_item_comes_back_to_its_class(sizes: tuple[Store, Store], way: str) -> None:
    """Whatever brings it back, at once or later: no small worker ever finds it."""
    small, large = sizes
    await large.add([an_item("a", memory_class=64)])
    claimed = await claim_one(large)

    await large.save(claimed, (WAYS_BACK | ORDERS)[way](claimed))

    for state in CLAIMABLE:
        assert await small.claim("w", limit=9, now=LATER, state=state) == []
        assert await small.next_due(state=state, consistent=True) is None
    assert await small.lane_counts() == {Lane(64): 1}
    assert await _ids(large) == ["a"]


async def test_counts_know_items_of_classes(sizes: tuple[Store, Store]) -> None:
    """They are counted as all others are, and those that wait to be tried again are listed and told apart."""
    small, large = sizes
    items = [
        an_item(f"{each}-{late}", memory_class=each, not_before=late) for each in (0, 16, 64) for late in (None, NOON)
    ]
    await small.add(items)

    for store in sizes:
        counts = await store.counts()
        assert (counts.items[State.TODO], counts.retrying) == (6, 3)
        assert {each.item_id async for each in store.retrying()} == {f"{each}-{NOON}" for each in (0, 16, 64)}
        assert len([each async for each in store.summaries(state=State.TODO)]) == 6
    assert await large.lane_counts() == {Lane(16): 2, Lane(64): 2}


async def test_every_class_that_can_be_stored_sorts(sizes: tuple[Store, Store]) -> None:
    """Also the largest of all, which no worker of a known size takes."""
    small, large = sizes
    await large.add([an_item("1", memory_class=1), an_item("most", memory_class=EVERY_CLASS)])

    assert await _ids(small) == ["1"]
    assert await _ids(large) == ["most"]


async def test_items_of_a_lane_are_read_whole(sizes: tuple[Store, Store]) -> None:
    """Up to a number, by any worker; what a worker holds, and what waits in other lanes, is none of them."""
    small, large = sizes
    await small.add([an_item(f"64-{number}", memory_class=64, memory_bytes=50 << 30) for number in range(3)])
    await small.add([an_item("48", memory_class=48), an_item("any"), an_item("last", last_attempts=True)])
    held = await claim_one(large)

    found = await small.in_lane(Lane(64), most=9)

    assert {each.item_id for each in found} == {f"64-{number}" for number in range(3)} - {held.item_id}
    assert {each.memory_bytes for each in found} == {50 << 30}
    assert len(await small.in_lane(Lane(64), most=1)) == 1
    assert [each.item_id for each in await small.in_lane(LAST_ATTEMPTS, most=9)] == ["last"]
    assert await small.in_lane(Lane(16), most=9) == []
