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

Keys = tuple[str | None, str | None]  # from the first on, and before the second


async def candidate_page(
    table: Table, state: State, shard: int, *, bad_rows: BadRows, limit: int, keys: Keys = (None, None)
) -> list[Row]:
    """Read up to `limit` candidates of a shard, from the first of these keys on, and before the second."""
    condition, values = within_keys(*keys)  # without bounds, keys that other programs wrote are read, too
    query: dict[str, Any] = {
        "IndexName": QUEUE_INDEX,
        "KeyConditionExpression": f"Queue = :queue{condition}",
        "ExpressionAttributeValues": marshal_row({":queue": queue(state, shard), **values}),
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


def within_keys(first: str | None, end: str | None) -> tuple[str, dict[str, str]]:
    """Return the condition for keys from `first` on, and before `end`, and its values."""
    if first is None:
        return ("", {}) if end is None else (" AND Queue_Key < :end", {":end": end})
    if end is None:
        return " AND Queue_Key >= :first", {":first": first}
    last = f"{end[:-1]}{chr(ord(end[-1]) - 1)}\U0010ffff"  # BETWEEN includes both, and there is no other way
    return " AND Queue_Key BETWEEN :first AND :last", {":first": first, ":last": last}


def _here(page: dict[str, Any], bad_rows: BadRows) -> list[Row]:
    rows = [unmarshal_row(item) for item in page["Items"]]
    for row in rows:
        if why := moved_by_another(row):
            bad_rows.note(BadRow(row, why))
    return [row for row in rows if not moved_by_another(row)]
