"""How long a worker looks for work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class IdlePolicy:
    """How long to look for work: until nothing is left, for ever (`wait`), or until `idle_exit` passed without any."""

    wait: bool = False
    idle_exit: timedelta | None = None

    def decision(self, idle: timedelta) -> bool | None:
        """Return whether a worker that found nothing for so long goes home; None when the table decides."""
        if self.idle_exit is not None:
            return idle >= self.idle_exit
        return False if self.wait else None
