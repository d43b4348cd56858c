"""Wait until nothing of a table is left to run.

1. Nothing is left when two looks, `index_lag` apart where an index lags, find no holder and nothing to claim, and a
   count of everything then agrees. Holders are looked at first: an item that is put back in between is seen twice
   rather than never. Held items wait for a person, not for a worker: they do not count.
2. While workers hold items, a look reads the first of them: waiting for days costs next to nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from pyanamo_async.core.counts import Counts
from pyanamo_async.core.items import CLAIMABLE, State
from pyanamo_async.errors import Unavailable
from pyanamo_async.ports import Clock, Store

TELL_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class WaitResult:
    """What was left when the waiting ended, and what had failed.

    `exit_status` is that of `run`: 0 when nothing is left and nothing failed, 3 when nothing is left but items failed,
    75 when the time was over with items left.
    """

    left: int
    failed: int

    @property
    def exit_status(self) -> int:
        """Return it."""
        return 75 if self.left else 3 if self.failed else 0


async def wait(
    store: Store,
    *,
    timeout: timedelta | None,
    index_lag: timedelta,
    clock: Clock,
    tell: Callable[[Counts], Awaitable[None]] | None = None,
    missed: Callable[[Unavailable], None] = lambda _: None,
) -> WaitResult:
    """Wait until nothing is left, for at most `timeout`; `tell` hears at once, and each minute, what the table holds.

    A look that fails because the table does not answer is repeated; the first of several in a row is told to `missed`.
    """
    deadline_s = float("inf") if timeout is None else clock.monotonic() + timeout.total_seconds()
    told_s, is_away = float("-inf"), False
    while True:
        is_last = clock.monotonic() >= deadline_s
        try:
            if tell and clock.monotonic() - told_s >= TELL_EVERY_S:
                await tell(await store.counts())
                told_s = clock.monotonic()
            if is_last or await _nothing_is_left(store, index_lag):
                counts = await store.counts()
                if is_last or not counts.left:
                    return WaitResult(counts.left, counts.items[State.FAILED])
            is_away = False
        except Unavailable as error:
            if is_last:
                raise
            if not is_away:
                missed(error)
            is_away = True
        await asyncio.sleep(max(0.0, min(store.notifications_every_s, deadline_s - clock.monotonic())))


async def _nothing_is_left(store: Store, index_lag: timedelta) -> bool:
    if await _is_anything_left(store):
        return False
    if not index_lag:
        return True
    await asyncio.sleep(index_lag.total_seconds())
    return not await _is_anything_left(store)


async def _is_anything_left(store: Store) -> bool:
    async for _ in store.holders():
        return True
    for state in CLAIMABLE:
        if await store.next_due(state=state, consistent=True) is not None:
            return True
    return False
