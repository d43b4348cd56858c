"""Delete the stored output of what was deleted, wherever it was stored.

1. The row goes first: who is interrupted leaves output that nobody refers to, and no row without its output.
2. Output is removed from where it goes now, from where the records say that it is, and from where that was moved.
3. What a record names and is in none of these places, or cannot be removed, is remembered: somebody has to know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pyanamo_async.core.folders import folders_of
from pyanamo_async.core.items import Item, Task
from pyanamo_async.core.object_names import is_of, results_index
from pyanamo_async.core.results import CheckpointUse
from pyanamo_async.errors import OutputError, OutputMissing, PyanamoError
from pyanamo_async.operate.logs import STREAMS, find_stored
from pyanamo_async.outputs.keys import NAMED_BY_KEY, run_name
from pyanamo_async.ports import ObjectKey, ObjectStore, OutputKey, OutputStore

AT_ONCE = 16

Stores = tuple[OutputStore, ObjectStore]


@dataclass(frozen=True, slots=True)
class OutputRemover:
    """Removes the output and files of tasks that were deleted, of all their attempts; `namespace` is the table's.

    `stores` are where output goes now; `open_at` opens those that hold the folder of a task. `places` returns where an
    output, or a folder of results, may be. `not_found` are locations of records where nothing was, and `not_removed`
    those of what may still be there.
    """

    stores: Stores
    namespace: str
    open_at: Callable[[str], Awaitable[Stores]]
    places: Callable[[str], Sequence[str]]
    not_found: list[str] = field(default_factory=list)
    not_removed: list[str] = field(default_factory=list)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def __call__(self, before: Item, after: Item | None) -> None:
        """Remove what tasks printed, and left as files, that are no longer there."""
        kept = {task.name for task in after.tasks} if after else set()
        for task in before.tasks:
            if task.name not in kept:
                await self._remove_of(before, task)

    async def _remove_of(self, item: Item, task: Task) -> None:
        own = self.stores[1].location(ObjectKey(self.namespace, item.item_id, task.name, ""))
        folders = {own: self.stores}
        for recorded in _recorded(task):
            if not (its := task_folder(recorded)):
                self.not_removed.append(recorded)  # in CloudWatch Logs, or where another program stored it
                continue
            places = [*self.places(recorded), own + recorded.removeprefix(its)]
            for folder in map(task_folder, places):
                if folder not in folders:
                    folders[folder] = await self.open_at(folder)
            if not await self._is_stored(places, folders):
                self.not_found.append(recorded)
        names = [
            run_name(OutputKey(self.namespace, item.item_id, task.name, attempt, stream, item.mark))
            for attempt in range(1, item.attempt + 1)
            for stream in STREAMS
        ]
        for folder, (outputs, objects) in folders.items():
            await self._remove((f"{folder}{name}.gz" for name in names), outputs.remove)
            if has_files(task):
                files = [each.location async for each in objects.below(folder) if is_of(each.path, item.mark)]
                await self._remove(files, objects.remove)

    async def _is_stored(self, places: Sequence[str], folders: dict[str, Stores]) -> bool:
        """Return whether something is in one of these places, unless it cannot be told: removing it will say more."""

        async def open_at(location: str) -> OutputStore | ObjectStore:
            outputs, objects = folders[task_folder(location)]
            return outputs if location.endswith(NAMED_BY_KEY) else objects

        locations = (results_index(each) if each.endswith("/") else each for each in places)
        try:
            async with self._room:
                await find_stored(dict.fromkeys(locations), open_at)
        except OutputMissing:
            return False
        except PyanamoError:
            return True
        return True

    async def _remove(self, locations: Iterable[str], remove: Callable[[str], Awaitable[None]]) -> None:
        async def remove_one(location: str) -> None:
            try:
                async with self._room:
                    await remove(location)
            except OutputError:
                self.not_removed.append(location)

        await asyncio.gather(*map(remove_one, locations))


def task_folder(location: str) -> str:
    """Return the folder of the task whose output, results or list of results are at a location; empty for others."""
    names = 3 if location.endswith("/") else 2 if location.endswith("/results.json") else 1
    if names == 1 and not location.endswith(NAMED_BY_KEY):
        return ""
    return "".join(f"{name}/" for name in location.split("/")[:-names])


def has_files(task: Task) -> bool:
    """Return whether a task may have stored files: it asked for a folder, or a worker's settings did."""
    left = task.record and (task.record.results.at or task.record.checkpoint != CheckpointUse())
    return bool(folders_of(task.script) or left)


def _recorded(task: Task) -> list[str]:
    record = task.record
    return [each for each in (record.stdout.at, record.stderr.at, record.results.at) if each] if record else []
