"""Forced orders: what workers hold is let go before it is changed, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from pyanamo_async.core.holding import hold, unhold
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.orders import reset
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.transitions import settle
from pyanamo_async.core.workers import ProcessStatus, Worker, WorkerState
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.operate import forcing
from pyanamo_async.operate.changing import Change, ChangeResult, Writer, change
from pyanamo_async.operate.forcing import MOST_ORDERS, Forced
from pyanamo_async.ports import Store
from simulation.crew import FakeProcesses
from tests.contract.steps import POLICY, a_worker, claim, claim_one, settled
from tests.fakes import NOON, an_item

EVERYTHING = Selection(all=True)
ORDER = "order"


def rerun(item: Item, _: object) -> Item:
    return reset(item, all_tasks=True, token=ORDER)


def parked(item: Item, _: object) -> Item:
    return hold(item, now=NOON, token=ORDER, why="withdrawn")


def deleted(_: Item, __: object) -> None:
    return None


@dataclass
class FakeWorker:
    """A worker that ends a script a moment after it is ordered to let its claim go."""

    store: Store
    name: str = "w1"
    held: dict[str, Item] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    most_ordered: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def claim(self, items: int = 1) -> None:
        await self.heartbeat()
        self.held |= {item.token: item for item in await claim(self.store, self.name, limit=items)}

    async def heartbeat(self) -> None:
        now = SystemClock().now()
        row = a_worker(self.name, started=now, heartbeat=self.store.service_time(now=now))
        orders = await self.store.heartbeat(row)
        self.most_ordered = max(self.most_ordered, len(orders.release))
        if orders.release:
            self.heard.set()
        for token in orders.release & self.held.keys():
            item = self.held.pop(token)
            await asyncio.sleep(0)  # the script ends
            self.ended.append(item.item_id)
            released = settle(item, {}, interrupted_by=InterruptReason.ORDER, now=NOON, policy=POLICY, jitter=0)
            await self.store.save(item, released)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async def beat() -> None:
            while True:
                await self.heartbeat()
                await asyncio.sleep(0.02)

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.wait([beating])


@pytest.fixture
async def worker(store: Store) -> FakeWorker:
    """A worker that holds an item."""
    await store.add([an_item("a")])
    held = FakeWorker(store)
    await held.claim()
    return held


async def order(
    store: Store,
    how: Change,
    *,
    selection: Selection = EVERYTHING,
    wait: bool = True,
    processes: FakeProcesses | None = None,
) -> ChangeResult:
    writer = Writer(store, SystemClock())
    force = Forced(writer, processes or FakeProcesses(), ORDER, wait, lambda _: None)
    return await change(writer, selection, how, force=force)


@pytest.mark.parametrize("how", [rerun, parked, deleted])
async def test_an_item_moves_once_its_worker_let_it_go(store: Store, worker: FakeWorker, how: Change) -> None:
    """Not before its script ended; and nobody claims it in between."""
    async with worker.at_work():
        result = await order(store, how, selection=Selection(states=["locked"]))

    assert (result.selected, result.changed, result.locked, result.complete) == (1, 1, [], True)
    assert worker.ended == ["a"]
    items = {item.item_id: item async for item in store.items()}
    if how is deleted:
        assert items == {}
        return
    item = items["a"]
    assert item.token == ORDER
    if how is rerun:
        assert (item.state, item.interruptions, item.held) == (State.TODO, 0, None)
        assert (await claim_one(store, "w2")).attempt == 2
    else:
        assert (item.state, item.reason) == (State.PENDING, "attempt 1: withdrawn")
        assert (unhold(item).state, unhold(item).interruptions) == (State.TODO, 1)
        assert await store.next_due() is None


async def test_no_order_stays_behind(store: Store, worker: FakeWorker) -> None:
    """A worker's row is written with every heartbeat."""
    async with worker.at_work():
        await order(store, rerun)

    now = SystemClock().now()
    assert (await store.heartbeat(a_worker("w1", heartbeat=now + timedelta(seconds=1)))).release == frozenset()


async def test_few_orders_at_a_time_are_left_for_a_worker(store: Store) -> None:
    """However many items it holds."""
    names = [f"{number:02}" for number in range(2 * MOST_ORDERS + 1)]
    await store.add([an_item(name) for name in names])
    worker = FakeWorker(store)
    await worker.claim(len(names))

    async with worker.at_work():
        result = await order(store, rerun)

    assert (result.changed, sorted(worker.ended)) == (len(names), names)
    assert 0 < worker.most_ordered <= MOST_ORDERS


async def test_who_ends_before_the_order_comes_is_changed_as_it_ended(store: Store, worker: FakeWorker) -> None:
    """A hold leaves alone what is done by then; a reset runs it again."""
    [item] = worker.held.values()
    ordering = asyncio.create_task(order(store, parked))
    await asyncio.sleep(0)
    await store.save(item, settled(item))

    result = await ordering

    assert (result.unchanged, result.complete) == (1, True)
    assert (await store.read("a")).state is State.DONE


@pytest.mark.parametrize("state", [WorkerState.ENDED, None])
async def test_an_item_whose_worker_is_gone_is_changed_at_once(
    store: Store, worker: FakeWorker, state: WorkerState | None
) -> None:
    """It ended and left the item, or its row is gone: nobody else will let it go."""
    if state is None:
        await store.forget(worker.name)
    else:
        now = SystemClock().now() + timedelta(seconds=1)
        await store.heartbeat(a_worker(worker.name, heartbeat=now, state=state), registered=True)

    assert (await order(store, parked)).changed == 1
    assert (await store.read("a")).state is State.PENDING


async def test_an_item_of_a_worker_that_vanished_is_changed_when_its_scripts_ended(store: Store) -> None:
    """It is marked dead first, so that it is fenced if it lives after all."""
    await store.add([an_item("a")])
    long_ago = a_worker("w1", heartbeat=NOON - timedelta(days=9))
    await store.heartbeat(long_ago)
    await claim_one(store)
    asked: list[str] = []

    def end(dead: Worker) -> bool:
        asked.append(dead.worker_id)
        return len(asked) > 1

    processes = FakeProcesses(lambda _: ProcessStatus.UNKNOWN, end)
    checks = pytest.MonkeyPatch()
    checks.setattr(forcing, "CHECK_S", 0.0)
    try:
        assert (await order(store, parked, processes=processes)).changed == 1
    finally:
        checks.undo()

    assert asked == ["w1", "w1"]
    assert (await store.workers())[0].state is WorkerState.DEAD
    assert (await store.read("a")).state is State.PENDING


async def test_who_does_not_wait_takes_it_at_once(store: Store, worker: FakeWorker) -> None:
    """Its worker hears of it later, and can settle nothing any more."""
    [item] = worker.held.values()

    result = await order(store, rerun, wait=False)

    assert (result.changed, worker.ended) == (1, [])
    with pytest.raises(Exception, match="no longer as it was seen"):
        await store.save(item, settled(item))
    now = SystemClock().now()
    orders = await store.heartbeat(a_worker("w1", heartbeat=now + timedelta(seconds=1)))
    assert orders.release == {item.token}


async def test_who_stops_waiting_leaves_no_order(store: Store, worker: FakeWorker) -> None:
    """The item stays with its worker."""
    deaf = replace(worker, held={})
    async with deaf.at_work():
        ordering = asyncio.create_task(order(store, rerun))
        await deaf.heard.wait()
        ordering.cancel()
        await asyncio.wait([ordering])
    now = SystemClock().now()

    assert (await store.heartbeat(a_worker("w1", heartbeat=now + timedelta(seconds=1)))).release == frozenset()
    assert (await store.read("a")).state is State.LOCKED


async def test_who_stops_waiting_changes_what_was_let_go_already(store: Store, worker: FakeWorker) -> None:
    """Nothing stays held that nobody asked to hold."""
    ordering = asyncio.create_task(order(store, rerun))
    while worker.held:
        await worker.heartbeat()
        await asyncio.sleep(0.01)
    ordering.cancel()
    await asyncio.wait([ordering])

    assert ((await store.read("a")).state, (await store.read("a")).token) == (State.TODO, ORDER)
