"""How long a worker looks for work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class IdlePolicy:
    """How long to look for work: until nothing is left, for ever (`wait`), or until `idle_exit` went by without any.

    To know that nothing is left takes two looks, `sure_after` apart (`leaving`): what was on its way back then, in a
    table whose queue shows a move a moment late, is there by now.
    """

    wait: bool = False
    idle_exit: timedelta | None = None
    sure_after: timedelta = timedelta()

    def gives_up(self, idle_s: float) -> bool | None:
        """Tell whether a worker that has found nothing for so long goes home; None when that is for others to say."""
        if self.idle_exit is not None:
            return idle_s >= self.idle_exit.total_seconds()
        return False if self.wait else None
