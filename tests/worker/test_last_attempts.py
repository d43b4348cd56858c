"""Items that lost their machines too often are left to workers that take last attempts, and those stay for them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from pyanamo_async.app.bootstrap import exit_status
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.workers import ProcessStatus
from pyanamo_async.fleet.going_home import IdlePolicy
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.run_summary import RunSummary
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew, FakeProcesses
from simulation.virtual_time import VirtualLoop, run
from tests.fakes import NOON, an_item

LONG_S = 100


async def a_table(after: int | None, *items: Item) -> MemoryStore:
    """Create a table in which items have such a setting."""
    store = MemoryStore()
    await store.create(shards=4)
    await store.leave_last_attempts(after)
    await store.add(items)
    return store


def crew(
    name: str, store: MemoryStore, loop: VirtualLoop, *, last: bool = False, idle: IdlePolicy | None = None
) -> Crew:
    """Put a worker together that takes last attempts, or does not."""
    return Crew(loop, name=name, store=store.another(), last_attempts=last, idle_policy=idle or IdlePolicy())


async def interrupted(name: str, store: MemoryStore, loop: VirtualLoop) -> RunSummary:
    """Run an ordinary worker whose machine is taken after ten seconds."""
    spot = crew(name, store, loop)
    loop.call_later(10, spot.stop.request, Level.NOW, "Spot")
    return await spot.pilot().run()


@pytest.mark.parametrize(("after", "left"), [(None, False), (3, False), (2, True), (1, True)])
def test_an_item_is_left_to_last_attempts_once_it_lost_enough_machines(after: int | None, *, left: bool) -> None:
    """In the write that puts it back; without the setting never. Workers that are interrupted leave work."""

    async def scenario(loop: VirtualLoop) -> tuple[list[RunSummary], Item]:
        store = await a_table(after, an_item("a", script=f"sleep {LONG_S}"))
        ended = [await interrupted(f"w{number}", store, loop) for number in range(2 if after != 1 else 1)]
        return ended, await store.read("a")

    ended, item = run(scenario)

    assert (item.state, item.last_attempts, item.evictions) == (State.TODO, left, len(ended))
    assert [exit_status(each, exit_zero=True) for each in ended] == [75] * len(ended)


def test_the_item_of_a_worker_that_vanished_counts_as_well() -> None:
    """In the write of whoever takes it over, which then leaves it alone."""

    async def scenario(loop: VirtualLoop) -> tuple[RunSummary, Item]:
        store = await a_table(1, an_item("a", script=f"sleep {LONG_S}"))
        await crew("gone", store, loop).register()
        await store.claim("gone", limit=1, now=NOON)
        return await crew("other", store, loop).pilot().run(), await store.read("a")

    summary, item = run(scenario)

    assert (item.state, item.last_attempts, item.crashes) == (State.TODO, True, 1)
    assert exit_status(summary, exit_zero=True) == 4


def test_a_run_that_leaves_only_last_attempts_says_so_unless_somebody_takes_them() -> None:
    """It ends with a status of its own, which nobody retries: the same worker again would not help."""

    async def scenario(loop: VirtualLoop) -> tuple[RunSummary, RunSummary, Crew]:
        store = await a_table(1, an_item("a", last_attempts=True), an_item("b"))
        alone = crew("alone", store, loop)
        first = await alone.pilot().run()
        await crew("last", store, loop, last=True).register()
        return first, await crew("beside", store, loop).pilot().run(), alone

    first, beside, alone = run(scenario)

    assert (first.settled[State.DONE], first.out_of_reach, exit_status(first, exit_zero=True)) == (1, 1, 4)
    assert alone.notes.named("items wait for a worker that takes last attempts") == [{"items": 1}]
    assert exit_status(beside, exit_zero=True) == 0


def test_a_worker_for_last_attempts_waits_for_what_others_may_leave_to_it() -> None:
    """It does all else meanwhile. When the others' machines are gone, it runs what they put back, and goes home."""

    async def scenario(loop: VirtualLoop) -> tuple[RunSummary, RunSummary, float]:
        store = await a_table(1, an_item("a", script=f"sleep {LONG_S}"))
        async with asyncio.TaskGroup() as both:
            spot = both.create_task(interrupted("spot", store, loop))
            await asyncio.sleep(1)
            await store.add([an_item("b")])
            last = both.create_task(crew("last", store, loop, last=True).pilot().run())
        return spot.result(), last.result(), loop.time()

    spot, last, ended_s = run(scenario)

    assert (spot.put_back, spot.settled[State.DONE]) == (1, 0)
    assert (last.settled[State.DONE], exit_status(last, exit_zero=True)) == (2, 0)
    assert ended_s >= LONG_S + 10


@pytest.mark.parametrize("after", [None, 1])
def test_workers_for_last_attempts_do_not_wait_for_each_other(after: int | None) -> None:
    """Nor for anybody where no item is left to them."""

    async def scenario(loop: VirtualLoop) -> float:
        store = await a_table(after, an_item("a", script=f"sleep {LONG_S}"))
        busy = asyncio.create_task(crew("busy", store, loop, last=after is not None).pilot().run())
        await asyncio.sleep(1)
        await crew("idle", store, loop, last=True).pilot().run()
        ended_s = loop.time()
        await busy
        return ended_s

    assert run(scenario) < LONG_S


def test_an_idle_exit_bounds_the_wait() -> None:
    """For whoever would rather not pay for it."""

    async def scenario(loop: VirtualLoop) -> tuple[RunSummary, float]:
        store = await a_table(1, an_item("a", script="sleep 1000"))
        busy = asyncio.create_task(crew("busy", store, loop).pilot().run())
        await asyncio.sleep(1)
        ended = (
            await crew("last", store, loop, last=True, idle=IdlePolicy(idle_exit=timedelta(seconds=60))).pilot().run()
        )
        ended_s = loop.time()
        await busy
        return ended, ended_s

    _, ended_s = run(scenario)

    assert 60 <= ended_s < 200


def test_a_worker_for_last_attempts_that_drains_leaves_what_others_hold() -> None:
    """Also on its own machine: its exit status says that somebody has to be there for it."""

    async def scenario(loop: VirtualLoop) -> RunSummary:
        store = await a_table(1, an_item("a", script=f"sleep {LONG_S}"))
        busy = asyncio.create_task(crew("busy", store, loop).pilot().run())
        await asyncio.sleep(1)
        last = crew("last", store, loop, last=True)
        last.processes = FakeProcesses(lambda _: ProcessStatus.LIVES)
        loop.call_later(5, last.stop.request, Level.DRAIN, "told to")
        ended = await last.pilot().run()
        await busy
        return ended

    assert exit_status(run(scenario), exit_zero=True) == 75
