"""Waiting until nothing is left."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from pyanamo_async.core.counts import Counts
from pyanamo_async.core.holding import hold
from pyanamo_async.core.items import State
from pyanamo_async.core.outcomes import Failed
from pyanamo_async.core.values import replace
from pyanamo_async.errors import Unavailable
from pyanamo_async.host.clock import SystemClock
from pyanamo_async.operate.waiting import WaitResult, wait
from pyanamo_async.store.memory import MemoryStore
from tests.contract.steps import claim, settled
from tests.fakes import NOON, an_item

NOW = timedelta()


class QuickStore(MemoryStore):
    """A table that is worth looking at all the time, and counts how often it was counted."""

    notifications_every_s = 0.001

    def __init__(self) -> None:
        super().__init__()
        self.counted = self.away = 0
        self.was_looked_at = asyncio.Event()

    async def counts(self, **options: object) -> Counts:
        self.counted += 1
        return await super().counts(**options)  # type: ignore[arg-type]

    async def next_due(self, **options: object) -> object:  # type: ignore[override]
        self.was_looked_at.set()
        if self.away:
            self.away -= 1
            raise Unavailable("away")
        return await super().next_due(**options)  # type: ignore[arg-type]


@pytest.fixture
async def store() -> QuickStore:
    """A fresh table."""
    store = QuickStore()
    await store.create(shards=1)
    return store


async def _wait(store: QuickStore, timeout: timedelta | None = None, **options: object) -> WaitResult:
    return await wait(store, timeout=timeout, index_lag=NOW, clock=SystemClock(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("state", "exit_status"), [(State.DONE, 0), (State.FAILED, 3)])
async def test_what_is_settled_is_not_waited_for(store: QuickStore, state: State, exit_status: int) -> None:
    """The exit status is that of `run`."""
    await store.add([replace(an_item("a"), state=state)])

    assert (await _wait(store)).exit_status == exit_status


async def test_held_items_are_not_waited_for(store: QuickStore) -> None:
    """They wait for a person."""
    await store.add([replace(an_item("a"), state=State.DONE), hold(an_item("b"), now=NOON)])

    assert await _wait(store) == WaitResult(0, 0)


@pytest.mark.parametrize("state", [State.TODO, State.WALL_TIME_EXCEEDED, State.LOCKED])
async def test_the_timeout_ends_the_waiting_with_work_left(store: QuickStore, state: State) -> None:
    """75, as for a worker that was interrupted."""
    await store.add([replace(an_item("a"), state=state)])

    result = await _wait(store, timedelta(milliseconds=5))

    assert (result.left, result.exit_status) == (1, 75)


async def test_waiting_ends_when_the_last_item_is_settled(store: QuickStore) -> None:
    """Also one that waits for its retry meanwhile; nothing is counted before the end."""
    await store.add([an_item("a", max_failures=2)])
    waiting = asyncio.create_task(_wait(store))
    for _ in range(2):
        [item] = await claim(store, now=NOON + timedelta(hours=1))
        await store.save(item, settled(item, Failed(exit_code=1)))
        store.was_looked_at.clear()
        await store.was_looked_at.wait()

    assert (await waiting) == WaitResult(0, 1)
    assert store.counted == 1


async def test_what_is_left_is_told_at_once(store: QuickStore) -> None:
    """Somebody at a terminal wants to know that it is the right table."""
    await store.add([an_item("a"), an_item("b")])
    told = []

    async def tell(counts: Counts) -> None:
        told.append(counts.left)

    await _wait(store, timedelta(milliseconds=3), tell=tell)

    assert told == [2]


async def test_a_table_that_is_away_is_waited_for_too(store: QuickStore) -> None:
    """It may be away for a moment in days, or for hours: that is told once."""
    store.away = 3
    missed: list[Unavailable] = []

    assert (await _wait(store, missed=missed.append)).exit_status == 0
    assert len(missed) == 1
