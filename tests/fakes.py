"""Fakes of ports, and short ways to create items."""

from __future__ import annotations

from datetime import datetime, timedelta

from simulation.items import an_item
from simulation.virtual_time import NOON

__all__ = ["NOON", "FakeClock", "an_item"]


class FakeClock:
    """Time that passes only when a test advances it."""

    def __init__(self, now: datetime = NOON) -> None:
        self._start = self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def boottime(self) -> float:
        return self.monotonic()

    def advance(self, span: timedelta) -> datetime:
        self._now += span
        return self._now
