"""The laws of worker rows: heartbeats, death, and what a person orders of a worker."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from pyanamo_async.core.memory.room_wait import RoomWait
from pyanamo_async.core.output_tail import TaskRef
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Desired, Orders, WorkerState
from pyanamo_async.errors import Fenced, ItemMissing
from pyanamo_async.ports import Store
from tests.contract.steps import a_worker
from tests.fakes import NOON

SECOND = timedelta(seconds=1)
FEED = TaskRef("a", "Task_0", 1)


async def test_a_heartbeat_is_written_whole(store: Store) -> None:
    """What a worker says of itself stands in the table, the latest of it."""
    first = a_worker("w1", job="job:3", process="boot ns 7 99", slots=8, running=8, done=0, rss_bytes=2**33)
    first = replace(first, waiting=RoomWait("token", memory_bytes=2**33, free_bytes=2**32))
    latest = a_worker("w1", heartbeat=NOON + SECOND, job="job:3", slots=8, running=0, done=9, rss_bytes=0)
    latest = replace(latest, state=WorkerState.ENDED)

    await store.heartbeat(first)
    assert [first] == await store.workers()
    await store.heartbeat(latest)
    assert [latest] == await store.workers()


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
    """Heartbeats are written around the order, and every reply carries it, until a person takes it back."""
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
    """What a heartbeat says of orders is not written."""
    orders = await store.heartbeat(a_worker("w1", desired=Desired.STOP, following=(FEED,)))

    assert orders == Orders(Desired.RUN, ())
    assert await store.workers() == [a_worker("w1")]


async def test_orders_to_let_claims_go_come_with_every_reply_until_they_are_withdrawn(store: Store) -> None:
    """Each once; heartbeats are written around them, and they go with the row."""
    for name in ("w1", "w2"):
        await store.heartbeat(a_worker(name))
    await store.order_release("w1", ["one", "two"])
    await store.order_release("w1", ["two", "three"])

    for heartbeat in (1, 2):
        orders = await store.heartbeat(a_worker("w1", heartbeat=NOON + heartbeat * SECOND))
        assert orders == Orders(release=frozenset({"one", "two", "three"}))
    assert (await store.heartbeat(a_worker("w2"))).release == frozenset()
    await store.order_release("w1", ["one", "two"], withdrawn=True)
    assert (await store.heartbeat(a_worker("w1", heartbeat=NOON + 3 * SECOND))).release == {"three"}
    await store.order_release("w1", ["three", "four"], withdrawn=True)
    assert (await store.heartbeat(a_worker("w1", heartbeat=NOON + 4 * SECOND))).release == frozenset()
    await store.order_release("w1", ["five"])
    await store.forget("w1")
    assert (await store.heartbeat(a_worker("w1"))).release == frozenset()


async def test_an_order_to_let_a_claim_go_needs_its_worker(store: Store) -> None:
    """To withdraw one does not."""
    with pytest.raises(ItemMissing, match="nobody"):
        await store.order_release("nobody", ["one"])
    await store.order_release("nobody", ["one"], withdrawn=True)
    assert await store.workers() == []


async def test_an_order_needs_its_worker(store: Store) -> None:
    """Nobody is told that an order was left for a worker the table does not know."""
    with pytest.raises(ItemMissing, match="nobody"):
        await store.order("nobody", Desired.STOP)
    assert await store.workers() == []


async def test_every_heartbeat_but_the_first_needs_its_row(store: Store) -> None:
    """A worker that was given up for dead and forgotten does not come back; its next heartbeat says so."""
    await store.heartbeat(a_worker("w1"))
    await store.heartbeat(a_worker("w1", heartbeat=NOON + SECOND), registered=True)
    await store.forget("w1")

    with pytest.raises(Fenced, match="w1"):
        await store.heartbeat(a_worker("w1", heartbeat=NOON + 2 * SECOND), registered=True)
    assert await store.workers() == []


async def test_a_marked_worker_is_fenced(store: Store) -> None:
    """Whatever it sends, first or again, running or ended: the mark stays until the row is forgotten."""
    worker = a_worker("w1")
    await store.heartbeat(worker)

    assert await store.mark_dead(worker)
    assert await store.mark_dead(worker)
    for state, registered in itertools.product((WorkerState.RUNNING, WorkerState.ENDED), (False, True)):
        with pytest.raises(Fenced, match="w1"):
            await store.heartbeat(a_worker("w1", heartbeat=NOON + SECOND, state=state), registered=registered)
    assert await store.workers() == [replace(worker, state=WorkerState.DEAD)]
    assert await store.heartbeats() == {"w1": NOON}


async def test_only_a_worker_that_shows_the_same_heartbeat_is_marked(store: Store) -> None:
    """Not one that has sent a heartbeat since it was read, nor one that ended, nor one that is forgotten."""
    seen = a_worker("w1")
    await store.heartbeat(seen)
    await store.heartbeat(a_worker("w1", heartbeat=NOON + SECOND), registered=True)
    ended = a_worker("w2", state=WorkerState.ENDED)
    await store.heartbeat(ended)

    assert not await store.mark_dead(seen)
    assert not await store.mark_dead(ended)
    assert not await store.mark_dead(a_worker("nobody"))
    assert {worker.state for worker in await store.workers()} == {WorkerState.RUNNING, WorkerState.ENDED}


async def test_workers_are_listed_by_last_heartbeat(store: Store) -> None:
    """The one silent for longest comes first, whether it runs or ended."""
    for number in (3, 1, 4, 0, 2):
        state = WorkerState.ENDED if number == 1 else WorkerState.RUNNING
        await store.heartbeat(a_worker(f"w{number}", heartbeat=NOON + number * SECOND, state=state))

    assert [worker.worker_id for worker in await store.workers()] == ["w0", "w1", "w2", "w3", "w4"]


async def test_heartbeats_are_those_of_workers_that_have_not_ended(store: Store) -> None:
    """Oldest first, within inclusive bounds, and with `most` only the latest of them."""
    for number in (3, 1, 4, 0, 2):
        await store.heartbeat(a_worker(f"w{number}", heartbeat=NOON + number * SECOND))
    await store.heartbeat(a_worker("w4", heartbeat=NOON + 9 * SECOND, state=WorkerState.ENDED), registered=True)

    assert list((await store.heartbeats()).items()) == [(f"w{number}", NOON + number * SECOND) for number in range(4)]
    assert list(await store.heartbeats(until=NOON + SECOND)) == ["w0", "w1"]
    assert list(await store.heartbeats(since=NOON + SECOND, until=NOON + 2 * SECOND)) == ["w1", "w2"]
    assert list(await store.heartbeats(most=2)) == ["w2", "w3"]
    assert list(await store.heartbeats(until=NOON + 2 * SECOND, most=1)) == ["w2"]
    assert len(await store.heartbeats(most=9)) == 4


async def test_the_service_time_is_given_before_any_reply(store: Store) -> None:
    """A worker's first heartbeat needs a stamp: until the service has told its time, the machine's."""
    assert store.service_time(now=NOON) == NOON


async def test_workers_are_found_by_their_ids(store: Store) -> None:
    """Those there are, by last heartbeat; of no ids there are none."""
    for number in (1, 2, 0):
        await store.heartbeat(a_worker(f"w{number}", heartbeat=NOON + number * SECOND))

    assert [worker.worker_id for worker in await store.workers(of={"w2", "unknown", "w0"})] == ["w0", "w2"]
    assert await store.workers(of=[]) == []


async def test_a_forgotten_worker_leaves_nothing(store: Store) -> None:
    """With all that was asked of it; forgetting again is harmless."""
    await store.heartbeat(a_worker("w1"))
    await store.order("w1", Desired.STOP)
    await store.follow("w1", FEED, until=NOON + 99 * SECOND)

    for _ in range(2):
        await store.forget("w1")

    assert await store.workers() == []
    assert await store.heartbeat(a_worker("w1")) == Orders(Desired.RUN, ())
