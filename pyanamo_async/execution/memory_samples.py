"""Pass the samples from the thread of `MemorySampler` to the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress


class MemorySamples:
    """The latest sample, for a task that waits for it on the event loop where this was created."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._come = asyncio.Event()
        self._latest: Mapping[int, int] = {}

    def put(self, now_bytes: Mapping[int, int]) -> None:
        """Take a sample, in any thread: the bytes that each script uses, by its process id."""
        with suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(self._take, now_bytes)

    async def latest(self) -> Mapping[int, int]:
        """Wait for the next sample."""
        await self._come.wait()
        self._come.clear()
        return self._latest

    def _take(self, now_bytes: Mapping[int, int]) -> None:
        self._latest = now_bytes
        self._come.set()
