"""What lets workers know that items have come, for less than looking: one word in the table's own row.

It says nothing but that it changed, and when. It passes by the common pace, and no sending of it is repeated here: who
waits and does not see it change finds items by looking, in its own time, and who goes home has looked as well.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from pyanamo_async.core.stored.queue_key import format_time, parse_time
from pyanamo_async.errors import PyanamoError
from pyanamo_async.store.dynamodb.codec import marshal
from pyanamo_async.store.dynamodb.index_lag import INDEX_LAG_AT_MOST_S
from pyanamo_async.store.dynamodb.schema import NOTIFICATIONS, SCHEMA_VERSION, TABLE_ROW
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import KEY, Update, request

YOUNG = timedelta(seconds=INDEX_LAG_AT_MOST_S)  # the index may not have shown it when this store first looked


class Notifications:
    """Announcements in one table, from the moment its row was read."""

    def __init__(self, table: Table, row: Mapping[str, Any] | None, *, rng: random.Random) -> None:
        self._table, self._rng = table, rng
        self._known = str((row or {}).get(NOTIFICATIONS, ""))
        self._is_first = True

    async def notify(self, now: datetime) -> None:
        """Change the word, if that can be done."""
        word = f"{format_time(now)} {self._rng.getrandbits(32):08x}"
        change = Update(TABLE_ROW, {"Schema_Version": SCHEMA_VERSION}, {(NOTIFICATIONS,): word})
        operation, arguments = request(change, self._table.name)
        with suppress(PyanamoError):
            await self._table.write_alone(self._table.client, operation, arguments)

    async def came(self, now: datetime, *, consistent: bool) -> bool:
        """Tell whether the word changed, or had changed just before this store first looked: half a read unit."""
        asked: Any = {
            "TableName": self._table.name,
            "Key": {KEY: marshal(TABLE_ROW)},
            "ProjectionExpression": NOTIFICATIONS,
        }
        answer = await self._table.call(self._table.client.get_item(**asked, ConsistentRead=consistent))
        known, is_first = self._known, self._is_first
        self._known, self._is_first = answer.get("Item", {}).get(NOTIFICATIONS, {}).get("S", ""), False
        return self._known != known or (is_first and not consistent and _is_young(known, now))


def _is_young(word: str, now: datetime) -> bool:
    return bool(word) and abs(now - parse_time(word.partition(" ")[0])) < YOUNG
