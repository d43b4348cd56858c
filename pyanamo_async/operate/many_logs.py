"""The output of many tasks: one after the other, or each in a file.

1. A task whose output cannot be read costs itself alone: it is told, and the others are read.
2. A file under its own name is complete; one that exists is replaced.
3. Files are called `<itemID>.stdout`, or of nested items `<itemID>/<task>.stdout`, with the names of an output folder,
   of which no two differ in case alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from pyanamo_async.core.selection import Selection
from pyanamo_async.core.values import Value
from pyanamo_async.errors import OutputError
from pyanamo_async.operate.logs import LogReader, TaskLog
from pyanamo_async.operate.saving import save_all, save_file
from pyanamo_async.operate.selecting import select_tasks
from pyanamo_async.outputs.keys import folder_name
from pyanamo_async.ports import Store


class FoundLog(Value):
    """One stream of the last attempt at a task; `task` is empty for the only task of a single item."""

    item_id: str
    task: str
    stream: str
    log: TaskLog


async def find_logs(
    store: Store, reader: LogReader, selection: Selection, streams: Sequence[str], *, tail: int | None
) -> AsyncIterator[FoundLog]:
    """Find the streams of all selected tasks of which an attempt has ended."""
    async for item, tasks in select_tasks(store, selection):
        for task in tasks:
            if task.record:
                for stream in streams:
                    log = await reader.find(item, task, stream, tail=tail)
                    yield FoundLog(item.item_id, task.name if item.nested else "", stream, log)


def save_logs(
    found: AsyncIterator[FoundLog], folder: Path, *, unreadable: Callable[[FoundLog, OutputError], None]
) -> AsyncIterator[Path]:
    """Write each stream into a file of the folder, and yield its path; the folder is made if it is missing.

    Raises:
        OutputError: a file cannot be written.
    """

    async def save(each: FoundLog, path: Path) -> bool:
        try:
            await save_file(each.log, path)
        except OutputError as error:
            unreadable(each, error)
            return False
        return True

    return save_all(found, lambda each: folder / _path(each), save)


def _path(found: FoundLog) -> Path:
    name = folder_name(found.item_id)
    return Path(name, f"{folder_name(found.task)}.{found.stream}") if found.task else Path(f"{name}.{found.stream}")
