"""Make an item of one row of a task file.

1. A row with `TaskArgs` is a nested item: `TaskScript`, a space and each of the arguments are its tasks `Task_0`,
   `Task_1` and so on. Arguments are separated by commas, or by what the person says.
2. JSON rows may also give `TaskScript` as a list of scripts or as `{"Task_0": script, ...}`, and `TaskArgs` as a list.
3. An item that any store or Linux would refuse later is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

from pyanamo_async.core.folders import NO_FOLDERS, Folders, parse_folders
from pyanamo_async.core.items import DEFAULT_PRIORITY, SINGLE_TASK, Item, Task
from pyanamo_async.core.memory.budget import LEAST_BYTES
from pyanamo_async.core.shell_command import shell_command
from pyanamo_async.core.taskfile import columns as col
from pyanamo_async.core.taskfile.lines import InvalidLine
from pyanamo_async.core.text.byte_sizes import parse_size
from pyanamo_async.core.text.durations import parse_duration
from pyanamo_async.core.values import replace

MAX_ID_BYTES = 2048  # limit of a DynamoDB hash key
MAX_SAMPLE_BYTES = 1024  # limit of a DynamoDB range key, for tables that index samples
MAX_SCRIPT_BYTES = 128 * 1024 - 1  # MAX_ARG_STRLEN of Linux, less the closing NUL
RESERVED = "#"  # begins the ids of rows that are not items
TASK_NAME = re.compile(r"Task_(0|[1-9][0-9]{0,5})")
PRIORITIES = range(10)
FAILURES = range(1, 1001)
CPUS = range(1, 10_001)
MEMORY = range(LEAST_BYTES, (1 << 50) + 1)

Fields = Mapping[str, object]
Default = TypeVar("Default", int, None)


def to_item(fields: Fields, *, nested: bool = False, args_delimiter: str = ",") -> Item:
    """Return the item of a row's fields; with `nested` the row must have `TaskArgs` or several scripts.

    `args_delimiter` separates the arguments of `TaskArgs` where they are one text.

    Raises:
        InvalidLine: the row cannot be an item.
    """
    item_id = _key(fields, col.ITEM_ID, MAX_ID_BYTES)
    if item_id.startswith(RESERVED):
        raise InvalidLine(f"itemID '{item_id[:80]}' begins with '#', which is reserved")
    scripts = _scripts(fields, nested=nested, args_delimiter=args_delimiter)
    args = bool(fields.get(col.ARGS))
    return Item(
        item_id=item_id,
        sample=_key(fields, col.TASK_ID, MAX_SAMPLE_BYTES),
        tasks=tuple([Task(name, check_script(script, name)) for name, script in scripts.items()]),
        nested=nested or not isinstance(fields[col.SCRIPT], str) or args,
        args_at=len(f"{fields[col.SCRIPT]} ") if args else 0,
        priority=_number(fields, col.PRIORITY, PRIORITIES, DEFAULT_PRIORITY),
        max_failures=_number(fields, col.MAX_FAILURES, FAILURES, None),
        timeout=_timeout(fields),
        memory_bytes=_memory(fields),
        cpus=_number(fields, col.CPUS, CPUS, 1),
        folders=_folders(fields),
    )


def split_item(item: Item, most: int) -> list[Item]:
    """Return an item, or if it has more than `most` tasks several, called `<id>-1`, `<id>-2` and so on.

    Raises:
        InvalidLine: the longer ids are too long.
    """
    if len(item.tasks) <= most:
        return [item]
    parts = [item.tasks[start : start + most] for start in range(0, len(item.tasks), most)]
    return [
        replace(
            item,
            item_id=_key({col.ITEM_ID: f"{item.item_id}-{number}"}, col.ITEM_ID, MAX_ID_BYTES),
            tasks=tuple(replace(task, name=f"Task_{k}") for k, task in enumerate(tasks)),
        )
        for number, tasks in enumerate(parts, start=1)
    ]


def _key(fields: Fields, name: str, limit: int) -> str:
    text = fields.get(name)
    if text is None or text == "":
        raise InvalidLine(f"missing field {name}")
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        raise InvalidLine(f"{name} is not text")
    if len(text.encode()) > limit:
        raise InvalidLine(f"{name} is longer than {limit} bytes")
    if not text.isprintable():
        raise InvalidLine(f"{name} {text[:80]!r} has unprintable characters")
    return text


def _scripts(fields: Fields, *, nested: bool, args_delimiter: str) -> dict[str, object]:
    script, args = fields.get(col.SCRIPT), fields.get(col.ARGS) or None
    if script is None:
        raise InvalidLine("missing field TaskScript")
    if not isinstance(script, str):
        if args:
            raise InvalidLine("TaskArgs needs a single TaskScript")
        return _several(script)
    if args:
        return _numbered([f"{script} {arg}" if script else "" for arg in _arguments(args, args_delimiter)])
    if nested:
        raise InvalidLine("missing field TaskArgs; with `nested` every row needs it")
    return {SINGLE_TASK: script}


def _several(script: object) -> dict[str, object]:
    match script:
        case list() if script:
            return _numbered(script)
        case dict() if script and all(TASK_NAME.fullmatch(name) for name in script):
            return dict(sorted(script.items(), key=lambda task: int(task[0].removeprefix("Task_"))))
    raise InvalidLine(
        'TaskScript must be a script, a list of scripts, or a map like {"Task_0": script, "Task_1": script}'
    )


def _numbered(scripts: list[object] | list[str]) -> dict[str, object]:
    return {f"Task_{number}": script for number, script in enumerate(scripts)}


def _arguments(args: object, delimiter: str) -> list[str]:
    words = args.split(None if delimiter == " " else delimiter) if isinstance(args, str) else args
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InvalidLine("TaskArgs must be text or a list of texts")
    stripped = [word.strip() for word in words]
    if "" in stripped:
        raise InvalidLine(f"argument {stripped.index('') + 1} of TaskArgs is empty")
    return stripped


def check_script(script: object, name: str) -> str:
    """Return the script of a task.

    Raises:
        InvalidLine: no shell could run it.
    """
    if not isinstance(script, str):
        raise InvalidLine(f"the script of {name} is not text")
    if not script.strip():
        raise InvalidLine("empty script")
    if "\0" in script:
        raise InvalidLine("the script contains a NUL character")
    text = shell_command(script, ()).text if script.startswith("#!") else script
    if len(text.encode()) > MAX_SCRIPT_BYTES:
        raise InvalidLine("the script is longer than Linux allows (128 KiB); put it in a file and run that")
    return script


def _number(fields: Fields, name: str, allowed: range, default: Default) -> int | Default:
    value = fields.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", str(value)) or int(str(value)) not in allowed:
        raise InvalidLine(f"{name} '{value}' is not a whole number from {allowed[0]} to {allowed[-1]}")
    return int(str(value))


def _timeout(fields: Fields) -> timedelta | None:
    value = fields.get(col.TIMEOUT)
    if value is None or value == "":
        return None
    try:
        span = parse_duration(str(value))
    except ValueError as error:
        raise InvalidLine(f"Timeout {error}") from None
    if not span:
        raise InvalidLine("Timeout is zero")
    return span


def _memory(fields: Fields) -> int | None:
    value = fields.get(col.MEMORY)
    if value is None or value == "":
        return None
    try:
        size = parse_size(str(value))
    except ValueError as error:
        raise InvalidLine(f"Memory {error}") from None
    if size not in MEMORY:
        raise InvalidLine(f"Memory '{value}' is not from 1 MiB to 1 PiB; a number without a unit is bytes")
    return size


def _folders(fields: Fields) -> Folders:
    value = fields.get(col.FOLDERS)
    if value is None:
        return NO_FOLDERS
    words = value if isinstance(value, list) else [value]
    try:
        return parse_folders(",".join(map(str, words)))
    except ValueError as error:
        raise InvalidLine(f"Folders: {error}") from None
