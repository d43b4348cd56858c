"""Take over the items of workers that vanished.

Laws: a reclaim can never undo a settle that came first: it passes the same fence. A worker's row goes only after all it
held was taken over, so that one who dies in between leaves nothing unnoticed. Workers that said goodbye are looked
after too: theirs is what they could not give back before they left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from pyanamo_async.core import transitions
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item, State
from pyanamo_async.core.workers import Worker
from pyanamo_async.errors import Fenced
from pyanamo_async.ports import Store

Taken = Counter[State]  # how many items went where: back to todo, or to failed


async def reclaim(store: Store, *, now: datetime, lease: timedelta, policy: FailurePolicy) -> Taken:
    """Put back, or bury, what is held by workers silent for their lease, and at least for `lease`."""
    stale = [worker for worker in await store.workers(heartbeat_before=now - lease) if worker.is_stale(now)]
    return await reclaim_from(store, stale, now=now, policy=policy)


async def reclaim_from(store: Store, vanished: Sequence[Worker], *, now: datetime, policy: FailurePolicy) -> Taken:
    """Put back, or bury, what these workers held, and forget them."""
    taken: Taken = Counter()
    for worker in vanished:
        taken += await _take_over(store, await store.held(worker.worker_id), now, policy)
        await store.forget(worker.worker_id)
    return taken


async def reclaim_orphans(
    store: Store, known: Sequence[Worker], *, now: datetime, lease: timedelta, policy: FailurePolicy
) -> Taken:
    """Put back items held by none of the known workers."""
    taken: Taken = Counter()
    async for items in orphans(store, known, now=now, lease=lease):
        taken += await _take_over(store, items, now, policy)
    return taken


async def orphans(
    store: Store, known: Sequence[Worker], *, now: datetime, lease: timedelta
) -> AsyncIterator[Sequence[Item]]:
    """Read the items held by none of the known workers, holder by holder.

    A claim that was under way while its worker was given up for dead may arrive when the worker's row is gone already.
    Items held for less than a lease are left alone: the row of a new worker may not be seen yet.
    """
    ids = {worker.worker_id for worker in known}
    holders = {item.worker async for item in store.summaries(state=State.LOCKED)}
    for holder in sorted(holders - ids):
        yield [item for item in await store.held(holder) if item.locked_at and now - item.locked_at > lease]


async def _take_over(store: Store, items: Sequence[Item], now: datetime, policy: FailurePolicy) -> Taken:
    taken: Taken = Counter()
    for item in items:
        try:
            after = transitions.reclaim(item, now=now, policy=policy)
            await store.save(item, after)
            taken[after.state] += 1
        except Fenced:
            continue  # settled, or taken over by somebody else, meanwhile
    if taken[State.TODO]:
        await store.notify(now=now)
    return taken
