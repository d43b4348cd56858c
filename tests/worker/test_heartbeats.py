"""When a worker is fenced, and by which clock, on virtual time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Orders, Worker, WorkerState
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew
from simulation.virtual_time import NOON, VirtualClock, VirtualLoop, run
from tests.fakes import an_item


async def _at_work(loop: VirtualLoop, store: MemoryStore | None = None) -> Crew:
    crew = Crew(loop, store=store or MemoryStore())
    await crew.store.create(shards=1)
    await crew.store.add([an_item("long", script="sleep 1000")])
    return crew


def test_a_worker_that_was_given_up_for_dead_is_fenced_with_its_next_heartbeat() -> None:
    """Its scripts end at once, and it writes nothing any more."""

    async def main(loop: VirtualLoop) -> None:
        crew = await _at_work(loop)
        working = loop.create_task(crew.pilot().run())
        await asyncio.sleep(50)
        [row] = await crew.store.workers()
        assert await crew.store.mark_dead(row)
        summary = await working

        assert 50 < loop.time() <= 61
        assert (summary.lost, summary.settled) == (1, {})
        assert crew.launcher.running == 0
        assert (await crew.store.read("long")).state is State.LOCKED

    run(main)


def test_a_worker_whose_row_was_forgotten_is_fenced() -> None:
    """It does not come back from the dead: no row of it is written again."""

    async def main(loop: VirtualLoop) -> None:
        crew = await _at_work(loop)
        working = loop.create_task(crew.pilot().run())
        await asyncio.sleep(50)
        await crew.store.forget(crew.name)

        assert (await working).lost == 1
        assert await crew.store.workers() == []

    run(main)


def test_the_lease_runs_while_the_machine_is_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The monotonic clock stands still meanwhile, and others may have taken the items over."""
    suspended_s = 0.0
    monkeypatch.setattr(VirtualClock, "boottime", lambda self: self.monotonic() + suspended_s)

    async def main(loop: VirtualLoop) -> None:
        nonlocal suspended_s
        crew = await _at_work(loop)
        working = loop.create_task(crew.pilot().run())
        await asyncio.sleep(50)
        suspended_s = 130

        assert (await working).lost == 1
        assert loop.time() <= 61

    run(main)


class _Counting(MemoryStore):
    """A table that counts heartbeats."""

    heartbeats_sent = 0

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        self.heartbeats_sent += 1
        return await super().heartbeat(worker, registered=registered)


def test_what_a_worker_does_shows_at_once() -> None:
    """That it works, and that it is about to end and why: each costs one heartbeat more, and no other does."""

    async def main(loop: VirtualLoop) -> None:
        store = _Counting()
        crew = await _at_work(loop, store)
        await store.add([an_item(f"more-{number}", script="sleep 1000") for number in range(5)])
        working = loop.create_task(crew.pilot().run())
        await asyncio.sleep(1)
        [row] = await store.workers()
        assert (row.running, row.stopped_by, store.heartbeats_sent) == (2, "", 2)

        crew.stop.request(Level.DRAIN, "ordered to drain")
        await asyncio.sleep(1)
        [row] = await store.workers()
        assert (row.stopped_by, store.heartbeats_sent) == ("ordered to drain", 3)

        crew.stop.request(Level.STOP, "SIGTERM")
        crew.stop.request(Level.NOW, "SIGTERM")
        await working
        [row] = await store.workers()
        assert (row.stopped_by, row.state) == ("SIGTERM", WorkerState.ENDED)
        assert store.heartbeats_sent <= 5

    run(main)


class _Elsewhere(MemoryStore):
    """A table whose service has a clock of its own."""

    def service_time(self, *, now: datetime) -> datetime:
        return now + timedelta(hours=3)


class _Behind(VirtualClock):
    """A machine whose time of day is three hours behind."""

    def now(self) -> datetime:
        return super().now() - timedelta(hours=3)


def test_heartbeats_are_stamped_in_the_time_of_the_service() -> None:
    """Whatever the machine's clock says."""

    async def main(loop: VirtualLoop) -> None:
        crew = await _at_work(loop, _Elsewhere())
        crew.clock = _Behind(loop)
        working = loop.create_task(crew.pilot().run())
        await asyncio.sleep(30)
        [row] = await crew.store.workers()
        working.cancel()

        assert row.heartbeat == NOON + timedelta(seconds=20)
        assert row.started == NOON

    run(main)


def test_a_heartbeat_that_is_held_up_does_not_make_a_worker_look_silent() -> None:
    """It arrives after a later one, and changes nothing."""

    async def main(loop: VirtualLoop) -> None:
        crew = await _at_work(loop)
        working = loop.create_task(crew.pilot().run())
        await asyncio.sleep(50)
        [row] = await crew.store.workers()
        await crew.store.heartbeat(replace(row, heartbeat=NOON), registered=True)
        [after] = await crew.store.workers()
        working.cancel()

        assert after == row

    run(main)
