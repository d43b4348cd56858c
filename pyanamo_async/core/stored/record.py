"""Items as stored rows: attribute names and plain values.

1. Only this module and `task_record` know the stored names, many of which are older than this project. SQLite, DynamoDB
   and `--json` share them.
2. Empty values and defaults are left out, because a write is charged by the size of the row.
3. Decoding checks what it reads; any error that it raises means that the row cannot be read (`core.stored.bad_rows`).
4. Values are `str`, `int`, `float`, `dict` and `list` only.
5. `decode(encode(item)) == item`, if times are whole milliseconds. The task of a single item has no state of its own:
   it follows from the item's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pyanamo_async.core.folders import Folders, parse_folders, show_folders
from pyanamo_async.core.items import CLAIMABLE, SINGLE_TASK, Held, Item, State, Summary, Task, TaskState
from pyanamo_async.core.memory.classes import EVERY_CLASS
from pyanamo_async.core.stored.columns import (
    Column,
    Columns,
    Row,
    byte_count,
    count,
    duration_column,
    mapping,
    positive,
    read_as,
    seconds,
    text,
    texts,
    time_column,
    whole,
)
from pyanamo_async.core.stored.queue_key import not_before, time_in
from pyanamo_async.core.stored.task_record import decode_record, encode_record
from pyanamo_async.core.values import replace

SINGLE_STATES = dict.fromkeys(State, TaskState.TODO) | {State.DONE: TaskState.DONE, State.FAILED: TaskState.FAILED}

COUNTS = ("Attempts", "Failures", "Checkpoint_From")
LOWEST_PRIORITY = 9
RESERVED = "#"  # begins the keys of rows that are no items


def _item_id(value: object) -> str:
    item_id = text(value)
    if not item_id or item_id.startswith(RESERVED):
        raise ValueError("not the id of an item")
    return item_id


def _folders(value: object) -> Folders:
    return parse_folders(text(value))


def _flag(value: object) -> bool:
    return bool(count(value))


def _held(value: object) -> Held:
    held = HELD.decode(mapping(value))
    if held.state not in (*CLAIMABLE, State.FAILED):
        raise ValueError(f"{held.state} is no state to return to")
    return held


HELD = Columns(
    Held(State.PENDING),  # no state to return to: so it is always written
    Column("ItemState", "state", State, str),
    time_column("Not_Before", "not_before"),
    time_column("Done_Date", "done_at"),
    Column("Reason", "reason", text),
)
ITEM = Columns(
    Item("", "", ()),
    Column("itemID", "item_id", _item_id),
    Column("taskID", "sample", text),
    Column("InstanceID", "worker", text),
    Column("lockID", "token", text),
    time_column("Lock_Date", "locked_at"),
    time_column("Done_Date", "done_at"),
    time_column("Not_Before", "not_before"),
    Column("Held", "held", _held, HELD.encode),
    Column("Attempt", "attempt", count),
    Column("Crashes", "crashes", count),
    Column("Interruptions", "interruptions", count),
    Column("Wall_Time_Kills", "wall_time_kills", count),
    Column("Seconds_Lost", "seconds_lost", seconds),
    Column("Seconds_Saved", "seconds_saved", seconds),
    Column("Mark", "mark", text),
    Column("Args_At", "args_at", count),
    Column("Priority", "priority", partial(whole, most=LOWEST_PRIORITY)),
    Column("MaxFailures", "max_failures", count),
    duration_column("Timeout", "timeout"),
    Column("Memory", "memory_bytes", byte_count),
    Column("Cpus", "cpus", positive),
    Column("Folders", "folders", _folders, show_folders),
    Column("Memory_Need", "memory_need_bytes", byte_count),
    Column("OOM_Kills", "oom_kills", count),
    Column("Memory_Class", "memory_class", partial(whole, most=EVERY_CLASS)),
    Column("Evictions", "evictions", count),
    Column("Last_Attempts", "last_attempts", _flag, int),
    Column("Reason", "reason", text),
    Column("History", "history", texts, list),
)
KNOWN = frozenset({*ITEM.names, "Log", "Log_Length", "Nested_Tasks", *COUNTS})
"""Attributes that an item may lack, and its key."""

SUMMARY = Columns(
    Summary("", "", State.TODO, tasks=1, tasks_done=0),
    Column("itemID", "item_id", _item_id),
    Column("taskID", "sample", text),
    Column("Nested_Tasks", "tasks", count),
    Column("Log_Length", "log_length", byte_count),
    Column("Attempt", "attempt", count),
    Column("Failures", "failures", count),
    Column("Crashes", "crashes", count),
    Column("Interruptions", "interruptions", count),
    Column("Seconds_Lost", "seconds_lost", seconds),
    Column("InstanceID", "worker", text),
    time_column("Done_Date", "since"),
    time_column("Not_Before", "not_before"),
    Column("Reason", "reason", text),
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
        "Checkpoint_From": 0 if item.nested else first.checkpoint_from,
    }
    return {
        "TaskScript": {task.name: _script(task) for task in item.tasks} if item.nested else first.script,
        "ItemState": str(item.state),
        **ITEM.encode(item),
        **_without_empty(of_tasks),
    }


def decode(row: Mapping[str, Any]) -> Item:
    """Return the item of a row; unknown attributes are ignored, and any error means that it cannot be read."""
    state, scripts = read_as(State, "ItemState", row["ItemState"]), row["TaskScript"]
    logs = read_as(mapping, "Log", row.get("Log", {}))
    nested = isinstance(scripts, Mapping)
    known = ITEM.decode(row)
    if nested:
        tasks = [_nested_task(name, scripts[name], logs.get(name)) for name in sorted(scripts, key=_ordinal)]
        if not tasks:
            raise ValueError("TaskScript is empty")
    else:
        was = known.held.state if known.held and state is State.PENDING else state
        tasks = [_task(SINGLE_TASK, scripts, SINGLE_STATES[was], row, logs)]
    item = replace(known, tasks=tuple(tasks), nested=nested, state=state)
    if not item.item_id:
        raise ValueError("itemID is missing")
    return item


def decode_held(row: Mapping[str, Any], worker: str) -> Item:
    """Return the item of a row that is placed among those that `worker` holds, as `decode`.

    Without attempt and token its claim could never be ended: then the row counts as one that cannot be read.
    """
    item = decode(row)
    if (item.state, item.worker) != (State.LOCKED, worker) or not item.attempt or not item.token:
        raise ValueError(f"it is placed as held by {worker!r}, and its attributes say something else")
    return item


def encode_summary(summary: Summary) -> Row:
    """Return a line of a listing under the stored names."""
    nested = {"Nested_Tasks": summary.tasks} if summary.nested else {}  # also where it is 1
    return {"ItemState": str(summary.state), **SUMMARY.encode(summary), **nested}


def summarise(row: Mapping[str, Any], *, state: State, key: str) -> Summary:
    """Return the line of an item in `state`, whose queue key is `key`, from attributes of its row.

    Any error means that the row cannot be read; a key without a time that can be read just tells none.
    """
    known = SUMMARY.decode({**row, "InstanceID": key if state is State.LOCKED else ""})
    nested, is_settled = bool(row.get("Nested_Tasks")), state not in (State.TODO, State.LOCKED)
    return replace(
        known,
        item_id=_item_id(row["itemID"]),
        state=state,
        nested=nested,
        tasks=known.tasks or 1,
        tasks_done=known.log_length if nested else int(state is State.DONE),
        since=time_in(key) if is_settled else None,
        not_before=not_before(key) if state is State.TODO else None,
    )


def _log_length(item: Item) -> int:
    """Return the lines of output of a single item, the finished tasks of a nested one."""
    if item.nested:
        return item.tasks_done
    record = item.tasks[0].record
    return record.stdout.lines if record else 0


def _script(task: Task) -> Row:
    counts = _without_empty(
        {"Attempts": task.attempts, "Failures": task.failures, "Checkpoint_From": task.checkpoint_from}
    )
    return {"Status": str(task.state), "Script": task.script, **counts}


def _logs(item: Item) -> Row:
    if item.nested:
        return {task.name: encode_record(task.record) for task in item.tasks if task.record}
    return encode_record(item.tasks[0].record) if item.tasks[0].record else {}


def _nested_task(name: str, script: object, log: object) -> Task:
    attributes = read_as(mapping, name, script)
    state = read_as(TaskState, f"Status of {name}", attributes["Status"])
    return _task(read_as(text, "a task's name", name), attributes["Script"], state, attributes, log)


def _task(name: str, script: object, state: TaskState, counts: Mapping[str, Any], log: object) -> Task:
    record = decode_record(read_as(mapping, f"Log of {name}", log)) if log else None
    attempts, failures, since = (read_as(count, each, counts.get(each, 0)) for each in COUNTS)
    return Task(name, read_as(text, f"script of {name}", script), state, attempts, failures, record, since)


def _ordinal(name: str) -> tuple[int, str]:
    """Return a key that sorts `Task_10` after `Task_9`."""
    digits = name.rpartition("_")[2]
    return (int(digits), name) if digits.isdecimal() else (-1, name)


def _without_empty(row: Row) -> Row:
    return {name: value for name, value in row.items() if value}
