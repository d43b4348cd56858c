"""What lets workers that wait know that items have come, for less than looking: one word in the table's own row.

It says nothing but that it changed. Whoever does not see it change finds items by looking, in its own time.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from pyanamo_async.errors import PyanamoError
from pyanamo_async.store.dynamodb.codec import marshal
from pyanamo_async.store.dynamodb.schema import ANNOUNCED, SCHEMA_VERSION, TABLE_ROW
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import KEY, Update, request


class Announcements:
    """Announcements in one table, from the moment its row was read."""

    def __init__(self, table: Table, row: Mapping[str, Any] | None, *, dice: random.Random) -> None:
        self._table, self._dice = table, dice
        self._known = (row or {}).get(ANNOUNCED)

    async def announce(self) -> None:
        """Change the word, if that can be done: nothing depends on it but how soon others look."""
        word = f"{self._dice.getrandbits(64):016x}"
        change = Update(TABLE_ROW, {"Schema_Version": SCHEMA_VERSION}, {(ANNOUNCED,): word})
        operation, arguments = request(change, self._table.name)
        with suppress(PyanamoError):
            await self._table.write_alone(self._table.client, operation, arguments)

    async def came(self) -> bool:
        """Tell whether the word is another than when it was last read: half a read unit."""
        ask = partial(
            self._table.client.get_item,
            TableName=self._table.name,
            Key={KEY: marshal(TABLE_ROW)},
            ProjectionExpression=ANNOUNCED,
        )
        known, row = self._known, (await self._table.patiently(ask)).get("Item", {})
        self._known = row.get(ANNOUNCED, {}).get("S")
        return self._known != known
