"""What workers request of a table when there is nothing to do, and what watching peers costs in a fleet.

The product's own workers and store, on virtual time, against the simulated table.
"""

from __future__ import annotations

import asyncio
import random
import statistics
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from pyanamo_async.core import transitions
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.values import replace
from pyanamo_async.fleet.peers import PeerMonitor
from pyanamo_async.ports import Runtime
from pyanamo_async.worker.claimer import LONGEST_PAUSE_S
from pyanamo_async.worker.stop import Level
from simulation.crew import FakeProcesses, Notes
from simulation.facts import INDEX_LAG_S
from simulation.index import IndexLag
from simulation.items import an_item
from simulation.network import Client
from simulation.service import Service
from simulation.virtual_time import NOON, VirtualClock, VirtualLoop, run
from simulation.workers import store_of, worker
from tests.contract.steps import a_worker

HOUR = 60


def test_a_waiting_worker_asks_at_most_sixty_times_a_minute() -> None:
    """All that `run --wait` asks of 16 empty shards: claims, heartbeats, watching peers; an hour, minute by minute."""

    async def main(loop: VirtualLoop) -> list[int]:
        service = Service(shards=16, rng=random.Random(1))
        waiting = worker(loop, Client(service, random.Random(1)), 1, slots=8, wait=True)
        working = loop.create_task(waiting.pilot().run())
        asked = [0]
        for _ in range(HOUR + 1):
            await asyncio.sleep(60)
            asked.append(service.bill.requests.total())
        waiting.stop.request(Level.NOW, "enough")
        await working
        return [after - before for before, after in pairwise(asked)]

    first, *minutes = run(main)

    assert first <= 100  # a sweep of all shards of both states, and of what is held
    assert sum(minutes) / HOUR <= 50
    assert sorted(minutes)[HOUR * 9 // 10] <= 60
    assert max(minutes) <= 80  # with a search for items of workers that nobody knows


@pytest.mark.parametrize("after_s", [0.5, 1.5, 5, 300])
def test_who_waits_finds_what_is_announced_within_seconds(after_s: float) -> None:
    """Whenever it comes, on whichever of 16 shards."""
    took_s = [_found_after_s(seed, came_s=after_s + seed % 10) for seed in range(20)]

    assert statistics.median(took_s) <= 5
    assert max(took_s) <= 12


@pytest.mark.parametrize(("came_s", "others"), [(-0.01, 0), (300, 0), (300, 1)])
def test_who_hears_sooner_than_the_index_shows_looks_again(came_s: float, others: int) -> None:
    """An index that lags a second is late to show what was announced; also to whoever came, or waits for others."""
    took_s = [_found_after_s(seed, came_s=came_s, lag_s=1, delayed=others) for seed in range(20)]

    assert sorted(took_s)[17] <= 12


@pytest.mark.parametrize(("state", "within_s"), [(State.TODO, 80), (State.WALL_TIME_EXCEEDED, 240)])
def test_what_nobody_announced_is_found_all_the_same(state: State, within_s: float) -> None:
    """As where it was put back by hand, or by a worker that was killed."""
    took_s = [_found_after_s(seed, came_s=300, state=state, notifications=False) for seed in range(20)]

    assert max(took_s) <= within_s + 1.5 * LONGEST_PAUSE_S


def _found_after_s(
    seed: int,
    *,
    came_s: float,
    state: State = State.TODO,
    notifications: bool = True,
    lag_s: float = INDEX_LAG_S,
    delayed: int = 0,
) -> float:
    """Let an item come, so long after a worker that waits, and tell how long that took to have it done."""

    async def main(loop: VirtualLoop) -> float:
        service = Service(shards=16, rng=random.Random(seed), lag=IndexLag(lag_s))
        client = Client(service, random.Random(seed))
        service.seed(an_item(f"later-{each}", not_before=NOON + timedelta(hours=1)) for each in range(delayed))
        importer, item = store_of(client), an_item(f"item-{seed}", state=state)

        async def come() -> datetime:
            await importer.add([item])
            now = NOON + timedelta(seconds=loop.time())
            if notifications:
                await importer.notify(now=now)
            return now

        came = await come() if came_s < 0 else None
        waiting = worker(loop, client, seed, slots=8, wait=True)
        working = loop.create_task(waiting.pilot().run())
        await asyncio.sleep(came_s)
        came = came or await come()
        await asyncio.sleep(400)
        waiting.stop.request(Level.NOW, "enough")
        await working
        done = (await importer.read(item.item_id)).done_at
        assert done is not None
        return (done - came).total_seconds()

    return run(main)


def test_looking_after_others_costs_the_same_in_a_large_fleet() -> None:
    """With 400 workers that hold 4,000 items a look is one row of them, and the latest reads about the rest."""

    async def main(loop: VirtualLoop) -> tuple[float, float]:
        service = Service(shards=1, rng=random.Random(1), lag=IndexLag(0))
        store, clock, rng = store_of(Client(service, random.Random(1))), VirtualClock(loop), random.Random(1)
        held = transitions.claim(an_item("x"), worker="", token="t" * 16, now=NOON)
        service.seed(replace(held, item_id=f"item-{n}", worker=f"job-{n % 400}:0-nonce") for n in range(4000))
        heartbeats = [a_worker(f"job-{n}:0-nonce", heartbeat=NOON + timedelta(milliseconds=n)) for n in range(400)]
        for heartbeat in heartbeats:
            await store.heartbeat(heartbeat)
        lease = timedelta(seconds=180)
        me, runtime = a_worker("job-7:0-nonce", lease=lease), Runtime(clock, rng, Notes())
        each = PeerMonitor(
            me,
            store,
            runtime=runtime,
            policy=FailurePolicy(),
            processes=FakeProcesses(),
            pays_per_read=True,
        )
        await each.look_after()
        before = service.bill.reads
        for _ in range(100):
            assert not await each.look_after()
        usual = (service.bill.reads - before) / 100
        await store.heartbeat(replace(heartbeats[7], heartbeat=NOON + timedelta(seconds=1)))
        before = service.bill.reads
        for _ in range(100):
            await each.look_after()
        return usual, (service.bill.reads - before) / 100

    usual, as_the_latest = run(main)

    assert usual <= 1.5
    assert as_the_latest > 10  # the duty is done by somebody
