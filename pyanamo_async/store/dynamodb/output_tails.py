"""Output tails: a subscription in the worker's row, which heartbeats read, and a row of its own for what is published.

Laws:
1. The row for the tail exists as long as somebody subscribes: publishing is a conditional write on it, so that
   unsubscribing ends it.
2. Every such row is found from the row of its worker, and deleted with it. Rows of items are never touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pyanamo_async.core.output_tail import OutputTail, TailChunk, TaskRef
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.errors import ItemMissing
from pyanamo_async.store.dynamodb.codec import marshal, marshal_row
from pyanamo_async.store.dynamodb.fleet import change_worker
from pyanamo_async.store.dynamodb.table import Table, gather_all
from pyanamo_async.store.dynamodb.writes import KEY

TAIL_ROW = "#tail#"
STREAMS = ("Stdout", "Stderr")


async def subscribe(table: Table, worker_id: str, task: TaskRef, until: datetime) -> None:
    """Subscribe to a task; the row for its tail comes first, as the worker may publish at once."""
    await table.call(
        table.client.update_item(
            TableName=table.name,
            Key=_key(task),
            UpdateExpression="SET Asked_Until = :until",
            ExpressionAttributeValues={":until": marshal(format_time(until))},
        )
    )
    try:
        await change_worker(
            table, worker_id, "SET Following.#task = :until", {":until": format_time(until)}, {"#task": str(task)}
        )
    except ItemMissing:
        await clear(table, [task])
        raise


async def unsubscribe(table: Table, worker_id: str, task: TaskRef) -> None:
    """End a subscription and delete what was published."""
    await clear(table, [task])
    try:
        await change_worker(table, worker_id, "REMOVE Following.#task", {}, {"#task": str(task)})
    except ItemMissing:
        return  # no worker is left that could publish


async def publish(table: Table, task: TaskRef, tail: OutputTail, now: datetime) -> bool:
    """Replace what was published, if somebody still subscribes."""
    values = {":now": format_time(now)} | {
        f":{name}": {"Text": chunk.data.decode("latin-1"), "End": chunk.end}  # byte for byte; ASCII takes no more
        for name, chunk in zip(STREAMS, (tail.stdout, tail.stderr), strict=True)
    }
    request = {
        "TableName": table.name,
        "Key": _key(task),
        "UpdateExpression": f"SET {', '.join(f'{name} = :{name}' for name in STREAMS)}",
        "ConditionExpression": "Asked_Until > :now",
        "ExpressionAttributeValues": marshal_row(values),
    }
    return (await table.write_alone(table.client, "update_item", request)).met


async def published(table: Table, task: TaskRef) -> OutputTail | None:
    """Read what was published last."""
    row = await table.get(_row_id(task))
    return None if row is None else OutputTail(*(_chunk(row.get(name)) for name in STREAMS))


async def clear(table: Table, tasks: Iterable[TaskRef]) -> None:
    """Delete what was published."""
    await gather_all(table.call(table.client.delete_item(TableName=table.name, Key=_key(task))) for task in tasks)


def _chunk(stored: Mapping[str, Any] | None) -> TailChunk:
    return TailChunk(stored["Text"].encode("latin-1"), stored["End"]) if stored else TailChunk()


def _row_id(task: TaskRef) -> str:
    return TAIL_ROW + hashlib.sha256(str(task).encode()).hexdigest()  # an item's id may fill a key by itself


def _key(task: TaskRef) -> dict[str, Any]:
    return {KEY: marshal(_row_id(task))}
