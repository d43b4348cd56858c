"""An item that a heartbeat named as waiting starts only after one was written that does not name it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.memory.admission import Budget
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import UNREACHABLE, Orders, Worker, WorkerState, next_heartbeat
from pyanamo_async.errors import Unavailable
from pyanamo_async.fleet.reclaim import reclaim_held
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.room import Entry, Room
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew
from simulation.virtual_time import NOON, VirtualLoop, run
from tests.fakes import an_item

BUDGET = Budget(4000, 1000)
ANSWERED_S = 0.2


class _Slow(MemoryStore):
    """A table that takes a moment to answer heartbeats, may be away for them, and keeps what they named and when."""

    def __init__(self) -> None:
        super().__init__()
        self.loop, self.written, self.is_away = asyncio.get_running_loop(), list[tuple[float, str]](), False
        self.sent, self.shows_later_ones = 0, False

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        self.sent += 1
        await asyncio.sleep(ANSWERED_S)
        if self.is_away and self.shows_later_ones:
            return Orders(written=False)
        if self.is_away:
            raise Unavailable("away")
        orders = await super().heartbeat(worker, registered=registered)
        self.written.append((self.loop.time(), worker.waiting.token))
        return orders


async def _crew(loop: VirtualLoop, *seconds: float, away_s: tuple[float, float] | None = None) -> tuple[Crew, _Slow]:
    """Return a worker in which of items of so many seconds one at a time has room."""
    store = _Slow()
    crew = Crew(loop, store=store, budget=BUDGET, slots=5)
    await store.create(shards=1)
    for number, each in enumerate(seconds):
        await store.add([an_item(f"i{number}", script=f"sleep {each}", memory_bytes=3000, priority=number)])
    for at_s, is_away in zip(away_s or (), (True, False), strict=False):
        loop.call_later(at_s, setattr, store, "is_away", is_away)
    return crew, store


def _started_s(item: Item) -> float:
    assert item.tasks[0].record
    return (item.tasks[0].record.started - NOON).total_seconds()


def test_an_item_that_was_named_starts_after_a_heartbeat_that_does_not_name_it() -> None:
    """Which is sent at once: the start costs one heartbeat and the time until it is answered."""

    async def main(loop: VirtualLoop) -> tuple[float, list[tuple[float, str]], Item]:
        crew, store = await _crew(loop, 50, 5)
        await crew.pilot().run()
        item = await store.read("i1")
        return _started_s(item), store.written, item

    started_s, written, item = run(main)

    assert 50 + ANSWERED_S <= started_s < 51
    assert [token for at_s, token in written if 5 < at_s <= 50] == [item.token] * 2
    assert [token for at_s, token in written if 50 < at_s < started_s + 0.01] == [""]


def test_what_waits_for_less_than_a_heartbeat_costs_none() -> None:
    """It was not named, so that nobody can take it for an item that waits."""

    async def main(loop: VirtualLoop) -> int:
        crew, store = await _crew(loop, 3, 3, 3, 3)
        working = loop.create_task(crew.pilot().run())
        await asyncio.sleep(19)
        sent = store.sent
        await working
        return sent

    assert run(main) <= 4  # the first, one that tells of work, and one for whoever waited just then


@pytest.mark.parametrize("shows_later_ones", [False, True])
def test_an_item_that_was_named_waits_while_no_heartbeat_is_written(shows_later_ones: bool) -> None:
    """Be the table away, or the row another's: so it can never run, kill the worker and be let off."""

    async def main(loop: VirtualLoop) -> tuple[float, State]:
        crew, store = await _crew(loop, 50, 5, away_s=(45, 110))
        store.shows_later_ones = shows_later_ones
        await crew.pilot().run()
        item = await store.read("i1")
        return _started_s(item), item.state

    started_s, state = run(main)

    assert 110 < started_s < 131
    assert state is State.DONE


def test_a_worker_that_is_fenced_names_what_never_started_in_its_last_heartbeat() -> None:
    """Whoever takes its items over charges that one nothing."""

    async def main(loop: VirtualLoop) -> tuple[Worker, Item, Item]:
        crew, store = await _crew(loop, 500, 5, away_s=(45, 160))
        loop.call_later(162, setattr, store, "is_away", False)
        await crew.pilot().run()
        [row] = await store.workers()
        await reclaim_held(store, [crew.name], now=NOON, policy=crew.policy)
        return row, await store.read("i0"), await store.read("i1")

    row, ran, waited = run(main)

    assert (row.state, row.stopped_by) == (WorkerState.ENDED, UNREACHABLE)
    assert (ran.interruptions, ran.evictions) == (1, 1)
    assert (waited.interruptions, waited.evictions, waited.state) == (0, 0, State.TODO)


def test_a_drained_worker_starts_nothing_that_has_room_but_may_be_named() -> None:
    """It is put back, as what waits is."""

    async def main(loop: VirtualLoop) -> tuple[Item, int]:
        crew, store = await _crew(loop, 50, 5)
        working = loop.create_task(crew.pilot().run())
        await asyncio.sleep(50 + ANSWERED_S / 2)
        crew.stop.request(Level.DRAIN, "a test")
        await working
        return await store.read("i1"), crew.launcher.started["i1"]

    item, started = run(main)

    assert (item.state, started) == (State.TODO, 0)


def test_a_claim_that_left_without_having_started_enters_no_more() -> None:
    """Its put-back may be lost, and it be found again: the row may name it still. Its next claim is another."""
    room = Room(BUDGET, nests=1, share_bytes=0, monotonic=lambda: 0.0)
    runs, waits = (an_item(name, memory_bytes=3000, token=name) for name in ("runs", "waits"))
    assert [room.enter(runs), room.enter(waits)] == [Entry.STARTS, Entry.WAITS]

    room.leave(waits)
    room.leave(runs)

    assert room.name_wait().token == waits.token
    assert [room.enter(waits), room.enter(replace(waits, token="another"))] == [Entry.REFUSED, Entry.STARTS]


def test_each_heartbeat_is_later_than_the_one_before() -> None:
    """Also when the clock was set back; after a stamp that is far ahead the clock counts, as it does in the table."""
    lease, step = timedelta(seconds=180), timedelta(milliseconds=1)

    assert next_heartbeat(NOON + step * 20, last=NOON, lease=lease) == NOON + step * 20
    assert next_heartbeat(NOON, last=NOON, lease=lease) == NOON + step
    assert next_heartbeat(NOON - lease, last=NOON, lease=lease) == NOON + step
    assert next_heartbeat(NOON - lease - step, last=NOON, lease=lease) == NOON - lease - step


def test_a_worker_whose_clock_is_set_back_is_heard_of_all_the_same() -> None:
    """Its row shows the heartbeat that it sent last, whatever the time."""

    class SetBack(_Slow):
        def service_time(self, *, now: datetime) -> datetime:
            return now if self.loop.time() < 50 else now - timedelta(seconds=150)

        async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
            orders = await super().heartbeat(worker, registered=registered)
            replies.append(orders.written)
            return orders

    replies = list[bool]()

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=SetBack())
        await crew.store.create(shards=1)
        await crew.store.add([an_item("i0", script="sleep 100")])
        await crew.pilot().run()

    run(main)

    assert all(replies)
    assert len(replies) >= 5
