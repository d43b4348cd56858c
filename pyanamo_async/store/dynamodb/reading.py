"""Read what status and listings need from the queue index, and whole items from the table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pyanamo_async.core.items import Counts, Item, State, Summary
from pyanamo_async.core.stored.queue_key import queue
from pyanamo_async.core.stored.record import decode
from pyanamo_async.store.dynamodb.codec import marshal_row, unmarshal_row
from pyanamo_async.store.dynamodb.rows import QUEUE_INDEX, summary
from pyanamo_async.store.dynamodb.table import Table, gather_all


async def summaries(table: Table, shards: int, *, state: State | None, sample: str | None) -> AsyncIterator[Summary]:
    """List items by state, shard and place in the queue, a page at a time."""
    filters: dict[str, Any] = {}
    if sample is not None:
        filters = {"FilterExpression": "taskID = :sample"}
    for each in [state] if state else State:
        for shard in range(shards):
            values = {":queue": queue(each, shard)} | ({":sample": sample} if sample is not None else {})
            async for page in table.pages(_query(values) | filters):
                for item in page["Items"]:
                    yield summary(unmarshal_row(item))


async def items(table: Table, *, state: State | None, sample: str | None) -> AsyncIterator[Item]:
    """Read items whole, as last written, a page of the table at a time; only rows of items have a state."""
    wanted = {name: value for name, value in (("ItemState", state), ("taskID", sample)) if value is not None}
    conditions = ["attribute_exists(ItemState)", *(f"{name} = :{name}" for name in wanted)]
    query: dict[str, Any] = {"FilterExpression": " AND ".join(conditions), "ConsistentRead": True}
    if wanted:
        query["ExpressionAttributeValues"] = marshal_row({f":{name}": value for name, value in wanted.items()})
    async for page in table.pages(query, scan=True):
        for row in page["Items"]:
            yield decode(unmarshal_row(row))


async def count(table: Table, shards: int) -> Counts:
    """Count items and tasks, all shards at once."""
    return Counts.add_up(
        await gather_all(_count_queue(table, state, shard) for state in State for shard in range(shards))
    )


async def _count_queue(table: Table, state: State, shard: int) -> tuple[State, int, int, int]:
    """Count the items of one queue, their tasks, and those done.

    Only nested items are returned; single ones are counted as those that were filtered out, which costs the same read
    units and hardly any time.
    """
    nested = {
        "FilterExpression": "attribute_exists(Nested_Tasks)",
        "ProjectionExpression": "Nested_Tasks, Log_Length",
    }
    items = tasks = done = 0
    async for page in table.pages(_query({":queue": queue(state, shard)}) | nested):
        singles = page["ScannedCount"] - page["Count"]
        items += page["ScannedCount"]
        tasks += singles
        done += singles if state is State.DONE else 0
        for row in map(unmarshal_row, page["Items"]):
            tasks += row["Nested_Tasks"]
            done += row.get("Log_Length", 0)
    return state, items, tasks, done


async def held(table: Table, shards: int, worker: str) -> list[Item]:
    """Read the items a worker holds: the index names candidates, the table decides."""
    candidates = await gather_all(_held_ids(table, shard, worker) for shard in range(shards))
    rows = await table.get_many(item_id for ids in candidates for item_id in ids)
    return [decode(row) for row in rows if row["ItemState"] == State.LOCKED and row["InstanceID"] == worker]


async def _held_ids(table: Table, shard: int, worker: str) -> list[str]:
    query = _query({":queue": queue(State.LOCKED, shard), ":worker": worker}) | {
        "KeyConditionExpression": "Queue = :queue AND Queue_Key = :worker",
        "ProjectionExpression": "itemID",
    }
    return [item["itemID"]["S"] async for page in table.pages(query) for item in page["Items"]]


def _query(values: dict[str, str]) -> dict[str, Any]:
    return {
        "IndexName": QUEUE_INDEX,
        "KeyConditionExpression": "Queue = :queue",
        "ExpressionAttributeValues": marshal_row(values),
    }
