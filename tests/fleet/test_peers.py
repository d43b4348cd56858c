"""Which workers are suspects, when one is dead, and who takes over from it."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import STOOD_STILL, UNREACHABLE, ProcessStatus, Worker, WorkerState, dead_after
from pyanamo_async.errors import Fenced
from pyanamo_async.fleet.peers import PeerMonitor
from pyanamo_async.ports import Runtime
from pyanamo_async.store.memory import MemoryStore
from simulation.crew import FakeProcesses, Notes
from tests.contract.steps import a_worker
from tests.fakes import NOON, FakeClock, an_item

HEARTBEAT, LEASE = timedelta(seconds=20), timedelta(seconds=180)
DEAD_AFTER = dead_after(LEASE, own_lease=LEASE)
SECOND = timedelta(seconds=1)


class Fleet:
    """A table where `other` holds an item, and this worker, `me`, that looks after it."""

    def __init__(self) -> None:
        self.clock, self.store = FakeClock(), MemoryStore()
        self.can_end = True
        self.stands = False

    async def begin(self, other: Worker | None = None) -> PeerMonitor:
        await self.store.create(shards=1)
        await self.store.add([an_item("a")])
        await self.store.heartbeat(other or a_worker("other"))
        await self.store.claim("other", limit=1, now=NOON)
        return self.monitor("me")

    def monitor(self, worker_id: str, *, died: bool = False) -> PeerMonitor:
        runtime = Runtime(self.clock, random.Random(1), Notes())
        status = ProcessStatus.DIED if died else ProcessStatus.UNKNOWN

        def process_status(_: Worker) -> ProcessStatus:
            return ProcessStatus.STANDS if self.stands else status

        return PeerMonitor(
            a_worker(worker_id),
            self.store,
            runtime=runtime,
            policy=FailurePolicy(),
            processes=FakeProcesses(process_status, end=lambda _: self.can_end),
            pays_per_read=False,
        )

    async def heartbeat(self, worker_id: str, *, registered: bool = False) -> None:
        await self.store.heartbeat(a_worker(worker_id, heartbeat=self.clock.now()), registered=registered)

    async def look(self, monitor: PeerMonitor, after: timedelta) -> int:
        """Let time pass, send our heartbeat, look after the others; return how many items were put back."""
        self.clock.advance(after)
        await self.heartbeat(monitor.me)
        return (await monitor.look_after())[State.TODO]


async def test_a_suspect_is_dead_when_it_shows_the_same_heartbeat_for_long() -> None:
    """Not when it is found, however old its heartbeat is by then; and a second before is too soon."""
    fleet = Fleet()
    me = await fleet.begin()

    assert not await fleet.look(me, timedelta(days=1))
    assert not await fleet.look(me, DEAD_AFTER)
    assert await fleet.look(me, SECOND) == 1
    assert [worker.worker_id for worker in await fleet.store.workers()] == ["me"]


@pytest.mark.parametrize(("stands", "costs"), [(True, (0, 1)), (False, (1, 0))])
async def test_what_stands_still_on_this_machine_is_no_crash(stands: bool, costs: tuple[int, int]) -> None:
    """Its lease is over all the same; of a worker elsewhere nobody can tell."""
    fleet = Fleet()
    me = await fleet.begin()
    fleet.stands = stands
    await fleet.look(me, timedelta(days=1))

    assert await fleet.look(me, DEAD_AFTER + SECOND) == 1
    item = await fleet.store.read("a")
    assert (item.crashes, item.interruptions) == costs


@pytest.mark.parametrize(
    ("stopped_by", "costs"), [(STOOD_STILL, (0, 1)), (UNREACHABLE, (0, 1)), ("SIGTERM", (1, 0)), ("", (1, 0))]
)
async def test_who_says_that_it_could_send_no_heartbeats_did_not_crash(stopped_by: str, costs: tuple[int, int]) -> None:
    """A laptop that slept: its worker fenced itself, and left its items. Who leaves some otherwise is at fault."""
    fleet = Fleet()
    me = await fleet.begin()
    await fleet.store.heartbeat(
        a_worker("other", heartbeat=NOON + SECOND, state=WorkerState.ENDED, stopped_by=stopped_by), registered=True
    )

    assert await me.examine(["other"])
    item = await fleet.store.read("a")
    assert (item.crashes, item.interruptions) == costs


async def test_a_suspect_that_sends_a_heartbeat_lives() -> None:
    """However wrong its clock is: what counts is that the heartbeat changed."""
    fleet = Fleet()
    me = await fleet.begin()
    await fleet.look(me, timedelta(days=1))
    for _ in range(20):
        await fleet.store.heartbeat(
            a_worker("other", heartbeat=NOON + fleet.clock.monotonic() * SECOND / 1000), registered=True
        )
        assert not await fleet.look(me, HEARTBEAT)

    assert {worker.state for worker in await fleet.store.workers()} == {WorkerState.RUNNING}


async def test_a_heartbeat_in_the_future_makes_a_suspect() -> None:
    """A worker whose clock was wrong before it died is not taken for alive until then."""
    fleet = Fleet()
    me = await fleet.begin(a_worker("other", heartbeat=NOON + timedelta(days=365)))

    assert not await fleet.look(me, SECOND)
    assert await fleet.look(me, DEAD_AFTER + SECOND) == 1


async def test_a_worker_heard_of_within_a_third_of_the_lease_is_no_suspect() -> None:
    """Watching begins when the heartbeat is older; what was read before does not count."""
    fleet = Fleet()
    me = await fleet.begin()

    assert not await fleet.look(me, LEASE / 3 - SECOND)
    assert not await fleet.look(me, DEAD_AFTER - SECOND)  # now it is found
    assert not await fleet.look(me, DEAD_AFTER)
    assert await fleet.look(me, SECOND) == 1


async def test_only_the_latest_asks_for_suspects_and_whoever_has_one_keeps_looking() -> None:
    """One of the fleet is enough; and the turn passes on long before anybody has watched long enough."""
    fleet = Fleet()
    first = await fleet.begin()
    second = fleet.monitor("second")
    await fleet.look(first, timedelta(days=1))
    await fleet.heartbeat("second")
    assert not await first.look_after()  # it is the other's turn by now, and later its again

    fleet.clock.advance(DEAD_AFTER + SECOND)
    await fleet.heartbeat("second")
    assert not await second.look_after()
    assert await first.look_after() == {State.TODO: 1}


async def test_a_worker_that_is_alive_after_all_is_fenced() -> None:
    """It was cut off from the table, or stood still: its next heartbeat says that its claims are over."""
    fleet = Fleet()
    me = await fleet.begin()
    await fleet.look(me, timedelta(days=1))
    await fleet.look(me, DEAD_AFTER + SECOND)

    with pytest.raises(Fenced):
        await fleet.heartbeat("other", registered=True)


async def test_a_heartbeat_that_comes_just_before_the_mark_saves_the_worker() -> None:
    """The mark is on condition of the heartbeat that was read."""

    class Late(MemoryStore):
        async def mark_dead(self, worker: Worker) -> bool:
            await self.heartbeat(replace(worker, heartbeat=worker.heartbeat + SECOND), registered=True)
            return await super().mark_dead(worker)

    fleet = Fleet()
    fleet.store = Late()
    me = await fleet.begin()
    await fleet.look(me, timedelta(days=1))

    assert not await fleet.look(me, DEAD_AFTER + SECOND)
    assert (await fleet.store.read("a")).state is State.LOCKED


async def test_whoever_finds_a_mark_finishes_what_it_began() -> None:
    """The worker that marked it died in between: the row is marked, and the items are still held."""
    fleet = Fleet()
    me = await fleet.begin()
    await fleet.store.mark_dead(a_worker("other"))

    assert await fleet.look(me, timedelta(days=1)) == 1
    assert [worker.worker_id for worker in await fleet.store.workers()] == ["me"]


async def test_nobody_takes_over_while_scripts_cannot_be_ended() -> None:
    """A process of this machine stands still, and its scripts run on; when they have been ended, its items go."""
    fleet = Fleet()
    fleet.can_end = False
    me = await fleet.begin()
    await fleet.look(me, timedelta(days=1))
    assert not await fleet.look(me, DEAD_AFTER + SECOND)
    assert (await fleet.store.read("a")).state is State.LOCKED
    with pytest.raises(Fenced):
        await fleet.heartbeat("other", registered=True)

    fleet.can_end = True
    able = fleet.monitor("able")
    assert await fleet.look(able, SECOND) == 1


@pytest.mark.parametrize(
    ("lease", "seconds"),
    [(timedelta(seconds=30), 30), (timedelta(seconds=2), 130), (timedelta(days=2), 130)],
)
async def test_a_lease_that_is_not_credible_counts_as_our_own(lease: timedelta, seconds: float) -> None:
    """Nobody waits for days, or gives a worker up within seconds, because of what a row says."""
    fleet = Fleet()
    me = await fleet.begin(replace(a_worker("other"), lease=lease))
    await fleet.look(me, timedelta(days=7))

    assert not await fleet.look(me, timedelta(seconds=seconds))
    assert await fleet.look(me, SECOND) == 1


async def test_a_dead_process_of_this_machine_is_taken_over_at_once() -> None:
    """Nobody need watch it; but an id that differs in more than the nonce is of another machine."""
    fleet = Fleet()
    await fleet.begin()
    await fleet.store.remove(await fleet.store.read("a"))
    for holder in ("host-1-old", "elsewhere-2-old"):
        await fleet.store.heartbeat(a_worker(holder))
        await fleet.store.add([an_item(holder)])
        await fleet.store.claim(holder, limit=1, now=NOON)

    await fleet.monitor("host-1-new", died=True).examine({"host-1-old"})
    assert (await fleet.store.read("host-1-old")).state is State.TODO
    beside_a_far_holder = fleet.monitor("host-1-newer", died=True)
    assert not await beside_a_far_holder.look_after()


async def test_memory_is_that_of_the_suspects() -> None:
    """Of a thousand workers that live nothing is kept."""
    fleet = Fleet()
    me = await fleet.begin()
    for number in range(1000):
        await fleet.heartbeat(f"w{number}")
    await me.look_after()

    assert not me._suspects
