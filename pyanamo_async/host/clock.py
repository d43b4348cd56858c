"""The system clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements `ports.Clock` with the clocks of the operating system."""

    def now(self) -> datetime:
        """Return the time of day in UTC, cut to the millisecond."""
        milliseconds = time.time_ns() // 1_000_000
        return datetime.fromtimestamp(milliseconds / 1000, UTC)  # three times as fast as cutting `datetime.now`

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    def boottime(self) -> float:
        """Return seconds that go on while the machine is suspended, where it has such a clock."""
        return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
