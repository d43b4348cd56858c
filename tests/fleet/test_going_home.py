"""Nobody goes home too early: small fleets on the store of DynamoDB, whose index is late by up to 0.9 s.

One number is a schedule. Items of seconds, a few workers, and one of them steady; the others come late, run out of wall
time, are told to stop, or are cut off for good with what they hold, and nobody replaces them. Answers get lost. When
all have gone home, everything is done: what came back was found by somebody who was still there.

No finite number of looks at an index that is late proves that: one schedule in some 600 has an item that is put back
just as one look is taken and claimed just as the other is, by a worker that is then stopped or cut off. So whoever puts
back says so in a row that is read as last written.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import pytest

from pyanamo_async.core.items import State
from pyanamo_async.errors import PyanamoError
from pyanamo_async.fleet.drain_check import DrainCheck
from pyanamo_async.fleet.notifications import NotificationListener
from pyanamo_async.store.dynamodb.notifications import Notifications
from pyanamo_async.worker.heartbeats import Heartbeats
from pyanamo_async.worker.stop import Level
from simulation import workers
from simulation.crew import Crew
from simulation.index import IndexLag
from simulation.items import sleepers
from simulation.network import Client, Network
from simulation.service import Service
from simulation.virtual_time import VirtualLoop, run
from simulation.workers import worker

SCHEDULES, BLOCK = 1000, 250
LAG, LONGEST_S = IndexLag(at_most_s=0.9, gaps=True), 3600.0
GIVEN_UP_S = 3.0
LATEST_S = 8.0
FATES = ("stop", "stop", "cut off", "wall time", "nothing")


async def _live(seed: int, loop: VirtualLoop) -> Counter[str]:
    """Let a small fleet live; tell in which state it left its items."""
    rng = random.Random(seed)
    service = Service(shards=rng.choice([1, 4]), rng=rng, lag=LAG)
    service.seed(sleepers(rng.randint(1, 6), mean_s=rng.choice([0.5, 3]), rng=rng))
    lives = [asyncio.create_task(_steady(_member(loop, service, 0, rng)))]
    lives += [asyncio.create_task(_fated(_member(loop, service, n, rng), rng)) for n in range(1, rng.randint(2, 5))]
    async with asyncio.timeout(LONGEST_S):
        await asyncio.gather(*lives)
    return service.states()


def _member(loop: VirtualLoop, service: Service, number: int, rng: random.Random) -> tuple[Crew, Client]:
    client = Client(service, rng, Network(lost=rng.choice([0.0, 0.0, 0.01]), gives_up_after_s=GIVEN_UP_S))
    crew = worker(loop, client, number + rng.randrange(1000), slots=rng.randint(1, 3))
    crew.name = f"job-{number}:0-nonce"
    return crew, client


async def _steady(member: tuple[Crew, Client]) -> None:
    await member[0].pilot().run()


async def _fated(member: tuple[Crew, Client], rng: random.Random) -> None:
    crew, client = member
    await asyncio.sleep(rng.choice([0.0, LATEST_S]) * rng.random())
    at_s = rng.random() * LATEST_S
    match rng.choice(FATES):
        case "stop":
            crew.loop.call_later(at_s, crew.stop.request, Level.NOW, "stop")
        case "cut off":
            crew.loop.call_later(at_s, client.cut)
        case "wall time":
            crew.wall_s = 5 + at_s
    with suppress(PyanamoError):  # cut off before its first beat
        await crew.pilot().run()


def _unsettled(seeds: range) -> dict[int, Counter[str]]:
    """Run schedules; tell of each that left something what it left."""
    left = {seed: run(partial(_live, seed)) for seed in seeds}
    return {seed: states for seed, states in left.items() if set(states) != {State.DONE}}


@pytest.mark.parametrize("first", range(0, SCHEDULES, BLOCK))
def test_all_is_settled_when_the_last_has_gone_home(first: int) -> None:
    """As long as one worker is left to itself, whatever becomes of the others."""
    assert not _unsettled(range(first, first + BLOCK))


def test_the_schedules_notice_a_worker_that_does_not_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law can be broken: who looks once at what an index shows leaves what it has not shown yet."""
    monkeypatch.setattr(workers, "SURE_AFTER", timedelta())

    assert _unsettled(range(100))


def test_the_schedules_notice_a_worker_that_believes_what_it_saw_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law can be broken: where nothing is announced, what another put back is left without a fresh look."""

    async def nothing(_: DrainCheck) -> None:
        return None

    monkeypatch.setattr(DrainCheck, "_next_due", property(lambda self: partial(nothing, self), _ignore), raising=False)
    monkeypatch.setattr(Notifications, "notify", _announces_nothing)

    assert _unsettled(range(150))


def test_the_schedules_notice_a_worker_that_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law can be broken: two looks may both miss what was put back and claimed again between them."""

    async def nothing(_: NotificationListener) -> bool:
        return False

    monkeypatch.setattr(NotificationListener, "heard_lately", nothing)

    assert _unsettled(range(200, 225))


def test_the_schedules_notice_a_farewell_of_one_that_has_not_made_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law can be broken: where who is stopped says that all is settled too, the others leave what it put back."""
    monkeypatch.setattr(Heartbeats, "all_settled", property(lambda self: self._clock.now(), _ignore), raising=False)

    assert _unsettled(range(100))


async def _announces_nothing(_: Notifications, __: datetime) -> None:
    """Be one who may not."""


def _ignore(_: object, __: object) -> None:
    """Keep what is there when something is assigned."""
