"""The clock of the machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Keeps the law of `ports.Clock`."""

    def now(self) -> datetime:
        """Tell the time of day, in UTC, to the millisecond."""
        moment = datetime.now(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)

    def monotonic(self) -> float:
        """Tell seconds that never jump."""
        return time.monotonic()
