"""Retry a call while it is `Unavailable`: the loop behind all repeated calls but heartbeats.

1. Only `Unavailable` is retried; every other error passes through at once.
2. Pauses double up to a longest one, with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).
   A longer pause that the service asks for (`retry_after_s`) is kept.
3. Retrying ends when the call succeeds, or with its last error when the time is up or `give_up` is set.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from pyanamo_async.errors import Unavailable
from pyanamo_async.host.waiting import elapsed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """How long to retry and how long to pause, in seconds.

    `limit_s` counts from the first failure (None: no limit, 0: no retry).
    """

    limit_s: float | None = None
    first_pause_s: float = 0.2
    longest_pause_s: float = 20.0

    def pause_s(self, failures: int, jitter: float) -> float:
        """Return the pause after the given number of failures (from 1); `jitter` is uniform in [0, 1)."""
        return jitter * min(self.longest_pause_s, self.first_pause_s * 2.0 ** min(failures - 1, 40))


async def retry(
    call: Callable[[], Awaitable[T]],
    schedule: RetrySchedule,
    *,
    give_up: asyncio.Event | None = None,
    on_failure: Callable[[Unavailable, float], None] = lambda *_: None,
    random: Callable[[], float] = random.random,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """Make a call until it succeeds and return its result.

    `on_failure` is called with each failure and the seconds since the first one.

    Raises:
        Unavailable: the call still failed when the time was up or `give_up` was set.
    """
    since_s: float | None = None
    failures = 0
    while True:
        try:
            return await call()
        except Unavailable as error:
            failures += 1
            now_s = monotonic()
            since_s = now_s if since_s is None else since_s
            on_failure(error, now_s - since_s)
            pause_s = max(schedule.pause_s(failures, random()), error.retry_after_s or 0.0)
            if schedule.limit_s is not None:
                left_s = since_s + schedule.limit_s - now_s
                if left_s <= 0:
                    raise
                pause_s = min(pause_s, left_s)
            if not await elapsed(give_up or asyncio.Event(), pause_s):
                raise
