"""The order to stop, from gentle to at once. It only ever gets stricter.

DRAIN claims nothing more and lets what runs end. STOP does so for `grace`, then ends what runs. NOW ends it at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import IntEnum


class Level(IntEnum):
    """How urgently to stop."""

    RUN = 0
    DRAIN = 1
    STOP = 2
    NOW = 3


class Stop:
    """One worker's order to stop, with an event for each level; `on_stop` hears of what is stricter than draining."""

    def __init__(self, on_stop: Callable[[Level], None] = lambda _: None) -> None:
        self._on_stop = on_stop
        self.level = Level.RUN
        self.reason = ""
        self.drain, self.stop, self.now = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def request(self, level: Level, reason: str) -> None:
        """Stop at least this urgently; the reason of the strictest order is kept."""
        if level <= self.level:
            return
        self.level, self.reason = level, reason
        if level >= Level.STOP:
            self._on_stop(level)
        for event, reached in ((self.drain, Level.DRAIN), (self.stop, Level.STOP), (self.now, Level.NOW)):
            if level >= reached:
                event.set()

    def signalled(self, name: str) -> None:
        """Stop because of SIGTERM or SIGINT: with grace for the first, at once for the second."""
        self.request(Level.NOW if self.level >= Level.STOP else Level.STOP, name)

    @property
    def draining(self) -> bool:
        """Return whether nothing more may be claimed."""
        return self.level >= Level.DRAIN
