"""The world: the time, chance, and who is told what happens."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """Return the time of day, in UTC, to the millisecond: for what is stored, never for durations."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump: for durations."""
        ...

    def boottime(self) -> float:
        """Return seconds that never jump and go on while the machine is suspended: for leases."""
        ...


class EventLog(Protocol):
    """Is told what happens, as it happens: a progress bar, log lines, a test."""

    def note(self, event: str, /, **fields: object) -> None:
        """Take note of a past-tense event and its fields; never fails, never waits."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """What a worker needs besides its adapters: time, chance, and a log."""

    clock: Clock
    rng: random.Random
    event_log: EventLog
