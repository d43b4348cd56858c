"""How much memory the latest tasks of a table used, from a few rows, however large the table is.

1. The queue index does not hold it, so the rows of the items that were settled last are read: up to `MOST_ITEMS`, fewer
   once those have `MOST_TASKS` tasks. On DynamoDB that is about one read unit for each.
2. A role that may read the index alone gets no figures.
3. Tasks that ran for less than a second do not count: before the first sample only an upper bound is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyanamo_async.core.items import Item, Summary
from pyanamo_async.core.memory.advice import MemoryUse, Reserved
from pyanamo_async.core.memory.needs import ENOUGH, PERCENTILE, quantile
from pyanamo_async.core.outcomes import Interrupted
from pyanamo_async.errors import Denied
from pyanamo_async.ports import ItemReader

MOST_ITEMS, MOST_TASKS = 50, 200
SHORTEST_S = 1.0


async def memory_use(reader: ItemReader, latest: Iterable[Summary], reserved: Reserved | None) -> MemoryUse | None:
    """Return what the tasks of the items that were settled last used; None if there are too few to go by."""
    ids, tasks = list[str](), 0
    for each in latest:
        if len(ids) == MOST_ITEMS or tasks >= MOST_TASKS:
            break
        ids.append(each.item_id)
        tasks += each.tasks
    try:
        return used_by(await reader.read_many(ids) if ids else (), reserved)
    except Denied:
        return None


def used_by(items: Sequence[Item], reserved: Reserved | None) -> MemoryUse | None:
    """Return what the tasks of items used; None if fewer than three have a figure."""
    told = [
        (item, task.record)
        for item in items
        for task in item.tasks
        if task.record
        and task.record.max_rss_bytes
        and task.record.seconds >= SHORTEST_S
        and not isinstance(task.record.outcome, Interrupted)
    ]
    if len(told) < ENOUGH:
        return None
    peaks = [record.max_rss_bytes or 0 for _, record in told]
    asked = [item.memory_bytes for item, _ in told if item.memory_bytes is not None]
    busy = [(record.cpu_seconds, record.seconds) for _, record in told if record.cpu_seconds is not None]
    return MemoryUse(
        tasks=len(told),
        typical_bytes=quantile(peaks, PERCENTILE),
        largest_bytes=max(peaks),
        asked_bytes=sum(asked) // len(asked) if asked else None,
        cpus=sum(item.cpus for item, _ in told) / len(told),
        busy_cpus=sum(cpu_s for cpu_s, _ in busy) / sum(ran_s for _, ran_s in busy) if busy else None,
        reserved=reserved,
    )
