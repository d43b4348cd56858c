"""A table of ours, opened when it is first used: what all parts of the store build on."""

from __future__ import annotations

import random

from pyanamo_async.store.dynamodb import schema
from pyanamo_async.store.dynamodb.claimer import QueueClaimer
from pyanamo_async.store.dynamodb.notifications import NotificationWord
from pyanamo_async.store.dynamodb.table import Table


class OpenedTable:
    """Nothing is assumed of a table before its row `#table` was read, once."""

    _table: Table
    _rng: random.Random
    _opened: tuple[QueueClaimer, NotificationWord] | None = None

    async def _open(self) -> tuple[QueueClaimer, NotificationWord]:
        """Read the table row, the first time, and check that the table is one of ours."""
        if self._opened is None or self._table.gone:
            row = await self._table.get(schema.TABLE_ROW)
            claimer = QueueClaimer(self._table, schema.shards_of(row, self._table.name), rng=self._rng)
            self._opened = claimer, NotificationWord(self._table, row, rng=self._rng)
            self._table.gone = False
        return self._opened

    async def _shards(self) -> int:
        """Return how many shards the table has."""
        claimer, _ = await self._open()
        return claimer.shards
