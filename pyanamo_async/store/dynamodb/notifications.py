"""Notifications that items were added or put back: one word in the table's own row, for less than a look at a queue.

The word says nothing but that it changed, and when. Writing it is not slowed down with claims and imports, and never
repeated: a worker that waits and misses it finds items by looking, and one that goes home has looked as well.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from pyanamo_async.core.stored.queue_key import format_time, parse_time
from pyanamo_async.errors import PyanamoError
from pyanamo_async.ports import INDEX_LAG_AT_MOST
from pyanamo_async.store.dynamodb.codec import marshal
from pyanamo_async.store.dynamodb.schema import NOTIFICATIONS, SCHEMA_VERSION, TABLE_ROW
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import KEY, Update


class NotificationWord:
    """The notifications in one table, from the moment its row was read."""

    def __init__(self, table: Table, row: Mapping[str, Any] | None, *, rng: random.Random) -> None:
        self._table, self._rng = table, rng
        self._word = str((row or {}).get(NOTIFICATIONS, ""))
        self._is_first = True

    async def notify(self, now: datetime) -> None:
        """Change the word, if that can be done."""
        word = f"{format_time(now)} {self._rng.getrandbits(32):08x}"
        change = Update(TABLE_ROW, {"Schema_Version": SCHEMA_VERSION}, {(NOTIFICATIONS,): word})
        with suppress(PyanamoError):
            await self._table.send_alone(change)

    async def came(self, now: datetime, *, consistent: bool) -> bool:
        """Return whether the word changed, or had changed just before this store first looked: half a read unit."""
        asked: Any = {
            "TableName": self._table.name,
            "Key": {KEY: marshal(TABLE_ROW)},
            "ProjectionExpression": NOTIFICATIONS,
        }
        answer = await self._table.call(self._table.client.get_item(**asked, ConsistentRead=consistent))
        before, is_first = self._word, self._is_first
        self._word, self._is_first = answer.get("Item", {}).get(NOTIFICATIONS, {}).get("S", ""), False
        return self._word != before or (is_first and not consistent and _is_recent(before, now))


def _is_recent(word: str, now: datetime) -> bool:
    """Return whether a notification is so recent that the index may not have shown its items yet."""
    return bool(word) and abs(now - parse_time(word.partition(" ")[0])) < INDEX_LAG_AT_MOST
