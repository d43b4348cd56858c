"""What a running worker does for the others, and whether it should stay for the sake of what they hold.

Laws: about once a beat it takes over what vanished workers held: a cheap query when there are none, however many
workers there are. Who goes home leaves nothing behind that may come back: somebody is there until every holder has
shown that it lives. On one machine nobody need wait for that: a process is there or it is not. Workers are near when
their ids differ in the nonce alone, so a fleet learns from one locked item that it need not look for processes. One
worker is enough to take over: the one that was heard of last when it looks. In a fleet of any size that is about one
look in each beat, by anybody; all of them would read what all have left behind, again and again. The row of that one is
also where they find the farewell of a worker that has made sure that nothing is left (`worker.leaving`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.workers import FleetState, ProcessStatus, Worker
from pyanamo_async.fleet.reclaim import Taken, reclaim, reclaim_from, reclaim_orphans
from pyanamo_async.ports import Clock, Store

ORPHANS_EVERY = 1 / 15  # of the looks at others
SILENT_HEARTBEATS = 2  # whoever shows no sign of life for so long may have vanished
MOST_ASKED = 25  # holders, whether one of them is still there
NEWS = timedelta(seconds=5)  # how long a farewell is believed: whoever sleeps longer looks for what was added meanwhile
CLOCKS_HEARTBEATS = 1  # how far clocks may be apart for that to be seen in time


@dataclass(slots=True)
class PeerMonitor:
    """The other workers, as the worker `me` sees them. `fate` tells what became of a process of this machine.

    `thrifty` is who pays for every look at what is held, a request for each shard: it looks for dead neighbours when it
    begins, and when it would go home but for one.
    """

    me: str
    store: Store
    clock: Clock
    rng: random.Random
    heartbeat: timedelta
    lease: timedelta
    policy: FailurePolicy
    process_status: Callable[[Worker], ProcessStatus] = lambda _: ProcessStatus.UNKNOWN
    pays_per_read: bool = False
    _suspects: bool = field(default=True, init=False)
    _orphans: bool = field(default=False, init=False)
    _all_settled: datetime | None = field(default=None, init=False)
    _old_farewell: datetime | None = field(default=None, init=False)
    _is_new: bool = field(default=True, init=False)

    async def look_after(self) -> Taken:
        """Take over from workers silent for their lease or dead on this machine, seldom from unknown ones."""
        now = self.clock.now()
        taken: Taken = Counter()
        if await self._is_my_turn(now):
            taken += await reclaim(self.store, now=now, lease=self.lease, policy=self.policy)
            if self._orphans or self.rng.random() < ORPHANS_EVERY:
                self._orphans = False
                known = await self.store.workers()
                taken += await reclaim_orphans(self.store, known, now=now, lease=self.lease, policy=self.policy)
        if self._suspects or not self.pays_per_read:
            self._suspects = False
            taken += await self._take_from_dead(await self._near(await self._holders() - {self.me}))
        return taken

    async def fleet_state(self, idle: timedelta) -> FleetState:
        """Tell what a worker that found nothing to do for `idle` may expect: others may lose what they hold.

        Whether a holder lives shows when it should have beaten again: until then everybody stays. Then those do for
        whom a silent worker's items wait; its lease decides.
        """
        since = self.clock.now() - min(idle, NEWS)
        if self._all_settled is not None and self._all_settled >= since:
            return FleetState(all_settled=self._all_settled)
        holders = await self._holders()
        return FleetState(may_come_back=await self._may_come_back(holders, idle), nobody_holds=not holders)

    async def _may_come_back(self, holders: set[str], idle: timedelta) -> bool:
        if not holders:
            return False
        if self.me in holders:  # a claim whose answer never came
            return True
        near = await self._near(holders)
        self._suspects = any(self.process_status(worker) is ProcessStatus.DIED for worker in near)
        silence = SILENT_HEARTBEATS * self.heartbeat
        since = self.clock.now() - silence
        if holders <= {
            worker.worker_id
            for worker in near
            if worker.heartbeat > since and self.process_status(worker) is ProcessStatus.LIVES
        }:
            return False
        if idle <= silence + CLOCKS_HEARTBEATS * self.heartbeat:
            return True
        silent = {self.me} | {worker.worker_id for worker in await self.store.workers(heartbeat_before=since)}
        # few items are left, but those who went home may be many
        holders = {item.worker async for item in self.store.summaries(state=State.LOCKED)}
        return not silent.isdisjoint(holders) or not await self._any_stays(holders)

    async def _any_stays(self, holders: set[str]) -> bool:
        """Tell whether some holder is still there: when it has settled it asks as we do, also for unknown workers."""
        asked = self.rng.sample(sorted(holders), min(len(holders), MOST_ASKED))
        stays = not holders or any(not worker.gone for worker in await self.store.workers(of=asked))
        self._orphans = not stays
        return stays

    async def _near(self, holders: set[str]) -> Sequence[Worker]:
        """List the workers that hold items, if all of them may be processes of this machine."""
        if not holders or not all(self._is_near(holder) for holder in holders):
            return ()
        return await self.store.workers(of=holders)

    async def _holders(self) -> set[str]:
        """Name who holds items: all, if they are near; one that is not says enough."""
        holders = set()
        async for item in self.store.summaries(state=State.LOCKED):
            holders.add(item.worker)
            if not self._is_near(item.worker):
                break
        return holders

    async def _is_my_turn(self, now: datetime) -> bool:
        """Tell whether of all workers this one was heard of last; a beat to come, by a wrong clock, is none."""
        latest = await self.store.workers(most=1)
        self._hear(latest)
        return all(worker.worker_id == self.me or worker.heartbeat > now for worker in latest)

    def _hear(self, latest: Sequence[Worker]) -> None:
        """Note what a farewell says, except one that was there already: of an earlier run, by any clock."""
        said = max((each.all_settled for each in latest if each.all_settled), default=None)
        if self._is_new:
            self._is_new, self._old_farewell = False, said
        elif said is not None and said != self._old_farewell:
            self._all_settled = said

    async def _take_from_dead(self, near: Sequence[Worker]) -> Taken:
        dead = [worker for worker in near if self.process_status(worker) is ProcessStatus.DIED]
        return await reclaim_from(self.store, dead, now=self.clock.now(), policy=self.policy)

    def _is_near(self, worker_id: str) -> bool:
        return worker_id.rpartition("-")[0] == self.me.rpartition("-")[0]
