"""The model itself: what it must do for its schedules to mean something."""

from __future__ import annotations

import asyncio
import random

from pyanamo_async.core.items import State
from pyanamo_async.core.transitions import claim
from pyanamo_async.ports import Store
from simulation.index import IndexLag
from simulation.items import an_item
from simulation.laws import Laws
from simulation.lives import Life
from simulation.network import Client, Network
from simulation.service import Service
from simulation.suspension import Machine, SuspendableLoop, SuspendableProcess
from simulation.virtual_time import NOON, VirtualLoop, run, run_on
from simulation.workers import store_of

AT_ONCE = Network(latency_s=0.0)


async def _shown(store: Store, state: State) -> set[str]:
    return {each.item_id async for each in store.summaries(state=state)}


def test_an_index_with_gaps_shows_a_row_that_moves_nowhere() -> None:
    """For a moment the item is neither claimable nor held; before that it still stands in its old queue."""

    async def main(_: VirtualLoop) -> list[tuple[bool, bool]]:
        service = Service(shards=1, rng=random.Random(1), lag=IndexLag(at_most_s=10, gaps=True))
        service.seed([an_item("a")])
        store = store_of(Client(service, random.Random(1), AT_ONCE))
        await store.claim("w", limit=1, now=NOON)
        shown = []
        for _second in range(11):
            shown.append((bool(await _shown(store, State.TODO)), bool(await _shown(store, State.LOCKED))))
            await asyncio.sleep(1)
        return list(dict.fromkeys(shown))

    assert run(main) == [(True, False), (False, False), (False, True)]


def test_a_write_whose_reply_is_lost_takes_effect() -> None:
    """Its sender hears nothing, and the item is claimed."""

    async def main(_: VirtualLoop) -> State:
        service = Service(shards=1, rng=random.Random(1))
        service.seed([an_item("a")])
        client = Client(service, random.Random(1), AT_ONCE)
        store = store_of(client)
        await store.read("a")  # opens the table
        client.lose_next_reply()
        asking = asyncio.create_task(store.claim("w", limit=1, now=NOON))
        await asyncio.sleep(1)
        asking.cancel()
        return (await store.read("a")).state

    assert run(main) is State.LOCKED


def test_a_suspended_machine_stops_its_timers_and_its_monotonic_clock() -> None:
    """After 100 s of suspension a timer of 10 s that had 4 s left fires 4 s later; only `boottime` counted on."""
    loop = SuspendableLoop()
    machine = Machine(loop)
    process = SuspendableProcess(loop, machine)

    async def main(_: SuspendableLoop) -> tuple[float, float, float]:
        sleeping = loop.create_task(asyncio.sleep(10), context=process.context)
        await asyncio.sleep(6)
        process.stop()
        await asyncio.sleep(100)
        machine.suspended_s += 100
        process.resume()
        await sleeping
        return loop.time(), round(machine.monotonic(), 3), machine.boottime()

    assert run_on(loop, main) == (110, 10, 110)


def test_a_paused_process_fires_its_timers_when_it_continues() -> None:
    """Its clocks counted on: what was due is due at once."""
    loop = SuspendableLoop()
    process = SuspendableProcess(loop, Machine(loop))

    async def main(_: SuspendableLoop) -> float:
        sleeping = loop.create_task(asyncio.sleep(10), context=process.context)
        await asyncio.sleep(6)
        process.stop()
        await asyncio.sleep(100)
        process.resume()
        await sleeping
        return loop.time()

    assert run_on(loop, main) == 106


def test_the_laws_notice_that_a_healthy_worker_is_taken_for_dead() -> None:
    """A row that another worker deletes within two thirds of the lease is a violation; later it is not."""
    loop = SuspendableLoop()
    row = {"itemID": {"S": "#worker#w1"}, "Queue": {"S": "worker#0"}, "Queue_Key": {"S": "-"}}

    async def main(_: SuspendableLoop) -> list[str]:
        laws = Laws(loop)
        for name in ("w1", "w2"):
            laws.lives[name] = Life(SuspendableProcess(loop, Machine(loop)), 180, arrived_s=0, answered_s=0)
        await asyncio.sleep(119)
        laws.wrote("w2", "#worker#w1", row, None)
        await asyncio.sleep(2)
        laws.wrote("w1", "#worker#w2", row, None)
        return laws.violations

    assert run_on(loop, main) == ["w1 is healthy, 119 s after its last heartbeat: row written or deleted by w2"]


def test_the_laws_notice_that_an_attempt_is_settled_twice() -> None:
    """Whoever writes it."""
    loop = SuspendableLoop()

    async def main(_: SuspendableLoop) -> int:
        laws = Laws(loop)
        service = Service(shards=1, rng=random.Random(1), on_write=laws.wrote)
        held = claim(an_item("a"), worker="w", token="t", now=NOON)
        service.seed([held])
        locked, todo = service.rows["a"], service.rows["a"] | {"ItemState": {"S": "todo"}}
        laws.wrote("w", "a", locked, todo)
        laws.wrote("w", "a", locked, todo)
        return len(laws.violations)

    assert run_on(loop, main) == 1
