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
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from benchmarks.fleet import crew as fleet_crew
from benchmarks.fleet.crew import items, worker
from benchmarks.fleet.index import Entry
from benchmarks.fleet.service import Service
from pyanamo_async.core.items import State
from pyanamo_async.errors import PyanamoError
from pyanamo_async.fleet.drain_check import DrainCheck
from pyanamo_async.fleet.notifications import TableNotifications
from pyanamo_async.store.dynamodb.notifications import Notifications
from pyanamo_async.worker.heartbeats import Heartbeats
from pyanamo_async.worker.stop import Level
from tests.worker.crew import Crew
from tests.worker.virtual import VirtualLoop, run

SCHEDULES, BLOCK = 1000, 250
LAG_S, LONGEST_S = 0.9, 3600.0
GIVEN_UP_S = 3.0
LATEST_S = 8.0
FATES = ("stop", "stop", "cut off", "wall time", "nothing")


class LateService(Service):
    """A table whose index takes up to 0.9 s to show that an item is gone from a place, or has come to one."""

    def show_later(self, key: str, version: int, entry: Entry | None) -> None:
        gone_s, there_s = sorted(LAG_S * self._rng.random() for _ in range(2))
        loop = asyncio.get_running_loop()
        loop.call_later(gone_s, self.index.show, key, version - 0.5, None)  # in between it is nowhere
        loop.call_later(there_s, self.index.show, key, version, entry)

    def states(self) -> Counter[str]:
        """Count the items by state, as their rows have it."""
        return Counter(row["ItemState"]["S"] for row in self._rows.values() if "ItemState" in row)


class Line:
    """A worker's way to the table: answers get lost on it now and then, and all there is when it is cut."""

    def __init__(self, service: Service, rng: random.Random, *, loses: float) -> None:
        self._service, self._rng, self._loses = service, rng, loses
        self.is_cut = False

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def ask(**asked: Any) -> Any:  # noqa: ANN401 # whatever botocore has
            answer = None if self.is_cut else await getattr(self._service, name)(**asked)
            if self.is_cut or self._rng.random() < self._loses:
                await asyncio.sleep(GIVEN_UP_S)
                raise ReadTimeoutError(endpoint_url="there")
            return answer

        return ask


async def _live(seed: int, loop: VirtualLoop) -> Counter[str]:
    """Let a small fleet live; tell in which state it left its items."""
    rng = random.Random(seed)
    service = LateService(shards=rng.choice([1, 4]), rng=rng)
    service.seed(items(rng.randint(1, 6), mean_s=rng.choice([0.5, 3]), rng=rng))
    lives = [asyncio.create_task(_steady(_member(loop, service, 0, rng)))]
    lives += [asyncio.create_task(_fated(_member(loop, service, n, rng), rng)) for n in range(1, rng.randint(2, 5))]
    async with asyncio.timeout(LONGEST_S):
        await asyncio.gather(*lives)
    return service.states()


def _member(loop: VirtualLoop, service: Service, number: int, rng: random.Random) -> tuple[Crew, Line]:
    line: Any = Line(service, rng, loses=rng.choice([0.0, 0.0, 0.01]))
    crew = worker(loop, line, number + rng.randrange(1000), slots=rng.randint(1, 3))
    crew.name = f"job-{number}:0-nonce"
    return crew, line


async def _steady(member: tuple[Crew, Line]) -> None:
    await member[0].pilot().run()


async def _fated(member: tuple[Crew, Line], rng: random.Random) -> None:
    crew, line = member
    await asyncio.sleep(rng.choice([0.0, LATEST_S]) * rng.random())
    at_s = rng.random() * LATEST_S
    match rng.choice(FATES):
        case "stop":
            crew.loop.call_later(at_s, crew.stop.request, Level.NOW, "stop")
        case "cut off":
            crew.loop.call_later(at_s, setattr, line, "is_cut", True)
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
    monkeypatch.setattr(fleet_crew, "SURE_AFTER", timedelta())

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

    async def nothing(_: TableNotifications) -> bool:
        return False

    monkeypatch.setattr(TableNotifications, "heard_lately", nothing)

    assert _unsettled(range(900, 925))


def test_the_schedules_notice_a_farewell_of_one_that_has_not_made_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law can be broken: where who is stopped says that all is settled too, the others leave what it put back."""
    monkeypatch.setattr(Heartbeats, "all_settled", property(lambda self: self._clock.now(), _ignore), raising=False)

    assert _unsettled(range(100))


async def _announces_nothing(_: Notifications, __: datetime) -> None:
    """Be one who may not."""


def _ignore(_: object, __: object) -> None:
    """Keep what is there when something is assigned."""
