"""Open a table when it is first used; the base class of all parts of the store."""

from __future__ import annotations

import random
from dataclasses import dataclass

from pyanamo_async.core.queue_lanes import TAKES_ALL, Lane, WorkerKind
from pyanamo_async.core.stored.bad_rows import BadRows
from pyanamo_async.store.dynamodb import schema
from pyanamo_async.store.dynamodb.claimer import QueueClaimer
from pyanamo_async.store.dynamodb.lanes import QueueLanes, lanes_of
from pyanamo_async.store.dynamodb.rows import TABLE_ROW
from pyanamo_async.store.dynamodb.table import Table


@dataclass(slots=True)
class Opened:
    """What is known of a table: its queues, and the last notification (`has_looked`: since the table was opened)."""

    claimer: QueueClaimer
    word: str
    has_looked: bool = False


class OpenedTable:
    """Nothing is assumed of a table before its row `#table` was read, once."""

    _table: Table
    _rng: random.Random
    bad_rows: BadRows
    kind: WorkerKind = TAKES_ALL
    _opened: Opened | None = None

    async def _open(self) -> Opened:
        """Read the table row, the first time, and check that the table is one of ours."""
        if self._opened is None or self._table.gone:
            row = await self._table.get(TABLE_ROW) or {}
            shards = schema.shards_of(row, self._table.name)
            lanes = QueueLanes(row)
            claimer = QueueClaimer(self._table, shards, lanes, rng=self._rng, bad_rows=self.bad_rows)
            self._opened = Opened(claimer, word=str(row.get(schema.NOTIFICATIONS, "")))
            self._table.gone = False
        self._opened.claimer.lanes.kind = self.kind
        return self._opened

    async def _lanes(self) -> set[Lane]:
        """Return the lanes that the table's row names now."""
        was_open = self._opened is not None
        lanes = (await self._open()).claimer.lanes
        if was_open:
            lanes.learn(lanes_of(await self._table.get(TABLE_ROW) or {}))
        return {*lanes.known}

    async def _shards(self) -> int:
        return (await self._open()).claimer.shards

    def _tiebreak(self) -> str:
        """Return what scatters items within their priority."""
        return f"{self._rng.getrandbits(32):08x}"
