"""A day in a second: an event loop whose time jumps to the next timer when there is nothing else to do.

Everything that runs on it is real asyncio; only time is not. A loop with nothing to wait for raises `Deadlock`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Deadlock(AssertionError):
    """Every task waits, and no timer is set."""


class _JumpingSelector(selectors.SelectSelector):
    jump: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock
        self.jump(timeout)
        return []  # nothing but time happens here


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, in seconds since it was made."""

    def __init__(self) -> None:
        self.virtual_s = 0.0
        selector = _JumpingSelector()
        selector.jump = self._jump
        super().__init__(selector)

    def time(self) -> float:
        return self.virtual_s

    def _jump(self, seconds: float) -> None:
        self.virtual_s += max(0.0, seconds)


class VirtualClock:
    """The clocks of a machine on virtual time: right, and never jumping."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return NOON + timedelta(milliseconds=round(self._loop.time() * 1000))

    def monotonic(self) -> float:
        return self._loop.time()

    def boottime(self) -> float:
        return self._loop.time()


Loop = TypeVar("Loop", bound=VirtualLoop)


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on virtual time to its end."""
    return run_on(VirtualLoop(), main)


def run_on(loop: Loop, main: Callable[[Loop], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end on this loop, and close the loop."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(loop))
