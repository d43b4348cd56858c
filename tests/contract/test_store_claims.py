"""The laws of claiming: who gets which item, when."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.outcomes import Interrupted, InterruptReason, Succeeded
from pyanamo_async.core.stored.queue_key import EPOCH
from pyanamo_async.core.transitions import release
from pyanamo_async.core.values import replace
from pyanamo_async.ports import Store
from tests.contract.steps import claim, claim_one, failed, one_shard_ids, settled
from tests.fakes import NOON, an_item

SECOND = timedelta(seconds=1)
BELIEF_S = 2.1  # how long a store may believe that there is nothing, whatever it hears


async def test_claims_are_exclusive(store: Store) -> None:
    """However many claim at once, every item is won, by exactly one of them."""
    ids = [f"item-{number}" for number in range(150)]
    await store.add([an_item(item_id) for item_id in ids])

    claims = await asyncio.gather(*(claim(store, f"w{number}", limit=1 + number % 30) for number in range(20)))

    won = [item.item_id for each in claims for item in each]
    assert sorted(ids) == sorted(won)


async def test_workers_of_two_stores_share_a_table(twins: tuple[Store, Store]) -> None:
    """The same holds when the claimers know nothing of each other; both see what either did."""
    one, other = twins
    ids = [f"item-{number}" for number in range(100)]
    await one.add([an_item(item_id) for item_id in ids])

    claims = await asyncio.gather(*(claim(each, f"w{number}", limit=20) for number in range(4) for each in twins))

    won = [item for each in claims for item in each]
    assert sorted(ids) == sorted(item.item_id for item in won)
    assert won[0] == await one.read(won[0].item_id) == await other.read(won[0].item_id)


@pytest.mark.parametrize("state", CLAIMABLE)
async def test_who_waits_hears_that_items_came(twins: tuple[Store, Store], state: State) -> None:
    """Each time another announces some they are claimed at once, where a moment ago there was nothing."""
    one, other = twins
    await other.add([an_item("later", not_before=NOON + SECOND)])
    for each in ("a", "b"):
        assert await one.claim("w1", limit=9, now=NOON, state=state) == []
        assert not await one.notifications(now=NOON)
        await other.add([an_item(f"{each}-{number}", state=state) for number in range(9)])
        await other.notify(now=NOON)

        assert await one.notifications(now=NOON, consistent=each == "b")
        await asyncio.sleep(BELIEF_S)
        assert len(await one.claim("w1", limit=9, now=NOON, state=state)) == 9


async def test_a_claim_locks_under_a_new_attempt(store: Store) -> None:
    """The item comes back whole, one attempt further, with worker, token and time; and so it stands in the table."""
    await store.add([an_item("a", script="echo ä", sample="s", priority=0, attempt=4)])

    claimed = await claim_one(store, "w1")

    expected = an_item(
        "a", script="echo ä", sample="s", priority=0, attempt=5, worker="w1", locked_at=NOON, state=State.LOCKED
    )
    assert claimed.token
    assert claimed == await store.read("a")
    assert _without_token(claimed) == expected


async def test_no_two_claims_share_a_token(store: Store) -> None:
    """A token names one claim, also of the same item by the same worker."""
    await store.add([an_item("a"), an_item("b")])
    tokens = []
    for _ in range(3):
        for item in await claim(store, limit=2):
            tokens.append(item.token)
            await store.save(item, release(item, InterruptReason.STOP))

    assert len(set(tokens)) == 6


async def test_never_more_than_the_limit(store: Store) -> None:
    """A worker gets no more than it has room for, also none at all."""
    await store.add([an_item(str(number)) for number in range(30)])

    assert await store.claim("w1", limit=0, now=NOON) == []
    assert len(await store.claim("w1", limit=3, now=NOON)) <= 3


async def test_better_priorities_go_first(store: Store) -> None:
    """Lower numbers are better, zero is best; five is what an item has that says nothing."""
    ids = await one_shard_ids(store, 10)
    await store.add([an_item(item_id, priority=9 - number) for number, item_id in enumerate(ids)])

    claims = [await claim_one(store) for _ in ids]

    assert list(range(10)) == [item.priority for item in claims]


async def test_a_retry_does_not_start_before_its_time(store: Store) -> None:
    """An item that is to be retried is left alone until then, and claimed again after."""
    await store.add([an_item("a")])
    first = await claim_one(store)
    await store.save(first, failed(first))
    due = NOON + 5 * SECOND

    assert due == await store.next_due()
    assert await store.claim("w2", limit=5, now=due - SECOND) == []
    assert (await claim_one(store, "w2", now=due)).attempt == 2


async def test_what_is_delayed_does_not_hold_up_what_is_ready(store: Store) -> None:
    """Next due is the earliest of all; ready items are claimed while others wait."""
    await store.add([an_item("late", not_before=NOON + 2 * SECOND), an_item("later", not_before=NOON + 9 * SECOND)])
    assert await store.next_due() == NOON + 2 * SECOND

    await store.add([an_item("ready")])
    assert await _is_due(store)
    assert (await claim_one(store)).item_id == "ready"


async def test_next_due_tells_an_empty_queue(store: Store) -> None:
    """None means none at all: locked and settled items are not waiting for anybody."""
    assert await store.next_due() is None
    await store.add([an_item("a"), an_item("b")])
    one, other = await claim(store, limit=2)
    assert await store.next_due() is None
    await store.save(one, settled(one))
    assert await store.next_due() is None
    await store.save(other, release(other, InterruptReason.STOP))

    assert await _is_due(store)


async def test_next_due_is_told_for_each_state(store: Store) -> None:
    """Items the wall time ended are due at once, and only when asked for."""
    await _with_wall_time_exceeded(store)

    assert await store.next_due() is None
    assert await _is_due(store, State.WALL_TIME_EXCEEDED)


async def test_what_the_wall_time_ended_is_claimed_when_asked_for(store: Store) -> None:
    """It is locked like any other; claiming `todo` never takes it."""
    interrupted = await _with_wall_time_exceeded(store)
    assert await store.claim("w2", limit=5, now=NOON) == []

    registered = await claim_one(store, "w2", state=State.WALL_TIME_EXCEEDED)

    assert (registered.state, registered.attempt, registered.worker) == (State.LOCKED, 2, "w2")
    assert registered.tasks == interrupted.tasks
    assert registered.done_at is None


async def test_a_released_item_is_claimed_again(store: Store) -> None:
    """Giving back costs an interruption, and the next claim has the next attempt number."""
    await store.add([an_item("a")])
    first = await claim_one(store, "w1")
    await store.save(first, release(first, InterruptReason.STOP))

    registered = await claim_one(store, "w2")

    assert (registered.attempt, registered.interruptions, registered.worker) == (2, 1, "w2")
    assert registered.token != first.token


async def test_settled_items_are_not_claimed(store: Store) -> None:
    """Done and failed wait for a person."""
    await store.add([an_item("a"), an_item("b", max_failures=1)])
    for item in await claim(store, limit=2):
        await store.save(item, settled(item, Succeeded()) if item.item_id == "a" else failed(item))

    assert await store.next_due() is None
    assert await store.claim("w1", limit=5, now=NOON + timedelta(days=1)) == []


def _without_token(item: Item) -> Item:
    return replace(item, token="")


async def _is_due(store: Store, state: State = State.TODO) -> bool:
    due = await store.next_due(state=state)
    return due is not None and EPOCH <= due <= NOON


async def _with_wall_time_exceeded(store: Store) -> Item:
    await store.add([an_item("a")])
    claimed = await claim_one(store, "w1")
    ended = settled(claimed, Interrupted(InterruptReason.WALL_TIME), ended=InterruptReason.WALL_TIME)
    await store.save(claimed, ended)
    assert ended.state is State.WALL_TIME_EXCEEDED
    return ended
