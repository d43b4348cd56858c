"""Workers as the table knows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pyanamo_async.core.output_tail import TaskRef
from pyanamo_async.core.values import Value


class Desired(StrEnum):
    """What a person wants of a worker; the reply to its beat carries it back."""

    RUN = "run"
    DRAIN = "drain"
    STOP = "stop"


class ProcessStatus(StrEnum):
    """What this machine can tell of a worker's process, whatever its beats say."""

    UNKNOWN = "unknown"  # it runs elsewhere, or stands still
    LIVES = "lives"
    DIED = "died"  # and nothing that it started is left


class Worker(Value):
    """One pilot process, and its last sign of life.

    `worker_id` holds a nonce per start: a Batch job id repeats across attempts. `beat` is by the worker's own clock;
    `lease` is how long after it the worker's claims still stand. `following` lists what somebody watches.
    `process` is a mark by which its own machine can find the process again; empty where there is none. Who is `gone`
    and knew that nothing is left says by which moment all was settled.
    """

    worker_id: str
    host: str
    started: datetime
    heartbeat: datetime
    lease: timedelta
    job: str = ""
    process: str = ""
    slots: int = 0
    running: int = 0
    done: int = 0
    rss_bytes: int = 0
    desired: Desired = Desired.RUN
    following: tuple[TaskRef, ...] = ()
    gone: bool = False
    all_settled: datetime | None = None

    def is_stale(self, now: datetime) -> bool:
        """Tell whether its claims may be taken over: it showed no sign of life for a lease."""
        return now - self.heartbeat > self.lease


def latest(workers: list[Worker], most: int | None) -> list[Worker]:
    """Keep those heard of last, of a list by last beat."""
    return workers if most is None else workers[max(0, len(workers) - most) :]


def write_farewell(worker: Worker) -> int:
    """Write whether a worker is gone as one number: 0, or 1, or the moment by which all was settled, in ms."""
    knew = worker.gone and worker.all_settled
    return int(knew.timestamp() * 1000) if knew else int(worker.gone)


def read_farewell(number: int) -> datetime | None:
    """Read by which moment all was settled, as a worker knew that is gone."""
    return datetime.fromtimestamp(number / 1000, UTC) if number > 1 else None


class FleetState(Value):
    """What a worker without work may expect of the others, as far as it can see.

    What is held may come back; or whoever holds it lives, and sees to it; or nobody holds anything; or somebody has
    made sure that all was settled by a moment since which the worker had nothing to do.
    """

    may_come_back: bool = False
    nobody_holds: bool = False
    all_settled: datetime | None = None


class Orders(Value):
    """What the reply to a beat carries back."""

    desired: Desired = Desired.RUN
    following: tuple[TaskRef, ...] = ()
