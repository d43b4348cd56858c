"""Time that passes while somebody sleeps, and does what was arranged for then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from pyanamo_async.outputs.patience import Patience


class FakeTime:
    """Seconds since its beginning; `at` arranges what happens when they have passed."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []
        self._arranged: list[tuple[float, Callable[[], None]]] = []

    def at(self, seconds: float, happens: Callable[[], None]) -> None:
        self._arranged.append((seconds, happens))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.seconds += seconds
        self.pauses.append(seconds)
        for due in [arranged for arranged in self._arranged if arranged[0] <= self.seconds]:
            self._arranged.remove(due)
            due[1]()

    def patience(self, limit: timedelta = timedelta(minutes=5)) -> Patience:
        return Patience(limit, sleep=self.sleep, monotonic=lambda: self.seconds, rng=lambda: 1.0)
