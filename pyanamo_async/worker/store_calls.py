"""Repeat calls to the store until it answers, and log when it becomes unavailable and when it answers again.

1. A spell is logged once when it begins and once when it ends, however many calls it hits. What runs goes on meanwhile.
2. It ends when each call that failed has been answered: on a disk that is full, one reads while others cannot write.
   Where the last of them was given up, nobody knows, and nothing is said.
3. What fails again soon is logged only once it has failed for a while: such a disk takes a write now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pyanamo_async.errors import PyanamoError, Unavailable
from pyanamo_async.host.retry import RetrySchedule, retry
from pyanamo_async.ports import Runtime

T = TypeVar("T")

SCHEDULE = RetrySchedule(first_pause_s=0.2, longest_pause_s=20.0)
SOON_S, A_WHILE_S = 60.0, 5.0


class StoreCalls:
    """The calls of one worker; `called` is the name of what they ask, in the log."""

    def __init__(self, runtime: Runtime, *, schedule: RetrySchedule = SCHEDULE, called: str = "store") -> None:
        self._runtime, self._schedule, self._called = runtime, schedule, called
        self._failing: set[Callable[[], object]] = set()
        self._since_s = 0.0  # when the spell began
        self._over_s = float("-inf")  # when the last one was over
        self._is_told = False

    async def call(self, call: Callable[[], Awaitable[T]], *, give_up: asyncio.Event) -> T:
        """Make a call until it succeeds.

        Raises:
            Unavailable: the store was still away when `give_up` was set, or the schedule ended.
        """
        is_answered = False
        try:
            answer = await retry(
                call,
                self._schedule,
                give_up=give_up,
                on_failure=lambda error, _: self._failed(call, error),
                random=self._runtime.rng.random,
                monotonic=self._runtime.clock.monotonic,
            )
            is_answered = True
        except PyanamoError as error:
            is_answered = not isinstance(error, Unavailable)
            raise
        finally:
            if call in self._failing:
                self._ended(call, is_answered=is_answered)
        return answer

    def _failed(self, call: Callable[[], object], error: Unavailable) -> None:
        now_s = self._runtime.clock.monotonic()
        if not self._failing:
            self._since_s = now_s
        self._failing.add(call)
        is_soon = self._since_s - self._over_s < SOON_S
        if not self._is_told and (not is_soon or now_s - self._since_s >= A_WHILE_S):
            self._is_told = True
            self._runtime.event_log.note(f"{self._called} unavailable", trouble=error.what)

    def _ended(self, call: Callable[[], object], *, is_answered: bool) -> None:
        self._failing.remove(call)
        if self._failing:
            return
        self._over_s = self._runtime.clock.monotonic()
        if self._is_told and is_answered:
            self._runtime.event_log.note(
                f"{self._called} available again", seconds=round(self._over_s - self._since_s, 1)
            )
        self._is_told = False
