"""Take over the items of workers that died.

1. A worker is marked dead before its items are touched, on condition of its last heartbeat: one that is alive after all
   is fenced with its next heartbeat, and one that has just sent a heartbeat keeps its items.
2. The mark comes first, then the items, then the row: if the reclaiming worker dies in between, the
   marked row shows others what is left to do.
3. What a dead worker of this machine started is ended before its items are taken: it may stand still, and its scripts
   run on. Elsewhere its guard has ended them.
4. A reclaim never undoes a settle that came first: it passes the same fence.
5. A holder without a row, or whose row says that it ended, is gone for good: the row is written before the first claim
   and ends after the last settle. Rows are read as last written, so its items are taken at once.
6. What stood still is no crash: items of a process that this machine shows as stopped, and of a worker whose row says
   that it ended because it could send no heartbeats, were interrupted. Of another machine nobody can tell, unless
   whoever runs it says what happened to it.
7. An item that lost its machine as often as the table's setting says is left to workers that take last attempts.
8. An item that the row names as waiting for room never started (`worker.room`): it is put back as it was, and charged
   nothing. That the mark needs the heartbeat which names it makes this exact.
9. An item whose row cannot be read is buried, and holds up no other. A worker whose row cannot be read is judged by its
   heartbeat, as any other.
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

    `interrupted` says what is known to have happened to it, if no item is to blame for that. Return None when its
    scripts could not be ended: then it holds its items still.
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
    """Put back, or bury, what these holders hold, which are gone for good; `interrupted` as in `reclaim_from`."""
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
    """Put back, or bury, what a holder holds; its last heartbeat stands in `row`, if there is one."""
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
        with suppress(Fenced, RowTooLarge):  # settled or taken over meanwhile; or it costs itself alone
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
