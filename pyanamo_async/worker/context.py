"""What a worker, and every attempt of it, works with, grouped by idea."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.folders import NO_FOLDERS, Folders
from pyanamo_async.core.memory.admission import NO_LIMIT, Budget
from pyanamo_async.core.wall_time import WallTimeBudget
from pyanamo_async.core.workers import Worker
from pyanamo_async.fleet.failed_items import FailedItems
from pyanamo_async.host.working_folders import WorkingFolders
from pyanamo_async.ports import Launcher, ObjectStore, OutputStore, Runtime, Store
from pyanamo_async.worker.store_calls import StoreCalls


@dataclass(frozen=True, slots=True)
class Plan:
    """How a worker is to work, as the row `worker`: how often it sends heartbeats, and the grace of a stop.

    `rss_bytes` tells its memory, `interruption` when the platform is about to take the machine away (None: never).
    It halts after `halt_after` failures in a row, and orders all to drain when `failed_items` says that those are too
    many. `memory` waits for a sample of what each script uses, by process id (None: that is not known); all of them
    have `budget`, of which a task of unknown need gets `share_bytes`.
    It waits a random part of `stagger` before its first claim.
    `lease_until` is told when scripts have to end unless it is told a later time, by `Clock.boottime`.
    """

    worker: Worker
    heartbeat: timedelta
    grace: timedelta = timedelta(seconds=20)
    rss_bytes: Callable[[], int] = lambda: 0
    interruption: Callable[[], Awaitable[str]] | None = None
    lease_until: Callable[[float], None] = lambda _: None
    halt_after: int | None = None
    failed_items: FailedItems | None = None
    memory: Callable[[], Awaitable[Mapping[int, int]]] | None = None
    budget: Budget = NO_LIMIT
    share_bytes: int = 0
    stagger: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class KillPolicy:
    """How scripts are ended: TERM, then KILL after `kill_after`; `linger` is how long output is read past the exit.

    When the worker is stopped, scripts have `grace`: behind TERM, if they take checkpoints, otherwise before it.
    """

    kill_after: timedelta = timedelta(seconds=5)
    linger: timedelta = timedelta(seconds=2)
    grace: timedelta = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """How tasks run: their environment, how many of one item at a time, how long, how they end, what failures cost.

    The worker may use `budget_bytes` of memory, if that is known.
    Of each stream, `max_output_bytes` are stored, or all (None). Every task has these `folders`, whatever it asks for.
    Checkpoints are stored every `checkpoint_every` while scripts run.
    """

    environ: Mapping[str, str]
    nests: int = 1
    timeout: timedelta | None = None
    failure_policy: FailurePolicy = field(default_factory=FailurePolicy)
    kill_policy: KillPolicy = field(default_factory=KillPolicy)
    max_output_bytes: int | None = None
    folders: Folders = NO_FOLDERS
    checkpoint_every: timedelta = timedelta(minutes=10)
    budget_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Adapters:
    """Where items come from, where output goes, and what runs scripts; `output_namespace` is the output's folder.

    Folders of tasks are made in `working_folders`, and what is kept of them goes to `objects`.
    """

    store: Store
    outputs: OutputStore
    launcher: Launcher
    output_namespace: str
    objects: ObjectStore
    working_folders: WorkingFolders


@dataclass(frozen=True, slots=True)
class AttemptContext:
    """What every attempt of the worker `worker` works with."""

    worker: str
    adapters: Adapters
    tasks: TaskSettings
    runtime: Runtime
    wall_time: WallTimeBudget
    calls: StoreCalls
