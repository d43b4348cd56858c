"""The world: the time, and who is told what happens."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """Tell the time of day, in UTC, to the millisecond: for what is stored, never for durations."""
        ...

    def monotonic(self) -> float:
        """Tell seconds that never jump: for durations."""
        ...


class EventLog(Protocol):
    """Is told what happens, as it happens: a progress bar, log lines, a test."""

    def note(self, event: str, /, **fields: object) -> None:
        """Take note of a past-tense event and its fields; never fails, never waits."""
        ...
