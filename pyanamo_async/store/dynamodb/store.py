"""The table on DynamoDB: a `Store` made of the parts beside it.

Laws:
1. Nothing is assumed of a table before its row `#table` was read, once.
2. A save is fenced by the row's own state, attempt and token, and writes only what changed.
3. A save that finds its own result, from an earlier sending, succeeds.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pyanamo_async.core.items import Counts, Item, State, Summary
from pyanamo_async.core.output_tail import OutputTail, TaskRef
from pyanamo_async.core.stored.record import decode
from pyanamo_async.core.workers import Desired, Orders, Worker
from pyanamo_async.errors import Fenced, ItemMissing
from pyanamo_async.ports import AddResult, Description, Store
from pyanamo_async.store.dynamodb import fleet, lifecycle, output_tails, reading, schema
from pyanamo_async.store.dynamodb.adder import ItemAdder
from pyanamo_async.store.dynamodb.claimer import QueueClaimer
from pyanamo_async.store.dynamodb.notifications import Notifications
from pyanamo_async.store.dynamodb.rows import change, fence, passes_fence
from pyanamo_async.store.dynamodb.table import Reply, Table
from pyanamo_async.store.dynamodb.writes import KEY, Delete, Write

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient


class DynamoStore(Store):
    """A table by name. `urgent` is the client for heartbeats and saves; commands that do neither may leave it out."""

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
        self._rng = rng or random.Random()  # noqa: S311 - scatters claims; no secret
        self._table = Table(table, client, urgent or client, rng=self._rng)
        self._opened: tuple[QueueClaimer, Notifications] | None = None

    async def create(self, *, shards: int, indexes: Sequence[Mapping[str, object]] = ()) -> bool:
        return await lifecycle.create(self._table, shards, indexes)

    async def describe(self) -> Description:
        return await lifecycle.describe(self._table, await self._ensure_opened())

    async def drop(self) -> None:
        await self._ensure_opened()
        self._opened = None
        await lifecycle.drop(self._table)

    async def close(self) -> None:
        await self._table.close()

    async def add(self, items: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
        claimer = await self._claimer()
        try:
            return await ItemAdder(self._table, claimer.shards, rng=self._rng).add(items, replace=replace)
        finally:
            for item in items:
                claimer.note_write(item)

    async def existing(self, item_ids: Sequence[str]) -> set[str]:
        await self._ensure_opened()
        return {str(row[KEY]) for row in await self._table.get_many(item_ids, only=KEY)}

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        return await (await self._claimer()).claim(worker, limit=limit, now=now, state=state)

    async def next_due(self, *, state: State = State.TODO, consistent: bool = False) -> datetime | None:
        return await (await self._claimer()).next_due(state, consistent=consistent)

    async def save(self, before: Item, after: Item) -> None:
        claimer = await self._claimer()
        write = change(before, after, shards=claimer.shards, tiebreak=self._tiebreak())
        reply = await self._write(write, claimer, before, after)
        if not reply.met:
            row = reply.row or await self._table.get(before.item_id, urgent=True)
            if row is None or not passes_fence(row, after):
                raise Fenced(f"item '{before.item_id}' is no longer as it was seen")

    async def remove(self, before: Item) -> None:
        reply = await self._write(Delete(before.item_id, fence(before)), await self._claimer(), before)
        if not reply.met:
            row = reply.row or await self._table.get(before.item_id, urgent=True)
            if row is not None or not reply.resent:
                raise Fenced(f"item '{before.item_id}' is no longer as it was seen")

    notifications_every_s = 6.0

    async def notify(self, *, now: datetime) -> None:
        _, notifications = await self._open()
        await notifications.notify(now)

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:
        claimer, notifications = await self._open()
        if came := await notifications.came(now, consistent=consistent):
            claimer.expire_heads()
        return came

    async def read(self, item_id: str) -> Item:
        await self._ensure_opened()
        row = await self._table.get(item_id)
        if row is None or "ItemState" not in row:
            raise ItemMissing(f"there is no item '{item_id}' in {self._table.what}", hint="`pyanamo list` shows them")
        return decode(row)

    async def summaries(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Summary]:
        shards = await self._ensure_opened()
        async for line in reading.summaries(self._table, shards, state=state, sample=sample):
            yield line

    async def items(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Item]:
        await self._ensure_opened()
        async for item in reading.items(self._table, state=state, sample=sample):
            yield item

    async def counts(self) -> Counts:
        return await reading.count(self._table, await self._ensure_opened())

    def service_time(self, *, now: datetime) -> datetime:
        return self._service_time(now)

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        await self._ensure_opened()
        return await fleet.heartbeat(self._table, worker, registered=registered)

    async def mark_dead(self, worker: Worker) -> bool:
        await self._ensure_opened()
        return await fleet.mark_dead(self._table, worker)

    async def heartbeats(
        self, *, since: datetime | None = None, until: datetime | None = None, most: int | None = None
    ) -> Mapping[str, datetime]:
        await self._ensure_opened()
        return await fleet.heartbeats(self._table, since, until, most)

    async def order(self, worker_id: str, desired: Desired) -> None:
        await self._ensure_opened()
        await fleet.order(self._table, worker_id, desired)

    async def follow(self, worker_id: str, task: TaskRef, *, until: datetime | None) -> None:
        await self._ensure_opened()
        if until is None:
            await output_tails.unsubscribe(self._table, worker_id, task)
        else:
            await output_tails.subscribe(self._table, worker_id, task, until)

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:  # noqa: ARG002 # the port's
        return None  # a read would cost what a heartbeat does

    async def publish(self, task: TaskRef, tail: OutputTail, *, now: datetime) -> bool:
        await self._ensure_opened()
        return await output_tails.publish(self._table, task, tail, now)

    async def published(self, task: TaskRef) -> OutputTail | None:
        await self._ensure_opened()
        return await output_tails.published(self._table, task)

    async def workers(self, *, of: Collection[str] | None = None) -> list[Worker]:
        await self._ensure_opened()
        return await fleet.workers(self._table, of)

    async def forget(self, worker_id: str) -> None:
        await self._ensure_opened()
        await output_tails.clear(self._table, await fleet.forget(self._table, worker_id))

    async def held(self, worker_id: str) -> list[Item]:
        return await reading.held(self._table, await self._ensure_opened(), worker_id)

    async def _write(self, write: Write, claimer: QueueClaimer, *forms: Item) -> Reply:
        try:
            return await self._table.save(write)
        finally:
            claimer.note_write(*forms)

    async def _open(self) -> tuple[QueueClaimer, Notifications]:
        """Read the table row, the first time, and check that the table is one of ours."""
        if self._opened is None or self._table.gone:
            row = await self._table.get(schema.TABLE_ROW)
            claimer = QueueClaimer(self._table, schema.shards_of(row, self._table.name), rng=self._rng)
            self._opened = claimer, Notifications(self._table, row, rng=self._rng)
            self._table.gone = False
        return self._opened

    async def _claimer(self) -> QueueClaimer:
        claimer, _ = await self._open()
        return claimer

    async def _ensure_opened(self) -> int:
        return (await self._claimer()).shards

    def _tiebreak(self) -> str:
        return f"{self._rng.getrandbits(32):08x}"
