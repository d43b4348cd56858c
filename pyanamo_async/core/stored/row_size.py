"""How large a row is, and how large it could become.

DynamoDB refuses rows over 400 KB. A row that outgrew the limit could never be settled, so import refuses an item whose
scripts, with the largest record that each task may leave, could get there. Sizes are counted as in the DynamoDB
Developer Guide, "Item sizes and formats".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pyanamo_async.core.items import Item, Output, State, Task, TaskRecord, TaskState
from pyanamo_async.core.outcomes import Failed
from pyanamo_async.core.stored.budget import STATUS_BYTES, inline_bytes
from pyanamo_async.core.stored.record import encode
from pyanamo_async.core.stored.task_record import STDERR, STDOUT, encode_record
from pyanamo_async.core.transitions import HISTORY_LENGTH, REASON_LENGTH

MAX_ROW_BYTES = 400 * 1024
COLLECTION_BYTES = 3  # of a map or list, and one byte more for each member

LOCATION_BYTES = 160  # bucket, prefix, table, task and attempt
NAME_BYTES = 200  # of an id in a location; longer ids are cut there


def stored_bytes(value: object) -> int:
    """Return the bytes of a value as DynamoDB counts them: text as UTF-8, numbers with two digits a byte."""
    match value:
        case str():
            return len(value.encode())
        case Mapping():
            return COLLECTION_BYTES + sum(1 + stored_bytes(key) + stored_bytes(each) for key, each in value.items())
        case list():
            return COLLECTION_BYTES + sum(1 + stored_bytes(each) for each in value)
        case _:
            return len(str(value)) // 2 + 2


def row_ceiling(item: Item) -> int:
    """Return how many bytes an item's row may grow to, whatever its attempts record."""
    id_bytes = len(item.item_id.encode())
    location = LOCATION_BYTES + min(NAME_BYTES, 3 * id_bytes)  # quoting may triple the bytes of an id
    status_or_location = max(STATUS_BYTES, location)  # no record has both
    per_task = _TASK_BYTES + 2 * (status_or_location + inline_bytes(len(item.tasks)))
    scripts = sum(len(task.script.encode()) for task in item.tasks)
    return _ROW_BYTES + id_bytes + len(item.sample.encode()) + scripts + per_task * len(item.tasks)


_LARGE = 10**15  # a petabyte
_SECONDS = 123456789.123456
_NAME = "x" * 128  # longer than any worker's id or token
_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_SENTENCE = "\N{GRINNING FACE}" * REASON_LENGTH  # four bytes a character: a script's own words
_OUTPUT = Output(size_bytes=_LARGE, lines=_LARGE)
_RECORD = TaskRecord(
    outcome=Failed(signal=9, detail="x" * 64),
    started=_TIME,
    finished=_TIME,
    seconds=_SECONDS,
    attempt=1000,
    worker="x" * 64,
    max_rss_bytes=_LARGE,
    cpu_seconds=_SECONDS,
    stdout=_OUTPUT,
    stderr=_OUTPUT,
)
_TASK = Task(name="Task_000", script="", state=TaskState.FAILED, attempts=1000, failures=1000)
_ITEM = Item(
    item_id="",
    sample="",
    tasks=(_TASK,),
    nested=True,
    state=State.WALL_TIME_EXCEEDED,
    priority=0,
    max_failures=1,
    timeout=timedelta(seconds=1),
    attempt=1,
    token=_NAME,
    worker=_NAME,
    locked_at=_TIME,
    done_at=_TIME,
    not_before=_TIME,
    crashes=1,
    interruptions=1,
    wall_time_kills=1,
    reason=_SENTENCE,
    history=(_SENTENCE,) * HISTORY_LENGTH,
)
_PLACE = {"itemID": "", "taskID": "", "Log": {}, "Log_Length": 1, "Queue": "Wall_Time_Exceeded#999", "Queue_Key": _NAME}
_ROW_BYTES = stored_bytes(encode(_ITEM)) + stored_bytes(_PLACE)
_TASK_BYTES = stored_bytes(encode(_ITEM)["TaskScript"]) + stored_bytes(
    {_TASK.name: dict.fromkeys((*STDOUT, *STDERR), "") | encode_record(_RECORD)}
)
