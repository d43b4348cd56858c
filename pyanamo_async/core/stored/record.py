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
from typing import Any

from pyanamo_async.core.items import SINGLE_TASK, Item, State, Summary, Task, TaskState
from pyanamo_async.core.stored.columns import Column, Columns, Row, duration_column, time_column
from pyanamo_async.core.stored.queue_key import DELAYED, parse_time
from pyanamo_async.core.stored.task_record import decode_record, encode_record
from pyanamo_async.core.values import replace

SINGLE_STATES = dict.fromkeys(State, TaskState.TODO) | {State.DONE: TaskState.DONE, State.FAILED: TaskState.FAILED}

ITEM = Columns(
    Item("", "", ()),
    Column("itemID", "item_id"),
    Column("taskID", "sample"),
    Column("InstanceID", "worker"),
    Column("lockID", "token"),
    time_column("Lock_Date", "locked_at"),
    time_column("Done_Date", "done_at"),
    time_column("Not_Before", "not_before"),
    Column("Attempt", "attempt"),
    Column("Crashes", "crashes"),
    Column("Interruptions", "interruptions"),
    Column("Wall_Time_Kills", "wall_time_kills"),
    Column("Priority", "priority"),
    Column("MaxFailures", "max_failures"),
    duration_column("Timeout", "timeout"),
    Column("Reason", "reason"),
    Column("History", "history", list, tuple),
)
SUMMARY = Columns(
    Summary("", "", State.TODO, tasks=1, tasks_done=0),
    Column("itemID", "item_id"),
    Column("taskID", "sample"),
    Column("Nested_Tasks", "tasks"),
    Column("Log_Length", "log_length"),
    Column("Attempt", "attempt"),
    Column("InstanceID", "worker"),
    time_column("Done_Date", "since"),
    time_column("Not_Before", "not_before"),
    Column("Reason", "reason"),
)


def encode(item: Item) -> Row:
    """Return the row of an item, without its place in the queue index."""
    first = item.tasks[0]
    of_tasks = {
        "Log": _logs(item),
        "Log_Length": _log_length(item),
        "Nested_Tasks": len(item.tasks) if item.nested else 0,
        "Attempts": 0 if item.nested else first.attempts,
        "Failures": item.failures,
    }
    return {
        "TaskScript": {task.name: _script(task) for task in item.tasks} if item.nested else first.script,
        "ItemState": str(item.state),
        **ITEM.encode(item),
        **_without_empty(of_tasks),
    }


def decode(row: Mapping[str, Any]) -> Item:
    """Return the item of a row; unknown attributes are ignored."""
    state, scripts, logs = State(row["ItemState"]), row["TaskScript"], row.get("Log", {})
    nested = isinstance(scripts, Mapping)
    if nested:
        tasks = [
            _task(name, scripts[name]["Script"], TaskState(scripts[name]["Status"]), scripts[name], logs.get(name))
            for name in sorted(scripts, key=_ordinal)
        ]
    else:
        tasks = [_task(SINGLE_TASK, scripts, SINGLE_STATES[state], row, logs)]
    return replace(ITEM.decode(row), tasks=tuple(tasks), nested=nested, state=state)


def encode_summary(summary: Summary) -> Row:
    """Return a line of a listing under the stored names."""
    return {"ItemState": str(summary.state), **SUMMARY.encode(summary)}


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


def _log_length(item: Item) -> int:
    """Return the lines of output of a single item, the finished tasks of a nested one."""
    if item.nested:
        return item.tasks_done
    record = item.tasks[0].record
    return record.stdout.lines if record else 0


def _script(task: Task) -> Row:
    counts = _without_empty({"Attempts": task.attempts, "Failures": task.failures})
    return {"Status": str(task.state), "Script": task.script, **counts}


def _logs(item: Item) -> Row:
    if item.nested:
        return {task.name: encode_record(task.record) for task in item.tasks if task.record}
    return encode_record(item.tasks[0].record) if item.tasks[0].record else {}


def _task(name: str, script: str, state: TaskState, counts: Mapping[str, Any], log: Mapping[str, Any] | None) -> Task:
    record = decode_record(log) if log else None
    return Task(name, script, state, counts.get("Attempts", 0), counts.get("Failures", 0), record)


def _ordinal(name: str) -> tuple[int, str]:
    """Return a key that sorts `Task_10` after `Task_9`."""
    digits = name.rpartition("_")[2]
    return (int(digits), name) if digits.isdigit() else (-1, name)


def _without_empty(row: Row) -> Row:
    return {name: value for name, value in row.items() if value}
