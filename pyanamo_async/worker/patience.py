"""Bear bad weather: repeat what a service could not do for now, with backoff and full jitter.

A spell of bad weather is noted once when it begins and once when it is over, however many calls it hits. Nothing here
ends a script: what runs goes on while the store is away.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pyanamo_async.errors import Unavailable
from pyanamo_async.host.waiting import elapsed
from pyanamo_async.ports import Clock, EventLog

T = TypeVar("T")

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 20.0


class Patience:
    """Repeats calls until they succeed or `given_up` says that nobody needs the answer any more."""

    def __init__(self, *, clock: Clock, rng: random.Random, event_log: EventLog) -> None:
        self._clock, self._rng, self._event_log = clock, rng, event_log
        self._since: float | None = None

    async def call(self, do: Callable[[], Awaitable[T]], *, given_up: asyncio.Event) -> T:
        """Do it, again and again while it is `Unavailable`; raise that when `given_up` is set meanwhile."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                answer = await do()
            except Unavailable as trouble:
                self._worse(trouble)
                wish_s = max(pause_s * self._rng.random(), trouble.retry_after_s or 0.0)
                if given_up.is_set() or not await elapsed(given_up, wish_s):
                    raise
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            else:
                self._better()
                return answer

    def _worse(self, trouble: Unavailable) -> None:
        if self._since is None:
            self._since = self._clock.monotonic()
            self._event_log.note("store unavailable", trouble=trouble.what)

    def _better(self) -> None:
        if self._since is not None:
            seconds = round(self._clock.monotonic() - self._since, 1)
            self._since = None
            self._event_log.note("store available again", seconds=seconds)
