"""What one store has put back lately: due, although the index may not show it yet."""

from __future__ import annotations

from datetime import datetime

from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.queue_lanes import WorkerKind
from pyanamo_async.core.stored.queue_key import due, lane_in
from pyanamo_async.ports import INDEX_LAG_AT_MOST
from pyanamo_async.store.dynamodb.table import Table

MOST = 100


class ReturnedItems:
    """Items by their ids, and when they were put back, in the loop's time."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._at_s: dict[str, float] = {}

    def note(self, item: Item, *, now_s: float) -> None:
        """Note that this store wrote an item."""
        self._at_s.pop(item.item_id, None)
        if item.state in CLAIMABLE:
            self._at_s[item.item_id] = now_s
        if len(self._at_s) > MOST:
            del self._at_s[next(iter(self._at_s))]

    async def next_due(self, state: State, *, kind: WorkerKind, now_s: float) -> datetime | None:
        """Read the rows themselves, and return when the first of a state that such a worker takes is due."""
        since_s = now_s - INDEX_LAG_AT_MOST.total_seconds()
        rows = await self._table.get_many(key for key, at_s in self._at_s.items() if at_s > since_s)
        keys = [str(row.get("Queue_Key")) for row in rows if row.get("ItemState") == state]
        return min((due(key) for key in keys if kind.takes(lane_in(key))), default=None)
