"""The output of many tasks: one after the other, or each in a file.

1. A task whose output cannot be read costs itself alone: it is told, and the others are read.
2. A file under its own name is complete; one that exists is replaced.
3. Files are called `<itemID>.stdout`, or of nested items `<itemID>/<task>.stdout`, with the names of an output folder,
   of which no two differ in case alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from pyanamo_async.core.selection import Selection
from pyanamo_async.core.values import Value
from pyanamo_async.errors import OutputError
from pyanamo_async.operate.batches import batches
from pyanamo_async.operate.logs import LogReader, TaskLog
from pyanamo_async.operate.saving import not_written, save_file
from pyanamo_async.operate.selecting import select_tasks
from pyanamo_async.outputs.keys import folder_name
from pyanamo_async.ports import Store

AT_ONCE = 8  # files that are written together


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


async def save_logs(
    found: AsyncIterator[FoundLog], folder: Path, *, umask: int, unreadable: Callable[[FoundLog, OutputError], None]
) -> AsyncIterator[Path]:
    """Write each stream into a file of the folder, and yield its path; the folder is made if it is missing.

    Raises:
        OutputError: a file cannot be written.
    """
    async for batch in batches(found, AT_ONCE):
        for path in await _save(batch, folder, umask, unreadable):
            yield path


async def _save(
    batch: Sequence[FoundLog], folder: Path, umask: int, unreadable: Callable[[FoundLog, OutputError], None]
) -> list[Path]:
    async def save(found: FoundLog) -> Path | None:
        path = folder / _path(found)
        try:
            await save_file(found.log, path, umask)
        except OSError as error:
            raise not_written(path, error) from error
        except OutputError as error:
            unreadable(found, error)
            return None
        return path

    return [path for path in await asyncio.gather(*map(save, batch)) if path]


def _path(found: FoundLog) -> Path:
    name = folder_name(found.item_id)
    return Path(name, f"{folder_name(found.task)}.{found.stream}") if found.task else Path(f"{name}.{found.stream}")
