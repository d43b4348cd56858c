"""Put together what removes the stored output of tasks that are deleted."""

from __future__ import annotations

from pyanamo_async.app.locations import root_above
from pyanamo_async.app.resources import Resources
from pyanamo_async.operate.deleting import OutputRemover
from pyanamo_async.ports import ObjectStore, OutputStore


async def output_remover(resources: Resources, namespace: str) -> OutputRemover:
    """Return what removes output of a table, which calls its output `namespace`.

    Raises:
        UsageError: no bucket was given.
    """

    async def open_at(task_folder: str) -> tuple[OutputStore, ObjectStore]:
        root = root_above(task_folder)
        return await resources.outputs(at=root), await resources.objects(at=root)

    stores = await resources.outputs(), await resources.objects()
    return OutputRemover(stores, namespace, open_at, resources.settings.places)
