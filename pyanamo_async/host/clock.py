"""The clock of the machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Keeps the law of `ports.Clock`."""

    def now(self) -> datetime:
        """Tell the time of day, in UTC, to the millisecond."""
        return datetime.fromtimestamp(
            time.time_ns() // 1_000_000 / 1000, UTC
        )  # `now`, cut to it, takes three times as long

    def monotonic(self) -> float:
        """Tell seconds that never jump."""
        return time.monotonic()
