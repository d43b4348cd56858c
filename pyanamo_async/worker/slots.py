"""Numbered places for what runs at the same time: no two at once have the same number."""

from __future__ import annotations

import asyncio
import heapq


class Slots:
    """The numbers from 0 to `count` - 1; the lowest free one is taken first."""

    def __init__(self, count: int) -> None:
        self._free = list(range(count))
        self._permits = asyncio.Semaphore(count)

    @property
    def is_full(self) -> bool:
        """Return whether `take` would wait."""
        return self._permits.locked()

    async def take(self) -> int:
        """Wait for a free slot and take it."""
        await self._permits.acquire()
        return heapq.heappop(self._free)

    def give_back(self, slot: int) -> None:
        """Free a slot."""
        heapq.heappush(self._free, slot)
        self._permits.release()
