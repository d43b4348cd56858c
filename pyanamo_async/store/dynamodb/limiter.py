"""Limit how many requests are under way at once, as the table takes them: claims, imports and reads slow down together.

The window is TCP's (additive increase, multiplicative decrease): it opens by about one request for each round that
succeeded, and halves once a round when the table throttles or does not answer. Pauses are `host.retry`'s. Heartbeats
and settles do not count in it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType

from pyanamo_async.errors import Unavailable


class ConcurrencyLimiter:
    """Enter it for each request; leaving it with `Unavailable` slows everybody down."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._window = float(most)
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._stale = 0  # answers still to come to requests that were sent before the window last halved

    @property
    def window(self) -> int:
        """Return how many requests may be under way."""
        return int(self._window)

    @property
    def is_open(self) -> bool:
        """Return whether the window is as wide as it gets: nothing was throttled lately."""
        return self._window >= self._most

    async def __aenter__(self) -> None:
        if self._running < self.window and not self._waiting:
            self._running += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # its turn had come already
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(exc, Unavailable):
            self.slow_down()
        elif exc is None:
            self._stale = max(0, self._stale - 1)
            self._window = min(self._most, self._window + 1 / self._window)
        self._leave()

    def slow_down(self) -> None:
        """Halve the window, once for all requests that were under way together."""
        if self._stale:
            self._stale -= 1
            return
        self._window = max(1.0, self._window / 2)
        self._stale = max(0, self._running - 1)

    def _leave(self) -> None:
        self._running -= 1
        while self._waiting and self._running < self.window:
            turn = self._waiting.popleft()
            if not turn.done():
                self._running += 1
                turn.set_result(None)
