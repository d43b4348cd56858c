"""The rule for going home, clause by clause: explicit schedules that lose an item when a clause is left out.

One worker of the product finds nothing to claim. Another's acts are tied to what it asks next of a table whose index
shows at once that an item is gone from a place, and 0.9 s later that it has come to one. Each schedule is run by the
rule, which leaves nothing, and by a weaker one (a mutation), which leaves the item.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.core.transitions import release
from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import WorkerState
from pyanamo_async.fleet.going_home import GoingHome
from pyanamo_async.fleet.notifications import TableNotifications
from simulation import workers
from simulation.index import IndexLag
from simulation.items import an_item
from simulation.network import Client, Network
from simulation.service import Service
from simulation.virtual_time import NOON, VirtualLoop, run
from simulation.workers import store_of, worker
from tests.contract.steps import a_worker

SHOWN_AFTER_S = 0.9
FAST = Network(latency_s=0.001)
LOOK, NOTIFICATIONS = "look", "notifications"  # what the worker asks: who holds items, and whether any were put back
Act = Callable[["Stage"], Awaitable[None]]
Schedule = list[tuple[str, Act]]


class LateArrivals(IndexLag):
    """An index that shows late what has come to a place."""

    def draw(self, rng: random.Random) -> tuple[float, float]:  # noqa: ARG002 # always the same
        return 0.0, SHOWN_AFTER_S


class Stage:
    """The other workers, and the client of the one that is idle: each act comes before its request."""

    def __init__(self, loop: VirtualLoop, schedule: Schedule) -> None:
        self.loop = loop
        self.service = Service(shards=1, rng=random.Random(1), lag=LateArrivals())
        self.store = store_of(Client(self.service, random.Random(1), FAST))
        self._client = Client(self.service, random.Random(2), FAST)
        self.meta = self._client.meta
        self._schedule = deque(schedule)
        self.held: Item

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def ask(**asked: Any) -> Any:  # noqa: ANN401 # whatever botocore has
            if self._schedule and _kind(name, asked) == self._schedule[0][0]:
                await self._schedule.popleft()[1](self)
            return await getattr(self._client, name)(**asked)

        return ask

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.loop.time())


def _kind(name: str, asked: dict[str, Any]) -> str:
    if name == "get_item" and asked.get("ConsistentRead") and "ProjectionExpression" in asked:
        return NOTIFICATIONS
    queue = asked.get("ExpressionAttributeValues", {}).get(":queue", {}).get("S", "")
    return LOOK if name == "query" and queue.startswith(State.LOCKED) else ""


async def begin(stage: Stage) -> None:
    """Another worker claims the item, before the idle one comes."""
    await stage.store.heartbeat(a_worker("another-1", heartbeat=stage.now()))
    stage.service.seed([an_item("x", script="sleep 1")])
    [stage.held] = await stage.store.claim("another-1", limit=1, now=stage.now())
    await asyncio.sleep(1)


async def nothing(_: Stage) -> None:
    """Let the worker look."""


async def puts_back(stage: Stage) -> None:
    """The other one is stopped: it puts the item back, notifies and ends."""
    await stage.store.save(stage.held, release(stage.held, InterruptReason.STOP))
    await stage.store.notify(now=stage.now())
    await _ends(stage)


async def puts_back_in_silence(stage: Stage) -> None:
    """As if the notification had failed."""
    await stage.store.save(stage.held, release(stage.held, InterruptReason.STOP))
    await _ends(stage)


async def ends_with_the_item(stage: Stage) -> None:
    """The other one could not put it back."""
    await _ends(stage)


async def _ends(stage: Stage) -> None:
    row = a_worker("another-1", heartbeat=stage.now(), state=WorkerState.ENDED)
    await stage.store.heartbeat(row, registered=True)


async def a_third_claims(stage: Stage) -> None:
    """A worker comes, claims the item, and is never heard of again."""
    await stage.store.heartbeat(a_worker("third-1", heartbeat=stage.now()))
    stored = await stage.store.read("x")
    await stage.store.save(stored, replace(stage.held, worker="third-1", attempt=stored.attempt + 1, token="third"))


async def sends_its_last_heartbeat(stage: Stage) -> None:
    """The other one is cut off right after it."""
    await stage.store.heartbeat(a_worker("another-1", heartbeat=stage.now()), registered=True)


BEGINS: Schedule = [(LOOK, nothing)]  # for the items of dead neighbours, once
BETWEEN_LOOKS = [*BEGINS, (LOOK, puts_back), (LOOK, a_third_claims)]
JUST_BEFORE = [*BEGINS, (NOTIFICATIONS, puts_back), (LOOK, nothing), (LOOK, a_third_claims)]
INVISIBLE = [*BEGINS, (LOOK, puts_back_in_silence)]
CUT_OFF = [*BEGINS, (LOOK, sends_its_last_heartbeat)]
ENDED = [*BEGINS, (LOOK, ends_with_the_item)]


async def _no_notification(_: TableNotifications) -> int:
    return 0


async def _nothing_claimable(_: GoingHome) -> bool:
    return False


async def _all_live(self: GoingHome) -> set[str]:
    return set(self._first_seen)


async def _lately(self: GoingHome) -> set[str]:
    now = self.peers.now()
    return set(await self._store.heartbeats(since=now - timedelta(seconds=60), until=now))


MUTATIONS: dict[str, tuple[object, str, object]] = {
    "nobody reads notifications": (TableNotifications, "count", _no_notification),
    "a notification is over once it is read": (TableNotifications, "last_s", lambda _: float("-inf")),
    "one look is enough": (workers, "INDEX_LAG", timedelta()),
    "an empty claim says that nothing can be claimed": (GoingHome, "_is_claimable", _nothing_claimable),
    "every holder lives": (GoingHome, "_heard_since_seen", _all_live),
    "a heartbeat of before shows that its worker lives": (GoingHome, "_heard_since_seen", _lately),
}

CASES = [
    (BETWEEN_LOOKS, "nobody reads notifications"),
    (JUST_BEFORE, "a notification is over once it is read"),
    (INVISIBLE, "one look is enough"),
    (INVISIBLE, "an empty claim says that nothing can be claimed"),
    (CUT_OFF, "every holder lives"),
    (CUT_OFF, "a heartbeat of before shows that its worker lives"),
    (ENDED, "every holder lives"),
]


async def _state_in_the_end(schedule: Schedule, loop: VirtualLoop) -> State:
    stage = Stage(loop, schedule)
    await begin(stage)
    client: Any = stage
    await worker(loop, client, 1, slots=1).pilot().run()
    return (await stage.store.read("x")).state


@contextmanager
def _mutated(name: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*MUTATIONS[name])
        yield


@pytest.mark.parametrize(("schedule", "mutation"), CASES)
def test_each_clause_has_a_schedule_that_loses_an_item_without_it(schedule: Schedule, mutation: str) -> None:
    """By the rule the idle worker is still there, and runs the item."""
    assert run(partial(_state_in_the_end, schedule)) is State.DONE

    with _mutated(mutation):
        assert run(partial(_state_in_the_end, schedule)) is not State.DONE
