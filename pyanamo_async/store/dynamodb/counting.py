"""Count the items of a queue by what the index shows: page by page, and no row is read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

from pyanamo_async.core.counts import QUARTERS, Counted, Ledgers, quarter
from pyanamo_async.core.items import SETTLED, State
from pyanamo_async.core.queue_lanes import Lane
from pyanamo_async.core.stored.queue_key import (
    BEYOND_LANES,
    DELAYED,
    LANES,
    READY,
    lane_bounds,
    lane_prefix,
    queue,
)
from pyanamo_async.core.values import replace
from pyanamo_async.store.dynamodb.candidate_pages import Keys, within_keys
from pyanamo_async.store.dynamodb.codec import marshal_row, unmarshal_row
from pyanamo_async.store.dynamodb.rows import QUEUE_INDEX, ledgers
from pyanamo_async.store.dynamodb.rows import counted as counted_row
from pyanamo_async.store.dynamodb.table import Table

COUNTED = ("Nested_Tasks", "Crashes", "Interruptions", "Seconds_Lost", "Seconds_Saved")
BEYOND_DELAYED = chr(ord(DELAYED) + 1)
NOT_TODO = [state for state in State if state is not State.TODO]


def index_query(values: dict[str, str]) -> dict[str, Any]:
    """Return a query of one queue, which takes these values."""
    return {
        "IndexName": QUEUE_INDEX,
        "KeyConditionExpression": "Queue = :queue",
        "ExpressionAttributeValues": marshal_row(values),
    }


async def count_all(table: Table, shard: int, since: Sequence[str], lanes: Collection[Lane]) -> list[Counted]:
    """Count the items of a shard, against their way: none that moves on meanwhile is counted twice."""
    parts = []
    for state in NOT_TODO[::-1]:
        marks = since if state in SETTLED else ()
        for number, keys in enumerate(_ranges(marks)):
            counted = await _count(table, state, shard, keys)
            settled = tuple(counted.items if place < number else 0 for place in range(len(marks)))
            parts.append(replace(counted, settled_since=settled))
    for each in sorted(lanes, key=lane_prefix):
        parts += await _count_todo(table, shard, lane_prefix(each), BEYOND_DELAYED)
    if lanes:
        parts.append(await _count(table, State.TODO, shard, (BEYOND_LANES, None)))
    return parts + await _count_todo(table, shard, "", LANES if lanes else None)


async def _count_todo(table: Table, shard: int, prefix: str, end: str | None) -> list[Counted]:
    """Count the items in `todo` whose keys have a prefix: those that wait to be tried again apart."""
    waiting = await _count(table, State.TODO, shard, (f"{prefix}{DELAYED}", end and f"{prefix}{end}"))
    first = f"{prefix}{READY}" if prefix else None
    return [
        replace(waiting, retrying=waiting.items),
        await _count(table, State.TODO, shard, (first, f"{prefix}{DELAYED}")),
    ]


async def count_lane(table: Table, lane: Lane, shard: int) -> list[Counted]:
    """Count the items in `todo` that wait in a lane."""
    return [await _count(table, State.TODO, shard, lane_bounds(lane))]


async def count_moving(table: Table, shard: int, since: str) -> list[Counted]:
    """Count the items of a shard that are held, or left the queue since a time."""
    starts = [(state, None if state is State.LOCKED else since) for state in NOT_TODO]
    return [await _count(table, state, shard, (start, None)) for state, start in starts[::-1]]


def _ranges(marks: Sequence[str]) -> list[Keys]:
    """Return the ranges of keys between ascending marks, from the first on."""
    return list(pairwise([None, *marks, None]))


async def _count(table: Table, state: State, shard: int, keys: Keys) -> Counted:
    """Count the items of one queue with keys from the first on, and before the second; their tasks, and those done.

    Only nested items, and those that lost something, are returned; the others are counted as those that were filtered
    out, which costs the same read units and hardly any time.
    """
    condition, values = within_keys(*keys)
    query = index_query({":queue": queue(state, shard)} | values) | {
        "FilterExpression": " OR ".join(f"attribute_exists({name})" for name in COUNTED),
        "ProjectionExpression": f"{', '.join(COUNTED)}, Log_Length, Cpus",
    }
    query["KeyConditionExpression"] += condition
    items = tasks = done = 0
    lost = Ledgers()
    nested = dict.fromkeys(QUARTERS, 0)
    async for page in table.pages(query):
        singles = page["ScannedCount"] - page["Count"]
        items += page["ScannedCount"]
        tasks += singles
        done += singles if state is State.DONE else 0
        rows = [*map(unmarshal_row, page["Items"])]
        lost = Ledgers.total([lost, *map(ledgers, rows)])
        for row in rows:
            its_tasks, its_done, is_nested = counted_row(row)
            tasks, done = tasks + its_tasks, done + (its_done if is_nested else state is State.DONE)
            if is_nested:
                nested[quarter(its_done, its_tasks)] += 1
    return Counted(state, items, tasks, done, nested=tuple(nested.values()), ledgers=lost)
