"""A worker and a script of a simulated fleet, as seen from outside."""

from __future__ import annotations

from dataclasses import dataclass

from pyanamo_async.core.queue_lanes import TAKES_ALL, WorkerKind
from simulation.suspension import SuspendableProcess


@dataclass
class Life:
    """One worker: when its last heartbeat arrived, and the last that it knows to have arrived."""

    process: SuspendableProcess
    lease_s: float
    arrived_s: float
    answered_s: float
    ended_s: float | None = None
    said_goodbye: bool = False
    drained_s: float | None = None
    left_claims: bool = False
    is_taken_for_dead: bool = False
    kind: WorkerKind = TAKES_ALL


@dataclass(frozen=True)
class RunningScript:
    """A script's worker, and what stands still when the script does."""

    worker: SuspendableProcess
    scripts: SuspendableProcess
