"""The table on DynamoDB: a `Store` made of the parts beside it.

Laws:
1. Nothing is assumed of a table before its row `#table` was read, once.
2. A save is fenced by the row's own state, attempt and token, and writes only what changed.
3. A save that finds its own result, from an earlier sending, succeeds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.stored.bad_rows import BadRows
from pyanamo_async.errors import BadRow, Fenced
from pyanamo_async.ports import AddResult, Store
from pyanamo_async.store.dynamodb.adder import ItemAdder
from pyanamo_async.store.dynamodb.claimer import QueueClaimer
from pyanamo_async.store.dynamodb.lanes import last_attempts_after
from pyanamo_async.store.dynamodb.lifecycle import DynamoAdmin
from pyanamo_async.store.dynamodb.notifications import DynamoNotifications
from pyanamo_async.store.dynamodb.output_tails import DynamoOutputTails
from pyanamo_async.store.dynamodb.reading import DynamoReader
from pyanamo_async.store.dynamodb.rows import TABLE_ROW, adopting, change, fence, passes_fence
from pyanamo_async.store.dynamodb.table import Reply, Table
from pyanamo_async.store.dynamodb.writes import Delete, Write

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient


class DynamoStore(DynamoAdmin, DynamoReader, DynamoNotifications, DynamoOutputTails, Store):
    """A table by name. `urgent` is the client for heartbeats, claims and saves; commands without may leave it out."""

    def __init__(
        self,
        table: str,
        client: DynamoDBClient,
        urgent: DynamoDBClient | None = None,
        *,
        rng: random.Random | None = None,
        service_time: Callable[[datetime], datetime] = lambda now: now,
    ) -> None:
        self._service_time = service_time
        self.bad_rows = BadRows()
        self._rng = rng or random.Random()  # noqa: S311 - scatters claims; no secret
        self._table = Table(table, client, urgent or client, rng=self._rng)

    async def add(self, items: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
        claimer = (await self._open()).claimer
        await claimer.lanes.name(self._table, items)
        try:
            return await ItemAdder(self._table, claimer.shards, rng=self._rng).add(items, replace=replace)
        finally:
            for item in items:
                claimer.note_write(item)

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        return await (await self._open()).claimer.claim(worker, limit=limit, now=now, state=state)

    @property
    def has_unanswered_claims(self) -> bool:
        return self._opened is not None and self._opened.claimer.has_unanswered

    async def next_due(self, *, state: State = State.TODO, consistent: bool = False) -> datetime | None:
        return await (await self._open()).claimer.next_due(state, consistent=consistent)

    async def save(self, before: Item, after: Item) -> None:
        claimer = (await self._open()).claimer
        await claimer.lanes.name(self._table, [after])
        write = change(before, after, shards=claimer.shards, tiebreak=self._tiebreak())
        reply = await self._write(write, claimer, before, after)
        if not reply.met:
            row = reply.row or await self._table.get(before.item_id, urgent=True)
            if row is None or not passes_fence(row, after):
                raise Fenced(f"item '{before.item_id}' is no longer as it was seen")

    async def remove(self, before: Item) -> None:
        reply = await self._write(Delete(before.item_id, fence(before)), (await self._open()).claimer, before)
        if not reply.met:
            row = reply.row or await self._table.get(before.item_id, urgent=True)
            if row is not None or not reply.resent:
                raise Fenced(f"item '{before.item_id}' is no longer as it was seen")

    async def adopt(self, bad: BadRow, item: Item) -> bool:
        claimer = (await self._open()).claimer
        await claimer.lanes.name(self._table, [item])
        write = adopting(bad.row, item, shards=claimer.shards, tiebreak=self._tiebreak())
        reply = await self._write(write, claimer, item)
        row = reply.row or (await self._table.get(item.item_id) if reply.resent else None)
        return reply.met or (row is not None and row.get("Mark") == item.mark and passes_fence(row, item))

    async def last_attempts_after(self) -> int | None:
        await self._open()
        return last_attempts_after(await self._table.get(TABLE_ROW, urgent=True) or {})

    async def leave_last_attempts(self, after: int | None) -> None:
        await (await self._open()).claimer.lanes.leave_last_attempts(self._table, after)

    async def bury(self, bad: BadRow, *, now: datetime) -> bool:
        return await (await self._open()).claimer.bury(bad, now=now)

    async def _write(self, write: Write, claimer: QueueClaimer, *forms: Item) -> Reply:
        try:
            return await self._table.save(write)
        finally:
            claimer.note_write(*forms)
