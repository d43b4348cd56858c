"""Delete the stored output of what was deleted.

The row goes first: who is interrupted leaves output that nobody refers to, and no row without its output.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pyanamo_async.core.folders import folders_of
from pyanamo_async.core.items import Item, Task
from pyanamo_async.core.object_names import is_of
from pyanamo_async.core.results import CheckpointUse
from pyanamo_async.operate.logs import STREAMS
from pyanamo_async.ports import ObjectKey, ObjectStore, OutputKey, OutputStore

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class OutputRemover:
    """Removes the output and files of tasks that were deleted, of all their attempts; `namespace` is the table's."""

    outputs: OutputStore
    objects: ObjectStore
    namespace: str
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def __call__(self, before: Item, after: Item | None) -> None:
        """Remove what tasks printed that are no longer there."""
        kept = {task.name for task in after.tasks} if after else set()
        keys = (
            OutputKey(self.namespace, before.item_id, task.name, attempt, stream, before.mark)
            for task in before.tasks
            if task.name not in kept
            for attempt in range(1, before.attempt + 1)
            for stream in STREAMS
        )
        await asyncio.gather(*map(self._remove, keys))
        for task in before.tasks:
            if task.name not in kept and has_files(task):
                await self._remove_files(ObjectKey(self.namespace, before.item_id, task.name, ""), before.mark)

    async def _remove_files(self, task: ObjectKey, mark: str) -> None:
        files = [each.location async for each in self.objects.below(task) if is_of(each.path, mark)]
        await asyncio.gather(*map(self._remove_file, files))

    async def _remove_file(self, location: str) -> None:
        async with self._room:
            await self.objects.remove(location)

    async def _remove(self, key: OutputKey) -> None:
        async with self._room:
            await self.outputs.remove(key)


def has_files(task: Task) -> bool:
    """Return whether a task may have stored files: it asked for a folder, or a worker's settings did."""
    left = task.record and (task.record.results.at or task.record.checkpoint != CheckpointUse())
    return bool(folders_of(task.script) or left)
