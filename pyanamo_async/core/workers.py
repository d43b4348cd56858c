"""Workers as the table knows them."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pyanamo_async.core.live import Feed
from pyanamo_async.core.values import Value


class Desired(StrEnum):
    """What a person wants of a worker; the reply to its beat carries it back."""

    RUN = "run"
    DRAIN = "drain"
    STOP = "stop"


class Fate(StrEnum):
    """What this machine can tell of a worker's process, whatever its beats say."""

    UNKNOWN = "unknown"  # it runs elsewhere, or stands still
    LIVES = "lives"
    DIED = "died"  # and nothing that it started is left


class Worker(Value):
    """One pilot process, and its last sign of life.

    `worker_id` holds a nonce per start: a Batch job id repeats across attempts. `beat` is by the worker's own clock;
    `lease` is how long after it the worker's claims still stand. `following` lists what somebody watches.
    `process` is a mark by which its own machine can find the process again; empty where there is none.
    """

    worker_id: str
    host: str
    started: datetime
    beat: datetime
    lease: timedelta
    job: str = ""
    process: str = ""
    slots: int = 0
    running: int = 0
    done: int = 0
    rss_bytes: int = 0
    desired: Desired = Desired.RUN
    following: tuple[Feed, ...] = ()
    gone: bool = False

    def is_stale(self, now: datetime) -> bool:
        """Tell whether its claims may be taken over: it showed no sign of life for a lease."""
        return now - self.beat > self.lease


def latest(workers: list[Worker], most: int | None) -> list[Worker]:
    """Keep those heard of last, of a list by last beat."""
    return workers if most is None else workers[max(0, len(workers) - most) :]


class Orders(Value):
    """What the reply to a beat carries back."""

    desired: Desired = Desired.RUN
    following: tuple[Feed, ...] = ()
