"""Nobody goes home too early: small fleets on the store of DynamoDB, whose index is late by up to 0.9 s.

One number is a schedule. Items of seconds, a few workers, and one of them steady; the others come late, run out of wall
time, are told to stop, or are cut off for good with what they hold, and nobody replaces them. Answers get lost. When
all have gone home, everything is done: what came back was found by a worker that was still there.

Each clause of the rule (`fleet.drain_check`) has a schedule that fails without it.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta
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
from pyanamo_async.worker.stop import Level
from tests.worker.crew import Crew
from tests.worker.virtual import VirtualLoop, run

SCHEDULES, BLOCK = 1000, 250
LAG_S, LONGEST_S = 0.9, 3600.0
GIVEN_UP_S = 3.0
LATEST_S = 8.0  # before the steady worker has seen anybody's second heartbeat
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
    """Let a small fleet live; return in which states it left its items."""
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


def _unsettled(seeds: Iterable[int]) -> dict[int, Counter[str]]:
    """Run schedules; return what each left that left something."""
    left = {seed: run(partial(_live, seed)) for seed in seeds}
    return {seed: states for seed, states in left.items() if set(states) != {State.DONE}}


@pytest.mark.parametrize("first", range(0, SCHEDULES, BLOCK))
def test_all_is_settled_when_the_last_has_gone_home(first: int) -> None:
    """As long as one worker is left to itself, whatever becomes of the others."""
    assert not _unsettled(range(first, first + BLOCK))


def test_one_look_at_a_late_index_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: a worker that looks once leaves what the index has not shown yet."""
    monkeypatch.setattr(fleet_crew, "INDEX_LAG", timedelta())

    assert _unsettled([7, 12, 67])


def test_a_look_at_what_can_be_claimed_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: a worker that believes its last empty claims leaves what was put back since."""

    async def nothing(_: DrainCheck) -> bool:
        return False

    monkeypatch.setattr(DrainCheck, "_is_claimable", nothing)

    assert _unsettled([12, 139, 157])


def test_holders_must_have_sent_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: a worker that takes every holder for alive leaves the items of those that were cut off."""

    async def everyone(self: DrainCheck) -> set[str]:
        return set(self._first_seen)

    monkeypatch.setattr(DrainCheck, "_heard_since_seen", everyone)

    assert _unsettled([7, 11, 53])


def test_what_holders_wrote_before_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: a heartbeat of a moment ago says nothing of a worker that was cut off since."""

    async def lately(self: DrainCheck) -> set[str]:
        now = self._now()
        return set(await self._store.heartbeats(since=now - timedelta(seconds=60), until=now))

    monkeypatch.setattr(DrainCheck, "_heard_since_seen", lately)

    assert _unsettled([7, 11, 53])


def test_notifications_are_needed_beside_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutation: two looks may both miss what was put back and claimed again between them."""

    async def none(_: TableNotifications) -> int:
        return 0

    monkeypatch.setattr(TableNotifications, "count", none)

    assert _unsettled([353])
