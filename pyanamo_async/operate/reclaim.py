"""Take over the items of workers that vanished.

Laws: a reclaim can never undo a settle that came first: it passes the same fence. A worker's row goes only after all it
held was taken over, so that one who dies in between leaves nothing unnoticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pyanamo_async.core import transitions
from pyanamo_async.core.policy import RetryPolicy
from pyanamo_async.core.workers import Worker
from pyanamo_async.errors import Fenced
from pyanamo_async.ports import Store


async def stale_workers(store: Store, *, now: datetime) -> Sequence[Worker]:
    """List the workers whose claims may be taken over."""
    return [worker for worker in await store.workers(beat_before=now) if worker.is_stale(now) and not worker.gone]


async def reclaim(store: Store, *, now: datetime, policy: RetryPolicy) -> int:
    """Put the items of vanished workers back, or bury those that were held too often by such; count them."""
    return sum([await _take_over(store, worker, now, policy) for worker in await stale_workers(store, now=now)])


async def _take_over(store: Store, worker: Worker, now: datetime, policy: RetryPolicy) -> int:
    taken = 0
    for item in await store.held(worker.worker_id):
        try:
            await store.save(item, transitions.reclaim(item, now=now, policy=policy))
            taken += 1
        except Fenced:
            continue  # settled, or taken over by somebody else, meanwhile
    await store.forget(worker.worker_id)
    return taken
