"""Items and their tasks, as values.

One shape for single and nested items: a single item has one task, called `Task_0`. What stands in the table under
which name is the business of `core.record`; how an item moves from state to state, of `core.transitions`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pyanamo_async.core.outcomes import Outcome
from pyanamo_async.core.values import Value

SINGLE_TASK = "Task_0"


class State(StrEnum):
    """Where an item stands."""

    TODO = "todo"
    LOCKED = "locked"
    DONE = "done"
    FAILED = "failed"
    WALL_TIME_EXCEEDED = "Wall_Time_Exceeded"


CLAIMABLE = (State.TODO, State.WALL_TIME_EXCEEDED)
"""Where items stand that may be claimed; those left at their wall time come when there are no others."""


class TaskState(StrEnum):
    """Where one task of an item stands."""

    TODO = "todo"
    DONE = "done"
    FAILED = "failed"


class Output(Value):
    """What is known of one stream of one attempt.

    `text` is the whole of it when `at` is empty; otherwise its tags, or its tail when it has none, and `at` is where
    the whole stands (a location that `OutputStore.read` understands). `status` says why the whole could not be kept.
    """

    text: str = ""
    at: str = ""
    size_bytes: int = 0
    lines: int = 0
    status: str = ""


class TaskRecord(Value):
    """What is kept of one attempt at one task."""

    outcome: Outcome
    started: datetime
    finished: datetime
    seconds: float
    attempt: int
    worker: str
    max_rss_bytes: int | None = None
    cpu_seconds: float | None = None
    stdout: Output = Output()
    stderr: Output = Output()


class Task(Value):
    """One script of an item. `attempts` counts the runs that ended, `failures` those that were its own fault."""

    name: str
    script: str
    state: TaskState = TaskState.TODO
    attempts: int = 0
    failures: int = 0
    record: TaskRecord | None = None


class Item(Value):
    """One row of the table: the unit of claiming.

    `attempt` is the fencing number: claims so far, never reused. `token`, `worker` and `locked_at` name the holder;
    they stay behind after a settle, as the trace of who did it. `not_before` keeps a `todo` item back until then.
    Of the ledgers, failures are kept by the tasks; `wall_time_kills` counts wall-time endings without progress since.
    """

    item_id: str
    sample: str
    tasks: tuple[Task, ...]
    nested: bool = False
    state: State = State.TODO
    priority: int = 5
    max_failures: int | None = None
    timeout: timedelta | None = None
    attempt: int = 0
    token: str = ""
    worker: str = ""
    locked_at: datetime | None = None
    done_at: datetime | None = None
    not_before: datetime | None = None
    crashes: int = 0
    interruptions: int = 0
    wall_time_kills: int = 0
    reason: str = ""
    history: tuple[str, ...] = ()

    @property
    def failures(self) -> int:
        """Count the failures of all tasks."""
        return sum(task.failures for task in self.tasks)

    @property
    def todo(self) -> tuple[Task, ...]:
        """List the tasks still to run."""
        return tuple(task for task in self.tasks if task.state is TaskState.TODO)

    @property
    def tasks_done(self) -> int:
        """Count the tasks that are done."""
        return sum(task.state is TaskState.DONE for task in self.tasks)


class Summary(Value):
    """One line of a listing: what can be told of an item without reading the whole of it.

    `since` is when a settled item was settled; `worker` holds a locked one; `log_length` is `Log_Length` as stored.
    """

    item_id: str
    sample: str
    state: State
    tasks: int
    tasks_done: int
    log_length: int = 0
    attempt: int = 0
    reason: str = ""
    worker: str = ""
    since: datetime | None = None
    not_before: datetime | None = None


class Counts(Value):
    """How many items stand where, and how many tasks they have."""

    items: dict[State, int]
    tasks: dict[TaskState, int]

    @property
    def total(self) -> int:
        """Count all items."""
        return sum(self.items.values())
