"""The laws of the fence: what may be written over what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pyanamo_async.core.items import Item, State, TaskState
from pyanamo_async.core.orders import reset
from pyanamo_async.core.outcomes import Interrupted, InterruptReason, Succeeded
from pyanamo_async.core.transitions import record, release
from pyanamo_async.core.values import replace
from pyanamo_async.errors import Fenced, ItemMissing
from pyanamo_async.ports import Store
from tests.contract.steps import POLICY, a_record, claim, claim_one, failed, reclaimed, settled
from tests.fakes import an_item

ENDINGS: dict[str, Callable[[Item], Item]] = {
    "complete": settled,
    "retry": failed,
    "release": lambda item: release(item, InterruptReason.STOP),
    "bury": lambda item: failed(replace(item, max_failures=1)),
    "wall time": lambda item: settled(item, Interrupted(InterruptReason.WALL_TIME), ended=InterruptReason.WALL_TIME),
    "reclaim": reclaimed,
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_what_ends_a_claim_is_written_whole(store: Store, ending: str) -> None:
    """The item reads back as it was decided."""
    claimed = await _claimed(store)
    after = ENDINGS[ending](claimed)

    await store.save(claimed, after)

    assert after == await store.read("a")


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_save_sent_again_changes_nothing(store: Store, ending: str) -> None:
    """A lost reply is answered by sending again; the second sending finds its own work and succeeds."""
    claimed = await _claimed(store)
    after = ENDINGS[ending](claimed)
    await store.save(claimed, after)

    await store.save(claimed, after)

    assert after == await store.read("a")


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_stale_claim_cannot_settle(store: Store, ending: str) -> None:
    """A worker whose item passed to another cannot write over it."""
    stale = await _claimed(store)
    await store.save(stale, reclaimed(stale))
    fresh = await claim_one(store, "w2")

    with pytest.raises(Fenced):
        await store.save(stale, ENDINGS[ending](stale))
    assert fresh == await store.read("a")


async def test_a_settle_that_came_first_stands(store: Store) -> None:
    """A reclaim of what was settled meanwhile is fenced."""
    claimed = await _claimed(store)
    done = settled(claimed)
    await store.save(claimed, done)

    with pytest.raises(Fenced):
        await store.save(claimed, reclaimed(claimed))
    assert done == await store.read("a")


async def test_a_reclaim_that_came_first_stands(store: Store) -> None:
    """A settle of what was reclaimed meanwhile is fenced, also while nobody has claimed it anew."""
    claimed = await _claimed(store)
    taken = reclaimed(claimed)
    await store.save(claimed, taken)

    with pytest.raises(Fenced):
        await store.save(claimed, settled(claimed))
    with pytest.raises(Fenced):
        await store.save(claimed, release(claimed, InterruptReason.STOP))
    assert taken == await store.read("a")


async def test_of_a_settle_and_a_reclaim_at_once_one_wins(store: Store) -> None:
    """Whatever the order, exactly one of the two is written and the other is fenced."""
    await store.add([an_item(str(number)) for number in range(20)])
    claims = await claim(store, limit=20)

    for item in claims:
        endings = [settled(item), reclaimed(item)]
        outcomes = await asyncio.gather(*(store.save(item, after) for after in endings), return_exceptions=True)

        assert [type(outcome) for outcome in outcomes if outcome] == [Fenced]
        assert endings[outcomes.index(None)] == await store.read(item.item_id)


async def test_progress_keeps_the_claim(store: Store) -> None:
    """Tasks of a nested item are written as they end, under the same claim, as often as there is something to write."""
    await store.add([an_item("a", nested=["one", "two", "three"])])
    item = await claim_one(store)
    for name in ("Task_1", "Task_0"):
        after = record(item, {name: a_record(Succeeded(), item)}, policy=POLICY)
        await store.save(item, after)
        item = after

    stored = await store.read("a")
    assert item == stored
    assert [task.state for task in stored.tasks] == [TaskState.DONE, TaskState.DONE, TaskState.TODO]
    assert stored.state is State.LOCKED


async def test_a_fenced_save_spoils_none_that_travel_with_it(store: Store) -> None:
    """Saves that are ready together fail each for itself."""
    await store.add([an_item(str(number)) for number in range(30)])
    claims = await claim(store, limit=30)
    stale = claims[::3]
    await asyncio.gather(*(store.save(item, reclaimed(item)) for item in stale))

    outcomes = await asyncio.gather(*(store.save(item, settled(item)) for item in claims), return_exceptions=True)

    fenced = [item for item, outcome in zip(claims, outcomes, strict=True) if isinstance(outcome, Fenced)]
    assert stale == fenced
    assert (await store.counts()).items[State.DONE] == 20


async def test_a_reset_takes_the_item_from_its_holder(store: Store) -> None:
    """A person may reset what is locked; the holder is fenced from then on."""
    claimed = await _claimed(store)
    await store.save(claimed, reset(claimed))

    with pytest.raises(Fenced):
        await store.save(claimed, settled(claimed))
    assert (await claim_one(store, "w2")).attempt == 2


async def test_what_is_not_there_cannot_be_saved(store: Store) -> None:
    """An item removed meanwhile is no longer as it was seen; saving does not bring it back."""
    claimed = await _claimed(store)
    await store.remove(claimed)

    with pytest.raises(Fenced):
        await store.save(claimed, settled(claimed))
    with pytest.raises(ItemMissing):
        await store.read("a")


async def test_a_stale_remove_is_fenced(store: Store) -> None:
    """Only what is as it was seen is deleted."""
    await store.add([an_item("a")])
    seen = await store.read("a")
    claimed = await claim_one(store)

    with pytest.raises(Fenced):
        await store.remove(seen)
    assert claimed == await store.read("a")


async def test_a_removed_item_is_gone(store: Store) -> None:
    """From reading, claiming and counting; removing what is gone is fenced."""
    await store.add([an_item("a")])
    seen = await store.read("a")
    await store.remove(seen)

    with pytest.raises(ItemMissing):
        await store.read("a")
    with pytest.raises(Fenced):
        await store.remove(seen)
    assert await store.next_due() is None
    assert (await store.counts()).total == 0


async def _claimed(store: Store) -> Item:
    await store.add([an_item("a")])
    return await claim_one(store)
