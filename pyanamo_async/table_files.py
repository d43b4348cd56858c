"""The part of Table that has the files which tasks left as their results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from pyanamo_async.table_results import TableResults

if TYPE_CHECKING:
    from pyanamo_async.core.selection import Selection
    from pyanamo_async.operate.result_files import TaskFile


class TableFiles(TableResults):
    """One table of items, and the files of their tasks."""

    async def files(self, selection: Selection) -> AsyncIterator[TaskFile]:
        """Yield the files that selected tasks left in `PYANAMO_RESULTS`, in no order of tasks.

        Each has the `item_id`, the `task` (empty for a single item), its `path`, `size_bytes` and `location`.

        Raises:
            ItemMissing: the selection names ids that the table does not have; the others are found before.
            OutputError: a list of files cannot be read.
        """
        from pyanamo_async.operate.result_files import find_files

        places = self._resources.settings.places
        async for each in find_files(await self._open(), self._resources.objects, places, selection):
            yield each

    async def save_files(self, selection: Selection, folder: str | Path) -> AsyncIterator[Path]:
        """Fetch the files of selected tasks into a folder, and yield the path of each.

        They stand below `<itemID>/`, or of a nested item `<itemID>/<task>/`. One that exists is replaced.

        Raises:
            ItemMissing: the selection names ids that the table does not have; the others are fetched before.
            OutputError: a file cannot be read or written.
        """
        from pyanamo_async.operate.result_files import save_files

        found = self.files(selection)
        async for path in save_files(found, self._resources.objects, Path(folder)):
            yield path
