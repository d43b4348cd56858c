"""Hear that items came, between looks.

Law: what is announced is heard of within seconds. Who waits and gets no answer goes on looking. Who goes home has to
know, for an index may show nowhere what has just come back.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

from pyanamo_async.errors import PyanamoError
from pyanamo_async.ports import Clock, Store

PATIENCE_S = 2.0


class NotificationListener:
    """Listens for one worker; `late` is how late the queue may show what came."""

    def __init__(self, store: Store, clock: Clock, *, late: timedelta) -> None:
        self._store, self._clock, self._late_s = store, clock, late.total_seconds()
        self._heard_s = float("-inf")
        self.every_s = store.notifications_every_s

    async def hears(self) -> bool:
        """Tell whether items were announced, as far as is known."""
        with suppress(PyanamoError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                return await self._ask()
        return False

    async def heard_lately(self) -> bool:
        """Tell whether items were announced so lately that they may show nowhere; raises what the store does."""
        await self._ask(consistent=True)
        return self._clock.monotonic() - self._heard_s < self._late_s

    async def _ask(self, *, consistent: bool = False) -> bool:
        heard = await self._store.notifications(now=self._clock.now(), consistent=consistent)
        if heard:
            self._heard_s = self._clock.monotonic()
        return heard
