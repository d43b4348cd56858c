"""Take over the items of workers that died.

1. A worker is marked dead before its items are touched, on the condition that it has sent no further heartbeat. So a
   worker that has just sent one keeps its items, and a worker that is alive after all is fenced with its next one.
2. The mark comes first, then the items, then the row: if the reclaiming worker dies in between, the marked row shows
   others what is left to do.
3. The scripts of a dead worker of this machine are ended before its items are taken: if its process was only stopped,
   they still run. On other machines the guard of the worker has ended them.
4. A reclaim never undoes a settle that came first: it passes the same fence.
5. A holder without a row, or whose row says that it ended, is gone for good: the row is written before the first claim
   and ends after the last settle. Rows are read as last written, so its items are taken at once.
6. Items of a process that this machine shows as stopped are charged an interruption and no crash. So are items of a
   worker whose row says that it ended because it could send no heartbeats. For other machines this is not known, unless
   the caller knows what happened to the worker (`interrupted`).
7. An item that lost its machine as often as the table's setting says is left to workers that take last attempts.
8. An item that the row names as waiting for room never started (`worker.room`): it is put back as it was, and charged
   nothing. This is exact, because the worker is marked dead only if the heartbeat that names the item is its latest.
9. An item whose row cannot be read is buried, and the others are taken over. A worker whose row cannot be read is
   judged by its heartbeat, as any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime

from pyanamo_async.core import transitions
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.memory.room_wait import reclaim_waiting
from pyanamo_async.core.queue_lanes import left_to_last_attempts
from pyanamo_async.core.workers import ProcessStatus, Worker, WorkerState, is_waiting
from pyanamo_async.errors import BadRow, Fenced, RowTooLarge
from pyanamo_async.ports import Processes, Store

WAITED = "waited"
Taken = Counter[str]
"""How many items were put into which state, back to todo or failed, and how many of them had only `WAITED` for room."""

STOOD_STILL = "stood still or was cut off"
NOTHING_KNOWN: Mapping[str, str] = {}


async def reclaim_from(
    store: Store, dead: Worker, *, now: datetime, policy: FailurePolicy, processes: Processes, interrupted: str = ""
) -> Taken | None:
    """Put back, or bury, what a worker holds, and forget it; one that has sent a heartbeat since is left alone.

    `interrupted` says what happened to the worker, if that is known and no item is to blame. Return None if its scripts
    could not be ended: it then still holds its items.
    """
    if not await store.mark_dead(dead):
        return Counter()
    if await processes.status(dead) is ProcessStatus.STANDS:
        interrupted = STOOD_STILL
    if not await processes.end_scripts(dead):
        return None
    taken = await _take(store, dead.worker_id, dead, now=now, policy=policy, interrupted=interrupted)
    await store.forget(dead.worker_id)
    return taken


async def reclaim_held(
    store: Store,
    holders: Collection[str],
    *,
    now: datetime,
    policy: FailurePolicy,
    interrupted: Mapping[str, str] = NOTHING_KNOWN,
) -> Taken:
    """Put back, or bury, the items of holders that are gone for good; `interrupted` is as in `reclaim_from`."""
    taken: Taken = Counter()
    rows = {each.worker_id: each for each in await store.workers(of=holders)} if holders else {}
    for holder in holders:
        row = rows.get(holder)
        known = STOOD_STILL if row and row.fenced_itself else interrupted.get(holder, "")
        taken += await _take(store, holder, row, now=now, policy=policy, interrupted=known)
    return taken


async def _take(
    store: Store, holder: str, row: Worker | None, *, now: datetime, policy: FailurePolicy, interrupted: str
) -> Taken:
    """Put back, or bury, what a holder holds; `row` is its row with the last heartbeat, if there is one."""
    taken: Taken = Counter()
    held = await store.held(holder)
    limit = await store.last_attempts_after() if held else None
    for item in held:
        if isinstance(item, BadRow):
            taken[State.FAILED] += await store.bury(item, now=now)
            continue
        if waited := row is not None and is_waiting(item, row):
            after = reclaim_waiting(item)
        else:
            seen = row.heartbeat if row else None
            reclaimed = transitions.reclaim(item, now=now, policy=policy, seen=seen, interrupted=interrupted)
            after = left_to_last_attempts(reclaimed, limit)
        with suppress(Fenced, RowTooLarge):  # settled or taken over meanwhile; or too large to be written
            await store.save(item, after)
            taken.update([after.state, *[WAITED] * waited])
    if taken[State.TODO]:
        await store.notify(now=now)
    return taken


async def gone_holders(store: Store) -> list[str]:
    """List the holders that are gone for good."""
    holders = {holder async for holder in store.holders()}
    known = {each.worker_id for each in await store.workers(of=holders) if each.state is not WorkerState.ENDED}
    return sorted(holders - known)
