"""What every attempt of a worker works with, grouped by idea."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.wall_time import WallTimeBudget
from pyanamo_async.ports import Clock, Launcher, OutputStore, Runtime, Store
from pyanamo_async.worker.script import KillPolicy
from pyanamo_async.worker.store_calls import StoreCalls


class Lease(Protocol):
    """Whether this worker's claims still stand."""

    def alive(self) -> bool:
        """Return whether the lease still holds by our own clock; when it does not, nothing more may be written."""
        ...


@dataclass(frozen=True, slots=True)
class Adapters:
    """Where items come from, where output goes, and what runs scripts; `output_namespace` is the output's folder."""

    store: Store
    outputs: OutputStore
    launcher: Launcher
    output_namespace: str


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """How tasks run: their environment, how many of one item at a time, how long, how they end, what failures cost."""

    environ: Mapping[str, str]
    nests: int = 1
    timeout: timedelta | None = None
    failure_policy: FailurePolicy = field(default_factory=FailurePolicy)
    kill_policy: KillPolicy = field(default_factory=KillPolicy)


class RunTime:
    """The time that a worker has worked and may still work."""

    def __init__(self, budget: WallTimeBudget, clock: Clock) -> None:
        self._budget, self._clock = budget, clock
        self._began_s = clock.monotonic()

    def observe(self, seconds: float) -> None:
        """Note how long a task took that ran to its own end."""
        self._budget.observe(seconds)

    def fits(self) -> bool:
        """Return whether a task started now is expected to end in time."""
        return self._budget.fits(self._elapsed_s())

    def left_s(self) -> float | None:
        """Return in how many seconds what still runs must be ended; None without a limit."""
        return None if self._budget.budget_s is None else max(0.0, self._budget.deadline_s - self._elapsed_s())

    def _elapsed_s(self) -> float:
        return self._clock.monotonic() - self._began_s


@dataclass(frozen=True, slots=True)
class AttemptContext:
    """What every attempt of the worker `worker` works with."""

    worker: str
    adapters: Adapters
    tasks: TaskSettings
    runtime: Runtime
    run_time: RunTime
    calls: StoreCalls
