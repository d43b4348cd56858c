"""When a worker that finds nothing to claim goes home.

Law: what is given back is for a moment neither among what is held nor among what can be claimed, where both are seen
late; so nothing is left when nobody holds anything, and a moment later still nobody does, and nothing can be claimed,
and nobody has announced meanwhile that something came back: that is not seen late.
What is settled stays settled, so whoever has made sure says in its farewell from when on it looked, and whoever has had
nothing to do since before then believes it and looks no further, if that was a few seconds ago: items may be added, and
nobody is to go home because of what was so before. Who leaves what is held to workers that live, or goes because it was
told to, has made sure of nothing and says nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from pyanamo_async.core.workers import FleetState
from pyanamo_async.fleet.idle_policy import IdlePolicy
from pyanamo_async.ports import Clock

TICK_S = 0.001  # more than a clock is wrong by


class DrainCheck:
    """Decides it, asked again and again; `all_settled` then tells by which moment all was, if that is known."""

    def __init__(
        self,
        clock: Clock,
        idle_policy: IdlePolicy,
        *,
        look_around: Callable[[timedelta], Awaitable[FleetState]],
        next_due: Callable[[], Awaitable[datetime | None]],
    ) -> None:
        self._clock, self._persistence = clock, idle_policy
        self._look_around, self._next_due = look_around, next_due
        self._idle_since_s: float | None = None
        self._fleet_state: FleetState | None = None
        self._looked_at, self._looked_s = clock.now(), clock.monotonic()
        self.all_settled: datetime | None = None

    def put_off(self) -> None:
        """Say that there is something to do, or will be."""
        self._idle_since_s = self._fleet_state = None

    async def is_time(self) -> bool:
        """Tell whether to go home, when there is nothing to do."""
        idle = self._idle()
        if (anyhow := self._persistence.gives_up(idle.total_seconds())) is not None:
            return anyhow
        if self._doubt_s() > 0:
            return False
        before, looked_at, began = self._fleet_state, self._looked_at, self._clock.now()
        now = self._fleet_state = await self._look_around(idle)
        self._looked_at, self._looked_s = began, self._clock.monotonic()
        if now.all_settled is not None:
            self.all_settled = now.all_settled
            return True
        if not self._persistence.sure_after:
            before, looked_at = now, began
        if now.may_come_back or before is None or before.may_come_back or await self._next_due() is not None:
            return False
        if now.nobody_holds and before.nobody_holds:
            self.all_settled = looked_at
        return True

    def pause_s(self) -> float | None:
        """Tell how long to wait when all seems to be over; None when it does not."""
        doubt_s = self._doubt_s()
        return doubt_s + TICK_S if self._fleet_state and not self._fleet_state.may_come_back and doubt_s else None

    def _doubt_s(self) -> float:
        """Tell how long what was seen of the others is too young to be asked for again."""
        if self._fleet_state is None:
            return 0.0
        age_s = self._clock.monotonic() - self._looked_s
        return max(0.0, self._persistence.sure_after.total_seconds() - age_s)

    def _idle(self) -> timedelta:
        now_s = self._clock.monotonic()
        if self._idle_since_s is None:
            self._idle_since_s = now_s
        return timedelta(seconds=now_s - self._idle_since_s)
