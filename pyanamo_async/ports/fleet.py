"""What one worker needs from its fleet: somebody who takes over from the dead, news, and a reason to go home.

`fleet` implements these; `worker` sees nothing else of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from pyanamo_async.core.items import State


class Reclaimer(Protocol):
    """Takes over what dead workers hold."""

    @property
    def taken(self) -> Counter[State]:
        """Count the items taken over so far, by the state they were put into."""
        ...

    async def look_after(self) -> Counter[State]:
        """Look for dead workers once; count the items taken over, by the state they were put into."""
        ...


class DrainDecision(Protocol):
    """Decides when a worker that finds nothing to claim goes home.

    `holds_unknown_item` is set when the table showed that this idle worker holds an item: a claim got no answer.
    """

    holds_unknown_item: bool

    def found_work(self) -> None:
        """Note that there is work, or will be: what was learned while idle no longer counts."""
        ...

    async def may_go_home(self, *, unanswered_claim_s: float | None) -> bool:
        """Return whether to go home; asked repeatedly while idle.

        `unanswered_claim_s` is the monotonic time of the last claim that got no answer; None when there was none.
        """
        ...

    def pause_s(self) -> float | None:
        """Return in how many seconds to ask again; None when any pause will do."""
        ...

    async def work_left(self) -> bool:
        """Return whether a worker that was told to stop leaves something to do; True when the store does not answer."""
        ...


class NotificationChannel(Protocol):
    """Notifications that items were added or put back."""

    every_s: float

    async def poll(self) -> bool:
        """Return whether a notification came, as far as is known within seconds; never raises."""
        ...

    async def notify(self) -> None:
        """Notify other workers that this one has put items back, within seconds or not at all; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Fleet:
    """The other workers, as one worker sees them."""

    reclaimer: Reclaimer
    drain: DrainDecision
    notifications: NotificationChannel
