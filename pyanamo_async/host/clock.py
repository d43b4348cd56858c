"""The clock of the machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Keeps the law of `ports.Clock`."""

    def now(self) -> datetime:
        """Return the time of day, in UTC, to the millisecond."""
        return datetime.fromtimestamp(
            time.time_ns() // 1_000_000 / 1000, UTC
        )  # `now`, cut to it, takes three times as long

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return time.monotonic()

    def boottime(self) -> float:
        """Return seconds that go on while the machine is suspended, where it has such a clock."""
        return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
