"""Read candidates from the queue index.

A program that knows nothing of the queue may change `ItemState` alone. Such a row is still shown in its old queue, and
is no candidate: it is passed over, noted, and left for a person (`pyanamo table adopt`).
"""

from __future__ import annotations

from typing import Any

from pyanamo_async.core.items import State
from pyanamo_async.core.stored.bad_rows import BadRows
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.queue_key import queue
from pyanamo_async.errors import BadRow
from pyanamo_async.store.dynamodb.codec import marshal_row, unmarshal_row
from pyanamo_async.store.dynamodb.rows import QUEUE_INDEX, moved_by_another
from pyanamo_async.store.dynamodb.table import Table


async def candidate_page(
    table: Table, state: State, shard: int, *, bad_rows: BadRows, limit: int, between: tuple[str, str] | None = None
) -> list[Row]:
    """Read up to `limit` candidates of a shard, from its head or `between` two keys."""
    condition, values = "Queue = :queue", {":queue": queue(state, shard)}
    if between:  # without bounds, keys that other programs wrote are read, too
        condition += " AND Queue_Key BETWEEN :start AND :end"
        values |= {":start": between[0], ":end": between[1]}
    query: dict[str, Any] = {
        "IndexName": QUEUE_INDEX,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": marshal_row(values),
        "ProjectionExpression": "itemID, Queue, Queue_Key, ItemState, Attempt",
    }
    behind: dict[str, Any] = {}
    async for page in table.pages(query | {"Limit": limit}):
        rows = _here(page, bad_rows)
        if rows or "LastEvaluatedKey" not in page:
            return rows
        behind = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        break
    async for page in table.pages(query | behind):  # in large pages, past rows that are no candidates
        if rows := _here(page, bad_rows):
            return rows[:limit]
    return []


def _here(page: dict[str, Any], bad_rows: BadRows) -> list[Row]:
    rows = [unmarshal_row(item) for item in page["Items"]]
    for row in rows:
        if why := moved_by_another(row):
            bad_rows.note(BadRow(row, why))
    return [row for row in rows if not moved_by_another(row)]
