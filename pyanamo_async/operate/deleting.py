"""Delete the stored output of what was deleted.

The row goes first: who is interrupted leaves output that nobody refers to, and no row without its output.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from pyanamo_async.core.items import Item
from pyanamo_async.operate.logs import STREAMS
from pyanamo_async.ports import OutputKey, OutputStore

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class OutputRemover:
    """Removes the output of tasks that were deleted, of all their attempts; `namespace` is that of the table."""

    outputs: OutputStore
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

    async def _remove(self, key: OutputKey) -> None:
        async with self._room:
            await self.outputs.remove(key)
