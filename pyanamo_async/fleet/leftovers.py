"""What a worker leaves to others when it is told to go: they hear of it, and so does whoever starts workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

from pyanamo_async.core.items import CLAIMABLE, State
from pyanamo_async.core.workers import FleetState
from pyanamo_async.errors import PyanamoError
from pyanamo_async.ports import Clock, Store

ANNOUNCING_S = 2.0


async def notify(store: Store, settled: Counter[State], *, clock: Clock) -> None:
    """Tell others of what this worker has put back, before its farewell.

    Who waits looks sooner, and nobody goes home past it. Who cannot tell them in time goes all the same.
    """
    if any(settled[state] for state in CLAIMABLE):
        with suppress(PyanamoError, TimeoutError):
            async with asyncio.timeout(ANNOUNCING_S):
                await store.notify(now=clock.now())


async def is_any(store: Store, fleet_state: Callable[[timedelta], Awaitable[FleetState]]) -> bool:
    """Tell whether something can be claimed, now or when its holder has vanished; True when nobody knows."""
    try:
        if (await fleet_state(timedelta())).may_come_back:
            return True
        moments = [await store.next_due(state=state) for state in CLAIMABLE]  # after: it may come back
        return any(moment is not None for moment in moments)
    except PyanamoError:
        return True
