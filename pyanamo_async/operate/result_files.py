"""The files that tasks left as their results: list them, and fetch them into a folder.

1. Only what a record names is listed: the results of the attempt that succeeded, all of which are stored.
2. A fetched file under its own name is complete, of the size that was stored. One that exists is replaced.
3. Files keep their paths, below `<itemID>/`, or of nested items `<itemID>/<task>/`, with the names of an output folder.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from pyanamo_async.core.items import Item, Task
from pyanamo_async.core.object_names import object_path, results_index
from pyanamo_async.core.results import ResultFile, decode_results
from pyanamo_async.core.selection import Selection
from pyanamo_async.core.values import Value
from pyanamo_async.errors import OutputError
from pyanamo_async.operate.logs import find_stored
from pyanamo_async.operate.saving import save_all, save_file
from pyanamo_async.operate.selecting import select_tasks
from pyanamo_async.outputs.keys import folder_name
from pyanamo_async.ports import ObjectStore, Store

OpenObjects = Callable[[str], Awaitable[ObjectStore]]
"""Opens what holds a location."""


class TaskFile(Value):
    """A file of a task; `task` is empty for the only task of a single item."""

    item_id: str
    task: str
    path: str
    size_bytes: int
    location: str


async def find_files(
    store: Store, open_at: OpenObjects, places: Callable[[str], Sequence[str]], selection: Selection
) -> AsyncIterator[TaskFile]:
    """Yield the files of all selected tasks; `places` returns where a folder of results may be, likeliest first.

    Raises:
        OutputError: a list of files cannot be read.
    """
    async for item, tasks in select_tasks(store, selection):
        for task in tasks:
            if task.record and (at := task.record.results.at):
                found_at, files = await _listed(open_at, places(at))
                for each in files:
                    yield _file(item, task, each, found_at)


def save_files(found: AsyncIterator[TaskFile], open_at: OpenObjects, folder: Path) -> AsyncIterator[Path]:
    """Fetch files into a folder, which is made if it is missing, and yield their paths.

    Raises:
        OutputError: one cannot be read or written.
    """

    async def save(file: TaskFile, path: Path) -> bool:
        await save_file(_whole(await open_at(file.location), file), path)
        return True

    return save_all(found, lambda file: folder / _path(file), save)


def _file(item: Item, task: Task, file: ResultFile, at: str) -> TaskFile:
    name = task.name if item.nested else ""
    return TaskFile(item.item_id, name, file.path, file.size_bytes, at + object_path(file.path))


async def _listed(open_at: OpenObjects, places: Sequence[str]) -> tuple[str, list[ResultFile]]:
    """Return which of these places has the list of results, and what it lists."""
    place, chunks = await find_stored({results_index(each): each for each in places}, open_at)
    try:
        return place, decode_results(b"".join([chunk async for chunk in chunks]))
    except ValueError as error:
        raise OutputError(f"{results_index(place)} is damaged: {error}") from error


def _path(file: TaskFile) -> Path:
    return Path(*map(folder_name, filter(None, (file.item_id, file.task))), file.path)


async def _whole(objects: ObjectStore, file: TaskFile) -> AsyncIterator[bytes]:
    size_bytes = 0
    if file.size_bytes:
        async for chunk in objects.read(file.location):
            size_bytes += len(chunk)
            yield chunk
    if size_bytes != file.size_bytes:
        raise OutputError(f"{file.location} is not what was stored: it has {size_bytes:,} bytes of {file.size_bytes:,}")
