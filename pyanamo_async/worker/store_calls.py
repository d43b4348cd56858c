"""Repeat calls to the store until it answers, and log when it becomes unavailable and when it answers again.

A spell is logged once when it begins and once when it ends, however many calls it hits. What runs goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pyanamo_async.errors import Unavailable
from pyanamo_async.host.retry import RetrySchedule, retry
from pyanamo_async.ports import Runtime

T = TypeVar("T")

SCHEDULE = RetrySchedule(first_pause_s=0.2, longest_pause_s=20.0)


class StoreCalls:
    """The calls of one worker; `called` is the name of what they ask, in the log."""

    def __init__(self, runtime: Runtime, *, schedule: RetrySchedule = SCHEDULE, called: str = "store") -> None:
        self._runtime, self._schedule, self._called = runtime, schedule, called
        self._unavailable_since_s: float | None = None

    async def call(self, call: Callable[[], Awaitable[T]], *, give_up: asyncio.Event) -> T:
        """Make a call until it succeeds.

        Raises:
            Unavailable: the store was still away when `give_up` was set, or the schedule ended.
        """
        answer = await retry(
            call,
            self._schedule,
            give_up=give_up,
            on_failure=self._failed,
            random=self._runtime.rng.random,
            monotonic=self._runtime.clock.monotonic,
        )
        self._succeeded()
        return answer

    def _failed(self, error: Unavailable, _: float) -> None:
        if self._unavailable_since_s is None:
            self._unavailable_since_s = self._runtime.clock.monotonic()
            self._runtime.event_log.note(f"{self._called} unavailable", trouble=error.what)

    def _succeeded(self) -> None:
        if self._unavailable_since_s is not None:
            seconds = round(self._runtime.clock.monotonic() - self._unavailable_since_s, 1)
            self._unavailable_since_s = None
            self._runtime.event_log.note(f"{self._called} available again", seconds=seconds)
