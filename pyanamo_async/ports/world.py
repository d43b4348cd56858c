"""The time, and the log of events."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time, as an argument, so that tests can control it."""

    def now(self) -> datetime:
        """Return the date and time in UTC, to the millisecond: for what is stored, never for durations."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never jumps: for durations."""
        ...


class EventLog(Protocol):
    """Receives events as they happen: a progress bar, log lines, a test."""

    def note(self, event: str, /, **fields: object) -> None:
        """Log a past-tense event with its fields; never fails, never waits."""
        ...
