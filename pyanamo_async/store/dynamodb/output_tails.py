"""What is followed: a wish in the worker's row, which beats read, and beside it a row for what is published.

That row stands as long as somebody asks: publishing is a conditional write on it, so a wish that was withdrawn ends it.
Every such row can be found from the row of its worker, and goes with it. Rows of items are never touched.
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
from pyanamo_async.store.dynamodb.table import Table, together
from pyanamo_async.store.dynamodb.writes import KEY

LIVE_ROW = "#live#"
STREAMS = ("Stdout", "Stderr")


async def ask(table: Table, worker_id: str, feed: TaskRef, until: datetime) -> None:
    """Leave a wish, the place for its answer first: a worker that is told of it may publish at once."""
    await table.asking(
        table.client.update_item(
            TableName=table.name,
            Key=_key(feed),
            UpdateExpression="SET Asked_Until = :until",
            ExpressionAttributeValues={":until": marshal(format_time(until))},
        )
    )
    try:
        await change_worker(
            table, worker_id, "SET Following.#feed = :until", {":until": format_time(until)}, {"#feed": str(feed)}
        )
    except ItemMissing:
        await clear(table, [feed])
        raise


async def withdraw(table: Table, worker_id: str, feed: TaskRef) -> None:
    """Take a wish back."""
    await clear(table, [feed])
    try:
        await change_worker(table, worker_id, "REMOVE Following.#feed", {}, {"#feed": str(feed)})
    except ItemMissing:
        return  # nobody is left who could publish


async def publish(table: Table, feed: TaskRef, live: OutputTail, now: datetime) -> bool:
    """Write over what was published, if somebody still asks for it."""
    values = {":now": format_time(now)} | {
        f":{name}": {"Text": piece.data.decode("latin-1"), "End": piece.end}  # byte for byte; ASCII takes no more
        for name, piece in zip(STREAMS, (live.stdout, live.stderr), strict=True)
    }
    request = {
        "TableName": table.name,
        "Key": _key(feed),
        "UpdateExpression": f"SET {', '.join(f'{name} = :{name}' for name in STREAMS)}",
        "ConditionExpression": "Asked_Until > :now",
        "ExpressionAttributeValues": marshal_row(values),
    }
    return (await table.write_alone(table.client, "update_item", request)).met


async def published(table: Table, feed: TaskRef) -> OutputTail | None:
    """Read what was published last."""
    row = await table.get(_name(feed))
    return None if row is None else OutputTail(*(_piece(row.get(name)) for name in STREAMS))


async def clear(table: Table, feeds: Iterable[TaskRef]) -> None:
    """Delete what was published."""
    await together(table.asking(table.client.delete_item(TableName=table.name, Key=_key(feed))) for feed in feeds)


def _piece(stored: Mapping[str, Any] | None) -> TailChunk:
    return TailChunk(stored["Text"].encode("latin-1"), stored["End"]) if stored else TailChunk()


def _name(feed: TaskRef) -> str:
    return LIVE_ROW + hashlib.sha256(str(feed).encode()).hexdigest()  # an item's id may fill a key by itself


def _key(feed: TaskRef) -> dict[str, Any]:
    return {KEY: marshal(_name(feed))}
