"""One row of a task file, as an item.

A row with `TaskArgs` is a nested item: its script and each comma-separated argument make `Task_0`, `Task_1` and so on.
JSON rows may also give `TaskScript` as a list of scripts or as `{"Task_0": script, ...}`, and `TaskArgs` as a list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

from pyanamo_async.core.items import SINGLE_TASK, Item, Task
from pyanamo_async.core.stored.record import DEFAULT_PRIORITY
from pyanamo_async.core.stored.row_size import MAX_ROW_BYTES, row_ceiling
from pyanamo_async.core.taskfile import columns as col
from pyanamo_async.core.taskfile.columns import BadLine
from pyanamo_async.core.text.durations import parse_duration

MAX_ID_BYTES = 2048  # a hash key of DynamoDB
MAX_SAMPLE_BYTES = 1024  # a range key, for those who index samples
MAX_SCRIPT_BYTES = 128 * 1024 - 1  # one argument of execve: MAX_ARG_STRLEN of Linux, with its closing NUL
RESERVED = "#"  # rows of workers and of the table itself
TASK_NAME = re.compile(r"Task_(0|[1-9][0-9]{0,5})")
PRIORITIES = range(10)
FAILURES = range(1, 1001)

Fields = Mapping[str, object]
Default = TypeVar("Default", int, None)


def to_item(fields: Fields, *, nested: bool = False) -> Item:
    """Make an item of named fields; with `nested` it must have several tasks.

    Raises:
        BadLine: why it cannot be one.
    """
    item_id = _key(fields, col.ITEM_ID, MAX_ID_BYTES)
    if item_id.startswith(RESERVED):
        raise BadLine(f"itemID '{item_id[:80]}' begins with '#', which is kept for rows of workers")
    scripts = _scripts(fields, nested=nested)
    item = Item(
        item_id=item_id,
        sample=_key(fields, col.TASK_ID, MAX_SAMPLE_BYTES),
        tasks=tuple([Task(name, _script(script, name)) for name, script in scripts.items()]),
        nested=nested or not isinstance(fields[col.SCRIPT], str) or bool(fields.get(col.ARGS)),
        priority=_number(fields, col.PRIORITY, PRIORITIES, DEFAULT_PRIORITY),
        max_failures=_number(fields, col.MAX_FAILURES, FAILURES, None),
        timeout=_timeout(fields),
    )
    if len(item.tasks) > 1 and (ceiling := row_ceiling(item)) > MAX_ROW_BYTES:  # one script is never too much
        raise BadLine(
            f"the row could grow to {ceiling // 1024} KB with its records, past DynamoDB's limit of 400 KB; "
            "split it into several items, or move scripts into files"
        )
    return item


def _key(fields: Fields, name: str, limit: int) -> str:
    text = fields.get(name)
    if text is None or text == "":
        raise BadLine(f"missing field {name}")
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        raise BadLine(f"{name} is not text")
    if len(text.encode()) > limit:
        raise BadLine(f"{name} is longer than {limit} bytes")
    if not text.isprintable():
        raise BadLine(f"{name} {text[:80]!r} has characters that cannot be printed")
    return text


def _scripts(fields: Fields, *, nested: bool) -> dict[str, object]:
    script, args = fields.get(col.SCRIPT), fields.get(col.ARGS) or None
    if script is None:
        raise BadLine("missing field TaskScript")
    if not isinstance(script, str):
        if args:
            raise BadLine("TaskArgs goes with one TaskScript, not with several")
        return _several(script)
    if args:
        return _numbered([f"{script} {arg}" if script else "" for arg in _arguments(args)])
    if nested:
        raise BadLine("missing field TaskArgs: with `nested` every row has them")
    return {SINGLE_TASK: script}


def _several(script: object) -> dict[str, object]:
    match script:
        case list() if script:
            return _numbered(script)
        case dict() if script and all(TASK_NAME.fullmatch(name) for name in script):
            return dict(sorted(script.items(), key=lambda task: int(task[0].removeprefix("Task_"))))
    raise BadLine('TaskScript is a script, a list of them, or a map like {"Task_0": script, "Task_1": script}')


def _numbered(scripts: list[object] | list[str]) -> dict[str, object]:
    return {f"Task_{number}": script for number, script in enumerate(scripts)}


def _arguments(args: object) -> list[str]:
    words = args.split(",") if isinstance(args, str) else args
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadLine("TaskArgs is text, or a list of texts")
    stripped = [word.strip() for word in words]
    if "" in stripped:
        raise BadLine(f"argument {stripped.index('') + 1} of TaskArgs is empty")
    return stripped


def _script(script: object, name: str) -> str:
    if not isinstance(script, str):
        raise BadLine(f"the script of {name} is not text")
    if not script.strip():
        raise BadLine("empty script")
    if "\0" in script:
        raise BadLine("the script contains a NUL character")
    if len(script.encode()) > MAX_SCRIPT_BYTES:
        raise BadLine("the script is longer than Linux takes as one argument (128 KiB); put it in a file and call that")
    return script


def _number(fields: Fields, name: str, allowed: range, default: Default) -> int | Default:
    value = fields.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", str(value)) or int(str(value)) not in allowed:
        raise BadLine(f"{name} '{value}' is not a whole number from {allowed[0]} to {allowed[-1]}")
    return int(str(value))


def _timeout(fields: Fields) -> timedelta | None:
    value = fields.get(col.TIMEOUT)
    if value is None or value == "":
        return None
    try:
        span = parse_duration(str(value))
    except ValueError as error:
        raise BadLine(f"Timeout {error}") from None
    if not span:
        raise BadLine("Timeout is zero")
    return span
