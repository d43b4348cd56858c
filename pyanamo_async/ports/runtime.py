"""What code gets as arguments instead of reaching for it: time, randomness, processes, the log of events."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pyanamo_async.core.workers import ProcessStatus, Worker


class Clock(Protocol):
    """The time, as an argument, so that tests can control it."""

    def now(self) -> datetime:
        """Return the date and time in UTC, to the millisecond: for what is stored, never for durations."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never jumps: for durations."""
        ...

    def boottime(self) -> float:
        """Return seconds that never jump and go on while the machine is suspended: for leases."""
        ...


class EventLog(Protocol):
    """Receives events as they happen: a progress bar, log lines, a test."""

    def note(self, event: str, /, **fields: object) -> None:
        """Log a past-tense event with its fields; never fails, never waits."""
        ...


class Processes(Protocol):
    """What this machine knows of workers' processes, whatever their heartbeats say."""

    async def status(self, worker: Worker) -> ProcessStatus:
        """Return what became of a worker's process: unknown for one of another machine.

        One has died only when nothing that it started is left.
        """
        ...

    async def end_scripts(self, worker: Worker) -> bool:
        """Kill whatever a worker of this machine started; return False when something of it may be left.

        What a worker of another machine started is its guard's business: True.
        """
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a worker needs besides its adapters: time, chance, and a log."""

    clock: Clock
    rng: random.Random
    event_log: EventLog
