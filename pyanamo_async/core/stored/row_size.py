"""How large a row is, how much output it holds, and how large it could become.

DynamoDB refuses rows over 400 KB. A row that outgrew the limit could never be settled, so import refuses an item whose
scripts, with the largest record that each task may leave, could get there. Sizes are counted as in the DynamoDB
Developer Guide, "Item sizes and formats".

Each write is charged by the size of the whole row. So output has a budget for each item, shared by its tasks: enough to
read at a glance when they are few, less when they are many.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyanamo_async.core.folders import Folder, folders_of
from pyanamo_async.core.items import Item

MAX_ROW_BYTES = 400 * 1024
INLINE_BYTES = 2048  # of one stream of one task
ITEM_OUTPUT_BYTES = 64 * 1024  # of all streams of all tasks together
STATUS_BYTES = 240  # of the sentence that says why a stream was not stored
STREAMS = 2
COLLECTION_BYTES = 3  # of a map or list, and one byte more for each member

# the largest of everything else; a test fills a row to these limits
ROW_BYTES = 5584  # without id, sample and tasks
TASK_BYTES = 580  # of a task and its record, without script, locations and output
RESULTS_BYTES = 64  # of what a record says of results, without their location
CHECKPOINT_BYTES = 240  # of what a task and its record say of checkpoints
LOCATION_BYTES = 170  # bucket, prefix, table, task, attempt and mark
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


def inline_bytes(tasks: int) -> int:
    """Return how many bytes of each stream a record may hold when its item has `tasks` tasks: 2,048 for up to 16."""
    return min(INLINE_BYTES, ITEM_OUTPUT_BYTES // (STREAMS * tasks))


def row_ceiling(item: Item) -> int:
    """Return how many bytes an item's row may grow to, whatever its attempts record."""
    id_bytes = len(item.item_id.encode())
    location = LOCATION_BYTES + min(NAME_BYTES, 3 * id_bytes)  # quoting may triple the bytes of an id
    status_or_location = max(STATUS_BYTES, location)  # no record has both
    per_task = TASK_BYTES + 2 * (status_or_location + inline_bytes(len(item.tasks)))
    each_has = {Folder.RESULTS: RESULTS_BYTES + location, Folder.CHECKPOINT: CHECKPOINT_BYTES, Folder.SCRATCH: 0}
    folders = sum(each_has[folder] for task in item.tasks for folder in folders_of(task.script, item.folders))
    scripts = sum(len(task.script.encode()) for task in item.tasks)
    return ROW_BYTES + id_bytes + len(item.sample.encode()) + scripts + per_task * len(item.tasks) + folders
