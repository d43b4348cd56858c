"""The table as the workers of a fleet reach it: far away, forgetful, repetitive, and out of date.

Modelled after DynamoDB. Requests and replies take time and get lost, each for itself; a write that was sent may arrive
again, and one that its sender gave up, or did not live to see answered, arrives all the same. What is read through the
index (the queue, who holds what, which workers there are) is what stood there a while ago, though nobody sees the index
go back; rows are read, and writes are decided, as they are. A claim is a look at the index, then one conditional write
for each item that was seen.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from heapq import nsmallest
from typing import Any

from pyanamo_async.core import transitions
from pyanamo_async.core.items import Item, State, Summary
from pyanamo_async.core.stored.queue_key import due, queue_key
from pyanamo_async.core.workers import Worker, WorkerState
from pyanamo_async.errors import PyanamoError, Unavailable
from pyanamo_async.store import memory
from pyanamo_async.store.memory import MemoryStore
from tests.stress.suspension import SuspendableLoop
from tests.stress.witness import Witness
from tests.worker.virtual import NOON

NETWORK = Context()
"""Where things happen that belong to no process."""

REPEATED_S = {"save": 300.0, "contend": 300.0, "forget": 300.0, "mark_dead": 300.0, "heartbeat": 300.0}
"""How much later a write may arrive again."""

GIVEN_UP_S = 6.0
OLDEST_VIEW_S = 20.0
SEEN = 256


@dataclass(frozen=True, slots=True)
class View:
    """What the index shows, since when."""

    since_s: float
    items: dict[str, Item]
    workers: tuple[Worker, ...]


class Table(MemoryStore):
    """The truth, and what the index shows of it; every write that takes effect has a witness."""

    def __init__(self, loop: SuspendableLoop, witness: Witness) -> None:
        super().__init__()
        self._loop, self._witness = loop, witness
        self._word = 0
        self._views: deque[View] = deque([View(0.0, {}, ())], maxlen=SEEN)

    async def save(self, before: Item, after: Item) -> None:
        known = self._table.items[before.item_id]
        await super().save(before, after)
        if self._table.items[before.item_id] is not known:
            self._changed()
            self._witness.saved(known, after)

    async def heartbeat(self, worker: Worker, *, again: bool = False) -> Any:  # noqa: ANN401 # Orders
        orders = await super().heartbeat(worker, again=again)
        self._changed()
        return orders

    async def forget(self, worker_id: str) -> None:
        await super().forget(worker_id)
        self._changed()

    async def notify(self, *, now: datetime) -> None:  # noqa: ARG002 # the port's
        self._word += 1

    async def word(self) -> int:
        """Tell what changes with each announcement."""
        return self._word

    async def look(self, limit: int, now: datetime, state: State, *, as_of_s: float) -> list[Item]:
        """See items that may be claimed, as the index shows them."""
        standing = [item for item in self._view(as_of_s).items.values() if item.state is state]
        return nsmallest(limit, [each for each in standing if not each.not_before or each.not_before <= now], key=_key)

    async def contend(self, seen: Sequence[Item], worker: str, tokens: Sequence[str], now: datetime) -> list[Item]:
        """Claim each item that is still as it was seen."""
        won = []
        for item, token in zip(seen, tokens, strict=True):
            known = self._table.items[item.item_id]
            if memory._fence(known) == memory._fence(item):
                claim = self._table.items[item.item_id] = transitions.claim(known, worker=worker, token=token, now=now)
                won.append(claim)
        self._changed()
        return won

    async def due_as_seen(self, state: State, *, as_of_s: float) -> datetime | None:
        """Tell when an item may be claimed, as the index shows it."""
        return min(
            (due(_key(item)) for item in self._view(as_of_s).items.values() if item.state is state), default=None
        )

    async def due_of(self, item_ids: Sequence[str], state: State) -> datetime | None:
        """Tell when one of these may be claimed, as their rows have it."""
        known = [self._table.items[item_id] for item_id in item_ids]
        return min((due(_key(item)) for item in known if item.state is state), default=None)

    async def held_as_seen(self, worker_id: str, *, as_of_s: float) -> list[Item]:
        """Read what a worker holds of what the index shows it to hold."""
        seen = [item for item in self._view(as_of_s).items.values() if (item.state, item.worker) == _by(worker_id)]
        known = [self._table.items[item.item_id] for item in seen]
        return [item for item in known if (item.state, item.worker) == _by(worker_id)]

    async def heartbeats_as_seen(self, *, as_of_s: float) -> list[tuple[str, datetime]]:
        """List the last heartbeats that the index shows, oldest first."""
        running = [each for each in self._view(as_of_s).workers if each.state is not WorkerState.ENDED]
        return sorted(((each.worker_id, each.heartbeat) for each in running), key=lambda each: (each[1], each[0]))

    async def listed_as_seen(self, state: State, *, as_of_s: float) -> list[Summary]:
        """List what the index shows."""
        seen = [item for item in self._view(as_of_s).items.values() if item.state is state]
        return [memory._summary(item) for item in seen]

    def settled(self) -> bool:
        """Tell whether nothing is left to do."""
        return all(item.state in {State.DONE, State.FAILED} for item in self._table.items.values())

    def imported(self) -> None:
        """Let the index show what was added, and that it was always there."""
        self._views.clear()
        self._changed()

    def _changed(self) -> None:
        known = self._table
        self._views.append(View(self._loop.virtual_s, known.items.copy(), tuple(known.workers.values())))

    def _view(self, as_of_s: float) -> View:
        return next((view for view in reversed(self._views) if view.since_s <= as_of_s), self._views[0])


class Line:
    """A worker's way to the table: what workers use of a store."""

    def __init__(self, table: Table, loop: SuspendableLoop, rng: random.Random, badness: float) -> None:
        self._table, self._loop, self._rng, self._badness = table, loop, rng, badness
        self._shown_s = 0.0
        self._word = 0
        self._returned: dict[str, float] = {}
        self._held_back: list[Callable[[], None]] = []
        self._is_cut = False

    def cut(self) -> None:
        """Let nothing through."""
        self._is_cut = True

    def mend(self) -> None:
        """Let everything through again, and what the network kept."""
        self._is_cut = False
        for send in self._held_back:
            send()
        self._held_back.clear()

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        seen = await self._ask("look", limit, now, state, as_of_s=self._as_of_s())
        if not seen:
            return []
        tokens = [f"{self._rng.getrandbits(64):x}" for _ in seen]
        return await self._ask("contend", seen, worker, tokens, now)  # type: ignore[no-any-return]

    async def next_due(
        self,
        *,
        state: State = State.TODO,
        consistent: bool = False,  # noqa: ARG002 # what is seen is as old as the index is
    ) -> datetime | None:
        seen = await self._ask("due_as_seen", state, as_of_s=self._as_of_s())
        lately = [key for key, at_s in self._returned.items() if at_s > self._loop.time() - OLDEST_VIEW_S]
        return seen or (await self._ask("due_of", lately, state) if lately else None)

    notifications_every_s = 6.0

    async def notify(self, *, now: datetime) -> None:
        with suppress(PyanamoError):
            await self._ask("notify", now=now)

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:  # noqa: ARG002 # a row is no index
        known, self._word = self._word, await self._ask("word")
        return self._word != known

    async def save(self, before: Item, after: Item) -> None:
        self._returned[after.item_id] = self._loop.time() + 2 * GIVEN_UP_S  # when it may take effect
        await self._ask("save", before, after)

    def __getattr__(self, name: str) -> Callable[..., asyncio.Future[Any]]:
        """Ask the table for what needs no index."""
        return partial(self._ask, name)

    def service_time(self, *, now: datetime) -> datetime:  # noqa: ARG002 # it may be wrong
        return NOON + timedelta(milliseconds=round(self._loop.virtual_s * 1000))

    async def heartbeats(
        self, *, since: datetime | None = None, until: datetime | None = None, most: int | None = None
    ) -> dict[str, datetime]:
        seen = await self._ask("heartbeats_as_seen", as_of_s=self._as_of_s())
        wanted = [each for each in seen if (not since or each[1] >= since) and (not until or each[1] <= until)]
        return dict(wanted[0 if most is None else -most :])

    async def held(self, worker_id: str) -> list[Item]:
        return await self._ask("held_as_seen", worker_id, as_of_s=self._as_of_s())  # type: ignore[no-any-return]

    async def summaries(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Summary]:  # noqa: ARG002 # workers list by state only
        for summary in await self._ask("listed_as_seen", state, as_of_s=self._as_of_s()):
            yield summary

    def _ask(self, name: str, *args: Any, **kwargs: Any) -> asyncio.Future[Any]:  # noqa: ANN401 # stands for every method
        reply: asyncio.Future[Any] = self._loop.create_future()

        def send() -> None:
            self._later(self._journey_s(), self._arrive, name, args, kwargs, reply)

        if self._is_cut or self._chance(0.5):
            self._later(self._rng.random() * GIVEN_UP_S, _give_up, reply, f"{name}: no answer")
            if self._is_cut and self._rng.random() < 0.5:
                self._held_back.append(send)
            return reply
        send()
        if name in REPEATED_S and self._chance(1):
            self._later(self._rng.random() * REPEATED_S[name], self._arrive, name, args, kwargs, None)
        return reply

    def _arrive(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], reply: asyncio.Future[Any] | None
    ) -> None:
        answer, error = _at_once(getattr(self._table, name)(*args, **kwargs))
        if reply is None:
            return
        if self._is_cut or self._chance(0.5):
            self._later(self._rng.random() * GIVEN_UP_S, _give_up, reply, f"{name}: the reply was lost")
        else:
            self._later(self._journey_s(), _answer, reply, answer, error)

    def _later(self, seconds: float, what: Callable[..., None], *args: Any) -> None:  # noqa: ANN401 # as call_later has it
        self._loop.call_later(seconds, what, *args, context=NETWORK)

    def _journey_s(self) -> float:
        return self._rng.expovariate(20) + (self._rng.random() * 8 if self._chance(0.3) else 0)

    def _as_of_s(self) -> float:
        """Choose of when the view is that the next answer shows, never before the last."""
        if not self._badness:
            return self._loop.virtual_s
        age_s = self._rng.random() * OLDEST_VIEW_S if self._chance(2) else self._rng.expovariate(2)
        self._shown_s = max(self._shown_s, self._loop.virtual_s - age_s)
        return self._shown_s

    def _chance(self, weight: float) -> bool:
        return self._rng.random() < weight * self._badness


def _by(worker: str) -> tuple[State, str]:
    return State.LOCKED, worker


def _at_once(call: Coroutine[Any, Any, Any]) -> tuple[Any, PyanamoError | None]:
    """Run a coroutine that never waits."""
    try:
        call.send(None)
    except StopIteration as end:
        return end.value, None
    except PyanamoError as error:
        return None, error
    raise AssertionError("a table in memory does not wait")


def _answer(reply: asyncio.Future[Any], answer: object, error: PyanamoError | None) -> None:
    if reply.done():
        return
    if error is None:
        reply.set_result(answer)
    else:
        reply.set_exception(error)


def _give_up(reply: asyncio.Future[Any], what: str) -> None:
    _answer(reply, None, Unavailable(what))


def _key(item: Item) -> str:
    return queue_key(item, "")
