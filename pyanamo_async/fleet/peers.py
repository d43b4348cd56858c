"""Look after the other workers: find those that died, and take over what they hold.

1. Suspects come from one query of the index: workers whose last heartbeat is older than a third of the lease, or in the
   future. Only the worker with the latest heartbeat sends the query: about one worker in each heartbeat interval,
   however many workers there are.
2. A worker reads the row of its suspect again and again until the suspect has sent a heartbeat, has ended, was
   forgotten, or has died.
3. A suspect has died when consistent reads show the same heartbeat for two thirds of its lease and a margin. The time
   is measured by this machine's own clock, which goes on while the machine is suspended. No two clocks are compared;
   memory is O(suspects).
4. A process of this machine that died, with nothing left of what it started, is dead at once. Two workers may share a
   machine only if their ids differ in nothing but the nonce.
5. Before a worker takes over from a process of its own machine, it ends what that process started.
6. If reads of held items are charged, workers of the same machine are looked for only when a worker begins and before
   it goes home.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import State
from pyanamo_async.core.workers import (
    SUSPECT_SHARE,
    ProcessStatus,
    Worker,
    WorkerState,
    dead_after,
    is_suspect,
)
from pyanamo_async.fleet.reclaim import WAITED, Taken, gone_holders, reclaim_from, reclaim_held
from pyanamo_async.ports import Processes, Runtime, Store

ORPHANS_EVERY = 1 / 15  # of the queries for suspects


@dataclass(frozen=True, slots=True)
class Sighting:
    """The heartbeat in the row of a suspect, and since when it has been there, by the clock of this machine."""

    heartbeat: datetime
    since_s: float


class PeerMonitor:
    """The other workers, as the worker `me` sees them."""

    def __init__(
        self,
        me: Worker,
        store: Store,
        *,
        runtime: Runtime,
        policy: FailurePolicy,
        processes: Processes,
        pays_per_read: bool,
    ) -> None:
        self.me, self.lease = me.worker_id, me.lease
        self._store, self._runtime, self._policy = store, runtime, policy
        self._processes, self._pays_per_read = processes, pays_per_read
        self._suspects: dict[str, Sighting | None] = {}
        self._is_new = True
        self.taken: Taken = Counter()

    async def look_after(self) -> Taken:
        """Find suspects if it is this worker's turn, resolve its own, and take over what dead workers hold."""
        before = self.taken.copy()
        if await self._is_my_turn():
            await self._find_suspects()
            if self._runtime.rng.random() < ORPHANS_EVERY:
                await self._take_held(await gone_holders(self._store))
        await self._resolve_suspects()
        if self._is_new or not self._pays_per_read:
            self._is_new = False
            await self._take_from_dead(await self._neighbours(await self._near_holders()))
        return self.taken - before

    def is_near(self, worker_id: str) -> bool:
        """Return whether a worker may be a process of this machine, judging by its id."""
        return worker_id.rpartition("-")[0] == self.me.rpartition("-")[0]

    async def living_neighbours(self, holders: Collection[str]) -> set[str]:
        """Return which of these are living processes of this machine."""
        return {
            worker.worker_id
            for worker in await self._neighbours(holders)
            if worker.state is WorkerState.RUNNING and await self._processes.status(worker) is ProcessStatus.LIVES
        }

    async def examine(self, holders: Collection[str]) -> bool:
        """Look at holders without a recent heartbeat: take over from those that are gone, and suspect the others.

        Return whether items were taken over.
        """
        before = self.taken.total()
        rows = await self._store.workers(of=holders) if holders else []
        now, seen_s = self.now(), self._runtime.clock.boottime()
        gone = set(holders) - {worker.worker_id for worker in rows if worker.state is not WorkerState.ENDED}
        await self._take_held(sorted(gone))
        await self._take_from_dead(rows)
        for worker in rows:
            if worker.state is WorkerState.RUNNING and is_suspect(worker.heartbeat, now=now, lease=self.lease):
                self._suspects.setdefault(worker.worker_id, Sighting(worker.heartbeat, seen_s))
        return self.taken.total() > before

    async def _near_holders(self) -> set[str]:
        """Return the workers that hold items, up to the first that cannot be a neighbour."""
        near = set()
        async for holder in self._store.holders():
            if not self.is_near(holder):
                return set()
            near.add(holder)
        return near

    async def _is_my_turn(self) -> bool:
        """Return whether this worker has the latest heartbeat of all; one in the future does not count."""
        now = self.now()
        latest = await self._store.heartbeats(most=1)
        return all(worker_id == self.me or heartbeat > now for worker_id, heartbeat in latest.items())

    async def _find_suspects(self) -> None:
        now, span = self.now(), self.lease * SUSPECT_SHARE
        silent = await self._store.heartbeats(until=now - span)
        ahead = await self._store.heartbeats(since=now + span)
        for worker_id in {*silent, *ahead} - {self.me}:
            self._suspects.setdefault(worker_id, None)

    async def _resolve_suspects(self) -> None:
        if not self._suspects:
            return
        asked, asked_s = list(self._suspects), self._runtime.clock.boottime()
        rows = {worker.worker_id: worker for worker in await self._store.workers(of=asked)}
        seen_s = self._runtime.clock.boottime()
        dead = []
        for worker_id in asked:
            worker, seen = rows.get(worker_id), self._suspects.get(worker_id)
            if worker is None or worker.state is WorkerState.ENDED:
                self._suspects.pop(worker_id, None)
            elif worker.state is WorkerState.DEAD or self._is_dead(worker, seen, asked_s):
                dead.append(worker)
            elif seen is None:
                self._suspects[worker_id] = Sighting(worker.heartbeat, seen_s)
            elif seen.heartbeat != worker.heartbeat:
                self._suspects.pop(worker_id, None)  # it lives
        for worker in dead:
            await self._take_from(worker)

    def _is_dead(self, worker: Worker, seen: Sighting | None, now_s: float) -> bool:
        if seen is None or seen.heartbeat != worker.heartbeat:
            return False
        return now_s - seen.since_s > dead_after(worker.lease, own_lease=self.lease).total_seconds()

    async def _take_from_dead(self, rows: Collection[Worker]) -> None:
        """Take over from workers that are marked dead, or are processes of this machine that died."""
        for worker in rows:
            if worker.state is WorkerState.DEAD or (
                worker.state is WorkerState.RUNNING and await self._processes.status(worker) is ProcessStatus.DIED
            ):
                await self._take_from(worker)

    async def _take_from(self, worker: Worker) -> None:
        taken = await reclaim_from(self._store, worker, now=self.now(), policy=self._policy, processes=self._processes)
        if taken is None:
            self._runtime.event_log.note("scripts of another worker could not be ended", worker=worker.worker_id)
            return
        self._note(taken)
        self._suspects.pop(worker.worker_id, None)  # dead and forgotten, or it has sent a heartbeat since

    async def _take_held(self, holders: Collection[str]) -> None:
        self._note(await reclaim_held(self._store, holders, now=self.now(), policy=self._policy))

    async def _neighbours(self, holders: Collection[str]) -> Collection[Worker]:
        """Read the rows of the holders that may be processes of this machine."""
        near = {holder for holder in holders if self.is_near(holder)} - {self.me}
        return await self._store.workers(of=near) if near else ()

    def now(self) -> datetime:
        """Return the service's time, by which heartbeats are stamped."""
        return self._store.service_time(now=self._runtime.clock.now())

    def _note(self, taken: Taken) -> None:
        self.taken += taken
        if taken:
            said = {"back": taken[State.TODO], "failed": taken[State.FAILED], "waited": taken[WAITED] or None}
            self._runtime.event_log.note("items reclaimed", **said)
