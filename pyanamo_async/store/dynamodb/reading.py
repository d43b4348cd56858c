"""Read what status and listings need from the queue index, and whole items from the table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Any

from pyanamo_async.core.counts import QUARTERS, Counted, Counts, quarter
from pyanamo_async.core.items import SETTLED, Item, State, Summary, latest
from pyanamo_async.core.stored.bad_rows import read_row, sort_rows
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.queue_key import DELAYED, format_time, queue
from pyanamo_async.core.stored.record import decode, decode_held
from pyanamo_async.core.values import replace
from pyanamo_async.errors import BadRow, ItemMissing
from pyanamo_async.ports import ItemReader
from pyanamo_async.store.dynamodb.codec import marshal_row, unmarshal_row
from pyanamo_async.store.dynamodb.fleet import bad_workers
from pyanamo_async.store.dynamodb.opening import OpenedTable
from pyanamo_async.store.dynamodb.rows import (
    QUEUE_INDEX,
    TABLE_ROW,
    TAIL_ROW,
    WORKER_ROW,
    counted,
    ledgers,
    moved_by_another,
    read_placed,
    summary,
)
from pyanamo_async.store.dynamodb.table import Table, gather_all
from pyanamo_async.store.dynamodb.writes import KEY

Keys = tuple[str | None, str | None]  # from the first on, and before the second

FIRST_ROWS = 200  # of a scan: what a person asks for is often among them, and a page of 1 MB takes a second
COUNTED = ("Nested_Tasks", "Crashes", "Interruptions", "Seconds_Lost")
NOT_TODO = [state for state in State if state is not State.TODO]


class DynamoReader(OpenedTable, ItemReader):
    """Reads the items of a table."""

    async def read(self, item_id: str) -> Item:
        await self._open()
        row = await self._table.get(item_id)
        if row is None or "ItemState" not in row:
            raise ItemMissing(f"there is no item '{item_id}' in {self._table.what}", hint="`pyanamo list` shows them")
        return read_row(row, decode)

    async def existing(self, item_ids: Sequence[str]) -> set[str]:
        await self._open()
        return {str(row[KEY]) for row in await self._table.get_many(item_ids, only=KEY)}

    async def read_many(self, item_ids: Sequence[str]) -> list[Item]:
        await self._open()
        return self.bad_rows.skip(await self._table.get_many(item_ids), decode)

    async def summaries(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Summary]:
        for each in [state] if state else State:
            async for listed in self._listed(each, sample):
                yield listed

    def retrying(self, *, sample: str | None = None) -> AsyncIterator[Summary]:
        return self._listed(State.TODO, sample, first=DELAYED)

    async def _listed(self, state: State, sample: str | None, *, first: str | None = None) -> AsyncIterator[Summary]:
        condition, values = _between(first, None)
        filters = {} if sample is None else {"FilterExpression": "taskID = :sample"}
        wanted = values | ({} if sample is None else {":sample": sample})
        for shard in range(await self._shards()):
            query = _query({":queue": queue(state, shard)} | wanted) | filters
            query["KeyConditionExpression"] += condition
            async for page in self._table.pages(query):
                for listed in self.bad_rows.skip(map(unmarshal_row, page["Items"]), summary):
                    yield listed

    async def items(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Item]:
        await self._open()
        wanted = {name: value for name, value in (("ItemState", state), ("taskID", sample)) if value is not None}
        conditions = ["attribute_exists(ItemState)", *(f"{name} = :{name}" for name in wanted)]  # only items have one
        query: dict[str, Any] = {"FilterExpression": " AND ".join(conditions), "ConsistentRead": True}
        if wanted:
            query["ExpressionAttributeValues"] = marshal_row({f":{name}": value for name, value in wanted.items()})
        async for page in self._table.pages(query, scan=True, first=FIRST_ROWS):
            for item in self.bad_rows.skip(map(unmarshal_row, page["Items"]), decode):
                yield item

    async def unreadable(self) -> AsyncIterator[BadRow]:
        read_item = partial(read_placed, shards=await self._shards())
        async for page in self._table.pages({"ConsistentRead": True}, scan=True):
            rows = [unmarshal_row(item) for item in page["Items"]]
            for bad in bad_workers(rows):
                yield bad
            items = (row for row in rows if not row[KEY].startswith((WORKER_ROW, TABLE_ROW, TAIL_ROW)))
            for bad in sort_rows(items, read_item)[1]:
                yield bad

    async def counts(self, *, since: Sequence[datetime] = ()) -> Counts:
        times = [format_time(each) for each in since]
        counted = await self._count_shards(lambda shard: _count_all(self._table, shard, times))
        return Counts.add_up(counted, times=len(times))

    async def moving_counts(self, *, since: datetime) -> Counts:
        start = format_time(since)
        return Counts.add_up(await self._count_shards(lambda shard: _count_moving(self._table, shard, start)))

    async def last_settled(self, *, most: int) -> list[Summary]:
        shards = await self._shards()
        queues = [queue(state, shard) for state in SETTLED for shard in range(shards)]
        found = await gather_all(_last_rows(self._table, each, -(-most // shards)) for each in queues)
        return latest((each for rows in found for each in self.bad_rows.skip(rows, summary)), most=most)

    async def _count_shards(self, count: Callable[[int], Coroutine[Any, Any, list[Counted]]]) -> list[Counted]:
        shards = await gather_all(map(count, range(await self._shards())))
        return [part for shard in shards for part in shard]

    async def holders(self) -> AsyncIterator[str]:
        for shard in range(await self._shards()):
            query = _query({":queue": queue(State.LOCKED, shard)}) | {
                "ProjectionExpression": "Queue, Queue_Key, ItemState"
            }
            async for page in self._table.pages(query):
                for row in map(unmarshal_row, page["Items"]):
                    if not moved_by_another(row):
                        yield row["Queue_Key"]

    async def held(self, worker_id: str) -> list[Item | BadRow]:
        shards = range(await self._shards())  # the index names candidates, the table decides
        candidates = await gather_all(_held_ids(self._table, shard, worker_id) for shard in shards)
        rows = await self._table.get_many(item_id for ids in candidates for item_id in ids)
        queues = {queue(State.LOCKED, shard) for shard in shards}
        placed = [row for row in rows if row.get("Queue") in queues and row.get("Queue_Key") == worker_id]
        held = [row for row in placed if not moved_by_another(row)]
        good, bad = sort_rows(held, partial(decode_held, worker=worker_id))
        return [*good, *bad]


async def _count_all(table: Table, shard: int, since: Sequence[str]) -> list[Counted]:
    """Count the items of a shard, against their way: none that moves on meanwhile is counted twice."""
    parts = []
    for state in NOT_TODO[::-1]:
        marks = since if state in SETTLED else ()
        for number, keys in enumerate(_ranges(marks)):
            counted = await _count(table, state, shard, keys)
            settled = tuple(counted.items if place < number else 0 for place in range(len(marks)))
            parts.append(replace(counted, settled_since=settled))
    waiting = await _count(table, State.TODO, shard, (DELAYED, None))
    parts.append(replace(waiting, retrying=waiting.items))
    return [*parts, await _count(table, State.TODO, shard, (None, DELAYED))]


async def _count_moving(table: Table, shard: int, since: str) -> list[Counted]:
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
    condition, values = _between(*keys)
    query = _query({":queue": queue(state, shard)} | values) | {
        "FilterExpression": " OR ".join(f"attribute_exists({name})" for name in COUNTED),
        "ProjectionExpression": f"{', '.join(COUNTED)}, Log_Length",
    }
    query["KeyConditionExpression"] += condition
    items = tasks = done = crashes = interruptions = 0
    lost_s = 0.0
    nested = dict.fromkeys(QUARTERS, 0)
    async for page in table.pages(query):
        singles = page["ScannedCount"] - page["Count"]
        items += page["ScannedCount"]
        tasks += singles
        done += singles if state is State.DONE else 0
        for row in map(unmarshal_row, page["Items"]):
            its_tasks, its_done, is_nested = counted(row)
            tasks, done = tasks + its_tasks, done + (its_done if is_nested else state is State.DONE)
            if is_nested:
                nested[quarter(its_done, its_tasks)] += 1
            of_row = ledgers(row)
            crashes, interruptions, lost_s = crashes + of_row[0], interruptions + of_row[1], lost_s + of_row[2]
    return Counted(
        state,
        items,
        tasks,
        done,
        nested=tuple(nested.values()),
        crashes=crashes,
        interruptions=interruptions,
        seconds_lost=lost_s,
    )


def _between(first: str | None, end: str | None) -> tuple[str, dict[str, str]]:
    """Return the condition for keys from `first` on, and before `end`, and its values."""
    if first is None:
        return ("", {}) if end is None else (" AND Queue_Key < :end", {":end": end})
    if end is None:
        return " AND Queue_Key >= :first", {":first": first}
    last = f"{end[:-1]}{chr(ord(end[-1]) - 1)}\U0010ffff"  # BETWEEN includes both, and there is no other way
    return " AND Queue_Key BETWEEN :first AND :last", {":first": first, ":last": last}


async def _held_ids(table: Table, shard: int, worker: str) -> list[str]:
    query = _query({":queue": queue(State.LOCKED, shard), ":worker": worker}) | {
        "KeyConditionExpression": "Queue = :queue AND Queue_Key = :worker",
        "ProjectionExpression": "itemID",
    }
    return [item["itemID"]["S"] async for page in table.pages(query) for item in page["Items"]]


async def _last_rows(table: Table, queue: str, most: int) -> list[Row]:
    async for page in table.pages(_query({":queue": queue}) | {"ScanIndexForward": False, "Limit": most}):
        return [unmarshal_row(item) for item in page["Items"]]
    return []


def _query(values: dict[str, str]) -> dict[str, Any]:
    return {
        "IndexName": QUEUE_INDEX,
        "KeyConditionExpression": "Queue = :queue",
        "ExpressionAttributeValues": marshal_row(values),
    }
