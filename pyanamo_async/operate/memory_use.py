"""How much memory the latest tasks of a table used, from a few rows, however large the table is.

1. The queue index does not hold it, so the rows of the items that were settled last are read: up to `MOST_ITEMS`, fewer
   once those have `MOST_TASKS` tasks. On DynamoDB that is about one read unit for each.
2. A role that may read the index alone gets no figures.
3. Which tasks count, and how, `core.memory.use` says, for reports as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyanamo_async.core.items import Summary
from pyanamo_async.core.memory.use import MemoryCount, MemoryUse
from pyanamo_async.core.workers import Worker
from pyanamo_async.errors import Denied
from pyanamo_async.ports import ItemReader

MOST_ITEMS, MOST_TASKS = 50, 200


async def memory_use(reader: ItemReader, latest: Iterable[Summary], workers: Iterable[Worker]) -> MemoryUse | None:
    """Return what the tasks of the items that were settled last used; None if there are too few to go by."""
    ids, tasks = list[str](), 0
    for each in latest:
        if len(ids) == MOST_ITEMS or tasks >= MOST_TASKS:
            break
        ids.append(each.item_id)
        tasks += each.tasks
    try:
        items = await reader.read_many(ids) if ids else ()
    except Denied:
        return None
    count = MemoryCount()
    for item in items:
        for task in item.tasks:
            if task.record:
                count.add(item, task.record)
    return count.use(workers)
