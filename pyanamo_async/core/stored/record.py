"""Items as stored rows: attribute names and plain values.

1. Only this module and `task_record` know the stored names, many of which are older than this project. SQLite, DynamoDB
   and `--json` share them.
2. Empty values and defaults are left out, because a write is charged by the size of the row.
3. Values are `str`, `int`, `float`, `dict` and `list` only.
4. `decode(encode(item)) == item`, if times are whole milliseconds. The task of a single item has no state of its own:
   it follows from the item's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pyanamo_async.core.items import (
    SINGLE_TASK,
    Item,
    State,
    Summary,
    Task,
    TaskState,
)
from pyanamo_async.core.stored.queue_key import DELAYED, format_time, parse_time
from pyanamo_async.core.stored.task_record import Row, decode_record, encode_record, omit_empty

DEFAULT_PRIORITY = 5
SINGLE_STATES = dict.fromkeys(State, TaskState.TODO) | {State.DONE: TaskState.DONE, State.FAILED: TaskState.FAILED}


def encode(item: Item) -> Row:
    """Return the row of an item, without its place in the queue index."""
    return omit_empty(
        {
            "itemID": item.item_id,
            "taskID": item.sample,
            "TaskScript": {task.name: _script(task) for task in item.tasks} if item.nested else item.tasks[0].script,
            "ItemState": str(item.state),
            "Log": _logs(item),
            "Log_Length": log_length(item),
            "Nested_Tasks": len(item.tasks) if item.nested else 0,
            "InstanceID": item.worker,
            "lockID": item.token,
            "Lock_Date": _format(item.locked_at),
            "Done_Date": _format(item.done_at),
            "Not_Before": _format(item.not_before),
            "Attempt": item.attempt,
            "Attempts": 0 if item.nested else item.tasks[0].attempts,
            "Failures": item.failures,
            "Crashes": item.crashes,
            "Interruptions": item.interruptions,
            "Wall_Time_Kills": item.wall_time_kills,
            "Priority": item.priority if item.priority != DEFAULT_PRIORITY else None,
            "MaxFailures": item.max_failures,
            "Timeout": _seconds(item.timeout),
            "Reason": item.reason,
            "History": list(item.history),
        }
    )


def decode(row: Mapping[str, Any]) -> Item:
    """Return the item of a row; unknown attributes are ignored."""
    state = State(row["ItemState"])
    nested = isinstance(row["TaskScript"], Mapping)
    timeout = row.get("Timeout")
    max_failures = row.get("MaxFailures")
    return Item(
        item_id=row["itemID"],
        sample=row.get("taskID", ""),
        tasks=_tasks(row) if nested else (_single(row, state),),
        nested=nested,
        state=state,
        priority=int(row.get("Priority", DEFAULT_PRIORITY)),
        max_failures=None if max_failures is None else int(max_failures),
        timeout=None if timeout is None else timedelta(seconds=float(timeout)),
        attempt=int(row.get("Attempt", 0)),
        token=row.get("lockID", ""),
        worker=row.get("InstanceID", ""),
        locked_at=_parse(row.get("Lock_Date")),
        done_at=_parse(row.get("Done_Date")),
        not_before=_parse(row.get("Not_Before")),
        crashes=int(row.get("Crashes", 0)),
        interruptions=int(row.get("Interruptions", 0)),
        wall_time_kills=int(row.get("Wall_Time_Kills", 0)),
        reason=row.get("Reason", ""),
        history=tuple(row.get("History", ())),
    )


def encode_summary(summary: Summary) -> Row:
    """Return a line of a listing under the stored names."""
    return omit_empty(
        {
            "itemID": summary.item_id,
            "taskID": summary.sample,
            "ItemState": str(summary.state),
            "Nested_Tasks": summary.tasks if summary.tasks > 1 else 0,
            "Log_Length": summary.log_length,
            "Attempt": summary.attempt,
            "InstanceID": summary.worker,
            "Done_Date": _format(summary.since),
            "Not_Before": _format(summary.not_before),
            "Reason": summary.reason,
        }
    )


def summarise(row: Mapping[str, Any], *, state: State, key: str) -> Summary:
    """Return the line of an item in `state`, whose queue key is `key`, from attributes of its row."""
    tasks, log_length = row.get("Nested_Tasks", 0), row.get("Log_Length", 0)
    is_settled = state not in (State.TODO, State.LOCKED)
    return Summary(
        item_id=row["itemID"],
        sample=row.get("taskID", ""),
        state=state,
        tasks=tasks or 1,
        tasks_done=log_length if tasks else int(state is State.DONE),
        log_length=log_length,
        attempt=row.get("Attempt", 0),
        reason=row.get("Reason", ""),
        worker=key if state is State.LOCKED else "",
        since=parse_time(key) if is_settled and key else None,
        not_before=parse_time(key[len(DELAYED) :]) if state is State.TODO and key.startswith(DELAYED) else None,
    )


def log_length(item: Item) -> int:
    """Return `Log_Length`: the lines of output of a single item, the finished tasks of a nested one."""
    if item.nested:
        return item.tasks_done
    record = item.tasks[0].record
    return record.stdout.lines if record else 0


def _script(task: Task) -> Row:
    return {
        "Status": str(task.state),
        "Script": task.script,
        **omit_empty({"Attempts": task.attempts, "Failures": task.failures}),
    }


def _logs(item: Item) -> Row | None:
    if not item.nested:
        return encode_record(item.tasks[0].record) if item.tasks[0].record else None
    return {task.name: encode_record(task.record) for task in item.tasks if task.record} or None


def _tasks(row: Mapping[str, Any]) -> tuple[Task, ...]:
    logs = row.get("Log", {})
    return tuple(
        Task(
            name=name,
            script=task["Script"],
            state=TaskState(task["Status"]),
            attempts=int(task.get("Attempts", 0)),
            failures=int(task.get("Failures", 0)),
            record=decode_record(logs[name]) if name in logs else None,
        )
        for name, task in sorted(row["TaskScript"].items(), key=lambda pair: _ordinal(pair[0]))
    )


def _single(row: Mapping[str, Any], state: State) -> Task:
    log = row.get("Log")
    return Task(
        name=SINGLE_TASK,
        script=row["TaskScript"],
        state=SINGLE_STATES[state],
        attempts=int(row.get("Attempts", 0)),
        failures=int(row.get("Failures", 0)),
        record=decode_record(log) if log else None,
    )


def _ordinal(name: str) -> tuple[int, str]:
    """Return a key that sorts `Task_10` after `Task_9`."""
    digits = name.rpartition("_")[2]
    return (int(digits), name) if digits.isdigit() else (-1, name)


def _format(time: datetime | None) -> str | None:
    return format_time(time) if time else None


def _parse(text: str | None) -> datetime | None:
    return parse_time(text) if text else None


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
