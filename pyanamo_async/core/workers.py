"""Workers as the table knows them, and the rules by which one is given up for dead.

1. A heartbeat is stamped in the service's time. A worker whose last heartbeat is older than a third of the lease, or
   lies in the future, is a suspect; that alone costs it nothing.
2. A worker that cannot send a heartbeat for two thirds of its lease ends its scripts itself.
3. A suspect is dead when it has shown the same heartbeat for that long and `MARGIN`, by the observer's own clock.
4. A lease outside `CREDIBLE` counts as the observer's own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pyanamo_async.core.items import Item
from pyanamo_async.core.memory.classes import largest_class
from pyanamo_async.core.memory.room_wait import NOTHING_WAITS, RoomWait
from pyanamo_async.core.output_tail import TaskRef
from pyanamo_async.core.platforms import NOWHERE, Platform
from pyanamo_async.core.queue_lanes import WorkerKind
from pyanamo_async.core.text.durations import show_duration
from pyanamo_async.core.values import Value

SUSPECT_SHARE, FENCED_SHARE = 1 / 3, 2 / 3  # of the lease
MARGIN = timedelta(seconds=10)  # for scripts to end, and for clocks that run at different speeds
NEVER = datetime.max.replace(tzinfo=UTC)  # a heartbeat that cannot be read: in the future, thus a suspect's
STOPPED_WITHIN, CLEANED_UP_WITHIN = timedelta(seconds=29), timedelta(seconds=9)  # of the order, and of the grace's end
CLOCK_IS_RIGHT_WITHIN = timedelta(seconds=60)  # requests to AWS are refused when a clock is wrong by five minutes
STAMP_STEP = timedelta(milliseconds=1)  # as times are stored
CREDIBLE = timedelta(seconds=10), timedelta(days=1)
UNREACHABLE = "the table could not be reached for two thirds of the lease"
STOOD_STILL = "this worker stood still for two thirds of the lease"


class Desired(StrEnum):
    """What a person wants of a worker; the reply to its heartbeat carries it back."""

    RUN = "run"
    DRAIN = "drain"
    STOP = "stop"


class WorkerState(StrEnum):
    """What a worker's row says of it: it runs, it ended, or another worker marked it dead."""

    RUNNING = "running"
    ENDED = "ended"
    DEAD = "dead"


class ProcessStatus(StrEnum):
    """What this machine knows of a worker's process, whatever its heartbeats say."""

    UNKNOWN = "unknown"  # such as of another machine
    LIVES = "lives"
    STANDS = "stands"  # somebody stopped it; it may go on at any time
    DIED = "died"  # and nothing that it started is left


class Worker(Value):
    """One worker process and its last heartbeat.

    `worker_id` holds a nonce per start: a Batch job id repeats across attempts. `heartbeat` is in the service's time;
    `lease` is how long after it the worker's claims still stand. `following` lists the tasks whose output somebody
    follows. `process` is a mark by which its own machine finds the process again; empty where there is none.
    With `last_attempts` it takes the items that are left to such workers.
    `stopped_by` tells what makes it end although work may be left, as `SIGTERM`. `platform` is where it runs. `waiting`
    names the item that waits there for room, or the last that did so in vain: it has not started under that claim.

    `problem` says why its row cannot be read. Such a worker may live, and must not lose its items for it, or it may be
    dead, and must lose them: its id, its state and its heartbeat are kept (`NEVER` if that cannot be read; `stamp` is
    its text).
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
    last_attempts: bool = False
    desired: Desired = Desired.RUN
    following: tuple[TaskRef, ...] = ()
    state: WorkerState = WorkerState.RUNNING
    stopped_by: str = ""
    platform: Platform = NOWHERE
    waiting: RoomWait = NOTHING_WAITS
    problem: str = ""
    stamp: str = ""

    @property
    def kind(self) -> WorkerKind:
        """Return which lanes of the queue it takes (`core.queue_lanes`)."""
        return WorkerKind(largest_class(self.platform.budget_bytes), self.last_attempts)

    @property
    def fenced_itself(self) -> bool:
        """Return whether it ended because it could send no heartbeats: no item is to blame for that."""
        return self.state is WorkerState.ENDED and self.stopped_by in {UNREACHABLE, STOOD_STILL}


def is_waiting(item: Item, holder: Worker) -> bool:
    """Return whether an item waited for room in its holder at the last heartbeat; if so, nothing of it has started."""
    return bool(item.token) and item.token == holder.waiting.token


def is_suspect(heartbeat: datetime, *, now: datetime, lease: timedelta) -> bool:
    """Return whether a last heartbeat is too old, or too far in the future, to show that its worker lives."""
    return abs(now - heartbeat) > lease * SUSPECT_SHARE


def dead_after(lease: timedelta, *, own_lease: timedelta) -> timedelta:
    """Return how long a worker must show the same heartbeat until it is dead."""
    least, most = CREDIBLE
    return (lease if least <= lease <= most else own_lease) * FENCED_SHARE + MARGIN


def is_later(heartbeat: datetime, sent: Worker) -> bool:
    """Return whether a stored heartbeat is a later one of the worker that sent this one.

    One that is more than a lease ahead is not the worker's own: somebody else wrote into its row.
    """
    return sent.heartbeat < heartbeat <= sent.heartbeat + sent.lease


def next_heartbeat(now: datetime, *, last: datetime, lease: timedelta) -> datetime:
    """Return the stamp of a heartbeat: later than that of the worker's last one, also if the clock was set back.

    After one that is more than a lease ahead the clock counts, as it does in the table (`is_later`).
    """
    return max(now, last + STAMP_STEP) if last <= now + lease else now


def clock_error(now: datetime, *, service_time: datetime) -> str:
    """Return how wrong a machine's clock is, in words; empty when it is right to the minute."""
    error = now - service_time
    if abs(error) <= CLOCK_IS_RIGHT_WITHIN:
        return ""
    seconds = timedelta(seconds=round(abs(error).total_seconds()))
    return f"{show_duration(seconds)} {'ahead' if error > timedelta() else 'behind'}"


def ends_within(grace: timedelta) -> timedelta:
    """Return how long after an order to stop a worker has ended, whatever is stuck: AWS Batch kills after 30 s."""
    return max(STOPPED_WITHIN, grace + CLEANED_UP_WITHIN)


class Orders(Value):
    """What the reply to a heartbeat carries back; `release` are the tokens of claims to let go.

    `written` tells whether the row shows this heartbeat now, and not a later one.
    """

    desired: Desired = Desired.RUN
    following: tuple[TaskRef, ...] = ()
    release: frozenset[str] = frozenset()
    written: bool = True
