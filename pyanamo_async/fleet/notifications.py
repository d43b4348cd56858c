"""Notifications that items were added or put back, as one worker sends and reads them.

1. A waiting worker notices a notification within seconds. If the store does not answer, the worker goes on looking for
   work by itself.
2. Before a worker goes home it reads notifications consistently, and errors are raised: an item that has just been put
   back may not be in the index yet.
3. Each notification is counted once: one that was read in a pause also counts for going home.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from pyanamo_async.errors import PyanamoError
from pyanamo_async.ports import Clock, Notifications

ANSWER_WITHIN_S = 2.0


class TableNotifications:
    """The notifications of one table, for one worker."""

    def __init__(self, table: Notifications, clock: Clock) -> None:
        self._table, self._clock = table, clock
        self._count = 0
        self._last_s = float("-inf")
        self.every_s = table.notifications_every_s

    async def poll(self) -> bool:
        """Return whether a notification came; False if the store does not answer within seconds."""
        with suppress(PyanamoError, TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await self._read(consistent=False)
        return False

    async def count(self) -> int:
        """Read consistently, and return how many notifications were read so far."""
        await self._read(consistent=True)
        return self._count

    def last_s(self) -> float:
        """Return when a notification was last read, by the monotonic clock; minus infinity when none was."""
        return self._last_s

    async def notify(self) -> None:
        """Notify other workers; give up after some seconds, or if the store fails."""
        with suppress(PyanamoError, TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._table.notify(now=self._clock.now())

    async def _read(self, *, consistent: bool) -> bool:
        came = await self._table.notifications(now=self._clock.now(), consistent=consistent)
        if came:
            self._count += 1
            self._last_s = self._clock.monotonic()
        return came
