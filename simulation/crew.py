"""Workers put together from fakes: a table in memory, fake scripts, virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.wall_time import WallTimeBudget, reserve_s
from pyanamo_async.core.workers import ProcessStatus, Worker
from pyanamo_async.fleet.idle_policy import IdlePolicy
from pyanamo_async.fleet.peers import PeerMonitor
from pyanamo_async.outputs.memory import MemoryOutputs
from pyanamo_async.ports import Clock, OutputStore, Store
from pyanamo_async.store.memory import MemoryStore
from pyanamo_async.worker.attempt import Tools
from pyanamo_async.worker.heartbeats import Heartbeats
from pyanamo_async.worker.patience import Patience
from pyanamo_async.worker.pilot import Pilot, Plan
from pyanamo_async.worker.script import KillPolicy
from pyanamo_async.worker.stop import Stop
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
class Crew:
    """One worker and its parts, each of which can be replaced before `pilot` is called."""

    loop: VirtualLoop
    name: str = "w1"
    store: Store = field(default_factory=MemoryStore)
    outputs: OutputStore = field(default_factory=MemoryOutputs)
    launcher: FakeLauncher = field(default_factory=FakeLauncher)
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
    process_status: Callable[[Worker], ProcessStatus] = lambda _: ProcessStatus.UNKNOWN
    timeout: timedelta | None = None
    min_remaining_s: float = 0
    pays_per_read: bool = False

    def pilot(self) -> Pilot:
        clock, rng = self.clock or VirtualClock(self.loop), random.Random(self.seed)
        began = clock.monotonic()
        every, lease = timedelta(seconds=self.heartbeat_s), timedelta(seconds=self.lease_s)
        me = Worker(self.name, "host", clock.now(), clock.now(), lease)
        tools = Tools(
            table="table",
            address="memory:table",
            worker=self.name,
            store=self.store,
            outputs=self.outputs,
            launcher=self.launcher,
            clock=clock,
            rng=rng,
            event_log=self.notes,
            patience=Patience(clock=clock, rng=rng, event_log=self.notes),
            keeper=WallTimeBudget(self.wall_s, reserve_s(self.wall_s, kill_after_s=5), self.min_remaining_s),
            policy=self.policy,
            kill_policy=KillPolicy(),
            environ={},
            nests=self.nests,
            timeout=self.timeout,
            elapsed_s=lambda: clock.monotonic() - began,
        )
        others = PeerMonitor(
            self.name, self.store, clock, rng, every, lease, self.policy, self.process_status, self.pays_per_read
        )
        return Pilot(
            Plan(self.slots, timedelta(seconds=self.grace_s), self.idle_policy),
            tools,
            Heartbeats(me, every=every, store=self.store, clock=clock, event_log=self.notes, stop=self.stop),
            self.stop,
            reclaim=others.look_after,
            fleet_state=others.fleet_state,
            every=every,
        )
