"""Output tails: a subscription in the worker's row, which heartbeats read, and a row of its own for what is published.

Laws:
1. The row for the tail exists as long as somebody subscribes: publishing is a conditional write on it, so that
   unsubscribing ends it.
2. Every such row is found from the row of its worker, and deleted with it. Rows of items are never touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from pyanamo_async.core.output_tail import OutputTail, TailChunk, TaskRef
from pyanamo_async.core.stored.columns import mapping, read_as
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.stored.worker_row import read_chunk, read_orders
from pyanamo_async.core.workers import Desired
from pyanamo_async.errors import ItemMissing
from pyanamo_async.ports import OutputTails
from pyanamo_async.store.dynamodb.codec import marshal, marshal_row, unmarshal_row
from pyanamo_async.store.dynamodb.fleet import DynamoWorkers, following_of, row_id
from pyanamo_async.store.dynamodb.rows import TAIL_ROW
from pyanamo_async.store.dynamodb.table import gather_all
from pyanamo_async.store.dynamodb.writes import KEY

STREAMS = ("Stdout", "Stderr")


class DynamoOutputTails(DynamoWorkers, OutputTails):
    """The output tails of a table."""

    async def follow(self, worker_id: str, task: TaskRef, *, until: datetime | None) -> None:
        await self._open()
        if until is None:
            await self._unfollow(worker_id, task)
            return
        time = format_time(until)  # the row for the tail comes first, as the worker may publish at once
        request = self._table.client.update_item(
            TableName=self._table.name,
            Key=_key(task),
            UpdateExpression="SET Asked_Until = :until",
            ExpressionAttributeValues={":until": marshal(time)},
        )
        await self._table.call(request)
        try:
            await self._change_worker(worker_id, {("Following", str(task)): time})
        except ItemMissing:
            await self._delete([task])
            raise

    async def _unfollow(self, worker_id: str, task: TaskRef) -> None:
        await self._delete([task])
        with suppress(ItemMissing):  # no worker is left that could publish
            await self._change_worker(worker_id, {}, removes=[("Following", str(task))])

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:  # noqa: ARG002 # the port's
        return None  # a read would cost what a heartbeat does

    async def publish(self, task: TaskRef, tail: OutputTail, *, now: datetime) -> bool:
        await self._open()
        values = {":now": format_time(now)} | {
            f":{name}": {"Text": chunk.data.decode("latin-1"), "End": chunk.end}  # byte for byte; ASCII takes no more
            for name, chunk in zip(STREAMS, (tail.stdout, tail.stderr), strict=True)
        }
        request = {
            "TableName": self._table.name,
            "Key": _key(task),
            "UpdateExpression": f"SET {', '.join(f'{name} = :{name}' for name in STREAMS)}",
            "ConditionExpression": "Asked_Until > :now",
            "ExpressionAttributeValues": marshal_row(values),
        }
        return (await self._table.write_alone(self._table.client, "update_item", request)).met

    async def published(self, task: TaskRef) -> OutputTail | None:
        await self._open()
        row = await self._table.get(_row_id(task))
        if row is None:
            return None
        found = self.bad_rows.skip([row], _tail)
        return found[0] if found else OutputTail()

    async def forget(self, worker_id: str) -> None:
        await self._open()
        key = {KEY: marshal(row_id(worker_id))}
        request = self._table.client.delete_item(TableName=self._table.name, Key=key, ReturnValues="ALL_OLD")
        row = unmarshal_row((await self._table.call(request)).get("Attributes", {}))
        await self._delete(read_orders(Desired.RUN, following_of(row, "")).following)

    async def _delete(self, tasks: Iterable[TaskRef]) -> None:
        """Delete what was published."""
        table = self._table
        await gather_all(table.call(table.client.delete_item(TableName=table.name, Key=_key(task))) for task in tasks)


def _tail(row: Mapping[str, Any]) -> OutputTail:
    return OutputTail(*(_chunk(read_as(mapping, name, row[name])) if name in row else TailChunk() for name in STREAMS))


def _chunk(stored: Mapping[str, Any]) -> TailChunk:
    return read_chunk(stored["Text"].encode("latin-1"), stored["End"])


def _row_id(task: TaskRef) -> str:
    return TAIL_ROW + hashlib.sha256(str(task).encode()).hexdigest()  # an item's id may fill a key by itself


def _key(task: TaskRef) -> dict[str, Any]:
    return {KEY: marshal(_row_id(task))}
