"""Attempts as rows of a trace: under their stored names, or as GNU parallel writes them in its joblog.

A trace has one row for each task, for the last attempt that ended. The table keeps only the reasons of older attempts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyanamo_async.core.folders import CHECKPOINT_EXIT
from pyanamo_async.core.items import Item, Task, TaskRecord
from pyanamo_async.core.outcomes import Checkpointed, Failed, Interrupted, Outcome, OutOfMemory, Succeeded, TimedOut
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.task_record import encode_record

COLUMNS = (
    "itemID",
    "taskID",
    "Task",
    "Argument",
    "Attempt",
    "Status",
    "Exit_Code",
    "Signal",
    "Reason",
    "Started",
    "Finished",
    "Seconds",
    "CPU_Seconds",
    "Max_RSS",
    "Max_RSS_By",
    "stdout_bytes",
    "stderr_bytes",
    "Worker",
)
JOBLOG_COLUMNS = ("Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval", "Signal", "Command")
ENDED_BY_US = (-1, 15)  # as parallel writes a job that it ended with TERM
NOT_STARTED = (127, 0)  # as a shell reports it


def trace(item: Item, tasks: Iterable[Task] | None = None) -> Iterator[Row]:
    """Yield a row for each task, or each of these, that has a record; unknown values are None."""
    for task in item.tasks if tasks is None else tasks:
        if task.record:
            own = {
                "itemID": item.item_id,
                "taskID": item.sample,
                "Task": task.name,
                "Argument": item.argument(task),
                "stdout_bytes": 0,
                "stderr_bytes": 0,
            }
            measured = {} if task.record.max_rss_bytes is None else {"Max_RSS_By": str(task.record.max_rss_by)}
            known = own | encode_record(task.record) | measured | {"Reason": task.record.reason}
            yield {name: known.get(name) for name in COLUMNS}


def joblog(item: Item, tasks: Iterable[Task] | None = None) -> Iterator[tuple[str, ...]]:
    """Yield the fields of a joblog line after `Seq`, for each task, or each of these, that has a record.

    Source: `--joblog` in parallel(1). Newlines in commands become NUL, as in parallel.
    """
    for task in item.tasks if tasks is None else tasks:
        if task.record:
            yield (*_measured(task.record), *map(str, _exit(task.record.outcome)), task.script.replace("\n", "\0"))


def _measured(record: TaskRecord) -> tuple[str, ...]:
    started, runtime = f"{record.started.timestamp():.3f}", f"{record.seconds:10.3f}"
    return record.worker or ":", started, runtime, "0", str(record.stdout.size_bytes)


def _exit(outcome: Outcome) -> tuple[int, int]:
    match outcome:
        case Succeeded():
            return 0, 0
        case Checkpointed():
            return CHECKPOINT_EXIT, 0
        case Failed(exit_code=None, signal=None):
            return NOT_STARTED
        case Failed(exit_code=code, signal=number) | OutOfMemory(exit_code=code, signal=number):
            return code or 0, number or 0
        case TimedOut() | Interrupted():
            return ENDED_BY_US
