"""When a worker that finds nothing to claim goes home, and what it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.core.transitions import release
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Orders, Worker, WorkerState
from pyanamo_async.errors import BadRow, Denied, PyanamoError, Unavailable
from pyanamo_async.fleet.going_home import IdlePolicy
from pyanamo_async.ports import Store
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.run_summary import RunSummary
from pyanamo_async.worker.stop import Level
from simulation.crew import Crew
from simulation.virtual_time import NOON, VirtualLoop, run
from tests.fakes import an_item

HEARTBEAT_S, LEASE_S = 20, 180
DEAD_FROM_S = LEASE_S / 3 + LEASE_S * 2 / 3 + 10  # suspected after a third, watched for two thirds and a margin
DEAD_BY_S = DEAD_FROM_S + 3 * HEARTBEAT_S
INDEX_LAG = timedelta(seconds=1)


async def _ghost(loop: VirtualLoop, *, item: str, store: Store | None = None, crashes: int = 0) -> Crew:
    """A worker that sends one heartbeat, claims an item, and vanishes."""
    ghost = Crew(loop, name="ghost", store=store or MemoryStore())
    await ghost.store.create(shards=1)
    await ghost.store.add([an_item(item, crashes=crashes)])
    await ghost.register()
    await ghost.store.claim("ghost", limit=1, now=NOON)
    return ghost


def test_nobody_goes_home_while_a_silent_worker_holds_an_item() -> None:
    """The last worker there is takes over what a vanished one held, and only then goes home."""

    async def main(loop: VirtualLoop) -> None:
        ghost = await _ghost(loop, item="x")
        tally = await Crew(loop, name="last", store=ghost.store).pilot().run()

        assert tally.settled == {State.DONE: 1}
        assert DEAD_FROM_S < loop.time() < DEAD_BY_S

    run(main)


@pytest.mark.parametrize(("name", "within_s"), [("last", HEARTBEAT_S), ("another-1", LEASE_S / 3 + 2 * HEARTBEAT_S)])
def test_nobody_goes_home_while_an_unknown_worker_holds_an_item(name: str, within_s: float) -> None:
    """Its claim arrived when its row had been deleted: nobody else would ever look for that item."""

    async def main(loop: VirtualLoop) -> None:
        ghost = await _ghost(loop, item="x")
        await ghost.store.forget("ghost")
        tally = await Crew(loop, name=name, store=ghost.store).pilot().run()

        assert tally.settled == {State.DONE: 1}
        assert loop.time() < within_s

    run(main)


def test_nobody_goes_home_while_a_worker_that_ended_holds_an_item() -> None:
    """It could not settle it, and nobody else ever will: the row that says so is enough."""

    async def main(loop: VirtualLoop) -> None:
        ghost = await _ghost(loop, item="x")
        [row] = await ghost.store.workers()
        await ghost.store.heartbeat(replace(row, state=WorkerState.ENDED), registered=True)
        tally = await Crew(loop, name="last", store=ghost.store).pilot().run()

        assert tally.settled == {State.DONE: 1}
        assert loop.time() < HEARTBEAT_S

    run(main)


def test_what_a_holder_wrote_before_it_was_seen_does_not_show_that_it_lives() -> None:
    """Only a heartbeat since the first look does: a fresh one of a worker that died after it says nothing."""

    async def main(loop: VirtualLoop) -> None:
        ghost = await _ghost(loop, item="x")
        await asyncio.sleep(HEARTBEAT_S)
        await ghost.register()  # a moment before it dies, and before the last one looks
        tally = await Crew(loop, name="last", store=ghost.store).pilot().run()

        assert tally.settled == {State.DONE: 1}

    run(main)


def test_a_heartbeat_in_the_future_does_not_show_that_a_holder_lives() -> None:
    """Its clock was wrong before it died; it is a suspect like those that have been silent for long."""

    async def main(loop: VirtualLoop) -> None:
        ghost = await _ghost(loop, item="x")
        [row] = await ghost.store.workers()
        await ghost.store.heartbeat(replace(row, heartbeat=NOON + timedelta(days=1)), registered=True)
        tally = await Crew(loop, name="last", store=ghost.store).pilot().run()

        assert tally.settled == {State.DONE: 1}
        assert loop.time() < DEAD_BY_S

    run(main)


def test_a_holder_that_heartbeats_is_left_to_itself() -> None:
    """Once it has seen that the others live, a worker without work goes home; they finish what they hold."""

    async def main(loop: VirtualLoop) -> None:
        holder, working = await _at_work(loop)
        tally = await Crew(loop, name="other", store=holder.store).pilot().run()
        home_s = loop.time()

        assert not tally.settled
        assert HEARTBEAT_S / 2 < home_s < 3 * HEARTBEAT_S
        assert (await working).settled == {State.DONE: 1}

    run(main)


def test_idle_exit_is_obeyed_whoever_vanished() -> None:
    """Who was told how long to stay without work stays that long and no longer."""

    async def main(loop: VirtualLoop) -> None:
        ghost = await _ghost(loop, item="x")
        stays = IdlePolicy(idle_exit=timedelta(seconds=60))
        tally = await Crew(loop, name="last", store=ghost.store, idle_policy=stays).pilot().run()

        assert not tally.settled
        assert loop.time() == pytest.approx(60, abs=25)

    run(main)


async def _at_work(loop: VirtualLoop) -> tuple[Crew, asyncio.Task[RunSummary]]:
    """A worker that holds an item, and sends heartbeats, for a thousand seconds."""
    holder = Crew(loop, name="holder")
    await holder.store.create(shards=1)
    await holder.store.add([an_item("long", script="sleep 1000")])
    working = loop.create_task(holder.pilot().run())
    while not (await holder.store.held("holder")):
        await _a_second(loop)
    return holder, working


async def _a_second(loop: VirtualLoop) -> None:
    passed = loop.create_future()
    loop.call_later(1, passed.set_result, None)
    await passed


def test_a_worker_stopped_while_another_holds_an_item_leaves_work() -> None:
    """Nobody knows whether the holder lives: whoever starts another is told that there may be something left."""

    async def main(loop: VirtualLoop) -> None:
        ghost = await _ghost(loop, item="x")
        last = Crew(loop, name="last", store=ghost.store)
        loop.call_later(1, last.stop.request, Level.STOP, "SIGTERM")

        assert (await last.pilot().run()).work_left

    run(main)


class _Counting(MemoryStore):
    """Counts notifications."""

    def __init__(self, *, takes_s: float = 0) -> None:
        super().__init__()
        self._takes_s = takes_s
        self.notified = 0

    async def notify(self, *, now: datetime) -> None:  # noqa: ARG002
        self.notified += 1
        await asyncio.sleep(self._takes_s)


@pytest.mark.parametrize("level", [Level.DRAIN, Level.STOP])
def test_a_worker_that_puts_work_back_on_being_stopped_notifies_and_leaves_work(level: Level) -> None:
    """Workers that wait need not find it by chance; where nothing is left nobody need look."""

    async def main(loop: VirtualLoop) -> None:
        store = _Counting(takes_s=100)  # which holds nobody up
        await store.create(shards=1)
        await store.add([an_item("long", script="sleep 60")])
        crew = Crew(loop, store=store)
        loop.call_later(30, crew.stop.request, level, "SIGTERM")
        tally = await crew.pilot().run()

        assert store.notified == tally.work_left == (level is Level.STOP)
        assert loop.time() < 63

    run(main)


def test_what_was_put_back_and_has_ended_since_is_not_notified() -> None:
    """A retry is its worker's own."""

    async def main(loop: VirtualLoop) -> None:
        store = _Counting()
        await store.create(shards=1)
        await store.add([an_item("fails", script="exit 1", max_failures=2)])
        tally = await Crew(loop, store=store).pilot().run()

        assert tally.settled == {State.TODO: 1, State.FAILED: 1}
        assert store.notified == 0

    run(main)


def test_a_worker_that_has_put_nothing_back_does_not_notify() -> None:
    """Whatever others hold: all that wait would look for nothing."""

    async def main(loop: VirtualLoop) -> None:
        store = _Counting()
        ghost = await _ghost(loop, item="x", store=store)
        last = Crew(loop, name="last", store=ghost.store)
        loop.call_later(1, last.stop.request, Level.STOP, "SIGTERM")

        assert (await last.pilot().run()).work_left
        assert store.notified == 0

    run(main)


@pytest.mark.parametrize("crashes", [0, 9])
def test_what_was_taken_over_is_notified(crashes: int) -> None:
    """Whoever takes over may be busy, and others wait; not what was buried."""

    async def main(loop: VirtualLoop) -> None:
        store = _Counting()
        ghost = await _ghost(loop, item="x", store=store, crashes=crashes)
        tally = await Crew(loop, name="last", store=ghost.store).pilot().run()

        assert store.notified == tally.settled[State.DONE] == (not crashes)

    run(main)


class _Mute(MemoryStore):
    """A table without notifications, in one way or another."""

    def __init__(self, trouble: PyanamoError | None) -> None:
        super().__init__()
        self._trouble = trouble

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:  # noqa: ARG002
        if self._trouble:
            raise self._trouble
        await asyncio.sleep(1000)
        return True


@pytest.mark.parametrize("trouble", [Unavailable("throttled"), Denied("no"), None])
def test_a_worker_without_notifications_finds_what_comes_by_looking(trouble: PyanamoError | None) -> None:
    """And goes when it is told to."""

    async def main(loop: VirtualLoop) -> None:
        store = _Mute(trouble)
        await store.create(shards=1)
        crew = Crew(loop, store=store, idle_policy=IdlePolicy(wait=True))
        working = loop.create_task(crew.pilot().run())
        await asyncio.sleep(100)
        await store.add([an_item("x")])
        await asyncio.sleep(40)
        crew.stop.request(Level.DRAIN, "enough")

        assert (await working).settled == {State.DONE: 1}
        assert loop.time() < 145

    run(main)


def test_a_waiting_worker_learns_what_is_due_and_claims_rarely() -> None:
    """A worker that waits for an hour finds what comes within a second or two, and claims a few times a minute."""

    async def main(loop: VirtualLoop) -> None:
        claims = 0

        class Counting(MemoryStore):
            async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
                nonlocal claims
                claims += state is State.TODO
                return await super().claim(worker, limit=limit, now=now, state=state)

        store = Counting()
        await store.create(shards=1)
        crew = Crew(loop, store=store, idle_policy=IdlePolicy(wait=True))
        working = loop.create_task(crew.pilot().run())
        await asyncio.sleep(3600)
        assert claims < 60 * 6
        await store.add([an_item("x")])
        await asyncio.sleep(2)
        crew.stop.request(Level.NOW, "enough")

        assert (await working).settled == {State.DONE: 1}

    run(main)


class Absent(MemoryStore):
    """Loses the replies to the first claim and the first heartbeats, and shows for a while nothing of what is held."""

    def __init__(self, loop: VirtualLoop, *, claims: int = 0, heartbeats: int = 0, blind_s: float = 0) -> None:
        super().__init__()
        self._loop, self._claims, self._heartbeats, self._blind_s = loop, claims, heartbeats, blind_s

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        claimed = await super().claim(worker, limit=limit, now=now, state=state)
        if claimed and self._claims:
            self._claims -= 1
            raise Unavailable("the answer was lost")
        return claimed

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        if self._heartbeats:
            self._heartbeats -= 1
            raise Unavailable("no answer")
        return await super().heartbeat(worker, registered=registered)

    async def held(self, worker_id: str) -> list[Item | BadRow]:
        return await super().held(worker_id) if self._loop.time() > self._blind_s else []

    async def holders(self) -> AsyncIterator[str]:
        async for holder in super().holders():
            if self._loop.time() > self._blind_s:
                yield holder


def test_a_worker_whose_claim_got_no_answer_does_not_go_home() -> None:
    """A claim whose answer was lost is looked for until the table must show it."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=Absent(loop, claims=1, blind_s=15), index_lag=timedelta(seconds=1))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("x")])

        assert (await crew.pilot().run()).settled == {State.DONE: 1}

    run(main)


def test_the_first_heartbeat_is_repeated() -> None:
    """A table that does not answer when a worker starts is waited for."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=Absent(loop, heartbeats=3))
        await crew.store.create(shards=1)
        await crew.store.add([an_item("x")])

        assert (await crew.pilot().run()).settled == {State.DONE: 1}
        assert loop.time() < 60

    run(main)


class _Late(MemoryStore):
    """A table whose queue shows late what was put back, while it is held no more at once."""

    def __init__(self, loop: VirtualLoop, lag_s: float) -> None:
        super().__init__()
        self._loop, self._lag_s = loop, lag_s
        self._shows_from_s = 0.0

    async def save(self, before: Item, after: Item) -> None:
        await super().save(before, after)
        if after.state is State.TODO:
            self._shows_from_s = self._loop.time() + self._lag_s

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        late = self._loop.time() < self._shows_from_s
        return [] if late else await super().claim(worker, limit=limit, now=now, state=state)

    async def next_due(self, *, state: State = State.TODO, consistent: bool = False) -> datetime | None:
        late = self._loop.time() < self._shows_from_s
        return None if late else await super().next_due(state=state, consistent=consistent)


@pytest.mark.parametrize("held_s", [0.01, 0.5, 0.99, 1.5, 7, 30])
def test_what_another_puts_back_is_found_although_the_queue_shows_it_late(held_s: float) -> None:
    """Nobody goes home while an item is on its way back: for a moment it is neither held nor in the queue."""

    async def main(loop: VirtualLoop) -> None:
        store = _Late(loop, lag_s=0.9)
        await store.create(shards=1)
        await store.add([an_item("x")])
        await Crew(loop, name="other", store=store).register()
        [held] = await store.claim("other", limit=1, now=NOON)

        async def put_back() -> None:
            await asyncio.sleep(held_s)
            await store.save(held, release(held, InterruptReason.STOP))

        putting_back = loop.create_task(put_back())
        tally = await Crew(loop, store=store, index_lag=INDEX_LAG).pilot().run()

        assert putting_back.done()
        assert tally.settled == {State.DONE: 1}

    run(main)


def test_two_looks_are_as_far_apart_as_the_index_lags() -> None:
    """The second look waits as long as it must, and no pause is longer."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, index_lag=INDEX_LAG)
        await crew.store.create(shards=1)
        await crew.pilot().run()

        assert 1 <= loop.time() < 1.01

    run(main)


class _Notified(MemoryStore):
    """A table that reads one notification consistently, after so many reads."""

    def __init__(self, *, after: int) -> None:
        super().__init__()
        self.reads_left = after

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:  # noqa: ARG002 # the port's
        self.reads_left -= consistent
        return consistent and self.reads_left == 0


@pytest.mark.parametrize(("after", "least_s"), [(1, 2), (2, 3)])
def test_a_notification_begins_the_looks_anew(after: int, least_s: float) -> None:
    """When the index shows what it tells of; whether it came just before the first look or before the last."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=_Notified(after=after), index_lag=INDEX_LAG)
        await crew.store.create(shards=1)
        await crew.pilot().run()

        assert least_s <= loop.time() < 2 * least_s + 1

    run(main)


class _Away(MemoryStore):
    """A table that does not answer when it is looked at for the last time."""

    async def next_due(self, *, state: State = State.TODO, consistent: bool = False) -> datetime | None:
        if consistent:
            raise Unavailable("no answer")
        return await super().next_due(state=state)


def test_a_worker_that_gets_no_answer_does_not_go_home() -> None:
    """Told to stop, it ends, and says that something may be left."""

    async def main(loop: VirtualLoop) -> None:
        crew = Crew(loop, store=_Away())
        await crew.store.create(shards=1)
        loop.call_later(30, crew.stop.request, Level.STOP, "SIGTERM")

        assert (await crew.pilot().run()).work_left
        assert loop.time() >= 30
        assert [worker.state for worker in await crew.store.workers()] == [WorkerState.ENDED]

    run(main)
