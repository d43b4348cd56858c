"""Decide when a worker that finds nothing to claim goes home (exits): the whole rule, with a reason for each clause.

A worker goes home when two looks at the table, `index_lag` apart, find that all of the following holds. If the index
does not lag, one look is enough.

1. Nothing can be claimed now or later, in `todo` or `Wall_Time_Exceeded`: a retry that is due in an hour is work too.
2. Every holder has a row, and no row says that the holder has ended: nobody would ever settle the items of such a
   holder, so they have to be taken over. (Without this clause 15 of 50 simulated schedules left an item.)
3. This worker has no claim that has been unanswered for less than `INDEX_LAG_AT_MOST`. If it has an older one, it is
   not a holder: a claim whose reply was lost may have been won, and the index shows it late. (On SQLite it shows it at
   once.) If every claim was answered and this worker is still a holder, a settle was refused. Others take the item over
   once the row of this worker says that it ended.
4. Every holder is a living process of this machine, or is no suspect and has sent a heartbeat since the look that first
   showed it as a holder: what a worker wrote before it died must not make it look alive. (Without this clause 12 of 150
   small fleets left an item.)
5. No notification came between a consistent read before the first look and one after the last, and none was read less
   than `index_lag` before the first look. While an index lags, an item that is put back may show
   neither as held nor as claimable. It may be put back during one look and claimed during the other, by a worker that
   then loses its network. More looks do not rule that out. But a worker that is stopped and puts an item back sends a
   notification, and notifications are read consistently. (Without this clause 2 of 1,500 fleets left an item.)

Holders are read before claimable items, so that an item that is put back in between is seen twice rather than never.
Heartbeats carry the service's time, so one query of the index shows which workers have sent one since. The index may be
late, but what it shows was written.

Items in lanes that this worker does not take do not keep it. If no living worker takes them either, it exits with a
status of its own, which says that starting it again would not help.

If the table leaves last attempts to some workers, such a worker stays while others hold items that may become last
attempts: the others could not run them.

Exit status 0 does not mean that items held by living workers are done. A worker that puts an item back because it is
stopped exits with 75, so that AWS Batch, or whoever started it, starts another.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyanamo_async.core.items import CLAIMABLE
from pyanamo_async.core.queue_lanes import LAST_ATTEMPTS, left_by
from pyanamo_async.core.workers import SUSPECT_SHARE, WorkerState, is_suspect
from pyanamo_async.errors import PyanamoError
from pyanamo_async.fleet.left_items import described
from pyanamo_async.fleet.notifications import TableNotifications
from pyanamo_async.fleet.peers import PeerMonitor
from pyanamo_async.ports import INDEX_LAG_AT_MOST, Runtime, Store

STAMP_ERROR = timedelta(seconds=5)  # how far the service's time may differ between two heartbeats
TICK_S = 0.001  # more than the error of a monotonic clock


@dataclass(frozen=True, slots=True)
class IdlePolicy:
    """How long to look for work: until nothing is left, for ever (`wait`), or for `idle_exit` without any."""

    wait: bool = False
    idle_exit: timedelta | None = None

    def decision(self, idle: timedelta) -> bool | None:
        """Return whether a worker that found no work for `idle` goes home; None if the table decides."""
        if self.idle_exit is not None:
            return idle >= self.idle_exit
        return False if self.wait else None


class GoingHome:
    """Applies the rule for one worker, asked again and again while it is idle.

    `holds_unknown_item` is set when the table showed that this worker holds an item: a claim got no answer.
    """

    def __init__(
        self,
        store: Store,
        peers: PeerMonitor,
        *,
        runtime: Runtime,
        idle_policy: IdlePolicy,
        index_lag: timedelta,
    ) -> None:
        self.peers, self.notifications = peers, TableNotifications(store, runtime.clock)
        self._store, self._runtime = store, runtime
        self._idle_policy, self.index_lag_s = idle_policy, index_lag.total_seconds()
        self._idle_since_s: float | None = None
        self._first_look: int | None = None  # notifications read before a look that found all settled
        self._looked_s = float("-inf")
        self._first_seen: dict[str, datetime] = {}  # holders, in the service's time
        self._took_over = self._is_waiting = self.holds_unknown_item = False

    def found_work(self) -> None:
        """Note that there is work, or will be: what earlier looks found no longer counts."""
        self._idle_since_s = self._first_look = None
        self._first_seen = {}

    async def may_go_home(self, *, unanswered_claim_s: float | None) -> bool:
        """Return whether the rule holds, or the idle policy decides without it.

        `unanswered_claim_s` is the monotonic time of the last claim that got no answer; None when there was none.
        """
        decided = self._idle_policy.decision(self._idle())
        if decided is not None:
            return decided
        if self._next_look_in_s() > 0:
            return False
        now_s = self._runtime.clock.monotonic()
        late_s = INDEX_LAG_AT_MOST.total_seconds() if self.index_lag_s else 0.0
        if unanswered_claim_s is not None and now_s - unanswered_claim_s < late_s:
            self._first_look = None
            return False
        return await self._look_again(has_unanswered=unanswered_claim_s is not None)

    def pause_s(self) -> float | None:
        """Return in how many seconds to ask again; None for any pause."""
        took_over, self._took_over = self._took_over, False
        if took_over:  # what was taken over can be claimed
            return 0.0
        return None if self._first_look is None else self._next_look_in_s() + TICK_S

    async def work_left(self) -> bool:
        """Return whether something can be claimed, now or later, or is held by workers of other machines.

        To a worker that takes last attempts, what others hold on its own machine is left as well.
        True when the store does not answer.
        """
        try:
            holders = {holder async for holder in self._store.holders()}
            others = holders - await self.peers.living_neighbours(holders)
            return bool(others) or await self._may_leave_last_attempts(holders) or await self._is_claimable()
        except PyanamoError:
            return True

    async def out_of_reach(self) -> int:
        """Return how many items wait in lanes into which no living worker looks, and note which.

        0 when the store does not answer: the next worker that ends will find them.
        """
        try:
            counted = await self._store.lane_counts()
            if not (left := left_by(counted, [self._store.kind])):
                return 0
            now, workers = self.peers.now(), await self._store.workers()
            running = (
                each for each in workers if each.state is WorkerState.RUNNING and each.worker_id != self.peers.me
            )
            living = (each for each in running if not is_suspect(each.heartbeat, now=now, lease=self.peers.lease))
            found = await described(self._store, left_by(left, [each.kind for each in living]))
        except PyanamoError:
            return 0
        if needs := ", ".join(f"{each.items} of {each.memory}" for each in found if each.lane.memory_class):
            self._runtime.event_log.note("items need a larger worker", items=needs)
        for each in found:
            if each.lane == LAST_ATTEMPTS:
                self._runtime.event_log.note("items wait for a worker that takes last attempts", items=each.items)
        return sum(each.items for each in found)

    async def _look_again(self, *, has_unanswered: bool) -> bool:
        first, self._first_look = self._first_look, None
        notifications = await self.notifications.count() if first is None else first
        if first is None and self._runtime.clock.monotonic() - self.notifications.last_s() < self.index_lag_s:
            return False
        is_settled = await self._finds_all_settled(has_unanswered=has_unanswered)
        self._looked_s = self._runtime.clock.monotonic()
        if not is_settled:
            return False
        if first is None and self.index_lag_s:
            self._first_look = notifications
            return False
        return await self.notifications.count() == notifications

    async def _finds_all_settled(self, *, has_unanswered: bool) -> bool:
        if await self._all_holders_live(has_unanswered=has_unanswered):
            is_claimable = await self._is_claimable()
            if is_claimable or not await self._may_leave_last_attempts(self._first_seen):
                self._is_waiting = False
                return not is_claimable
        if not self._is_waiting:
            self._is_waiting = True
            self._runtime.event_log.note("waiting for items of other workers", holders=len(self._first_seen))
        return False

    async def _may_leave_last_attempts(self, holders: Collection[str]) -> bool:
        """Return whether holders may leave last attempts to this worker, which takes them: those that do not."""
        others = {*holders} - {self.peers.me}
        if not (others and self._store.kind.last_attempts) or await self._store.last_attempts_after() is None:
            return False
        return others != {each.worker_id for each in await self._store.workers(of=others) if each.last_attempts}

    async def _all_holders_live(self, *, has_unanswered: bool) -> bool:
        """Apply clauses 2 to 4 to all holders.

        There may be many holders: a look ends at the first known one that has sent no heartbeat since.
        """
        self.holds_unknown_item = False
        known, heard = self._first_seen, await self._heard_since_seen()
        holders: set[str] = set()
        async for holder in self._store.holders():
            holders.add(holder)
            if holder in known and holder not in heard and not self.peers.is_near(holder):
                now = self.peers.now()
                self._first_seen = dict.fromkeys(holders, now) | known
                if now - known[holder] > self.peers.lease * SUSPECT_SHARE:
                    self._took_over = await self.peers.examine({holder})
                return False
        now = self.peers.now()
        self._first_seen = {holder: known.get(holder, now) for holder in holders}
        self.holds_unknown_item = has_unanswered and self.peers.me in holders
        if self.holds_unknown_item:
            return False
        silent = holders - heard - {self.peers.me}
        silent -= await self.peers.living_neighbours(silent)
        self._took_over = await self.peers.examine({holder for holder in silent if self.peers.is_near(holder)})
        return not silent

    async def _heard_since_seen(self) -> set[str]:
        """Return the holders that sent a heartbeat after they were first seen, without suspects."""
        if not self._first_seen:
            return set()
        now = self.peers.now()
        oldest = max(min(self._first_seen.values()), now - self.peers.lease * SUSPECT_SHARE - STAMP_ERROR)
        heartbeats = await self._store.heartbeats(since=oldest, until=now + STAMP_ERROR)
        return {
            holder
            for holder, first_seen in self._first_seen.items()
            if holder in heartbeats and heartbeats[holder] > first_seen + STAMP_ERROR
        }

    async def _is_claimable(self) -> bool:
        for state in CLAIMABLE:
            if await self._store.next_due(state=state, consistent=True) is not None:
                return True
        return False

    def _next_look_in_s(self) -> float:
        return max(0.0, self._looked_s + self.index_lag_s - self._runtime.clock.monotonic())

    def _idle(self) -> timedelta:
        now_s = self._runtime.clock.monotonic()
        if self._idle_since_s is None:
            self._idle_since_s = now_s
        return timedelta(seconds=now_s - self._idle_since_s)
