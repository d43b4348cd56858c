"""How workers that wait learn of work."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Notifications(Protocol):
    """How waiting workers learn that items were added or put back."""

    @property
    def notifications_every_s(self) -> float:
        """Return how often `notifications` is worth asking, by its cost."""
        ...

    async def notify(self, *, now: datetime) -> None:
        """Tell waiting workers, and those about to go home, that items were added or put back.

        It raises no error of the table: a worker that is not told finds the items by looking.
        """
        ...

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:
        """Return whether new items may have become claimable since the last call; costs less than a claim.

        The answer may be a moment old; `consistent` makes it current.
        """
        ...
