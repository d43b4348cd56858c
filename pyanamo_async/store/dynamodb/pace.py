"""How many requests may be under way at once, learned from the table: claims, imports and reads slow down together.

A window as TCP's: it opens by about one request for each round that went well, and halves when the table pushes back,
once a round. When even one at a time is too much, it pauses, ever longer, with full jitter. Beats and saves pass by.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from types import TracebackType

from pyanamo_async.errors import Unavailable

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


class Pace:
    """Entered for each request; leaving it with `Unavailable` slows everybody down."""

    def __init__(self, most: int, *, rng: random.Random) -> None:
        self._most = most
        self._rng = rng
        self._window = float(most)
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._pause_s = 0.0
        self._settling = 0  # answers still to come to requests sent before the last slow-down

    @property
    def window(self) -> int:
        """Tell how many may be under way."""
        return int(self._window)

    @property
    def is_open(self) -> bool:
        """Tell whether nothing has pushed back lately."""
        return self._window >= self._most

    async def __aenter__(self) -> None:
        if self._running >= self.window or self._waiting:
            await self._turn()
        else:
            self._running += 1
        if self._pause_s:
            await self._rest()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answered(throttled=isinstance(exc, Unavailable), went_well=exc is None)
        self._leave()

    def answered(self, *, throttled: bool, went_well: bool = True) -> None:
        """Learn from an answer."""
        stale = self._settling > 0
        self._settling = max(0, self._settling - 1)
        if throttled and not stale:
            if self._window <= 1:
                self._pause_s = min(max(FIRST_PAUSE_S, 2 * self._pause_s), LONGEST_PAUSE_S)
            self._window = max(1.0, self._window / 2)
            self._settling = max(0, self._running - 1)
        elif went_well and not throttled:
            self._pause_s = 0.0
            self._window = min(self._most, self._window + 1 / self._window)

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()  # it had come already
            raise

    async def _rest(self) -> None:
        try:
            await asyncio.sleep(self._pause_s * self._rng.random())
        except asyncio.CancelledError:
            self._leave()
            raise

    def _leave(self) -> None:
        self._running -= 1
        while self._waiting and self._running < self.window:
            turn = self._waiting.popleft()
            if not turn.done():
                self._running += 1
                turn.set_result(None)
