"""Take over the items of workers that vanished.

Laws: a reclaim can never undo a settle that came first: it passes the same fence. A worker's row goes only after all it
held was taken over, so that one who dies in between leaves nothing unnoticed. Workers that said goodbye are looked
after too: theirs is what they could not give back before they left. Who goes home leaves nothing behind that may come
back: somebody is there until every holder has shown that it lives.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from pyanamo_async.core import transitions
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.policy import RetryPolicy
from pyanamo_async.core.workers import Worker
from pyanamo_async.errors import Fenced
from pyanamo_async.ports import Store

ORPHANS_EVERY = 1 / 15  # of the looks at others


async def stale_workers(store: Store, *, now: datetime, lease: timedelta = timedelta()) -> Sequence[Worker]:
    """List the workers whose claims may be taken over; with `lease`, without reading those silent for less than it."""
    return [worker for worker in await store.workers(beat_before=now - lease) if worker.is_stale(now)]


async def reclaim(store: Store, *, now: datetime, lease: timedelta = timedelta(), policy: RetryPolicy) -> int:
    """Put the items of vanished workers back, or bury those that were held too often by such; count them."""
    taken = 0
    for worker in await stale_workers(store, now=now, lease=lease):
        taken += await _take_over(store, await store.held(worker.worker_id), now, policy)
        await store.forget(worker.worker_id)
    return taken


async def look_after(store: Store, *, now: datetime, lease: timedelta, policy: RetryPolicy, dice: random.Random) -> int:
    """Do what a running worker does for the others about once a beat: reclaim, and seldom look for orphans."""
    taken = await reclaim(store, now=now, lease=lease, policy=policy)
    if dice.random() < ORPHANS_EVERY:
        known = await store.workers()
        if dice.random() * len(known) < 1:  # one of the fleet is enough
            taken += await reclaim_orphans(store, known, now=now, lease=lease, policy=policy)
    return taken


async def may_come_back(store: Store, *, now: datetime, idle: timedelta, silence: timedelta) -> bool:
    """Tell whether a worker that found nothing to do for `idle` should stay, because others may lose what they hold.

    Whether a holder lives shows when it should have beaten again: until then, which `silence` tells, everybody stays.
    Then those do whom a silent worker's items wait for; its lease decides.
    """
    if not await _any_locked(store):
        return False
    if idle <= silence:
        return True
    for worker in await store.workers(beat_before=now - silence):
        if await store.held(worker.worker_id):
            return True
    return False


async def _any_locked(store: Store) -> bool:
    async for _ in store.summaries(state=State.LOCKED):
        return True
    return False


async def reclaim_orphans(
    store: Store, known: Sequence[Worker], *, now: datetime, lease: timedelta, policy: RetryPolicy
) -> int:
    """Put back items held by none of the known workers: count them.

    A claim that was under way while its worker was given up for dead may arrive when the worker's row is gone already.
    Items held for less than a lease are left alone: the row of a new worker may not be seen yet.
    """
    ids = {worker.worker_id for worker in known}
    holders = {item.worker async for item in store.summaries(state=State.LOCKED)}
    taken = 0
    for holder in sorted(holders - ids):
        orphans = [item for item in await store.held(holder) if item.locked_at and now - item.locked_at > lease]
        taken += await _take_over(store, orphans, now, policy)
    return taken


async def _take_over(store: Store, items: Sequence[Item], now: datetime, policy: RetryPolicy) -> int:
    taken = 0
    for item in items:
        try:
            await store.save(item, transitions.reclaim(item, now=now, policy=policy))
            taken += 1
        except Fenced:
            continue  # settled, or taken over by somebody else, meanwhile
    return taken
