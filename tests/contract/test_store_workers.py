"""The laws of worker rows: signs of life, and what a person asks of a worker."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pyanamo_async.core.output_tail import TaskRef
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Desired, Orders
from pyanamo_async.errors import ItemMissing
from pyanamo_async.ports import Store
from tests.contract.steps import a_worker
from tests.fakes import NOON

SECOND = timedelta(seconds=1)
FEED = TaskRef("a", "Task_0", 1)


async def test_a_heartbeat_is_written_whole(store: Store) -> None:
    """What a worker says of itself stands in the table, the latest of it."""
    first = a_worker("w1", job="job:3", process="boot ns 7 99", slots=8, running=8, done=0, rss_bytes=2**33)
    latest = a_worker("w1", heartbeat=NOON + SECOND, job="job:3", slots=8, running=0, done=9, rss_bytes=0, gone=True)

    await store.heartbeat(first)
    assert [first] == await store.workers()
    await store.heartbeat(latest)
    assert [latest] == await store.workers()


async def test_a_farewell_says_by_when_all_was_settled(store: Store) -> None:
    """To the millisecond, where the worker knew; a worker that has not gone has no say in it."""
    knew = a_worker("w1", heartbeat=NOON + SECOND, gone=True, all_settled=NOON + timedelta(milliseconds=123))
    left = a_worker("w2", heartbeat=NOON + 2 * SECOND, gone=True)
    for worker in (knew, left):
        await store.heartbeat(worker)

    assert [knew, left] == await store.workers()


async def test_a_heartbeat_that_comes_late_changes_nothing(store: Store) -> None:
    """A request that was held up on its way does not make a living worker look silent; it is answered all the same."""
    latest = a_worker("w1", heartbeat=NOON + SECOND, running=2)
    await store.heartbeat(latest)
    await store.order("w1", Desired.DRAIN)

    assert (await store.heartbeat(a_worker("w1", heartbeat=NOON, running=1))).desired is Desired.DRAIN
    assert [replace(latest, desired=Desired.DRAIN)] == await store.workers()


async def test_the_first_heartbeat_is_answered_with_run(store: Store) -> None:
    """Nobody has asked for anything yet."""
    assert await store.heartbeat(a_worker("w1")) == Orders(Desired.RUN, ())


async def test_an_order_survives_heartbeats(store: Store) -> None:
    """Beats are written around the order, and every reply carries it, until a person takes it back."""
    await store.heartbeat(a_worker("w1"))
    await store.heartbeat(a_worker("w2"))
    await store.order("w1", Desired.DRAIN)

    for heartbeat in range(1, 4):
        assert (await store.heartbeat(a_worker("w1", heartbeat=NOON + heartbeat * SECOND))).desired is Desired.DRAIN
    assert (await store.heartbeat(a_worker("w2"))).desired is Desired.RUN
    assert {worker.worker_id: worker.desired for worker in await store.workers()} == {
        "w1": Desired.DRAIN,
        "w2": Desired.RUN,
    }
    await store.order("w1", Desired.RUN)
    assert (await store.heartbeat(a_worker("w1"))).desired is Desired.RUN


async def test_a_worker_cannot_order_itself(store: Store) -> None:
    """What a beat says of orders is not written."""
    orders = await store.heartbeat(a_worker("w1", desired=Desired.STOP, following=(FEED,)))

    assert orders == Orders(Desired.RUN, ())
    assert await store.workers() == [a_worker("w1")]


async def test_an_order_needs_its_worker(store: Store) -> None:
    """Nobody is told that an order was left for a worker the table does not know."""
    with pytest.raises(ItemMissing, match="nobody"):
        await store.order("nobody", Desired.STOP)
    assert await store.workers() == []


async def test_workers_are_listed_by_last_heartbeat(store: Store) -> None:
    """The one heard of longest ago comes first; `beat_before` leaves out those heard of since."""
    for number in (3, 1, 4, 0, 2):
        await store.heartbeat(a_worker(f"w{number}", heartbeat=NOON + number * SECOND))

    assert [worker.worker_id for worker in await store.workers()] == ["w0", "w1", "w2", "w3", "w4"]
    stale = await store.workers(heartbeat_before=NOON + 2 * SECOND)
    assert [worker.worker_id for worker in stale] == ["w0", "w1"]


async def test_the_latest_workers_are_found_without_the_others(store: Store) -> None:
    """`most` keeps those heard of last, of all or of the silent ones; more than there are is all."""
    for number in (3, 1, 4, 0, 2):
        await store.heartbeat(a_worker(f"w{number}", heartbeat=NOON + number * SECOND))

    assert [worker.worker_id for worker in await store.workers(most=2)] == ["w3", "w4"]
    silent = await store.workers(heartbeat_before=NOON + 2 * SECOND, most=1)
    assert [worker.worker_id for worker in silent] == ["w1"]
    assert len(await store.workers(most=9)) == 5


async def test_workers_are_found_by_their_ids(store: Store) -> None:
    """Those there are, by last beat; of nobody is nobody."""
    for number in (1, 2, 0):
        await store.heartbeat(a_worker(f"w{number}", heartbeat=NOON + number * SECOND))

    assert [worker.worker_id for worker in await store.workers(of={"w2", "unknown", "w0"})] == ["w0", "w2"]
    assert await store.workers(of=[]) == []


async def test_a_forgotten_worker_is_gone(store: Store) -> None:
    """With all that was asked of it; forgetting again is harmless."""
    await store.heartbeat(a_worker("w1"))
    await store.order("w1", Desired.STOP)
    await store.follow("w1", FEED, until=NOON + 99 * SECOND)

    for _ in range(2):
        await store.forget("w1")

    assert await store.workers() == []
    assert await store.heartbeat(a_worker("w1")) == Orders(Desired.RUN, ())
