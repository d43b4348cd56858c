"""Send heartbeats, carry orders back, and end the worker's claims when it cannot.

1. The first heartbeat comes before the first claim, the last after the last settle.
2. A worker whose heartbeats fail for two thirds of the lease fences itself before anyone else may start its items: by
   its own clock, which goes on while the process is stopped or the machine suspended. If the process itself
   stands still, its guard ends the scripts: each heartbeat tells the guard how long the lease holds.
3. Every heartbeat but the first needs the worker's row, unmarked; a worker that was given up for dead is fenced.
4. A heartbeat waits for nothing but the store.
5. Each heartbeat has a later stamp than the one before: the latest that was sent is what the row shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import (
    FENCED_SHARE,
    STOOD_STILL,
    UNREACHABLE,
    Desired,
    Orders,
    Worker,
    WorkerState,
    next_heartbeat,
)
from pyanamo_async.errors import Fenced, PyanamoError, TableReplaced
from pyanamo_async.host.retry import RetrySchedule, retry
from pyanamo_async.host.waiting import elapsed
from pyanamo_async.worker.context import AttemptContext, Plan
from pyanamo_async.worker.stop import Level, Stop
from pyanamo_async.worker.trouble_log import TroubleLog

LAST_WITHIN_S = 5.0
SHARE_OF_LEASE = FENCED_SHARE
GIVEN_UP = "another worker gave this one up for dead"

ORDERS = {Desired.DRAIN: Level.DRAIN, Desired.STOP: Level.STOP}


class Heartbeats:
    """Sends heartbeats while it is entered.

    `describe` completes the worker's row, `ordered` takes each reply, and `fenced` ends all scripts at once.
    """

    def __init__(
        self,
        plan: Plan,
        context: AttemptContext,
        stop: Stop,
        *,
        describe: Callable[[Worker], Worker],
        ordered: Callable[[Orders], None],
        fenced: Callable[[], None],
    ) -> None:
        self._worker, self._stop = plan.worker, stop
        self._describe, self._ordered, self._fenced = describe, ordered, fenced
        self._registry, self._runtime = context.adapters.store, context.runtime
        self._clock, self._event_log = context.runtime.clock, context.runtime.event_log
        self._lease_until = plan.lease_until
        self._every_s = plan.heartbeat.total_seconds()
        self._fence_after_s = plan.worker.lease.total_seconds() * SHARE_OF_LEASE
        self._last_s, self._stamp = self._clock.boottime(), datetime.min.replace(tzinfo=UTC)
        self._due, self._is_ending = asyncio.Event(), False
        self._sender: asyncio.Task[None] | None = None
        self._trouble = TroubleLog(self._event_log, "heartbeat failed")  # of the first one, which is tried again
        self._is_registered = self._is_failing = self._told_of_work = False
        self.is_fenced = False
        self.trouble: PyanamoError | None = None  # why there will be no further heartbeat

    async def __aenter__(self) -> Self:
        await retry(  # until two thirds of the lease have passed
            self._send,
            RetrySchedule(limit_s=self._fence_after_s, longest_pause_s=self._every_s / 4),
            give_up=self._stop.drain,
            on_failure=lambda trouble, _: self._trouble.note(trouble),
            random=self._runtime.rng.random,
            monotonic=self._clock.monotonic,
        )
        self._sender = asyncio.create_task(self._send_on(), name="heartbeats")
        self._sender.add_done_callback(self._sender_ended)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_ending = True
        self._due.set()
        if self._sender is not None:
            await self._sender
        if self.trouble is not None:
            return
        try:
            async with asyncio.timeout(LAST_WITHIN_S):
                await self._registry.heartbeat(replace(self._row(), state=WorkerState.ENDED), registered=True)
        except (PyanamoError, TimeoutError) as trouble:
            self._event_log.note("last heartbeat failed", trouble=str(trouble) or "no answer in time")

    def alive(self) -> bool:
        """Return whether the lease still holds by our own clock; fence the worker when it does not."""
        if not self.is_fenced and self._left_s() <= 0:
            self._fence(UNREACHABLE if self._is_failing else STOOD_STILL)
        return not self.is_fenced

    def hasten(self) -> None:
        """Look whether the lease still holds, and send a heartbeat now: the process stood still, or its row is old."""
        if self.alive():
            self._due.set()

    def tell_of_work(self) -> None:
        """Send a heartbeat once the first items run, so that the worker's row shows it."""
        if not self._told_of_work:
            self._told_of_work = True
            self.hasten()

    async def _send(self) -> None:
        """Send one heartbeat and obey the orders in its reply."""
        sent_s = self._clock.boottime()  # the lease runs from before it was sent
        orders = await self._registry.heartbeat(self._row(), registered=self._is_registered)
        self._last_s, self._is_registered = sent_s, True
        if not self.alive():  # the process stood still while it was answered
            return
        self._lease_until(sent_s + self._fence_after_s)
        if orders.desired in ORDERS:
            self._stop.request(ORDERS[orders.desired], f"ordered to {orders.desired}")
        self._ordered(orders)

    async def _send_on(self) -> None:
        pause_s = self._every_s
        while self.alive():
            await elapsed(self._due, min(pause_s, self._left_s()))
            if self._is_ending:
                return
            self._due.clear()
            pause_s = self._every_s if await self._send_in_time() else self._every_s / 4

    def _sender_ended(self, sender: asyncio.Task[None]) -> None:
        if not sender.cancelled() and (error := sender.exception()) is not None:
            self._fence(repr(error))  # a worker that sends no heartbeats must not go on, whatever kept it from it

    async def _send_in_time(self) -> bool:
        if not self.alive():
            return False
        try:
            async with asyncio.timeout(min(self._every_s, self._left_s())):
                await self._send()
        except TableReplaced as trouble:
            self.trouble = trouble
            self._fence(trouble.what)
            return False
        except Fenced:
            self._fence(GIVEN_UP)
            return False
        except (PyanamoError, TimeoutError) as trouble:
            if not self._is_failing:  # once per spell
                self._event_log.note("heartbeat failed", trouble=str(trouble) or "no answer in time")
            self._is_failing = True
            return False
        if self._is_failing:
            self._event_log.note("heartbeat succeeded again")
        self._is_failing = False
        return True

    def _row(self) -> Worker:
        now = self._registry.service_time(now=self._clock.now())
        self._stamp = next_heartbeat(now, last=self._stamp, lease=self._worker.lease)
        return self._describe(replace(self._worker, heartbeat=self._stamp))

    def _left_s(self) -> float:
        return max(0.0, self._last_s + self._fence_after_s - self._clock.boottime())

    def _fence(self, reason: str) -> None:
        if self.is_fenced:
            return
        self.is_fenced = True
        said = reason == self._stop.reason  # as why it drains
        self._event_log.note(
            "fenced", reason="" if said else reason, silent_s=round(self._clock.boottime() - self._last_s, 1)
        )
        self._stop.request(Level.NOW, reason)
        self._fenced()
