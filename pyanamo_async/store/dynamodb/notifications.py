"""Notifications that items were added or put back: one word in the table's own row, for less than a look at a queue.

The word says nothing but that it changed, and when. Writing it is not slowed down with imports, and never repeated: a
worker that waits and misses it finds items by looking, and one that goes home has looked as well.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

from pyanamo_async.core.stored.queue_key import format_time, time_in
from pyanamo_async.errors import PyanamoError
from pyanamo_async.ports import INDEX_LAG_AT_MOST, Notifications
from pyanamo_async.store.dynamodb.codec import marshal, unmarshal_row
from pyanamo_async.store.dynamodb.lanes import NAMING, lanes_of
from pyanamo_async.store.dynamodb.opening import OpenedTable
from pyanamo_async.store.dynamodb.rows import TABLE_ROW
from pyanamo_async.store.dynamodb.schema import NOTIFICATIONS, SCHEMA_VERSION
from pyanamo_async.store.dynamodb.writes import KEY, Update


class DynamoNotifications(OpenedTable, Notifications):
    """The notifications in a table, from the moment its row was read."""

    notifications_every_s = 6.0

    async def notify(self, *, now: datetime) -> None:
        await self._open()
        word = f"{format_time(now)} {self._tiebreak()}"
        with suppress(PyanamoError):
            await self._table.send_alone(
                Update(TABLE_ROW, {"Schema_Version": SCHEMA_VERSION}, {(NOTIFICATIONS,): word})
            )

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:
        """Return also at first that the word had changed just before: the index may not have shown its items yet."""
        opened = await self._open()
        asked: Any = {
            "TableName": self._table.name,
            "Key": {KEY: marshal(TABLE_ROW)},
            "ProjectionExpression": ", ".join((NOTIFICATIONS, *NAMING)),  # half a read unit
        }
        answer = await self._table.call(self._table.client.get_item(**asked, ConsistentRead=consistent))
        before, is_first = opened.word, not opened.has_looked
        row = unmarshal_row(answer.get("Item", {}))
        opened.word, opened.has_looked = str(row.get(NOTIFICATIONS, "")), True
        came = opened.claimer.lanes.learn(lanes_of(row))  # somebody needs another kind of worker
        came |= opened.word != before or (is_first and not consistent and _is_recent(before, now))
        if came:
            opened.claimer.expire_heads()
        return came


def _is_recent(word: str, now: datetime) -> bool:
    time = time_in(word.partition(" ")[0])
    return time is not None and abs(now - time) < INDEX_LAG_AT_MOST
