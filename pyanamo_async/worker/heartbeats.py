"""Show signs of life, carry orders back, and end the worker's claims when it cannot.

Laws: the first beat comes before the first claim, the last after the last settle. A worker whose beats fail for two
thirds of the lease fences itself before anyone else may start its items: by its own monotonic clock, which counts on
while the process is stopped. A beat waits for nothing but the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from pyanamo_async.core.values import replace
from pyanamo_async.core.workers import Desired, Orders, Worker
from pyanamo_async.errors import PyanamoError, Unavailable
from pyanamo_async.host.waiting import elapsed
from pyanamo_async.ports import Clock, EventLog, Store
from pyanamo_async.worker.stop import Level, Stop

LAG_S = 1.0
FAREWELL_S = 5.0
SHARE_OF_LEASE = 2 / 3

ORDERS = {Desired.DRAIN: Level.DRAIN, Desired.STOP: Level.STOP}


class Heartbeats:
    """Beats while it is entered. `vitals` completes the worker's row with what it is doing now."""

    def __init__(
        self, worker: Worker, *, every: timedelta, store: Store, clock: Clock, event_log: EventLog, stop: Stop
    ) -> None:
        self._worker = worker
        self._every_s = every.total_seconds()
        self._fence_after_s = worker.lease.total_seconds() * SHARE_OF_LEASE
        self._store, self._clock, self._event_log, self._stop = store, clock, event_log, stop
        self._last_s = clock.monotonic()
        self._leaving = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._failing = False
        self.fenced = False
        self.all_settled: datetime | None = None
        self.vitals: Callable[[Worker], Worker] = lambda row: row
        self.on_fence: Callable[[], None] = lambda: None
        self.on_heartbeat: Callable[[Orders], None] = lambda _: None

    async def __aenter__(self) -> Self:
        await self._begin()
        self._keeping = asyncio.create_task(self._keep(), name="beats")
        self._keeping.add_done_callback(self._kept)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        if self._keeping is not None:
            await self._keeping
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._store.heartbeat(replace(self._row(), gone=True, all_settled=self.all_settled))
        except (PyanamoError, TimeoutError) as trouble:
            self._event_log.note("farewell failed", trouble=str(trouble))

    def alive(self) -> bool:
        """Tell whether the lease still holds by our own clock; fences when it does not."""
        if not self.fenced and self._left_s() <= 0:
            self._fence()
        return not self.fenced

    async def _begin(self) -> None:
        """Beat for the first time, with as much patience as for any other beat."""
        while True:
            try:
                return await self._heartbeat()
            except Unavailable as trouble:
                self._event_log.note("heartbeat failed", trouble=str(trouble))
                if not self._left_s() or not await elapsed(self._stop.drain, min(self._every_s / 4, self._left_s())):
                    raise

    async def _keep(self) -> None:
        pause_s = self._every_s
        while self.alive():
            began_s = self._clock.monotonic()
            if not await elapsed(self._leaving, min(pause_s, self._left_s())):
                return
            self._note_lag(self._clock.monotonic() - began_s - pause_s)
            pause_s = self._every_s if await self._heartbeat_in_time() else self._every_s / 4

    def _kept(self, keeping: asyncio.Task[None]) -> None:
        if not keeping.cancelled() and keeping.exception() is not None:
            self._fence()  # a worker that does not beat must not go on, whatever kept it from it

    async def _heartbeat_in_time(self) -> bool:
        if not self.alive():
            return False
        try:
            async with asyncio.timeout(min(self._every_s, self._left_s())):
                await self._heartbeat()
        except (PyanamoError, TimeoutError) as trouble:
            if not self._failing:  # once per spell
                self._event_log.note("heartbeat failed", trouble=str(trouble) or "no answer in time")
            self._failing = True
            return False
        if self._failing:
            self._event_log.note("heartbeat succeeded again")
        self._failing = False
        return True

    async def _heartbeat(self) -> None:
        sent_s = self._clock.monotonic()  # the lease runs from before it was sent
        orders = await self._store.heartbeat(self._row())
        self._last_s = sent_s
        if orders.desired in ORDERS:
            self._stop.request(ORDERS[orders.desired], f"ordered to {orders.desired}")
        self.on_heartbeat(orders)

    def _row(self) -> Worker:
        return self.vitals(replace(self._worker, heartbeat=self._clock.now()))

    def _left_s(self) -> float:
        return max(0.0, self._last_s + self._fence_after_s - self._clock.monotonic())

    def _note_lag(self, lag_s: float) -> None:
        if lag_s > LAG_S:
            self._event_log.note("loop lagged", seconds=round(lag_s, 1))

    def _fence(self) -> None:
        self.fenced = True
        self._event_log.note("fenced", silent_s=round(self._clock.monotonic() - self._last_s, 1))
        self._stop.request(Level.NOW, "the table could not be reached for two thirds of the lease")
        self.on_fence()
