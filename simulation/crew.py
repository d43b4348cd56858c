"""Workers put together from fakes: a table in memory, fake scripts, virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.halting import parse_failed_limit
from pyanamo_async.core.memory.admission import NO_LIMIT, Budget
from pyanamo_async.core.platforms import Platform
from pyanamo_async.core.wall_time import WallTimeBudget, reserve_s
from pyanamo_async.core.workers import ProcessStatus, Worker
from pyanamo_async.fleet.failed_items import FailedItems
from pyanamo_async.fleet.going_home import GoingHome, IdlePolicy
from pyanamo_async.fleet.peers import PeerMonitor
from pyanamo_async.host.working_folders import WorkingFolders
from pyanamo_async.outputs.memory import MemoryObjects, MemoryOutputs
from pyanamo_async.ports import Clock, ObjectStore, OutputStore, Processes, Runtime, Store
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.context import Adapters, AttemptContext, Plan, TaskSettings
from pyanamo_async.worker.pilot import Pilot
from pyanamo_async.worker.stop import Stop
from pyanamo_async.worker.store_calls import StoreCalls
from simulation.fake_launcher import FakeLauncher
from simulation.virtual_time import VirtualClock, VirtualLoop


@dataclass
class Notes:
    """An event log that remembers."""

    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def note(self, event: str, /, **fields: object) -> None:
        self.taken.append((event, fields))

    def named(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.taken if name == event]


@dataclass
class FakeProcesses:
    """What a machine knows of workers' processes, and how it ends their scripts."""

    status_of: Callable[[Worker], ProcessStatus] = lambda _: ProcessStatus.UNKNOWN
    end: Callable[[Worker], bool] = lambda _: True

    async def status(self, worker: Worker) -> ProcessStatus:
        return self.status_of(worker)

    async def end_scripts(self, worker: Worker) -> bool:
        return self.end(worker)


@dataclass
class Crew:
    """One worker and its parts, each of which can be replaced before `pilot` is called."""

    loop: VirtualLoop
    name: str = "w1"
    store: Store = field(default_factory=MemoryStore)
    outputs: OutputStore = field(default_factory=MemoryOutputs)
    launcher: FakeLauncher = field(default_factory=FakeLauncher)
    objects: ObjectStore = field(default_factory=MemoryObjects)
    working_folders: WorkingFolders = field(default_factory=WorkingFolders)
    notes: Notes = field(default_factory=Notes)
    stop: Stop = field(default_factory=Stop)
    policy: FailurePolicy = field(default_factory=FailurePolicy)
    idle_policy: IdlePolicy = field(default_factory=IdlePolicy)
    seed: int = 1
    slots: int = 2
    nests: int = 1
    wall_s: float | None = None
    heartbeat_s: float = 20
    lease_s: float = 180
    grace_s: float = 20
    clock: Clock | None = None
    processes: Processes = field(default_factory=FakeProcesses)
    timeout: timedelta | None = None
    min_remaining_s: float = 0
    pays_per_read: bool = False
    index_lag: timedelta = timedelta()
    lease_until: Callable[[float], None] = lambda _: None
    halt_after: int | None = None
    max_failed: str | None = None
    stagger_s: float = 0
    budget: Budget = NO_LIMIT
    share_bytes: int = 0
    is_sampled: bool = True
    last_attempts: bool = False

    def pilot(self) -> Pilot:
        runtime = Runtime(self.clock or VirtualClock(self.loop), random.Random(self.seed), self.notes)
        me = self._row(runtime.clock)
        self.store.kind = me.kind
        reserve = reserve_s(self.wall_s, kill_after_s=5)
        budget = WallTimeBudget(self.wall_s, reserve, self.min_remaining_s, runtime.clock.monotonic())
        context = AttemptContext(
            self.name,
            Adapters(self.store, self.outputs, self.launcher, "table", self.objects, self.working_folders),
            TaskSettings({}, self.nests, self.timeout, self.policy, budget_bytes=self.budget.memory_bytes),
            runtime,
            budget,
            StoreCalls(runtime),
        )
        plan = Plan(
            me,
            timedelta(seconds=self.heartbeat_s),
            timedelta(seconds=self.grace_s),
            lease_until=self.lease_until,
            halt_after=self.halt_after,
            failed_items=self._failed_items(runtime.clock),
            memory=self.launcher.sample if self.is_sampled and self.budget.memory_bytes is not None else None,
            budget=self.budget,
            share_bytes=self.share_bytes,
            stagger=timedelta(seconds=self.stagger_s),
        )
        return Pilot(plan, context, self._going_home(me, runtime), self.stop)

    def _failed_items(self, clock: Clock) -> FailedItems | None:
        if self.max_failed is None:
            return None
        limit = parse_failed_limit(self.max_failed)
        return FailedItems(self.store, limit, clock=clock, processes=self.processes)

    async def register(self) -> None:
        """Send the first heartbeat alone."""
        await self.store.heartbeat(self._row(VirtualClock(self.loop)))

    def _row(self, clock: Clock) -> Worker:
        now = self.store.service_time(now=clock.now())
        platform = Platform(budget_bytes=self.budget.memory_bytes)
        lease = timedelta(seconds=self.lease_s)
        return Worker(
            self.name,
            "host",
            now,
            now,
            lease,
            slots=self.slots,
            last_attempts=self.last_attempts,
            platform=platform,
        )

    def _going_home(self, me: Worker, runtime: Runtime) -> GoingHome:
        peers = PeerMonitor(
            me,
            self.store,
            runtime=runtime,
            policy=self.policy,
            processes=self.processes,
            pays_per_read=self.pays_per_read,
        )
        return GoingHome(
            self.store,
            peers,
            runtime=runtime,
            idle_policy=self.idle_policy,
            index_lag=self.index_lag,
        )
