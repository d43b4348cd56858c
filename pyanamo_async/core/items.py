"""Items and their tasks, as values.

Single and nested items have one shape: a single item has one task, called `Task_0`. `core.stored.record` knows the
names under which they are stored, `core.transitions` how an item moves from state to state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from heapq import nlargest

from pyanamo_async.core.folders import NO_FOLDERS, Folders
from pyanamo_async.core.memory.measure import Measure
from pyanamo_async.core.outcomes import Failed, Failure, Outcome
from pyanamo_async.core.results import CheckpointUse, Results
from pyanamo_async.core.text.shortening import shorten
from pyanamo_async.core.values import Value

SINGLE_TASK = "Task_0"
LAST_LINE_BYTES = 100  # of the last line of stderr in a reason
DEFAULT_PRIORITY = 5  # of 0, the first, to 9


class State(StrEnum):
    """The state of an item, by its stored name."""

    TODO = "todo"
    LOCKED = "locked"
    DONE = "done"
    FAILED = "failed"
    WALL_TIME_EXCEEDED = "Wall_Time_Exceeded"
    PENDING = "Pending"  # held by a person: never claimed until it is released


CLAIMABLE = (State.TODO, State.WALL_TIME_EXCEEDED)
"""States of items that may be claimed, in this order."""

SETTLED = (State.DONE, State.FAILED)
"""States in which nothing of an item will run."""

UNFINISHED = (State.TODO, State.LOCKED, State.WALL_TIME_EXCEEDED)
"""States of items that run, or will run without anybody's doing."""


class TaskState(StrEnum):
    """The state of one task of an item, by its stored name."""

    TODO = "todo"
    DONE = "done"
    FAILED = "failed"


class Output(Value):
    """What a record keeps of one stream of one attempt.

    With `at` and `status` empty, `text` is the whole stream. Otherwise `text` holds its tags, or its tail if it has
    none; `at` is the location of the whole, for `OutputStore.read`, and `status` says why the whole was not stored.
    The whole has `tags` lines that are tags, of which `text` lacks, or cuts, the last `tags_cut`.
    """

    text: str = ""
    at: str = ""
    size_bytes: int = 0
    lines: int = 0
    status: str = ""
    tags: int = 0
    tags_cut: int = 0


class TaskRecord(Value):
    """What the table keeps of one attempt at one task.

    Only the worker that ran it knows `at_most_bytes`: what its memory did not exceed, where the peak is unknown.
    """

    outcome: Outcome
    started: datetime
    finished: datetime
    seconds: float
    attempt: int
    worker: str
    max_rss_bytes: int | None = None
    max_rss_by: Measure = Measure.PROCESS
    cpu_seconds: float | None = None
    stdout: Output = Output()
    stderr: Output = Output()
    results: Results = Results()
    checkpoint: CheckpointUse = CheckpointUse()
    at_most_bytes: int | None = None

    @property
    def most_bytes(self) -> int:
        """Return its peak memory, or what that did not exceed; 0 if neither is known."""
        return self.max_rss_bytes or self.at_most_bytes or 0

    @property
    def reason(self) -> str:
        """Return why it did not succeed; what a script says last on stderr mostly tells more than its exit status."""
        reason = self.outcome.reason
        is_told = isinstance(self.outcome, Failed) and self.outcome.detail
        said = _last_line(self.stderr.text) if isinstance(self.outcome, Failure) and not is_told else ""
        return f"{reason}: {said}" if said else reason


TaskRecords = Mapping[str, TaskRecord]
"""How tasks of one item ended, by task name."""


class Task(Value):
    """One script of an item.

    `attempts` counts the runs that came to their own end, `failures` those that count against `max_failures`.
    Checkpoints of attempts below `checkpoint_from` are not restored: they are of another script, or were given up.
    """

    name: str
    script: str
    state: TaskState = TaskState.TODO
    attempts: int = 0
    failures: int = 0
    record: TaskRecord | None = None
    checkpoint_from: int = 0


class Held(Value):
    """What an item was before a person held it."""

    state: State = State.TODO
    not_before: datetime | None = None
    done_at: datetime | None = None
    reason: str = ""


class Item(Value):
    """One row of the table: the unit of claiming.

    `attempt` is the fencing number: claims so far, never reused. `token`, `worker` and `locked_at` name the holder,
    or after a settle the last one. An item in `todo` is not claimed before `not_before`. `held` is what a `Pending`
    item was before. Its ledgers are `crashes`, `interruptions`, `oom_kills`, and `wall_time_kills` since the last
    progress; failures are with the tasks.
    `seconds_lost` adds up how long scripts ran in vain because of crashes and interruptions, whatever a person resets.
    `seconds_saved` adds up how long they had run for checkpoints from which others went on.
    `memory_bytes` and `cpus` are what each of its tasks needs, as its columns say; `memory_need_bytes` is what it was
    found to need, and stays whatever a person resets. `oom_kills` counts attempts in which memory ran out. With a
    `memory_class`, in GiB, it waits for a worker that is large enough, and with `last_attempts` for one that takes
    those (`core.queue_lanes`); `evictions` counts how often it lost its machine, for instance to Spot.
    Each of its tasks has these `folders`, besides those that its script names.
    `mark` is random: it tells this item from another of the same id that was deleted. `args_at` is where, in the
    scripts of a nested item, the argument of the task begins, in characters; 0 if it was imported without arguments.
    """

    item_id: str
    sample: str
    tasks: tuple[Task, ...]
    nested: bool = False
    state: State = State.TODO
    priority: int = DEFAULT_PRIORITY
    max_failures: int | None = None
    timeout: timedelta | None = None
    memory_bytes: int | None = None
    cpus: int = 1
    folders: Folders = NO_FOLDERS
    memory_need_bytes: int = 0
    oom_kills: int = 0
    memory_class: int = 0
    evictions: int = 0
    last_attempts: bool = False
    attempt: int = 0
    token: str = ""
    worker: str = ""
    locked_at: datetime | None = None
    done_at: datetime | None = None
    not_before: datetime | None = None
    held: Held | None = None
    crashes: int = 0
    interruptions: int = 0
    wall_time_kills: int = 0
    seconds_lost: float = 0.0
    seconds_saved: float = 0.0
    mark: str = ""
    args_at: int = 0
    reason: str = ""
    history: tuple[str, ...] = ()

    @property
    def failures(self) -> int:
        """Return the failures of all tasks."""
        return sum(task.failures for task in self.tasks)

    def argument(self, task: Task) -> str | None:
        """Return the argument with which a task of this item was imported, if there was one."""
        return task.script[self.args_at :] if self.args_at else None

    @property
    def is_retrying(self) -> bool:
        """Return whether it failed, and waits to be tried again."""
        return self.state is State.TODO and self.not_before is not None

    @property
    def todo(self) -> tuple[Task, ...]:
        """Return the tasks still to run."""
        return tuple(task for task in self.tasks if task.state is TaskState.TODO)

    @property
    def tasks_done(self) -> int:
        """Return how many tasks are done."""
        return sum(task.state is TaskState.DONE for task in self.tasks)


class Summary(Value):
    """One line of a listing: what the queue index knows of an item.

    `since` is when a settled item was settled, `worker` the holder of a locked one, `log_length` the stored
    `Log_Length`. The ledgers are those of the item.
    """

    item_id: str
    sample: str
    state: State
    tasks: int
    tasks_done: int
    nested: bool = False
    log_length: int = 0
    attempt: int = 0
    failures: int = 0
    crashes: int = 0
    interruptions: int = 0
    seconds_lost: float = 0.0
    reason: str = ""
    worker: str = ""
    since: datetime | None = None
    not_before: datetime | None = None

    @property
    def is_retrying(self) -> bool:
        """Return whether it failed, and waits to be tried again."""
        return self.state is State.TODO and self.not_before is not None


def latest(settled: Iterable[Summary], *, most: int) -> list[Summary]:
    """Return those that were settled last, the latest first, and up to `most`; an unknown time is the earliest."""
    return nlargest(most, settled, key=lambda each: each.since.timestamp() if each.since else 0.0)


def _last_line(text: str) -> str:
    lines = (line.strip() for line in reversed(text.splitlines()))
    return shorten(next(filter(None, lines), ""), LAST_LINE_BYTES)
